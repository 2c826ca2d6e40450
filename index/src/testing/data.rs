//! Made-up vectors, a plain reference over them, and short ways to build and search.

use elanus_kernels::rng::Rng;
use elanus_kernels::{
    AnyRows, Bf16, Binary, BitmapView, Element, ElementType, F16, Kernel, Metric, Neighbor, Number, Rows, TopK, U4,
    Vector, with_element,
};
use rayon::ThreadPoolBuilder;
use std::cell::RefCell;
use std::sync::Arc;

use crate::gpu::Device;
use crate::{
    BuildCx, Cancel, Index, IndexFactory, KeyRange, Scratch, Search, SearchError, Spec, Stage, Stats, no_progress,
};

/// Values of one element type.
#[derive(Clone, Debug)]
enum Values {
    F32(Vec<f32>),
    F16(Vec<F16>),
    Bf16(Vec<Bf16>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    U4(Vec<U4>),
    Binary(Vec<Binary>),
}

impl Values {
    /// Numbers of about unit size as units of `element`, one for one; bytes are spread over their range.
    fn of(element: ElementType, values: &[f32]) -> Self {
        fn numbers<E: Number>(values: &[f32]) -> Vec<E> {
            values.iter().map(|value| E::from_f32(*value)).collect()
        }
        let bytes = || values.iter().map(|value| u8::from_f32(value * 32.0 + 128.0));
        match element {
            ElementType::F32 => Self::F32(values.to_vec()),
            ElementType::F16 => Self::F16(numbers(values)),
            ElementType::Bf16 => Self::Bf16(numbers(values)),
            ElementType::I8 => Self::I8(values.iter().map(|value| i8::from_f32(value * 32.0)).collect()),
            ElementType::U8 => Self::U8(bytes().collect()),
            ElementType::U4 => Self::U4(bytes().map(U4).collect()),
            ElementType::Binary => Self::Binary(bytes().map(Binary).collect()),
        }
    }

    fn rows(&self, dim: usize) -> AnyRows<'_> {
        fn view<E: Element>(values: &[E], dim: usize) -> AnyRows<'_> {
            Rows::new(values, dim).expect("whole rows").into()
        }
        match self {
            Self::F32(values) => view(values, dim),
            Self::F16(values) => view(values, dim),
            Self::Bf16(values) => view(values, dim),
            Self::I8(values) => view(values, dim),
            Self::U8(values) => view(values, dim),
            Self::U4(values) => view(values, dim),
            Self::Binary(values) => view(values, dim),
        }
    }

    /// Every component, after rounding to the element type.
    fn exact(&self) -> Vec<f64> {
        fn numbers<E: Number>(values: &[E]) -> Vec<f64> {
            values.iter().map(|value| f64::from(value.to_f32())).collect()
        }
        match self {
            Self::F32(values) => numbers(values),
            Self::F16(values) => numbers(values),
            Self::Bf16(values) => numbers(values),
            Self::I8(values) => numbers(values),
            Self::U8(values) => numbers(values),
            Self::U4(values) => values.iter().flat_map(|pair| pair.values()).map(f64::from).collect(),
            Self::Binary(values) => {
                values.iter().flat_map(|byte| (0..8).map(|bit| f64::from(byte.0 >> bit & 1))).collect()
            }
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
        self.queries().len()
    }

    /// A query.
    pub fn query(&self, i: usize) -> Vector<'_> {
        self.queries.rows(self.dim).row(i)
    }

    /// All queries.
    pub fn queries(&self) -> AnyRows<'_> {
        self.queries.rows(self.dim)
    }

    /// The key between a query and a row by the definition of the metric.
    pub fn key(&self, query: usize, row: usize) -> f64 {
        let components = self.dim * self.element.components();
        let query = &self.exact_queries[query * components..][..components];
        let row = &self.exact_rows[row * components..][..components];
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let differing = || query.iter().zip(row).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        // Of sets of one bits.
        let union = product(query, query) + product(row, row) - product(query, row);
        match self.metric {
            Metric::L2 | Metric::Hamming => differing(),
            Metric::Ip => -product(query, row),
            Metric::Cosine => {
                let norms = (product(query, query) * product(row, row)).sqrt();
                if norms == 0.0 { 0.0 } else { -product(query, row) / norms }
            }
            Metric::Jaccard if union == 0.0 => 0.0,
            Metric::Jaccard => 1.0 - product(query, row) / union,
            Metric::Tanimoto if union == 0.0 => -1.0,
            Metric::Tanimoto => -product(query, row) / union,
            Metric::Substructure => f64::from(product(query, row) < product(row, row)),
            Metric::Superstructure => f64::from(product(query, row) < product(query, query)),
            Metric::MhJaccard => {
                let words = query.chunks(32).zip(row.chunks(32));
                words.clone().filter(|(a, b)| a != b).count() as f64 / words.count() as f64
            }
        }
    }

    /// The key between a query and a row by the kernels.
    pub(super) fn pair(&self, query: usize, row: usize) -> f32 {
        let (query, rows) = (self.query(query), self.rows());
        let key = with_element!(Vector, query, query => {
            let rows = rows.typed().expect("rows and queries are of one type");
            Kernel::new(self.metric).expect("a kernel can be had").pair(query, rows.row(row))
        });
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
    let device = device();
    let (cancel, progress) = (&Cancel::new(), &no_progress);
    let cx = BuildCx { pool: pool.as_ref(), seed: 42, cancel, progress, device: device.as_ref() };
    factory.build(&spec_of(factory, fixture), fixture.rows(), present, &cx).expect("the build succeeds")
}

thread_local! {
    static DEVICE: RefCell<Option<Arc<Device>>> = const { RefCell::new(None) };
}

/// Runs part of the suite with a device: indexes that are built or opened meanwhile on this thread have it.
pub fn with_device<T>(device: &Arc<Device>, run: impl FnOnce() -> T) -> T {
    let before = DEVICE.replace(Some(Arc::clone(device)));
    let result = run();
    DEVICE.set(before);
    result
}

/// The device of [`with_device`].
pub(super) fn device() -> Option<Arc<Device>> {
    DEVICE.with_borrow(Clone::clone)
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
    let queries = fixture.queries().slice(query..query + 1);
    let by_device = index.search_on_device(fixture.rows(), queries, &search, std::slice::from_mut(&mut out));
    let stats = by_device.unwrap_or_else(|| {
        assert!(out.is_empty() && out.k() == k, "a device that did not answer leaves the holder as it was");
        index.search(fixture.rows(), fixture.query(query), &search, scratch, &mut out)
    })?;
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
