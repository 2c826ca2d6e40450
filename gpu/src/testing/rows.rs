//! Scans, assignments and blocks of distances over vectors, of random shapes and of those that go wrong first.
use std::sync::Arc;

use elanus_kernels::backend::{Backend, Corpus, Cpu, Find, Queries, Resident};
use elanus_kernels::rng::Rng;
use elanus_kernels::{
    AnyRows, Bf16, Binary, Bitmap, Element, ElementType, F16, KeyRange, Metric, Number, Rows, TopK, U4,
};

use super::Extent;
use super::compare::{self, Squares};

/// Shapes that are always run: queries, rows, dimension (in units), k.
const ALWAYS: &[(usize, usize, usize, usize)] = &[
    (1, 1, 1, 1),
    (1, 0, 3, 4),
    (3, 2, 5, 10),
    (1, 300, 7, 300),
    (2, 1000, 33, 1000),
    (33, 65, 31, 1),
    (1, 5000, 16, 10),
    (129, 257, 63, 12),
    (5, 40, 1537, 40),
];

/// One question: a corpus, queries, which rows, how many.
struct Case<'a> {
    rows: AnyRows<'a>,
    queries: AnyRows<'a>,
    metric: Metric,
    k: usize,
    keep: Option<Bitmap>,
    range: KeyRange,
}

/// Runs every shape and returns how many answers were compared.
pub(super) fn check(backend: &dyn Backend, element: ElementType, metric: Metric, extent: &Extent) -> usize {
    match element {
        ElementType::F32 => numbers::<f32>(backend, metric, extent),
        ElementType::F16 => numbers::<F16>(backend, metric, extent),
        ElementType::Bf16 => numbers::<Bf16>(backend, metric, extent),
        ElementType::I8 => units(backend, metric, extent, |rng| rng.next_u64() as i8, whole),
        ElementType::U8 => units(backend, metric, extent, |rng| rng.next_u64() as u8, whole),
        ElementType::U4 => units(backend, metric, extent, |rng| U4(rng.next_u64() as u8), |_| 0.0),
        ElementType::Binary => units(backend, metric, extent, |rng| Binary(rng.next_u64() as u8), |_| 0.0),
    }
}

/// The squared length of a row.
fn whole<E: Number>(row: &[E]) -> f32 {
    row.iter().map(|value| value.to_f32() * value.to_f32()).sum()
}

fn numbers<E: Number>(backend: &dyn Backend, metric: Metric, extent: &Extent) -> usize {
    // A tenth of the components is 0 and a few are large, as in real embeddings.
    let draw = |rng: &mut Rng| match rng.below(20) {
        0 | 1 => E::from_f32(0.0),
        2 => E::from_f32(8.0 * rng.normal()),
        _ => E::from_f32(rng.normal()),
    };
    units(backend, metric, extent, draw, whole)
}

fn units<E: Element>(
    backend: &dyn Backend,
    metric: Metric,
    extent: &Extent,
    draw: impl Fn(&mut Rng) -> E,
    square: impl Fn(&[E]) -> f32,
) -> usize {
    let mut rng = Rng::new(extent.seed);
    let mut compared = 0;
    for number in 0..extent.shapes.max(ALWAYS.len()) {
        let (query_count, row_count, dim, k) = ALWAYS.get(number).copied().unwrap_or_else(|| shape(&mut rng, extent));
        // MinHash signatures are words of four bytes.
        let dim = if metric == Metric::MhJaccard { dim.next_multiple_of(4) } else { dim };
        let values: Vec<E> = (0..row_count * dim).map(|_| draw(&mut rng)).collect();
        let mut asked: Vec<E> = (0..query_count * dim).map(|_| draw(&mut rng)).collect();
        // Some queries stand in the corpus, so that distances of 0 and ties occur.
        if row_count > 0 && number % 3 == 0 {
            asked[..dim].copy_from_slice(&values[..dim]);
        }
        let rows = Rows::new(&values, dim).expect("whole rows");
        let queries = Rows::new(&asked, dim).expect("whole rows");
        let keep = filter(&mut rng, row_count, number);
        let case = Case { rows: rows.into(), queries: queries.into(), metric, k, keep, range: KeyRange::ALL };
        let squares =
            Squares { queries: queries.iter().map(&square).collect(), rows: rows.iter().map(&square).collect() };
        compared += case.check(backend, &squares, number);
    }
    compared
}

fn shape(rng: &mut Rng, extent: &Extent) -> (usize, usize, usize, usize) {
    // Mostly small, with a large one now and then.
    let mut draw = |one_in: u64, large: u64, small: u64| {
        let most = if rng.below(one_in) == 0 { large } else { small };
        1 + rng.below(most) as usize
    };
    let (dim, queries, k) = (draw(4, 1_100, 200), draw(3, 300, 8), draw(8, 700, 40));
    let most = (extent.work / dim / queries).max(2) as u64;
    let rows = rng.below(most.min(30_000)) as usize;
    (queries, rows, dim, k)
}

/// No filter, one of half the rows, of few, of none, of a clump.
fn filter(rng: &mut Rng, rows: usize, number: usize) -> Option<Bitmap> {
    match number % 7 {
        1 => Some(Bitmap::from_fn(rows, |_| rng.below(2) == 0)),
        2 => Some(Bitmap::from_fn(rows, |_| rng.below(50) == 0)),
        3 if number.is_multiple_of(2) => Some(Bitmap::new(rows)),
        4 => Some(Bitmap::from_fn(rows, |row| row > rows / 2)),
        _ => None,
    }
}

impl Case<'_> {
    fn check(&self, backend: &dyn Backend, squares: &Squares, number: usize) -> usize {
        let about = format!(
            "{} over {}: shape {number} of {} queries, {} rows, dimension {}, k = {}, {} kept",
            self.metric,
            self.rows.element(),
            self.queries.len(),
            self.rows.len(),
            self.rows.dim(),
            self.k,
            self.keep.as_ref().map_or(self.rows.len(), Bitmap::count_ones),
        );
        let (cpu, loose) = (Cpu::new(), self.loose(squares));
        let upload = |backend: &dyn Backend| match backend.upload(Corpus::Rows(self.rows)) {
            Ok(held) => held,
            Err(error) => panic!("{about}: upload: {error}"),
        };
        let (held, oracle) = (upload(backend), upload(&cpu));
        assert_eq!((held.len(), held.kind()), (oracle.len(), oracle.kind()), "{about}");
        let mut all = vec![0.0; self.queries.len() * self.rows.len()];
        let done = cpu.distances(self.queries, oracle.as_ref(), self.metric, &mut all);
        assert_eq!(done, Ok(()), "{about}");
        let want = self.found(&cpu, &oracle, &about);
        let got = self.found(backend, &held, &about);
        compare::lists(&about, &got, &want, &all, self.rows.len(), self.keep.as_ref(), &loose);
        let mut keys = vec![0.0; all.len()];
        let done = backend.distances(self.queries, held.as_ref(), self.metric, &mut keys);
        assert_eq!(done, Ok(()), "{about}: distances");
        compare::keys(&about, &keys, &all, &loose);
        if !self.rows.is_empty() {
            let (mut nearest, mut keys) = (vec![u32::MAX; self.queries.len()], vec![0.0; self.queries.len()]);
            let done = backend.assign(self.queries, held.as_ref(), self.metric, &mut nearest, &mut keys);
            assert_eq!(done, Ok(()), "{about}: assign");
            compare::nearest(&about, &nearest, &keys, &all, self.rows.len(), &loose);
        }
        got.iter().map(Vec::len).sum::<usize>() + keys.len()
    }

    /// By how much keys may differ, for each query against the longest row.
    fn loose(&self, squares: &Squares) -> Vec<f32> {
        squares.tolerances(self.rows.element(), self.metric, self.rows.dim())
    }

    fn found(&self, backend: &dyn Backend, held: &Arc<dyn Resident>, about: &str) -> Vec<Vec<(u32, f32)>> {
        let find = Find { metric: self.metric, keep: self.keep.as_ref().map(Bitmap::view), range: self.range };
        let mut out: Vec<TopK> = (0..self.queries.len()).map(|_| TopK::new(self.k)).collect();
        if let Err(error) = backend.scan(Queries::Rows(self.queries), held.as_ref(), &find, &mut out) {
            panic!("{about}: scan: {error}");
        }
        out.into_iter().map(|top| top.into_sorted().iter().map(|one| (one.id, one.key)).collect()).collect()
    }
}
