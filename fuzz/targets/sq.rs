//! Scalar quantizers: training, records and keys, over any values, parameters and bytes. Every version gives the same
//! keys, and where values are moderate they are within the stated bound.
#![no_main]
use elanus_fuzz::{Source, all_same, product};
use elanus_kernels::{
    ISAS, Metric, Rows,
    codes::{
        dot::{BLOCK_ROWS, Records},
        sq::{SqCodec, SqGrid, SqParams, SqQuery, SqRange},
    },
};
use libfuzzer_sys::fuzz_target;

/// Records of a kind, where they lie, and whether each still is what a row was encoded to, none of it clamped.
struct Stored {
    data: Vec<u8>,
    skip: usize,
    stride: usize,
    count: usize,
    sound: Vec<bool>,
}

impl Stored {
    fn new(source: &mut Source<'_>, bytes: usize, count: usize) -> Self {
        let (skip, stride) = (source.below(65), bytes + source.below(2) * source.below(80));
        let len = if count == 0 { skip } else { skip + (count - 1) * stride + bytes };
        Self { data: vec![0; len], skip, stride, count, sound: Vec::new() }
    }

    fn records(&self) -> Records<'_> {
        Records::new(&self.data[self.skip..], self.stride, self.count)
    }

    fn place(&mut self, i: usize, bytes: usize) -> &mut [u8] {
        &mut self.data[self.skip + i * self.stride..][..bytes]
    }

    /// Overwrites some bytes, or all.
    fn spoil(&mut self, source: &mut Source<'_>) {
        match source.byte() % 4 {
            0 => self.data = source.filled(self.data.len()),
            1 if !self.data.is_empty() => {
                for _ in 0..source.byte() % 16 {
                    let at = source.below(self.data.len());
                    self.data[at] = source.byte();
                }
            }
            _ => return,
        }
        self.sound.fill(false);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let metric = [Metric::L2, Metric::Ip, Metric::Cosine][source.below(3)];
    let bits = [4, 6, 8][source.below(3)];
    let dim = 1 + source.mostly_below(60, 400);
    let count = 1 + source.mostly_below(40, 300);
    let (mut values, tame) = source.values(count * dim);
    if tame && source.coin() {
        let far = source.number();
        values.iter_mut().for_each(|value| *value += far);
    }
    let (query, query_tame) = source.values(dim);
    let rows = Rows::new(&values, dim).expect("whole rows");
    let params = match source.byte() % 4 {
        0 => {
            let range = source.coin().then(|| SqRange { min: source.f32(), step: source.f32() });
            SqParams { metric, bits, range, mean: source.values(dim).0 }
        }
        kind => {
            let trim = if kind == 1 { 0.0 } else { f64::from(source.byte()) / 500.0 };
            let grid = if source.coin() { SqGrid::PerVector } else { SqGrid::Uniform { trim } };
            match SqParams::train(metric, bits, grid, rows) {
                Ok(params) => params,
                Err(error) => {
                    assert!(!tame || trim >= 0.5, "{error}");
                    return;
                }
            }
        }
    };
    let Ok(codec) = SqCodec::new(params.clone()) else { return };
    let mut stored = Stored::new(&mut source, codec.record_bytes(), count);
    for (i, row) in rows.iter().enumerate() {
        let to = stored.place(i, codec.record_bytes());
        let clamped = codec.encode(row, to);
        if tame && clamped == Ok(0) {
            check_decoded(&codec, row, to);
        }
        stored.sound.push(clamped == Ok(0));
    }
    let mut blocks = Stored::new(&mut source, codec.block_bytes(), count.div_ceil(BLOCK_ROWS));
    for i in 0..blocks.count {
        let some = rows.slice(i * BLOCK_ROWS..count.min((i + 1) * BLOCK_ROWS));
        let clamped = codec.encode_block(some, blocks.place(i, codec.block_bytes()));
        blocks.sound.extend(vec![clamped == Ok(0); some.len()]);
    }
    stored.spoil(&mut source);
    blocks.spoil(&mut source);
    let ids: Vec<u32> = (0..source.below(200)).map(|_| source.below(count) as u32).collect();
    let exact = (tame && query_tame).then_some((query.as_slice(), rows));
    let mut first: Option<[Vec<f32>; 3]> = None;
    for isa in ISAS.iter().filter(|isa| isa.is_available()) {
        let codec = SqCodec::on(isa, params.clone()).expect("as above");
        let Some(keys) = run(&codec, &query, &stored, &blocks, &ids, exact.filter(|_| first.is_none())) else { return };
        let want = first.get_or_insert_with(|| keys.clone());
        assert!(keys.iter().zip(want).all(|(keys, want)| all_same(keys, want)), "{} differs", codec.isa());
    }
});

/// Keys by rows, by rows with a wide query, and by blocks; none where the query is refused.
fn run(
    codec: &SqCodec,
    query: &[f32],
    stored: &Stored,
    blocks: &Stored,
    ids: &[u32],
    exact: Option<(&[f32], Rows<'_, f32>)>,
) -> Option<[Vec<f32>; 3]> {
    let queries = [codec.prepare_rows(query), codec.prepare_rows_wide(query), codec.prepare_blocks(query)];
    let [Ok(narrow), Ok(wide), Ok(blocked)] = queries else { return None };
    let mut keys = [vec![0.0; stored.count], vec![0.0; stored.count], vec![0.0; blocks.count * BLOCK_ROWS]];
    for (query, keys) in [&narrow, &wide].into_iter().zip(&mut keys) {
        codec.rows(query, stored.records(), keys);
        let mut gathered = vec![0.0; ids.len()];
        codec.gather(query, stored.records(), ids, &mut gathered);
        let want: Vec<f32> = ids.iter().map(|id| keys[*id as usize]).collect();
        assert!(all_same(&gathered, &want), "gathered on {}", codec.isa());
    }
    codec.blocks(&blocked, blocks.records(), &mut keys[2]);

    let mut decoded = vec![0.0; codec.dim()];
    for i in 0..stored.count {
        let record = stored.records().record(i, codec.record_bytes());
        codec.decode(record, &mut decoded);
        if let Some(exact) = exact.filter(|_| stored.sound[i]) {
            let factors = codec.factors(record);
            check_key(&narrow, exact, i, keys[0][i], narrow.bound(keys[0][i], factors), codec.metric());
            check_key(&wide, exact, i, keys[1][i], wide.bound(keys[1][i], factors), codec.metric());
        }
    }
    for i in 0..blocks.count * BLOCK_ROWS {
        let record = blocks.records().record(i / BLOCK_ROWS, codec.block_bytes());
        codec.decode_block(record, i % BLOCK_ROWS, &mut decoded);
        if let Some(exact) = exact.filter(|_| blocks.sound.get(i) == Some(&true)) {
            let factors = codec.block_factors(record, i % BLOCK_ROWS);
            check_key(&blocked, exact, i, keys[2][i], blocked.bound(keys[2][i], factors), codec.metric());
            if stored.sound[i] {
                assert!(all_same(&keys[0][i..=i], &keys[2][i..=i]), "by block and by row on {}", codec.isa());
            }
        }
    }
    Some(keys)
}

fn check_decoded(codec: &SqCodec, row: &[f32], record: &[u8]) {
    let mut decoded = vec![0.0; row.len()];
    codec.decode(record, &mut decoded);
    let range = codec.factors(record).range;
    let steps = f64::from((1_u32 << codec.params().bits) - 1);
    let span = f64::from(range.min.abs()) + f64::from(range.step) * steps;
    for ((value, got), mean) in row.iter().zip(&decoded).zip(&codec.params().mean) {
        let size = span + f64::from(mean.abs()) + f64::from(value.abs());
        let bound = 0.5 * f64::from(range.step) + size * f64::from(f32::EPSILON) * 2.0;
        let off = (f64::from(*value) - f64::from(*got)).abs();
        assert!(off <= bound, "{value} decoded as {got}, {off} above {bound}");
    }
}

fn check_key(query: &SqQuery, exact: (&[f32], Rows<'_, f32>), i: usize, key: f32, bound: f32, metric: Metric) {
    let (q, row) = (exact.0, exact.1.row(i));
    let lengths = (product(q, q) * product(row, row)).sqrt();
    let want = match metric {
        Metric::L2 => q.iter().zip(row).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum(),
        Metric::Ip => -product(q, row),
        _ if lengths > 0.0 => -product(q, row) / lengths,
        _ => return,
    };
    let off = (f64::from(key) - want).abs();
    assert!(off <= f64::from(bound) + 1e-35, "row {i}: {key} for {want}, bound {bound}: {query:?}");
}
