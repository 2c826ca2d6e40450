//! Exact nearest neighbours, by brute force in `f64`, and recall against them.
//!
//! Nothing here uses the distance kernels: what judges them cannot rest on them.

mod cache;
#[cfg(test)]
mod tests;

pub use cache::CacheError;

use std::collections::BinaryHeap;
use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use elanus_kernels::{Metric, Rows};

pub(crate) use cache::load_or_compute;

/// Queries that share one pass over the base, and base rows that stay in cache meanwhile.
const QUERY_BLOCK: usize = 32;
const ROW_BLOCK: usize = 64;

/// The exact neighbours of each query, nearest first; of equally near rows the lower number comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    k: usize,
    ids: Vec<u32>,
}

/// Exact neighbours cannot be had.
#[derive(Debug)]
pub enum TruthError {
    /// `k` is zero or there are fewer rows than that.
    K {
        /// Neighbours asked for.
        k: usize,
        /// Rows there are.
        rows: usize,
    },
    /// More rows than a row number can say.
    Rows {
        /// Rows there are.
        rows: usize,
    },
    /// Queries and base differ in dimension.
    Dim {
        /// The base's dimension.
        base: usize,
        /// The queries' dimension.
        queries: usize,
    },
    /// A value is not a number or is infinite, so that distances have no order.
    NotFinite {
        /// `base` or `queries`.
        part: &'static str,
        /// The row.
        row: usize,
    },
    /// The metric is not defined over numbers.
    Metric(Metric),
    /// The file of an earlier result is of no use.
    Cache(CacheError),
}

impl fmt::Display for TruthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::K { k, rows } => write!(f, "cannot give the {k} nearest of {rows} rows"),
            Self::Rows { rows } => write!(f, "{rows} rows are more than 32-bit row numbers can tell apart"),
            Self::Dim { base, queries } => write!(f, "queries of dimension {queries} against a base of {base}"),
            Self::NotFinite { part, row } => write!(f, "{part} row {row} holds a value that is not finite"),
            Self::Metric(metric) => write!(f, "metric {metric} is not defined over f32 vectors"),
            Self::Cache(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for TruthError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cache(error) => Some(error),
            Self::K { .. } | Self::Rows { .. } | Self::Dim { .. } | Self::NotFinite { .. } | Self::Metric(_) => None,
        }
    }
}

impl Truth {
    /// Takes `k` row numbers per query, nearest first; `None` where `k` is zero or does not divide them.
    pub fn from_ids(k: usize, ids: Vec<u32>) -> Option<Self> {
        (k > 0 && ids.len().is_multiple_of(k)).then_some(Self { k, ids })
    }

    /// Neighbours known per query, at least one.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Queries.
    pub fn len(&self) -> usize {
        self.ids.len() / self.k
    }

    /// Whether there is no query.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The neighbours of one query, nearest first.
    ///
    /// # Panics
    /// When there is no such query.
    pub fn ids(&self, query: usize) -> &[u32] {
        &self.ids[query * self.k..(query + 1) * self.k]
    }

    /// The neighbours of all queries, one query after the other.
    pub fn all_ids(&self) -> &[u32] {
        &self.ids
    }

    /// The share of a query's `k` nearest rows that is among the first `k` of `found`; a row found twice counts once.
    ///
    /// # Panics
    /// When `k` is zero or above [`Truth::k`], or there is no such query.
    pub fn recall(&self, query: usize, k: usize, found: &[u32]) -> f64 {
        assert!((1..=self.k).contains(&k), "recall at {k} of {} known neighbours", self.k);
        let found = &found[..k.min(found.len())];
        let hits = self.ids(query)[..k].iter().filter(|id| found.contains(id)).count();
        hits as f64 / k as f64
    }
}

/// As many threads as the machine runs at once.
pub fn machine_threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Computes the `k` nearest rows of every query exactly, on `threads` threads.
///
/// Sums are kept in `f64`, in an order that depends on the dimension alone, so the result is the same for any number
/// of threads. A zero vector has cosine 0 with everything.
pub fn exact(
    metric: Metric,
    base: Rows<'_, f32>,
    queries: Rows<'_, f32>,
    k: usize,
    threads: NonZeroUsize,
) -> Result<Truth, TruthError> {
    let measure = Measure::of(metric)?;
    if k == 0 || k > base.len() {
        return Err(TruthError::K { k, rows: base.len() });
    }
    if u32::try_from(base.len()).is_err() {
        return Err(TruthError::Rows { rows: base.len() });
    }
    if base.dim() != queries.dim() {
        return Err(TruthError::Dim { base: base.dim(), queries: queries.dim() });
    }
    for (part, rows) in [("base", base), ("queries", queries)] {
        if let Some(at) = rows.data().iter().position(|value| !value.is_finite()) {
            return Err(TruthError::NotFinite { part, row: at / rows.dim() });
        }
    }
    let job = Job { measure, base, norms: norms(measure, base), queries, k };
    let blocks = queries.len().div_ceil(QUERY_BLOCK);
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Vec<u32>)> = thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= blocks {
                    return done;
                }
                let first = block * QUERY_BLOCK;
                done.push((block, job.block(first..(first + QUERY_BLOCK).min(queries.len()))));
            }
        };
        let workers: Vec<_> = (0..threads.get().min(blocks)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_unstable_by_key(|&(block, _)| block);
    Ok(Truth { k, ids: done.into_iter().flat_map(|(_, ids)| ids).collect() })
}

/// One place among the nearest; greater is farther.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    key: f64,
    id: u32,
}

impl Eq for Place {}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.total_cmp(&other.key).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What is compared: the metrics that are defined over numbers.
#[derive(Clone, Copy, PartialEq)]
enum Measure {
    SquaredDistance,
    Product,
    Angle,
}

impl Measure {
    const fn of(metric: Metric) -> Result<Self, TruthError> {
        match metric {
            Metric::L2 => Ok(Self::SquaredDistance),
            Metric::Ip => Ok(Self::Product),
            Metric::Cosine => Ok(Self::Angle),
            Metric::Hamming
            | Metric::Jaccard
            | Metric::Tanimoto
            | Metric::Substructure
            | Metric::Superstructure
            | Metric::MhJaccard => Err(TruthError::Metric(metric)),
        }
    }
}

struct Job<'a> {
    measure: Measure,
    base: Rows<'a, f32>,
    /// Length of every base row; empty where the metric has no use for it.
    norms: Vec<f64>,
    queries: Rows<'a, f32>,
    k: usize,
}

impl Job<'_> {
    /// The neighbours of a run of queries.
    fn block(&self, range: Range<usize>) -> Vec<u32> {
        let queries: Vec<Vec<f64>> =
            range.map(|q| self.queries.row(q).iter().map(|&value| f64::from(value)).collect()).collect();
        let lengths: Vec<f64> = queries.iter().map(|query| dot(query, query).sqrt()).collect();
        let mut heaps: Vec<BinaryHeap<Place>> = queries.iter().map(|_| BinaryHeap::with_capacity(self.k + 1)).collect();
        for first in (0..self.base.len()).step_by(ROW_BLOCK) {
            let rows = first..(first + ROW_BLOCK).min(self.base.len());
            for ((query, &length), heap) in queries.iter().zip(&lengths).zip(&mut heaps) {
                for id in rows.clone() {
                    let key = self.key(query, length, id);
                    offer(heap, self.k, Place { key, id: id as u32 });
                }
            }
        }
        heaps.into_iter().flat_map(BinaryHeap::into_sorted_vec).map(|place| place.id).collect()
    }

    fn key(&self, query: &[f64], length: f64, id: usize) -> f64 {
        let row = self.base.row(id);
        // Adding zero turns a negative zero, which the total order would put first, into the plain one.
        match self.measure {
            Measure::SquaredDistance => squared_distance(query, row),
            Measure::Product => -dot(query, row) + 0.0,
            Measure::Angle => {
                let lengths = length * self.norms[id];
                if lengths > 0.0 { -(dot(query, row) / lengths) + 0.0 } else { 0.0 }
            }
        }
    }
}

fn offer(heap: &mut BinaryHeap<Place>, k: usize, place: Place) {
    if heap.len() < k {
        heap.push(place);
    } else if let Some(mut worst) = heap.peek_mut()
        && place < *worst
    {
        *worst = place;
    }
}

fn norms(measure: Measure, base: Rows<'_, f32>) -> Vec<f64> {
    match measure {
        Measure::Angle => (0..base.len())
            .map(|id| base.row(id).iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt())
            .collect(),
        Measure::SquaredDistance | Measure::Product => Vec::new(),
    }
}

/// Sums `term` over the positions in eight running sums, which the compiler keeps in vector registers.
fn lanes<B: Copy>(a: &[f64], b: &[B], term: impl Fn(f64, B) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for i in 0..8 {
            sums[i] += term(a[i], b[i]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a, b)).sum();
    sums.iter().sum::<f64>() + rest
}

fn dot<B: Copy + Into<f64>>(a: &[f64], b: &[B]) -> f64 {
    lanes(a, b, |a, b| a * b.into())
}

fn squared_distance(a: &[f64], b: &[f32]) -> f64 {
    lanes(a, b, |a, b| {
        let d = a - f64::from(b);
        d * d
    })
}
