//! Which codes fit the data, and how far a walk on them must look beyond what is wanted.
//!
//! Codes put near rows in an order that is not quite that of the vectors. How far off it is depends on the data, so it
//! is measured on the finished graph: for some of its own rows as queries, at which place among the candidates found on
//! codes the last of the ten truly nearest stands.

use elanus_kernels::Vector;

use super::index::HnswIndex;
use super::recipe::Ground;
use super::search::rescore;
use crate::graph::levels::mix;
use crate::graph::links::Graph;
use crate::graph::walk::Walk;
use crate::tier::rows::Lent;
use crate::tier::source::{self, Source};
use crate::tier::sq::{SqKind, SqTier};
use crate::tier::{self, Code, Tier};
use crate::{BuildCx, BuildError, Scratch, SearchError, Stats, par};

/// Rows that serve as queries.
const QUERIES: usize = 128;
/// Rows that are searched for.
const NEAREST: usize = 10;
/// The width of the walks.
const WIDTH: usize = 160;
/// With more places than this per row wanted, on average, finer codes are taken.
const PLACES_MAX: f64 = 2.5;
/// From so many components on, 4 bits for each are tried first: below, errors do not cancel out enough.
const FOUR_BITS_FROM: usize = 160;

/// One more candidate is put in order again for so many that the user asks the walk to keep.
const MORE: usize = 4;

/// So many count as few.
const FEW: usize = 4 * NEAREST;

/// How far a search on codes looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// Candidates that a walk keeps for each that the user asks it to keep.
    pub(super) widen: f32,
    /// Candidates put in order again for each row wanted.
    pub(super) refine: f32,
}

impl Fit {
    /// Of keys that are those of the vectors.
    pub(super) const EXACT: Self = Self { widen: 1.0, refine: 1.0 };
    /// The greatest of either number, also in saved bytes.
    pub(super) const MAX: f32 = 16.0;

    /// How many candidates a walk keeps.
    pub(super) fn width(self, ef: usize) -> usize {
        scaled(ef, self.widen)
    }

    /// How many candidates are put in order again for `k` rows. A wider walk is asked for by those who want to find more,
    /// of which the last stand far back.
    pub(super) fn refined(self, k: usize, ef: usize) -> usize {
        scaled(k, self.refine) + ef.saturating_sub(k) / MORE
    }
}

/// `factor` times `count`, or less where many are wanted: the number of places by which codes put a row wrong grows more
/// slowly than the place that it has.
fn scaled(count: usize, factor: f32) -> usize {
    let more = f64::from(factor - 1.0) * (FEW as f64 / count.max(1) as f64).sqrt().min(1.0);
    (count as f64 * (1.0 + more)).ceil() as usize
}

/// Makes the codes that the index is walked on, or none where the rows themselves are.
pub(super) fn choose(
    index: &HnswIndex,
    ground: Ground,
    source: &Source<'_>,
    cx: &BuildCx<'_>,
) -> Result<(Option<Box<dyn Tier>>, Fit), BuildError> {
    let exact = (None, Fit::EXACT);
    let Some(graph) = &index.graph else { return Ok(exact) };
    match ground {
        Ground::Rows => Ok(exact),
        Ground::Codes(code) => {
            let Some(tier) = tier::build(code, source, cx)? else { return Ok(exact) };
            let Some(places) = places(index, graph, &*tier, source, cx)? else { return Ok(exact) };
            Ok((Some(tier), places.fit()))
        }
        Ground::Fitting => {
            for bits in fitting_bits(source) {
                let code = Code::Sq(SqKind { bits, is_uniform: false });
                let Some(tier) = tier::build(code, source, cx)? else { return Ok(exact) };
                let Some(places) = places(index, graph, &*tier, source, cx)? else { return Ok(exact) };
                if places.mean <= PLACES_MAX {
                    return Ok((Some(tier), places.fit()));
                }
            }
            Ok(exact)
        }
    }
}

/// Bits of codes that take fewer bytes than the rows, the least first.
fn fitting_bits(source: &Source<'_>) -> impl Iterator<Item = u32> {
    let (dim, row) = (source.dim(), source.dim() * source.rows.element().size_bytes());
    let tried: &[u32] = if dim >= FOUR_BITS_FROM { &[4, 8] } else { &[8] };
    tried.iter().copied().filter(move |bits| SqTier::record_bytes(dim, *bits) < row)
}

/// Places per row wanted.
struct Places {
    mean: f64,
    /// Of nineteen in twenty queries.
    most: f64,
}

impl Places {
    fn fit(&self) -> Fit {
        let within = |value: f64| value.clamp(1.0, f64::from(Fit::MAX)) as f32;
        Fit { widen: within((self.mean + self.most) / 2.0), refine: within(self.most) }
    }
}

/// At which places of candidates found on codes the truly nearest stand; `None` when a row cannot be compared with
/// codes.
fn places(
    index: &HnswIndex,
    graph: &Graph,
    tier: &dyn Tier,
    source: &Source<'_>,
    cx: &BuildCx<'_>,
) -> Result<Option<Places>, BuildError> {
    let mut queries: Vec<usize> = source.usable.iter_ones().collect();
    queries.sort_by_cached_key(|row| (mix(!cx.seed ^ mix(*row as u64 + 1)), *row));
    queries.truncate(QUERIES);
    let one = |scratch: &mut Scratch, row: usize| {
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let query = (row as u32, source.rows.row(row));
        Ok(place(index, graph, tier, source, query, scratch).ok().map(|place| place as f64 / NEAREST as f64))
    };
    let each: Vec<Option<f64>> = par::each(cx, queries, one).into_iter().collect::<Result<_, _>>()?;
    let Some(mut places) = each.into_iter().collect::<Option<Vec<f64>>>() else { return Ok(None) };
    places.sort_unstable_by(f64::total_cmp);
    let mean = places.iter().sum::<f64>() / places.len().max(1) as f64;
    let most = places.get(places.len().saturating_sub(1) * 19 / 20).copied().unwrap_or(1.0);
    Ok(Some(Places { mean, most }))
}

/// The place of the last of the truly nearest for one row as the query, itself left out.
fn place(
    index: &HnswIndex,
    graph: &Graph,
    tier: &dyn Tier,
    source: &Source<'_>,
    (row, query): (u32, Vector<'_>),
    scratch: &mut Scratch,
) -> Result<usize, SearchError> {
    let mut stats = Stats::default();
    let values = source::query(source.metric, query);
    let bound = tier.bind(&values)?;
    let walk = Walk { tier: &*bound };
    scratch.found.clear();
    let start = walk.descend(graph, 0, scratch, &mut stats);
    walk.best_first(graph.ground(), start, WIDTH, scratch, &mut stats);
    let Scratch { found, ids, keys, .. } = scratch;
    found.retain(|candidate| candidate.node() != row);
    let order: Vec<u32> = found.iter().map(|candidate| candidate.node()).collect();
    let exact = Lent::new(source.metric, source.rows, index.norms.as_slice()).bind(query)?;
    rescore(&*exact, found, ids, keys, &mut stats);
    found.sort_unstable();
    let last = found.iter().take(NEAREST).filter_map(|near| order.iter().position(|id| *id == near.node())).max();
    Ok(last.map_or(NEAREST, |last| (last + 1).max(NEAREST)))
}
