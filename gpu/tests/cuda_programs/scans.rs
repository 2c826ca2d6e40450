//! Scans in all modes.
use std::collections::BTreeSet;

use elanus_kernels::backend::{pack, unpack};
use elanus_kernels::rng::Rng;
use elanus_kernels::{Bf16, Binary, F16, Kernel, Metric};
use elanus_shaders::cuda::{Entry, QUERY_PADDING, entry};

use super::library::{Emulator, Memory};
use super::vectors::{Unit, Vectors, code, loose};
use super::{SHAPES, emulator};

const CANDIDATES: u32 = 0;
const NEAREST: u32 = 1;
const STORE: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct ScanArgs {
    rows: *const u8,
    queries: *const u8,
    row_squares: *const f32,
    query_squares: *const f32,
    keep: *const u32,
    lower: *const u64,
    bound: *mut u64,
    candidates: *mut u64,
    counts: *mut u32,
    keys: *mut f32,
    key_stride: u64,
    query_count: u32,
    first: u32,
    stride: u32,
    count: u32,
    units: u32,
    row_bytes: u32,
    capacity: u32,
    metric: u32,
    mode: u32,
}

/// One scan: what is searched, and which rows.
struct Case<E> {
    emulator: &'static Emulator,
    entry: &'static Entry,
    rows: Vectors<E>,
    queries: Vectors<E>,
    metric: Metric,
    keep: Option<Vec<bool>>,
    first: u32,
    stride: u32,
    count: u32,
    about: String,
}

impl<E: Unit> Case<E> {
    fn random(emulator: &'static Emulator, entry: &'static Entry, rng: &mut Rng, shape: u64) -> Self {
        let many = entry.name.contains("many");
        // So many that the sums are rounded when they become keys.
        let long = matches!((E::NAME, shape % 20), ("i8", 13) | ("binary", 11));
        let most = if long { 32_000 } else { [600, 70, 70, 70, 70, 3000][shape as usize % 6] };
        let dim = if long { 20_000 } else { 0 } + 1 + rng.below(most - if long { 20_000 } else { 0 }) as usize;
        let len = 1 + rng.below(if dim > 600 { 40 } else { [1, 20, 150, 700][shape as usize % 4] }) as usize;
        let most = if many { [2, 140, 300] } else { [1, 9, 70] }[shape as usize % 3];
        let query_count = 1 + rng.below(if dim > 600 { 10 } else { most }) as usize;
        let mut values = draw::<E>(rng, shape, len, dim, &[]);
        if shape.is_multiple_of(3) {
            // A vector without a length, and two that are equal.
            values[..dim].fill(E::default());
            let (from, to) = (rng.below(len as u64) as usize * dim, rng.below(len as u64) as usize * dim);
            values.copy_within(from..from + dim, to);
        }
        let mut asked = draw::<E>(rng, shape, query_count, dim, &values[(len - 1) * dim..]);
        if shape.is_multiple_of(2) {
            asked[..dim].copy_from_slice(&values[(len - 1) * dim..]);
        }
        let rows = Vectors::new(emulator, values, dim, 1);
        let queries = Vectors::new(emulator, asked, dim, QUERY_PADDING as usize);
        let keep = match rng.below(4) {
            0 => Some((0..len).map(|_| rng.below(3) == 0).collect()),
            1 => Some((0..len).map(|row| row > len / 2).collect()),
            _ => None,
        };
        let first = if rng.below(2) == 0 { 0 } else { rng.below(len as u64) as u32 };
        let stride = if rng.below(2) == 0 { 1 } else { 1 + rng.below(7) as u32 };
        let count = (len as u32 - first).div_ceil(stride);
        let count = if rng.below(3) == 0 { rng.below(u64::from(count) + 1) as u32 } else { count };
        let metric = E::METRICS[rng.below(E::METRICS.len() as u64) as usize];
        let name = entry.name;
        let about = format!(
            "{name}, shape {shape}: {metric}, {query_count} queries, {len} rows, dimension {dim}, {first} + {stride} i, \
             {count}, filter: {}",
            keep.is_some()
        );
        Self { emulator, entry, rows, queries, metric, keep, first, stride, count, about }
    }

    fn row(&self, i: usize) -> u32 {
        self.first + i as u32 * self.stride
    }

    fn admits(&self, i: usize) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep[self.row(i) as usize])
    }

    /// Runs the program in a mode, with what that mode writes.
    fn run(&self, mode: u32, rng: &mut Rng, written: &mut Written) {
        let words = self.keep.as_ref().map(|keep| {
            let mut words = vec![0_u32; keep.len().div_ceil(32)];
            for (row, _) in keep.iter().enumerate().filter(|(_, kept)| **kept) {
                words[row / 32] |= 1 << (row % 32);
            }
            self.emulator.upload(&words)
        });
        let squared = !matches!(self.metric, Metric::Ip | Metric::Hamming);
        let args = ScanArgs {
            rows: self.rows.device.pointer(),
            queries: self.queries.device.pointer(),
            row_squares: if squared { self.rows.squares.pointer() } else { std::ptr::null() },
            query_squares: if squared { self.queries.squares.pointer() } else { std::ptr::null() },
            keep: words.as_ref().map_or(std::ptr::null(), |words| words.pointer()),
            lower: written.lower.pointer(),
            bound: written.bound.pointer(),
            candidates: written.candidates.pointer(),
            counts: written.counts.pointer(),
            keys: written.keys.pointer(),
            key_stride: written.key_stride as u64,
            query_count: self.queries.len() as u32,
            first: self.first,
            stride: self.stride,
            count: self.count,
            units: self.rows.dim as u32,
            row_bytes: self.rows.row_bytes,
            capacity: written.capacity as u32,
            metric: code(self.metric),
            mode,
        };
        let tiles = self.count.div_ceil(self.entry.row_tile).max(1);
        let groups = args.query_count.div_ceil(self.entry.query_tile);
        // A grid with a block for each tile, or any other.
        let grid = if rng.below(2) == 0 { [tiles, groups] } else { [1 + rng.below(4) as u32, 1 + rng.below(2) as u32] };
        // SAFETY: the args are those of the entry, and the memory lives on.
        let done = unsafe { self.emulator.launch(self.entry, grid, &args) };
        done.unwrap_or_else(|error| panic!("{}: {error}", self.about));
    }

    /// The program's own keys, which have to be near the processor's.
    fn keys(&self, rng: &mut Rng) -> Vec<f32> {
        let (query_count, count) = (self.queries.len(), self.count as usize);
        let mut written = Written::new(self.emulator, query_count, 1, count + rng.below(3) as usize);
        self.run(STORE, rng, &mut written);
        let mut want = vec![0.0; query_count * self.rows.len()];
        Kernel::new(self.metric).unwrap().tile(self.queries.rows(), self.rows.rows(), &mut want);
        let mut keys = Vec::new();
        for query in 0..query_count {
            let stored = &written.keys.as_slice()[query * written.key_stride..][..written.key_stride];
            for (i, got) in stored[..count].iter().enumerate() {
                let row = self.row(i) as usize;
                let want = want[query * self.rows.len() + row];
                let loose = loose(self.metric, self.queries.row(query), self.rows.row(row));
                let about = &self.about;
                assert!((got - want).abs() <= loose, "{about}: query {query}, row {row}: {got}, not {want}");
                if matches!(E::NAME, "i8" | "binary") {
                    assert_eq!(*got, want, "{about}: query {query}, row {row}");
                }
            }
            assert!(stored[count..].iter().all(|key| key.is_nan()), "{}: a key beyond the rows", self.about);
            keys.extend_from_slice(&stored[..count]);
        }
        assert!(written.counts.as_slice().iter().all(|count| *count == 0), "{}", self.about);
        keys
    }

    /// Candidates are the rows whose keys are within the bounds, all of them.
    fn candidates(&self, rng: &mut Rng, keys: &[f32]) {
        let (query_count, count) = (self.queries.len(), self.count as usize);
        let capacity = 1 + rng.below(count as u64 + 10) as usize;
        let mut written = Written::new(self.emulator, query_count, capacity, 0);
        let mut want = Vec::new();
        for query in 0..query_count {
            let packed: Vec<u64> = (0..count).map(|i| pack(keys[query * count + i], self.row(i))).collect();
            let any = |rng: &mut Rng| packed.get(rng.below(count.max(1) as u64) as usize).copied().unwrap_or(0);
            let bound = if rng.below(3) == 0 { u64::MAX } else { any(rng).saturating_add(rng.below(2)) };
            let lower = if rng.below(3) == 0 { any(rng) } else { 0 };
            written.bound.as_mut_slice()[query] = bound;
            written.lower.as_mut_slice()[query] = lower;
            let within = |one: u64| one >= lower && one < bound;
            let admitted = (0..count).filter(|i| self.admits(*i)).map(|i| packed[i]).filter(|one| within(*one));
            want.push(admitted.collect::<BTreeSet<u64>>());
        }
        // The list may hold candidates of an earlier pass.
        let held = rng.below(2) as u32;
        written.counts.as_mut_slice().fill(held);
        self.run(CANDIDATES, rng, &mut written);
        for (query, want) in want.iter().enumerate() {
            let about = format!("{}: query {query}, capacity {capacity}", self.about);
            assert_eq!(written.counts.as_slice()[query] as usize, want.len() + held as usize, "{about}: the count");
            let found = (want.len() + held as usize).min(capacity);
            let list = &written.candidates.as_slice()[query * capacity..][..capacity];
            let got: BTreeSet<u64> = list[(held as usize).min(found)..found].iter().copied().collect();
            assert_eq!(got.len(), found - (held as usize).min(found), "{about}: one twice");
            assert!(got.is_subset(want), "{about}: {:?}", got.difference(want).map(|one| unpack(*one)).next());
            assert!(list[found..].iter().all(|one| *one == u64::MAX), "{about}: one beyond the count");
        }
    }

    /// The smallest key of all rows, if it is below what is there.
    fn nearest(&self, rng: &mut Rng, keys: &[f32]) {
        let (query_count, count) = (self.queries.len(), self.count as usize);
        let mut written = Written::new(self.emulator, query_count, 1, 0);
        let before: Vec<u64> =
            (0..query_count).map(|_| if rng.below(3) == 0 { pack(0.0, 5) } else { u64::MAX }).collect();
        written.bound.as_mut_slice().copy_from_slice(&before);
        self.run(NEAREST, rng, &mut written);
        for query in 0..query_count {
            let kept = (0..count).filter(|i| self.admits(*i));
            let least = kept.map(|i| pack(keys[query * count + i], self.row(i))).fold(before[query], u64::min);
            let got = written.bound.as_slice()[query];
            let about = format!("{}: query {query}", self.about);
            assert_eq!(got >> 32, least >> 32, "{about}: {:?}, not {:?}", unpack(got), unpack(least));
            // Rounding makes one key of different sums, and then any of the rows will do.
            let own = (0..count).any(|i| self.admits(i) && pack(keys[query * count + i], self.row(i)) == got);
            assert!(got == before[query] || own, "{about}: row {} does not have the key", got as u32);
            if matches!(E::NAME, "i8" | "binary") {
                assert_eq!(got, least, "{about}");
            }
        }
    }
}

/// Vectors at random; or all near to one, so that much cancels; or of few units that are not 0.
fn draw<E: Unit>(rng: &mut Rng, shape: u64, len: usize, dim: usize, near: &[E]) -> Vec<E> {
    let mut values: Vec<E> = (0..len * dim).map(|_| E::draw(rng)).collect();
    match shape % 5 {
        0 => {
            let first = if near.is_empty() { values[..dim].to_vec() } else { near.to_vec() };
            for row in values.chunks_exact_mut(dim) {
                let (at, drawn) = (rng.below(dim as u64) as usize, row[0]);
                row.copy_from_slice(&first);
                row[at] = drawn;
            }
        }
        1 => values.iter_mut().filter(|_| rng.below(40) != 0).for_each(|value| *value = E::default()),
        _ => {}
    }
    values
}

/// What scans read and write beside the vectors.
struct Written {
    lower: Memory<u64>,
    bound: Memory<u64>,
    candidates: Memory<u64>,
    counts: Memory<u32>,
    keys: Memory<f32>,
    key_stride: usize,
    capacity: usize,
}

impl Written {
    fn new(emulator: &'static Emulator, query_count: usize, capacity: usize, key_stride: usize) -> Self {
        Self {
            lower: emulator.upload(&vec![0; query_count]),
            bound: emulator.upload(&vec![u64::MAX; query_count]),
            candidates: emulator.allocate(query_count * capacity),
            counts: emulator.upload(&vec![0; query_count]),
            keys: emulator.allocate(query_count * key_stride),
            key_stride,
            capacity,
        }
    }
}

fn check<E: Unit>(name: &str, seed: u64) {
    let Some(emulator) = emulator() else { return };
    let entry = entry(name).unwrap();
    let mut rng = Rng::new(seed);
    for shape in 0..SHAPES {
        emulator.seed(shape);
        let case = Case::<E>::random(emulator, entry, &mut rng, shape);
        let keys = case.keys(&mut rng);
        case.candidates(&mut rng, &keys);
        case.nearest(&mut rng, &keys);
    }
}

#[test]
fn few_queries_over_f32() {
    check::<f32>("scan_few_f32", 31);
}

#[test]
fn few_queries_over_f16() {
    check::<F16>("scan_few_f16", 32);
}

#[test]
fn few_queries_over_bf16() {
    check::<Bf16>("scan_few_bf16", 33);
}

#[test]
fn few_queries_over_i8() {
    check::<i8>("scan_few_i8", 34);
}

#[test]
fn few_queries_over_bits() {
    check::<Binary>("scan_few_binary", 35);
}

#[test]
fn many_queries_over_f32() {
    check::<f32>("scan_many_f32", 36);
}

#[test]
fn many_queries_over_f16() {
    check::<F16>("scan_many_f16", 37);
}

#[test]
fn many_queries_over_bf16() {
    check::<Bf16>("scan_many_bf16", 38);
}

#[test]
fn many_queries_over_i8() {
    check::<i8>("scan_many_i8", 39);
}
