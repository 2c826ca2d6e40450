//! Every metric, element type and instruction set against the plain reference, and against each other to the bit.
#![allow(clippy::wildcard_enum_match_arm, reason = "only three metrics are defined over numbers")]
use crate::{
    dispatch::Kernel,
    element::{F16, Number},
    isa::SCALAR,
    metric::Metric,
    rng::Rng,
    rows::Rows,
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

/// A bound on the error of a key: each virtual lane takes `dim / 64` roundings, the folds and the key a few more
/// (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1).
fn bound(metric: Metric, a: &[f64], b: &[f64]) -> f64 {
    let unit = f64::from(f32::EPSILON) / 2.0;
    let roundings = (a.len() / 64 + 12) as f64 * unit;
    let absolute: f64 = a.iter().zip(b).map(|(x, y)| (x * y).abs()).sum();
    let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    // Results below the normal range are rounded to multiples of the least subnormal.
    let tiny = (a.len() + 1) as f64 * f64::from(f32::from_bits(1));
    match metric {
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
        gap <= bound(kernel.metric(), &a, &b),
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
fn long_pairs_stay_within_the_bound() {
    let mut rng = Rng::new(12);
    let (a, b): (Vec<f32>, Vec<f32>) = (normals(&mut rng, 32_771), normals(&mut rng, 32_771));
    every_cell::<f32>(|kernel| {
        for dim in [768, 784, 1536, 3072, 4099, 32_771] {
            assert_near(kernel, &a[..dim], &b[..dim], kernel.pair(&a[..dim], &b[..dim]));
        }
    });
}

fn misaligned_starts_change_nothing<E: Number>() {
    let mut rng = Rng::new(13);
    let dim = 131;
    let (a, b): (Vec<E>, Vec<E>) = (normals(&mut rng, dim), normals(&mut rng, dim));
    every_cell::<E>(|kernel| {
        let want = kernel.pair(&a, &b);
        let mut room = vec![E::default(); dim + 64];
        for start in 0..64 {
            room[start..start + dim].copy_from_slice(&a);
            assert_same(kernel.pair(&room[start..start + dim], &b), want, "misaligned left");
            assert_same(kernel.pair(&b, &room[start..start + dim]), want, "misaligned right");
        }
    });
}

#[test]
fn misaligned_starts_change_nothing_in_either_type() {
    misaligned_starts_change_nothing::<f32>();
    misaligned_starts_change_nothing::<F16>();
}

fn every_method_gives_the_bits_of_pair<E: Number>() {
    let mut rng = Rng::new(14);
    for dim in [1, 3, 15, 16, 17, 31, 63, 64, 65, 100, 127, 128, 130, 200, 256, 259] {
        let base_values: Vec<E> = normals(&mut rng, 23 * dim);
        let query_values: Vec<E> = normals(&mut rng, 11 * dim);
        let base = Rows::new(&base_values, dim).unwrap();
        let queries = Rows::new(&query_values, dim).unwrap();
        every_cell::<E>(|kernel| {
            let what = format!("{} {} {} dim {dim}", kernel.isa(), kernel.metric(), E::TYPE);
            for count in 0..=base.len() {
                let part = base.slice(0..count);
                let mut keys = vec![f32::NAN; count];
                kernel.rows(queries.row(0), part, &mut keys);
                for (row, key) in part.iter().zip(&keys) {
                    assert_same(*key, kernel.pair(queries.row(0), row), &what);
                    assert_same(*key, kernel.pair(row, queries.row(0)), &what);
                }
                let ids: Vec<u32> = (0..count).map(|_| rng.below(base.len() as u64) as u32).collect();
                kernel.gather(queries.row(1), base, &ids, &mut keys);
                for (id, key) in ids.iter().zip(&keys) {
                    assert_same(*key, kernel.pair(queries.row(1), base.row(*id as usize)), &what);
                }
            }
            for (query_count, row_count) in [(0, 5), (5, 0), (1, 1), (1, 23), (2, 4), (3, 7), (4, 4), (7, 6), (11, 23)]
            {
                let mut keys = vec![f32::NAN; query_count * row_count];
                kernel.tile(queries.slice(0..query_count), base.slice(0..row_count), &mut keys);
                for (i, key) in keys.iter().enumerate() {
                    let (query, row) = (queries.row(i / row_count), base.row(i % row_count));
                    assert_same(*key, kernel.pair(query, row), &what);
                }
            }
        });
    }
}

#[test]
fn f32_every_method_gives_the_bits_of_pair() {
    every_method_gives_the_bits_of_pair::<f32>();
}

#[test]
fn f16_every_method_gives_the_bits_of_pair() {
    every_method_gives_the_bits_of_pair::<F16>();
}

#[test]
fn tile_crosses_its_query_blocks() {
    let mut rng = Rng::new(15);
    // More queries than a block has, and then rows so long that a block has only the least number.
    for (query_count, row_count, dim) in [(150, 5, 20), (9, 6, 40_000)] {
        let query_values: Vec<f32> = normals(&mut rng, query_count * dim);
        let base_values: Vec<f32> = normals(&mut rng, row_count * dim);
        let (queries, base) = (Rows::new(&query_values, dim).unwrap(), Rows::new(&base_values, dim).unwrap());
        every_cell::<f32>(|kernel| {
            let mut keys = vec![f32::NAN; query_count * row_count];
            kernel.tile(queries, base, &mut keys);
            for (i, key) in keys.iter().enumerate() {
                assert_same(*key, kernel.pair(queries.row(i / row_count), base.row(i % row_count)), "tile blocks");
            }
        });
    }
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

fn sets_agree_to_the_bit<E: Number>() {
    let mut rng = Rng::new(16);
    for round in 0..600 {
        let dim = rng.below(200) as usize;
        let mut draw = || -> Vec<E> {
            match round % 3 {
                0 => normals(&mut rng, dim),
                1 => hard_values(&mut rng, dim, false).into_iter().map(E::from_f32).collect(),
                _ => hard_values(&mut rng, dim, true).into_iter().map(E::from_f32).collect(),
            }
        };
        let (a, b) = (draw(), draw());
        for metric in METRICS {
            let plain = Kernel::<E>::on(&SCALAR, metric).unwrap();
            for kernel in Kernel::<E>::all(metric) {
                let what = format!("{} {metric} {} dim {dim}: {a:?} {b:?}", kernel.isa(), E::TYPE);
                assert_same(kernel.pair(&a, &b), plain.pair(&a, &b), &what);
                assert_same(kernel.norm(&a), plain.norm(&a), &what);
            }
        }
    }
}

#[test]
fn sets_agree_to_the_bit_in_either_type() {
    sets_agree_to_the_bit::<f32>();
    sets_agree_to_the_bit::<F16>();
}

#[test]
fn keys_have_pinned_bits() {
    // Computed apart from this crate with exact fractions, in the documented order: a change of the fixed tree would
    // show here on every set.
    let a: Vec<f32> = (0..333).map(|i| ((i * 37 % 101) as f32).sqrt()).collect();
    let b: Vec<f32> = (0..333).map(|i| ((i * 53 % 97) as f32).sqrt()).collect();
    every_cell::<f32>(|kernel| {
        let want = match kernel.metric() {
            Metric::L2 => 0x4558_8470,
            Metric::Ip => 0xc662_7b72,
            Metric::Cosine => 0xbf64_bbe2,
            other => unreachable!("{other} is not over numbers"),
        };
        assert_eq!(kernel.pair(&a, &b).to_bits(), want, "{} {}", kernel.isa(), kernel.metric());
    });
}

#[test]
fn nan_and_infinity_go_through() {
    every_cell::<f32>(|kernel| {
        for dim in [1, 7, 16, 64, 100] {
            for at in [0, dim / 2, dim - 1] {
                let b = vec![1.0; dim];
                let mut a = b.clone();
                a[at] = f32::NAN;
                assert!(kernel.pair(&a, &b).is_nan(), "{} {} dim {dim}", kernel.isa(), kernel.metric());
                a[at] = f32::INFINITY;
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
fn zero_vectors_have_cosine_zero_and_keys_have_no_negative_zero() {
    every_cell::<F16>(|kernel| {
        for dim in [1, 20, 64, 129] {
            let zero = vec![F16::default(); dim];
            let minus_zero = vec![F16::from_f32(-0.0); dim];
            let some = vec![F16::from_f32(-1.5); dim];
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
fn cosine_is_clamped_and_norm_is_euclidean() {
    let mut rng = Rng::new(17);
    for kernel in Kernel::<f32>::all(Metric::Cosine) {
        for dim in 1..=130 {
            let a: Vec<f32> = normals(&mut rng, dim);
            let b: Vec<f32> = a.iter().map(|x| x * -3.7).collect();
            assert!((-1.0..=-0.999_999).contains(&kernel.pair(&a, &a)), "same direction, dim {dim}");
            assert!((0.999_999..=1.0).contains(&kernel.pair(&a, &b)), "opposite direction, dim {dim}");
            let norm = wide(&a).iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((f64::from(kernel.norm(&a)) - norm).abs() <= 1e-6 * norm);
        }
        assert_eq!(kernel.norm(&[3.0, 4.0]), 5.0);
        assert_eq!(kernel.norm(&[]), 0.0);
    }
}

#[test]
fn prefetch_takes_any_id() {
    let base = Rows::new(&[1.0f32, 2.0, 3.0, 4.0], 2).unwrap();
    let kernel = Kernel::new(Metric::L2).unwrap();
    for id in [0, 1, 2, u32::MAX] {
        kernel.prefetch(base, id);
    }
}

#[test]
#[should_panic = "vectors of different dimension"]
fn pair_refuses_different_lengths() {
    Kernel::new(Metric::L2).unwrap().pair(&[1.0f32], &[1.0, 2.0]);
}

#[test]
#[should_panic = "query and rows of different dimension"]
fn rows_refuses_a_short_query() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().rows(&[1.0], base, &mut [0.0; 2]);
}

#[test]
#[should_panic = "one key for each row"]
fn rows_refuses_missing_room() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().rows(&[1.0, 1.0], base, &mut [0.0; 1]);
}

#[test]
#[should_panic = "row 2 of 2"]
fn gather_refuses_an_id_past_the_rows() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().gather(&[1.0, 1.0], base, &[0, 2, 1], &mut [0.0; 3]);
}

#[test]
#[should_panic = "one key for each id"]
fn gather_refuses_missing_room() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().gather(&[1.0, 1.0], base, &[0, 1], &mut [0.0; 1]);
}

#[test]
#[should_panic = "one key for each query and row"]
fn tile_refuses_missing_room() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().tile(base, base, &mut [0.0; 3]);
}
