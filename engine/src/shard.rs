//! The segments of one collection: where writes are applied in log order and what readers pin.

use crate::beside::Beside;
use crate::error::{Error, Result, Subject};
use crate::wal::Lsn;
use elanus_segment::{Batch, Growing, Keys, Merged, Schema, Sealed, View};
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::catalog::SegmentRecord;
use crate::commit::Progress;

/// Rows in memory that still take writes, or wait to be sealed.
#[derive(Debug)]
pub(crate) struct GrowingSegment {
    pub(crate) id: i64,
    pub(crate) partition_id: i64,
    pub(crate) data: Growing,
    /// Indexes over the rows, as far as they are searched.
    pub(crate) beside: Arc<Beside>,
    /// First log record with a row of this segment; the log is kept from there. `Lsn::MAX`: no row yet.
    first_lsn: AtomicU64,
}

/// Rows in immutable files.
#[derive(Debug)]
pub(crate) struct SealedSegment {
    pub(crate) id: i64,
    pub(crate) partition_id: i64,
    pub(crate) data: Sealed,
    /// The tombstones that it was opened with hold every delete up to then.
    deletes_ts: u64,
    /// Whether tombstones were added that no object holds.
    pub(crate) dirty: AtomicBool,
    pub(crate) record: Mutex<SegmentRecord>,
    /// The indexes of the growing segment that this one was made from, until it has its own.
    beside: RwLock<Option<Arc<Beside>>>,
}

#[derive(Debug)]
struct Partition {
    growing: Arc<GrowingSegment>,
    sealing: Vec<Arc<GrowingSegment>>,
    sealed: Vec<Arc<SealedSegment>>,
}

/// How far the database was when tombstones were taken to be saved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frozen {
    /// First log record whose deletes they may lack.
    pub(crate) lsn: Lsn,
    /// They hold every delete up to this timestamp.
    pub(crate) ts: u64,
}

impl Frozen {
    /// For a caller that keeps writers out.
    fn now(progress: &Progress) -> Self {
        let ts = progress.applied_ts.load(Ordering::SeqCst);
        Self { lsn: progress.applied_lsn.load(Ordering::SeqCst) + 1, ts }
    }
}

/// A segment with deletes that no object holds, as they were at one moment.
pub(crate) type Dirty = (Arc<SealedSegment>, View);

/// A segment as a reader pins it.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    pub(crate) view: View,
    /// Where a search finds an index in memory.
    pub(crate) beside: Option<Arc<Beside>>,
}

/// Size of growing data at which it is sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealPolicy {
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) backlog: usize,
}

/// The segments of one collection.
#[derive(Debug)]
pub(crate) struct Shard {
    schema: Arc<Schema>,
    policy: SealPolicy,
    partitions: RwLock<BTreeMap<i64, Partition>>,
    /// First log record with a delete that no tombstone object holds.
    dirty_lsn: Mutex<Option<Lsn>>,
    room: Condvar,
    sealing_count: Mutex<usize>,
    /// Rows deleted until then may be gone for good.
    purged_ts: AtomicU64,
}

impl GrowingSegment {
    fn new(id: i64, partition_id: i64, schema: &Arc<Schema>) -> Arc<Self> {
        let (data, beside) = (Growing::new(Arc::clone(schema)), Beside::new(schema.fields.len()));
        Arc::new(Self { id, partition_id, data, beside, first_lsn: AtomicU64::new(Lsn::MAX) })
    }

    fn pin(&self) -> Pinned {
        Pinned { view: self.data.view(), beside: Some(Arc::clone(&self.beside)) }
    }

    /// Bytes of rows and indexes, about.
    fn size_bytes(&self) -> u64 {
        self.data.size_bytes() as u64 + self.beside.footprint_bytes()
    }

    fn append(&self, batch: Batch, ts: u64, lsn: Lsn) {
        // Before the rows: whoever computes how far the log may be cut never misses them.
        self.first_lsn.fetch_min(lsn, Ordering::SeqCst);
        self.data.append(batch, ts);
    }
}

impl SealedSegment {
    /// An opened segment that its record describes.
    pub(crate) fn new(data: Sealed, record: SegmentRecord) -> Arc<Self> {
        Arc::new(Self {
            id: record.id,
            partition_id: record.partition_id,
            data,
            deletes_ts: record.deletes_ts,
            dirty: AtomicBool::new(false),
            record: Mutex::new(record),
            beside: RwLock::default(),
        })
    }

    /// Drops the index in memory of a field, or of all if `None`.
    pub(crate) fn drop_beside(&self, position: Option<usize>) {
        let mut beside = self.beside.write();
        if let Some(indexes) = &*beside {
            indexes.drop_index(position);
        }
        if beside.as_ref().is_some_and(|indexes| !indexes.has_any()) {
            *beside = None;
        }
    }

    fn pin(&self) -> Pinned {
        Pinned { view: self.data.view(), beside: self.beside.read().clone() }
    }
}

impl Shard {
    pub(crate) fn new(schema: Arc<Schema>, policy: SealPolicy) -> Self {
        Self {
            schema,
            policy,
            partitions: RwLock::new(BTreeMap::new()),
            dirty_lsn: Mutex::new(None),
            room: Condvar::new(),
            sealing_count: Mutex::new(0),
            purged_ts: AtomicU64::new(0),
        }
    }

    /// Adds a partition whose growing segment gets the id `growing_id`.
    pub(crate) fn add_partition(&self, id: i64, growing_id: i64, sealed: Vec<Arc<SealedSegment>>) {
        let growing = GrowingSegment::new(growing_id, id, &self.schema);
        self.partitions.write().insert(id, Partition { growing, sealing: Vec::new(), sealed });
    }

    /// Forgets a partition; pinned readers keep what they have.
    pub(crate) fn remove_partition(&self, id: i64) -> Vec<Arc<SealedSegment>> {
        self.stop_growing(Some(id));
        let removed = self.partitions.write().remove(&id);
        self.count_sealing();
        removed.map_or_else(Vec::new, |partition| partition.sealed)
    }

    /// Drops every row of every partition and returns the sealed segments that are gone.
    pub(crate) fn clear(&self, mut next_id: impl FnMut() -> i64) -> Vec<Arc<SealedSegment>> {
        let mut gone = Vec::new();
        for (&id, partition) in self.partitions.write().iter_mut() {
            partition.growing = GrowingSegment::new(next_id(), id, &self.schema);
            partition.sealing.clear();
            gone.append(&mut partition.sealed);
        }
        *self.dirty_lsn.lock() = None;
        self.count_sealing();
        gone
    }

    /// Appends rows; returns whether the growing segment is full now.
    pub(crate) fn insert(&self, partition: i64, batch: Batch, ts: u64, lsn: Lsn) -> Result<bool> {
        let partitions = self.partitions.read();
        let growing = match partitions.get(&partition) {
            Some(partition) => Arc::clone(&partition.growing),
            None => return Err(Error::not_found(Subject::Partition, "the partition was dropped during the write")),
        };
        growing.append(batch, ts, lsn);
        Ok(growing.size_bytes() >= self.policy.bytes || growing.data.len() as u64 >= self.policy.rows)
    }

    /// Deletes the rows with those keys that were inserted before `ts`; returns how many there were.
    pub(crate) fn delete(&self, partition: Option<i64>, keys: &Keys, ts: u64, lsn: Lsn) -> u64 {
        let partitions = self.partitions.read();
        let mut count = 0;
        let wanted = partitions.iter().filter(|(id, _)| partition.is_none_or(|wanted| wanted == **id));
        for (_, partition) in wanted {
            for growing in partition.sealing.iter().chain([&partition.growing]) {
                count += growing.data.delete(keys, ts) as u64;
            }
            // What the saved tombstones hold already need not be looked for when the log is replayed.
            for sealed in partition.sealed.iter().filter(|one| ts > one.deletes_ts) {
                let deleted = sealed.data.delete(keys, ts) as u64;
                if deleted > 0 {
                    sealed.dirty.store(true, Ordering::SeqCst);
                    self.dirty_lsn.lock().get_or_insert(lsn);
                }
                count += deleted;
            }
        }
        count
    }

    /// Sets the growing data of a partition (of all, if `None`) aside to be sealed; returns the ids set aside.
    pub(crate) fn rotate(&self, partition: Option<i64>, mut next_id: impl FnMut() -> i64) -> Vec<i64> {
        let mut rotated = Vec::new();
        for (&id, slot) in self.partitions.write().iter_mut() {
            if partition.is_none_or(|wanted| wanted == id) && !slot.growing.data.is_empty() {
                let fresh = GrowingSegment::new(next_id(), id, &self.schema);
                let full = std::mem::replace(&mut slot.growing, fresh);
                full.beside.cancel.cancel();
                rotated.push(full.id);
                slot.sealing.push(full);
            }
        }
        self.count_sealing();
        rotated
    }

    /// Ends what indexes in memory of a partition (of all, if `None`) do in the background.
    pub(crate) fn stop_growing(&self, partition: Option<i64>) {
        let partitions = self.partitions.read();
        let wanted = partitions.iter().filter(|(id, _)| partition.is_none_or(|wanted| wanted == **id));
        let growing = wanted.flat_map(|(_, partition)| partition.sealing.iter().chain([&partition.growing]));
        growing.for_each(|one| one.beside.cancel.cancel());
    }

    /// The oldest segment that waits to be sealed.
    pub(crate) fn next_to_seal(&self) -> Option<Arc<GrowingSegment>> {
        let partitions = self.partitions.read();
        partitions.values().filter_map(|partition| partition.sealing.first()).min_by_key(|one| one.id).cloned()
    }

    /// Whether that segment still waits to be sealed.
    pub(crate) fn is_sealing(&self, growing: &GrowingSegment) -> bool {
        let partitions = self.partitions.read();
        partitions.get(&growing.partition_id).is_some_and(|one| one.sealing.iter().any(|one| one.id == growing.id))
    }

    /// The segment's tombstones with the first log record that they may lack.
    pub(crate) fn freeze(&self, growing: &GrowingSegment, progress: &Progress) -> (View, Frozen) {
        let _writers_wait = self.partitions.write();
        (growing.data.view(), Frozen::now(progress))
    }

    /// Puts a sealed segment in the place of the growing one it was made from, with the tombstones of this moment.
    /// `frozen` is what `freeze` returned when the saved tombstones were taken.
    pub(crate) fn replace(&self, growing: &GrowingSegment, sealed: Arc<SealedSegment>, frozen: (&View, Frozen)) {
        let mut partitions = self.partitions.write();
        let Some(partition) = partitions.get_mut(&growing.partition_id) else { return };
        let now = growing.data.view();
        if now.tombstones().len() != frozen.0.tombstones().len() {
            sealed.dirty.store(true, Ordering::SeqCst);
            let mut dirty = self.dirty_lsn.lock();
            *dirty = Some(dirty.unwrap_or(Lsn::MAX).min(frozen.1.lsn));
        }
        sealed.data.set_tombstones(Arc::clone(now.tombstones())).expect("sealing keeps the row numbers");
        partition.sealing.retain(|one| one.id != growing.id);
        // Where saved indexes are long in coming, the memory of those that stand in for them is bounded.
        let standing_in = partition.sealed.iter().filter(|one| one.beside.read().is_some()).count();
        if growing.beside.has_any() && standing_in < self.policy.backlog {
            *sealed.beside.write() = Some(Arc::clone(&growing.beside));
        }
        partition.sealed.push(sealed);
        drop(partitions);
        self.count_sealing();
    }

    /// The views of sealed segments with the first log record that they may lack.
    pub(crate) fn pin_sealed(&self, segments: &[Arc<SealedSegment>], progress: &Progress) -> (Vec<View>, Frozen) {
        let _writers_wait = self.partitions.write();
        (segments.iter().map(|one| one.data.view()).collect(), Frozen::now(progress))
    }

    /// Puts one merged segment (or none, if no row was left) in the place of several, carrying over the deletes
    /// that came after the merge, from log record `lsn` on.
    pub(crate) fn replace_merged(
        &self,
        partition: i64,
        sources: &[Arc<SealedSegment>],
        merged: Option<(Arc<SealedSegment>, &Merged)>,
        (lsn, horizon): (Lsn, u64),
    ) {
        let mut partitions = self.partitions.write();
        let Some(partition) = partitions.get_mut(&partition) else { return };
        if let Some((segment, rows)) = &merged {
            let now: Vec<View> = sources.iter().map(|source| source.data.view()).collect();
            let carried = rows.carry(&now);
            if carried.len() != rows.tombstones.len() {
                segment.dirty.store(true, Ordering::SeqCst);
                let mut dirty = self.dirty_lsn.lock();
                *dirty = Some(dirty.unwrap_or(Lsn::MAX).min(lsn));
            }
            segment.data.set_tombstones(Arc::new(carried)).expect("the merge numbered these rows");
        }
        let merged = merged.map(|(segment, _)| segment);
        partition.sealed.retain(|one| !sources.iter().any(|source| source.id == one.id));
        partition.sealed.extend(merged);
        // Under the lock that readers pin under: who pinned before has the old segments.
        self.note_purged(horizon);
    }

    /// Has reads at older timestamps refused.
    pub(crate) fn note_purged(&self, horizon: u64) {
        self.purged_ts.fetch_max(horizon, Ordering::SeqCst);
    }

    /// Whether there is such a partition.
    pub(crate) fn has_partition(&self, id: i64) -> bool {
        self.partitions.read().contains_key(&id)
    }

    /// Reads at older timestamps may miss rows that were deleted until then.
    pub(crate) fn purged_ts(&self) -> u64 {
        self.purged_ts.load(Ordering::SeqCst)
    }

    /// Takes the first log record whose deletes no object holds, with the segments that they touched.
    pub(crate) fn take_dirty(&self, progress: &Progress) -> Option<(Lsn, Frozen, Vec<Dirty>)> {
        let partitions = self.partitions.write();
        let lsn = self.dirty_lsn.lock().take()?;
        let all = partitions.values().flat_map(|partition| &partition.sealed);
        let dirty = all.filter(|sealed| sealed.dirty.swap(false, Ordering::SeqCst));
        let dirty = dirty.map(|sealed| (Arc::clone(sealed), sealed.data.view())).collect();
        Some((lsn, Frozen::now(progress), dirty))
    }

    /// Gives back what `take_dirty` took, because it could not be saved.
    pub(crate) fn restore_dirty(&self, lsn: Lsn, segments: &[Dirty]) {
        segments.iter().for_each(|(sealed, _)| sealed.dirty.store(true, Ordering::SeqCst));
        let mut dirty = self.dirty_lsn.lock();
        *dirty = Some(dirty.unwrap_or(Lsn::MAX).min(lsn));
    }

    /// First log record that only the log holds; `Lsn::MAX` if there is none.
    pub(crate) fn first_needed_lsn(&self) -> Lsn {
        let partitions = self.partitions.read();
        let growing = partitions.values().flat_map(|partition| partition.sealing.iter().chain([&partition.growing]));
        let rows = growing.map(|one| one.first_lsn.load(Ordering::SeqCst)).min().unwrap_or(Lsn::MAX);
        rows.min(self.dirty_lsn.lock().unwrap_or(Lsn::MAX))
    }

    /// Pins the segments of those partitions (of all, if empty).
    pub(crate) fn pin(&self, partitions: &[i64], ignore_growing: bool) -> Vec<Pinned> {
        let mut pinned = Vec::new();
        for (id, partition) in self.partitions.read().iter() {
            if !partitions.is_empty() && !partitions.contains(id) {
                continue;
            }
            pinned.extend(partition.sealed.iter().map(|one| one.pin()));
            if !ignore_growing {
                let growing = partition.sealing.iter().chain([&partition.growing]).filter(|one| !one.data.is_empty());
                pinned.extend(growing.map(|one| one.pin()));
            }
        }
        pinned
    }

    /// The sealed segments of all partitions.
    pub(crate) fn sealed(&self) -> Vec<Arc<SealedSegment>> {
        self.partitions.read().values().flat_map(|partition| partition.sealed.iter().cloned()).collect()
    }

    /// The segments in memory; the flag marks those that wait to be sealed.
    pub(crate) fn growing(&self) -> Vec<(Arc<GrowingSegment>, bool)> {
        let partitions = self.partitions.read();
        let list = partitions.values().flat_map(|partition| {
            let sealing = partition.sealing.iter().map(|one| (Arc::clone(one), true));
            sealing.chain([(Arc::clone(&partition.growing), false)])
        });
        list.filter(|(one, _)| !one.data.is_empty()).collect()
    }

    /// Waits until no more segments wait to be sealed than the backlog allows; says whether that came within `limit`.
    pub(crate) fn has_room_within(&self, limit: Duration) -> bool {
        let mut count = self.sealing_count.lock();
        while *count > self.policy.backlog {
            if self.room.wait_for(&mut count, limit).timed_out() {
                return *count <= self.policy.backlog;
            }
        }
        true
    }

    fn count_sealing(&self) {
        // Counted while the counter is held, so that of two counts at a time the later one stays.
        let mut sealing = self.sealing_count.lock();
        *sealing = self.partitions.read().values().map(|partition| partition.sealing.len()).sum();
        self.room.notify_all();
    }
}
