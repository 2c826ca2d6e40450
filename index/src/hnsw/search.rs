//! How a graph answers a search: by a plain walk, by a walk that admits only some rows, or by comparing all that match.

use elanus_kernels::scan::Keep;
use elanus_kernels::{BitmapView, Element, Kernel, Metric, Rows, TopK};

use super::{HnswIndex, width};
use crate::array::Array;
use crate::flat::{CancelScan, keep_of};
use crate::graph::walk::{Admission, End, Walk};
use crate::tier::rows::Lent;
use crate::{KeyRange, Scratch, Search, SearchError, Stats};

/// Where of a hundred nodes no more than these match a filter, the matching rows are compared one by one. Knowhere draws
/// the same line.
const SCAN_PERCENT: usize = 7;
/// Rows compared for each one expanded, as a rule: what a filtered walk is expected to cost.
const PER_HOP: usize = 8;
/// A walk with admission that compared half as many rows as match gives up, but not before this many.
const BUDGET_MIN: u64 = 512;

/// More than two ways to round a cosine differ by.
const COSINE_SLACK: f32 = 1e-6;

impl HnswIndex {
    /// Searches with checked arguments.
    pub(super) fn search_typed<E: Element>(
        &self,
        rows: Rows<'_, E>,
        query: &[E],
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        let width = width(search.params, search.k)?;
        if search.cancel.is_cancelled() {
            return Err(SearchError::Cancelled);
        }
        let (Some(graph), 1..) = (&self.graph, search.k) else { return Ok(Stats::default()) };
        let present = self.present.as_ref().map(|words: &Array<u64>| BitmapView::new(words.as_slice(), self.rows));
        let keep = keep_of(search.filter, 0, present);
        let matching = if search.filter.is_some() { keep.count(self.rows) } else { self.nodes };
        let mut stats = Stats::default();
        if !self.is_walkable(matching, width, search) {
            return exact(rows, query, self, keep, search, stats, out);
        }
        let bound = Lent::new(self.spec.metric(), rows.into(), self.norms.as_slice()).bind(query.into())?;
        let walk = Walk { tier: &*bound };
        scratch.found.clear();
        let start = walk.descend(graph, 0, scratch, &mut stats);
        let end = if search.filter.is_none() && search.range.is_all() {
            walk.best_first(graph.ground(), start, width, scratch, &mut stats);
            End::Done
        } else {
            let budget = (matching as u64 / 2).max(BUDGET_MIN);
            let range = loosened(search.range, self.spec.metric());
            let admission = Admission { keep, range, budget, cancel: search.cancel };
            walk.admitting(graph.ground(), start, width, admission, scratch, &mut stats)
        };
        // Below an open end of the range every matching row qualifies, but some may not be reached by any link.
        let is_short = search.range.upper == f32::INFINITY && scratch.found.len() < search.k.min(matching);
        match end {
            End::Cancelled => Err(SearchError::Cancelled),
            End::Spent => exact(rows, query, self, keep, search, stats, out),
            End::Done if is_short => exact(rows, query, self, keep, search, stats, out),
            End::Done => {
                let wanted = if search.range.is_all() { search.k } else { width };
                self.report(rows, query, search.range, wanted, scratch, out)?;
                Ok(stats)
            }
        }
    }

    /// Adds what a walk found to the answer, of the first `wanted` found what lies in the range.
    ///
    /// A cosine from stored norms is rounded a little otherwise than one from the vectors. The answer gives the latter,
    /// so that a row has one key however it was found, and a range may begin where another ended.
    fn report<E: Element>(
        &self,
        rows: Rows<'_, E>,
        query: &[E],
        range: KeyRange,
        wanted: usize,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<(), SearchError> {
        let Scratch { found, ids, keys, .. } = scratch;
        found.truncate(wanted);
        ids.clear();
        ids.extend(found.iter().map(|candidate| candidate.node()));
        keys.clear();
        keys.extend(found.iter().map(|candidate| candidate.key()));
        if self.spec.metric() == Metric::Cosine {
            Kernel::<E>::new(Metric::Cosine)?.gather(query, rows, ids, keys);
        }
        for (id, key) in ids.iter().zip(&*keys).filter(|(_, key)| range.contains(**key)) {
            out.push(*id, *key);
        }
        Ok(())
    }

    /// Whether walking the graph is expected to be less work than comparing all matching rows.
    fn is_walkable(&self, matching: usize, width: usize, search: &Search<'_>) -> bool {
        let is_wide = width >= matching || search.k >= matching.div_ceil(2);
        if search.filter.is_none() && search.range.is_all() {
            return !is_wide;
        }
        // Of the nodes expanded, that part is admitted which matches.
        let expected = width.saturating_mul(PER_HOP).saturating_mul(self.nodes) / matching.max(1);
        !is_wide && matching * 100 > self.nodes * SCAN_PERCENT && expected < matching
    }
}

/// A range that also takes keys which rounding may have moved out of it.
fn loosened(range: KeyRange, metric: Metric) -> KeyRange {
    let slack = if metric == Metric::Cosine { COSINE_SLACK } else { 0.0 };
    KeyRange { lower: range.lower - slack, upper: range.upper + slack }
}

/// Compares all rows that match.
fn exact<E: Element>(
    rows: Rows<'_, E>,
    query: &[E],
    index: &HnswIndex,
    keep: Keep<'_>,
    search: &Search<'_>,
    before: Stats,
    out: &mut TopK,
) -> Result<Stats, SearchError> {
    let scan = CancelScan::new(rows, 0, index.spec.metric(), keep, search.range, search.cancel)?;
    let mut stats = scan.one(query, out)?;
    stats.add(before);
    Ok(stats)
}
