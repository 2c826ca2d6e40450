//! Scans over codes: scalar quantization, product codes of four bits, and RaBitQ.
use std::hint::black_box;

use elanus_kernels::{
    Metric, Rows,
    codes::{
        dot::{BLOCK_ROWS, Records},
        pq4::{self, Layout, Packed, Pq4, Pq4Tables},
        rabitq::{self, BlockQuery, Codec, Encoder, Estimator, Fit, Query},
        sq::{SqCodec, SqGrid, SqParams},
    },
    rng::Rng,
};

use crate::{
    Options,
    clock::least,
    limits::{self, LEVELS, Level, Limits, Work},
    report::{Line, Report, Shape},
};

/// Keys that a scan writes before they are used: they stay in the first-level cache.
const KEYS: usize = 1024;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Scans the rows in the bytes into as many keys.
type Scan<'a> = Box<dyn FnMut(&[u8], &mut [f32]) + 'a>;

/// One scan over codes that repeat a small sample until they fill a level.
struct Case<'a> {
    name: String,
    isa: &'static str,
    dim: usize,
    /// Some units: rows that are computed together, `unit` of them in `unit_bytes`.
    sample: Vec<u8>,
    unit: usize,
    unit_bytes: usize,
    work: Option<(Work, f64)>,
    scan: Scan<'a>,
}

pub(crate) fn all(options: &Options, limits: &Limits, report: &mut Report) {
    for dim in options.dims.iter().copied().filter(|dim| dim.is_multiple_of(64)) {
        let values = normals(7, 256 * dim);
        let Ok(rows) = Rows::new(&values, dim) else { continue };
        let mut cases = Vec::new();
        for bits in [8, 6, 4] {
            scalar(bits, rows, &mut cases);
        }
        lookups(dim, dim / 4, &mut cases);
        lookups(dim, dim, &mut cases);
        one_bit(rows, &mut cases);
        for mut case in cases.into_iter().filter(|case| !options.leaves_out(&case.name)) {
            for (level, name, bytes) in LEVELS.iter().filter(|(level, ..)| options.levels.contains(level)) {
                measure(options, limits, &mut case, (*level, name, *bytes), report);
            }
        }
    }
}

fn normals(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| rng.normal()).collect()
}

fn measure(
    options: &Options,
    limits: &Limits,
    case: &mut Case<'_>,
    (level, name, bytes): (Level, &'static str, usize),
    report: &mut Report,
) {
    // The sample again and again, from a line's beginning on: whole units, and no more of them than fill the level.
    let units = (bytes / case.unit_bytes).max(1);
    let (bytes, rows) = (units * case.unit_bytes, units * case.unit);
    let mut buffer: Vec<u8> = Vec::with_capacity(bytes + LINE);
    buffer.resize(buffer.as_ptr().align_offset(LINE), 0);
    let start = buffer.len();
    buffer.extend(case.sample.iter().copied().cycle().take(bytes));
    let codes = &buffer[start..];
    let row_bytes = case.unit_bytes as f64 / case.unit as f64;
    // Whole units, of about as many rows as there are keys.
    let step = (KEYS / case.unit).max(1) * case.unit_bytes;
    let mut keys = vec![0.0; KEYS.max(case.unit)];
    let mut call = || {
        for part in black_box(codes).chunks(step) {
            let count = part.len() / case.unit_bytes * case.unit;
            (case.scan)(part, &mut keys[..count]);
            black_box(&keys);
        }
    };
    let (ns, mut limit) = match level {
        // Other programs take their share of the memory, so what it gives is measured in turns with the scan.
        Level::Memory => {
            let times = least(&mut [&mut call, &mut || limits::touch(black_box(codes))], options.budget);
            (times[0] / rows as f64, times[1] / rows as f64)
        }
        Level::L1 | Level::L2 | Level::L3 => {
            (least(&mut [&mut call], options.budget)[0] / rows as f64, row_bytes / limits.reads(level))
        }
    };
    if let Some((work, times)) = case.work {
        limit = limit.max(times / limits.work(work));
    }
    let shape = Shape::Codes(name);
    report.push(Line {
        what: case.name.clone(),
        isa: case.isa,
        shape,
        dim: case.dim,
        ns,
        limit_ns: limit,
        theirs_ns: None,
    });
}

/// SQ8, SQ6 and SQ4 on one grid, as records of a row and of sixteen, with keys by L2.
fn scalar(bits: u32, rows: Rows<'_, f32>, cases: &mut Vec<Case<'_>>) {
    let dim = rows.dim();
    let trained = SqParams::train(Metric::L2, bits, SqGrid::Uniform { trim: 0.0 }, rows);
    let Some(codec) = trained.ok().and_then(|params| SqCodec::new(params).ok()) else { return };
    let query = normals(9, dim);
    let work = Some((Work::Bytes, dim as f64 * if bits == 6 { 2.0 } else { 1.0 }));
    let stride = codec.record_bytes().next_multiple_of(64);
    let mut sample = vec![0; 64 * stride];
    for (row, record) in rows.iter().zip(sample.chunks_mut(stride)) {
        if codec.encode(row, record).is_err() {
            return;
        }
    }
    if let Ok(prepared) = codec.prepare_rows(&query) {
        let codec = codec.clone();
        let isa = codec.isa();
        let scan = Box::new(move |bytes: &[u8], keys: &mut [f32]| {
            codec.rows(&prepared, Records::new(bytes, stride, bytes.len() / stride), keys);
        });
        cases.push(Case {
            name: format!("SQ{bits} records"),
            isa,
            dim,
            sample,
            unit: 16,
            unit_bytes: 16 * stride,
            work,
            scan,
        });
    }
    let unit_bytes = codec.block_bytes();
    let mut sample = vec![0; 8 * unit_bytes];
    for (i, block) in sample.chunks_mut(unit_bytes).enumerate() {
        if codec.encode_block(rows.slice(i * BLOCK_ROWS..(i + 1) * BLOCK_ROWS), block).is_err() {
            return;
        }
    }
    if let Ok(prepared) = codec.prepare_blocks(&query) {
        let isa = codec.isa();
        let scan = Box::new(move |bytes: &[u8], keys: &mut [f32]| {
            codec.blocks(&prepared, Records::new(bytes, unit_bytes, bytes.len() / unit_bytes), keys);
        });
        cases.push(Case {
            name: format!("SQ{bits} blocks"),
            isa,
            dim,
            sample,
            unit: BLOCK_ROWS,
            unit_bytes,
            work,
            scan,
        });
    }
}

/// Product codes of four bits for `m` sub-quantizers.
fn lookups(dim: usize, m: usize, cases: &mut Vec<Case<'_>>) {
    let Ok(layout) = Layout::preferred() else { return };
    let Ok(scan) = Pq4::new(layout) else { return };
    let tables = Pq4Tables::from_f32(&normals(11, m * pq4::CENTROIDS), m);
    let mut rng = Rng::new(12);
    let sample: Vec<u8> = (0..layout.packed_bytes(m, pq4::BLOCK)).map(|_| rng.next_u64() as u8).collect();
    let isa = scan.isa();
    let unit_bytes = sample.len();
    let scan = Box::new(move |bytes: &[u8], keys: &mut [f32]| {
        let rows = bytes.len() / unit_bytes * pq4::BLOCK;
        if let Ok(codes) = Packed::new(layout, m, rows, bytes) {
            scan.keys(&tables, codes, 0, keys);
        }
    });
    let work = Some((Work::Lookup, m as f64));
    cases.push(Case { name: format!("PQ4 M={m}"), isa, dim, sample, unit: pq4::BLOCK, unit_bytes, work, scan });
}

/// RaBitQ with one bit: records, and blocks.
fn one_bit(rows: Rows<'_, f32>, cases: &mut Vec<Case<'_>>) {
    let dim = rows.dim();
    let (Ok(codec), Ok(estimator)) = (Codec::new(Metric::L2, dim, 1), Estimator::new()) else { return };
    let (encoder, origin) = (Encoder::new(codec, Fit::Fast), vec![0.0; dim]);
    let stride = codec.record_stride();
    let mut records = vec![0; 256 * stride];
    for (row, record) in rows.iter().zip(records.chunks_mut(stride)) {
        encoder.encode(row, &origin, 0, &mut record[..codec.record_bytes()], &mut []);
    }
    let mut query = Query::new(codec);
    query.prepare(&normals(13, dim));
    let (term, block_query) = (query.origin(), BlockQuery::new(&estimator, &query));
    let unit_bytes = codec.block_bytes();
    let mut blocks = vec![0; 4 * unit_bytes];
    for (i, block) in blocks.chunks_mut(unit_bytes).enumerate() {
        codec.pack_block(codec.records(&records, stride), i * rabitq::BLOCK, block);
    }
    let [by_record, _, by_block] = estimator.isas();
    let mut errors = vec![0.0; 2 * KEYS];
    let scan = Box::new(move |bytes: &[u8], keys: &mut [f32]| {
        block_query.scan(bytes, term, keys, &mut errors[..keys.len()]);
    });
    let work = Some((Work::Lookup, dim as f64 / 6.0));
    let name = "RaBitQ 1-bit blocks".to_owned();
    cases.push(Case { name, isa: by_block, dim, sample: blocks, unit: rabitq::BLOCK, unit_bytes, work, scan });
    let mut errors = vec![0.0; 2 * KEYS];
    let terms = [term];
    let scan = Box::new(move |bytes: &[u8], keys: &mut [f32]| {
        estimator.rows(&query, codec.records(bytes, stride), &terms, keys, &mut errors[..keys.len()]);
    });
    // Four planes of the query are counted against each code.
    let work = Some((Work::Popcount, 4.0 * dim as f64 / 8.0));
    let name = "RaBitQ 1-bit records".to_owned();
    cases.push(Case { name, isa: by_record, dim, sample: records, unit: 16, unit_bytes: 16 * stride, work, scan });
}
