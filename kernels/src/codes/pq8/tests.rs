//! The scan against sums in f64 and in the order that is promised, and the codebooks against plain searches in f64.
use super::{CENTROIDS, Codebooks, Pq8, Pq8Tables};
use crate::{codes::pq4, metric::Metric, rng::Rng, rows::Rows};

fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

fn normals(rng: &mut Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.normal()).collect()
}

#[test]
fn keys_are_the_sums_in_order() {
    let mut rng = Rng::new(21);
    for m in (1..=33).chain([47, 48, 49, 71, 72, 73, 96, 100, 128, 192, 384, 768]) {
        let rows = 1 + rng.below(if m < 40 { 530 } else { 40 }) as usize;
        let (tables, codes) = (normals(&mut rng, m * CENTROIDS), bytes(&mut rng, rows * m + 1));
        // Misaligned on purpose.
        let codes = Rows::new(&codes[1..], m).unwrap();
        let ids: Vec<u32> = (0..rng.below(600)).map(|_| rng.below(rows as u64) as u32).collect();
        for scan in Pq8::all() {
            let (mut keys, mut gathered) = (vec![f32::NAN; rows], vec![f32::NAN; ids.len()]);
            scan.rows(&tables, codes, &mut keys);
            scan.gather(&tables, codes, &ids, &mut gathered);
            for (key, row) in keys.iter().zip(codes.iter()) {
                let entries = row.iter().enumerate().map(|(s, code)| tables[s * CENTROIDS + usize::from(*code)]);
                let exact: f64 = entries.clone().map(f64::from).sum();
                let magnitude: f64 = entries.clone().map(|entry| f64::from(entry.abs())).sum();
                let in_order = entries.fold(0.0, |sum: f32, entry| sum + entry);
                assert_eq!(key.to_bits(), in_order.to_bits(), "{} m {m}", scan.isa());
                let bound = magnitude * m as f64 * f64::from(f32::EPSILON) / 2.0;
                assert!((f64::from(*key) - exact).abs() <= bound, "{} m {m}", scan.isa());
            }
            for (key, id) in gathered.iter().zip(&ids) {
                assert_eq!(key.to_bits(), keys[*id as usize].to_bits(), "{} m {m} row {id}", scan.isa());
            }
        }
    }
}

#[test]
fn no_rows_have_no_keys_and_nan_stays_in_its_row() {
    let scan = Pq8::new().unwrap();
    let mut tables = vec![1.0; 3 * CENTROIDS];
    (tables[7], tables[CENTROIDS + 255]) = (f32::NAN, f32::INFINITY);
    scan.rows(&tables, Rows::new(&[], 3).unwrap(), &mut []);
    let codes = [7, 0, 0, 1, 255, 2, 1, 2, 3];
    let mut keys = [0.0; 3];
    scan.rows(&tables, Rows::new(&codes, 3).unwrap(), &mut keys);
    assert!(keys[0].is_nan());
    assert_eq!(keys[1..], [f32::INFINITY, 3.0]);
}

#[test]
fn tables_of_bytes_give_exact_sums_within_the_bound() {
    let mut rng = Rng::new(25);
    let ran: Vec<&str> = Pq8::all().map(|scan| scan.isa()).collect();
    for set in super::BYTES.iter().filter(|version| !ran.contains(&version.isa.name())) {
        println!("SKIPPED: {} is not available", set.isa.name());
    }
    for m in (1..=20).chain([31, 63, 64, 65, 96, 127, 128, 192, 255, 256, 257, 320, 768]) {
        for rows in [1, 15, 63, 64, 65, 130] {
            let luts = normals(&mut rng, m * CENTROIDS);
            let (tables, codes) = (Pq8Tables::from_f32(&luts, m), bytes(&mut rng, rows * m + 1));
            // Misaligned on purpose.
            let codes = Rows::new(&codes[1..], m).unwrap();
            for scan in Pq8::all() {
                let mut keys = vec![f32::NAN; rows];
                scan.rows_by_bytes(&tables, codes, &mut keys);
                for (key, row) in keys.iter().zip(codes.iter()) {
                    let place = |s: usize| s * CENTROIDS + usize::from(row[s]);
                    let sum: u64 = (0..m).map(|s| u64::from(tables.luts().as_flattened()[place(s)])).sum();
                    let want = tables.bias() + tables.step() * sum as f32;
                    assert_eq!(key.to_bits(), want.to_bits(), "{} m {m} rows {rows}", scan.isa());
                    let exact: f64 = (0..m).map(|s| f64::from(luts[place(s)])).sum();
                    assert!((f64::from(*key) - exact).abs() <= f64::from(tables.max_error()), "m {m}");
                }
            }
        }
    }
}

#[test]
fn sums_of_the_greatest_bytes_do_not_overflow() {
    for m in [255, 256, 257, 512, 513, 4099] {
        // Entries 0 and 255 alone: the least makes the step 1, and every code names the greatest.
        let mut luts = vec![255.0; m * CENTROIDS];
        luts.iter_mut().step_by(CENTROIDS).for_each(|entry| *entry = 0.0);
        let tables = Pq8Tables::from_f32(&luts, m);
        let codes = vec![200; 70 * m];
        for scan in Pq8::all() {
            let mut keys = [0.0; 70];
            scan.rows_by_bytes(&tables, Rows::new(&codes, m).unwrap(), &mut keys);
            assert_eq!(keys, [255.0 * m as f32; 70], "{} m {m}", scan.isa());
        }
    }
}

#[test]
fn tables_that_are_not_finite_make_every_key_nan() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 255, 300, 511] {
            let mut luts = vec![1.0; 2 * CENTROIDS];
            luts[place] = bad;
            let tables = Pq8Tables::from_f32(&luts, 2);
            let mut keys = [0.0; 3];
            Pq8::new().unwrap().rows_by_bytes(&tables, Rows::new(&[1, 2, 3, 4, 5, 6], 2).unwrap(), &mut keys);
            assert!(keys.iter().all(|key| key.is_nan()), "{bad} at {place}");
        }
    }
    assert_eq!(Pq8Tables::from_f32(&[2.5; CENTROIDS], 1).bias(), 2.5);
}

#[test]
#[should_panic(expected = "row 2 of 2")]
fn an_id_beyond_the_end_panics() {
    Pq8::new().unwrap().gather(&[0.0; CENTROIDS], Rows::new(&[0, 1], 1).unwrap(), &[2], &mut [0.0]);
}

#[test]
#[should_panic(expected = "511 entries for 2 codes")]
fn tables_of_another_shape_panic() {
    Pq8::new().unwrap().rows(&[0.0; 511], Rows::new(&[0, 1], 2).unwrap(), &mut [0.0]);
}

#[test]
fn codes_are_those_of_the_nearest_centroids() {
    let mut rng = Rng::new(22);
    for (m, k, dsub) in [(1, 16, 1), (3, 16, 4), (12, 16, 8), (5, 256, 2), (4, 256, 7), (1, 256, 33)] {
        let values = normals(&mut rng, m * k * dsub);
        let rows = normals(&mut rng, 70 * m * dsub);
        let rows = Rows::new(&rows, m * dsub).unwrap();
        let mut first: Option<Vec<u8>> = None;
        for books in Codebooks::all(&values, m, k, dsub) {
            let mut codes = vec![0xaa; 70 * books.row_bytes()];
            books.encode(rows, &mut codes);
            let mut decoded = vec![0.0; 70 * m * dsub];
            books.decode(&codes, &mut decoded);
            for (row, near) in rows.data().chunks(dsub).zip(decoded.chunks(dsub)).enumerate().map(|(i, pair)| {
                let s = i % m;
                let best = values[s * k * dsub..][..k * dsub].chunks(dsub).map(|c| distance(pair.0, c));
                (best.fold(f64::INFINITY, f64::min), distance(pair.0, pair.1))
            }) {
                assert!(near <= row * (1.0 + 1e-5), "{} m {m} k {k}: {near} above {row}", books.isa());
            }
            assert_eq!(&codes, first.get_or_insert(codes.clone()), "{}: other codes than the first set", books.isa());
        }
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

#[test]
fn of_equal_centroids_the_lower_code_is_taken() {
    for k in [16, 256] {
        // Two parts; the centroids c and k - 1 - c are the same.
        let values: Vec<f32> = (0..2 * k).map(|c| (c % k).min(k - 1 - c % k) as f32).collect();
        let rows = [3.0, 0.2, 1e3, f32::NAN, f32::INFINITY, -1.0, 2.5, 4.5];
        for books in Codebooks::all(&values, 2, k, 1) {
            let mut codes = vec![0xff; 4 * books.row_bytes()];
            books.encode(Rows::new(&rows, 2).unwrap(), &mut codes);
            let top = (k / 2 - 1) as u8;
            // A tie between two neighbors goes to the lower one, too.
            let want = [3, 0, top, 0, 0, 0, 2, 4];
            let got: Vec<u8> = match k {
                16 => codes.iter().flat_map(|byte| [byte & 15, byte >> 4]).collect(),
                _ => codes,
            };
            assert_eq!(got, want, "{} k {k}", books.isa());
        }
    }
}

#[test]
fn tables_are_the_keys_with_each_centroid() {
    let mut rng = Rng::new(23);
    for (m, k, dsub) in [(1, 16, 1), (7, 16, 3), (3, 256, 8), (2, 256, 5)] {
        let (values, query) = (normals(&mut rng, m * k * dsub), normals(&mut rng, m * dsub));
        for metric in [Metric::L2, Metric::Ip] {
            let mut first: Option<Vec<u32>> = None;
            for books in Codebooks::all(&values, m, k, dsub) {
                let mut out = vec![f32::NAN; m * k];
                books.tables(&query, metric, &mut out);
                for (i, entry) in out.iter().enumerate() {
                    let (part, centroid) = (&query[i / k * dsub..][..dsub], &values[i * dsub..][..dsub]);
                    let want = match metric == Metric::L2 {
                        true => distance(part, centroid),
                        false => -part.iter().zip(centroid).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>(),
                    };
                    assert!((f64::from(*entry) - want).abs() < 1e-4, "{} {metric} entry {i}", books.isa());
                }
                let bits: Vec<u32> = out.iter().map(|entry| entry.to_bits()).collect();
                assert_eq!(&bits, first.get_or_insert(bits.clone()), "{}: other bits than the first set", books.isa());
            }
        }
    }
}

#[test]
fn a_scan_gives_the_distance_to_the_decoded_row() {
    let mut rng = Rng::new(24);
    let (m, dsub) = (6, 4);
    let (rows, query) = (normals(&mut rng, 50 * m * dsub), normals(&mut rng, m * dsub));
    let rows = Rows::new(&rows, m * dsub).unwrap();
    for k in [16, 256] {
        let books = Codebooks::new(&normals(&mut rng, m * k * dsub), m, k, dsub).unwrap();
        let (mut codes, mut decoded) = (vec![0; 50 * books.row_bytes()], vec![0.0; 50 * m * dsub]);
        books.encode(rows, &mut codes);
        books.decode(&codes, &mut decoded);
        let (mut luts, mut keys) = (vec![0.0; m * k], vec![0.0; 50]);
        books.tables(&query, Metric::L2, &mut luts);
        let slack = if k == 16 {
            let (tables, layout) = (pq4::Pq4Tables::from_f32(&luts, m), pq4::Layout::preferred().unwrap());
            let mut blocks = vec![0; layout.packed_bytes(m, 50)];
            pq4::pack(layout, m, &codes, &mut blocks);
            let packed = pq4::Packed::new(layout, m, 50, &blocks).unwrap();
            pq4::Pq4::new(layout).unwrap().keys(&tables, packed, 0, &mut keys);
            f64::from(tables.max_error())
        } else {
            Pq8::new().unwrap().rows(&luts, Rows::new(&codes, m).unwrap(), &mut keys);
            0.0
        };
        for (key, row) in keys.iter().zip(decoded.chunks(m * dsub)) {
            let want = distance(&query, row);
            assert!((f64::from(*key) - want).abs() <= slack + want * 1e-5, "k {k}: {key} for {want}");
        }
    }
}

#[test]
#[should_panic(expected = "codebooks of 256 centroids of")]
fn codebooks_beyond_the_address_space_panic() {
    // 256 * 2^56 wraps to 0, which is also how many values there are.
    let _ = Codebooks::new(&[], 1, 256, 1 << (usize::BITS - 8));
}

#[test]
#[should_panic(expected = "no tables for COSINE")]
fn cosine_has_no_tables() {
    Codebooks::new(&[0.0; 16], 1, 16, 1).unwrap().tables(&[0.0], Metric::Cosine, &mut [0.0; 16]);
}
