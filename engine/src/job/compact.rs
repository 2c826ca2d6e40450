//! Compaction: segments with many deleted rows, and small ones, are merged into one without the deleted rows.

use super::index::{Make, build_one};
use super::seal::{discard, last_ts, object_name, save_tombstones};
use crate::catalog::SegmentRecord;
use crate::error::{Error, Result};
use crate::inner::{Build, CollectionState, Inner};
use crate::recover::open_sealed;
use crate::shard::SealedSegment;
use crate::ts;
use elanus_index::{BuildError, Index, MergePart};
use elanus_segment::{Merged, Sealed, View, merge};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Part of deleted rows from which a segment is rewritten by itself.
const DELETED_PART: f64 = 0.2;
/// Small segments from which on they are merged.
const SMALL_COUNT: usize = 4;
/// Segments merged into one at a time: what was merged stays merged, however soon the process ends.
const MERGE_COUNT_MAX: usize = 16;
/// A segment below this part of the sealing size is small.
const SMALL_PART: u64 = 4;
/// Compactions remembered.
const REMEMBERED_MAX: usize = 1_000;

/// What became of a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionInfo {
    /// Whether it still runs.
    pub executing: bool,
    /// Merges begun.
    pub total: u64,
    /// Merges done.
    pub completed: u64,
    /// Merges that failed; the segments stay as they were.
    pub failed: u64,
}

impl super::Jobs {
    /// Asks for a compaction of a collection now.
    pub(crate) fn compact(&self, collection: i64, job: i64) {
        let mut board = self.board.lock();
        while board.compactions.len() >= REMEMBERED_MAX {
            board.compactions.pop_first();
        }
        let info = CompactionInfo { executing: true, total: 0, completed: 0, failed: 0 };
        board.compactions.insert(job, info);
        board.compact_now.push((collection, job));
        drop(board);
        self.wake();
    }

    /// What became of it.
    pub(crate) fn compaction(&self, job: i64) -> Option<CompactionInfo> {
        self.board.lock().compactions.get(&job).copied()
    }

    fn finish(&self, job: i64, info: CompactionInfo) {
        self.board.lock().compactions.insert(job, info);
    }
}

/// Does what was asked for, then what the state of the segments asks for.
pub(crate) fn round(inner: &Inner) {
    let asked = std::mem::take(&mut inner.jobs.board.lock().compact_now);
    for (collection, job) in asked {
        let state = inner.registry.read().collections.get(&collection).cloned();
        let mut info = CompactionInfo { executing: false, total: 0, completed: 0, failed: 0 };
        for group in state.iter().flat_map(|state| plan(inner, state, true)) {
            let (Some(state), false) = (&state, inner.jobs.is_stopping()) else { break };
            info.total += 1;
            if merge(inner, state, &group) { info.completed += 1 } else { info.failed += 1 }
        }
        inner.jobs.finish(job, info);
    }
    for state in super::collections(inner) {
        for group in plan(inner, &state, false) {
            if inner.jobs.is_stopping() || !inner.jobs.merging.is_over(now_ms(inner)) {
                return;
            }
            merge(inner, &state, &group);
        }
    }
}

fn now_ms(inner: &Inner) -> u64 {
    ts::to_ms(inner.oracle.now())
}

/// Merges segments; says whether it was done.
fn merge(inner: &Inner, state: &CollectionState, group: &[Arc<SealedSegment>]) -> bool {
    match run(inner, state, group) {
        Ok(()) => {
            inner.jobs.merging.succeeded();
            true
        }
        Err(error) => {
            inner.jobs.merging.failed(now_ms(inner));
            tracing::error!(collection = state.record().name, %error, "segments could not be merged");
            false
        }
    }
}

/// Rows deleted before this may go for good; younger ones can still be read at older timestamps.
fn horizon(inner: &Inner) -> u64 {
    let applied = inner.progress.applied_ts.load(Ordering::SeqCst);
    ts::from_ms(ts::to_ms(inner.oracle.now()).saturating_sub(inner.settings.retention_ms)).min(applied)
}

/// Groups of segments of one partition that are to become one each. On request any deleted row suffices.
fn plan(inner: &Inner, state: &CollectionState, asked: bool) -> Vec<Vec<Arc<SealedSegment>>> {
    let horizon = horizon(inner);
    let mut partitions: BTreeMap<i64, Vec<Arc<SealedSegment>>> = BTreeMap::new();
    for segment in state.shard.sealed() {
        partitions.entry(segment.partition_id).or_default().push(segment);
    }
    let mut groups = Vec::new();
    for segments in partitions.into_values() {
        let size = |segment: &Arc<SealedSegment>| segment.data.size_bytes();
        let (mut small, large): (Vec<_>, Vec<_>) =
            segments.into_iter().partition(|one| size(one) < inner.settings.seal_bytes / SMALL_PART);
        // The smallest with each other first: what is quickly done makes most room.
        small.sort_by_key(|one| (size(one), one.id));
        if small.len() >= if asked { 2 } else { SMALL_COUNT } {
            groups.extend(fill(small, inner.settings.seal_bytes, size));
        } else {
            groups.extend(small.into_iter().filter(|one| is_worth_it(one, horizon, asked)).map(|one| vec![one]));
        }
        groups.extend(large.into_iter().filter(|one| is_worth_it(one, horizon, asked)).map(|one| vec![one]));
    }
    groups
}

/// Cuts segments into groups no larger than `limit` bytes; a group of one is left out.
fn fill(
    segments: Vec<Arc<SealedSegment>>,
    limit: u64,
    size: impl Fn(&Arc<SealedSegment>) -> u64,
) -> Vec<Vec<Arc<SealedSegment>>> {
    let mut groups: Vec<Vec<Arc<SealedSegment>>> = Vec::new();
    let mut room = 0;
    for segment in segments {
        let bytes = size(&segment);
        if bytes > room || groups.last().is_none_or(|group| group.len() >= MERGE_COUNT_MAX) {
            groups.push(Vec::new());
            room = limit;
        }
        room = room.saturating_sub(bytes);
        if let Some(group) = groups.last_mut() {
            group.push(segment);
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn is_worth_it(segment: &SealedSegment, horizon: u64, asked: bool) -> bool {
    let view = segment.data.view();
    let gone = view.tombstones().deleted_count_at(horizon) as f64;
    if asked { gone > 0.0 } else { gone >= DELETED_PART * (view.rows().max(1) as f64) }
}

fn run(inner: &Inner, state: &CollectionState, sources: &[Arc<SealedSegment>]) -> Result<()> {
    let mut saved = Vec::new();
    let prepared = prepare(inner, state, sources, &mut saved);
    if !matches!(prepared, Ok(Some(_))) {
        saved.iter().for_each(|object| discard(inner, object));
    }
    match prepared? {
        Some(prepared) => publish(inner, state, sources, prepared),
        None => Ok(()),
    }
}

/// A merged segment that no record names yet.
struct Prepared {
    data: Sealed,
    record: SegmentRecord,
    merged: Merged,
    /// First log record that the merge may lack.
    lsn: u64,
    horizon: u64,
}

/// Writes the merged rows with their tombstones and indexes; `saved` names every object written. `None` if there is
/// nothing to merge.
fn prepare(
    inner: &Inner,
    state: &CollectionState,
    sources: &[Arc<SealedSegment>],
    saved: &mut Vec<String>,
) -> Result<Option<Prepared>> {
    let Some(partition_id) = sources.first().map(|one| one.partition_id) else { return Ok(None) };
    let (seen, frozen) = state.shard.pin_sealed(sources, &inner.progress);
    let horizon = horizon(inner);
    let id = inner.next_id();
    let object = object_name(state.id, id, "data");
    let mut outcome = None;
    let size_bytes = inner
        .store
        .put(&object, &mut |out| {
            let merged = merge::write(&seen, &state.schema, horizon, out);
            outcome = Some(merged.map_err(|error| io::Error::other(error.to_string()))?);
            Ok(())
        })
        .map_err(crate::store_error("merged segments cannot be written"))?;
    saved.push(object.clone());
    let merged = outcome.ok_or_else(|| Error::internal("the merge wrote nothing"))?;
    let data = open_sealed(inner.store.as_ref(), &object, &state.schema)?;
    let tombstones = save_tombstones(inner, state.id, id, frozen.lsn, &merged.tombstones)?;
    saved.extend(tombstones.clone());
    let mut record = SegmentRecord {
        id,
        collection_id: state.id,
        partition_id,
        data: object,
        row_count: data.rows() as u64,
        size_bytes,
        last_ts: last_ts(&data.view()),
        tombstones,
        deletes_ts: frozen.ts,
        indexes: Vec::new(),
    };
    if data.rows() > 0 {
        // Built before the segment is shown, so that no search falls back to a scan.
        build_indexes(inner, state, &data, (&seen, &merged), &mut record, saved)?;
    }
    Ok(Some(Prepared { data, record, merged, lsn: frozen.lsn, horizon }))
}

/// Makes an index of those of the merged segments where that can be done and pays, else of the rows alone.
fn make_from(
    inner: &Inner,
    (views, merged): (&[View], &Merged),
    make: Make<'_>,
) -> std::result::Result<Box<dyn Index>, BuildError> {
    let row = |view: usize| move |row: u32| merged.row(view, row);
    let maps: Vec<_> = (0..views.len()).map(row).collect();
    let indexes = views.iter().zip(&maps).filter_map(|(view, row)| Some((view.index(make.position)?, row)));
    let parts: Vec<MergePart<'_>> = indexes.map(|(index, row)| MergePart { index: &**index, row }).collect();
    let whole = make.spec.factory().merge(make.spec, &parts, make.rows, make.present, make.cx)?;
    let Some(index) = whole else { return make.build() };
    inner.jobs.indexes_merged.fetch_add(1, Ordering::Relaxed);
    Ok(index)
}

/// Every index that the collection defines, over the rows of a merged segment.
fn build_indexes(
    inner: &Inner,
    state: &CollectionState,
    data: &Sealed,
    sources: (&[View], &Merged),
    record: &mut SegmentRecord,
    saved: &mut Vec<String>,
) -> Result<()> {
    let collection = state.record();
    for definition in collection.indexes.iter().filter(|one| !one.metric.is_empty()) {
        let build = Build::default();
        let key = (record.id, definition.id);
        // Entered so that dropping the index, or closing, cancels it.
        state.builds.lock().insert(key, build.clone());
        let segment = (data, record.id);
        let built = build_one(inner, state, segment, definition, &build, |make| make_from(inner, sources, make));
        state.builds.lock().remove(&key);
        let built = built?;
        saved.push(built.entry.object.clone());
        data.attach_index(built.position, built.index)
            .map_err(|source| Error::internal("an index does not fit the merged segment").with_source(source))?;
        record.indexes.push(built.entry);
    }
    Ok(())
}

/// Records the merged segment in the place of its sources, unless one of them or an index is gone meanwhile.
fn publish(inner: &Inner, state: &CollectionState, sources: &[Arc<SealedSegment>], prepared: Prepared) -> Result<()> {
    let Prepared { data, record, merged, lsn, horizon } = prepared;
    let _changing = state.changing.lock();
    let current = state.shard.sealed();
    let indexes = &state.record().indexes;
    let dropped = record.indexes.iter().any(|built| !indexes.iter().any(|one| one.id == built.index_id));
    let gone = !sources.iter().all(|source| current.iter().any(|one| one.id == source.id));
    if state.check_there().is_err() || dropped || gone {
        inner.jobs.discard(std::iter::once(record));
        return Ok(());
    }
    let empty = data.rows() == 0;
    // A commit that failed may have happened: no object is removed, and the next start removes those not named.
    state.update_locked(&inner.catalog, |collection, mut change| {
        for source in sources {
            change = change.delete_segment(&source.record.lock());
        }
        for partition in collection.partitions.iter_mut().filter(|one| one.id == record.partition_id) {
            partition.purged_ts = partition.purged_ts.max(horizon);
        }
        Ok(if empty { change } else { change.put_segment(&record) })
    })?;
    let segment = (!empty).then(|| (SealedSegment::new(data, record.clone()), &merged));
    state.shard.replace_merged(record.partition_id, sources, segment, (lsn, horizon));
    let old: Vec<_> = sources.iter().map(|source| source.record.lock().clone()).collect();
    inner.jobs.discard(old.into_iter().chain(empty.then_some(record)));
    Ok(())
}

#[cfg(test)]
mod tests;
