//! Every kernel of this machine beside simsimd, in every form: a pair, contiguous rows, rows by id, and a tile.
use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use elanus_kernels::{
    Bf16, Binary, F16, Kernel, METRICS, Rows, U4,
    peer::{Pair, Peer},
    rng::Rng,
};

/// Components of the vectors.
const DIMS: [usize; 3] = [128, 768, 1536];

/// Rows of the in-cache benchmarks: they fit the second-level cache at every dimension.
const ROWS: usize = 64;

/// Bytes of the base that rows are gathered from: past every cache.
const GATHER_BYTES: usize = 1 << 28;

/// Ids in one gather, as one step of a graph search asks for.
const IDS: usize = 32;

/// A unit made of random numbers.
trait Draw: Peer {
    fn draw(rng: &mut Rng) -> Self;
}

macro_rules! draw {
    ($($type:ty: $rng:ident => $value:expr;)*) => {
        $(impl Draw for $type {
            fn draw($rng: &mut Rng) -> Self {
                $value
            }
        })*
    };
}
draw! {
    f32: rng => rng.normal();
    F16: rng => Self::from_f32(rng.normal());
    Bf16: rng => Self::from_f32(rng.normal());
    i8: rng => rng.next_u64() as i8;
    u8: rng => rng.next_u64() as u8;
    U4: rng => Self(rng.next_u64() as u8);
    Binary: rng => Self(rng.next_u64() as u8);
}

/// Units of random numbers; a long run repeats a shorter one, which would take longer to draw than to measure.
fn drawn<E: Draw>(seed: u64, count: usize) -> Vec<E> {
    let mut rng = Rng::new(seed);
    let some: Vec<E> = (0..count.min(1 << 18)).map(|_| E::draw(&mut rng)).collect();
    some.iter().copied().cycle().take(count).collect()
}

/// Benches each instruction set and the baseline at one shape; `ours` and `theirs` are one call each.
fn compare<E: Draw>(
    criterion: &mut Criterion,
    shape: &str,
    dim: usize,
    pairs: usize,
    ours: &mut dyn FnMut(&Kernel<E>),
    theirs: &mut dyn FnMut(Pair<E>),
) {
    for metric in METRICS.iter().filter(|metric| E::TYPE.supports(**metric)) {
        let mut group: BenchmarkGroup<'_, WallTime> =
            criterion.benchmark_group(format!("{shape}/{}/{metric}/{dim}", E::TYPE));
        group.throughput(Throughput::Elements(pairs as u64));
        for kernel in Kernel::<E>::all(*metric) {
            group.bench_function(kernel.isa(), |bencher| bencher.iter(|| ours(&kernel)));
        }
        if let Some(distance) = E::pair(*metric) {
            group.bench_function("simsimd", |bencher| bencher.iter(|| theirs(distance)));
        }
        group.finish();
    }
}

fn in_cache<E: Draw>(criterion: &mut Criterion) {
    for dim in DIMS.map(|dim| dim / E::TYPE.components()) {
        let (query_values, base_values): (Vec<E>, Vec<E>) = (drawn(1, ROWS * dim), drawn(2, ROWS * dim));
        let queries = Rows::new(&query_values, dim).expect("whole rows");
        let base = Rows::new(&base_values, dim).expect("whole rows");
        let query = queries.row(0);
        compare(
            criterion,
            "pair",
            dim,
            1,
            &mut |kernel| {
                black_box(kernel.pair(black_box(query), black_box(base.row(0))));
            },
            &mut |distance| {
                black_box(distance(black_box(query), black_box(base.row(0))));
            },
        );
        let mut keys = vec![0.0; ROWS];
        compare(
            criterion,
            "rows",
            dim,
            ROWS,
            &mut |kernel| {
                kernel.rows(black_box(query), black_box(base), &mut keys);
                black_box(&keys);
            },
            &mut |distance| {
                for row in black_box(base).iter() {
                    black_box(distance(black_box(query), row));
                }
            },
        );
        let mut keys = vec![0.0; ROWS * ROWS];
        compare(
            criterion,
            "tile",
            dim,
            ROWS * ROWS,
            &mut |kernel| {
                kernel.tile(black_box(queries), black_box(base), &mut keys);
                black_box(&keys);
            },
            &mut |distance| {
                for query in black_box(queries).iter() {
                    for row in black_box(base).iter() {
                        black_box(distance(query, row));
                    }
                }
            },
        );
    }
}

fn from_memory<E: Draw>(criterion: &mut Criterion) {
    for dim in DIMS.map(|dim| dim / E::TYPE.components()) {
        let rows = GATHER_BYTES / (dim * size_of::<E>());
        let base_values: Vec<E> = drawn(3, rows * dim);
        let base = Rows::new(&base_values, dim).expect("whole rows");
        let query = base.row(0);
        let mut rng = Rng::new(4);
        let mut ids = [0u32; IDS];
        let mut keys = [0.0; IDS];
        let mut draw = move || {
            ids.fill_with(|| rng.below(rows as u64) as u32);
            ids
        };
        let mut draw_too = draw.clone();
        compare(
            criterion,
            "gather",
            dim,
            IDS,
            &mut |kernel| {
                kernel.gather(black_box(query), base, &draw(), &mut keys);
                black_box(&keys);
            },
            &mut |distance| {
                for id in draw_too() {
                    black_box(distance(black_box(query), base.row(id as usize)));
                }
            },
        );
    }
}

fn of<E: Draw>(criterion: &mut Criterion) {
    in_cache::<E>(criterion);
    from_memory::<E>(criterion);
}

fn all(criterion: &mut Criterion) {
    of::<f32>(criterion);
    of::<F16>(criterion);
    of::<Bf16>(criterion);
    of::<i8>(criterion);
    of::<u8>(criterion);
    of::<U4>(criterion);
    of::<Binary>(criterion);
}

criterion_group! {
    name = kernels;
    config = Criterion::default().warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
    targets = all
}
criterion_main!(kernels);
