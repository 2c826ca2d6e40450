//! A driver that refuses a call of choice, so that whoever calls it can be tried.
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Driver, Facts, Fault, Lines, StreamId};

/// Which call fails, and how.
#[derive(Debug, Default)]
pub struct Faults {
    left: AtomicU64,
    fatal: AtomicBool,
    calls: AtomicU64,
    failed: AtomicU64,
}

impl Faults {
    /// None.
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    /// Lets the `number`th call from now on fail, counted from 1: that one alone, or, if `fatal`, it and all others.
    pub fn plan(&self, number: u64, fatal: bool) {
        self.fatal.store(fatal, Ordering::SeqCst);
        self.failed.store(0, Ordering::SeqCst);
        self.left.store(number, Ordering::SeqCst);
    }

    /// Calls that failed since [`Faults::plan`].
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// Calls in all.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    fn check(&self, call: &str) -> Result<(), Fault> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fatal = self.fatal.load(Ordering::SeqCst);
        // The planned call takes the last one that is left; after a fatal one all fail.
        let before = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if before != Ok(1) && !(fatal && self.failed() > 0) {
            return Ok(());
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        let reason = format!("{call} was made to fail");
        Err(if fatal { Fault::Lost(reason) } else { Fault::Refused(reason) })
    }
}

/// A driver whose calls may be made to fail.
pub(in crate::cuda) struct Faulty {
    inner: Box<dyn Driver>,
    faults: Arc<Faults>,
}

impl Faulty {
    pub(in crate::cuda) fn new(inner: Box<dyn Driver>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Driver for Faulty {
    fn facts(&self) -> &Facts {
        self.inner.facts()
    }

    fn free_bytes(&self) -> Result<u64, Fault> {
        self.faults.check("free memory")?;
        self.inner.free_bytes()
    }

    fn allocate(&self, bytes: u64) -> Result<u64, Fault> {
        self.faults.check("an allocation")?;
        self.inner.allocate(bytes)
    }

    unsafe fn free(&self, address: u64) -> Result<(), Fault> {
        self.faults.check("giving memory back")?;
        // SAFETY: as the caller says.
        unsafe { self.inner.free(address) }
    }

    fn pin(&self, bytes: usize) -> Result<NonNull<u8>, Fault> {
        self.faults.check("pinning")?;
        self.inner.pin(bytes)
    }

    unsafe fn unpin(&self, memory: NonNull<u8>) -> Result<(), Fault> {
        self.faults.check("unpinning")?;
        // SAFETY: as the caller says.
        unsafe { self.inner.unpin(memory) }
    }

    fn open_stream(&self) -> Result<StreamId, Fault> {
        self.faults.check("opening a stream")?;
        self.inner.open_stream()
    }

    unsafe fn close_stream(&self, stream: StreamId) -> Result<(), Fault> {
        self.faults.check("closing a stream")?;
        // SAFETY: as the caller says.
        unsafe { self.inner.close_stream(stream) }
    }

    unsafe fn send(&self, stream: StreamId, from: *const u8, to: u64, bytes: usize) -> Result<(), Fault> {
        self.faults.check("a copy to the device")?;
        // SAFETY: as the caller says.
        unsafe { self.inner.send(stream, from, to, bytes) }
    }

    unsafe fn receive(&self, stream: StreamId, lines: Lines, to: *mut u8) -> Result<(), Fault> {
        self.faults.check("a copy from the device")?;
        // SAFETY: as the caller says.
        unsafe { self.inner.receive(stream, lines, to) }
    }

    unsafe fn fill(&self, stream: StreamId, at: u64, word: u32, words: u64) -> Result<(), Fault> {
        self.faults.check("a fill")?;
        // SAFETY: as the caller says.
        unsafe { self.inner.fill(stream, at, word, words) }
    }

    unsafe fn launch(&self, stream: StreamId, entry: usize, grid: [u32; 2], args: &[u8]) -> Result<(), Fault> {
        self.faults.check("a launch")?;
        // SAFETY: as the caller says.
        unsafe { self.inner.launch(stream, entry, grid, args) }
    }

    fn synchronise(&self, stream: StreamId) -> Result<(), Fault> {
        self.faults.check("waiting")?;
        self.inner.synchronise(stream)
    }

    fn resident_blocks(&self, entry: usize) -> Result<u32, Fault> {
        self.faults.check("an occupancy")?;
        self.inner.resident_blocks(entry)
    }
}
