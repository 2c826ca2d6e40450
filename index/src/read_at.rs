//! Immutable bytes that are read and not mapped, several reads at a time.
//!
//! An index whose bytes are more than the memory it may take reads them through [`ReadAt`]. What a walk needs is many
//! small reads in flight, of which it takes each as it arrives: that is a [`ReadQueue`], which owns the buffers, so
//! that a kernel may fill them (`io_uring`), a thread may (`pread`), or nobody has to ([`InMemory`], the plain form
//! by which the others are tested). This crate has no input of its own; files are read by the crate that owns them.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::io;

use crate::Blob;

/// Reads begin at multiples of this and are multiples of it long, so that a file system need not copy them.
pub const PAGE: usize = 4096;

/// Immutable bytes of a known length.
pub trait ReadAt: Send + Sync + Debug {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes from `offset` on, and waits for them. For what is read in large parts, once.
    ///
    /// # Errors
    /// `UnexpectedEof` when the bytes end before; else those of the device.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// A queue of at most `depth` reads in flight, each of at most `bytes` bytes, for one thread at a time.
    ///
    /// # Errors
    /// When there is no memory for its buffers, or the system refuses one more queue.
    fn queue(&self, depth: usize, bytes: usize) -> io::Result<Box<dyn ReadQueue>>;

    /// Bytes of the process's memory, mapped files included, that hold the bytes.
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// How reads are done, for people.
    fn describe(&self) -> String;
}

/// Reads in flight. They arrive in any order.
pub trait ReadQueue: Send + Debug {
    /// How many reads may be in flight.
    fn depth(&self) -> usize;

    /// How many reads are in flight.
    fn in_flight(&self) -> usize;

    /// Begins a read of `len` bytes from `offset` on, which [`ReadQueue::next`] will give back with its `tag`. It may
    /// wait with others until that is called.
    ///
    /// # Errors
    /// `WouldBlock` when [`ReadQueue::depth`] reads are in flight; `InvalidInput` when the read is longer than the
    /// queue is for, or it neither begins nor ends at a multiple of [`PAGE`].
    fn submit(&mut self, tag: u64, offset: u64, len: usize) -> io::Result<()>;

    /// Waits until a read is done; `None` when none is in flight. The bytes are lent until the next call.
    fn next(&mut self) -> Option<Arrival<'_>>;

    /// Waits for all reads in flight and forgets them.
    fn clear(&mut self) {
        while self.next().is_some() {}
    }
}

/// A read that is done.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The number that it was begun with.
    pub tag: u64,
    /// The bytes, as many as were asked for, or why there are none.
    pub bytes: io::Result<&'a [u8]>,
}

/// Checks the arguments of [`ReadQueue::submit`], for those who implement it.
///
/// # Errors
/// As there.
pub fn check_read(queue: &dyn ReadQueue, offset: u64, len: usize, bytes: usize) -> io::Result<()> {
    if queue.in_flight() >= queue.depth() {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "as many reads as the queue takes are in flight"));
    }
    if len > bytes || !len.is_multiple_of(PAGE) || !offset.is_multiple_of(PAGE as u64) {
        let text = format!("a read of {len} bytes at {offset} by a queue for whole pages, at most {bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

/// Why bytes that an index needed could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Where they begin.
    pub offset: u64,
    /// What was wrong.
    pub fault: ReadFault,
}

/// What was wrong with a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// The reader failed.
    Device {
        /// The kind of its error.
        kind: io::ErrorKind,
        /// Its text.
        text: String,
    },
    /// The bytes came, but they are not those that were written.
    Checksum {
        /// The sum beside them.
        stored: u32,
        /// Their own.
        computed: u32,
    },
    /// The bytes are sound, but hold a number that no writer can have written.
    Value {
        /// What it is.
        what: &'static str,
        /// The number.
        got: u64,
    },
}

impl ReadError {
    /// An error of the reader.
    pub(crate) fn device(offset: u64, error: &io::Error) -> Self {
        Self { offset, fault: ReadFault::Device { kind: error.kind(), text: error.to_string() } }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at offset {}: ", self.offset)?;
        match &self.fault {
            ReadFault::Device { text, .. } => f.write_str(text),
            ReadFault::Checksum { stored, computed } => {
                write!(f, "the stored checksum is {stored:08x}, that of the bytes {computed:08x}")
            }
            ReadFault::Value { what, got } => write!(f, "{what} cannot be {got}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Bytes that are in memory, or mapped, already: a read lends a part of them.
#[derive(Clone, Debug)]
pub struct InMemory {
    blob: Blob,
}

impl InMemory {
    /// Reads from a blob.
    pub fn new(blob: Blob) -> Self {
        Self { blob }
    }
}

impl ReadAt for InMemory {
    fn len(&self) -> u64 {
        self.blob.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(part(&self.blob, offset, buffer.len())?);
        Ok(())
    }

    fn queue(&self, depth: usize, bytes: usize) -> io::Result<Box<dyn ReadQueue>> {
        Ok(Box::new(Lent { blob: self.blob.clone(), depth: depth.max(1), bytes, waiting: VecDeque::new() }))
    }

    fn memory_bytes(&self) -> u64 {
        self.len()
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

fn part(blob: &Blob, offset: u64, len: usize) -> io::Result<&[u8]> {
    let start = usize::try_from(offset).ok();
    let range = start.and_then(|start| Some(start..start.checked_add(len)?));
    range.and_then(|range| blob.as_slice().get(range)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Reads of memory, which arrive in the order in which they began.
#[derive(Debug)]
struct Lent {
    blob: Blob,
    depth: usize,
    bytes: usize,
    waiting: VecDeque<(u64, u64, usize)>,
}

impl ReadQueue for Lent {
    fn depth(&self) -> usize {
        self.depth
    }

    fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    fn submit(&mut self, tag: u64, offset: u64, len: usize) -> io::Result<()> {
        check_read(self, offset, len, self.bytes)?;
        self.waiting.push_back((tag, offset, len));
        Ok(())
    }

    fn next(&mut self) -> Option<Arrival<'_>> {
        let (tag, offset, len) = self.waiting.pop_front()?;
        Some(Arrival { tag, bytes: part(&self.blob, offset, len) })
    }
}

#[cfg(test)]
mod tests;
