//! Vector search over the segments of a collection.

mod covered;
mod plan;
mod run;

use super::fetch::{self, OutputField, RowAt, Wanted};
use super::snapshot::{ReadAt, Snapshot};
use crate::collection::Collection;
use crate::error::{Error, Result, Subject};
use crate::expr::Templates;
use elanus_index::Cancel;
use elanus_kernels::F16;
use elanus_segment::{Keys, Schema};
use plan::Plan;
use std::collections::HashSet;

/// The vectors to search for.
#[derive(Debug, Clone, PartialEq)]
pub enum Queries {
    /// 32-bit floats, row after row.
    F32 {
        /// Components of a query.
        dim: usize,
        /// Queries x dim components.
        data: Vec<f32>,
    },
    /// 16-bit floats, row after row.
    F16 {
        /// Components of a query.
        dim: usize,
        /// Queries x dim components.
        data: Vec<F16>,
    },
    /// The vectors of the rows with these keys.
    Keys(Keys),
}

/// One page of an iterator: hits strictly beyond the last one's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IteratorPage {
    /// Hits wanted; hits with the score of the last one are added, so that the next page misses none.
    pub batch: usize,
    /// Score of the last hit of the page before.
    pub last_bound: Option<f32>,
}

/// A search.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Vector field; empty: the only one.
    pub field: String,
    /// What to search for.
    pub queries: Queries,
    /// Hits for each query.
    pub limit: usize,
    /// Hits to skip.
    pub offset: usize,
    /// Metric that the caller expects; another than the index's is an error.
    pub metric: Option<String>,
    /// Search parameters of the index type.
    pub params: Vec<(String, String)>,
    /// Range search: the outer bound of the scores, exclusive.
    pub radius: Option<f32>,
    /// Range search: the inner bound of the scores, inclusive.
    pub range_filter: Option<f32>,
    /// Rows that may be returned.
    pub filter: String,
    /// Values of the filter's templates.
    pub templates: Templates,
    /// Partitions; empty: all that are loaded.
    pub partitions: Vec<String>,
    /// Fields to return; the primary key always is.
    pub output_fields: Vec<String>,
    /// What the search must have seen.
    pub read_at: ReadAt,
    /// Decimals to which scores are rounded.
    pub round_decimal: Option<u32>,
    /// Whether rows in memory are left out.
    pub ignore_growing: bool,
    /// One page of an iterator instead of the best hits.
    pub iterator: Option<IteratorPage>,
    /// Ends the search early.
    pub cancel: Cancel,
}

impl SearchRequest {
    /// A search for 10 hits without a filter.
    pub fn new(queries: Queries) -> Self {
        Self {
            field: String::new(),
            queries,
            limit: 10,
            offset: 0,
            metric: None,
            params: Vec::new(),
            radius: None,
            range_filter: None,
            filter: String::new(),
            templates: Templates::default(),
            partitions: Vec::new(),
            output_fields: Vec::new(),
            read_at: ReadAt::Default,
            round_decimal: None,
            ignore_growing: false,
            iterator: None,
            cancel: Cancel::default(),
        }
    }
}

/// What a search found, the hits of all queries one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResult {
    /// Hits of each query.
    pub counts: Vec<usize>,
    /// Primary keys.
    pub keys: Keys,
    /// Scores, best first within a query.
    pub scores: Vec<f32>,
    /// The fields that were asked for, without the primary key.
    pub fields: Vec<OutputField>,
    /// Keys of the dynamic field that were asked for by name.
    pub dynamic_keys: Vec<String>,
    /// Name of the primary key.
    pub primary_field: String,
    /// Timestamp at which was read.
    pub read_ts: u64,
    /// For a page of an iterator: where the next one begins.
    pub last_bound: Option<f32>,
}

/// A hit before its columns are fetched; a smaller key is nearer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) key: f32,
    pub(crate) at: RowAt,
}

impl Collection {
    /// Searches.
    ///
    /// # Errors
    /// Names what is wrong: field, dimension, metric, parameter, filter (with the position), limit; `InvalidArgument`
    /// about `NotLoaded` if the collection is not loaded.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchResult> {
        self.check()?;
        let plan = Plan::new(self, request)?;
        let wanted = Wanted::resolve(&plan.schema, &request.output_fields)?;
        let snapshot = self.snapshot(request.read_at, &request.partitions, request.ignore_growing, true)?;
        let hits = self.hits(request, &plan, &snapshot)?;
        // Not the rounded score: the next page begins exactly where this one ends.
        let end = hits.last().and_then(|list| list.last()).map(|hit| plan.metric.score(hit.key));
        let scored = hits.into_iter().map(|list| score(&plan, request.round_decimal, list)).collect();
        let mut result = assemble(self, &snapshot, scored, &wanted)?;
        result.last_bound = end.filter(|_| request.iterator.is_some());
        Ok(result)
    }

    /// The hits of each query, each primary key once, without the offset's.
    pub(crate) fn hits(&self, request: &SearchRequest, plan: &Plan, snapshot: &Snapshot) -> Result<Vec<Vec<Hit>>> {
        let queries = plan.queries(request, snapshot)?;
        let want = plan.k;
        let mut fetch = want;
        loop {
            let params = plan.params_for(request, fetch)?;
            let raw = run::all(self.inner(), plan, &params, &queries, snapshot, fetch, &request.cancel)?;
            let mut short = false;
            let mut unique = Vec::with_capacity(raw.len());
            for list in raw {
                let full = list.len() == fetch;
                let kept = distinct(&plan.schema, snapshot, list)?;
                short |= full && kept.len() < want;
                unique.push(kept);
            }
            // Keys that stand several times crowd out others: fetch more, as far as the limit allows.
            let settings = &self.inner().settings;
            let limit = settings.limit_max.min(settings.results_max / unique.len().max(1)).max(want);
            if !short || fetch >= limit || request.iterator.is_some() {
                unique.iter_mut().for_each(|list| {
                    list.truncate(if request.iterator.is_some() { list.len() } else { want });
                    list.drain(..request.offset.min(list.len()));
                });
                return Ok(unique);
            }
            fetch = (fetch * 2).min(limit);
        }
    }
}

/// Hits with the score of the user's metric.
fn score(plan: &Plan, decimals: Option<u32>, hits: Vec<Hit>) -> Vec<(f32, RowAt)> {
    let scale = decimals.map(|decimals| 10_f64.powi(i32::try_from(decimals).unwrap_or(0)));
    let round = |score: f32| scale.map_or(score, |scale| ((f64::from(score) * scale).round() / scale) as f32);
    hits.into_iter().map(|hit| (round(plan.metric.score(hit.key)), hit.at)).collect()
}

/// Adds keys and columns to scored hits.
pub(crate) fn assemble(
    collection: &Collection,
    snapshot: &Snapshot,
    hits: Vec<Vec<(f32, RowAt)>>,
    wanted: &Wanted,
) -> Result<SearchResult> {
    let schema = &collection.state().schema;
    let rows: Vec<RowAt> = hits.iter().flatten().map(|(_, at)| *at).collect();
    let bytes_max = collection.inner().settings.output_bytes_max;
    let primary = schema.primary_position();
    let positions: Vec<usize> = wanted.positions.iter().copied().filter(|&position| position != primary).collect();
    Ok(SearchResult {
        counts: hits.iter().map(Vec::len).collect(),
        keys: fetch::keys(schema, &snapshot.segments, &rows)?,
        scores: hits.iter().flatten().map(|(score, _)| *score).collect(),
        fields: fetch::columns(schema, &snapshot.segments, &rows, &positions, bytes_max)?,
        dynamic_keys: wanted.dynamic_keys.clone(),
        primary_field: schema.fields[primary].name.clone(),
        read_ts: snapshot.ts,
        last_bound: None,
    })
}

/// Keeps the nearest hit of each primary key.
fn distinct(schema: &Schema, snapshot: &Snapshot, hits: Vec<Hit>) -> Result<Vec<Hit>> {
    let rows: Vec<RowAt> = hits.iter().map(|hit| hit.at).collect();
    let keys = fetch::keys(schema, &snapshot.segments, &rows)?;
    let mut seen = HashSet::with_capacity(keys.len());
    let first: Vec<bool> = keys.iter().map(|key| seen.insert(key)).collect();
    Ok(hits.into_iter().zip(first).filter(|(_, first)| *first).map(|(hit, _)| hit).collect())
}

/// Checks a search before a segment is touched.
pub(crate) fn plan(collection: &Collection, request: &SearchRequest) -> Result<Plan> {
    Plan::new(collection, request)
}

pub(crate) fn invalid(text: String) -> Error {
    Error::invalid(Subject::Parameter, text)
}
