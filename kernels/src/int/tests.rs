//! Every metric, element type and instruction set against exact integers, and against each other to the bit.
#![allow(clippy::wildcard_enum_match_arm, reason = "only three metrics are defined over integers")]
use super::{Int, kit::CHUNK};
use crate::{dispatch::Kernel, element::U4, isa::SCALAR, metric::Metric, rng::Rng, rows::Rows};

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

/// A unit with any bits.
trait Bits: Int {
    fn of(bits: u8) -> Self;
}

impl Bits for i8 {
    fn of(bits: u8) -> Self {
        bits.cast_signed()
    }
}

impl Bits for u8 {
    fn of(bits: u8) -> Self {
        bits
    }
}

impl Bits for U4 {
    fn of(bits: u8) -> Self {
        Self(bits)
    }
}

/// Makes a test of a function for each element type.
macro_rules! each_type {
    ($($function:ident as $i8:ident, $u8:ident, $u4:ident;)*) => {
        $(
            #[test]
            fn $i8() {
                $function::<i8>();
            }

            #[test]
            fn $u8() {
                $function::<u8>();
            }

            #[test]
            fn $u4() {
                $function::<U4>();
            }
        )*
    };
}

/// Runs `check` for every cell of `E` that this CPU can run; the others are named, so that a skipped one is seen.
fn every_cell<E: Int>(mut check: impl FnMut(&Kernel<E>)) {
    for metric in METRICS {
        for isa in Kernel::<E>::sets(metric).filter(|isa| !isa.is_available()) {
            println!("SKIPPED: {} {metric} on {} (needs {})", E::TYPE, isa.name(), isa.summary());
        }
        let names: Vec<&str> = Kernel::<E>::all(metric).map(|kernel| kernel.isa()).collect();
        assert_eq!(names.last(), Some(&"scalar"), "the scalar set is always there");
        Kernel::<E>::all(metric).for_each(|kernel| check(&kernel));
    }
}

/// Units with any bits.
fn any<E: Bits>(rng: &mut Rng, count: usize) -> Vec<E> {
    (0..count).map(|_| E::of(rng.next_u64() as u8)).collect()
}

/// Units at the ends of the range, where sums are the largest.
fn ends<E: Bits>(rng: &mut Rng, count: usize) -> Vec<E> {
    const ENDS: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff, 0xf0, 0x0f];
    (0..count).map(|_| E::of(ENDS[rng.below(ENDS.len() as u64) as usize])).collect()
}

/// The exact sums of the products of all components.
fn dot<E: Int>(a: &[E], b: &[E]) -> i128 {
    let products = a.iter().zip(b).map(|(a, b)| {
        let ([a, c], [b, d]) = (a.parts().map(i128::from), b.parts().map(i128::from));
        a * b + c * d
    });
    products.sum()
}

/// The key by the definition. That of the cosine is within a rounding of the kernels', the others are the same.
fn reference<E: Int>(metric: Metric, a: &[E], b: &[E]) -> f32 {
    match metric {
        Metric::L2 => (dot(a, a) + dot(b, b) - 2 * dot(a, b)) as f32,
        Metric::Ip => -dot(a, b) as f32,
        Metric::Cosine if dot(a, a) == 0 || dot(b, b) == 0 => 0.0,
        Metric::Cosine => 0.0 - (dot(a, b) as f64 / ((dot(a, a) as f64).sqrt() * (dot(b, b) as f64).sqrt())) as f32,
        other => unreachable!("{other} is not over integers"),
    }
}

#[track_caller]
fn assert_right<E: Int>(kernel: &Kernel<E>, a: &[E], b: &[E], key: f32) {
    let want = reference(kernel.metric(), a, b);
    let right = match kernel.metric() {
        Metric::Cosine => (key - want).abs() <= f32::EPSILON / 2.0,
        _ => key.to_bits() == want.to_bits(),
    };
    assert!(right, "{} {} {} dim {}: {key} and {want}", kernel.isa(), kernel.metric(), E::TYPE, a.len());
    let plain = Kernel::<E>::on(&SCALAR, kernel.metric()).unwrap().pair(a, b);
    assert_eq!(key.to_bits(), plain.to_bits(), "{} {} {} dim {}", kernel.isa(), kernel.metric(), E::TYPE, a.len());
}

fn every_length<E: Bits>() {
    let mut rng = Rng::new(21);
    let (store_a, store_b): (Vec<E>, Vec<E>) = (any(&mut rng, 5000), any(&mut rng, 5000));
    let (ends_a, ends_b): (Vec<E>, Vec<E>) = (ends(&mut rng, 5000), ends(&mut rng, 5000));
    every_cell::<E>(|kernel| {
        for dim in (0..=260).chain([300, 384, 511, 513, 768, 777, 1023, 1024, 1536, 3072, 4099]) {
            for (a, b) in [(&store_a, &store_b), (&ends_a, &ends_b)] {
                let (a, b) = (&a[dim % 17..][..dim], &b[dim % 13..][..dim]);
                assert_right(kernel, a, b, kernel.pair(a, b));
                assert_right(kernel, a, a, kernel.pair(a, a));
                assert_eq!(kernel.norm(a), (dot(a, a) as f32).sqrt(), "{} {} dim {dim}", kernel.isa(), E::TYPE);
            }
        }
    });
}

fn misaligned_starts<E: Bits>() {
    let mut rng = Rng::new(22);
    for dim in [5, 131] {
        let (a, b): (Vec<E>, Vec<E>) = (any(&mut rng, dim), any(&mut rng, dim));
        every_cell::<E>(|kernel| {
            let want = kernel.pair(&a, &b);
            let mut room: Vec<E> = any(&mut Rng::new(23), dim + 128);
            for start in 0..64 {
                room[start..start + dim].copy_from_slice(&a);
                assert_eq!(kernel.pair(&room[start..start + dim], &b), want, "{} left {start}", kernel.isa());
                assert_eq!(kernel.pair(&b, &room[start..start + dim]), want, "{} right {start}", kernel.isa());
            }
        });
    }
}

fn every_method<E: Bits>() {
    let mut rng = Rng::new(24);
    for dim in [1, 3, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 130, 200, 256, 259] {
        let (base_units, query_units): (Vec<E>, Vec<E>) = (any(&mut rng, 23 * dim), ends(&mut rng, 11 * dim));
        let (base, queries) = (Rows::new(&base_units, dim).unwrap(), Rows::new(&query_units, dim).unwrap());
        every_cell::<E>(|kernel| {
            let same = |key: f32, query: &[E], row: &[E]| {
                let want = kernel.pair(query, row);
                assert_eq!(key.to_bits(), want.to_bits(), "{} {} dim {dim}", kernel.isa(), kernel.metric());
            };
            for count in 0..=base.len() {
                let mut keys = vec![f32::NAN; count];
                kernel.rows(queries.row(0), base.slice(0..count), &mut keys);
                for (row, key) in base.iter().zip(&keys) {
                    same(*key, queries.row(0), row);
                    same(*key, row, queries.row(0));
                }
                let ids: Vec<u32> = (0..count).map(|_| rng.below(base.len() as u64) as u32).collect();
                kernel.gather(queries.row(1), base, &ids, &mut keys);
                for (id, key) in ids.iter().zip(&keys) {
                    same(*key, queries.row(1), base.row(*id as usize));
                }
            }
            for (query_count, row_count) in [(0, 5), (5, 0), (1, 1), (1, 23), (3, 7), (4, 4), (7, 6), (8, 1), (11, 23)]
            {
                let mut keys = vec![f32::NAN; query_count * row_count];
                kernel.tile(queries.slice(0..query_count), base.slice(0..row_count), &mut keys);
                for (i, key) in keys.iter().enumerate() {
                    same(*key, queries.row(i / row_count), base.row(i % row_count));
                }
            }
        });
    }
}

/// The largest and the smallest sums there are, at lengths where they leave 32 bits, signed and unsigned.
fn long_vectors<E: Bits>() {
    // 66,053 squares of 255 leave 32 unsigned bits, 131,073 of -128 leave 31.
    for dim in [CHUNK - 1, CHUNK, CHUNK + 1, 66_053, 131_073 + 32] {
        let units = [0x00, 0x7f, 0x80, 0xff].map(|bits| vec![E::of(bits); dim]);
        let mut rows = units.concat();
        rows.extend(&units[3]);
        rows[dim / 2] = E::of(0x55);
        let rows = Rows::new(&rows, dim).unwrap();
        every_cell::<E>(|kernel| {
            if kernel.isa() == "scalar" && kernel.metric() != Metric::L2 {
                return;
            }
            let mut keys = vec![f32::NAN; 25];
            kernel.tile(rows, rows, &mut keys);
            for (i, key) in keys.iter().enumerate() {
                let want = exact_constant(kernel.metric(), rows.row(i / 5), rows.row(i % 5));
                let gap = (f64::from(*key) - f64::from(want)).abs();
                let bound = if kernel.metric() == Metric::Cosine { f64::from(f32::EPSILON) / 2.0 } else { 0.0 };
                assert!(gap <= bound, "{} {} dim {dim} at {i}: {key} {want}", kernel.isa(), kernel.metric());
            }
            assert_eq!(
                kernel.pair(rows.row(1), rows.row(4)),
                keys[9],
                "{} {} dim {dim}",
                kernel.isa(),
                kernel.metric()
            );
            for (row, keys) in keys.chunks(5).enumerate() {
                let mut again = [f32::NAN; 5];
                kernel.rows(rows.row(row), rows, &mut again);
                assert_eq!(again, *keys, "{} {} dim {dim}", kernel.isa(), kernel.metric());
            }
        });
    }
}

/// [`reference`] of two vectors of which the middle unit alone differs from the first.
fn exact_constant<E: Int>(metric: Metric, a: &[E], b: &[E]) -> f32 {
    let middle = a.len() / 2;
    let dot = |a: &[E], b: &[E]| {
        dot(&a[..1], &b[..1]) * (a.len() as i128 - 1) + dot(&a[middle..=middle], &b[middle..=middle])
    };
    match metric {
        Metric::L2 => (dot(a, a) + dot(b, b) - 2 * dot(a, b)) as f32,
        Metric::Ip => -dot(a, b) as f32,
        _ if dot(a, a) * dot(b, b) == 0 => 0.0,
        _ => (-dot(a, b) as f64 / (dot(a, a) as f64 * dot(b, b) as f64).sqrt()) as f32,
    }
}

fn tile_blocks<E: Bits>() {
    let mut rng = Rng::new(25);
    // More queries than a block has, and then rows so long that a block has only the least number.
    for (query_count, row_count, dim) in [(150, 5, 20), (150, 3, 20), (9, 6, 33_003)] {
        let (query_units, base_units): (Vec<E>, Vec<E>) =
            (any(&mut rng, query_count * dim), any(&mut rng, row_count * dim));
        let (queries, base) = (Rows::new(&query_units, dim).unwrap(), Rows::new(&base_units, dim).unwrap());
        every_cell::<E>(|kernel| {
            if kernel.isa() == "scalar" {
                return;
            }
            let mut keys = vec![f32::NAN; query_count * row_count];
            kernel.tile(queries, base, &mut keys);
            for (query, keys) in queries.iter().zip(keys.chunks(row_count)) {
                let mut want = vec![f32::NAN; row_count];
                kernel.rows(query, base, &mut want);
                assert_eq!(keys, want, "{} {} dim {dim}", kernel.isa(), kernel.metric());
            }
        });
    }
}

fn cosine_rules<E: Bits>() {
    let mut rng = Rng::new(26);
    for kernel in Kernel::<E>::all(Metric::Cosine) {
        for dim in [1, 2, 20, 64, 129, 768] {
            let (zero, some) = (vec![E::of(0); dim], any::<E>(&mut rng, dim));
            for key in [kernel.pair(&zero, &zero), kernel.pair(&zero, &some), kernel.pair(&some, &zero)] {
                assert_eq!(key.to_bits(), 0, "{} dim {dim}", kernel.isa());
            }
            let want = if dot(&some, &some) == 0 { 0.0 } else { -1.0 };
            assert_eq!(kernel.pair(&some, &some), want, "{} dim {dim}", kernel.isa());
        }
    }
    for metric in METRICS {
        for kernel in Kernel::<E>::all(metric) {
            assert_eq!(kernel.pair(&[], &[]).to_bits(), 0, "{} {metric}", kernel.isa());
            assert_eq!(kernel.pair(&[E::of(0); 70], &[E::of(0); 70]).to_bits(), 0, "{} {metric}", kernel.isa());
        }
    }
}

each_type! {
    every_length as i8_pair_is_exact, u8_pair_is_exact, u4_pair_is_exact;
    misaligned_starts as i8_misaligned_starts, u8_misaligned_starts, u4_misaligned_starts;
    every_method as i8_methods_agree, u8_methods_agree, u4_methods_agree;
    long_vectors as i8_sums_leave_32_bits, u8_sums_leave_32_bits, u4_sums_leave_32_bits;
    tile_blocks as i8_tile_crosses_its_blocks, u8_tile_crosses_its_blocks, u4_tile_crosses_its_blocks;
    cosine_rules as i8_cosine_rules, u8_cosine_rules, u4_cosine_rules;
}

#[test]
fn known_keys() {
    let of = |metric| Kernel::<U4>::new(metric).unwrap();
    let (a, b) = ([U4::new(1, 2), U4::new(15, 0)], [U4::new(3, 5), U4::new(0, 15)]);
    assert_eq!(of(Metric::Ip).pair(&a, &b), -13.0);
    assert_eq!(of(Metric::L2).pair(&a, &b), 4.0 + 9.0 + 225.0 + 225.0);
    let signed = Kernel::<i8>::new(Metric::Cosine).unwrap();
    assert_eq!(signed.pair(&[-128, 0], &[127, 0]), 1.0);
    assert_eq!(Kernel::<u8>::new(Metric::L2).unwrap().pair(&[0, 255], &[255, 0]), 130_050.0);
}

#[test]
#[should_panic = "vectors of different dimension"]
fn pair_refuses_different_lengths() {
    Kernel::new(Metric::L2).unwrap().pair(&[1i8], &[1, 2]);
}
