//! Scans over codes: the keys are few operations on exact integers, so a device may differ by their rounding alone.
use std::sync::Arc;

use elanus_kernels::backend::{Backend, Corpus, CorpusKind, Cpu, Find, Queries, Resident};
use elanus_kernels::codes::{dot, pq4, rabitq, rotate, sq};
use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, Metric, Rows, TopK};

use super::{Extent, compare};

/// What rounding may change, relative to the largest key.
const ROUNDING: f32 = 4e-6;

/// Shapes that are always run: queries, rows, dimension, k.
const ALWAYS: &[(usize, usize, usize, usize)] = &[
    (1, 1, 1, 1),
    (1, 0, 8, 3),
    (2, 15, 9, 20),
    (3, 64, 64, 5),
    (1, 65, 33, 65),
    (9, 1000, 96, 10),
    (2, 3000, 200, 600),
];

/// A corpus with queries for it.
struct Case<'a> {
    about: String,
    corpus: Corpus<'a>,
    queries: Queries<'a>,
    metric: Metric,
    k: usize,
    keep: Option<Bitmap>,
}

/// Random vectors and what is asked about them.
struct Drawn {
    rows: Vec<f32>,
    queries: Vec<f32>,
    dim: usize,
    k: usize,
    keep: Option<Bitmap>,
    about: String,
}

impl Drawn {
    fn new(rng: &mut Rng, number: usize, extent: &Extent) -> Self {
        let (query_count, row_count, dim, k) = ALWAYS.get(number).copied().unwrap_or_else(|| {
            let (dim, queries) = (1 + rng.below(300) as usize, 1 + rng.below(20) as usize);
            let most = (extent.work / dim / queries).clamp(2, 20_000) as u64;
            (queries, rng.below(most) as usize, dim, 1 + rng.below(60) as usize)
        });
        let mut normals = |count: usize| (0..count).map(|_| rng.normal()).collect::<Vec<f32>>();
        let (rows, queries) = (normals(row_count * dim), normals(query_count * dim));
        let keep = (number % 3 == 2).then(|| Bitmap::from_fn(row_count, |_| rng.below(3) == 0));
        let about = format!("shape {number} of {query_count} queries, {row_count} rows, dimension {dim}, k = {k}");
        Self { rows, queries, dim, k, keep, about }
    }

    fn rows(&self) -> Rows<'_, f32> {
        Rows::new(&self.rows, self.dim).expect("whole rows")
    }

    fn queries(&self) -> Rows<'_, f32> {
        Rows::new(&self.queries, self.dim).expect("whole rows")
    }
}

/// Runs every shape of a kind and metric, and returns how many answers were compared.
pub(super) fn check(backend: &dyn Backend, kind: CorpusKind, metric: Metric, extent: &Extent) -> usize {
    let mut rng = Rng::new(extent.seed);
    let shapes = 0..extent.shapes.max(ALWAYS.len());
    let all = shapes.map(|number| {
        let drawn = Drawn::new(&mut rng, number, extent);
        match kind {
            CorpusKind::Sq(bits) => scalar(backend, metric, bits, number, &drawn),
            CorpusKind::Pq4 => product(backend, metric, &mut rng, number, &drawn),
            CorpusKind::RaBitQ => signs(backend, metric, &drawn),
            CorpusKind::Rows(_) => 0,
        }
    });
    all.sum()
}

fn scalar(backend: &dyn Backend, metric: Metric, bits: u32, number: usize, drawn: &Drawn) -> usize {
    let grid = if number.is_multiple_of(2) { sq::SqGrid::PerVector } else { sq::SqGrid::Uniform { trim: 0.0 } };
    // A quantizer wants something to learn from.
    let sample = if drawn.rows.is_empty() { drawn.queries() } else { drawn.rows() };
    let params = sq::SqParams::train(metric, bits, grid, sample).expect("trained");
    let codec = sq::SqCodec::new(params).expect("a quantizer");
    let (rows, block_bytes) = (drawn.rows(), codec.block_bytes());
    let count = rows.len().div_ceil(dot::BLOCK_ROWS);
    let mut blocks = vec![0; count * block_bytes];
    for (block, to) in blocks.chunks_mut(block_bytes).enumerate() {
        let first = block * dot::BLOCK_ROWS;
        codec.encode_block(rows.slice(first..rows.len().min(first + dot::BLOCK_ROWS)), to).expect("encoded");
    }
    let queries: Vec<sq::SqQuery> =
        drawn.queries().iter().map(|query| codec.prepare_blocks(query).expect("prepared")).collect();
    let corpus = Corpus::Sq { codec: &codec, blocks: dot::Records::new(&blocks, block_bytes, count), rows: rows.len() };
    Case::new(corpus, Queries::Sq(&queries), metric, drawn).check(backend)
}

fn product(backend: &dyn Backend, metric: Metric, rng: &mut Rng, number: usize, drawn: &Drawn) -> usize {
    let layout = pq4::Layout::ALL[number % pq4::Layout::ALL.len()];
    // One sub-quantizer for each component; only the tables know of distances, and any table will do.
    let (m, rows) = (drawn.dim, drawn.rows().len());
    let codes: Vec<u8> = (0..rows * pq4::row_bytes(m)).map(|_| rng.next_u64() as u8).collect();
    let mut bytes = vec![0; layout.packed_bytes(m, rows)];
    pq4::pack(layout, m, &codes, &mut bytes);
    let luts: Vec<f32> = (0..drawn.queries().len() * m * pq4::CENTROIDS).map(|_| rng.normal()).collect();
    let tables: Vec<pq4::Pq4Tables> =
        luts.chunks(m * pq4::CENTROIDS).map(|luts| pq4::Pq4Tables::from_f32(luts, m)).collect();
    let tables: Vec<&pq4::Pq4Tables> = tables.iter().collect();
    let packed = pq4::Packed::new(layout, m, rows, &bytes).expect("packed");
    Case::new(Corpus::Pq4(packed), Queries::Pq4(&tables), metric, drawn).check(backend)
}

fn signs(backend: &dyn Backend, metric: Metric, drawn: &Drawn) -> usize {
    let rotation = rotate::Rotation::new(drawn.dim, 5).expect("a rotation");
    let codec = rabitq::Codec::new(metric, rotation.padded(), 1).expect("a codec");
    let encoder = rabitq::Encoder::new(codec, rabitq::Fit::Fast);
    let (mut rotated, centre) = (vec![0.0; codec.dim()], vec![0.0; codec.dim()]);
    let rows = drawn.rows();
    let mut records = vec![0; rows.len() * codec.record_bytes()];
    for (row, record) in rows.iter().zip(records.chunks_mut(codec.record_bytes())) {
        rotation.apply(row, &mut rotated);
        encoder.encode(&rotated, &centre, 0, record, &mut []);
    }
    let mut blocks = vec![0; rows.len().div_ceil(rabitq::BLOCK) * codec.block_bytes()];
    for (block, to) in blocks.chunks_mut(codec.block_bytes()).enumerate() {
        codec.pack_block(codec.records(&records, codec.record_bytes()), block * rabitq::BLOCK, to);
    }
    let prepared = drawn.queries().iter().map(|query| {
        rotation.apply(query, &mut rotated);
        let mut prepared = rabitq::Query::new(codec);
        prepared.prepare(&rotated);
        let term = prepared.origin();
        (prepared, term)
    });
    let prepared: Vec<(rabitq::Query, rabitq::Term)> = prepared.collect();
    let corpus = Corpus::RaBitQ { codec, blocks: &blocks, rows: rows.len() };
    Case::new(corpus, Queries::RaBitQ(&prepared), metric, drawn).check(backend)
}

impl<'a> Case<'a> {
    fn new(corpus: Corpus<'a>, queries: Queries<'a>, metric: Metric, drawn: &Drawn) -> Self {
        let about = format!("{metric} over {}: {}", corpus.kind(), drawn.about);
        Self { about, corpus, queries, metric, k: drawn.k, keep: drawn.keep.clone() }
    }

    fn check(&self, backend: &dyn Backend) -> usize {
        let (cpu, rows) = (Cpu::new(), self.corpus.len());
        let upload = |backend: &dyn Backend| match backend.upload(self.corpus) {
            Ok(held) => held,
            Err(error) => panic!("{}: upload: {error}", self.about),
        };
        let (held, oracle) = (upload(backend), upload(&cpu));
        let mut all = vec![f32::NAN; self.queries.len() * rows];
        let every = self.found(&cpu, &oracle, None, rows);
        for (query, found) in every.iter().enumerate() {
            found.iter().for_each(|(id, key)| all[query * rows + *id as usize] = *key);
        }
        let largest = |found: &Vec<(u32, f32)>| found.iter().map(|one| one.1.abs()).fold(f32::MIN_POSITIVE, f32::max);
        let loose: Vec<f32> = every.iter().map(|found| ROUNDING * largest(found)).collect();
        let want = self.found(&cpu, &oracle, self.keep.as_ref(), self.k);
        let got = self.found(backend, &held, self.keep.as_ref(), self.k);
        compare::lists(&self.about, &got, &want, &all, rows, self.keep.as_ref(), &loose);
        got.iter().map(Vec::len).sum()
    }

    fn found(
        &self,
        backend: &dyn Backend,
        held: &Arc<dyn Resident>,
        keep: Option<&Bitmap>,
        k: usize,
    ) -> Vec<Vec<(u32, f32)>> {
        let find = Find { keep: keep.map(Bitmap::view), ..Find::all(self.metric) };
        let mut out: Vec<TopK> = (0..self.queries.len()).map(|_| TopK::new(k)).collect();
        if let Err(error) = backend.scan(self.queries, held.as_ref(), &find, &mut out) {
            panic!("{}: scan: {error}", self.about);
        }
        out.into_iter().map(|top| top.into_sorted().iter().map(|one| (one.id, one.key)).collect()).collect()
    }
}
