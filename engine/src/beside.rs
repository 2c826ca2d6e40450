//! Indexes in memory beside rows that have no saved one yet: those of growing segments, and of just sealed ones.
//!
//! An index is made when a segment with rows enough is searched, so that loading without searching costs nothing. It is
//! fed from the segment in the background, row by row in the segment's order, so that ids are the same in both; it shares
//! the segment's vectors and keeps only codes and links. Rows that it does not have yet are compared one by one by the
//! search, which filters what its reader may not see.
//!
//! A row that was deleted some time ago is taken out of the index altogether. A reader of an older timestamp, or one that
//! took longer than that, notices by [`Companion::is_true_at`] and compares all rows instead.

use crate::catalog::IndexRecord;
use crate::error::{Error, Result, Subject};
use elanus_index::{
    BuildCx, BuildError, Cancel, GrowingIndex, GrowingLimits, HNSW, IndexFactory, ParamSet, SharedRows, Spec, Stage,
};
use elanus_kernels::AnyRows;
use elanus_segment::{Block, Field, View};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Rows that are taken in at a time, as far as they lie in blocks of fewer.
const FEED_ROWS: usize = 8_192;
/// How long after a search an index goes on to grow, in milliseconds.
const ASKED_MS: u64 = 30_000;
/// The graph begins at so many times the rows from which on there is an index: up to there, comparing codes takes no
/// longer.
const FLAT_PART: usize = 4;

/// The indexes of one segment, one for each vector field that is searched.
#[derive(Debug)]
pub(crate) struct Beside {
    /// By position in the schema.
    slots: Vec<Slot>,
    /// Ends what [`Companion::grow`] does; the indexes stay as they are then.
    pub(crate) cancel: Cancel,
}

#[derive(Debug, Default)]
struct Slot {
    /// When a search asked for it last, in milliseconds; 0: never.
    asked_ms: AtomicU64,
    companion: RwLock<Option<Arc<Companion>>>,
}

/// An index over the first rows of a segment.
pub(crate) struct Companion {
    /// The definition that it stands for.
    definition: i64,
    index: GrowingIndex,
    /// Rows deleted until then may have been taken out.
    gone_ts: AtomicU64,
    has_failed: AtomicBool,
}

/// A block of a segment as the index holds on to it.
struct Shared {
    block: Arc<dyn Block>,
    position: usize,
}

impl SharedRows for Shared {
    fn rows(&self) -> Option<AnyRows<'_>> {
        self.block.column(self.position).vectors()
    }
}

impl Beside {
    /// None, for a segment of so many fields.
    pub(crate) fn new(fields: usize) -> Arc<Self> {
        Arc::new(Self { slots: (0..fields).map(|_| Slot::default()).collect(), cancel: Cancel::new() })
    }

    /// The index of a field; none yet is asked for.
    pub(crate) fn ask(&self, position: usize, now_ms: u64) -> Option<Arc<Companion>> {
        let slot = self.slots.get(position)?;
        slot.asked_ms.store(now_ms.max(1), Ordering::Relaxed);
        slot.companion.read().clone()
    }

    /// Whether a search asked for the index of a field lately.
    pub(crate) fn is_asked(&self, position: usize, now_ms: u64) -> bool {
        let asked = self.slots.get(position).map_or(0, |slot| slot.asked_ms.load(Ordering::Relaxed));
        asked > 0 && now_ms <= asked.saturating_add(ASKED_MS)
    }

    /// The index of a field for a definition, made if there is none.
    pub(crate) fn make(
        &self,
        position: usize,
        field: &Field,
        definition: &IndexRecord,
        rows_min: usize,
    ) -> Result<Option<Arc<Companion>>> {
        let Some(slot) = self.slots.get(position) else { return Ok(None) };
        let known = slot.companion.read().clone().filter(|one| one.definition == definition.id);
        if known.is_some() {
            return Ok(known);
        }
        let made = Arc::new(Companion::new(field, definition, rows_min)?);
        *slot.companion.write() = Some(Arc::clone(&made));
        Ok(Some(made))
    }

    /// Drops the index of a field, or, where it is `None`, those of all.
    pub(crate) fn drop_index(&self, position: Option<usize>) {
        let slots = self.slots.iter().enumerate().filter(|(at, _)| position.is_none_or(|one| one == *at));
        slots.for_each(|(_, slot)| *slot.companion.write() = None);
    }

    /// Whether there is an index.
    pub(crate) fn has_any(&self) -> bool {
        self.slots.iter().any(|slot| slot.companion.read().is_some())
    }

    /// Bytes of all indexes; the vectors are the segment's.
    pub(crate) fn footprint_bytes(&self) -> u64 {
        self.slots.iter().filter_map(|slot| slot.companion.read().clone()).map(|one| one.index.footprint_bytes()).sum()
    }

    /// Has the indexes share the vectors of a sealed segment in place of those of the growing one that it was made from.
    pub(crate) fn settle(&self, sealed: &View) {
        self.cancel.cancel();
        for (position, slot) in self.slots.iter().enumerate() {
            let Some(companion) = slot.companion.read().clone() else { continue };
            if companion.share(sealed, position).is_err() {
                *slot.companion.write() = None;
            }
        }
    }
}

impl Companion {
    fn new(field: &Field, definition: &IndexRecord, rows_min: usize) -> Result<Self> {
        let factory = elanus_index::find(&definition.index_type)
            .ok_or_else(|| Error::internal(format!("index type {} is gone", definition.index_type)))?;
        let wanted = crate::index_spec(factory, field, definition)?;
        // Types of other parameters get those that AUTOINDEX builds graphs with.
        let given = [("M", 18), ("efConstruction", 240)].into_iter().map(|(name, or)| {
            let value = wanted.params().get_int(name).unwrap_or(or);
            (name.to_owned(), value.to_string())
        });
        let failed = |text: String| Error::internal(format!("no index for growing rows of {}: {text}", field.name));
        let spec = Spec::new(&HNSW, wanted.element(), wanted.dim(), wanted.metric(), given.collect())
            .map_err(|error| failed(error.to_string()))?;
        let limits = GrowingLimits { flat_rows: rows_min.saturating_mul(FLAT_PART), ..GrowingLimits::default() };
        let index = GrowingIndex::new(&spec, limits).map_err(|error| failed(error.to_string()))?;
        let (gone_ts, has_failed) = Default::default();
        Ok(Self { definition: definition.id, index, gone_ts, has_failed })
    }

    /// The index; it may have more rows than a view that was pinned before.
    pub(crate) fn index(&self) -> &GrowingIndex {
        &self.index
    }

    /// Whether every row that a reader at `ts` sees is still in the index, if it ever was. To be asked before a search
    /// and after it: rows may be taken out meanwhile.
    pub(crate) fn is_true_at(&self, ts: u64) -> bool {
        // Whoever found a row missing reads the number that was written before it was taken out.
        fence(Ordering::SeqCst);
        ts >= self.gone_ts.load(Ordering::SeqCst)
    }

    /// Takes in rows of the segment that are not in the index yet; says whether there were any.
    ///
    /// # Errors
    /// When there are more than an index may have.
    pub(crate) fn feed(&self, view: &View, position: usize) -> Result<bool> {
        let is_behind = view.rows() > self.index.len();
        if is_behind {
            self.share(view, position)?;
        }
        Ok(is_behind)
    }

    /// Has the index share the vectors of a view, whose first rows are its own.
    fn share(&self, view: &View, position: usize) -> Result<()> {
        let share = |block: &Arc<dyn Block>| Arc::new(Shared { block: Arc::clone(block), position }) as _;
        let blocks: Vec<Arc<dyn SharedRows>> = view.blocks().iter().map(share).collect();
        let mut taken = self.index.len();
        for (count, block) in (1..).zip(view.blocks()) {
            let end = block.start() as usize + block.len();
            if count == blocks.len() || end >= taken + FEED_ROWS {
                let had = taken;
                taken = self.index.share(&blocks[..count]).map_err(|error| self.fail(error))?;
                self.drop_absent(view, position, had..end);
            }
        }
        Ok(())
    }

    /// Rows without a vector are not for the graph.
    fn drop_absent(&self, view: &View, position: usize, rows: std::ops::Range<usize>) {
        for block in view.blocks() {
            let Some(validity) = block.column(position).validity else { continue };
            let start = block.start() as usize;
            let inside = rows.start.max(start)..rows.end.min(start + block.len());
            for row in inside.filter(|row| !validity.get(row - start)) {
                self.index.remove(row as u32);
            }
        }
    }

    /// Takes out rows that were deleted at or before `ts`. Readers of before then are told by
    /// [`Companion::is_true_at`].
    pub(crate) fn forget(&self, view: &View, ts: u64) {
        let gone = self.gone_ts.load(Ordering::SeqCst);
        let tombstones = view.tombstones();
        if tombstones.deleted_count_at(ts) == tombstones.deleted_count_at(gone) {
            return;
        }
        let len = self.index.len();
        // Rows deleted before that are not in the index yet stay to the filter.
        let dead: Vec<u32> =
            tombstones.iter().filter(|(row, at)| *at <= ts && (*row as usize) < len).map(|(row, _)| row).collect();
        // Before the first row goes: whoever still finds none of them missing has read the older number.
        self.gone_ts.store(ts, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        for row in dead {
            self.index.remove(row);
        }
    }

    /// Has the graph grow by one batch; says whether there was anything to do.
    ///
    /// # Errors
    /// When it was cancelled, or cannot be done at all.
    pub(crate) fn grow(&self, pool: &rayon::ThreadPool, cancel: &Cancel) -> Result<bool> {
        let cx = BuildCx {
            pool: Some(pool),
            seed: self.definition.unsigned_abs(),
            cancel,
            progress: &elanus_index::no_progress,
            device: None,
        };
        self.index.grow_once(&cx).map_err(|error| self.fail(error))
    }

    /// Whether it can no longer be fed; what it has stays right.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    fn fail(&self, source: BuildError) -> Error {
        if matches!(source, BuildError::Cancelled) {
            return Error::cancelled("the index of growing rows is no longer wanted");
        }
        self.has_failed.store(true, Ordering::Relaxed);
        Error::internal("growing rows are compared one by one").with_source(source)
    }

    /// The search parameters that stand for those of the definition's type.
    ///
    /// # Errors
    /// `InvalidArgument` where they do not go together.
    pub(crate) fn params(&self, of: &ParamSet, k: usize) -> Result<ParamSet> {
        let width = of.get_int("ef").or_else(|| of.get_int("search_list"));
        let recall = of.get_float("recall").map(|recall| ("recall".to_owned(), recall.to_string()));
        // Fewer candidates than hits are an error of a saved index, and were none of rows that are compared.
        let width = width.map(|width| ("ef".to_owned(), width.max(k as i64).to_string()));
        elanus_index::parse(HNSW.params(), Stage::Search, &recall.or(width).into_iter().collect::<Vec<_>>())
            .map_err(|source| Error::invalid(Subject::IndexParameter, "invalid search parameter").with_source(source))
    }
}

impl std::fmt::Debug for Companion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Companion").field("index", &self.index.describe()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
