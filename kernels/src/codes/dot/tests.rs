//! Products of packed codes against sums in `i64`, on every instruction set of this CPU.
use super::{
    BLOCK_ROWS, BlockDot, CELLS, DotError, MAX_DIM, Place, Query8, Query16, Records, RowDot,
    layout::{Arrangement, Layout},
};
use crate::rng::Rng;

/// Dimensions around every register and group, and those of common models.
fn dims() -> impl Iterator<Item = usize> {
    (1..=140).chain([191, 200, 255, 256, 257, 384, 511, 513, 768, 1024, 1536, 3072])
}

/// Codes from each of these take loops of their own.
const PLACES: [Place; 3] = [Place::Near, Place::Cached, Place::Memory];

#[test]
fn the_place_of_codes_follows_from_their_size_and_the_calls_before() {
    let base = std::ptr::without_provenance::<u8>(1 << 30);
    assert_eq!(Place::of(base, 40 << 10), Place::Near);
    assert_eq!(Place::of(base, 41 << 10), Place::Cached);
    assert_eq!(Place::of(base, 1 << 20), Place::Cached);
    assert_eq!(Place::of(base.wrapping_add(1 << 20), 1 << 19), Place::Memory);
    assert_eq!(Place::of(base, 1 << 20), Place::Cached, "the same again");
}

fn codes(rng: &mut Rng, count: usize, width: u32) -> Vec<u8> {
    (0..count).map(|_| rng.below(1 << width) as u8).collect()
}

fn bytes(rng: &mut Rng, count: usize) -> Vec<i8> {
    (0..count).map(|_| (rng.below(255) as i32 - 127) as i8).collect()
}

fn product(codes: &[u8], query: &[i8]) -> i32 {
    let sum: i64 = codes.iter().zip(query).map(|(&code, &q)| i64::from(code) * i64::from(q)).sum();
    i32::try_from(sum).unwrap()
}

/// Rows `stride` bytes apart, the rest of which is noise, from an odd address on.
struct Packed {
    data: Vec<u8>,
    stride: usize,
    skew: usize,
}

impl Packed {
    fn rows(rng: &mut Rng, dot: &RowDot, codes: &[u8]) -> Self {
        let (stride, skew) = (dot.code_bytes() + rng.below(3) as usize, rng.below(64) as usize);
        let count = codes.len() / dot.dim();
        let mut data = self::codes(rng, skew + count * stride, 8);
        for (i, row) in codes.chunks(dot.dim()).enumerate() {
            dot.pack(row, &mut data[skew + i * stride..]);
        }
        data.truncate(skew + (count - 1) * stride + dot.code_bytes());
        Self { data, stride, skew }
    }

    fn blocks(rng: &mut Rng, dot: &BlockDot, codes: &[u8]) -> Self {
        let (stride, skew) = (dot.block_bytes() + rng.below(3) as usize, rng.below(64) as usize);
        let count = codes.len().div_ceil(BLOCK_ROWS * dot.dim());
        let mut data = self::codes(rng, skew + count * stride, 8);
        for (i, rows) in codes.chunks(BLOCK_ROWS * dot.dim()).enumerate() {
            dot.pack(rows, &mut data[skew + i * stride..]);
        }
        data.truncate(skew + (count - 1) * stride + dot.block_bytes());
        Self { data, stride, skew }
    }

    fn records(&self, count: usize) -> Records<'_> {
        Records::new(&self.data[self.skew..], self.stride, count)
    }
}

#[test]
fn versions_that_this_cpu_lacks_are_named() {
    for version in CELLS {
        if version.available().is_none() {
            eprintln!("SKIPPED: packed codes on {:?}, which this CPU lacks", version.isa);
        }
    }
    assert_eq!(RowDot::all(1, 1).unwrap().last().unwrap().isa(), "scalar");
    assert_eq!(BlockDot::all(1, 1).unwrap().last().unwrap().isa(), "scalar");
}

#[test]
fn products_of_rows_are_exact() {
    let mut rng = Rng::new(1);
    for dim in dims() {
        for width in if dim % 16 < 2 || dim < 20 { 1..=8 } else { 6..=6 } {
            let count = 1 + rng.below(if dim < 300 { 70 } else { 9 }) as usize;
            let (query, all) = (bytes(&mut rng, dim), codes(&mut rng, dim * count, width));
            let want: Vec<i32> = all.chunks(dim).map(|row| product(row, &query)).collect();
            let ids: Vec<u32> = (0..count + 5).map(|_| rng.below(count as u64) as u32).collect();
            for dot in RowDot::all(dim, width).unwrap() {
                let packed = Packed::rows(&mut rng, &dot, &all);
                let prepared = dot.query_bytes(&query, 1.0);
                let mut out = vec![i32::MIN; count];
                dot.rows(&prepared, packed.records(count), &mut out);
                assert_eq!(out, want, "{} {dim} x {width}", dot.isa());
                for place in PLACES {
                    out.fill(i32::MIN);
                    // SAFETY: there is room for a product of each row.
                    unsafe { dot.products(&prepared, packed.records(count), place, out.as_mut_ptr()) };
                    assert_eq!(out, want, "{} {dim} x {width} {place:?}", dot.isa());
                }
                let mut out = vec![i32::MIN; ids.len()];
                dot.gather(&prepared, packed.records(count), &ids, &mut out);
                let picked: Vec<i32> = ids.iter().map(|&id| want[id as usize]).collect();
                assert_eq!(out, picked, "{} {dim} x {width}", dot.isa());
            }
        }
    }
}

#[test]
fn products_of_blocks_are_exact() {
    let mut rng = Rng::new(2);
    for dim in dims() {
        for width in if dim % 16 < 2 || dim < 20 { 1..=8 } else { 3..=3 } {
            let count = 1 + rng.below(if dim < 300 { 200 } else { 40 }) as usize;
            let all = codes(&mut rng, dim * count, width);
            // The first is beyond lookup tables of one bit, the second is not.
            for limit in [127_i32, 63] {
                let query: Vec<i8> = (0..dim).map(|_| (rng.below(2 * limit as u64 + 1) as i32 - limit) as i8).collect();
                let mut want: Vec<i32> = all.chunks(dim).map(|row| product(row, &query)).collect();
                want.resize(count.next_multiple_of(BLOCK_ROWS), 0);
                for dot in BlockDot::all(dim, width).unwrap() {
                    let packed = Packed::blocks(&mut rng, &dot, &all);
                    let prepared = dot.query_bytes(&query, 1.0);
                    let mut out = vec![i32::MIN; want.len()];
                    dot.blocks(&prepared, packed.records(want.len() / BLOCK_ROWS), &mut out);
                    assert_eq!(out, want, "{} {dim} x {width} {limit}", dot.isa());
                    for place in PLACES {
                        out.fill(i32::MIN);
                        let records = packed.records(want.len() / BLOCK_ROWS);
                        // SAFETY: there is room for sixteen products of each block.
                        unsafe { dot.products(&prepared, records, place, out.as_mut_ptr()) };
                        assert_eq!(out, want, "{} {dim} x {width} {limit} {place:?}", dot.isa());
                    }
                }
            }
        }
    }
}

#[test]
fn the_largest_products_fit() {
    for width in [8, 7, 4] {
        let dim = MAX_DIM;
        let row = vec![(0xff_u32 >> (8 - width)) as u8; dim];
        for byte in [127_i8, -127] {
            let query = vec![byte; dim];
            let want = product(&row, &query);
            for dot in RowDot::all(dim, width).unwrap() {
                let mut data = vec![0; dot.code_bytes()];
                dot.pack(&row, &mut data);
                let mut out = [0];
                dot.rows(&dot.query_bytes(&query, 1.0), Records::new(&data, data.len(), 1), &mut out);
                assert_eq!(out, [want], "{} {width}", dot.isa());
            }
            for dot in BlockDot::all(dim, width).unwrap() {
                let mut data = vec![0; dot.block_bytes()];
                dot.pack(&row, &mut data);
                let mut out = [1; BLOCK_ROWS];
                dot.blocks(&dot.query_bytes(&query, 1.0), Records::new(&data, data.len(), 1), &mut out);
                assert_eq!((out[0], out[15]), (want, 0), "{} {width}", dot.isa());
            }
        }
    }
}

#[test]
fn the_padding_of_codes_does_not_count() {
    let mut rng = Rng::new(3);
    for (dim, width) in [(1, 1), (37, 3), (130, 6), (5, 8), (100, 4)] {
        let query = bytes(&mut rng, dim);
        let mut wants: Vec<Vec<i32>> = Vec::new();
        for dot in RowDot::all(dim, width).unwrap() {
            let data = codes(&mut Rng::new(4), dot.code_bytes() * 9, 8);
            let mut row = vec![0; dim];
            let mut want = vec![0; 9];
            for (i, bytes) in data.chunks(dot.code_bytes()).enumerate() {
                dot.unpack(bytes, &mut row);
                want[i] = product(&row, &query);
            }
            let mut out = vec![0; 9];
            dot.rows(&dot.query_bytes(&query, 1.0), Records::new(&data, dot.code_bytes(), 9), &mut out);
            assert_eq!(out, want, "{} {dim} x {width}", dot.isa());
            wants.push(want);
        }
        assert!(wants.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

#[test]
fn the_format_is_as_documented() {
    let mut rng = Rng::new(5);
    for (width, planes) in [
        (1, &[(1, 0)][..]),
        (3, &[(2, 0), (1, 2)]),
        (6, &[(4, 0), (2, 4)]),
        (7, &[(4, 0), (2, 4), (1, 6)]),
        (8, &[(8, 0)]),
    ] {
        for dim in [1, 31, 129, 768] {
            let rows = codes(&mut rng, dim * BLOCK_ROWS, width);
            let dot = RowDot::new(dim, width).unwrap();
            let block = BlockDot::new(dim, width).unwrap();
            let (mut row_data, mut block_data) = (vec![0xaa; dot.code_bytes()], vec![0xaa; block.block_bytes()]);
            dot.pack(&rows[..dim], &mut row_data);
            block.pack(&rows, &mut block_data);
            let (mut row_start, mut block_start) = (0, 0);
            for &(bits, shift) in planes {
                let (fields, mask) = (8 / bits, (1_u32 << bits) - 1);
                let part = |code: u8| u32::from(code) >> shift & mask;
                for (j, &code) in rows[..dim].iter().enumerate() {
                    let (group, field, byte) = (j / (16 * fields), j / 16 % fields, j % 16);
                    let stored = u32::from(row_data[row_start + 16 * group + byte]) >> (bits * field) & mask;
                    assert_eq!(stored, part(code));
                }
                for (i, &code) in rows.iter().enumerate() {
                    let (row, j) = (i / dim, i % dim);
                    let (step, field, byte) = (j / (4 * fields), j / 4 % fields, j % 4);
                    let stored =
                        u32::from(block_data[block_start + 64 * step + 4 * row + byte]) >> (bits * field) & mask;
                    assert_eq!(stored, part(code));
                }
                row_start += dim.div_ceil(16 * fields) * 16;
                block_start += dim.div_ceil(4 * fields) * 64;
            }
            assert_eq!((row_start, block_start), (dot.code_bytes(), block.block_bytes()));
            let mut back = vec![0; dim];
            dot.unpack(&row_data, &mut back);
            assert_eq!(back, rows[..dim]);
            block.unpack(&block_data, 15, &mut back);
            assert_eq!(back, rows[15 * dim..]);
        }
    }
    assert_eq!(Layout::new(768, 1, Arrangement::Row).unwrap().bytes, 96);
    assert_eq!(Layout::new(768, 6, Arrangement::Row).unwrap().bytes, 576);
    assert_eq!(Layout::new(768, 1, Arrangement::Block).unwrap().bytes, 96 * 16);
}

/// The bytes of a query, by products with unit codes.
fn bytes_of(dot: &RowDot, query: &Query8) -> Vec<i32> {
    let mut data = vec![0; dot.code_bytes()];
    (0..dot.dim())
        .map(|j| {
            let mut unit = vec![0; dot.dim()];
            unit[j] = 1;
            dot.pack(&unit, &mut data);
            let mut out = [0];
            dot.rows(query, Records::new(&data, data.len(), 1), &mut out);
            out[0]
        })
        .collect()
}

#[test]
fn queries_are_rounded_within_half_a_step() {
    let mut rng = Rng::new(6);
    for factor in [1.0, 1e-30, 1e-43, 1e37, 8e37] {
        for dim in [1, 3, 64, 100] {
            let mut query: Vec<f32> = (0..dim).map(|_| rng.normal().clamp(-4.0, 4.0) * factor).collect();
            query[dim / 2] = 4.2 * factor;
            let dot = RowDot::new(dim, 8).unwrap();
            let narrow = dot.query(&query).unwrap();
            let wide = dot.query_wide(&query).unwrap();
            let (low, high) = (bytes_of(&dot, &wide.low), bytes_of(&dot, &wide.high));
            let wide_values: Vec<i32> = low.iter().zip(&high).map(|(low, high)| Query16::RADIX * high + low).collect();
            for (values, scale, loss, sum) in [
                (bytes_of(&dot, &narrow), narrow.scale(), narrow.loss(), i64::from(narrow.sum())),
                (wide_values, wide.scale(), wide.loss(), wide.sum()),
            ] {
                assert!(scale.is_finite());
                assert_eq!(values.iter().map(|&value| i64::from(value)).sum::<i64>(), sum);
                let mut total = 0.0;
                for (value, q) in values.iter().zip(&query) {
                    let off = (f64::from(*value) * f64::from(scale) - f64::from(*q)).abs();
                    assert!(off <= f64::from(scale) * 0.501, "{q} as {value} of {scale}");
                    total += off;
                }
                assert!(total <= f64::from(loss) && f64::from(loss) <= total * 1.0001 + 1e-40, "{total} {loss}");
            }
            assert!(wide.scale() <= narrow.scale());
        }
    }
    let zero = RowDot::new(2, 8).unwrap().query(&[0.0, -0.0]).unwrap();
    assert_eq!((zero.scale(), zero.sum()), (0.0, 0));
}

#[test]
fn queries_for_one_bit_fit_the_tables() {
    let mut rng = Rng::new(7);
    for dot in BlockDot::all(96, 1).unwrap() {
        for _ in 0..50 {
            // All of one magnitude: the hardest case.
            let query: Vec<f32> = (0..96).map(|_| if rng.below(2) == 0 { 1.0 } else { -1.0 }).collect();
            let prepared = dot.query(&query).unwrap();
            assert_eq!(prepared.tables().0.is_null(), dot.isa() != "avx512vbmi");
            assert!(prepared.scale() <= 4.0 / 253.0 * 1.0001);
            assert!(prepared.loss() <= 96.0 * prepared.scale() * 0.501);
        }
        // Components 2, 6, 10 and 14 share a lookup.
        let mut bytes = [0; 96];
        for (j, byte) in [(2, 127), (6, -127), (10, 1)] {
            bytes[j] = byte;
        }
        let table = |bytes: &[i8]| !dot.query_bytes(bytes, 1.0).tables().0.is_null();
        assert_eq!(table(&bytes), dot.isa() == "avx512vbmi", "255 fits a byte");
        bytes[14] = -1;
        assert!(!table(&bytes), "256 does not");
    }
}

#[test]
fn what_is_out_of_range_is_refused() {
    for width in [0, 9] {
        assert_eq!(RowDot::new(8, width).unwrap_err(), DotError::Width { width });
    }
    for dim in [0, MAX_DIM + 1] {
        assert_eq!(BlockDot::new(dim, 4).unwrap_err(), DotError::Dim { dim });
    }
    let dot = RowDot::new(3, 4).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let refused = dot.query(&[0.0, bad, 1.0]).unwrap_err();
        assert_eq!(refused, DotError::NotFinite { position: 1 });
        assert_eq!(refused.to_string(), "component 1 of the query is not finite");
    }
}

#[test]
fn nothing_is_computed_from_nothing() {
    for dot in RowDot::all(100, 5).unwrap() {
        let query = dot.query_bytes(&[1; 100], 1.0);
        dot.rows(&query, Records::new(&[], 64, 0), &mut []);
        dot.gather(&query, Records::new(&[], 64, 0), &[], &mut []);
    }
    for dot in BlockDot::all(100, 5).unwrap() {
        dot.blocks(&dot.query_bytes(&[1; 100], 1.0), Records::new(&[], 64, 0), &mut []);
    }
}

#[test]
#[should_panic(expected = "record 1 of 1")]
fn an_id_beyond_the_records_panics() {
    let dot = RowDot::new(100, 4).unwrap();
    let data = vec![0; dot.code_bytes()];
    dot.gather(&dot.query_bytes(&[1; 100], 1.0), Records::new(&data, data.len(), 1), &[0, 1], &mut [0; 2]);
}

#[test]
#[should_panic(expected = "the last record has fewer than 64 bytes")]
fn a_short_record_panics() {
    let dot = RowDot::new(100, 4).unwrap();
    let data = vec![0; 2 * dot.code_bytes() - 1];
    dot.rows(&dot.query_bytes(&[1; 100], 1.0), Records::new(&data, dot.code_bytes(), 2), &mut [0; 2]);
}

#[test]
#[should_panic(expected = "a query made for")]
fn a_query_for_other_codes_panics() {
    let (four, five) = (RowDot::new(100, 4).unwrap(), RowDot::new(100, 5).unwrap());
    let data = vec![0; five.code_bytes()];
    five.rows(&four.query_bytes(&[1; 100], 1.0), Records::new(&data, data.len(), 1), &mut [0]);
}
