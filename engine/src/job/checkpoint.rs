//! Checkpoints: tombstones are saved, then the log forgets what nothing needs any more.

use super::seal::save_tombstones;
use crate::error::Result;
use crate::inner::{CollectionState, Inner};
use crate::shard::{Frozen, SealedSegment};
use crate::wal::Lsn;
use elanus_segment::View;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Records of the log after which tombstones are saved although nothing else asks for it.
const RECORDS_MAX: u64 = 1 << 14;

/// Saves tombstones if the log is long, then cuts the log.
pub(crate) fn run(inner: &Inner) -> Result<()> {
    // Read before the shards: a record that is logged but not applied yet has a greater number.
    let applied = inner.progress.applied_lsn.load(Ordering::SeqCst);
    let states = super::collections(inner);
    let needed = |states: &[Arc<CollectionState>]| {
        states.iter().map(|state| state.shard.first_needed_lsn()).min().unwrap_or(Lsn::MAX).min(applied + 1)
    };
    let bytes = inner.wal.size_bytes();
    if bytes > inner.settings.checkpoint_wal_bytes || applied.saturating_sub(inner.wal.first()) > RECORDS_MAX {
        for state in &states {
            save_deletes(inner, state)?;
        }
    }
    let upto = needed(&states);
    if upto > inner.wal.first() {
        inner.catalog.note_log_end(applied + 1)?;
        inner.wal.truncate(upto).map_err(crate::commit::log_error)?;
    }
    Ok(())
}

/// Saves the tombstones of a collection's sealed segments.
pub(crate) fn save_deletes(inner: &Inner, state: &CollectionState) -> Result<()> {
    let Some((lsn, frozen, segments)) = state.shard.take_dirty(&inner.progress) else { return Ok(()) };
    let saved = segments.iter().try_for_each(|(segment, view)| save(inner, state, segment, view, frozen));
    if saved.is_err() && state.check_there().is_ok() {
        state.shard.restore_dirty(lsn, &segments);
        return saved;
    }
    Ok(())
}

fn save(
    inner: &Inner,
    state: &CollectionState,
    segment: &Arc<SealedSegment>,
    view: &View,
    frozen: Frozen,
) -> Result<()> {
    let object = save_tombstones(inner, state.id, segment.id, frozen.lsn, view.tombstones())?;
    let _changing = state.changing.lock();
    if !state.shard.sealed().iter().any(|one| one.id == segment.id) {
        // Merged or dropped meanwhile; the object is an orphan that goes with it.
        object.iter().for_each(|object| {
            let _ = inner.store.delete(object);
        });
        return Ok(());
    }
    let mut record = segment.record.lock().clone();
    let old = std::mem::replace(&mut record.tombstones, object);
    record.deletes_ts = frozen.ts;
    state.check_there()?;
    inner.catalog.commit(super::seal::put(&record))?;
    let unchanged = old == record.tombstones;
    *segment.record.lock() = record;
    if let (Some(old), false) = (old, unchanged) {
        inner.store.delete(&old).map_err(crate::store_error("old tombstones cannot be deleted"))?;
    }
    Ok(())
}
