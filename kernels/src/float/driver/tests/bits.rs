//! The same bits from every method, at every address, on every set, and in every build.
use super::{METRICS, assert_same, every_cell, hard_values, is_exact, normals};
use crate::{
    dispatch::Kernel,
    element::{Bf16, F16, Number},
    isa::SCALAR,
    rng::Rng,
    rows::Rows,
};

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
fn misaligned_starts_change_nothing_in_any_type() {
    misaligned_starts_change_nothing::<f32>();
    misaligned_starts_change_nothing::<F16>();
    misaligned_starts_change_nothing::<Bf16>();
}

fn every_method_gives_the_bits_of_pair<E: Number>() {
    let mut rng = Rng::new(14);
    for dim in [1, 3, 15, 16, 17, 31, 33, 63, 64, 65, 96, 100, 127, 128, 130, 200, 256, 259] {
        // Up to four blocks of the largest, for which a query is made ready, and some rows more.
        let base_values: Vec<E> = normals(&mut rng, 29 * dim);
        let query_values: Vec<E> = normals(&mut rng, 11 * dim);
        let all = Rows::new(&base_values, dim).unwrap();
        let queries = Rows::new(&query_values, dim).unwrap();
        every_cell::<E>(|kernel| {
            let what = format!("{} {} {} dim {dim}", kernel.isa(), kernel.metric(), E::TYPE);
            for count in 24..=all.len() {
                let mut keys = vec![f32::NAN; count];
                kernel.rows(queries.row(0), all.slice(0..count), &mut keys);
                for (row, key) in all.iter().zip(&keys) {
                    assert_same(*key, kernel.pair(queries.row(0), row), &what);
                }
            }
            let base = all.slice(0..23);
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
fn bf16_every_method_gives_the_bits_of_pair() {
    every_method_gives_the_bits_of_pair::<Bf16>();
}

fn long_runs_give_the_bits_of_pair<E: Number>() {
    let mut rng = Rng::new(19);
    // More bytes than a stream begins at, in short and in long rows, in rows whose query is not made ready, and more ids
    // than are fetched ahead.
    for dim in [101, 1003, 4103] {
        long_run_gives_the_bits_of_pair::<E>(&mut rng, dim);
    }
}

fn long_run_gives_the_bits_of_pair<E: Number>(rng: &mut Rng, dim: usize) {
    let some: Vec<E> = normals(rng, 7 * dim);
    let values: Vec<E> = some.iter().copied().cycle().take((1 << 20) / size_of::<E>() / dim * dim + 3 * dim).collect();
    let base = Rows::new(&values, dim).unwrap();
    let ids: Vec<u32> = (0..100).map(|_| rng.below(base.len() as u64) as u32).collect();
    every_cell::<E>(|kernel| {
        let what = format!("{} {} {} long run", kernel.isa(), kernel.metric(), E::TYPE);
        let query = base.row(3);
        let want: Vec<f32> = (0..7).map(|row| kernel.pair(query, base.row(row))).collect();
        let mut keys = vec![f32::NAN; base.len()];
        kernel.rows(query, base, &mut keys);
        for (row, key) in keys.iter().enumerate() {
            assert_same(*key, want[row % 7], &what);
        }
        // Calls that follow one another become a stream too.
        for start in (0..base.len()).step_by(256) {
            let rows = base.slice(start..base.len().min(start + 256));
            let keys = &mut keys[..rows.len()];
            keys.fill(f32::NAN);
            kernel.rows(query, rows, keys);
            for (row, key) in keys.iter().enumerate() {
                assert_same(*key, want[(start + row) % 7], &what);
            }
        }
        let mut keys = vec![f32::NAN; ids.len()];
        kernel.gather(query, base, &ids, &mut keys);
        for (id, key) in ids.iter().zip(&keys) {
            assert_same(*key, want[*id as usize % 7], &what);
        }
    });
}

#[test]
fn long_runs_give_the_bits_of_pair_in_every_type() {
    long_runs_give_the_bits_of_pair::<f32>();
    long_runs_give_the_bits_of_pair::<F16>();
    long_runs_give_the_bits_of_pair::<Bf16>();
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
            for kernel in Kernel::<E>::all(metric).filter(is_exact) {
                let what = format!("{} {metric} {} dim {dim}: {a:?} {b:?}", kernel.isa(), E::TYPE);
                assert_same(kernel.pair(&a, &b), plain.pair(&a, &b), &what);
                assert_same(kernel.norm(&a), plain.norm(&a), &what);
            }
        }
    }
}

#[test]
fn sets_agree_to_the_bit_in_every_type() {
    sets_agree_to_the_bit::<f32>();
    sets_agree_to_the_bit::<F16>();
    sets_agree_to_the_bit::<Bf16>();
}

/// Computed apart from this crate with exact fractions, in the documented order: a change of the fixed tree would show
/// here on every set. `want` has L2, IP and COSINE; each component is scaled by a power of two of its own if `scaled`.
fn keys_have_pinned_bits<E: Number>(scaled: bool, want: [u32; 3]) {
    let values = |step: i32, modulus: i32, shift: i32| -> Vec<E> {
        let exponent = |i: i32| if scaled { (i + shift) * 7 % 5 - 2 } else { 0 };
        (0..333).map(|i| E::from_f32(((i * step % modulus) as f32).sqrt() * 2f32.powi(exponent(i)))).collect()
    };
    let (a, b) = (values(37, 101, 0), values(53, 97, 3));
    every_cell::<E>(|kernel| {
        if is_exact(kernel) {
            let place = METRICS.iter().position(|metric| *metric == kernel.metric()).unwrap();
            assert_eq!(kernel.pair(&a, &b).to_bits(), want[place], "{} {}", kernel.isa(), kernel.metric());
        }
    });
}

#[test]
fn keys_have_pinned_bits_in_every_type() {
    keys_have_pinned_bits::<f32>(false, [0x4558_8470, 0xc662_7b72, 0xbf64_bbe2]);
    keys_have_pinned_bits::<F16>(true, [0x478a_361c, 0xc703_0d66, 0xbef9_4918]);
    keys_have_pinned_bits::<Bf16>(true, [0x478a_43ea, 0xc703_075a, 0xbef9_36aa]);
}
