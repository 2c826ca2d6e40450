//! Vectors as the programs read them, and the squares and keys of selected candidates.
use elanus_kernels::backend::tolerance;
use elanus_kernels::rng::Rng;
use elanus_kernels::{Bf16, Binary, Element, F16, Kernel, Metric, Number, Rows};
use elanus_shaders::cuda::{QUERY_PADDING, entry};

use super::library::{Emulator, Memory};
use super::{SHAPES, emulator};

/// An element type that there are programs for.
pub(crate) trait Unit: Element {
    const NAME: &'static str;
    const METRICS: &'static [Metric];

    fn draw(rng: &mut Rng) -> Self;
    fn write(self, bytes: &mut Vec<u8>);
    fn magnitude(row: &[Self]) -> f64;
}

/// A tenth of the components is 0 and a few are large, as in real embeddings.
fn number<E: Number>(rng: &mut Rng) -> E {
    match rng.below(20) {
        0 | 1 => E::from_f32(0.0),
        2 => E::from_f32(8.0 * rng.normal()),
        _ => E::from_f32(rng.normal()),
    }
}

fn square<E: Number>(row: &[E]) -> f64 {
    row.iter().map(|value| f64::from(value.to_f32()).powi(2)).sum()
}

macro_rules! unit {
    ($type:ty, $name:literal, $metrics:expr, $draw:expr, $bytes:expr, $square:expr) => {
        impl Unit for $type {
            const NAME: &'static str = $name;
            const METRICS: &'static [Metric] = $metrics;

            fn draw(rng: &mut Rng) -> Self {
                $draw(rng)
            }

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&$bytes(self));
            }

            fn magnitude(row: &[Self]) -> f64 {
                $square(row)
            }
        }
    };
}
const DENSE: &[Metric] = &[Metric::L2, Metric::Ip, Metric::Cosine];
unit!(f32, "f32", DENSE, number, |value: f32| value.to_le_bytes(), square);
unit!(F16, "f16", DENSE, number, |value: F16| value.0.to_le_bytes(), square);
unit!(Bf16, "bf16", DENSE, number, |value: Bf16| value.0.to_le_bytes(), square);
unit!(i8, "i8", DENSE, |rng: &mut Rng| rng.next_u64() as i8, |value: i8| value.to_le_bytes(), square);
unit!(
    Binary,
    "binary",
    &[Metric::Hamming, Metric::Jaccard],
    |rng: &mut Rng| Binary(rng.next_u64() as u8),
    |value: Binary| [value.0],
    |row: &[Binary]| row.iter().map(|byte| f64::from(byte.0.count_ones())).sum()
);

/// The metric as the programs number it.
pub(crate) fn code(metric: Metric) -> u32 {
    let all = [Metric::L2, Metric::Ip, Metric::Cosine, Metric::Hamming, Metric::Jaccard];
    all.iter().position(|one| *one == metric).unwrap() as u32
}

/// Rows on the processor and in the emulator's memory.
#[derive(Debug)]
pub(crate) struct Vectors<E> {
    pub(crate) values: Vec<E>,
    pub(crate) dim: usize,
    pub(crate) row_bytes: u32,
    pub(crate) device: Memory<u8>,
    pub(crate) squares: Memory<f32>,
}

impl<E: Unit> Vectors<E> {
    /// `padding` is what the number of rows in memory is a multiple of.
    pub(crate) fn new(emulator: &'static Emulator, values: Vec<E>, dim: usize, padding: usize) -> Self {
        let row_bytes = (dim * size_of::<E>()).next_multiple_of(16);
        let len = values.len() / dim;
        let mut bytes = Vec::new();
        for (i, row) in values.chunks_exact(dim).enumerate() {
            row.iter().for_each(|value| value.write(&mut bytes));
            bytes.resize((i + 1) * row_bytes, 0);
        }
        bytes.resize(len.next_multiple_of(padding) * row_bytes, 0);
        let device = emulator.upload(&bytes);
        let squares = emulator.allocate::<f32>(len);
        let args = SquaresArgs {
            rows: device.pointer(),
            squares: squares.pointer(),
            count: len as u64,
            units: dim as u32,
            row_bytes: row_bytes as u32,
        };
        let entry = entry(&format!("squares_{}", E::NAME)).unwrap();
        let grid = [(len as u32).div_ceil(entry.row_tile).max(1), 1];
        // SAFETY: the args are those of the entry, and the memory lives on.
        unsafe { emulator.launch(entry, grid, &args) }.unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        Self { values, dim, row_bytes: row_bytes as u32, device, squares }
    }

    pub(crate) fn random(emulator: &'static Emulator, rng: &mut Rng, len: usize, dim: usize, padding: usize) -> Self {
        let values = (0..len * dim).map(|_| E::draw(rng)).collect();
        Self::new(emulator, values, dim, padding)
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    pub(crate) fn rows(&self) -> Rows<'_, E> {
        Rows::new(&self.values, self.dim).unwrap()
    }

    pub(crate) fn row(&self, i: usize) -> &[E] {
        &self.values[i * self.dim..][..self.dim]
    }
}

/// By how much the key of a pair may be off.
pub(crate) fn loose<E: Unit>(metric: Metric, a: &[E], b: &[E]) -> f32 {
    let dim = a.len();
    tolerance(E::TYPE, metric, dim, E::magnitude(a) as f32, E::magnitude(b) as f32)
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct SquaresArgs {
    rows: *const u8,
    squares: *mut f32,
    count: u64,
    units: u32,
    row_bytes: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct RescoreArgs {
    rows: *const u8,
    queries: *const u8,
    candidates: *const u64,
    counts: *const u32,
    keys: *mut f32,
    key_stride: u64,
    query_count: u32,
    capacity: u32,
    units: u32,
    row_bytes: u32,
    metric: u32,
}

fn squares<E: Unit>(seed: u64) {
    let Some(emulator) = emulator() else { return };
    let mut rng = Rng::new(seed);
    for shape in 0..SHAPES {
        emulator.seed(shape);
        let (len, dim) = (1 + rng.below(60) as usize, 1 + rng.below(if shape % 5 == 0 { 3000 } else { 100 }) as usize);
        let vectors = Vectors::<E>::random(emulator, &mut rng, len, dim, 1);
        for (i, got) in vectors.squares.as_slice().iter().enumerate() {
            let want = E::magnitude(vectors.row(i));
            let got = if matches!(E::NAME, "i8" | "binary") { f64::from(got.to_bits()) } else { f64::from(*got) };
            let loose = if matches!(E::NAME, "i8" | "binary") { 0.0 } else { want * 1e-5 };
            assert!((got - want).abs() <= loose, "{}: row {i} of {len}, dimension {dim}: {got}, not {want}", E::NAME);
        }
    }
}

#[test]
fn squares_are_the_sums_of_squares() {
    squares::<f32>(1);
    squares::<F16>(2);
    squares::<Bf16>(3);
    squares::<i8>(4);
    squares::<Binary>(5);
}

fn rescore<E: Unit>(seed: u64) {
    let Some(emulator) = emulator() else { return };
    let mut rng = Rng::new(seed);
    let entry = entry(&format!("rescore_{}", E::NAME)).unwrap();
    for shape in 0..SHAPES {
        emulator.seed(shape);
        let dim = 1 + rng.below(if shape % 5 == 0 { 2000 } else { 100 }) as usize;
        let (len, query_count) = (1 + rng.below(40) as usize, 1 + rng.below(5) as usize);
        let mut rows = Vectors::<E>::random(emulator, &mut rng, len, dim, 1);
        if shape.is_multiple_of(3) {
            rows.values[..dim].fill(E::default());
            rows = Vectors::new(emulator, rows.values, dim, 1);
        }
        let mut asked: Vec<E> = (0..query_count * dim).map(|_| E::draw(&mut rng)).collect();
        asked[..dim].copy_from_slice(rows.row(len - 1));
        let queries = Vectors::new(emulator, asked, dim, QUERY_PADDING as usize);
        let metric = E::METRICS[shape as usize % E::METRICS.len()];
        let (capacity, k) = (32, 1 + rng.below(32) as u32);
        let counts: Vec<u32> = (0..query_count).map(|_| rng.below(u64::from(k) + 1) as u32).collect();
        let packed: Vec<u64> = (0..query_count * capacity as usize).map(|_| rng.below(len as u64) | 7 << 40).collect();
        let (candidates, counted) = (emulator.upload(&packed), emulator.upload(&counts));
        let key_stride = u64::from(k) + 3;
        let keys = emulator.allocate::<f32>(query_count * key_stride as usize);
        let args = RescoreArgs {
            rows: rows.device.pointer(),
            queries: queries.device.pointer(),
            candidates: candidates.pointer(),
            counts: counted.pointer(),
            keys: keys.pointer(),
            key_stride,
            query_count: query_count as u32,
            capacity,
            units: dim as u32,
            row_bytes: rows.row_bytes,
            metric: code(metric),
        };
        let grid = [k.div_ceil(entry.row_tile), query_count as u32];
        // SAFETY: the args are those of the entry, and the memory lives on.
        unsafe { emulator.launch(entry, grid, &args) }.unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        let kernel = Kernel::new(metric).unwrap();
        for query in 0..query_count {
            for place in 0..key_stride as usize {
                let got = keys.as_slice()[query * key_stride as usize + place];
                if place >= counts[query] as usize {
                    assert!(got.is_nan(), "{}: a key where there is no candidate", entry.name);
                    continue;
                }
                let row = rows.row(packed[query * capacity as usize + place] as u32 as usize);
                let (want, loose) = (kernel.pair(queries.row(query), row), loose(metric, queries.row(query), row));
                assert!((got - want).abs() <= loose, "{}: {metric}: {got}, not {want}", entry.name);
                assert!(metric != Metric::L2 || want != 0.0 || got == 0.0, "{}: itself at {got}", entry.name);
            }
        }
    }
}

#[test]
fn candidates_get_the_keys_of_their_vectors() {
    rescore::<f32>(11);
    rescore::<F16>(12);
    rescore::<Bf16>(13);
}
