//! What is measured: every metric over every element type, as a pair, and as one query against rows in each level.
use elanus_kernels::{Bf16, Binary, ElementType, F16, Kernel, Metric, Rows, U4, peer::Peer, rng::Rng};

use crate::{
    Options,
    clock::least,
    limits::{self, LEVELS, Level, Limits, Work},
    report::{Line, Report, Shape},
};

/// A unit made of random numbers.
pub(crate) trait Draw: Peer {
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

pub(crate) fn all(options: &Options, limits: &Limits, report: &mut Report) {
    of::<f32>(options, limits, report);
    of::<F16>(options, limits, report);
    of::<Bf16>(options, limits, report);
    of::<i8>(options, limits, report);
    of::<u8>(options, limits, report);
    of::<U4>(options, limits, report);
    of::<Binary>(options, limits, report);
}

fn of<E: Draw>(options: &Options, limits: &Limits, report: &mut Report) {
    for metric in elanus_kernels::METRICS.iter().filter(|metric| E::TYPE.supports(**metric)) {
        if options.leaves_out(&format!("{} {metric}", E::TYPE)) {
            continue;
        }
        let Ok(kernel) = Kernel::<E>::new(*metric) else { continue };
        for components in options.dims.iter().filter(|dim| dim.is_multiple_of(E::TYPE.components())) {
            let dim = components / E::TYPE.components();
            pair(options, limits, &kernel, dim, report);
            for (level, ..) in LEVELS.iter().filter(|(level, ..)| options.levels.contains(level)) {
                rows(options, limits, &kernel, dim, *level, report);
            }
        }
    }
}

fn pair<E: Draw>(options: &Options, limits: &Limits, kernel: &Kernel<E>, dim: usize, report: &mut Report) {
    let values: Vec<E> = drawn(1, 2 * dim + 64);
    let (a, b) = (lines(&values, dim), lines(&values[dim..], dim));
    let mut ours = || {
        std::hint::black_box(kernel.pair(std::hint::black_box(a), std::hint::black_box(b)));
    };
    let theirs = E::pair(kernel.metric());
    let mut peer = || {
        if let Some(theirs) = theirs {
            std::hint::black_box(theirs(std::hint::black_box(a), std::hint::black_box(b)));
        }
    };
    // Both vectors are read.
    let limit = limit(limits, kernel, dim, 2 * size_of_val(a), Level::L1, 0.0);
    let times = time(options, &mut ours, theirs.is_some().then_some(&mut peer as &mut dyn FnMut()));
    report.push(line(kernel, Shape::Pair, dim, (times.0, times.1), limit));
}

fn rows<E: Draw>(
    options: &Options,
    limits: &Limits,
    kernel: &Kernel<E>,
    dim: usize,
    level: Level,
    report: &mut Report,
) {
    let Some((_, name, bytes)) = LEVELS.iter().find(|(of, ..)| *of == level) else { return };
    // Whole groups of rows, whatever the size of a group: what is left over is not what is asked about.
    let count = (bytes / (dim * size_of::<E>())).max(1);
    let count = if count > 24 { count / 24 * 24 } else { count / 6 * 6 }.max(1);
    let query: Vec<E> = drawn(2, dim + 64);
    let base: Vec<E> = drawn(3, count * dim + 64);
    let (query, base) = (lines(&query, dim), lines(&base, count * dim));
    let Ok(base) = Rows::new(base, dim) else { return };
    let mut keys = vec![0.0; count.min(1 << 16)];
    // A block of keys at a time, as a scan does it: keys of a whole large base would be a stream of their own.
    let block = keys.len().min(1024);
    let mut ours = || {
        for start in (0..count).step_by(block) {
            let rows = base.slice(start..count.min(start + block));
            let keys = &mut keys[..rows.len()];
            kernel.rows(std::hint::black_box(query), std::hint::black_box(rows), keys);
            std::hint::black_box(keys);
        }
    };
    let theirs = E::pair(kernel.metric());
    let mut peer = || {
        if let Some(theirs) = theirs {
            for row in std::hint::black_box(base).iter() {
                std::hint::black_box(theirs(std::hint::black_box(query), row));
            }
        }
    };
    let limit = limit(limits, kernel, dim, dim * size_of::<E>(), level, 1.0 / count.min(block) as f64);
    let per_row = |time: f64| time / count as f64;
    if matches!(level, Level::Memory | Level::L2) {
        // Other programs take their share of the memory, and a buffer's pages may fall on the same sets of the cache.
        // So what these rows can be read at is measured in turns with the scan.
        let values = base.data();
        let mut read = || limits::touch(std::hint::black_box(bytes_of(values)));
        let times = least(&mut [&mut ours, &mut peer, &mut read], options.budget);
        let (ours, peers) = (per_row(times[0]), theirs.map(|_| per_row(times[1])));
        report.push(line(kernel, Shape::Rows(name), dim, (ours, peers), limit.max(per_row(times[2]))));
        return;
    }
    let (ours, theirs) = time(options, &mut ours, theirs.is_some().then_some(&mut peer as &mut dyn FnMut()));
    report.push(line(kernel, Shape::Rows(name), dim, (per_row(ours), theirs.map(per_row)), limit));
}

/// The bytes of values.
fn bytes_of<E: Draw>(values: &[E]) -> &[u8] {
    // SAFETY: elements are plain numbers without padding.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The values from the first line boundary on, of which there must be a line more than asked for.
fn lines<E>(values: &[E], count: usize) -> &[E] {
    let at = values.as_ptr().align_offset(64);
    values.get(at..at + count).unwrap_or(&values[..count])
}

fn time(options: &Options, ours: &mut dyn FnMut(), theirs: Option<&mut dyn FnMut()>) -> (f64, Option<f64>) {
    match theirs {
        Some(theirs) => {
            let times = least(&mut [ours, theirs], options.budget);
            (times[0], Some(times[1]))
        }
        None => (least(&mut [ours], options.budget)[0], None),
    }
}

fn line<E: Draw>(kernel: &Kernel<E>, shape: Shape, dim: usize, times: (f64, Option<f64>), limit: f64) -> Line {
    let what = format!("{} {}", E::TYPE, kernel.metric());
    let dim = dim * E::TYPE.components();
    Line { what, isa: kernel.isa(), shape, dim, ns: times.0, limit_ns: limit, theirs_ns: times.1 }
}

/// The least nanoseconds that a row of `dim` units can take when `bytes` are read for it from `level`, and `calls` calls
/// are made for it: each reads the query once, which stays in the first-level cache, and a cosine needs its square.
fn limit<E: Draw>(limits: &Limits, kernel: &Kernel<E>, dim: usize, bytes: usize, level: Level, calls: f64) -> f64 {
    let components = (dim * E::TYPE.components()) as f64;
    let query = calls * (dim * size_of::<E>()) as f64 / limits.reads(Level::L1);
    // What memory and the second-level cache give is measured beside the scan.
    let beside = matches!(level, Level::Memory | Level::L2);
    let mut least = if beside { 0.0 } else { bytes as f64 / limits.reads(level) + query };
    let is_float = matches!(E::TYPE, ElementType::F32 | ElementType::F16 | ElementType::Bf16);
    for (work, times) in spent(E::TYPE, kernel.metric(), kernel.isa()) {
        // The square of a row is half of what is spent on it, and that of the query is as much.
        let once = if is_float && kernel.metric() == Metric::Cosine { calls * times / 2.0 } else { 0.0 };
        least = least.max(components * (times + once) / limits.work(work));
    }
    least
}

/// What a row costs beside reading, in units of the work for each component. The query is ready in registers.
fn spent(element: ElementType, metric: Metric, isa: &str) -> Vec<(Work, f64)> {
    match (element, metric) {
        (ElementType::F32, Metric::L2) => vec![(Work::Gap, 1.0)],
        (ElementType::F32, Metric::Cosine) => vec![(Work::Twice, 1.0)],
        (ElementType::F32, _) => vec![(Work::Fma, 1.0)],
        (ElementType::F16, Metric::L2) => vec![(Work::HalfGap, 1.0)],
        (ElementType::F16, Metric::Cosine) => vec![(Work::HalfTwice, 1.0)],
        (ElementType::F16, _) => vec![(Work::HalfFma, 1.0)],
        (ElementType::Bf16, Metric::L2) => vec![(Work::Bf16Gap, 1.0)],
        (ElementType::Bf16, _) if isa.ends_with("bf16") => {
            vec![(Work::Bf16, if metric == Metric::Cosine { 2.0 } else { 1.0 })]
        }
        (ElementType::Bf16, _) => vec![(Work::Fma, 1.0)],
        // The distance of unsigned bytes is that of the signed ones 128 below.
        (ElementType::I8, Metric::L2 | Metric::Cosine) | (ElementType::U8, Metric::L2) if isa == "avx512vnni" => {
            vec![(Work::BytesSquared, 1.0)]
        }
        // Squares of the rows, and what makes the products signed, are products too.
        (ElementType::I8 | ElementType::U8, Metric::L2 | Metric::Cosine) => vec![(Work::Bytes, 3.0)],
        (ElementType::U4, Metric::L2 | Metric::Cosine) => vec![(Work::Bytes, 2.0)],
        (ElementType::I8 | ElementType::U8 | ElementType::U4, _) => vec![(Work::Bytes, 1.0)],
        (ElementType::Binary, Metric::Jaccard | Metric::Tanimoto) => vec![(Work::Popcount, 2.0 / 8.0)],
        (ElementType::Binary, _) => vec![(Work::Popcount, 1.0 / 8.0)],
    }
}
