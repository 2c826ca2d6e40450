//! An index that changes: rows are appended and removed while searches run.
//!
//! # How an engine uses it
//! One [`GrowingIndex`] stands beside a growing segment, for one vector field. It is given the vectors in the order of
//! the segment's rows, so that an id here is the row's id there: by [`GrowingIndex::append`], which copies them, so that
//! the segment need not keep them (they are handed out by [`GrowingIndex::with_rows`]), or by [`GrowingIndex::share`],
//! which holds on to those of the segment. That may be done by the write path or some time later; until then the segment
//! compares its newest rows itself. A row without a vector is appended as NaN, or zeros and then removed.
//! [`GrowingIndex::remove`] is called once no reader may see a deleted row any more; rows that only some readers may see
//! are left to the filter of each search. A background job calls [`GrowingIndex::grow`] with the threads it has, or
//! [`GrowingIndex::grow_once`] where it has other things to do between; nothing is wrong while it does not, only slower.
//! Ids are never used again: room is won back when the segment is sealed, which is to build an index over the rows that
//! are left and to drop this one.
//!
//! # Who waits for whom
//! A search takes a pointer to the newest state and works on that. It waits for nothing but the exchange of that
//! pointer, which is the copying of a few pointers under a lock. Rows and codes lie in pieces that never change;
//! links and the marks of removed rows are atomic numbers that are replaced in place, so that a walk sees links as they
//! are or as they were. Appends wait for each other and for the exchange of pointers, but not for [`GrowingIndex::grow`].

mod append;
mod entries;
mod flags;
mod insert;
mod links;
mod mend;
mod pieces;
mod prune;
mod search;
mod shared;
mod space;
mod view;
mod walk;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use elanus_kernels::{AnyRows, TopK, Vector, with_element};
use parking_lot::{Mutex, RwLock};

use self::flags::{Flag, Flags};
use self::insert::Works;
use self::pieces::Piece;
use self::search::Run;
pub use self::shared::SharedRows;
use self::space::Space;
use self::view::View;
use crate::graph::{MAX_NODE, Shape};
use crate::hnsw::{HNSW, Width, is_number, width};
use crate::{BuildCx, BuildError, IndexFactory, Scratch, Search, SearchError, Spec, Stats, check};

/// One in so many nodes of the graph is removed before what it leaves behind is mended.
const MEND_PART: usize = 8;
/// The graph changes by one in so many nodes before it is looked through for nodes that cannot be reached.
const CHECK_PART: usize = 4;

/// How a [`GrowingIndex`] grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrowingLimits {
    /// Rows at most, removed ones included.
    pub max_rows: usize,
    /// Up to so many rows there is no graph: comparing all codes takes no longer than a walk would.
    pub flat_rows: usize,
}

impl Default for GrowingLimits {
    fn default() -> Self {
        Self { max_rows: MAX_NODE as usize, flat_rows: 20_000 }
    }
}

/// What only one call of [`GrowingIndex::grow`] at a time works with.
#[derive(Default)]
struct Growth {
    works: Works,
    /// The square of the longest row so far, for IP.
    longest: f32,
    /// Nodes that were removed when the graph was mended last.
    mended: usize,
    /// Rows that entered or were patched since the graph was looked through.
    changed: usize,
}

/// Rows, their codes and a graph over them, all of which grow. It answers as HNSW does, with the keys of the vectors.
///
/// The same calls of [`GrowingIndex::append`], [`GrowingIndex::remove`] and [`GrowingIndex::grow`] in the same order,
/// with the same seed, lead to the same index on any number of threads.
pub struct GrowingIndex {
    spec: Spec,
    shape: Shape,
    limits: GrowingLimits,
    published: RwLock<Arc<View>>,
    /// Held while rows are taken in or codes joined.
    appends: Mutex<()>,
    growth: Mutex<Growth>,
    removed: AtomicUsize,
}

impl GrowingIndex {
    /// An index without rows. The spec is one of HNSW over `f32`, `f16`, `bf16` or `i8`.
    ///
    /// # Errors
    /// When the spec is of another index type, its vectors are not of numbers, more rows are to be allowed than there are
    /// ids, or no kernel can be had.
    pub fn new(spec: &Spec, limits: GrowingLimits) -> Result<Self, BuildError> {
        if spec.factory().name() != HNSW.name() {
            return Err(BuildError::Factory { want: HNSW.name(), got: spec.factory().name() });
        }
        if !is_number(spec.element(), spec.metric()) {
            return Err(BuildError::Element { want: elanus_kernels::ElementType::F32, got: spec.element() });
        }
        if limits.max_rows > MAX_NODE as usize {
            return Err(BuildError::TooManyRows { rows: limits.max_rows, max: MAX_NODE as usize });
        }
        check::kernel(spec.element(), spec.metric())?;
        append::codec(spec.metric(), vec![0.0; spec.dim()])?;
        let get = |name, or: i64| spec.params().get_int(name).unwrap_or(or) as usize;
        let shape = Shape { m: get("M", 30), ef_construction: get("efConstruction", 360) };
        let view = View {
            len: 0,
            rows: Arc::default(),
            flags: Flags::default(),
            apart: Arc::default(),
            codec: None,
            codes: Arc::default(),
            graph: insert::empty(shape),
        };
        Ok(Self {
            spec: spec.clone(),
            shape,
            limits,
            published: RwLock::new(Arc::new(view)),
            appends: Mutex::default(),
            growth: Mutex::default(),
            removed: AtomicUsize::new(0),
        })
    }

    /// What it was made from.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Rows, removed ones included: the next row's id.
    pub fn len(&self) -> usize {
        self.view().len as usize
    }

    /// Whether there never was a row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows that were not removed.
    pub fn live(&self) -> usize {
        // In this order: a row is appended before it is removed.
        let removed = self.removed.load(Ordering::Acquire);
        self.len().saturating_sub(removed)
    }

    /// Rows that are not in the graph and are compared one by one.
    pub fn pending(&self) -> usize {
        let view = self.view();
        (view.len - view.graph.nodes) as usize
    }

    /// Bytes of rows, codes, links and marks.
    pub fn footprint_bytes(&self) -> u64 {
        let view = self.view();
        let rows: usize = view.rows.iter().map(|piece| piece.size_bytes()).sum();
        let codes: usize = view.codes.iter().map(|piece| piece.size_bytes()).sum();
        let graph = view.graph.links.size_bytes() + view.graph.entries.size_bytes();
        (rows + codes + graph + view.flags.size_bytes() + view.apart.len() * 4) as u64
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        let Shape { m, ef_construction } = self.shape;
        let view = self.view();
        let codes = if view.codec.is_some() { "SQ8" } else { "vectors" };
        format!(
            "growing HNSW with M {m}, efConstruction {ef_construction} over {} rows of {}, {} of them in the graph, \
             compared by {codes}",
            self.live(),
            view.len,
            view.graph.nodes,
        )
    }

    /// Takes rows in and returns the id of the first; the others' follow. They are found by searches that begin after
    /// this returns. Rows that are not finite take up an id but are never found.
    ///
    /// # Errors
    /// When the rows do not fit the spec, or there would be more than are allowed; then none is taken in.
    pub fn append(&self, rows: AnyRows<'_>) -> Result<u32, BuildError> {
        self.check(rows)?;
        let _appends = self.appends.lock();
        let mut view = View::clone(&self.view());
        let first = view.len;
        self.check_room((first as usize).saturating_add(rows.len()))?;
        if rows.is_empty() {
            return Ok(first);
        }
        append::append(&self.spec, rows, &mut view)?;
        // The graph may be another one by now.
        self.publish(|now| View { graph: Arc::clone(&now.graph), ..view });
        Ok(first)
    }

    fn check(&self, rows: AnyRows<'_>) -> Result<(), BuildError> {
        if rows.element() != self.spec.element() {
            return Err(BuildError::Element { want: self.spec.element(), got: rows.element() });
        }
        if rows.dim() != self.spec.dim() {
            return Err(BuildError::Dim { want: self.spec.dim(), got: rows.dim() });
        }
        Ok(())
    }

    fn check_room(&self, total: usize) -> Result<(), BuildError> {
        let max = self.limits.max_rows;
        if total > max { Err(BuildError::TooManyRows { rows: total, max }) } else { Ok(()) }
    }

    /// Removes a row: searches that begin after this returns do not find it. Says whether it was there.
    pub fn remove(&self, id: u32) -> bool {
        let view = self.view();
        let is_new = id < view.len && view.flags.set(Flag::Removed, id);
        if is_new {
            self.removed.fetch_add(1, Ordering::Release);
        }
        is_new
    }

    /// Brings rows into the graph in batches, as far as there are enough of them, and mends what removed rows left
    /// behind; returns how many rows entered. Work that another call is doing is left to it.
    ///
    /// # Errors
    /// When it was cancelled: what was begun then has no effect, what was done has.
    pub fn grow(&self, cx: &BuildCx<'_>) -> Result<usize, BuildError> {
        // Not waited for: a thread of a pool that waits for this work may be given another call of it to do.
        let Some(mut growth) = self.growth.try_lock() else { return Ok(0) };
        let total = self.pending() as u64;
        let mut done = 0;
        loop {
            (cx.progress)(done as u64, total.max(done as u64));
            if cx.cancel.is_cancelled() {
                return Err(BuildError::Cancelled);
            }
            let Some(entered) = self.step(&mut growth, cx)? else { break };
            done += entered;
        }
        (cx.progress)(total.max(done as u64), total.max(done as u64));
        Ok(done)
    }

    /// Does one part of what [`GrowingIndex::grow`] does, a batch or what is to be mended, and says whether there was
    /// any. `cx.progress` is not told.
    ///
    /// # Errors
    /// As [`GrowingIndex::grow`].
    pub fn grow_once(&self, cx: &BuildCx<'_>) -> Result<bool, BuildError> {
        let Some(mut growth) = self.growth.try_lock() else { return Ok(false) };
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        Ok(self.step(&mut growth, cx)?.is_some())
    }

    /// How many rows entered the graph by the next step; `None` where there was nothing to do.
    fn step(&self, growth: &mut Growth, cx: &BuildCx<'_>) -> Result<Option<usize>, BuildError> {
        self.join_codes();
        let view = self.view();
        if self.mend(&view, growth, cx)? {
            return Ok(Some(0));
        }
        self.reach(growth, cx)?;
        let Some(range) = insert::due(&view, self.limits.flat_rows) else { return Ok(None) };
        let count = range.len();
        let Growth { works, longest, .. } = growth;
        let (grown, entered) = insert::insert(&view, range, self.shape, self.spec.metric(), longest, works, cx)?;
        growth.changed += entered;
        self.publish(|now| View { graph: Arc::new(grown), ..View::clone(now) });
        Ok(Some(count))
    }

    /// Mends the graph if enough of it was removed, and says whether it was.
    fn mend(&self, view: &View, growth: &mut Growth, cx: &BuildCx<'_>) -> Result<bool, BuildError> {
        let nodes = view.graph.nodes as usize;
        let dead = nodes - view.flags.count_coded(nodes);
        if (dead - growth.mended.min(dead)) * MEND_PART < (nodes - growth.mended.min(nodes)).max(1) {
            return Ok(false);
        }
        let space = Space { view, metric: self.spec.metric(), square: growth.longest };
        let grown = mend::mend(view, &space, &growth.works, cx)?;
        growth.mended = dead;
        growth.changed = nodes;
        self.publish(|now| View { graph: Arc::new(grown), ..View::clone(now) });
        Ok(true)
    }

    /// Looks for nodes that cannot be reached if the graph has changed enough.
    fn reach(&self, growth: &mut Growth, cx: &BuildCx<'_>) -> Result<(), BuildError> {
        let view = self.view();
        if growth.changed * CHECK_PART < view.graph.nodes as usize {
            return Ok(());
        }
        let space = Space { view: &view, metric: self.spec.metric(), square: growth.longest };
        mend::reach_all(&view, &space, &growth.works, cx)?;
        growth.changed = 0;
        Ok(())
    }

    fn join_codes(&self) {
        let Some((joined, end)) = append::join_codes(&self.view()) else { return };
        let _appends = self.appends.lock();
        let view = self.view();
        let mut codes = joined;
        let rest: Vec<_> = view.codes.iter().filter(|piece| piece.first() >= end).map(Arc::clone).collect();
        // An append may have joined the last of the pieces with what came after it: then it is left for another time.
        if rest.first().map_or(view.len, |piece| piece.first()) == end {
            codes.extend(rest);
            let codes = Arc::new(codes);
            self.publish(|now| View { codes, ..View::clone(now) });
        }
    }

    /// Calls `f` with all rows in order, removed ones included, in as many parts as they lie in.
    pub fn with_rows(&self, mut f: impl FnMut(AnyRows<'_>)) {
        for piece in self.view().rows.iter() {
            if let Some(rows) = piece.rows() {
                f(rows);
            }
        }
    }

    /// Adds to `out` the nearest rows to `query` that were not removed, pass the filter and lie in the key range.
    ///
    /// The filter has a bit for each of the first rows; rows after its end do not pass. Fewer than `k` rows come back
    /// only if fewer qualify.
    ///
    /// # Errors
    /// As [`crate::Index::search`].
    pub fn search(
        &self,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        let view = self.view();
        if query.element() != self.spec.element() {
            return Err(SearchError::Element { want: self.spec.element(), got: query.element() });
        }
        if query.dim() != self.spec.dim() {
            return Err(SearchError::Dim { want: self.spec.dim(), got: query.dim() });
        }
        let len = view.len as usize;
        if let Some(filter) = search.filter.filter(|filter| filter.len() > len) {
            return Err(SearchError::Filter { want: len, got: filter.len() });
        }
        if out.k() != search.k {
            return Err(SearchError::Holder { want: search.k, got: out.k() });
        }
        check::finite(query)?;
        let width = match width(search.params, search.k)? {
            Width::Of(width) => width,
            // Nothing was measured for a recall to be read from, so all are compared.
            Width::For(_) => len.max(1),
        };
        if search.cancel.is_cancelled() {
            return Err(SearchError::Cancelled);
        }
        if search.k == 0 || len == 0 {
            return Ok(Stats::default());
        }
        let metric = self.spec.metric();
        let has_removed = self.removed.load(Ordering::Acquire) > 0;
        with_element!(Vector, query, query => Run { view: &view, metric, query, search, width, has_removed }.answer(scratch, out))
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.published.read())
    }

    /// Exchanges the state for one made of it by `next`, which only copies pointers.
    fn publish(&self, next: impl FnOnce(&View) -> View) {
        let mut published = self.published.write();
        let next = Arc::new(next(&published));
        let old = std::mem::replace(&mut *published, next);
        drop(published);
        // What only the old state held is freed here, where no reader waits.
        drop(old);
    }
}

impl std::fmt::Debug for GrowingIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

#[cfg(test)]
mod tests;
