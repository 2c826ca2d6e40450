//! Every metric, element type and instruction set against the plain reference; [`bits`] holds them against each other.
#![allow(clippy::wildcard_enum_match_arm, reason = "only three metrics are defined over numbers")]
mod bits;
mod refusals;

use crate::{
    dispatch::Kernel,
    element::{Bf16, Element, F16, Number},
    metric::Metric,
    rng::Rng,
};

/// The metrics that are defined over numbers.
const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

/// Runs `check` for every cell of `E` that this CPU can run; the others are named, so that a skipped one is seen.
fn every_cell<E: Number>(mut check: impl FnMut(&Kernel<E>)) {
    for metric in METRICS {
        for isa in Kernel::<E>::sets(metric).filter(|isa| !isa.is_available()) {
            println!("SKIPPED: {} {metric} on {} (needs {})", E::TYPE, isa.name(), isa.summary());
        }
        let names: Vec<&str> = Kernel::<E>::all(metric).map(|kernel| kernel.isa()).collect();
        assert_eq!(names.last(), Some(&"scalar"), "the scalar set is always there");
        Kernel::<E>::all(metric).for_each(|kernel| check(&kernel));
    }
}

/// The key in double precision by the definition: what every kernel is compared with.
fn reference(metric: Metric, a: &[f64], b: &[f64]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    match metric {
        Metric::L2 => a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum(),
        Metric::Ip => 0.0 - dot(a, b),
        Metric::Cosine if dot(a, a) == 0.0 || dot(b, b) == 0.0 => 0.0,
        Metric::Cosine => 0.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
        other => unreachable!("{other} is not over numbers"),
    }
}

fn normals<E: Number>(rng: &mut Rng, count: usize) -> Vec<E> {
    (0..count).map(|_| E::from_f32(rng.normal())).collect()
}

fn wide<E: Number>(row: &[E]) -> Vec<f64> {
    row.iter().map(|x| f64::from(x.to_f32())).collect()
}

/// Whether a cell gives the bits that all sets agree on; the others have products of their own.
fn is_exact<E: Element>(kernel: &Kernel<E>) -> bool {
    !["avx512bf16", "neonbf16", "avx512fp16"].contains(&kernel.isa())
}

/// The bound on the error of a key that the documentation of [`crate::float`] states.
fn bound<E: Element>(kernel: &Kernel<E>, a: &[f64], b: &[f64]) -> f64 {
    let unit = f64::from(f32::EPSILON) / 2.0;
    let dim = a.len() as f64;
    // Results below the normal range are rounded to multiples of the least subnormal.
    let subnormal = (dim + 1.0) * f64::from(f32::from_bits(1));
    let (roundings, tiny) = match kernel.isa() {
        "avx512fp16" => ((dim / 64.0 + 12.0 + 16384.0 + 8.0) * unit, subnormal),
        "avx512bf16" | "neonbf16" => {
            // Subnormal components count as zero, and so do products and sums.
            let least = f64::from(f32::MIN_POSITIVE);
            let is_small = |x: &f64| x.abs() < least;
            let lost = |(x, y): (&f64, &f64)| if is_small(x) || is_small(y) { (x * y).abs() } else { 0.0 };
            let lost: f64 = a.iter().zip(b).map(lost).sum();
            ((dim / 16.0 + 16.0) * unit, lost + (2.0 * dim + 64.0) * least)
        }
        _ => ((dim / 64.0 + 12.0) * unit, subnormal),
    };
    let absolute: f64 = a.iter().zip(b).map(|(x, y)| (x * y).abs()).sum();
    let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    match kernel.metric() {
        Metric::L2 => roundings * reference(Metric::L2, a, b) + tiny,
        Metric::Ip => roundings * absolute + tiny,
        Metric::Cosine if length(a) * length(b) == 0.0 => 0.0,
        Metric::Cosine => roundings * absolute / (length(a) * length(b)) + 2.0 * roundings,
        other => unreachable!("{other} is not over numbers"),
    }
}

#[track_caller]
fn assert_near<E: Number>(kernel: &Kernel<E>, a: &[E], b: &[E], key: f32) {
    let (a, b) = (wide(a), wide(b));
    let want = reference(kernel.metric(), &a, &b);
    let gap = (f64::from(key) - want).abs();
    assert!(
        gap <= bound(kernel, &a, &b),
        "{} {} {} dim {}: key {key}, reference {want}",
        kernel.isa(),
        kernel.metric(),
        E::TYPE,
        a.len()
    );
}

/// The same number to the bit, or both NaN (whose bits the hardware chooses).
#[track_caller]
fn assert_same(left: f32, right: f32, what: &str) {
    assert!(left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan()), "{what}: {left:?} and {right:?}");
}

/// Values that make rounding, underflow and overflow happen.
fn hard_values(rng: &mut Rng, dim: usize, with_infinities: bool) -> Vec<f32> {
    let scales = [0.0, -0.0, 1e-45, -1e-42, 1e-38, 1e-30, -1e-20, 1e-8, 1.0, -1.0, 1e4, 1e18];
    let (infinities, width) = ([f32::INFINITY, f32::NEG_INFINITY, f32::NAN], scales.len() as u64);
    (0..dim)
        .map(|_| match rng.below(if with_infinities { width + 1 } else { width }) {
            choice if choice == width => infinities[rng.below(3) as usize],
            choice => scales[choice as usize] * (1.0 + rng.next_f32()),
        })
        .collect()
}

fn pair_is_near_reference_for_every_length<E: Number>() {
    let mut rng = Rng::new(11);
    let store_a: Vec<E> = normals(&mut rng, 300);
    let store_b: Vec<E> = normals(&mut rng, 300);
    every_cell::<E>(|kernel| {
        for dim in 0..=260 {
            // Every misalignment of a start against a 64-byte line, for either side.
            let (a, b) = (&store_a[dim % 17..][..dim], &store_b[dim % 13..][..dim]);
            assert_near(kernel, a, b, kernel.pair(a, b));
        }
    });
}

#[test]
fn f32_pair_is_near_reference_for_every_length() {
    pair_is_near_reference_for_every_length::<f32>();
}

#[test]
fn f16_pair_is_near_reference_for_every_length() {
    pair_is_near_reference_for_every_length::<F16>();
}

#[test]
fn bf16_pair_is_near_reference_for_every_length() {
    pair_is_near_reference_for_every_length::<Bf16>();
}

fn long_pairs_stay_within_the_bound<E: Number>() {
    let mut rng = Rng::new(12);
    let (a, b): (Vec<E>, Vec<E>) = (normals(&mut rng, 32_771), normals(&mut rng, 32_771));
    every_cell::<E>(|kernel| {
        for dim in [384, 768, 784, 1024, 1536, 3072, 4099, 32_771] {
            assert_near(kernel, &a[..dim], &b[..dim], kernel.pair(&a[..dim], &b[..dim]));
        }
    });
}

#[test]
fn long_pairs_stay_within_the_bound_in_every_type() {
    long_pairs_stay_within_the_bound::<f32>();
    long_pairs_stay_within_the_bound::<F16>();
    long_pairs_stay_within_the_bound::<Bf16>();
}

fn hard_pairs_stay_within_the_bound<E: Number>() {
    let mut rng = Rng::new(18);
    let pairs: Vec<(Vec<E>, Vec<E>)> = (0..200)
        .map(|_| {
            let dim = rng.below(300) as usize;
            let mut draw = || hard_values(&mut rng, dim, false).into_iter().map(E::from_f32).collect();
            (draw(), draw())
        })
        .collect();
    every_cell::<E>(|kernel| {
        // A cosine has no bound where the squares of components leave the range.
        for (a, b) in pairs.iter().filter(|_| kernel.metric() != Metric::Cosine) {
            assert_near(kernel, a, b, kernel.pair(a, b));
        }
    });
}

#[test]
fn hard_pairs_stay_within_the_bound_where_the_range_is_wide() {
    hard_pairs_stay_within_the_bound::<f32>();
    hard_pairs_stay_within_the_bound::<Bf16>();
}

#[test]
fn subnormal_bf16_counts_in_the_exact_sets() {
    // The least subnormal times a large number is a normal product; only pairwise products may take it as zero.
    let (a, b) = (vec![Bf16(1); 40], vec![Bf16::from_f32(1e38); 40]);
    every_cell::<Bf16>(|kernel| {
        if kernel.metric() == Metric::Ip {
            let key = kernel.pair(&a, &b);
            assert!(is_exact(kernel) == (key != 0.0), "{}: {key}", kernel.isa());
        }
    });
}

fn nan_and_infinity_go_through<E: Number>() {
    every_cell::<E>(|kernel| {
        for dim in [1, 7, 16, 64, 100] {
            for at in [0, dim / 2, dim - 1] {
                let b = vec![E::from_f32(1.0); dim];
                let mut a = b.clone();
                a[at] = E::from_f32(f32::NAN);
                assert!(kernel.pair(&a, &b).is_nan(), "{} {} dim {dim}", kernel.isa(), kernel.metric());
                a[at] = E::from_f32(f32::INFINITY);
                let key = kernel.pair(&a, &b);
                match kernel.metric() {
                    Metric::L2 => assert_eq!(key, f32::INFINITY),
                    Metric::Ip => assert_eq!(key, f32::NEG_INFINITY),
                    Metric::Cosine => assert!(key.is_nan(), "infinite over infinite length"),
                    other => unreachable!("{other} is not over numbers"),
                }
            }
        }
    });
}

#[test]
fn nan_and_infinity_go_through_in_every_type() {
    nan_and_infinity_go_through::<f32>();
    nan_and_infinity_go_through::<F16>();
    nan_and_infinity_go_through::<Bf16>();
}

fn zero_vectors_have_cosine_zero_and_keys_have_no_negative_zero<E: Number>() {
    every_cell::<E>(|kernel| {
        for dim in [1, 20, 64, 129] {
            let zero = vec![E::default(); dim];
            let minus_zero = vec![E::from_f32(-0.0); dim];
            let some = vec![E::from_f32(-1.5); dim];
            for key in [kernel.pair(&zero, &zero), kernel.pair(&minus_zero, &zero), kernel.pair(&zero, &minus_zero)] {
                assert_eq!(key.to_bits(), 0, "{} {}", kernel.isa(), kernel.metric());
            }
            match kernel.metric() {
                Metric::L2 => assert_eq!(kernel.pair(&zero, &some), 2.25 * dim as f32),
                Metric::Ip | Metric::Cosine => {
                    assert_eq!(kernel.pair(&zero, &some).to_bits(), 0);
                    assert_eq!(kernel.pair(&some, &minus_zero).to_bits(), 0);
                }
                other => unreachable!("{other} is not over numbers"),
            }
        }
    });
}

#[test]
fn zeros_keep_their_sign_to_themselves_in_every_type() {
    zero_vectors_have_cosine_zero_and_keys_have_no_negative_zero::<f32>();
    zero_vectors_have_cosine_zero_and_keys_have_no_negative_zero::<F16>();
    zero_vectors_have_cosine_zero_and_keys_have_no_negative_zero::<Bf16>();
}

fn cosine_is_clamped_and_norm_is_euclidean<E: Number>() {
    let mut rng = Rng::new(17);
    for kernel in Kernel::<E>::all(Metric::Cosine) {
        for dim in 1..=130 {
            let a: Vec<E> = normals(&mut rng, dim);
            let b: Vec<E> = a.iter().map(|x| E::from_f32(x.to_f32() * -4.0)).collect();
            assert!((-1.0..=-0.999_999).contains(&kernel.pair(&a, &a)), "same direction, dim {dim}");
            assert!((0.999_999..=1.0).contains(&kernel.pair(&a, &b)), "opposite direction, dim {dim}");
            let norm = wide(&a).iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((f64::from(kernel.norm(&a)) - norm).abs() <= 1e-6 * norm);
        }
        assert_eq!(kernel.norm(&[3.0, 4.0].map(E::from_f32)), 5.0);
        assert_eq!(kernel.norm(&[]), 0.0);
    }
}

#[test]
fn cosine_is_clamped_and_norm_is_euclidean_in_every_type() {
    cosine_is_clamped_and_norm_is_euclidean::<f32>();
    cosine_is_clamped_and_norm_is_euclidean::<F16>();
    cosine_is_clamped_and_norm_is_euclidean::<Bf16>();
}
