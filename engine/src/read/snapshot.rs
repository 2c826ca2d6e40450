//! The timestamp at which a request reads, and the segments that it pins.

use crate::catalog::ConsistencyLevel;
use crate::collection::Collection;
use crate::error::{Error, Result, Subject};
use crate::inner::Inner;
use crate::shard::Pinned;
use crate::ts;
use std::sync::atomic::Ordering;

/// What a read must have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadAt {
    /// What the collection's level says.
    #[default]
    Default,
    /// Every write that was acknowledged before.
    Strong,
    /// Every write up to that timestamp, usually the caller's last.
    Session(u64),
    /// Every write older than the graceful time.
    Bounded,
    /// Whatever is there.
    Eventually,
    /// Every write up to that timestamp.
    Customized(u64),
    /// Exactly the writes up to that timestamp, as the pages of an iterator need it.
    Snapshot(u64),
}

/// Pinned segments and the timestamp at which they are read.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) ts: u64,
    pub(crate) segments: Vec<Pinned>,
}

impl Collection {
    /// Pins what a read of those partitions sees; `must_be_loaded` is false for deletes.
    pub(crate) fn snapshot(
        &self,
        read_at: ReadAt,
        partitions: &[String],
        ignore_growing: bool,
        must_be_loaded: bool,
    ) -> Result<Snapshot> {
        let ids = if must_be_loaded { self.readable(partitions)? } else { self.partition_ids(partitions)? };
        // The timestamp comes first: what is applied until then is in the segments that are pinned after it.
        let ts = read_ts(self.inner(), self.state().record().consistency, read_at)?;
        let segments = self.state().shard.pin(&ids, ignore_growing);
        let purged = self.state().shard.purged_ts();
        if ts < purged {
            let text = format!("timestamp {ts} can no longer be read: rows deleted until {purged} are gone");
            return Err(Error::invalid(Subject::Timestamp, text));
        }
        Ok(Snapshot { ts, segments })
    }
}

/// The latest applied timestamp, after a wait if the request needs a later one.
///
/// Acknowledged means applied, so Strong never waits, and what Bounded and Eventually would tolerate does not occur.
fn read_ts(inner: &Inner, level: ConsistencyLevel, read_at: ReadAt) -> Result<u64> {
    let wanted = match (read_at, level) {
        (ReadAt::Session(ts) | ReadAt::Customized(ts) | ReadAt::Snapshot(ts), _) => ts,
        (ReadAt::Strong | ReadAt::Eventually, _) => 0,
        (ReadAt::Bounded, _) | (ReadAt::Default, ConsistencyLevel::Bounded) => bounded(inner),
        (
            ReadAt::Default,
            ConsistencyLevel::Strong
            | ConsistencyLevel::Session
            | ConsistencyLevel::Eventually
            | ConsistencyLevel::Customized,
        ) => 0,
    };
    let applied = inner.progress.applied_ts.load(Ordering::SeqCst);
    if wanted <= applied {
        return Ok(if matches!(read_at, ReadAt::Snapshot(_)) { wanted } else { applied });
    }
    let latest = inner.oracle.now() + ts::from_ms(inner.settings.guarantee_wait_ms);
    if wanted > latest {
        let text = format!(
            "the guarantee timestamp {wanted} is {} ms in the future, more than {} ms",
            ts::to_ms(wanted - inner.oracle.now()),
            inner.settings.guarantee_wait_ms
        );
        return Err(Error::invalid(Subject::Timestamp, text));
    }
    inner.oracle.advance_past(wanted);
    // Everything queued before this is applied when it runs, and everything later gets a greater timestamp.
    let reached = inner.committer.run(|ts| ts)?;
    Ok(if matches!(read_at, ReadAt::Snapshot(_)) { wanted } else { reached })
}

fn bounded(inner: &Inner) -> u64 {
    ts::from_ms(ts::to_ms(inner.oracle.now()).saturating_sub(inner.settings.graceful_ms))
}
