//! Made-up vectors, a plain reference over them, and short ways to build and search.

use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, BitmapView, Element, ElementType, F16, Kernel, Metric, Neighbor, Rows, TopK, Vector};
use rayon::ThreadPoolBuilder;

use crate::{
    BuildCx, Cancel, Index, IndexFactory, KeyRange, Scratch, Search, SearchError, Spec, Stage, Stats, no_progress,
};

/// Values of one element type.
#[derive(Clone, Debug)]
enum Values {
    F32(Vec<f32>),
    F16(Vec<F16>),
}

impl Values {
    fn of(element: ElementType, values: &[f32]) -> Self {
        match element {
            ElementType::F32 => Self::F32(values.to_vec()),
            ElementType::F16 => Self::F16(values.iter().map(|value| <F16 as Element>::from_f32(*value)).collect()),
        }
    }

    fn rows(&self, dim: usize) -> AnyRows<'_> {
        match self {
            Self::F32(values) => AnyRows::F32(Rows::new(values, dim).expect("whole rows")),
            Self::F16(values) => AnyRows::F16(Rows::new(values, dim).expect("whole rows")),
        }
    }

    /// The values as they are after rounding to the element type.
    fn exact(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::F16(values) => values.iter().map(|value| f64::from(Element::to_f32(*value))).collect(),
        }
    }
}

/// Rows, queries and what is true of them.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The element type.
    pub element: ElementType,
    /// The metric.
    pub metric: Metric,
    /// The dimension.
    pub dim: usize,
    rows: Values,
    queries: Values,
    exact_rows: Vec<f64>,
    exact_queries: Vec<f64>,
}

impl Fixture {
    /// Takes given values.
    ///
    /// # Panics
    /// When they are not whole rows.
    pub fn new(element: ElementType, metric: Metric, dim: usize, rows: &[f32], queries: &[f32]) -> Self {
        let (rows, queries) = (Values::of(element, rows), Values::of(element, queries));
        let (exact_rows, exact_queries) = (rows.exact(), queries.exact());
        Self { element, metric, dim, rows, queries, exact_rows, exact_queries }
    }

    /// Rows and queries in a few overlapping clusters; row `i` is of cluster `i % 20`, query `i` of cluster `i % 20`.
    pub fn clustered(element: ElementType, metric: Metric, rows: usize, dim: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let centres: Vec<f32> = (0..20 * dim).map(|_| rng.normal()).collect();
        let mut draw = |count: usize| -> Vec<f32> {
            let of = |i: usize| &centres[i % 20 * dim..][..dim];
            (0..count).flat_map(|i| of(i).iter().map(|c| c + 0.5 * rng.normal()).collect::<Vec<_>>()).collect()
        };
        let (rows, queries) = (draw(rows), draw(40));
        Self::new(element, metric, dim, &rows, &queries)
    }

    /// The rows.
    pub fn rows(&self) -> AnyRows<'_> {
        self.rows.rows(self.dim)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many queries there are.
    pub fn query_count(&self) -> usize {
        self.exact_queries.len() / self.dim
    }

    /// A query.
    pub fn query(&self, i: usize) -> Vector<'_> {
        match self.queries.rows(self.dim) {
            AnyRows::F32(rows) => Vector::F32(rows.row(i)),
            AnyRows::F16(rows) => Vector::F16(rows.row(i)),
        }
    }

    /// All queries.
    pub fn queries(&self) -> AnyRows<'_> {
        self.queries.rows(self.dim)
    }

    /// The key between a query and a row by the definition of the metric.
    pub fn key(&self, query: usize, row: usize) -> f64 {
        let query = &self.exact_queries[query * self.dim..][..self.dim];
        let row = &self.exact_rows[row * self.dim..][..self.dim];
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        match self.metric {
            Metric::L2 => query.iter().zip(row).map(|(a, b)| (a - b) * (a - b)).sum(),
            Metric::Ip => -product(query, row),
            Metric::Cosine => {
                let norms = (product(query, query) * product(row, row)).sqrt();
                if norms == 0.0 { 0.0 } else { -product(query, row) / norms }
            }
        }
    }

    /// The key between a query and a row by the kernels.
    fn pair(&self, query: usize, row: usize) -> f32 {
        let kernel = "a kernel can be had";
        let key = match (self.query(query), self.rows().row(row)) {
            (Vector::F32(a), Vector::F32(b)) => Kernel::new(self.metric).expect(kernel).pair(a, b),
            (Vector::F16(a), Vector::F16(b)) => Kernel::new(self.metric).expect(kernel).pair(a, b),
            (Vector::F32(_) | Vector::F16(_), _) => unreachable!("rows and queries are of one type"),
        };
        // Zero has two signs, and a walk knows one.
        key + 0.0
    }

    /// The keys of the `k` nearest rows that may be returned, ascending.
    pub fn nearest(&self, query: usize, k: usize, may: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut keys: Vec<f64> = (0..self.len()).filter(|row| may(*row)).map(|row| self.key(query, row)).collect();
        keys.sort_by(f64::total_cmp);
        keys.truncate(k);
        keys
    }

    /// Checks that an answer is in order, without repeats, within the rows that may be returned and with true keys;
    /// returns the share of the true answer that was found. Rows as near as the last true one count.
    ///
    /// # Panics
    /// When the answer is wrong in itself.
    pub fn judge(&self, query: usize, k: usize, answer: &[Neighbor], may: impl Fn(usize) -> bool) -> f64 {
        let truth = self.nearest(query, k, &may);
        assert!(answer.len() <= truth.len(), "{} rows returned of {} that qualify", answer.len(), truth.len());
        assert!(answer.windows(2).all(|pair| pair[0] < pair[1]), "the answer is not in order: {answer:?}");
        let mut ids: Vec<u32> = answer.iter().map(|found| found.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), answer.len(), "a row is returned twice: {answer:?}");
        let Some(last) = truth.last() else { return 1.0 };
        let slack = |key: f64| 1e-4 * key.abs().max(1.0);
        let mut hits = 0;
        for found in answer {
            let row = found.id as usize;
            assert!(row < self.len() && may(row), "row {row} must not be returned");
            let key = self.key(query, row);
            assert!((f64::from(found.key) - key).abs() <= slack(key), "row {row} has key {key}, not {}", found.key);
            assert_eq!(
                (found.key + 0.0).to_bits(),
                self.pair(query, row).to_bits(),
                "row {row} has another key than its pair"
            );
            hits += usize::from(key <= last + slack(*last));
        }
        hits as f64 / truth.len() as f64
    }
}

/// Every pair of element type and metric that an index type takes.
pub(super) fn supported(factory: &dyn IndexFactory) -> Vec<(ElementType, Metric)> {
    let all = elanus_kernels::ELEMENTS.iter().flat_map(|e| elanus_kernels::METRICS.iter().map(|m| (*e, *m)));
    all.filter(|(element, metric)| factory.supports(*element, *metric)).collect()
}

/// The spec of a fixture with default parameters.
pub(super) fn spec_of(factory: &'static dyn IndexFactory, fixture: &Fixture) -> Spec {
    Spec::new(factory, fixture.element, fixture.dim, fixture.metric, Vec::new()).expect("defaults are taken")
}

/// Builds with default parameters on so many threads; with none of them on the calling one.
///
/// # Panics
/// When the build fails.
pub fn build_on(
    threads: usize,
    factory: &'static dyn IndexFactory,
    fixture: &Fixture,
    present: Option<BitmapView<'_>>,
) -> Box<dyn Index> {
    let pool = (threads > 0).then(|| ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start"));
    let cx = BuildCx { pool: pool.as_ref(), seed: 42, cancel: &Cancel::new(), progress: &no_progress };
    factory.build(&spec_of(factory, fixture), fixture.rows(), present, &cx).expect("the build succeeds")
}

/// What a search is asked in the suite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) query: usize,
    pub(super) k: usize,
    pub(super) filter: Option<BitmapView<'a>>,
    pub(super) range: KeyRange,
}

/// Searches with default parameters.
pub(super) fn ask(
    index: &dyn Index,
    fixture: &Fixture,
    ask: Ask<'_>,
    scratch: &mut Scratch,
) -> Result<(Vec<Neighbor>, Stats), SearchError> {
    let params = crate::parse(index.factory().params(), Stage::Search, &[]).expect("defaults are taken");
    let Ask { query, k, filter, range } = ask;
    let search = Search { k, params: &params, filter, range, cancel: &Cancel::new() };
    let mut out = TopK::new(k);
    let stats = index.search(fixture.rows(), fixture.query(query), &search, scratch, &mut out)?;
    Ok((out.into_sorted(), stats))
}

/// Searches for a query of a fixture with default parameters and returns the answer.
///
/// # Panics
/// When the search fails.
pub fn search_with(
    index: &dyn Index,
    fixture: &Fixture,
    query: usize,
    k: usize,
    filter: Option<BitmapView<'_>>,
    range: KeyRange,
) -> Vec<Neighbor> {
    let asked = Ask { query, k, filter, range };
    ask(index, fixture, asked, &mut Scratch::new()).expect("the search succeeds").0
}
