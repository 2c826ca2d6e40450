//! A database: opening, closing, and what concerns it as a whole.

mod alias;
mod collection;
mod database;
mod open;

pub use collection::CreateCollection;
pub use database::DatabaseInfo;
pub use open::DbBuilder;

use crate::error::{Error, Result, Subject};
use crate::gpu::GpuMetrics;
use crate::inner::Inner;
use crate::job::CompactionInfo;
use crate::wal::Wal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A database. Clones share it; the last one that goes closes it.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) inner: Arc<Inner>,
    _closer: Arc<Closer>,
}

/// Closes the database when the last handle of the caller's is gone; jobs hold `Inner` only.
#[derive(Debug)]
struct Closer(Arc<Inner>);

impl Drop for Closer {
    fn drop(&mut self) {
        close(&self.0);
    }
}

/// Counts and sizes, for monitoring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineMetrics {
    /// Databases.
    pub databases: u64,
    /// Collections.
    pub collections: u64,
    /// Sealed segments.
    pub sealed_segments: u64,
    /// Segments in memory that hold rows.
    pub growing_segments: u64,
    /// Rows that are not deleted.
    pub rows: u64,
    /// Log records that may be needed after a crash.
    pub wal_records: u64,
    /// Bytes of sealed segments.
    pub sealed_bytes: u64,
    /// Bytes of growing segments.
    pub growing_bytes: u64,
    /// Index builds that run.
    pub builds_running: u64,
}

impl Db {
    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self { _closer: Arc::new(Closer(Arc::clone(&inner))), inner }
    }

    /// Opens the database in a directory, and makes one if there is none.
    ///
    /// # Errors
    /// `Unavailable` if another process has it open, `Corrupt` naming the file if stored bytes are damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().path(path).open()
    }

    /// A database in memory, gone with its last handle.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn in_memory() -> Result<Self> {
        Self::builder().open()
    }

    /// Opens a database with other settings or components.
    pub fn builder() -> DbBuilder {
        DbBuilder::default()
    }

    /// Ends background work and lets go of the directory; what was acknowledged is in the log or in segments.
    /// Later calls give `Unavailable`.
    pub fn close(&self) {
        close(&self.inner);
    }

    /// A fresh timestamp, greater than that of every earlier write.
    pub fn timestamp(&self) -> u64 {
        self.inner.oracle.next()
    }

    /// Counts and sizes.
    pub fn metrics(&self) -> EngineMetrics {
        let inner = &self.inner;
        let registry = inner.registry.read();
        let mut metrics = EngineMetrics {
            databases: registry.databases.len() as u64,
            collections: registry.collections.len() as u64,
            wal_records: wal_records(inner.wal.as_ref()),
            ..EngineMetrics::default()
        };
        let ts = inner.progress.applied_ts.load(Ordering::SeqCst);
        for state in registry.collections.values() {
            for segment in state.shard.sealed() {
                metrics.sealed_segments += 1;
                metrics.sealed_bytes += segment.data.size_bytes();
            }
            for (segment, _) in state.shard.growing() {
                metrics.growing_segments += 1;
                metrics.growing_bytes += segment.data.size_bytes() as u64;
            }
            let pinned = state.shard.pin(&[], false);
            metrics.rows += pinned.iter().map(|one| one.view.count_visible(ts) as u64).sum::<u64>();
            metrics.builds_running +=
                state.builds.lock().values().filter(|build| build.failure.is_none()).count() as u64;
        }
        metrics
    }

    /// What the device did, if there is one.
    pub fn gpu_metrics(&self) -> GpuMetrics {
        self.inner.gpu.metrics()
    }

    /// What became of a compaction that `Collection::compact` asked for.
    ///
    /// # Errors
    /// `NotFound` if there was none of that number since the start.
    pub fn compaction(&self, id: i64) -> Result<CompactionInfo> {
        let info = self.inner.jobs.compaction(id);
        info.ok_or_else(|| Error::not_found(Subject::Parameter, format!("compaction {id} is not known")))
    }
}

fn wal_records(wal: &dyn Wal) -> u64 {
    let first = wal.first();
    wal.next().saturating_sub(first)
}

fn close(inner: &Inner) {
    if inner.closed.swap(true, Ordering::SeqCst) {
        return;
    }
    inner.jobs.stop();
    for state in inner.registry.read().collections.values() {
        state.cancel_builds(None);
    }
    inner.committer.stop();
    inner.jobs.join();
    // A log that ends earlier at the next start was damaged meanwhile.
    if let Err(error) = inner.catalog.note_log_end(inner.wal.next()) {
        tracing::warn!(%error, "the end of the log could not be noted");
    }
    // Nothing of this database may be written once another process can have the directory.
    inner.catalog.close();
    inner.lock.lock().take();
}
