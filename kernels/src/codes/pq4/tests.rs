//! Every scan against sums in 64 bits over the row codes, and the layouts against each other.
use super::{BLOCK, CENTROIDS, Layout, Packed, Pq4, Pq4Tables, pack, read_row, relayout, row_bytes, unpack, write_row};
use crate::{rng::Rng, rows::ShapeError};

/// All short numbers of sub-quantizers, those of common dimensions, and those around the span of a 16-bit sum.
fn widths() -> impl Iterator<Item = usize> {
    (1..=33).chain([
        48, 96, 100, 128, 191, 192, 200, 255, 256, 257, 258, 263, 264, 384, 512, 513, 768, 771, 1024, 1536, 3072, 3075,
    ])
}

fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

fn packed(layout: Layout, m: usize, rows: &[u8]) -> Vec<u8> {
    let mut packed = vec![0xaa; layout.packed_bytes(m, rows.len() / row_bytes(m))];
    pack(layout, m, rows, &mut packed);
    packed
}

fn code(row: &[u8], s: usize) -> usize {
    usize::from(row[s / 2] >> (4 * (s % 2)) & 15)
}

fn sum(luts: &[u8], m: usize, row: &[u8]) -> u64 {
    (0..m).map(|s| u64::from(luts[s * CENTROIDS + code(row, s)])).sum()
}

fn skipped(layout: Layout) {
    let ran: Vec<&str> = Pq4::all(layout).map(|scan| scan.isa()).collect();
    for set in Pq4::sets(layout).filter(|set| !ran.contains(&set.name())) {
        println!("SKIPPED: {} over {}: not available", set.name(), layout.name());
    }
}

#[test]
fn every_scan_gives_the_exact_sums() {
    let mut rng = Rng::new(1);
    for layout in Layout::ALL {
        skipped(layout);
        for m in widths() {
            let rows = 1 + rng.below(3 * BLOCK as u64) as usize;
            let codes = bytes(&mut rng, rows * row_bytes(m));
            let luts = bytes(&mut rng, m * CENTROIDS);
            let tables = Pq4Tables::from_u8(&luts, m, -3.5, 0.37);
            let want: Vec<u64> = codes.chunks(row_bytes(m)).map(|row| sum(&luts, m, row)).collect();
            // Misaligned on purpose.
            let mut blocks = vec![0; 1];
            blocks.extend(packed(layout, m, &codes));
            let view = Packed::new(layout, m, rows, &blocks[1..]).unwrap();
            for scan in Pq4::all(layout) {
                let (mut sums, mut keys) = (vec![u32::MAX; rows], vec![f32::NAN; rows]);
                scan.sums(&tables, view, 0, &mut sums);
                scan.keys(&tables, view, 0, &mut keys);
                for (row, want) in want.iter().enumerate() {
                    assert_eq!(u64::from(sums[row]), *want, "{} {} m {m} row {row}", scan.isa(), layout.name());
                    assert_eq!(keys[row].to_bits(), (-3.5f32 + 0.37f32 * *want as f32).to_bits(), "{}", scan.isa());
                }
            }
        }
    }
}

#[test]
fn sums_of_the_greatest_entries_do_not_overflow() {
    for layout in Layout::ALL {
        for m in [255, 256, 257, 258, 512, 1024, 4099] {
            let tables = Pq4Tables::from_u8(&vec![255; m * CENTROIDS], m, 0.0, 1.0);
            let blocks = vec![0xff; layout.packed_bytes(m, BLOCK)];
            let view = Packed::new(layout, m, BLOCK, &blocks).unwrap();
            for scan in Pq4::all(layout) {
                let (mut sums, mut keys) = ([0; BLOCK], [0.0; 4 * BLOCK]);
                scan.sums(&tables, view, 0, &mut sums);
                assert_eq!(sums, [255 * m as u32; BLOCK], "{} {} m {m}", scan.isa(), layout.name());
                scan.keys_many(&[&tables; 4], view, 0, &mut keys);
                assert_eq!(keys, [255.0 * m as f32; 4 * BLOCK], "{} {} m {m}", scan.isa(), layout.name());
            }
        }
    }
}

#[test]
fn the_most_sub_quantizers_are_summed_exactly() {
    let m = super::MAX_M;
    let tables = Pq4Tables::from_u8(&vec![255; m * CENTROIDS], m, 0.0, 1.0);
    for layout in Layout::ALL {
        let blocks = vec![7; layout.packed_bytes(m, 1)];
        for scan in Pq4::all(layout) {
            let mut sums = [0];
            scan.sums(&tables, Packed::new(layout, m, 1, &blocks).unwrap(), 0, &mut sums);
            assert_eq!(sums, [255 * m as u32], "{}", scan.isa());
        }
    }
}

#[test]
fn several_queries_get_what_each_gets_alone() {
    let mut rng = Rng::new(2);
    for layout in Layout::ALL {
        for (m, rows) in [(3, 1), (8, 32), (32, 1100), (192, 300), (257, 70), (600, 33)] {
            let codes = bytes(&mut rng, rows * row_bytes(m));
            let blocks = packed(layout, m, &codes);
            let view = Packed::new(layout, m, rows, &blocks).unwrap();
            let tables: Vec<Pq4Tables> = (0..9)
                .map(|q| Pq4Tables::from_u8(&bytes(&mut rng, m * CENTROIDS), m, q as f32, 0.1 + q as f32))
                .collect();
            for scan in Pq4::all(layout) {
                for queries in 0..=tables.len() {
                    let some: Vec<&Pq4Tables> = tables[..queries].iter().collect();
                    let first = if rows > BLOCK { BLOCK } else { 0 };
                    let mut keys = vec![f32::NAN; queries * (rows - first)];
                    scan.keys_many(&some, view, first, &mut keys);
                    for (query, keys) in some.iter().zip(keys.chunks(rows - first)) {
                        let mut alone = vec![0.0; rows - first];
                        scan.keys(query, view, first, &mut alone);
                        assert_eq!(keys, alone, "{} {} m {m} of {queries}", scan.isa(), layout.name());
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_scanned_next_changes_no_key() {
    let mut rng = Rng::new(6);
    for layout in Layout::ALL {
        // Fewer rows than are asked for ahead, about as many, and more; whole blocks and not.
        for (m, rows) in [(5, 0), (5, 31), (50, 32), (50, 300), (50, 1000), (200, 77)] {
            let codes = packed(layout, m, &bytes(&mut rng, rows * row_bytes(m)));
            let behind = rng.below(3000) as usize;
            let next = bytes(&mut rng, behind);
            let view = Packed::new(layout, m, rows, &codes).unwrap();
            let tables = Pq4Tables::from_u8(&bytes(&mut rng, m * CENTROIDS), m, -3.5, 0.37);
            for scan in Pq4::all(layout) {
                let (mut plain, mut keys) = (vec![f32::NAN; rows], vec![f32::NAN; rows]);
                scan.keys_from(1.25, &tables, view, 0, &mut plain);
                scan.keys_before(&next, 1.25, &tables, view, &mut keys);
                assert_eq!(keys, plain, "{} {} m {m} rows {rows}", scan.isa(), layout.name());
                scan.keys(&tables, view, 0, &mut plain);
                for (key, plain) in keys.iter().zip(plain) {
                    assert!((key - plain - 1.25).abs() <= 1e-5 * plain.abs().max(1.0), "{key} and {plain}");
                }
            }
        }
    }
}

#[test]
fn blocks_come_in_order_and_all_of_them() {
    let (m, layout) = (5, Layout::Classic);
    let mut rng = Rng::new(3);
    for rows in [0, 1, 31, 32, 33, 255, 256, 257, 700] {
        let blocks = packed(layout, m, &bytes(&mut rng, rows * row_bytes(m)));
        let view = Packed::new(layout, m, rows, &blocks).unwrap();
        let tables = Pq4Tables::from_u8(&bytes(&mut rng, m * CENTROIDS), m, 0.0, 1.0);
        let scan = Pq4::new(layout).unwrap();
        let (mut all, mut seen) = (vec![0.0; rows], Vec::new());
        scan.keys(&tables, view, 0, &mut all);
        scan.for_each_block(&tables, view, |first, keys| {
            assert_eq!(first, seen.len());
            seen.extend_from_slice(keys);
        });
        assert_eq!(seen, all);
    }
}

#[test]
fn the_classic_layout_is_that_of_faiss() {
    // Row r of sub-quantizer 0 has code r % 16 and of sub-quantizer 1 code 15 - r % 16, so each byte shows where it
    // came from.
    let rows: Vec<u8> = (0..32).map(|r| (r % 16) | ((15 - r % 16) << 4)).collect();
    let got = packed(Layout::Classic, 2, &rows);
    let order = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];
    let want: Vec<u8> =
        order.iter().map(|p| p | p << 4).chain(order.iter().map(|p| (15 - p) | (15 - p) << 4)).collect();
    assert_eq!(got, want);
    // Row 17 alone: its partner in the low half is row 1, at byte 2.
    let mut one = vec![0; 32];
    one[17] = 0x05;
    let got = packed(Layout::Classic, 2, &one);
    assert_eq!(got.iter().position(|byte| *byte != 0), Some(2));
    assert_eq!(got[2], 0x50);
}

#[test]
fn the_vector_major_layout_is_as_written() {
    // Row 18, sub-quantizers 1 and 5: byte 1 of the four of its row, in the second half of the block.
    let mut rows = vec![0; 32 * 4];
    (rows[18 * 4], rows[18 * 4 + 2]) = (0x30, 0xc0);
    let got = packed(Layout::VectorMajor, 8, &rows);
    assert_eq!(got.iter().position(|byte| *byte != 0), Some(64 + 4 * 2 + 1));
    assert_eq!(got[73], 0xc3);
}

#[test]
fn codes_survive_every_way_between_the_layouts() {
    let mut rng = Rng::new(4);
    for m in widths() {
        for rows in [0, 1, 31, 32, 33, 64, 75] {
            let mut codes = bytes(&mut rng, rows * row_bytes(m));
            let blocks = Layout::ALL.map(|layout| packed(layout, m, &codes));
            if m % 2 == 1 {
                codes.iter_mut().skip(row_bytes(m) - 1).step_by(row_bytes(m)).for_each(|byte| *byte &= 15);
            }
            for (layout, blocks) in Layout::ALL.into_iter().zip(&blocks) {
                let mut back = vec![0xaa; codes.len()];
                unpack(layout, m, blocks, &mut back);
                assert_eq!(back, codes, "{} m {m}", layout.name());
                let (mut set, mut row) = (vec![0; blocks.len()], vec![0xaa; row_bytes(m)]);
                for (i, codes) in codes.chunks(row_bytes(m)).enumerate() {
                    write_row(layout, m, &mut set, i, &vec![0xff; row_bytes(m)]);
                    write_row(layout, m, &mut set, i, codes);
                    read_row(layout, m, blocks, i, &mut row);
                    assert_eq!(row, codes, "{} m {m} row {i}", layout.name());
                }
                assert_eq!(&set, blocks, "{} m {m}", layout.name());
            }
            let [classic, vector_major] = blocks;
            for ((from, bytes), (to, want)) in [
                ((Layout::Classic, &classic), (Layout::VectorMajor, &vector_major)),
                ((Layout::VectorMajor, &vector_major), (Layout::Classic, &classic)),
                ((Layout::Classic, &classic), (Layout::Classic, &classic)),
            ] {
                let mut out = vec![0xaa; want.len()];
                relayout(m, (from, bytes), (to, &mut out));
                assert_eq!(&out, want, "{} m {m}", from.name());
            }
        }
    }
}

#[test]
fn hostile_filling_changes_no_sum() {
    let mut rng = Rng::new(5);
    for m in [1, 2, 3, 7, 9, 12, 15, 193] {
        let luts = bytes(&mut rng, m * CENTROIDS);
        let tables = Pq4Tables::from_u8(&luts, m, 0.0, 1.0);
        for layout in Layout::ALL {
            let blocks = bytes(&mut rng, layout.packed_bytes(m, 40));
            let mut codes = vec![0; 40 * row_bytes(m)];
            unpack(layout, m, &blocks, &mut codes);
            for scan in Pq4::all(layout) {
                let mut sums = [0; 40];
                scan.sums(&tables, Packed::new(layout, m, 40, &blocks).unwrap(), 0, &mut sums);
                for (got, row) in sums.iter().zip(codes.chunks(row_bytes(m))) {
                    assert_eq!(u64::from(*got), sum(&luts, m, row), "{} {} m {m}", scan.isa(), layout.name());
                }
            }
        }
    }
}

#[test]
fn keys_are_within_the_bound_of_the_exact_sums() {
    let mut rng = Rng::new(6);
    for m in [1, 7, 96, 192, 768, 3072] {
        for scale in [1.0f32, 1e-30, 1e-38, 1e30] {
            for offset in [0.0f32, 10.0, -1e4] {
                let luts: Vec<f32> = (0..m * CENTROIDS).map(|_| (rng.normal() + offset) * scale).collect();
                let tables = Pq4Tables::from_f32(&luts, m);
                let codes = bytes(&mut rng, 64 * row_bytes(m));
                let mut keys = [0.0; 64];
                let blocks = packed(Layout::Classic, m, &codes);
                let view = Packed::new(Layout::Classic, m, 64, &blocks).unwrap();
                Pq4::new(Layout::Classic).unwrap().keys(&tables, view, 0, &mut keys);
                for (key, row) in keys.iter().zip(codes.chunks(row_bytes(m))) {
                    let want: f64 = (0..m).map(|s| f64::from(luts[s * CENTROIDS + code(row, s)])).sum();
                    let wrong = (f64::from(*key) - want).abs();
                    let bound = f64::from(tables.max_error());
                    assert!(wrong <= bound, "m {m} scale {scale} offset {offset}: {wrong} above {bound}");
                }
                let half_steps = tables.step() * m as f32 / 2.0;
                assert!(offset != 0.0 || tables.max_error() < half_steps * 1.02, "m {m}: the bound is not tight");
            }
        }
    }
}

#[test]
fn tables_are_rounded_to_nearest_and_use_the_whole_byte() {
    let mut luts = vec![0.0; 2 * CENTROIDS];
    for (i, entry) in luts.iter_mut().enumerate() {
        *entry = if i < CENTROIDS { 1.0 + 17.0 * i as f32 } else { -2.0 + 0.71 * (i - CENTROIDS) as f32 };
    }
    let tables = Pq4Tables::from_f32(&luts, 2);
    assert_eq!((tables.bias(), tables.step()), (-1.0, 1.0));
    for i in 0..CENTROIDS {
        assert_eq!(usize::from(tables.lut(0)[i]), 17 * i);
        assert_eq!(f64::from(tables.lut(1)[i]), (0.71 * i as f64).round(), "entry {i}");
    }
}

#[test]
fn tables_of_one_value_are_all_bias() {
    for value in [0.0f32, -7.25, 1e-40] {
        let tables = Pq4Tables::from_f32(&[value; 3 * CENTROIDS], 3);
        assert_eq!(tables.bias(), 3.0 * value);
        assert!((0..3).all(|s| tables.lut(s) == &[0; CENTROIDS]) && tables.step() > 0.0);
    }
}

#[test]
fn tables_that_are_not_finite_make_every_key_nan() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 15, 16 * 4 + 7, 16 * 5 - 1] {
            let mut luts = vec![1.0; 5 * CENTROIDS];
            luts[place] = bad;
            let tables = Pq4Tables::from_f32(&luts, 5);
            assert!(tables.bias().is_nan(), "{bad} at {place}");
            let blocks = vec![0x5a; Layout::VectorMajor.packed_bytes(5, 3)];
            let mut keys = [0.0; 3];
            let view = Packed::new(Layout::VectorMajor, 5, 3, &blocks).unwrap();
            Pq4::new(Layout::VectorMajor).unwrap().keys(&tables, view, 0, &mut keys);
            assert!(keys.iter().all(|key| key.is_nan()));
        }
    }
    let mut luts = vec![0.0; CENTROIDS];
    (luts[3], luts[4]) = (f32::MAX, f32::MIN);
    assert!(Pq4Tables::from_f32(&luts, 1).bias().is_nan(), "a spread beyond f32");
    luts[4] = f32::MAX;
    assert!(Pq4Tables::from_f32(&luts, 1).bias() == 0.0, "a large but finite spread");
    let mut again = Pq4Tables::from_f32(&[f32::NAN; CENTROIDS], 1);
    again.fill(&[2.0; CENTROIDS]);
    assert_eq!(again.bias(), 2.0);
}

#[test]
fn the_preferred_layout_is_the_one_with_the_wider_permute() {
    let best = Pq4::new(Layout::VectorMajor).unwrap();
    let want = if best.isa() == "avx512vbmi" { Layout::VectorMajor } else { Layout::Classic };
    assert_eq!(Layout::preferred().unwrap(), want);
}

#[test]
fn wrong_shapes_are_errors() {
    let layout = Layout::Classic;
    assert_eq!(layout.block_bytes(3), 64);
    assert_eq!(Layout::VectorMajor.block_bytes(3), 128);
    assert!(matches!(Packed::new(layout, 0, 0, &[]), Err(ShapeError::ZeroDim)));
    assert!(matches!(Packed::new(layout, 3, 1, &[0; 63]), Err(ShapeError::Ragged { len: 63, dim: 64 })));
    assert!(Packed::new(layout, 3, usize::MAX, &[]).is_err());
    assert!(Packed::new(layout, 3, 0, &[]).is_ok());
}

#[test]
#[should_panic(expected = "does not begin a block")]
fn a_start_within_a_block_panics() {
    let blocks = [0; 64];
    let view = Packed::new(Layout::Classic, 2, 64, &blocks).unwrap();
    Pq4::new(Layout::Classic).unwrap().keys(&Pq4Tables::new(2), view, 7, &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "33 rows from 32 on, of 64")]
fn rows_beyond_the_end_panic() {
    let blocks = [0; 64];
    let view = Packed::new(Layout::Classic, 2, 64, &blocks).unwrap();
    Pq4::new(Layout::Classic).unwrap().keys(&Pq4Tables::new(2), view, 32, &mut [0.0; 33]);
}

#[test]
#[should_panic(expected = "codes of another layout")]
fn codes_of_another_layout_panic() {
    let blocks = [0; 128];
    let view = Packed::new(Layout::VectorMajor, 2, 4, &blocks).unwrap();
    Pq4::new(Layout::Classic).unwrap().keys(&Pq4Tables::new(2), view, 0, &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "more sub-quantizers than MAX_M")]
fn blocks_of_too_many_sub_quantizers_panic() {
    // Bytes that wrap around to 0.
    let _ = Layout::Classic.packed_bytes(1 << (usize::BITS - 4), 1);
}

#[test]
#[should_panic(expected = "of 2 blocks of 32")]
fn a_row_without_a_block_is_not_written() {
    // Of a block of 64 bytes, this one would begin at byte 0 again.
    let row = 1 << (usize::BITS - 1);
    write_row(Layout::Classic, 4, &mut [0; 128], row, &[0; 2]);
}

#[test]
#[should_panic(expected = "of 2 blocks of 32")]
fn a_row_without_a_block_is_not_read() {
    read_row(Layout::Classic, 4, &[0; 130], 64, &mut [0; 2]);
}
