//! Estimated keys against exact ones in f64, on every instruction set of this CPU.
mod places;

use super::{SqCodec, SqError, SqFactors, SqGrid, SqParams, SqQuery, SqRange};
use crate::{
    ISAS, METRICS, Metric, Rows,
    codes::dot::{BLOCK_ROWS, BlockDot, Records},
    rng::Rng,
};

const ISSUED: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];
const GRIDS: [SqGrid; 3] = [SqGrid::Uniform { trim: 0.0 }, SqGrid::Uniform { trim: 0.01 }, SqGrid::PerVector];

/// Rows with a mean, and one component that is much larger than the others.
fn sample(rng: &mut Rng, count: usize, dim: usize) -> Vec<f32> {
    let shift: Vec<f32> = (0..dim).map(|j| if j == dim / 2 { 20.0 } else { rng.normal() }).collect();
    (0..count * dim).map(|i| rng.normal() + shift[i % dim]).collect()
}

/// The key in f64.
fn exact(metric: Metric, query: &[f32], row: &[f32]) -> f64 {
    let pairs = || query.iter().zip(row).map(|(&q, &x)| (f64::from(q), f64::from(x)));
    let product: f64 = pairs().map(|(q, x)| q * x).sum();
    if metric == Metric::L2 {
        return pairs().map(|(q, x)| (q - x) * (q - x)).sum();
    }
    if metric == Metric::Ip {
        return -product;
    }
    let (q, x): (f64, f64) = pairs().fold((0.0, 0.0), |(q2, x2), (q, x)| (q2 + q * q, x2 + x * x));
    if q * x == 0.0 { 0.0 } else { -product / (q * x).sqrt() }
}

/// The codec on every set of this CPU, each once.
fn codecs(params: &SqParams) -> Vec<SqCodec> {
    let available = ISAS.iter().filter(|isa| isa.is_available());
    let mut all: Vec<SqCodec> = available.map(|isa| SqCodec::on(isa, params.clone()).unwrap()).collect();
    all.dedup_by_key(|codec| codec.isa());
    all
}

/// Encoded rows and blocks of them.
struct Encoded {
    rows: Vec<u8>,
    blocks: Vec<u8>,
    clamped: Vec<usize>,
}

impl Encoded {
    fn new(codec: &SqCodec, rows: Rows<'_, f32>) -> Self {
        let mut encoded = vec![0xff; rows.len() * codec.record_bytes()];
        let records = encoded.chunks_mut(codec.record_bytes());
        let clamped: Vec<usize> = rows.iter().zip(records).map(|(row, to)| codec.encode(row, to).unwrap()).collect();
        let mut blocks = vec![0xff; rows.len().div_ceil(BLOCK_ROWS) * codec.block_bytes()];
        let mut total = 0;
        for (i, to) in blocks.chunks_mut(codec.block_bytes()).enumerate() {
            let end = rows.len().min((i + 1) * BLOCK_ROWS);
            total += codec.encode_block(rows.slice(i * BLOCK_ROWS..end), to).unwrap();
        }
        assert_eq!(total, clamped.iter().sum::<usize>());
        Self { rows: encoded, blocks, clamped }
    }

    fn records(&self, codec: &SqCodec) -> Records<'_> {
        Records::new(&self.rows, codec.record_bytes(), self.clamped.len())
    }

    fn block_records(&self, codec: &SqCodec) -> Records<'_> {
        Records::new(&self.blocks, codec.block_bytes(), self.blocks.len() / codec.block_bytes())
    }
}

#[test]
fn keys_are_within_the_bound_and_alike_everywhere() {
    let mut rng = Rng::new(11);
    for (dim, count) in [(1, 5), (7, 70), (100, 130), (768, 21)] {
        let values = sample(&mut rng, count, dim);
        let rows = Rows::new(&values, dim).unwrap();
        let query = sample(&mut rng, 1, dim);
        for metric in ISSUED {
            for (bits, grid) in [4, 6, 8].into_iter().flat_map(|bits| GRIDS.map(|grid| (bits, grid))) {
                let params = SqParams::train(metric, bits, grid, rows).unwrap();
                let mut first: Option<[Vec<f32>; 3]> = None;
                for codec in codecs(&params) {
                    let encoded = Encoded::new(&codec, rows);
                    let records = encoded.records(&codec);
                    let prepared = [codec.prepare_rows(&query).unwrap(), codec.prepare_rows_wide(&query).unwrap()];
                    let mut keys = [vec![f32::NAN; count], vec![f32::NAN; count]];
                    for (query_form, keys) in prepared.iter().zip(&mut keys) {
                        codec.rows(query_form, records, keys);
                        let mut gathered = vec![f32::NAN; count];
                        let ids: Vec<u32> = (0..count as u32).rev().collect();
                        codec.gather(query_form, records, &ids, &mut gathered);
                        gathered.reverse();
                        assert_eq!(*keys, gathered);
                        for (i, row) in rows.iter().enumerate().filter(|(i, _)| encoded.clamped[*i] == 0) {
                            let factors = codec.factors(records.record(i, codec.record_bytes()));
                            let bound = f64::from(query_form.bound(keys[i], factors));
                            let off = (f64::from(keys[i]) - exact(metric, &query, row)).abs();
                            assert!(off <= bound, "{metric} {bits} {grid:?} {dim}: {off} {bound}");
                            assert!(bound.is_finite());
                        }
                    }
                    let mut blocks = vec![f32::NAN; count.next_multiple_of(BLOCK_ROWS)];
                    codec.blocks(&codec.prepare_blocks(&query).unwrap(), encoded.block_records(&codec), &mut blocks);
                    blocks.truncate(count);
                    assert_eq!(blocks, keys[0], "blocks and rows");
                    let [narrow, wide] = keys;
                    let all = [narrow, wide, blocks];
                    assert_eq!(*first.get_or_insert_with(|| all.clone()), all, "{} {metric}", codec.isa());
                }
            }
        }
    }
}

#[test]
fn estimates_are_good_and_the_bound_is_not_idle() {
    let mut rng = Rng::new(12);
    let (count, dim) = (200, 256);
    let values = sample(&mut rng, count, dim);
    let rows = Rows::new(&values, dim).unwrap();
    let query = sample(&mut rng, 1, dim);
    for metric in ISSUED {
        for (bits, allowed) in [(4, 0.03), (6, 0.012), (8, 0.01)] {
            let codec = SqCodec::new(SqParams::train(metric, bits, SqGrid::PerVector, rows).unwrap()).unwrap();
            let encoded = Encoded::new(&codec, rows);
            let prepared = codec.prepare_rows(&query).unwrap();
            let mut keys = vec![0.0; count];
            codec.rows(&prepared, encoded.records(&codec), &mut keys);
            let (mut off, mut size, mut worst): (f64, f64, f64) = (0.0, 0.0, f64::INFINITY);
            for (i, row) in rows.iter().enumerate() {
                let want = exact(metric, &query, row);
                let factors = codec.factors(encoded.records(&codec).record(i, codec.record_bytes()));
                let this = (f64::from(keys[i]) - want).abs();
                off += this;
                size += want.abs();
                worst = worst.min(f64::from(prepared.bound(keys[i], factors)) / this.max(1e-9));
            }
            assert!(off < allowed * size, "{metric} {bits}: {}", off / size);
            assert!(worst < 100.0, "{metric} {bits}: {worst}");
        }
    }
}

#[test]
fn decoding_undoes_encoding_within_half_a_step() {
    let mut rng = Rng::new(13);
    let (count, dim) = (20, 77);
    let values = sample(&mut rng, count, dim);
    let rows = Rows::new(&values, dim).unwrap();
    for (bits, grid) in [4, 6, 8].into_iter().flat_map(|bits| GRIDS.map(|grid| (bits, grid))) {
        let codec = SqCodec::new(SqParams::train(Metric::L2, bits, grid, rows).unwrap()).unwrap();
        let encoded = Encoded::new(&codec, rows);
        let (mut back, mut again) = (vec![0.0; dim], vec![0.0; dim]);
        for (i, row) in rows.iter().enumerate() {
            let record = encoded.records(&codec).record(i, codec.record_bytes());
            let block = encoded.block_records(&codec).record(i / BLOCK_ROWS, codec.block_bytes());
            codec.decode(record, &mut back);
            codec.decode_block(block, i % BLOCK_ROWS, &mut again);
            assert_eq!(back, again);
            let factors = codec.factors(record);
            assert_eq!(factors, codec.block_factors(block, i % BLOCK_ROWS));
            let beyond = row.iter().zip(&back).filter(|(x, y)| (*x - *y).abs() > 0.501 * factors.range.step).count();
            assert_eq!(beyond, encoded.clamped[i], "{bits} {grid:?}");
            let square: f64 = back.iter().zip(&codec.params().mean).map(|(x, m)| f64::from(x - m).powi(2)).sum();
            assert!((square - f64::from(factors.square)).abs() <= 1e-4 * square);
        }
        let total: usize = encoded.clamped.iter().sum();
        assert_eq!(total > 0, grid == GRIDS[1], "only a trimmed grid clamps");
        assert!(total <= count * dim / 50);
    }
}

#[test]
fn constant_vectors_and_zeros_work() {
    for metric in ISSUED {
        for grid in GRIDS {
            let values = vec![3.0; 4 * 33];
            let rows = Rows::new(&values, 33).unwrap();
            let codec = SqCodec::new(SqParams::train(metric, 8, grid, rows).unwrap()).unwrap();
            let encoded = Encoded::new(&codec, rows);
            for query in [vec![0.0; 33], vec![3.0; 33], vec![-1.0; 33]] {
                let mut keys = [f32::NAN; 4];
                codec.rows(&codec.prepare_rows(&query).unwrap(), encoded.records(&codec), &mut keys);
                let want = exact(metric, &query, rows.row(0));
                assert!(keys.iter().all(|key| (f64::from(*key) - want).abs() <= 1e-5 * want.abs()), "{keys:?} {want}");
            }
            let mut record = vec![0; codec.record_bytes()];
            let beyond = codec.encode(&[4.0; 33], &mut record).unwrap();
            assert_eq!(beyond, if grid == SqGrid::PerVector { 0 } else { 33 });
        }
    }
    let zeros = vec![0.0; 8];
    let rows = Rows::new(&zeros, 8).unwrap();
    let codec = SqCodec::new(SqParams::train(Metric::Cosine, 4, SqGrid::PerVector, rows).unwrap()).unwrap();
    let encoded = Encoded::new(&codec, rows);
    let mut keys = [f32::NAN];
    codec.rows(&codec.prepare_rows(&[1.0; 8]).unwrap(), encoded.records(&codec), &mut keys);
    assert_eq!(keys, [0.0]);
}

#[test]
fn hostile_records_give_keys_and_no_panic() {
    let mut rng = Rng::new(14);
    let values = sample(&mut rng, 10, 50);
    let rows = Rows::new(&values, 50).unwrap();
    for metric in ISSUED {
        let params = SqParams::train(metric, 6, SqGrid::PerVector, rows).unwrap();
        for codec in codecs(&params) {
            let data: Vec<u8> = (0..codec.record_bytes() * 40).map(|_| rng.next_u64() as u8 | 0x80).collect();
            let query = codec.prepare_rows(rows.row(0)).unwrap();
            let mut keys = vec![0.0; 40];
            let records = Records::new(&data, codec.record_bytes(), 40);
            codec.rows(&query, records, &mut keys);
            for (i, &key) in keys.iter().enumerate() {
                query.bound(key, codec.factors(records.record(i, codec.record_bytes())));
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let values = [0.0, 1.0, 2.0, 3.0];
    let rows = Rows::new(&values, 2).unwrap();
    let grid = SqGrid::PerVector;
    for metric in METRICS.iter().copied().filter(|metric| !ISSUED.contains(metric)) {
        assert_eq!(SqParams::train(metric, 8, grid, rows).unwrap_err(), SqError::Metric { metric });
    }
    for bits in [0, 5, 16, 40] {
        let refused = SqParams::train(Metric::L2, bits, SqGrid::Uniform { trim: 0.0 }, rows);
        assert_eq!(refused.unwrap_err(), SqError::Bits { bits });
    }
    for trim in [-0.1, 0.5, 2.0] {
        let refused = SqParams::train(Metric::L2, 8, SqGrid::Uniform { trim }, rows);
        assert_eq!(refused.unwrap_err(), SqError::Trim { trim });
    }
    assert!(SqParams::train(Metric::L2, 8, SqGrid::Uniform { trim: f64::NAN }, rows).is_err());
    let none = SqParams::train(Metric::L2, 8, grid, Rows::new(&[], 2).unwrap());
    assert_eq!(none.unwrap_err(), SqError::NoRows);
    let bad = SqParams::train(Metric::L2, 8, grid, Rows::new(&[0.0, f32::NAN], 2).unwrap());
    assert_eq!(bad.unwrap_err(), SqError::NotFinite { position: 1 });
    let params = SqParams::train(Metric::L2, 8, grid, rows).unwrap();
    let negative = SqParams { range: Some(SqRange { min: 0.0, step: -1.0 }), ..params.clone() };
    assert_eq!(SqCodec::new(negative).unwrap_err(), SqError::Params);
    let codec = SqCodec::new(params).unwrap();
    let mut record = vec![0; codec.record_bytes()];
    assert_eq!(codec.encode(&[0.0, f32::INFINITY], &mut record).unwrap_err(), SqError::NotFinite { position: 1 });
    assert_eq!(codec.encode(&[3e38, -3e38], &mut record).unwrap_err(), SqError::TooLarge);
    assert_eq!(codec.prepare_rows(&[f32::NAN, 0.0]).unwrap_err(), SqError::NotFinite { position: 0 });
    assert_eq!(codec.prepare_blocks(&[3e38, 0.0]).unwrap_err(), SqError::TooLarge);
}

/// Keys of rows and blocks against f64, for data that f32 has trouble with.
#[test]
fn bounds_hold_at_the_ends_of_f32_and_far_from_the_origin() {
    let mut rng = Rng::new(15);
    let count = 20;
    for (dim, scale, shift) in [
        (33, 1e-18, 0.0),
        (33, 3e-19, 1.0),
        (100, 1e-20, 0.0),
        (100, 1e-25, 0.0),
        (7, 1e-38, 0.0),
        (33, 1e-43, 0.0),
        (100, 1e15, 0.0),
        (100, 1e17, 1.0),
        (33, 1.0, 1e4),
        (768, 0.01, 300.0),
        (100, 1e-30, 1.0),
    ] {
        for query_scale in [1.0, 1e-6, 1e-25] {
            let mut vectors = |count: usize, scale: f32| -> Vec<f32> {
                (0..count * dim).map(|_| (rng.normal() + shift) * scale).collect()
            };
            let (values, query) = (vectors(count, scale), vectors(1, (scale * query_scale).max(1e-42)));
            let rows = Rows::new(&values, dim).unwrap();
            for (metric, bits) in ISSUED.into_iter().flat_map(|metric| [4, 6, 8].map(|bits| (metric, bits))) {
                for grid in [SqGrid::PerVector, SqGrid::Uniform { trim: 0.0 }] {
                    let codec = SqCodec::new(SqParams::train(metric, bits, grid, rows).unwrap()).unwrap();
                    let encoded = Encoded::new(&codec, rows);
                    let forms = [codec.prepare_rows(&query), codec.prepare_rows_wide(&query)];
                    for form in forms.into_iter().filter_map(Result::ok) {
                        let mut keys = vec![f32::NAN; count];
                        codec.rows(&form, encoded.records(&codec), &mut keys);
                        for (i, row) in rows.iter().enumerate().filter(|(i, _)| encoded.clamped[*i] == 0) {
                            let factors = codec.factors(encoded.records(&codec).record(i, codec.record_bytes()));
                            let off = (f64::from(keys[i]) - exact(metric, &query, row)).abs();
                            let bound = f64::from(form.bound(keys[i], factors));
                            let what = format!("{metric} {bits} {grid:?} dim {dim} {scale} + {shift} by {query_scale}");
                            assert!(off <= bound, "{what}: {off} above {bound}, key {}", keys[i]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_key_that_overflowed_has_no_bound() {
    let values: Vec<f32> = (0..8).map(|i| if i < 4 { 9e18 } else { -9e18 }).collect();
    let rows = Rows::new(&values, 4).unwrap();
    let codec = SqCodec::new(SqParams::train(Metric::L2, 8, SqGrid::PerVector, rows).unwrap()).unwrap();
    let factors = SqFactors { range: SqRange { min: 1e19, step: 0.0 }, square: 3e38 };
    let query = codec.prepare_rows(rows.row(0)).unwrap();
    for key in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(query.bound(key, factors), f32::INFINITY);
    }
}

/// A codec of two rows of ten components, the query of the first, and its records.
fn small() -> (SqCodec, SqQuery, Vec<u8>) {
    let values = sample(&mut Rng::new(16), 2, 10);
    let params = SqParams::train(Metric::L2, 8, SqGrid::PerVector, Rows::new(&values, 10).unwrap()).unwrap();
    let codec = SqCodec::new(params).unwrap();
    let query = codec.prepare_rows(&values[..10]).unwrap();
    let data = vec![0; 40 * codec.block_bytes()];
    (codec, query, data)
}

#[test]
#[should_panic(expected = "bytes that are")]
fn records_that_overlap_are_refused() {
    let (codec, query, data) = small();
    // Enough for the codes, but not for the factors.
    codec.rows(&query, Records::new(&data, codec.factors_at(), 3), &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "bytes that are")]
fn records_that_overlap_are_refused_when_gathered() {
    let (codec, query, data) = small();
    codec.gather(&query, Records::new(&data, codec.record_bytes() - 1, 3), &[0, 2], &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "bytes that are")]
fn blocks_that_overlap_are_refused() {
    let (codec, _, data) = small();
    let query = codec.prepare_blocks(&[1.0; 10]).unwrap();
    codec.blocks(&query, Records::new(&data, codec.block_bytes() - 1, 2), &mut [0.0; 32]);
}

#[test]
#[should_panic(expected = "the last record has")]
fn a_last_record_without_its_factors_is_refused() {
    let (codec, query, data) = small();
    let (stride, codes) = (codec.record_bytes(), codec.factors_at());
    codec.rows(&query, Records::new(&data[..stride + codes], stride, 2), &mut [0.0; 2]);
}

#[test]
fn queries_of_other_quantizers_are_refused() {
    let (codec, query, data) = small();
    let run = |params: SqParams| {
        let codec = SqCodec::new(params).unwrap();
        let records = Records::new(&data, codec.record_bytes(), 2);
        std::panic::catch_unwind(|| codec.rows(&query, records, &mut [0.0; 2])).is_ok()
    };
    let params = codec.params();
    assert!(run(params.clone()), "the same parameters are the same quantizer");
    assert!(codecs(params).len() == 1 || codecs(params).windows(2).all(|two| two[0].fingerprint == two[1].fingerprint));
    let mut mean = params.mean.clone();
    mean[9] += 1.0;
    assert!(!run(SqParams { mean, ..params.clone() }));
    assert!(!run(SqParams { metric: Metric::Ip, ..params.clone() }));
    assert!(!run(SqParams { bits: 4, ..params.clone() }));
    assert!(!run(SqParams { range: Some(SqRange { min: 0.0, step: 0.0 }), ..params.clone() }));
    let mut zero = SqParams { mean: vec![0.0; 10], ..params.clone() };
    let fingerprint = zero.fingerprint();
    zero.mean[3] = -0.0;
    assert_eq!(zero.fingerprint(), fingerprint, "equal parameters");
}

#[test]
fn what_is_published_for_devices_gives_the_key() {
    let mut rng = Rng::new(77);
    for (metric, bits, grid) in [
        (Metric::L2, 8, SqGrid::PerVector),
        (Metric::Ip, 6, SqGrid::Uniform { trim: 0.0 }),
        (Metric::Cosine, 4, SqGrid::PerVector),
    ] {
        let dim = 77;
        let values: Vec<f32> = (0..16 * dim).map(|_| rng.normal()).collect();
        let rows = Rows::new(&values, dim).unwrap();
        let codec = SqCodec::new(SqParams::train(metric, bits, grid, rows).unwrap()).unwrap();
        let mut block = vec![0; codec.block_bytes()];
        codec.encode_block(rows, &mut block).unwrap();
        let query = codec.prepare_blocks(&values[..dim]).unwrap();
        assert!(codec.prepare_rows(&values[..dim]).unwrap().form().is_none());
        let form = query.form().unwrap();
        let mut keys = [0.0; 16];
        codec.blocks(&query, Records::new(&block, block.len(), 1), &mut keys);
        let unpack = BlockDot::new(dim, bits).unwrap();
        for (lane, want) in keys.into_iter().enumerate() {
            let mut codes = vec![0; dim];
            unpack.unpack(&block, lane, &mut codes);
            let product: i32 = codes.iter().zip(form.bytes).map(|(&c, &q)| i32::from(c) * i32::from(q)).sum();
            let factors = codec.block_factors(&block, lane);
            let (range, square) = (factors.range, factors.square);
            let inner = range.min * form.sum + range.step * (form.scale * product as f32 + form.middle);
            let mut key = form.constant + form.square_weight * square + form.product_weight * inner;
            if form.cosine {
                key = if square > 0.0 { (key / square.sqrt()).clamp(-1.0, 1.0) } else { 0.0 };
            }
            assert_eq!(key.to_bits(), want.to_bits(), "{metric}, {bits} bits, row {lane}");
        }
    }
}
