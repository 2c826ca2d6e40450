//! Indexes that stay in their objects and are read from there, and the memory that they share.
//!
//! What such an index keeps in memory comes out of one budget for all of a database. It takes what it cannot do without,
//! and for its caches at most half of what is left then, so that there is some for those that come later; it gives all
//! back when its last reader lets it go.

use crate::catalog::SegmentIndex;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::store::Store;
use elanus_index::read_at::{ReadAt, ReadError, ReadFault, ReadQueue};
use elanus_index::{FileFactory, Index, OpenError, Spec};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that such indexes may keep in memory, and how many of them are left.
#[derive(Debug)]
pub(crate) struct DiskMemory {
    total: u64,
    left: AtomicU64,
}

/// A part of the budget that somebody has.
#[derive(Debug)]
struct Held {
    of: Arc<DiskMemory>,
    bytes: AtomicU64,
}

/// An object that an index reads.
#[derive(Debug)]
struct Object {
    name: String,
    reader: Arc<dyn ReadAt>,
    held: Held,
}

impl DiskMemory {
    /// A budget of so many MiB.
    ///
    /// # Errors
    /// `InvalidArgument` if it is none.
    pub(crate) fn new(mib: u64) -> Result<Arc<Self>> {
        if mib == 0 {
            let text = "disk_index_memory_mib is 0: indexes that are read from disk need some memory";
            return Err(Error::invalid(Subject::Memory, text));
        }
        let total = mib.saturating_mul(1 << 20);
        Ok(Arc::new(Self { total, left: AtomicU64::new(total) }))
    }

    /// Bytes that nobody has.
    fn left(&self) -> u64 {
        self.left.load(Ordering::SeqCst)
    }

    fn take(self: &Arc<Self>, bytes: u64) -> Option<Held> {
        let take = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).ok()?;
        Some(Held { of: Arc::clone(self), bytes: AtomicU64::new(bytes) })
    }
}

impl Held {
    /// Gives back what is beyond so many bytes.
    fn shrink_to(&self, bytes: u64) {
        let had = self.bytes.fetch_min(bytes, Ordering::SeqCst);
        self.of.left.fetch_add(had.saturating_sub(bytes), Ordering::SeqCst);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

impl ReadAt for Object {
    fn len(&self) -> u64 {
        self.reader.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.reader.read_at(offset, buffer)
    }

    fn queue(&self, depth: usize, bytes: usize) -> io::Result<Box<dyn ReadQueue>> {
        self.reader.queue(depth, bytes)
    }

    fn memory_bytes(&self) -> u64 {
        self.reader.memory_bytes()
    }

    fn describe(&self) -> String {
        format!("object {} by {}", self.name, self.reader.describe())
    }
}

/// Opens a built index over its object. Of the object its length and what is kept are checked; what a search reads later
/// has sums of its own.
///
/// # Errors
/// `Corrupt` naming the object; `Exhausted` if the index needs more memory than is left.
pub(crate) fn open(
    memory: &Arc<DiskMemory>,
    store: &dyn Store,
    built: &SegmentIndex,
    factory: &dyn FileFactory,
    spec: &Spec,
) -> Result<Box<dyn Index>> {
    let object = &built.object;
    let cannot = |text: &str| format!("object {object} {text}");
    let reader = store.reader(object).map_err(crate::store_error(&cannot("cannot be opened")))?;
    if reader.len() != built.size_bytes {
        let text = format!("is damaged: {} bytes, {} were written", reader.len(), built.size_bytes);
        return Err(Error::new(ErrorKind::Corrupt, Subject::Index, cannot(&text)));
    }
    let attempt = |budget: u64| {
        let held = memory.take(budget).ok_or(OpenError::Memory { need: budget, have: memory.left() })?;
        let object = Arc::new(Object { name: object.clone(), reader: Arc::clone(&reader), held });
        let index = factory.open_at(Arc::clone(&object) as _, spec, budget)?;
        object.held.shrink_to(index.footprint_bytes());
        Ok(index)
    };
    let opened = match attempt(0) {
        Err(OpenError::Memory { need, .. }) => attempt(need + memory.left().saturating_sub(need) / 2),
        other => other,
    };
    opened.map_err(|error| {
        if let OpenError::Memory { need, .. } = error {
            let text = format!(
                "needs {need} bytes of memory, {} of {} are left: raise disk_index_memory_mib, or drop indexes",
                memory.left(),
                memory.total
            );
            return Error::new(ErrorKind::Exhausted, Subject::Memory, cannot(&text));
        }
        let kind = if let OpenError::Read(fault) = &error { kind_of(fault) } else { ErrorKind::Corrupt };
        Error::new(kind, Subject::Index, cannot("is damaged or cannot be read")).with_source(error)
    })
}

/// Who must act where an object could not be read: the device may have failed, and nothing is known of the bytes.
pub(crate) fn kind_of(error: &ReadError) -> ErrorKind {
    match error.fault {
        ReadFault::Device { .. } => ErrorKind::Unavailable,
        ReadFault::Checksum { .. } | ReadFault::Value { .. } => ErrorKind::Corrupt,
    }
}

#[cfg(test)]
mod tests;
