//! Keys of every tier are near those of the rows; saved codes open to the same keys; forged ones are refused.

use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, Bitmap, Rows, Vector};

use super::rows::Lent;
use super::source::query;
use super::*;
use crate::container::{self, Kind};
use crate::{Blob, Cancel, no_progress};

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];
const CODES: [Code; 8] = [
    Code::Sq(SqKind { bits: 4, is_uniform: true }),
    Code::Sq(SqKind { bits: 4, is_uniform: false }),
    Code::Sq(SqKind { bits: 6, is_uniform: false }),
    Code::Sq(SqKind { bits: 8, is_uniform: false }),
    Code::Half(HalfKind::F16),
    Code::Half(HalfKind::Bf16),
    // Over as few rows as here each row is a centroid of its own.
    Code::Pq(PqKind { m: 1, nrq: 1, nbits: 8 }),
    Code::Pq(PqKind { m: 1, nrq: 2, nbits: 8 }),
];

/// How far a key may be off, as a share of the spread of keys.
fn slack(code: Code) -> f32 {
    match code {
        Code::Sq(SqKind { bits: 4, .. }) => 0.15,
        Code::Sq(SqKind { bits: 6, .. }) => 0.04,
        Code::Sq(_) | Code::Half(HalfKind::Bf16) => 0.015,
        Code::Half(HalfKind::F16) | Code::Pq(_) => 0.003,
    }
}

fn made(rows: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..rows * dim).map(|_| rng.normal() + 0.3).collect()
}

fn cx(cancel: &Cancel) -> BuildCx<'_> {
    BuildCx { pool: None, seed: 1, cancel, progress: &no_progress, device: None }
}

fn built(code: Code, metric: Metric, rows: AnyRows<'_>, usable: &Bitmap) -> Option<Box<dyn Tier>> {
    build(code, &Source { metric, rows, usable }, &cx(&Cancel::new())).unwrap()
}

fn keys_of(tier: &dyn Tier, metric: Metric, vector: &[f32], ids: &[u32]) -> Vec<f32> {
    let values = query(metric, Vector::F32(vector));
    let mut keys = vec![0.0; ids.len()];
    tier.bind(&values).unwrap().keys(ids, &mut keys);
    keys
}

fn saved(tier: &dyn Tier) -> Vec<u8> {
    let mut bytes = Vec::new();
    container::write(&mut bytes, Kind::Hnsw, &tier.parts(1)).unwrap();
    bytes
}

#[test]
fn keys_are_near_those_of_the_rows() {
    for (code, dim) in CODES.into_iter().flat_map(|code| [1, 3, 17, 100, 257].map(|dim| (code, dim))) {
        let (values, queries) = (made(200, dim, 1), made(5, dim, 2));
        let rows = Rows::new(&values, dim).unwrap().into();
        let ids: Vec<u32> = (0..200).rev().chain([7, 7]).collect();
        for metric in METRICS {
            let tier = built(code, metric, rows, &Bitmap::full(200)).unwrap();
            assert_eq!(tier.code(), code);
            for query in queries.chunks(dim) {
                let mut exact = vec![0.0; ids.len()];
                Lent::new(metric, rows, &[]).bind(Vector::F32(query)).unwrap().keys(&ids, &mut exact);
                let (low, high) =
                    exact.iter().fold((f32::MAX, f32::MIN), |(low, high), key| (low.min(*key), high.max(*key)));
                let keys = keys_of(&*tier, metric, query, &ids);
                let worst = keys.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                // One grid for all rows clamps what lies outside.
                let slack = if code == CODES[0] { 3.0 * slack(code) } else { slack(code) };
                assert!(worst <= slack * (high - low) + 1e-6, "{code:?} {metric} {dim}: {worst} of {}", high - low);
            }
        }
    }
}

#[test]
fn saved_codes_open_to_the_same_keys_and_cut_ones_do_not() {
    let (dim, values, vector) = (33, made(50, 33, 3), made(1, 33, 4));
    let ids: Vec<u32> = (0..50).collect();
    for (code, metric) in CODES.into_iter().flat_map(|code| METRICS.map(|metric| (code, metric))) {
        let tier = built(code, metric, Rows::new(&values, dim).unwrap().into(), &Bitmap::full(50)).unwrap();
        let bytes = saved(&*tier);
        let container = Container::read(&Blob::from_vec(bytes)).unwrap();
        assert!(open(&container, 0, metric, dim, 50).unwrap().is_none(), "the role is 1");
        let opened = open(&container, 1, metric, dim, 50).unwrap().unwrap();
        assert_eq!((opened.code(), opened.describe()), (code, tier.describe()));
        assert_eq!(keys_of(&*opened, metric, &vector, &ids), keys_of(&*tier, metric, &vector, &ids));
        assert_eq!(opened.size_bytes(), tier.size_bytes());
        for (dim, rows) in [(dim, 49), (dim, 51), (dim - 1, 50), (dim + 1, 50)] {
            assert!(open(&container, 1, metric, dim, rows).is_err(), "{code:?} {dim} {rows}");
        }
    }
}

#[test]
fn forged_parameters_are_refused_or_harmless() {
    let (dim, values) = (20, made(30, 20, 5));
    let ids: Vec<u32> = (0..30).collect();
    for code in CODES {
        let tier = built(code, Metric::L2, Rows::new(&values, dim).unwrap().into(), &Bitmap::full(30)).unwrap();
        let bytes = saved(&*tier);
        let mut refused = 0;
        // Parameters and tables come first after the table of sections.
        for at in 128..bytes.len().min(400) {
            for bit in [0, 3, 7] {
                let mut forged = bytes.clone();
                forged[at] ^= 1 << bit;
                let Ok(container) = Container::read(&Blob::from_vec(forged)) else { continue };
                match open(&container, 1, Metric::L2, dim, 30) {
                    Ok(opened) => drop(opened.map(|tier| keys_of(&*tier, Metric::L2, &values[..dim], &ids))),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 8, "{code:?}: {refused}");
    }
}

#[test]
fn rows_left_out_do_not_matter_and_too_long_rows_have_no_scalar_codes() {
    let dim = 8;
    let mut values = made(20, dim, 6);
    values[3 * dim] = f32::NAN;
    let usable = Bitmap::from_fn(20, |i| i != 3);
    for code in CODES {
        let tier = built(code, Metric::L2, Rows::new(&values, dim).unwrap().into(), &usable).unwrap();
        let keys = keys_of(&*tier, Metric::L2, &values[..dim], &[0, 1, 2, 4]);
        assert!(keys.iter().all(|key| key.is_finite()) && keys[0] < keys[1].min(keys[2]).min(keys[3]), "{code:?}");
        assert!(
            matches!(code, Code::Half(_))
                || built(code, Metric::L2, Rows::new(&values, dim).unwrap().into(), &Bitmap::new(20)).is_none()
        );
    }
    values[5 * dim] = 1e30;
    for code in &CODES[..4] {
        assert!(built(*code, Metric::L2, Rows::new(&values, dim).unwrap().into(), &usable).is_none(), "{code:?}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_codes_and_a_cancelled_build_ends() {
    let (dim, values) = (12, made(5000, 12, 7));
    let (rows, usable) = (Rows::new(&values, dim).unwrap().into(), Bitmap::full(5000));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let source = Source { metric: Metric::Cosine, rows, usable: &usable };
    let (cancel, cancelled) = (Cancel::new(), Cancel::new());
    cancelled.cancel();
    for code in CODES {
        let one = build(code, &source, &cx(&cancel)).unwrap().unwrap();
        let three = build(code, &source, &BuildCx { pool: Some(&pool), ..cx(&cancel) }).unwrap().unwrap();
        assert!(saved(&*one) == saved(&*three), "{code:?}");
        assert_eq!(build(code, &source, &cx(&cancelled)).err(), Some(BuildError::Cancelled));
    }
}
