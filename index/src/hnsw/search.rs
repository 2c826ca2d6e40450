//! How a graph answers a search: how the candidates that the plan finds on codes become an answer with the keys of the
//! vectors.

use elanus_kernels::{AnyRows, Metric, TopK, Vector};

use super::index::HnswIndex;
use super::params::{EF, RECALL, REFINE_K};
use crate::flat::keep_of;
use crate::graph::Candidate;
use crate::graph::links::Graph;
use crate::graph::walk::End;
use crate::plan::{Ask, find};
use crate::tier::rows::Lent;
use crate::tier::{Keys, source};
use crate::{KeyRange, ParamSet, Scratch, Search, SearchError, Stats};

/// The width of a search that says nothing of it, unless it wants more rows than that.
const EF_DEFAULT: usize = 64;
/// More than two ways to round a cosine differ by.
const COSINE_SLACK: f32 = 1e-6;

/// How wide a search is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Width {
    /// So many candidates are kept.
    Of(usize),
    /// As many as this recall needs.
    For(f64),
}

/// The width that search parameters ask for.
///
/// # Errors
/// When it is less than `k`, or both a width and a recall are asked for.
pub(crate) fn width(params: &ParamSet, k: usize) -> Result<Width, SearchError> {
    match (params.get_int(EF.name), params.get_float(RECALL.name)) {
        (Some(_), Some(_)) => Err(SearchError::Both { names: [EF.name, RECALL.name] }),
        (Some(ef), None) if (ef as usize) < k => Err(SearchError::BelowK { name: EF.name, value: ef as usize, k }),
        (Some(ef), None) => Ok(Width::Of(ef as usize)),
        (None, Some(recall)) => Ok(Width::For(recall)),
        (None, None) => Ok(Width::Of(k.max(EF_DEFAULT))),
    }
}

/// One search with checked arguments.
struct Run<'a> {
    index: &'a HnswIndex,
    graph: &'a Graph,
    rows: AnyRows<'a>,
    query: Vector<'a>,
    /// The query in the form that codes are compared with; empty where no codes are asked.
    values: &'a [f32],
    search: &'a Search<'a>,
    /// Candidates that the user asks for.
    width: usize,
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
        let (Some(graph), 1..) = (&self.graph, search.k) else { return Ok(Stats::default()) };
        let width = match width {
            Width::Of(width) => width,
            Width::For(recall) => self.width_for(recall, search.k),
        };
        let values = if self.walked.is_some() { source::query(self.spec.metric(), query) } else { Vec::new() };
        let run = Run { index: self, graph, rows, query, values: &values, search, width };
        let mut stats = Stats::default();
        run.find(scratch, &mut stats)?;
        run.answer(scratch, &mut stats, out)?;
        Ok(stats)
    }

    /// The width for a recall: as wide as there are rows where no less is known to be enough.
    fn width_for(&self, recall: f64, k: usize) -> usize {
        let promised = self.promise.as_ref().and_then(|promise| promise.width(recall as f32, k));
        promised.map_or(self.rows, |width| width.max(k))
    }
}

impl Run<'_> {
    /// Whether candidates are found by the keys of codes. A range is one of keys of the vectors, which those of codes only
    /// resemble, so that a search within a range is one on the vectors.
    fn is_coded(&self) -> bool {
        self.index.walked.is_some() && self.search.range.is_all() && self.width < self.index.rows
    }

    /// What candidates are found by.
    fn walked(&self) -> Result<Box<dyn Keys + '_>, SearchError> {
        match &self.index.walked {
            Some(tier) if self.is_coded() => match tier.bind(self.values) {
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

    /// Leaves candidates in `scratch.found`, nearest first.
    fn find(&self, scratch: &mut Scratch, stats: &mut Stats) -> Result<(), SearchError> {
        let (index, search) = (self.index, self.search);
        let keep = keep_of(search.filter, 0, index.present());
        let tier = self.walked()?;
        let ask = Ask {
            keep,
            matching: if search.filter.is_some() { keep.count(index.rows) } else { index.nodes },
            rows: index.rows,
            nodes: index.nodes,
            count: search.k,
            width: if self.is_coded() { index.fit.width(self.width) } else { self.width },
            range: loosened(search.range, index.spec.metric()),
            cancel: search.cancel,
        };
        match find(self.graph, &*tier, &ask, scratch, stats) {
            End::Cancelled => Err(SearchError::Cancelled),
            End::Done | End::Spent => Ok(()),
        }
    }

    /// Adds to the answer the best of what a walk found, with the keys of the vectors: a row has one key however it was
    /// found, and a range may begin where another ended.
    fn answer(&self, scratch: &mut Scratch, stats: &mut Stats, out: &mut TopK) -> Result<(), SearchError> {
        let Scratch { found, ids, keys, .. } = scratch;
        let k = self.search.k;
        found.truncate(match (self.search.range.is_all(), self.is_coded()) {
            (false, _) => self.width,
            (true, false) => k,
            (true, true) => self.refined(k),
        });
        if let (Some(refine), true) = (&self.index.refine, self.is_coded()) {
            match refine.bind(self.values) {
                Ok(tier) => {
                    rescore(&*tier, found, ids, keys, stats);
                    found.sort_unstable();
                    found.truncate(k);
                }
                // As in the walk: only the vectors put the candidates of such a query in order.
                Err(SearchError::Quantizer(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let metric = self.index.spec.metric();
        if self.is_coded() || metric == Metric::Cosine {
            rescore(&*exact_keys(metric, self.rows, self.query)?, found, ids, keys, stats);
        }
        for candidate in found.iter().filter(|candidate| self.search.range.contains(candidate.key())) {
            out.push(candidate.node(), candidate.key());
        }
        Ok(())
    }

    /// How many of the candidates are put in order again.
    fn refined(&self, k: usize) -> usize {
        match self.search.params.get_float(REFINE_K.name) {
            Some(factor) => ((k as f64 * factor).ceil() as usize).min(self.width).max(k),
            None => self.index.fit.refined(k, self.width),
        }
    }
}

/// The keys that answers give: those of the vectors alone.
pub(super) fn exact_keys<'a>(
    metric: Metric,
    rows: AnyRows<'a>,
    query: Vector<'a>,
) -> Result<Box<dyn Keys + 'a>, SearchError> {
    Lent::new(metric, rows, &[]).bind(query)
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
