//! Packed codes of every width, in rows and in blocks, of any bytes: every version gives the plain sums.
#![no_main]
use elanus_fuzz::Source;
use elanus_kernels::codes::dot::{BLOCK_ROWS, BlockDot, Query8, Query16, Records, RowDot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let (dim, width) = (1 + source.mostly_below(300, 2000), 1 + source.below(8) as u32);
    if source.coin() { rows(&mut source, dim, width) } else { blocks(&mut source, dim, width) }
});

/// A query in bytes, -128 not among them.
fn query_bytes(source: &mut Source<'_>, dim: usize) -> Vec<i8> {
    let small = source.coin();
    let bytes = source.filled(dim).into_iter().map(|byte| byte.cast_signed().max(-127));
    bytes.map(|byte| if small { byte / 16 } else { byte }).collect()
}

fn sum(codes: &[u8], query: &[i8]) -> i32 {
    codes.iter().zip(query).map(|(code, q)| i32::from(*code) * i32::from(*q)).sum()
}

/// Codes of any bytes, of `width` bits each.
fn draw(source: &mut Source<'_>, count: usize, width: u32) -> Vec<u8> {
    source.filled(count).into_iter().map(|byte| byte >> (8 - width)).collect()
}

/// Where `exact` bytes and some others lie, and the bytes from one to the next.
fn shape(source: &mut Source<'_>, exact: usize, most: usize) -> (usize, usize, usize) {
    (source.below(65), exact + source.below(2) * source.below(80), source.below(most))
}

/// A rounded query stands for the query it was made from, up to what it says it lost.
fn check_loss(codes: &[u8], query: &[f32], product: f64, loss: f32) {
    let top = codes.iter().copied().max().unwrap_or(0);
    let exact: f64 = codes.iter().zip(query).map(|(code, q)| f64::from(*code) * f64::from(*q)).sum();
    let size: f64 = codes.iter().zip(query).map(|(code, q)| f64::from(*code) * f64::from(q.abs())).sum();
    let bound = f64::from(top) * f64::from(loss) + size * 1e-12 + 1e-37;
    assert!((exact - product).abs() <= bound, "{product} for {exact}, loss {loss}");
}

fn wide(query: &Query16, high: i32, low: i32) -> f64 {
    f64::from(query.scale()) * (f64::from(Query16::RADIX) * f64::from(high) + f64::from(low))
}

fn rows(source: &mut Source<'_>, dim: usize, width: u32) {
    let code_bytes = RowDot::new(dim, width).expect("a shape in range").code_bytes();
    let (skip, stride, count) = shape(source, code_bytes, 90);
    let all = if count == 0 { skip } else { skip + (count - 1) * stride + code_bytes };
    let data = source.filled(all);
    let records = Records::new(&data[skip..], stride, count);
    let bytes = query_bytes(source, dim);
    let (floats, tame) = source.values(dim);
    let ids: Vec<u32> =
        (0..if count == 0 { 0 } else { source.below(60) }).map(|_| source.below(count) as u32).collect();
    let fresh = draw(source, dim, width);
    let reader = RowDot::new(dim, width).expect("a shape in range");
    let mut codes = vec![0; count * dim];
    for (i, codes) in codes.chunks_exact_mut(dim).enumerate() {
        reader.unpack(records.record(i, code_bytes), codes);
    }
    let want: Vec<i32> = codes.chunks_exact(dim).map(|codes| sum(codes, &bytes)).collect();
    let mut rounded_want = None;
    for dot in RowDot::all(dim, width).expect("a shape in range") {
        let (mut packed, mut back) = (vec![0xa5; code_bytes], vec![0xa5; dim]);
        dot.pack(&fresh, &mut packed);
        dot.unpack(&packed, &mut back);
        assert_eq!(back, fresh, "packed and unpacked");

        let query: Query8 = dot.query_bytes(&bytes, 0.5);
        assert_eq!(query.sum(), bytes.iter().map(|byte| i32::from(*byte)).sum::<i32>());
        let (mut out, mut gathered) = (vec![-1; count], vec![-1; ids.len()]);
        dot.rows(&query, records, &mut out);
        dot.gather(&query, records, &ids, &mut gathered);
        assert_eq!(out, want, "rows on {}", dot.isa());
        for (id, product) in ids.iter().zip(&gathered) {
            assert_eq!(*product, out[*id as usize], "gathered on {}", dot.isa());
        }

        let rounded = (dot.query(&floats), dot.query_wide(&floats));
        let finite = floats.iter().all(|value| value.is_finite());
        assert_eq!((rounded.0.is_ok(), rounded.1.is_ok()), (finite, finite), "finite queries are taken");
        let (Ok(query), Ok(halves)) = rounded else { continue };
        let (mut high, mut low) = (vec![0; count], vec![0; count]);
        dot.rows(&query, records, &mut out);
        dot.rows(&halves.high, records, &mut high);
        dot.rows(&halves.low, records, &mut low);
        check_rounded(&mut rounded_want, (&query, out), (&halves, high, low), &floats, tame, &codes);
    }
}

/// Products with a query of floats, rounded to bytes and to two bytes: the same in every version, and as near to those
/// of the query as it says.
fn check_rounded(
    want: &mut Option<[Vec<i32>; 3]>,
    (query, out): (&Query8, Vec<i32>),
    (halves, high, low): (&Query16, Vec<i32>, Vec<i32>),
    floats: &[f32],
    tame: bool,
    codes: &[u8],
) {
    let got = [out, high, low];
    if let Some(want) = want {
        assert_eq!(&got, want);
        return;
    }
    for (i, codes) in codes.chunks_exact(floats.len()).enumerate().filter(|_| tame) {
        check_loss(codes, floats, f64::from(query.scale()) * f64::from(got[0][i]), query.loss());
        check_loss(codes, floats, wide(halves, got[1][i], got[2][i]), halves.loss());
    }
    *want = Some(got);
}

fn blocks(source: &mut Source<'_>, dim: usize, width: u32) {
    let block_bytes = BlockDot::new(dim, width).expect("a shape in range").block_bytes();
    let (skip, stride, count) = shape(source, block_bytes, 20);
    let all = if count == 0 { skip } else { skip + (count - 1) * stride + block_bytes };
    let data = source.filled(all);
    let records = Records::new(&data[skip..], stride, count);
    let bytes = query_bytes(source, dim);
    let (floats, tame) = source.values(dim);
    let lanes = source.below(BLOCK_ROWS + 1);
    let fresh = draw(source, lanes * dim, width);
    let reader = BlockDot::new(dim, width).expect("a shape in range");
    let mut held = vec![0; count * BLOCK_ROWS * dim];
    for (i, codes) in held.chunks_exact_mut(dim).enumerate() {
        reader.unpack(records.record(i / BLOCK_ROWS, block_bytes), i % BLOCK_ROWS, codes);
    }
    let want: Vec<i32> = held.chunks_exact(dim).map(|codes| sum(codes, &bytes)).collect();
    let (mut rounded_want, mut codes) = (None, vec![0; dim]);
    for dot in BlockDot::all(dim, width).expect("a shape in range") {
        let mut packed = vec![0xa5; block_bytes];
        dot.pack(&fresh, &mut packed);
        for lane in 0..BLOCK_ROWS {
            dot.unpack(&packed, lane, &mut codes);
            match fresh.chunks(dim).nth(lane) {
                Some(want) => assert_eq!(codes, want, "packed and unpacked"),
                None => assert!(codes.iter().all(|code| *code == 0), "rows that lack are zeros"),
            }
        }

        let query = dot.query_bytes(&bytes, 0.5);
        let mut out = vec![-1; count * BLOCK_ROWS];
        dot.blocks(&query, records, &mut out);
        assert_eq!(out, want, "blocks on {}", dot.isa());

        let rounded = (dot.query(&floats), dot.query_wide(&floats));
        let finite = floats.iter().all(|value| value.is_finite());
        assert_eq!((rounded.0.is_ok(), rounded.1.is_ok()), (finite, finite), "finite queries are taken");
        let (Ok(query), Ok(halves)) = rounded else { continue };
        let (mut high, mut low) = (vec![0; out.len()], vec![0; out.len()]);
        dot.blocks(&query, records, &mut out);
        dot.blocks(&halves.high, records, &mut high);
        dot.blocks(&halves.low, records, &mut low);
        check_rounded(&mut rounded_want, (&query, out), (&halves, high, low), &floats, tame, &held);
    }
}
