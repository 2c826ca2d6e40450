//! The rotation against a matrix in `f64`, and its properties.
use super::{DIM_MAX, Rotation, padded};
use crate::rng::Rng;

const DIMS: &[usize] =
    &[1, 2, 63, 64, 65, 96, 100, 127, 128, 129, 192, 200, 320, 384, 500, 512, 768, 960, 1024, 1536, 3072];

fn vector(dim: usize, rng: &mut Rng) -> Vec<f32> {
    (0..dim).map(|_| rng.normal()).collect()
}

fn apply(rotation: &Rotation, from: &[f32]) -> Vec<f32> {
    let mut to = vec![f32::NAN; rotation.padded()];
    rotation.apply(from, &mut to);
    to
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The text of the format, in `f64` and by the definition of the Hadamard matrix.
fn reference(dim: usize, seed: u64, from: &[f32]) -> Vec<f64> {
    let d = padded(dim);
    let n = 1usize << d.ilog2();
    let mut x: Vec<f64> = from.iter().map(|x| f64::from(*x)).collect();
    x.resize(d, 0.0);
    let mut rng = Rng::new(seed);
    for round in 0..if n < d { 4 } else { 3 } {
        for w in 0..d / 64 {
            let word = rng.next_u64();
            for j in 0..64 {
                if word >> j & 1 == 1 {
                    x[64 * w + j] = -x[64 * w + j];
                }
            }
        }
        let start = if round % 2 == 1 { d - n } else { 0 };
        let block = x[start..start + n].to_vec();
        for i in 0..n {
            let sum: f64 = (0..n).map(|j| if (i & j).count_ones() % 2 == 1 { -block[j] } else { block[j] }).sum();
            x[start + i] = sum / (n as f64).sqrt();
        }
        if n < d && round % 2 == 1 {
            for i in 0..d / 2 {
                let (a, b) = (x[i], x[i + d / 2]);
                let half = std::f64::consts::FRAC_1_SQRT_2;
                (x[i], x[i + d / 2]) = ((a + b) * half, (a - b) * half);
            }
        }
    }
    x
}

#[test]
fn it_is_the_documented_matrix() {
    let mut rng = Rng::new(1);
    for dim in [1, 64, 65, 128, 192, 320, 384] {
        let from = vector(dim, &mut rng);
        let got = apply(&Rotation::new(dim, 5).unwrap(), &from);
        for (got, want) in got.iter().zip(reference(dim, 5, &from)) {
            assert!((f64::from(*got) - want).abs() < 2e-6, "{dim}: {got} {want}");
        }
    }
}

#[test]
fn every_set_has_the_same_bits() {
    for isa in Rotation::sets().filter(|isa| !isa.is_available()) {
        println!("SKIPPED: {} is not available", isa.name());
    }
    let mut rng = Rng::new(2);
    for &dim in DIMS {
        let mut from = vector(dim, &mut rng);
        from[dim / 2] = 0.0;
        let want: Vec<u32> = apply(&Rotation::all(dim, 9).last().unwrap(), &from).iter().map(|x| x.to_bits()).collect();
        for rotation in Rotation::all(dim, 9) {
            // The target one value off alignment as well.
            let mut room = vec![0.0; rotation.padded() + 1];
            rotation.apply(&from, &mut room[1..]);
            let got: Vec<u32> = room[1..].iter().map(|x| x.to_bits()).collect();
            assert!(got == want, "{} at {dim}", rotation.isa());
        }
    }
}

#[test]
fn norms_and_products_are_kept_and_it_can_be_taken_back() {
    let mut rng = Rng::new(3);
    for &dim in DIMS {
        let rotation = Rotation::new(dim, 11).unwrap();
        let (a, b) = (vector(dim, &mut rng), vector(dim, &mut rng));
        let (mut ra, rb) = (apply(&rotation, &a), apply(&rotation, &b));
        let bound = f64::from(rotation.padded().ilog2()) * 2f64.powi(-22);
        let norms = dot(&a, &a).sqrt() * dot(&b, &b).sqrt();
        assert!((dot(&ra, &ra) / dot(&a, &a) - 1.0).abs() < bound, "norm at {dim}");
        assert!((dot(&ra, &rb) - dot(&a, &b)).abs() < bound * norms, "product at {dim}");
        let mut back = vec![0.0; dim];
        rotation.invert(&mut ra, &mut back);
        for (got, want) in back.iter().zip(&a) {
            assert!((got - want).abs() < 1e-5, "{dim}: {got} {want}");
        }
    }
}

/// Single components must spread: the fourth moment of a rotated unit vector near that of the normal distribution.
#[test]
fn the_worst_vectors_are_spread_as_noise_is() {
    for dim in [65, 128, 200, 768, 960, 1024] {
        let mut kurtosis = 0.0;
        let tries = 24;
        for seed in 0..tries {
            let rotation = Rotation::new(dim, seed).unwrap();
            let mut from = vec![0.0; dim];
            from[(seed as usize * 37) % dim] = 1.0;
            let d = rotation.padded() as f64;
            kurtosis += apply(&rotation, &from).iter().map(|x| f64::from(*x).powi(4)).sum::<f64>() * d;
        }
        kurtosis /= tries as f64;
        assert!((2.5..3.6).contains(&kurtosis), "{dim}: {kurtosis}");
    }
}

#[test]
fn nothing_overflows_before_the_norm_and_bad_values_stay_numbers_or_not() {
    for dim in [64, 96, 768] {
        for rotation in Rotation::all(dim, 1) {
            let large = apply(&rotation, &vec![1e36; dim]);
            assert!(large.iter().all(|x| x.is_finite()));
            assert!(apply(&rotation, &vec![0.0; dim]).iter().all(|x| *x == 0.0));
            let mut from = vec![1.0; dim];
            from[3] = f32::NAN;
            assert!(apply(&rotation, &from).iter().any(|x| x.is_nan()));
        }
    }
}

/// The stream reaches disk: the same seed gives these bits for ever.
#[test]
fn the_format_is_frozen() {
    let from: Vec<f32> = (0..96).map(|i| i as f32 - 40.0).collect();
    let got = apply(&Rotation::new(96, 42).unwrap(), &from);
    let hash = got.iter().fold(0u64, |hash, x| hash.wrapping_mul(0x100_0000_01b3) ^ u64::from(x.to_bits()));
    assert_eq!(hash, FROZEN, "{hash:#x}");
}

const FROZEN: u64 = 0x5987_c180_701c_b944;

#[test]
#[should_panic(expected = "allowed are 1 to 32768")]
fn dimension_zero_is_refused() {
    drop(Rotation::new(0, 1));
}

#[test]
fn the_largest_dimension_is_taken() {
    let rotation = Rotation::new(DIM_MAX, 1).unwrap();
    let rotated = apply(&rotation, &vec![1.0; DIM_MAX]);
    assert!((dot(&rotated, &rotated) / DIM_MAX as f64 - 1.0).abs() < 1e-5);
}

#[test]
#[should_panic(expected = "a dimension near the end of usize")]
fn padding_does_not_wrap_around() {
    assert_eq!(padded(usize::MAX), 0);
}
