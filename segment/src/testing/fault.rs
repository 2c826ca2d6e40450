//! A directory that fails on demand.

use crate::dir::{Dir, DirFile};
use elanus_index::Blob;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// No limit.
const NEVER: u64 = u64::MAX;

/// Passes everything on to another directory until a limit is reached; clones share limits.
///
/// Reading, listing and mapping never fail of themselves; what fails has no effect, save that a write past the budget
/// of bytes writes what still fits, as a full disk does.
#[derive(Debug, Clone)]
pub struct FaultDir {
    dir: Arc<dyn Dir>,
    limits: Arc<Limits>,
}

#[derive(Debug)]
struct Limits {
    ops: AtomicU64,
    syncs: AtomicU64,
    bytes: AtomicU64,
}

impl FaultDir {
    /// Without limits so far.
    pub fn new(dir: Arc<dyn Dir>) -> Self {
        let unlimited = || AtomicU64::new(NEVER);
        Self { dir, limits: Arc::new(Limits { ops: unlimited(), syncs: unlimited(), bytes: unlimited() }) }
    }

    /// Lets `count` more changes (create, write, set length, sync, rename, remove, remove a folder) succeed; all later ones fail.
    pub fn fail_after(&self, count: u64) {
        self.limits.ops.store(count, SeqCst);
    }

    /// Lets `count` more syncs of files and folders succeed; all later ones fail.
    pub fn fail_syncs_after(&self, count: u64) {
        self.limits.syncs.store(count, SeqCst);
    }

    /// Leaves room for that many more bytes; writes past it fail with `StorageFull`.
    pub fn byte_budget(&self, bytes: u64) {
        self.limits.bytes.store(bytes, SeqCst);
    }

    /// Takes all limits away.
    pub fn heal(&self) {
        self.limits.ops.store(NEVER, SeqCst);
        self.limits.syncs.store(NEVER, SeqCst);
        self.limits.bytes.store(NEVER, SeqCst);
    }

    fn wrap(&self, file: Box<dyn DirFile>) -> Box<dyn DirFile> {
        Box::new(FaultFile { file, limits: Arc::clone(&self.limits) })
    }
}

impl Limits {
    /// Takes up to `want` from a limit; returns how much there was.
    fn take(limit: &AtomicU64, want: u64) -> u64 {
        let spend = |left: u64| Some(if left == NEVER { NEVER } else { left.saturating_sub(want) });
        limit.fetch_update(SeqCst, SeqCst, spend).unwrap_or_default().min(want)
    }

    fn change(&self) -> io::Result<()> {
        match Self::take(&self.ops, 1) {
            0 => Err(io::Error::other("injected failure")),
            _ => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.change()?;
        match Self::take(&self.syncs, 1) {
            0 => Err(io::Error::other("injected failure of a sync")),
            _ => Ok(()),
        }
    }
}

impl Dir for FaultDir {
    fn create(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        self.limits.change()?;
        Ok(self.wrap(self.dir.create(path)?))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        Ok(self.wrap(self.dir.open(path)?))
    }

    fn map(&self, path: &str) -> io::Result<Blob> {
        self.dir.map(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.limits.change()?;
        self.dir.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.limits.change()?;
        self.dir.remove(path)
    }

    fn remove_dir(&self, folder: &str) -> io::Result<()> {
        self.limits.change()?;
        self.dir.remove_dir(folder)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.dir.list(folder)
    }

    fn exists(&self, path: &str) -> bool {
        self.dir.exists(path)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        self.dir.len(path)
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.limits.sync()?;
        self.dir.sync_dir(folder)
    }

    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>> {
        self.dir.lock(path)
    }
}

#[derive(Debug)]
struct FaultFile {
    file: Box<dyn DirFile>,
    limits: Arc<Limits>,
}

impl DirFile for FaultFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.limits.change()?;
        let fits = Limits::take(&self.limits.bytes, bytes.len() as u64) as usize;
        self.file.write_at(offset, &bytes[..fits])?;
        if fits == bytes.len() { Ok(()) } else { Err(ErrorKind::StorageFull.into()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.limits.change()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.limits.sync()?;
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.limits.sync()?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests;
