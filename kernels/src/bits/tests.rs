//! Every metric over bits, on every instruction set, against a count bit by bit.
use crate::{Binary, Kernel, Metric, Rows, isa::SCALAR, rng::Rng};

const METRICS: [Metric; 6] = [
    Metric::Hamming,
    Metric::Jaccard,
    Metric::Tanimoto,
    Metric::Substructure,
    Metric::Superstructure,
    Metric::MhJaccard,
];

/// Runs `check` for every cell that this CPU can run; the others are named, so that a skipped one is seen.
fn every_cell(mut check: impl FnMut(&Kernel<Binary>)) {
    for metric in METRICS {
        for isa in Kernel::<Binary>::sets(metric).filter(|isa| !isa.is_available()) {
            println!("SKIPPED: binary {metric} on {} (needs {})", isa.name(), isa.summary());
        }
        let names: Vec<&str> = Kernel::<Binary>::all(metric).map(|kernel| kernel.isa()).collect();
        assert_eq!(names.last(), Some(&"scalar"), "the scalar set is always there");
        Kernel::<Binary>::all(metric).for_each(|kernel| check(&kernel));
    }
}

fn bit(v: &[u8], i: usize) -> bool {
    v[i / 8] >> (i % 8) & 1 == 1
}

/// How many bit positions have the property.
fn ones(a: &[u8], b: &[u8], property: impl Fn(bool, bool) -> bool) -> u64 {
    (0..8 * a.len()).filter(|&i| property(bit(a, i), bit(b, i))).count() as u64
}

/// The ratio, rounded once: of numbers below 2^24 the `f64` quotient is rounded to the nearest `f32`.
fn ratio(count: u64, of: u64) -> f32 {
    (count as f64 / of as f64) as f32
}

/// The key by the definition.
#[allow(clippy::wildcard_enum_match_arm, reason = "only six metrics are defined over bits")]
fn reference(metric: Metric, query: &[u8], row: &[u8]) -> f32 {
    let both = || ones(query, row, |a, b| a && b);
    let either = || ones(query, row, |a, b| a || b);
    match metric {
        Metric::Hamming => ones(query, row, |a, b| a != b) as f32,
        Metric::Jaccard if either() == 0 => 0.0,
        Metric::Jaccard => ratio(either() - both(), either()),
        Metric::Tanimoto if either() == 0 => -1.0,
        Metric::Tanimoto => 0.0 - ratio(both(), either()),
        Metric::Substructure => f32::from(u8::from(ones(query, row, |a, b| b && !a) > 0)),
        Metric::Superstructure => f32::from(u8::from(ones(query, row, |a, b| a && !b) > 0)),
        Metric::MhJaccard if query.is_empty() => 0.0,
        Metric::MhJaccard => {
            let differing = query.chunks(4).zip(row.chunks(4)).filter(|(a, b)| a != b).count();
            ratio(differing as u64, query.len().div_ceil(4) as u64)
        }
        other => unreachable!("{other} is not over bits"),
    }
}

/// A vector about which something is to be found: random with few or many ones, nearly the other, a subset of it.
fn vector(rng: &mut Rng, like: &[u8]) -> Vec<u8> {
    let kind = rng.below(6);
    like.iter()
        .map(|byte| {
            let noise = rng.next_u64() as u8;
            match kind {
                0 => noise,
                1 => noise & (noise >> 3) & (noise << 2),
                2 => byte ^ if rng.below(40) == 0 { 16 } else { 0 },
                3 => byte & noise,
                4 => byte | noise,
                _ => *byte,
            }
        })
        .collect()
}

/// Lengths at and about every register and segment, short enough to be counted bit by bit.
fn lengths() -> impl Iterator<Item = usize> {
    let about = |n: usize| n - 1..=n + 1;
    (0..=130).chain([192, 200, 255, 256, 257, 384]).chain(about(496)).chain(about(992)).chain(about(1984))
}

fn same(kernel: &Kernel<Binary>, got: f32, want: f32, bytes: usize, form: &str) {
    let (isa, metric) = (kernel.isa(), kernel.metric());
    assert_eq!(got.to_bits(), want.to_bits(), "{isa} {metric} {form} of {bytes} bytes: {got}, not {want}");
}

#[test]
fn pairs_are_the_definition_at_every_length_and_alignment() {
    let mut rng = Rng::new(11);
    for bytes in lengths() {
        let (mut left, mut right) = (vec![0u8; bytes + 3], vec![0u8; bytes + 5]);
        let query: Vec<u8> = (0..bytes).map(|_| rng.next_u64() as u8).collect();
        let row = vector(&mut rng, &query);
        let (shift, other) = (bytes % 4, bytes % 6);
        left[shift..shift + bytes].copy_from_slice(&query);
        right[other..other + bytes].copy_from_slice(&row);
        let a = Binary::from_bytes_slice(&left[shift..shift + bytes]);
        let b = Binary::from_bytes_slice(&right[other..other + bytes]);
        let squares = ones(&query, &query, |a, _| a);
        every_cell(|kernel| {
            same(kernel, kernel.pair(a, b), reference(kernel.metric(), &query, &row), bytes, "pair");
            same(kernel, kernel.norm(a), (squares as f32).sqrt(), bytes, "norm");
            if kernel.metric().is_symmetric() {
                same(kernel, kernel.pair(b, a), kernel.pair(a, b), bytes, "exchanged pair");
            }
        });
    }
}

#[test]
fn every_form_gives_the_key_of_the_pair() {
    let mut rng = Rng::new(12);
    let mut seen = [0, 0];
    for bytes in [1, 5, 8, 12, 16, 25, 32, 48, 63, 64, 65, 96, 128, 192, 384, 993, 1985] {
        for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 70] {
            let query: Vec<u8> = (0..bytes).map(|_| rng.next_u64() as u8).collect();
            let data: Vec<u8> = (0..count).flat_map(|_| vector(&mut rng, &query)).collect();
            let query = Binary::from_bytes_slice(&query);
            let base = Rows::new(Binary::from_bytes_slice(&data), bytes).unwrap();
            let ids: Vec<u32> = (0..2 * count as u64).map(|_| rng.below(count as u64) as u32).collect();
            every_cell(|kernel| {
                let scalar = Kernel::<Binary>::on(&SCALAR, kernel.metric()).unwrap();
                let want: Vec<f32> = base.iter().map(|row| scalar.pair(query, row)).collect();
                for key in &want {
                    seen[usize::from(*key == 0.0)] += 1;
                }
                let mut keys = vec![f32::NAN; count];
                kernel.rows(query, base, &mut keys);
                assert_eq!(keys, want, "{} {} rows of {bytes}", kernel.isa(), kernel.metric());
                let mut keys = vec![f32::NAN; ids.len()];
                kernel.gather(query, base, &ids, &mut keys);
                let want: Vec<f32> = ids.iter().map(|id| want[*id as usize]).collect();
                assert_eq!(keys, want, "{} {} gather of {bytes}", kernel.isa(), kernel.metric());
                if count <= 17 {
                    let mut keys = vec![f32::NAN; count * count];
                    kernel.tile(base, base, &mut keys);
                    for (i, key) in keys.iter().enumerate() {
                        let want = scalar.pair(base.row(i / count), base.row(i % count));
                        same(kernel, *key, want, bytes, "tile");
                    }
                }
            });
        }
    }
    assert!(seen[0] > 100 && seen[1] > 100, "keys of both kinds: {seen:?}");
}

#[test]
fn a_tile_of_more_rows_than_a_strip_is_in_order() {
    let mut rng = Rng::new(13);
    let (bytes, queries, rows) = (96, 3, 500);
    let data: Vec<u8> = (0..bytes * rows).map(|_| rng.next_u64() as u8).collect();
    let base = Rows::new(Binary::from_bytes_slice(&data), bytes).unwrap();
    every_cell(|kernel| {
        let mut keys = vec![f32::NAN; queries * rows];
        kernel.tile(base.slice(0..queries), base, &mut keys);
        for q in 0..queries {
            let mut want = vec![f32::NAN; rows];
            kernel.rows(base.row(q), base, &mut want);
            assert_eq!(keys[q * rows..][..rows], want, "{}", kernel.isa());
        }
    });
}

#[test]
fn empty_and_full_sets_have_their_defined_keys() {
    for bytes in [0, 1, 16, 100] {
        let (zeros, ones) = (vec![0u8; bytes], vec![255u8; bytes]);
        let (none, all) = (Binary::from_bytes_slice(&zeros), Binary::from_bytes_slice(&ones));
        every_cell(|kernel| {
            let equal = if kernel.metric() == Metric::Tanimoto { -1.0 } else { 0.0 };
            same(kernel, kernel.pair(none, none), equal, bytes, "empty sets");
            same(kernel, kernel.pair(all, all), equal, bytes, "full sets");
            same(kernel, kernel.pair(none, all), reference(kernel.metric(), &zeros, &ones), bytes, "empty and full");
            same(kernel, kernel.pair(all, none), reference(kernel.metric(), &ones, &zeros), bytes, "full and empty");
        });
    }
}

#[test]
fn containment_is_found_wherever_the_one_bit_is() {
    for bytes in [1, 31, 64, 100, 300, 520] {
        let query = vec![0u8; bytes];
        for i in 0..bytes {
            let mut row = query.clone();
            row[i] = 4;
            let (a, b) = (Binary::from_bytes_slice(&query), Binary::from_bytes_slice(&row));
            for kernel in Kernel::<Binary>::all(Metric::Substructure) {
                assert_eq!((kernel.pair(a, b), kernel.pair(b, a)), (1.0, 0.0), "{} byte {i} of {bytes}", kernel.isa());
            }
            for kernel in Kernel::<Binary>::all(Metric::Superstructure) {
                assert_eq!((kernel.pair(a, b), kernel.pair(b, a)), (0.0, 1.0), "{} byte {i} of {bytes}", kernel.isa());
            }
        }
    }
}

#[test]
fn no_count_overflows_in_long_vectors() {
    // Just past a segment of every lane width, and past 2^24 bits, where the ratio is rounded twice.
    for bytes in [255 * 64 + 1, (1 << 20) + 3, (1 << 21) - 63, (1 << 21) + 9] {
        let (zeros, ones) = (vec![0u8; bytes], vec![255u8; bytes]);
        let (none, all) = (Binary::from_bytes_slice(&zeros), Binary::from_bytes_slice(&ones));
        every_cell(|kernel| {
            let (apart, alike) = match kernel.metric() {
                Metric::Hamming => (8.0 * bytes as f32, 0.0),
                Metric::Tanimoto => (0.0, -1.0),
                Metric::Substructure | Metric::Jaccard | Metric::MhJaccard => (1.0, 0.0),
                Metric::Superstructure | Metric::L2 | Metric::Ip | Metric::Cosine => (0.0, 0.0),
            };
            same(kernel, kernel.pair(none, all), apart, bytes, "pair");
            same(kernel, kernel.pair(all, all), alike, bytes, "pair");
            let mut keys = [f32::NAN; 9];
            kernel.gather(none, Rows::new(all, bytes).unwrap(), &[0; 9], &mut keys);
            assert_eq!(keys, [apart; 9], "{} {}", kernel.isa(), kernel.metric());
        });
    }
}

#[test]
fn random_vectors_longer_than_a_segment_are_the_definition() {
    let mut rng = Rng::new(14);
    for bytes in [(1 << 21) + 777, (1 << 22) + 4] {
        let mut words = || (0..bytes / 8 + 1).flat_map(|_| rng.next_u64().to_le_bytes()).take(bytes).collect();
        let (query, row): (Vec<u8>, Vec<u8>) = (words(), words());
        let total = |join: fn(u8, u8) -> u8| -> u64 {
            query.iter().zip(&row).map(|(a, b)| u64::from(join(*a, *b).count_ones())).sum()
        };
        let (both, either) = (total(|a, b| a & b), total(|a, b| a | b));
        let unlike = query.chunks(4).zip(row.chunks(4)).filter(|(a, b)| a != b).count() as u64;
        let (a, b) = (Binary::from_bytes_slice(&query), Binary::from_bytes_slice(&row));
        every_cell(|kernel| {
            let want = match kernel.metric() {
                Metric::Hamming => (either - both) as f32,
                Metric::Jaccard => ratio(either - both, either),
                Metric::Tanimoto => 0.0 - ratio(both, either),
                Metric::MhJaccard => ratio(unlike, bytes.div_ceil(4) as u64),
                Metric::Substructure | Metric::Superstructure | Metric::L2 | Metric::Ip | Metric::Cosine => 1.0,
            };
            same(kernel, kernel.pair(a, b), want, bytes, "long pair");
            let mut keys = [f32::NAN; 3];
            kernel.gather(a, Rows::new(b, bytes).unwrap(), &[0; 3], &mut keys);
            assert_eq!(keys, [want; 3], "{} {}", kernel.isa(), kernel.metric());
            let ones = total(|a, _| a);
            same(kernel, kernel.norm(a), (ones as f32).sqrt(), bytes, "long norm");
        });
    }
}

#[test]
fn only_what_counts_ones_has_code_for_population_counts() {
    for metric in METRICS {
        let own = Kernel::<Binary>::sets(metric).any(|isa| isa.name() == "avx512vpopcntdq");
        assert_eq!(own, matches!(metric, Metric::Hamming | Metric::Jaccard | Metric::Tanimoto), "{metric}");
    }
}

#[test]
fn other_metrics_are_refused() {
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        assert!(Kernel::<Binary>::new(metric).is_err(), "{metric}");
    }
}
