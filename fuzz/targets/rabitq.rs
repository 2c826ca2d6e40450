//! RaBitQ codes of one to eight bits: records, refinements and blocks of any bytes, against what the format and the
//! formulas say, written down once more in the plainest way; one result on every instruction set.
#![no_main]
use elanus_fuzz::{Source, all_same, same};
use elanus_kernels::{
    Metric,
    codes::rabitq::{BLOCK, BlockQuery, Codec, Encoder, Estimator, Fit, Query, Records, Term},
};
use libfuzzer_sys::fuzz_target;

/// Steps of the optimal uniform quantiser of normal numbers, by bits (Max, 1960).
const STEPS: [f32; 8] = [1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308];

/// A query rounded as the documentation says: components, and half their unit.
struct Plain {
    weights: Vec<i64>,
    scale: f64,
}

/// Estimates of all records by the formulas, where the query is moderate: the key, and how large its parts are.
type Estimates = Option<Vec<(f64, f64)>>;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let metric = [Metric::L2, Metric::Ip, Metric::Cosine][source.below(3)];
    // Sums of the weights pass 16 bits only where dimensions are large.
    let large = source.byte() == 255;
    let dim = 64 * if large { 200 + source.below(60) } else { 1 + source.mostly_below(4, 20) };
    let codec = Codec::new(metric, dim, 1 + source.byte() % 8).expect("a supported metric");
    let most = match source.byte() {
        77 => 4400,
        0..16 => 700,
        _ => 150,
    };
    let count = source.below(most);
    let count = if large {
        count % 4
    } else if dim > 128 {
        count.min(200)
    } else {
        count
    };
    let (record_bytes, refine_bytes) = (codec.record_bytes(), codec.refine_bytes());
    let (mut records, stride) = room(&mut source, count, record_bytes);
    let (mut refines, refine_stride) = room(&mut source, count, refine_bytes.max(1));
    if source.coin() {
        (records, refines) = (source.filled(records.len()), source.filled(refines.len()));
    }
    for _ in 0..if count == 0 || large { 0 } else { source.below(6) } {
        let i = source.below(count);
        let refine = &mut refines[i * refine_stride..][..refine_bytes];
        encode(&mut source, codec, &mut records[i * stride..][..record_bytes], refine);
    }
    let (values, tame) = source.values(dim);
    if count > 0 && source.coin() {
        // The signs of the query itself, which the sums are largest with.
        let record = &mut records[source.below(count) * stride..][..codec.plane_bytes()];
        record.iter_mut().zip(values.chunks_exact(8)).for_each(|(byte, eight)| {
            *byte = eight.iter().rev().fold(0, |bits, q| bits << 1 | u8::from(*q >= 0.0));
        });
    }
    let bits = if source.coin() { 4 } else { 1 + source.byte() % 8 };
    let eps0 = if source.coin() { 1.9 } else { source.f32() };
    let mut query = Query::with(codec, bits, eps0);
    if source.coin() {
        query.prepare(&source.values(dim).0);
    }
    query.prepare(&values);
    let given: Vec<(f32, f32)> = (0..source.below(4)).map(|_| (source.number().abs(), source.number())).collect();
    let terms: Vec<Term> = given.iter().map(|(distance, product)| query.term(*distance, *product)).collect();
    let ids: Vec<u32> =
        (0..if count == 0 { 0 } else { source.below(100) }).map(|_| source.below(count) as u32).collect();

    let tier0 = codec.records(&records, stride);
    assert_eq!(tier0.len(), count);
    let adds: Vec<f32> =
        given.iter().map(|(distance, product)| if metric == Metric::L2 { *distance } else { -product }).collect();
    let plain = tame.then(|| levels(&values, bits)).flatten();
    let want0 = plain.map(|plain| (0..count).map(|i| rough(&codec, &plain, tier0.get(i), &adds)).collect());
    let mut first: Option<Vec<f32>> = None;
    for estimator in Estimator::all() {
        let mut all = by_record(&estimator, &query, tier0, &ids, &terms, &want0);
        if codec.bits() > 1 {
            let tier1 = codec.refinements(&refines, refine_stride);
            let plain = tame.then(|| byte_levels(&values)).flatten();
            let full = |id: &u32| (tier0.get(*id as usize), tier1.get(*id as usize));
            let want = plain.map(|plain| ids.iter().map(|id| fine(&codec, &plain, full(id), &adds)).collect());
            let (mut keys, mut errors) = (vec![0.0; ids.len()], vec![0.0; ids.len()]);
            estimator.refine(&query, tier0, tier1, &ids, &terms, &mut keys, &mut errors);
            check(&keys, &want, "refined");
            all.extend(keys.into_iter().chain(errors));
        }
        assert!(all_same(&all, first.get_or_insert_with(|| all.clone())), "{:?} differs", estimator.isas());
    }
    let more: Vec<Query> =
        (0..if large { 0 } else { source.below(6) }).map(|_| other_query(&mut source, codec)).collect();
    blocks(&mut source, codec, tier0, &[&[query][..], &more].concat());
});

/// Room for records, and the bytes from one to the next.
fn room(source: &mut Source<'_>, count: usize, bytes: usize) -> (Vec<u8>, usize) {
    let stride = bytes + source.below(2) * source.below(80);
    (vec![0; if count == 0 { source.below(bytes) } else { (count - 1) * stride + bytes }], stride)
}

fn other_query(source: &mut Source<'_>, codec: Codec) -> Query {
    let bits = if source.coin() { 4 } else { 1 + source.byte() % 8 };
    let mut query = Query::with(codec, bits, 1.9);
    query.prepare(&source.values(codec.dim()).0);
    query
}

fn float(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn bit(plane: &[u8], i: usize) -> i64 {
    i64::from(plane[i / 8] >> (i % 8) & 1)
}

/// Encodes a vector, and checks the code against the vector where that is moderate.
fn encode(source: &mut Source<'_>, codec: Codec, record: &mut [u8], refine: &mut [u8]) {
    let ((residual, tame), (centre, centre_tame)) = (source.values(codec.dim()), source.values(codec.dim()));
    let fit = if source.coin() { Fit::Fast } else { Fit::Exact };
    let id = u16::from(source.byte() % 8);
    record.fill(0xa5);
    refine.fill(0xa5);
    Encoder::new(codec, fit).encode(&residual, &centre, id, record, refine);
    let bytes = codec.plane_bytes();
    assert_eq!((u16::from(record[bytes + 12]) | u16::from(record[bytes + 13]) << 8), id);
    assert_eq!(record[bytes + 14..], [0xa5; 2], "the caller's bytes");
    if !tame || !centre_tame {
        return;
    }
    for (i, r) in residual.iter().enumerate() {
        assert_eq!(bit(record, i), i64::from(*r >= 0.0), "sign {i}");
    }
    let signs: Vec<f64> = (0..codec.dim()).map(|i| bit(record, i) as f64 - 0.5).collect();
    factors(codec.metric(), &residual, &centre, &signs, &record[bytes..]);
    if codec.bits() > 1 {
        let extra = usize::from(codec.bits()) - 1;
        let half = ((1_i64 << codec.bits()) - 1) as f64 / 2.0;
        let codes: Vec<f64> = (0..codec.dim()).map(|i| code(&codec, record, refine, i) as f64 - half).collect();
        factors(codec.metric(), &residual, &centre, &codes, &refine[extra * bytes..]);
    }
}

/// Component `i` of the code of all bits.
fn code(codec: &Codec, record: &[u8], refine: &[u8], i: usize) -> i64 {
    let (bytes, extra) = (codec.plane_bytes(), usize::from(codec.bits()) - 1);
    let planes = (0..extra).fold(0, |code, p| 2 * code + bit(&refine[p * bytes..], i));
    (bit(record, i) << extra) + planes
}

/// The factors that the formulas give for a residual and its code.
fn factors(metric: Metric, r: &[f32], c: &[f32], x: &[f64], stored: &[u8]) {
    let dot = |a: &[f64], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
    let size = |a: &[f64], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a * f64::from(*b)).abs()).sum::<f64>();
    let wide: Vec<f64> = r.iter().map(|r| f64::from(*r)).collect();
    let (square, product, xr, xc) = (dot(&wide, r), dot(&wide, c), dot(x, r), dot(x, c));
    let xx: f64 = x.iter().map(|x| x * x).sum();
    let got = [0, 4, 8].map(|at| f64::from(float(stored, at)));
    if square == 0.0 {
        assert_eq!(got[1..], [0.0, 0.0], "a vector at its centre");
        assert_eq!(got[0], 0.0);
        return;
    }
    let tangent = (square * xx / (xr * xr) - 1.0).max(0.0);
    let error = (square * tangent / (r.len() - 1) as f64).sqrt();
    let want = if metric == Metric::L2 {
        [square + 2.0 * square * xc / xr, -2.0 * square / xr, 2.0 * error]
    } else {
        [-product + square * xc / xr, -square / xr, error]
    };
    let add = 2.0 * (square + size(&wide, c) + square * size(x, c) / xr.abs());
    // The tangent is a difference from 1, which is exact to some 1e-13.
    let sizes = [add, want[1].abs(), want[2].abs() + 1e-4 * square.sqrt()];
    for ((want, got), size) in want.into_iter().zip(got).zip(sizes) {
        assert!((want - got).abs() <= 1e-6 * size, "factor {got} for {want}");
    }
}

/// A sum in sixteen lanes, folded in halves, which decides how components are rounded.
fn lanes(values: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    for sixteen in values.chunks_exact(16) {
        lanes.iter_mut().zip(sixteen).for_each(|(lane, value)| *lane += value * value);
    }
    for half in [8, 4, 2, 1] {
        (0..half).for_each(|j| lanes[j] += lanes[j + half]);
    }
    lanes[0]
}

/// The unit of weights that are to be a query's.
fn unit(values: &[f32], weights: Vec<i64>) -> Option<Plain> {
    let square: f64 = values.iter().map(|q| f64::from(*q).powi(2)).sum();
    let product: f64 = values.iter().zip(&weights).map(|(q, w)| f64::from(*q) * *w as f64).sum();
    (square > 0.0).then(|| Plain { weights, scale: 0.5 * square / product })
}

/// The query against tier 0.
fn levels(values: &[f32], bits: u8) -> Option<Plain> {
    let most = ((1_u32 << bits) - 1) as f32;
    let inverse = 1.0 / (STEPS[usize::from(bits) - 1] * (lanes(values) / values.len() as f32).sqrt());
    let level = |q: &f32| (q * inverse + 0.5 * most).clamp(0.0, most).round_ties_even();
    unit(values, values.iter().map(|q| 2 * level(q) as i64 - most as i64).collect())
}

/// The query against tier 1.
fn byte_levels(values: &[f32]) -> Option<Plain> {
    let inverse = 127.0 / values.iter().fold(0.0, |largest: f32, q| largest.max(q.abs()));
    unit(values, values.iter().map(|q| (q * inverse).clamp(-127.0, 127.0).round_ties_even() as i64).collect())
}

/// A key from factors and twice the product of the code and the weights.
fn key(plain: &Plain, stored: &[u8], centre: &[u8], product: i64, adds: &[f32]) -> (f64, f64) {
    let centre = usize::from(centre[0]) | usize::from(centre[1]) << 8;
    let add = adds.get(centre).map_or(f64::NAN, |add| f64::from(*add));
    let [f_add, f_rescale] = [0, 4].map(|at| f64::from(float(stored, at)));
    let scaled = f_rescale * plain.scale * product as f64;
    // The unit comes from sums in f32, whose roundings add up.
    let roundings = 1.0 + 1e-3 * plain.weights.len() as f64;
    (f_add + add + scaled, f_add.abs() + add.abs() + roundings * scaled.abs())
}

fn rough(codec: &Codec, plain: &Plain, record: &[u8], adds: &[f32]) -> (f64, f64) {
    let trailer = &record[codec.plane_bytes()..];
    let product = plain.weights.iter().enumerate().map(|(i, w)| if bit(record, i) == 1 { *w } else { -w }).sum();
    key(plain, trailer, &trailer[12..], product, adds)
}

fn fine(codec: &Codec, plain: &Plain, (record, refine): (&[u8], &[u8]), adds: &[f32]) -> (f64, f64) {
    let most = (1_i64 << codec.bits()) - 1;
    let weights = plain.weights.iter().enumerate();
    let product = weights.map(|(i, w)| (2 * code(codec, record, refine, i) - most) * w).sum();
    let extra = usize::from(codec.bits()) - 1;
    key(plain, &refine[extra * codec.plane_bytes()..], &record[codec.plane_bytes() + 12..], product, adds)
}

fn check(keys: &[f32], want: &Estimates, what: &str) {
    for (key, (want, size)) in keys.iter().zip(want.iter().flatten()) {
        if want.is_nan() {
            assert!(key.is_nan(), "{what}: {key} where there is no number");
        } else if *size < 1e37 {
            assert!((f64::from(*key) - want).abs() <= 1e-5 * size + 1e-36, "{what}: {key} for {want}");
        }
    }
}

/// Keys and errors of all records, after a check that gathering gives the same.
fn by_record(
    estimator: &Estimator,
    query: &Query,
    records: Records<'_>,
    ids: &[u32],
    terms: &[Term],
    want: &Estimates,
) -> Vec<f32> {
    let (mut keys, mut errors) = (vec![0.0; records.len()], vec![0.0; records.len()]);
    estimator.rows(query, records, terms, &mut keys, &mut errors);
    check(&keys, want, "tier 0");
    let (mut some, mut some_errors) = (vec![0.0; ids.len()], vec![0.0; ids.len()]);
    estimator.gather(query, records, ids, terms, &mut some, &mut some_errors);
    for (id, (key, error)) in ids.iter().zip(some.iter().zip(&some_errors)) {
        let id = *id as usize;
        assert!(same(*key, keys[id]) && same(*error, errors[id]), "gathered on {:?}", estimator.isas());
    }
    keys.extend(errors);
    keys
}

/// Blocks packed from the records, or of any bytes, against the records that they hold.
fn blocks(source: &mut Source<'_>, codec: Codec, records: Records<'_>, queries: &[Query]) {
    let (rows, bytes, record) = (records.len(), codec.block_bytes(), codec.record_bytes());
    let mut blocks = vec![0xa5; rows.div_ceil(BLOCK) * bytes];
    for (i, block) in blocks.chunks_exact_mut(bytes).enumerate() {
        codec.pack_block(records, i * BLOCK, block);
    }
    if source.coin() {
        blocks = source.filled(blocks.len());
    }
    let mut held = vec![0; rows * record];
    for (row, to) in held.chunks_exact_mut(record).enumerate() {
        let (block, row) = (&blocks[row / BLOCK * bytes..][..bytes], row % BLOCK);
        let (signs, trailer) = to.split_at_mut(codec.plane_bytes());
        signs.iter_mut().enumerate().for_each(|(k, to)| *to = block[BLOCK * k + row]);
        for (f, to) in trailer[..12].chunks_exact_mut(4).enumerate() {
            to.copy_from_slice(&block[BLOCK * signs.len() + 4 * (BLOCK * f + row)..][..4]);
        }
    }
    let held = codec.records(&held, record);
    let terms: Vec<Term> = queries
        .iter()
        .map(|query| if source.coin() { query.origin() } else { query.term(source.f32(), source.f32()) })
        .collect();
    let mut want = (Vec::new(), Vec::new());
    for estimator in Estimator::all() {
        if want.0.is_empty() {
            for (query, term) in queries.iter().zip(&terms) {
                let (mut keys, mut errors) = (vec![0.0; rows], vec![0.0; rows]);
                estimator.rows(query, held, &[*term], &mut keys, &mut errors);
                want.0.extend(keys);
                want.1.extend(errors);
            }
        }
        let prepared: Vec<BlockQuery> = queries.iter().map(|query| BlockQuery::new(&estimator, query)).collect();
        let refs: Vec<&BlockQuery> = prepared.iter().collect();
        for (q, (query, term)) in prepared.iter().zip(&terms).enumerate() {
            let (mut keys, mut errors) = (vec![0.0; rows], vec![0.0; rows]);
            query.scan(&blocks, *term, &mut keys, &mut errors);
            let at = q * rows..(q + 1) * rows;
            let right = all_same(&keys, &want.0[at.clone()]) && all_same(&errors, &want.1[at]);
            assert!(right, "by blocks on {:?}", estimator.isas());
        }
        let (mut keys, mut errors) = (vec![0.0; rows * queries.len()], vec![0.0; rows * queries.len()]);
        BlockQuery::scan_many(&refs, &blocks, rows, &terms, &mut keys, &mut errors);
        assert!(all_same(&keys, &want.0) && all_same(&errors, &want.1), "many by blocks on {:?}", estimator.isas());
    }
}
