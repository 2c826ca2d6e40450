//! A reader that counts what is read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use elanus_index::read_at::{Arrival, ReadAt, ReadQueue};

/// Reads so far, and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Count {
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    fn add(&self, bytes: usize) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Reads and bytes.
    pub(crate) fn now(&self) -> (u64, u64) {
        (self.reads.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// Another reader, and what was read through it.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) inner: Arc<dyn ReadAt>,
    pub(crate) count: Arc<Count>,
}

impl ReadAt for Counted {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.count.add(buffer.len());
        self.inner.read_at(offset, buffer)
    }

    fn queue(&self, depth: usize, bytes: usize) -> io::Result<Box<dyn ReadQueue>> {
        let inner = self.inner.queue(depth, bytes)?;
        Ok(Box::new(CountedQueue { inner, count: Arc::clone(&self.count) }))
    }

    fn memory_bytes(&self) -> u64 {
        self.inner.memory_bytes()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[derive(Debug)]
struct CountedQueue {
    inner: Box<dyn ReadQueue>,
    count: Arc<Count>,
}

impl ReadQueue for CountedQueue {
    fn depth(&self) -> usize {
        self.inner.depth()
    }

    fn in_flight(&self) -> usize {
        self.inner.in_flight()
    }

    fn submit(&mut self, tag: u64, offset: u64, len: usize) -> io::Result<()> {
        self.inner.submit(tag, offset, len)?;
        self.count.add(len);
        Ok(())
    }

    fn next(&mut self) -> Option<Arrival<'_>> {
        self.inner.next()
    }

    fn clear(&mut self) {
        self.inner.clear();
    }
}
