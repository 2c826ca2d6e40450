//! Readers that make trouble: reads arrive in any order, and some fail.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use elanus_kernels::rng::Rng;

use crate::read_at::{Arrival, ReadAt, ReadQueue, check_read};

/// Bytes in memory of which any read in flight may arrive next.
#[derive(Debug)]
pub(super) struct Shuffled {
    shared: Arc<Shared>,
    seed: u64,
}

#[derive(Debug)]
struct Shared {
    bytes: Vec<u8>,
    /// Reads that arrived.
    reads: AtomicU64,
    /// Reads after which one fails.
    failure: AtomicU64,
}

impl Shuffled {
    pub(super) fn new(bytes: Vec<u8>, seed: u64) -> Self {
        let shared = Shared { bytes, reads: AtomicU64::new(0), failure: AtomicU64::new(u64::MAX) };
        Self { shared: Arc::new(shared), seed }
    }

    /// How many reads of queues arrived since this was asked last.
    pub(super) fn count(&self) -> u64 {
        self.shared.reads.swap(0, Ordering::Relaxed)
    }

    /// Lets one read fail, after so many more.
    pub(super) fn fail_after(&self, reads: u64) {
        self.count();
        self.shared.failure.store(reads, Ordering::Relaxed);
    }
}

impl ReadAt for Shuffled {
    fn len(&self) -> u64 {
        self.shared.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.shared.bytes[offset as usize..][..buffer.len()]);
        Ok(())
    }

    fn queue(&self, depth: usize, bytes: usize) -> io::Result<Box<dyn ReadQueue>> {
        let (shared, rng) = (Arc::clone(&self.shared), Rng::new(self.seed));
        Ok(Box::new(Bag { shared, depth, bytes, rng, bag: Vec::new(), lent: Vec::new() }))
    }

    fn describe(&self) -> String {
        "a shuffled bag".to_owned()
    }
}

#[derive(Debug)]
struct Bag {
    shared: Arc<Shared>,
    depth: usize,
    bytes: usize,
    rng: Rng,
    bag: Vec<(u64, u64, usize)>,
    /// A copy, which is overwritten by the next read as that of a kernel would be.
    lent: Vec<u8>,
}

impl ReadQueue for Bag {
    fn depth(&self) -> usize {
        self.depth
    }

    fn in_flight(&self) -> usize {
        self.bag.len()
    }

    fn submit(&mut self, tag: u64, offset: u64, len: usize) -> io::Result<()> {
        check_read(self, offset, len, self.bytes)?;
        self.bag.push((tag, offset, len));
        Ok(())
    }

    fn next(&mut self) -> Option<Arrival<'_>> {
        if self.bag.is_empty() {
            return None;
        }
        let (tag, offset, len) = self.bag.swap_remove(self.rng.below(self.bag.len() as u64) as usize);
        if self.shared.reads.fetch_add(1, Ordering::Relaxed) == self.shared.failure.load(Ordering::Relaxed) {
            return Some(Arrival { tag, bytes: Err(io::Error::other("the device failed")) });
        }
        self.lent.clear();
        self.lent.extend_from_slice(&self.shared.bytes[offset as usize..][..len]);
        Some(Arrival { tag, bytes: Ok(&self.lent) })
    }
}
