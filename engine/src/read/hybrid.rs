//! Hybrid search: several searches over one snapshot, their hits ranked together.

use super::fetch::{self, RowAt, Wanted};
use super::search::{self, Hit, SearchRequest, SearchResult, invalid};
use super::snapshot::{ReadAt, Snapshot};
use crate::collection::Collection;
use crate::error::Result;
use elanus_kernels::Metric;
use elanus_segment::{KeyRef, Keys, Schema};
use std::collections::HashMap;

/// Searches that one hybrid search may have.
const SEARCHES_MAX: usize = 1_024;

/// How hits of several searches are ranked together.
#[derive(Debug, Clone, PartialEq)]
pub enum Ranker {
    /// Reciprocal rank fusion: the sum of 1 / (k + rank), ranks from 1 (Cormack, Clarke and Buettcher, 2009).
    Rrf {
        /// Smooths the ranks; in (0, 16384).
        k: f64,
    },
    /// The weighted sum of scores.
    Weighted {
        /// One weight in [0, 1] for each search.
        weights: Vec<f64>,
        /// Whether scores are brought into [0, 1] first.
        norm_score: bool,
    },
}

/// A hybrid search.
#[derive(Debug, Clone)]
pub struct HybridRequest {
    /// The searches, each with its own limit. Their output fields, partitions and consistency do not count.
    pub searches: Vec<SearchRequest>,
    /// How their hits are ranked.
    pub ranker: Ranker,
    /// Hits for each query.
    pub limit: usize,
    /// Hits to skip.
    pub offset: usize,
    /// Partitions; empty: all that are loaded.
    pub partitions: Vec<String>,
    /// Fields to return; the primary key always is.
    pub output_fields: Vec<String>,
    /// What the searches must have seen.
    pub read_at: ReadAt,
    /// Decimals to which scores are rounded.
    pub round_decimal: Option<u32>,
}

impl Collection {
    /// Searches several times and ranks the hits together.
    ///
    /// # Errors
    /// As `search`; also if the searches have different numbers of queries or the ranker does not fit them.
    pub fn hybrid_search(&self, request: &HybridRequest) -> Result<SearchResult> {
        self.check()?;
        let limit_max = self.inner().settings.limit_max;
        if request.searches.is_empty() || request.searches.len() > SEARCHES_MAX {
            let text =
                format!("{} searches in a hybrid search, 1 to {SEARCHES_MAX} are allowed", request.searches.len());
            return Err(invalid(text));
        }
        if request.limit == 0 || request.limit.saturating_add(request.offset) > limit_max {
            let text = format!("limit {} + offset {} is not in 1..={limit_max}", request.limit, request.offset);
            return Err(invalid(text));
        }
        check_ranker(&request.ranker, request.searches.len())?;
        let schema = &self.state().schema;
        let wanted = Wanted::resolve(schema, &request.output_fields)?;
        let snapshot = self.snapshot(request.read_at, &request.partitions, false, true)?;
        let plans = request.searches.iter().map(|search| search::plan(self, search)).collect::<Result<Vec<_>>>()?;
        let hit_count: usize = plans.iter().zip(&request.searches).map(|(plan, search)| plan.hit_count(search)).sum();
        let results_max = self.inner().settings.results_max;
        if hit_count > results_max {
            return Err(invalid(format!("{hit_count} hits of all searches together are more than {results_max}")));
        }
        let mut routes = Vec::with_capacity(plans.len());
        for (plan, search) in plans.iter().zip(&request.searches) {
            let lists = self.hits(search, plan, &snapshot)?;
            routes.push(Route::new(plan.metric, lists, schema, &snapshot)?);
        }
        let query_count = routes.iter().map(|route| route.lists.len()).max().unwrap_or(0);
        if routes.iter().any(|route| route.lists.len() != query_count) {
            return Err(invalid("the searches of a hybrid search have different numbers of queries".into()));
        }
        let round = |score: f64| match request.round_decimal {
            Some(decimals) => {
                let scale = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
                (score * scale).round() / scale
            }
            None => score,
        };
        let ranked = (0..query_count).map(|query| {
            let fused = fuse(&request.ranker, &routes, query);
            let page = fused.into_iter().skip(request.offset).take(request.limit);
            page.map(|(score, at)| (round(score) as f32, at)).collect()
        });
        let ranked: Vec<Vec<(f32, RowAt)>> = ranked.collect();
        search::assemble(self, &snapshot, ranked, &wanted)
    }
}

fn check_ranker(ranker: &Ranker, searches: usize) -> Result<()> {
    match ranker {
        Ranker::Rrf { k } if !(*k > 0.0 && *k < 16_384.0) => Err(invalid(format!("rrf: k {k} is not in (0, 16384)"))),
        Ranker::Rrf { .. } => Ok(()),
        Ranker::Weighted { weights, .. } if weights.len() != searches => {
            Err(invalid(format!("weighted: {} weights for {searches} searches", weights.len())))
        }
        Ranker::Weighted { weights, .. } => match weights.iter().find(|weight| !(0.0..=1.0).contains(*weight)) {
            Some(weight) => Err(invalid(format!("weighted: weight {weight} is not in [0, 1]"))),
            None => Ok(()),
        },
    }
}

/// The hits of one of the searches.
struct Route {
    metric: Metric,
    /// Hits of each query, with their primary keys.
    lists: Vec<(Vec<Hit>, Keys)>,
}

impl Route {
    fn new(metric: Metric, lists: Vec<Vec<Hit>>, schema: &Schema, snapshot: &Snapshot) -> Result<Self> {
        let keyed = lists.into_iter().map(|hits| {
            let rows: Vec<RowAt> = hits.iter().map(|hit| hit.at).collect();
            let keys = fetch::keys(schema, &snapshot.segments, &rows)?;
            Ok((hits, keys))
        });
        Ok(Self { metric, lists: keyed.collect::<Result<_>>()? })
    }
}

/// All hits of a query with their fused scores, each primary key once, best first; ties by row.
fn fuse(ranker: &Ranker, routes: &[Route], query: usize) -> Vec<(f64, RowAt)> {
    let mut scores: HashMap<KeyRef<'_>, (f64, RowAt)> = HashMap::new();
    for (number, route) in routes.iter().enumerate() {
        let (hits, keys) = &route.lists[query];
        for (rank, (hit, key)) in hits.iter().zip(keys.iter()).enumerate() {
            scores.entry(key).or_insert((0.0, hit.at)).0 += match ranker {
                Ranker::Rrf { k } => 1.0 / (k + rank as f64 + 1.0),
                Ranker::Weighted { weights, norm_score } => {
                    let score = comparable(route.metric, route.metric.score(hit.key), *norm_score);
                    weights.get(number).copied().unwrap_or(0.0) * score
                }
            };
        }
    }
    let mut fused: Vec<(f64, RowAt)> = scores.into_values().collect();
    fused.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    fused
}

/// A score of which more is better; with `norm`, in [0, 1] as far as the metric allows.
fn comparable(metric: Metric, score: f32, norm: bool) -> f64 {
    let score = f64::from(score);
    match metric {
        Metric::L2 | Metric::Hamming => 1.0 - 2.0 * score.atan() / std::f64::consts::PI,
        Metric::Jaccard | Metric::Substructure | Metric::Superstructure | Metric::MhJaccard => 1.0 - score,
        Metric::Ip if norm => 0.5 + score.atan() / std::f64::consts::PI,
        Metric::Cosine if norm => f64::midpoint(1.0, score),
        Metric::Ip | Metric::Cosine | Metric::Tanimoto => score,
    }
}
