//! Every kernel of this machine beside simsimd: a pair, contiguous rows, rows by id, and a tile.
use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use elanus_kernels::{Element, F16, ISAS, Kernel, METRICS, Metric, Rows, rng::Rng};

const DIMS: [usize; 5] = [100, 128, 768, 784, 1536];

/// Rows of the in-cache benchmarks: they fit the second-level cache at every dimension.
const ROWS: usize = 64;

/// Bytes of the base that rows are gathered from: past every cache.
const GATHER_BYTES: usize = 1 << 29;

/// Ids in one gather, as one step of a graph search asks for.
const IDS: usize = 32;

/// A distance of one pair as simsimd has it.
type Theirs<E> = fn(&[E], &[E]) -> f64;

/// The distance for a metric, or none for this type.
type Baseline<E> = fn(Metric) -> Option<Theirs<E>>;

fn normals<E: Element>(seed: u64, count: usize) -> Vec<E> {
    let mut rng = Rng::new(seed);
    // Drawn once and repeated: a large base of fresh normals would take longer than the benchmark.
    let some: Vec<E> = (0..count.min(1 << 20)).map(|_| E::from_f32(rng.normal())).collect();
    some.iter().copied().cycle().take(count).collect()
}

/// Benches each instruction set and the baseline at one shape; `ours` and `theirs` are one call each.
fn compare<E: Element>(
    criterion: &mut Criterion,
    shape: &str,
    dim: usize,
    pairs: usize,
    baseline: Baseline<E>,
    ours: &mut dyn FnMut(&Kernel<E>),
    theirs: &mut dyn FnMut(Theirs<E>),
) {
    for metric in METRICS {
        let mut group: BenchmarkGroup<'_, WallTime> =
            criterion.benchmark_group(format!("{shape}/{}/{metric}/{dim}", E::TYPE));
        group.throughput(Throughput::Elements(pairs as u64));
        for isa in ISAS.iter().filter(|isa| isa.is_available()) {
            let kernel = Kernel::<E>::on(isa, *metric).expect("the instruction set is available");
            group.bench_function(isa.name(), |bencher| bencher.iter(|| ours(&kernel)));
        }
        if let Some(distance) = baseline(*metric) {
            group.bench_function("simsimd", |bencher| bencher.iter(|| theirs(distance)));
        }
        group.finish();
    }
}

fn in_cache<E: Element>(criterion: &mut Criterion, baseline: Baseline<E>) {
    for dim in DIMS {
        let (query_values, base_values): (Vec<E>, Vec<E>) = (normals(1, ROWS * dim), normals(2, ROWS * dim));
        let queries = Rows::new(&query_values, dim).expect("whole rows");
        let base = Rows::new(&base_values, dim).expect("whole rows");
        let query = queries.row(0);
        compare(
            criterion,
            "pair",
            dim,
            1,
            baseline,
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
            baseline,
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
            baseline,
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

fn from_memory<E: Element>(criterion: &mut Criterion, baseline: Baseline<E>) {
    for dim in DIMS {
        let rows = GATHER_BYTES / (dim * size_of::<E>());
        let base_values: Vec<E> = normals(3, rows * dim);
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
            baseline,
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

#[cfg(target_arch = "x86_64")]
fn simsimd_f32(metric: Metric) -> Option<Theirs<f32>> {
    use simsimd::SpatialSimilarity;
    Some(match metric {
        Metric::L2 => |a, b| f32::l2sq(a, b).unwrap_or(f64::NAN),
        Metric::Ip => |a, b| f32::dot(a, b).unwrap_or(f64::NAN),
        Metric::Cosine => |a, b| <f32 as SpatialSimilarity>::cos(a, b).unwrap_or(f64::NAN),
    })
}

#[cfg(target_arch = "x86_64")]
fn simsimd_f16(metric: Metric) -> Option<Theirs<F16>> {
    use simsimd::{SpatialSimilarity, f16};

    fn theirs(row: &[F16]) -> &[f16] {
        // SAFETY: both types are transparent over the same 16 bits.
        unsafe { std::slice::from_raw_parts(row.as_ptr().cast(), row.len()) }
    }
    Some(match metric {
        Metric::L2 => |a, b| f16::l2sq(theirs(a), theirs(b)).unwrap_or(f64::NAN),
        Metric::Ip => |a, b| f16::dot(theirs(a), theirs(b)).unwrap_or(f64::NAN),
        Metric::Cosine => |a, b| f16::cos(theirs(a), theirs(b)).unwrap_or(f64::NAN),
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn simsimd_f32(_metric: Metric) -> Option<Theirs<f32>> {
    None
}

#[cfg(not(target_arch = "x86_64"))]
fn simsimd_f16(_metric: Metric) -> Option<Theirs<F16>> {
    None
}

fn all(criterion: &mut Criterion) {
    in_cache::<f32>(criterion, simsimd_f32);
    in_cache::<F16>(criterion, simsimd_f16);
    from_memory::<f32>(criterion, simsimd_f32);
    from_memory::<F16>(criterion, simsimd_f16);
}

criterion_group! {
    name = kernels;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    targets = all
}
criterion_main!(kernels);
