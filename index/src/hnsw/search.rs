//! How a graph answers a search: by a plain walk, by a walk that admits only some rows, or by comparing all that match;
//! and how what a walk over codes found becomes an answer with the keys of the vectors.

use elanus_kernels::scan::Keep;
use elanus_kernels::{AnyRows, Metric, TopK, Vector};

use super::index::HnswIndex;
use super::params::{EF, REFINE_K};
use crate::flat::{keep_of, scan_any};
use crate::graph::Candidate;
use crate::graph::walk::{Admission, End, Walk};
use crate::tier::rows::Lent;
use crate::tier::{Keys, source};
use crate::{KeyRange, ParamSet, Scratch, Search, SearchError, Stats};

/// The width of a search that says nothing of it, unless it wants more rows than that.
const EF_DEFAULT: usize = 64;
/// Where of a hundred nodes no more than these match a filter, the matching rows are compared one by one. Knowhere draws
/// the same line.
const SCAN_PERCENT: usize = 7;
/// Rows compared for each one expanded, as a rule: what a filtered walk is expected to cost.
const PER_HOP: usize = 8;
/// A walk with admission that compared half as many rows as match gives up, but not before this many.
const BUDGET_MIN: u64 = 512;
/// More than two ways to round a cosine differ by.
const COSINE_SLACK: f32 = 1e-6;

/// The beam width that search parameters ask for.
pub(crate) fn width(params: &ParamSet, k: usize) -> Result<usize, SearchError> {
    match params.get_int(EF.name) {
        Some(ef) if (ef as usize) < k => Err(SearchError::BelowK { name: EF.name, value: ef as usize, k }),
        Some(ef) => Ok(ef as usize),
        None => Ok(k.max(EF_DEFAULT)),
    }
}

/// One search with checked arguments.
struct Run<'a> {
    index: &'a HnswIndex,
    rows: AnyRows<'a>,
    query: Vector<'a>,
    /// The query in the form that codes are compared with; empty where no codes are asked.
    values: &'a [f32],
    search: &'a Search<'a>,
    keep: Keep<'a>,
    /// Rows that may be returned.
    matching: usize,
}

impl HnswIndex {
    /// Searches with checked arguments.
    pub(super) fn search_checked(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        let width = width(search.params, search.k)?;
        if search.cancel.is_cancelled() {
            return Err(SearchError::Cancelled);
        }
        if self.graph.is_none() || search.k == 0 {
            return Ok(Stats::default());
        }
        let keep = keep_of(search.filter, 0, self.present());
        let matching = if search.filter.is_some() { keep.count(self.rows) } else { self.nodes };
        let values = if self.walked.is_some() { source::query(self.spec.metric(), query) } else { Vec::new() };
        let run = Run { index: self, rows, query, values: &values, search, keep, matching };
        let mut stats = Stats::default();
        if !run.is_walkable(width) {
            return run.exact(stats, out);
        }
        let end = run.walk(width, scratch, &mut stats)?;
        // Below an open end of the range every matching row qualifies, but some may not be reached by any link.
        let is_short = search.range.upper == f32::INFINITY && scratch.found.len() < search.k.min(matching);
        match end {
            End::Cancelled => Err(SearchError::Cancelled),
            End::Spent => run.exact(stats, out),
            End::Done if is_short => run.exact(stats, out),
            End::Done => {
                run.answer(width, scratch, &mut stats, out)?;
                Ok(stats)
            }
        }
    }
}

impl Run<'_> {
    /// What the walk compares. A range is one of keys of the vectors, which those of codes only resemble, so that a
    /// search within a range walks on the vectors.
    fn walked(&self) -> Result<Box<dyn Keys + '_>, SearchError> {
        match &self.index.walked {
            Some(tier) if self.search.range.is_all() => match tier.bind(self.values) {
                // A query too long for the codes has keys in full.
                Err(SearchError::Quantizer(_)) => self.lent(),
                bound => bound,
            },
            Some(_) | None => self.lent(),
        }
    }

    fn lent(&self) -> Result<Box<dyn Keys + '_>, SearchError> {
        Lent::new(self.index.spec.metric(), self.rows, self.index.norms.as_slice()).bind(self.query)
    }

    /// Leaves what it found in `scratch.found`, nearest first.
    fn walk(&self, width: usize, scratch: &mut Scratch, stats: &mut Stats) -> Result<End, SearchError> {
        let Some(graph) = &self.index.graph else { return Ok(End::Done) };
        let tier = self.walked()?;
        let walk = Walk { tier: &*tier };
        let (search, width) = (self.search, self.index.fit.width(width));
        scratch.found.clear();
        let start = walk.descend(graph, 0, scratch, stats);
        if search.filter.is_none() && search.range.is_all() {
            walk.best_first(graph.ground(), start, width, scratch, stats);
            return Ok(End::Done);
        }
        let budget = (self.matching as u64 / 2).max(BUDGET_MIN);
        let range = loosened(search.range, self.index.spec.metric());
        let admission = Admission { keep: self.keep, range, budget, cancel: search.cancel };
        Ok(walk.admitting(graph.ground(), start, width, admission, scratch, stats))
    }

    /// Adds to the answer the best of what a walk found, with the keys of the vectors: a row has one key however it was
    /// found, and a range may begin where another ended.
    fn answer(
        &self,
        width: usize,
        scratch: &mut Scratch,
        stats: &mut Stats,
        out: &mut TopK,
    ) -> Result<(), SearchError> {
        let Scratch { found, ids, keys, .. } = scratch;
        let (k, is_ranged) = (self.search.k, !self.search.range.is_all());
        let is_exact = self.index.walked.is_none() || is_ranged;
        found.truncate(match (is_ranged, is_exact) {
            (true, _) => width,
            (false, true) => k,
            (false, false) => self.refined(k, width),
        });
        if let (Some(refine), false) = (&self.index.refine, is_exact) {
            let tier = refine.bind(self.values)?;
            rescore(&*tier, found, ids, keys, stats);
            found.sort_unstable();
            found.truncate(k);
        }
        let metric = self.index.spec.metric();
        if !is_exact || metric == Metric::Cosine {
            let tier = Lent::new(metric, self.rows, &[]).bind(self.query)?;
            rescore(&*tier, found, ids, keys, stats);
        }
        for candidate in found.iter().filter(|candidate| self.search.range.contains(candidate.key())) {
            out.push(candidate.node(), candidate.key());
        }
        Ok(())
    }

    /// How many of the candidates are put in order again.
    fn refined(&self, k: usize, width: usize) -> usize {
        match self.search.params.get_float(REFINE_K.name) {
            Some(factor) => ((k as f64 * factor).ceil() as usize).min(width).max(k),
            None => self.index.fit.refined(k, width),
        }
    }

    /// Whether walking the graph is expected to be less work than comparing all matching rows.
    fn is_walkable(&self, width: usize) -> bool {
        let (matching, nodes) = (self.matching, self.index.nodes);
        let is_wide = width >= matching || self.search.k >= matching.div_ceil(2);
        if self.search.filter.is_none() && self.search.range.is_all() {
            return !is_wide;
        }
        // Of the nodes expanded, that part is admitted which matches.
        let expected = width.saturating_mul(PER_HOP).saturating_mul(nodes) / matching.max(1);
        !is_wide && matching * 100 > nodes * SCAN_PERCENT && expected < matching
    }

    /// Compares all rows that match.
    fn exact(&self, before: Stats, out: &mut TopK) -> Result<Stats, SearchError> {
        let Search { range, cancel, .. } = *self.search;
        let metric = self.index.spec.metric();
        let mut stats = scan_any(self.rows, 0, self.query, metric, self.keep, range, cancel, out)?;
        stats.add(before);
        Ok(stats)
    }
}

/// Gives candidates the keys of another tier, in the order they have.
pub(super) fn rescore(
    tier: &dyn Keys,
    found: &mut [Candidate],
    ids: &mut Vec<u32>,
    keys: &mut Vec<f32>,
    stats: &mut Stats,
) {
    ids.clear();
    ids.extend(found.iter().map(|candidate| candidate.node()));
    keys.clear();
    keys.resize(ids.len(), 0.0);
    tier.keys(ids, keys);
    stats.distances += ids.len() as u64;
    for (candidate, (key, id)) in found.iter_mut().zip(keys.iter().zip(&*ids)) {
        *candidate = Candidate::new(*key, *id);
    }
}

/// A range that also takes keys which rounding may have moved out of it.
fn loosened(range: KeyRange, metric: Metric) -> KeyRange {
    let slack = if metric == Metric::Cosine { COSINE_SLACK } else { 0.0 };
    KeyRange { lower: range.lower - slack, upper: range.upper + slack }
}
