//! Scores against the kernel: within their bound, and where it is promised the same.
use super::*;

/// The norm, without the rounding and the range of `f32`.
fn norm<E: Number>(row: &[E]) -> f64 {
    row.iter().map(|value| f64::from(value.to_f32()).powi(2)).sum::<f64>().sqrt()
}

pub(super) fn scores_are_near<E: Number>(gemm: &Gemm<E>, queries: Rows<'_, E>, base: Rows<'_, E>) {
    let (mut keys, mut want) = (vec![f32::NAN; queries.len() * base.len()], vec![0.0; queries.len() * base.len()]);
    gemm.scores(&gemm.pack(queries), base, &mut Scratch::default(), &mut keys);
    gemm.kernel().tile(queries, base, &mut want);
    let (metric, dim) = (gemm.kernel().metric(), base.dim() as f64);
    let norms = queries.iter().chain(base.iter()).map(norm);
    let largest = norms.filter(|norm| norm.is_finite() && *norm < 1e15).fold(0.0, f64::max);
    let largest = if metric == Metric::Cosine { 1.0 } else { largest };
    let bound = 16.0 * (dim + 256.0) * 2f64.powi(-24) * largest * largest + dim * 2f64.powi(-124);
    let bytes = E::TYPE == ElementType::U8 || (E::TYPE == ElementType::I8 && dim <= 250.0);
    let whole = bytes && metric != Metric::Cosine;
    for (at, (key, want)) in keys.iter().zip(&want).enumerate() {
        let same = key.to_bits() == want.to_bits() || (key.is_nan() && want.is_nan());
        let near = (f64::from(*key) - f64::from(*want)).abs() <= bound;
        assert!(same || (near && !whole), "{metric} {} dim {dim}: {at}: {key} for {want}", gemm.isa());
    }
}

#[test]
fn scores_are_within_their_bound() {
    let mut rng = Rng::new(8);
    for kind in [0, 1, 2, 3, 5, 6, 7, 8, 10] {
        for (dim, count) in [(1, 40), (19, 33), (160, 40), (768, 24), (4100, 24)] {
            let values = data(kind, count, dim, &mut rng);
            let rows = Rows::new(&values, dim).unwrap();
            everywhere::<f32>(|gemm| {
                scores_are_near(gemm, rows.slice(0..count / 2), rows);
                scores_are_near(gemm, rows.slice(0..3), rows);
                scores_are_near(gemm, rows.slice(0..0), rows);
            });
        }
    }
}

/// Bytes of every kind: few and many, the ends of the range, small ones and zeros.
fn bytes<E: Number>(count: usize, dim: usize, low: i64, rng: &mut Rng) -> Vec<E> {
    let value = |i: usize, rng: &mut Rng| match i / dim % 4 {
        0 => low + rng.below(256) as i64,
        1 => [low, low + 255][rng.below(2) as usize],
        2 => rng.below(3) as i64,
        _ => 0,
    };
    (0..count * dim).map(|i| E::from_f32(value(i, rng) as f32)).collect()
}

fn every_byte<E: Number>(low: i64) {
    let mut rng = Rng::new(12);
    for dim in [1, 50, 249, 250, 251, 768, 4100] {
        let values: Vec<E> = bytes(40, dim, low, &mut rng);
        let rows = Rows::new(&values, dim).unwrap();
        everywhere::<E>(|gemm| {
            scores_are_near(gemm, rows.slice(0..17), rows);
            for format in 0..FORMATS.len() {
                check(gemm, rows.slice(0..17), rows, Case { format, ..PLAIN }, "bytes");
            }
            let packed = gemm.pack(rows.slice(0..17));
            if let Some(queries) = packed.sides[0].get().filter(|_| gemm.kernel().metric() != Metric::Cosine) {
                assert!(!queries.lossy, "bytes are not rounded: {} {}", E::TYPE, gemm.isa());
            }
        });
    }
}

#[test]
fn bytes_are_multiplied_as_they_are() {
    every_byte::<u8>(0);
    every_byte::<i8>(-128);
}

#[test]
fn the_longest_vectors_of_the_greatest_bytes_do_not_overflow() {
    let dim = bounds::DIM_MAX;
    let mut values = vec![-128i8; 13 * dim];
    values[dim..2 * dim].fill(127);
    values[2 * dim..3 * dim].fill(0);
    let rows = Rows::new(&values, dim).unwrap();
    everywhere::<i8>(|gemm| scores_are_near(gemm, rows, rows.slice(0..4)));
}

#[cfg(target_pointer_width = "64")]
#[test]
#[should_panic(expected = "rows pass 32 bits")]
fn more_rows_than_ids_are_refused() {
    // Zeros that are never touched take no memory.
    let values = vec![0u8; (1 << 32) + 1];
    let rows = Rows::new(&values, 1).unwrap();
    let gemm = Gemm::<u8>::new(Metric::L2).unwrap();
    gemm.scores(&gemm.pack(rows.slice(0..0)), rows, &mut Scratch::default(), &mut []);
}
