//! Keys against decoded rows, codes against plain searches, and the edges: few rows, forged bytes, large numbers.

use std::sync::Mutex;

use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, Bitmap, Rows, Vector};

use super::pack::{BYTE, read, row_bytes, tables_of_bytes, write};
use super::*;
use crate::container::{self, Container, Kind, Tag};
use crate::tier::source;
use crate::{Blob, Cancel, OpenError, no_progress};

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

fn pq(m: usize, nrq: usize, nbits: u32) -> PqKind {
    PqKind { m, nrq, nbits }
}

/// Kinds over 12 components: codes that share bytes and not, odd numbers of them, tables and decoded rows.
fn kinds() -> [PqKind; 10] {
    let some = [pq(12, 1, 1), pq(3, 1, 2), pq(4, 1, 3), pq(3, 1, 4), pq(2, 1, 5), pq(4, 1, 8), pq(2, 1, 9)];
    let [a, b, c, d, e, f, g] = some;
    [a, b, c, d, e, f, g, pq(3, 3, 4), pq(1, 2, 6), pq(2, 2, 10)]
}

fn made(rows: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..rows * dim).map(|i| rng.normal() + (i % 3) as f32).collect()
}

fn any(values: &[f32], dim: usize) -> AnyRows<'_> {
    AnyRows::F32(Rows::new(values, dim).unwrap())
}

fn built(kind: PqKind, metric: Metric, rows: AnyRows<'_>) -> PqTier {
    let (usable, cancel) = (Bitmap::full(rows.len()), Cancel::new());
    let cx = BuildCx { pool: None, seed: 5, cancel: &cancel, progress: &no_progress, device: None };
    PqTier::build(kind, &Source { metric, rows, usable: &usable }, &cx).unwrap().unwrap()
}

fn keys_of(tier: &PqTier, metric: Metric, vector: &[f32]) -> Vec<f32> {
    let (ids, query): (Vec<u32>, _) = ((0..tier.rows as u32).collect(), source::query(metric, Vector::F32(vector)));
    let mut keys = vec![0.0; ids.len()];
    tier.bind(&query).unwrap().keys(&ids, &mut keys);
    keys
}

fn saved(tier: &PqTier) -> Vec<u8> {
    let mut bytes = Vec::new();
    container::write(&mut bytes, Kind::Hnsw, &tier.parts(0)).unwrap();
    bytes
}

fn square(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|value| f64::from(value).powi(2)).sum()
}

/// The mean squared distance of rows to decoded rows.
fn loss(tier: &PqTier, rows: &[f32]) -> f64 {
    let mut decoded = vec![0.0; tier.dim];
    let of_row = |(id, row): (usize, &[f32])| {
        tier.decode(id, &mut decoded);
        square(row.iter().zip(&decoded).map(|(a, b)| a - b))
    };
    rows.chunks(tier.dim).enumerate().map(of_row).sum::<f64>() / tier.rows as f64
}

#[test]
fn codes_of_any_width_are_read_as_written() {
    let mut rng = Rng::new(1);
    for nbits in 1..=MAX_BITS {
        for m in [1, 2, 3, 7, 8, 9] {
            let kind = pq(m, 1, nbits);
            let codes: Vec<u32> = (0..m).map(|_| rng.below(1 << nbits) as u32).collect();
            let mut row = vec![0; row_bytes(kind) + 3];
            write(kind, &codes, &mut row);
            assert!((0..m).all(|at| read(kind, &row, at) == codes[at] as usize), "{kind}: {codes:?} {row:?}");
            assert!(row.ends_with(&[0; 3]));
            assert!(row_bytes(kind) <= (m * nbits as usize).div_ceil(8) + m, "{kind}");
        }
    }
    assert_eq!([pq(5, 1, 1), pq(5, 1, 3), pq(5, 1, 4), pq(5, 1, 5), pq(5, 2, 9)].map(row_bytes), [1, 3, 3, 5, 20]);
}

#[test]
fn tables_of_bytes_add_those_of_codes() {
    let mut rng = Rng::new(2);
    for (nbits, places) in [(1, 16), (2, 16), (3, 16), (4, 16), (5, 256), (7, 16), (8, 16)] {
        let kind = pq(5, 1, nbits);
        let entries: Vec<f32> = (0..5 * places).map(|_| rng.below(1000) as f32).collect();
        let mut tables = vec![f32::NAN; row_bytes(kind) * BYTE];
        tables_of_bytes(nbits, &entries, places, &mut tables);
        for _ in 0..50 {
            // Any bytes, those of forged codes among them.
            let row: Vec<u8> = (0..row_bytes(kind)).map(|_| rng.next_u64() as u8).collect();
            let entry = |at: usize| {
                let code = read(kind, &row, at);
                entries[at * places + if code < places { code } else { 0 }]
            };
            let want: f32 = (0..5).map(entry).sum();
            let got: f32 = row.iter().zip(tables.chunks(BYTE)).map(|(byte, table)| table[usize::from(*byte)]).sum();
            assert_eq!(got, want, "{nbits} bits");
        }
    }
}

#[test]
fn keys_are_those_of_decoded_rows() {
    let (values, queries) = (made(700, 12, 3), made(3, 12, 4));
    for (kind, metric) in kinds().into_iter().flat_map(|kind| METRICS.map(|metric| (kind, metric))) {
        let tier = built(kind, metric, any(&values, 12));
        let (mut row, mut own) = (vec![0.0; 12], vec![0.0; 12]);
        let usable = Bitmap::full(700);
        let source = Source { metric, rows: any(&values, 12), usable: &usable };
        for vector in queries.chunks(12) {
            let query = source::query(metric, Vector::F32(vector));
            for (id, key) in keys_of(&tier, metric, vector).into_iter().enumerate() {
                tier.decode(id, &mut row);
                source.write(id, &mut own);
                let product: f64 = query.iter().zip(&row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let lengths = [&own, &row].map(|values| square(values.iter().copied()).sqrt());
                let want = if metric == Metric::L2 {
                    square(query.iter().zip(&row).map(|(a, b)| a - b))
                } else {
                    -product * lengths[0] / lengths[1]
                };
                let size = square(query.iter().copied()).sqrt() * lengths[0].max(1.0) + 1.0;
                assert!((f64::from(key) - want).abs() < 4e-5 * size, "{kind} {metric} row {id}: {key} for {want}");
            }
        }
    }
}

#[test]
fn each_code_is_the_nearest_centroid() {
    let values = made(600, 12, 6);
    for kind in kinds().into_iter().filter(|kind| kind.nrq == 1) {
        let tier = built(kind, Metric::L2, any(&values, 12));
        let dsub = 12 / kind.m;
        for (id, row) in values.chunks(12).enumerate() {
            for (part, values) in row.chunks(dsub).enumerate() {
                let book = &tier.values.as_slice()[part * tier.centroids * dsub..][..tier.centroids * dsub];
                let key = |centroid: &[f32]| square(values.iter().zip(centroid).map(|(a, b)| a - b));
                let best = book.chunks(dsub).map(key).fold(f64::INFINITY, f64::min);
                let code = read(kind, tier.row(id), part);
                assert!(key(&book[code * dsub..][..dsub]) <= best * 1.0001 + 1e-6, "{kind} row {id} part {part}");
            }
        }
    }
}

#[test]
fn more_bits_and_levels_lose_less() {
    let values = made(1500, 12, 7);
    let loss_of = |kind| loss(&built(kind, Metric::L2, any(&values, 12)), &values);
    let by_bits = [2, 4, 6, 8].map(|nbits| loss_of(pq(3, 1, nbits)));
    assert!(by_bits.windows(2).all(|pair| pair[1] < 0.75 * pair[0]), "{by_bits:?}");
    let by_levels = [1, 2, 3, 5].map(|nrq| loss_of(pq(2, nrq, 4)));
    assert!(by_levels.windows(2).all(|pair| pair[1] < 0.75 * pair[0]), "{by_levels:?}");
    // A row has a variance of 12, of which a code of four bits for each three components leaves about a third.
    assert!(by_bits[1] > 1.0 && by_bits[1] < 7.0, "{by_bits:?}");
}

#[test]
fn rows_no_more_than_centroids_lose_nothing() {
    for rows in [1, 2, 15, 16, 17, 40] {
        let values = made(rows, 12, 8);
        for kind in [pq(3, 1, 8), pq(12, 1, 6), pq(2, 2, 8), pq(1, 1, 12), pq(4, 3, 24)] {
            for metric in METRICS {
                let tier = built(kind, metric, any(&values, 12));
                assert_eq!(tier.centroids, rows);
                let keys = keys_of(&tier, metric, &values[..12]);
                let best = keys.iter().copied().fold(f32::INFINITY, f32::min);
                if metric != Metric::Ip {
                    assert!(keys[0] - best < 1e-4, "{kind} {metric} over {rows} rows: {keys:?}");
                }
                assert!(metric != Metric::L2 || keys[0].abs() < 1e-4, "{kind} over {rows} rows: {keys:?}");
                assert!(metric != Metric::L2 || loss(&tier, &values) < 1e-9);
            }
        }
    }
}

#[test]
fn equal_rows_and_zeros_have_keys() {
    for (value, kind, metric) in
        [0.0, 2.5].into_iter().flat_map(|v| kinds().into_iter().flat_map(move |k| METRICS.map(|m| (v, k, m))))
    {
        let values = vec![value; 300 * 12];
        let tier = built(kind, metric, any(&values, 12));
        let keys = keys_of(&tier, metric, &[1.0; 12]);
        let unit = if metric == Metric::Ip { f32::INFINITY } else { 1.0 };
        let want =
            if metric == Metric::L2 { 12.0 * (value - 1.0) * (value - 1.0) } else { -f32::min(12.0 * value, unit) };
        assert!(keys.iter().all(|key| (key - want).abs() < 1e-3), "{kind} {metric} {value}: {} for {want}", keys[0]);
    }
}

#[test]
fn large_numbers_have_no_key_that_is_none() {
    let mut values = made(400, 12, 9);
    for (i, value) in values.iter_mut().enumerate() {
        *value *= [1.0, 1e18, 1e30, -1e38][i / 12 % 4];
    }
    for (kind, metric) in kinds().into_iter().flat_map(|kind| METRICS.map(|metric| (kind, metric))) {
        let tier = built(kind, metric, any(&values, 12));
        let bytes = saved(&tier);
        let opened = Container::read(&Blob::from_vec(bytes)).unwrap();
        assert!(PqTier::open(&opened, 0, (tier.metric, 12, 400)).is_ok(), "{kind} {metric}");
        for row in values.chunks(12).take(4) {
            assert!(keys_of(&tier, metric, row).iter().all(|key| !key.is_nan()), "{kind} {metric}");
        }
    }
}

#[test]
fn forged_codes_are_some_codes() {
    let values = made(60, 12, 10);
    let mut rng = Rng::new(11);
    for (kind, metric) in kinds().into_iter().flat_map(|kind| [Metric::L2, Metric::Ip].map(|metric| (kind, metric))) {
        let tier = built(kind, metric, any(&values, 12));
        let mut bytes = saved(&tier);
        let codes = bytes.len() - tier.codes.as_slice().len();
        for _ in 0..4 {
            bytes[codes..].iter_mut().for_each(|byte| *byte = rng.next_u64() as u8);
            let container = Container::read(&Blob::from_vec(bytes.clone())).unwrap();
            let forged = PqTier::open(&container, 0, (metric, 12, 60)).unwrap();
            assert!(keys_of(&forged, metric, &values[..12]).iter().all(|key| !key.is_nan()), "{kind} {metric}");
        }
    }
}

#[test]
fn forged_numbers_are_refused() {
    let values = made(60, 12, 12);
    for kind in [pq(3, 1, 4), pq(3, 2, 4), pq(2, 1, 9)] {
        let tier = built(kind, Metric::L2, any(&values, 12));
        let open = |numbers: [u64; 6], values: &[f32], codes: &[u8]| {
            let part = |tag, bytes| Part { tag, item: 0, bytes };
            let parts = [
                part(Tag::CodeParams, bytemuck::cast_slice(&numbers)),
                part(Tag::CodeTables, bytemuck::cast_slice(values)),
                part(Tag::Codes, codes),
            ];
            let mut bytes = Vec::new();
            container::write(&mut bytes, Kind::Hnsw, &parts).unwrap();
            let container = Container::read(&Blob::from_vec(bytes)).unwrap();
            PqTier::open(&container, 0, (Metric::L2, 12, 60)).map(|tier| tier.code())
        };
        let (books, codes) = (tier.values.as_slice(), tier.codes.as_slice());
        assert_eq!(open(tier.numbers, books, codes), Ok(Code::Pq(kind)));
        for at in 0..6 {
            for forged in [0, 5, 13, 17, 25, 1 << 31, 1 << 32, 0x7fc0_0000, 0x7fc0_0000 << 32, u64::MAX] {
                let mut numbers = tier.numbers;
                numbers[at] = forged;
                let is_a_grid = at == 5 && (forged == 0 || (kind.nrq == 2 && Grid::of(forged).is_some()));
                // Codes may have the width of others, which a caller sees.
                let opened = open(numbers, books, codes);
                assert_eq!(opened == Ok(Code::Pq(kind)), is_a_grid, "{kind} number {at} {forged}");
            }
        }
        let mut bad = books.to_vec();
        bad[7] = f32::NAN;
        assert!(matches!(open(tier.numbers, &bad, codes), Err(OpenError::Value { .. })));
        assert!(matches!(open(tier.numbers, &books[1..], codes), Err(OpenError::Length { .. })));
        assert!(matches!(open(tier.numbers, books, &codes[1..]), Err(OpenError::Length { .. })));
    }
}

#[test]
fn threads_do_not_show_and_progress_does() {
    let values = made(3000, 12, 13);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let (usable, cancel, told) = (Bitmap::from_fn(3000, |i| i % 7 > 0), Cancel::new(), Mutex::new(Vec::new()));
    for (kind, metric) in [(pq(4, 1, 4), Metric::Ip), (pq(3, 3, 4), Metric::L2), (pq(2, 1, 9), Metric::Cosine)] {
        let source = Source { metric, rows: any(&values, 12), usable: &usable };
        let tell = |done, total| told.lock().unwrap().push((done, total));
        let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &tell, device: None };
        let one = saved(&PqTier::build(kind, &source, &cx).unwrap().unwrap());
        let two = PqTier::build(kind, &source, &BuildCx { pool: Some(&pool), progress: &no_progress, ..cx });
        assert!(one == saved(&two.unwrap().unwrap()), "{kind}");
        let other = PqTier::build(kind, &source, &BuildCx { seed: 2, progress: &no_progress, ..cx });
        assert!(one != saved(&other.unwrap().unwrap()), "{kind}");
        let told = std::mem::take(&mut *told.lock().unwrap());
        assert!(told.len() > kind.m && told.is_sorted() && told.iter().all(|(_, total)| *total == 3000), "{told:?}");
        assert_eq!(told.last(), Some(&(3000, 3000)));
    }
}

#[test]
fn a_build_ends_when_cancelled_and_refuses_what_does_not_fit() {
    let values = made(50, 12, 14);
    let (usable, cancel) = (Bitmap::full(50), Cancel::new());
    let source = Source { metric: Metric::L2, rows: any(&values, 12), usable: &usable };
    let stop = |_, _| cancel.cancel();
    let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &stop, device: None };
    assert_eq!(PqTier::build(pq(3, 2, 8), &source, &cx).map(|_| ()), Err(BuildError::Cancelled));
    for kind in [pq(5, 1, 8), pq(0, 1, 8), pq(24, 1, 8), pq(3, 0, 8), pq(3, 17, 8), pq(3, 1, 0), pq(3, 1, 25)] {
        assert!(PqTier::build(kind, &source, &cx).unwrap().is_none(), "{kind:?}");
    }
}

#[test]
fn a_query_of_another_dimension_is_refused() {
    let values = made(20, 12, 15);
    for kind in [pq(3, 1, 8), pq(3, 1, 9)] {
        let tier = built(kind, Metric::L2, any(&values, 12));
        assert_eq!(tier.bind(&values[..11]).err(), Some(SearchError::Dim { want: 12, got: 11 }));
    }
}
