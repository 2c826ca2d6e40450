//! Codes on every device that wgpu finds: long ones, queries of many shapes together, and what is refused.
#![cfg(all(feature = "wgpu", feature = "testing"))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test says what it ran on, and may fail")]
use elanus_gpu::wgpu::{self, Options, Wgpu};
use elanus_kernels::backend::{Backend, BackendError, Corpus, CorpusKind, Cpu, Find, Queries};
use elanus_kernels::codes::{dot, pq4, rabitq, rotate, sq};
use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, KeyRange, Metric, Rows, TopK};

/// Queries that need three programs of eight.
const QUERIES: usize = 19;

fn each(options: &Options, check: impl Fn(&Wgpu)) {
    let found = wgpu::list();
    if found.is_empty() {
        println!("SKIPPED: no Vulkan driver");
    }
    for caps in found {
        if caps.cells.is_empty() {
            println!("SKIPPED: {} cannot run the programs: {:?}", caps.name, caps.limits);
            continue;
        }
        check(&Wgpu::open(caps.ordinal, options).unwrap());
    }
}

fn normals(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

/// Scalar codes with bytes between the blocks.
struct Scalar {
    codec: sq::SqCodec,
    blocks: Vec<u8>,
    stride: usize,
    rows: usize,
    queries: Vec<sq::SqQuery>,
}

impl Scalar {
    fn new(metric: Metric, bits: u32, grid: sq::SqGrid, rows: usize, dim: usize) -> Self {
        let mut rng = Rng::new(u64::from(bits));
        let values = normals(&mut rng, rows * dim);
        let all = Rows::new(&values, dim).unwrap();
        let codec = sq::SqCodec::new(sq::SqParams::train(metric, bits, grid, all).unwrap()).unwrap();
        let stride = codec.block_bytes() + 7;
        let mut blocks = vec![0xff; rows.div_ceil(16) * stride];
        for (block, to) in blocks.chunks_mut(stride).enumerate() {
            let rows = all.slice(16 * block..rows.min(16 * block + 16));
            codec.encode_block(rows, &mut to[..codec.block_bytes()]).unwrap();
        }
        let queries = (0..QUERIES).map(|_| codec.prepare_blocks(&normals(&mut rng, dim)).unwrap()).collect();
        Self { codec, blocks, stride, rows, queries }
    }

    fn corpus(&self) -> Corpus<'_> {
        let blocks = dot::Records::new(&self.blocks, self.stride, self.rows.div_ceil(16));
        Corpus::Sq { codec: &self.codec, blocks, rows: self.rows }
    }
}

/// Signs, and queries of one to eight bits in no order.
struct Signs {
    codec: rabitq::Codec,
    blocks: Vec<u8>,
    rows: usize,
    queries: Vec<(rabitq::Query, rabitq::Term)>,
}

impl Signs {
    fn new(metric: Metric, rows: usize, dim: usize) -> Self {
        let mut rng = Rng::new(4);
        let codec = rabitq::Codec::new(metric, rotate::padded(dim), 1).unwrap();
        let encoder = rabitq::Encoder::new(codec, rabitq::Fit::Fast);
        let centre = vec![0.0; codec.dim()];
        let mut records = vec![0; rows * codec.record_bytes()];
        for record in records.chunks_mut(codec.record_bytes()) {
            encoder.encode(&normals(&mut rng, codec.dim()), &centre, 0, record, &mut []);
        }
        let mut blocks = vec![0; rows.div_ceil(rabitq::BLOCK) * codec.block_bytes()];
        for (block, to) in blocks.chunks_mut(codec.block_bytes()).enumerate() {
            codec.pack_block(codec.records(&records, codec.record_bytes()), block * rabitq::BLOCK, to);
        }
        let queries = (0..QUERIES).map(|i| {
            // Runs of as many bits, of one query and of several.
            let mut query = rabitq::Query::with(codec, 1 + (i / 2 * 3 % 8) as u8, rabitq::EPS0);
            query.prepare(&normals(&mut rng, codec.dim()));
            let term = query.origin();
            (query, term)
        });
        let queries = queries.collect();
        Self { codec, blocks, rows, queries }
    }

    fn corpus(&self) -> Corpus<'_> {
        Corpus::RaBitQ { codec: self.codec, blocks: &self.blocks, rows: self.rows }
    }
}

/// Product codes and tables.
struct Product {
    layout: pq4::Layout,
    bytes: Vec<u8>,
    m: usize,
    rows: usize,
    tables: Vec<pq4::Pq4Tables>,
}

impl Product {
    fn new(layout: pq4::Layout, rows: usize, m: usize) -> Self {
        let mut rng = Rng::new(m as u64);
        let codes: Vec<u8> = (0..rows * pq4::row_bytes(m)).map(|_| rng.next_u64() as u8).collect();
        let mut bytes = vec![0; layout.packed_bytes(m, rows)];
        pq4::pack(layout, m, &codes, &mut bytes);
        let mut tables: Vec<pq4::Pq4Tables> =
            (1..QUERIES).map(|_| pq4::Pq4Tables::from_f32(&normals(&mut rng, m * 16), m)).collect();
        // The largest sums that there are.
        tables.push(pq4::Pq4Tables::from_u8(&vec![255; m * 16], m, 0.0, 1.0));
        Self { layout, bytes, m, rows, tables }
    }

    fn corpus(&self) -> Corpus<'_> {
        Corpus::Pq4(pq4::Packed::new(self.layout, self.m, self.rows, &self.bytes).unwrap())
    }

    fn queries(&self) -> Vec<&pq4::Pq4Tables> {
        self.tables.iter().collect()
    }
}

fn found(
    backend: &dyn Backend,
    corpus: Corpus<'_>,
    queries: Queries<'_>,
    find: &Find<'_>,
    k: usize,
) -> Vec<Vec<(u32, u32)>> {
    let held = backend.upload(corpus).unwrap();
    let mut out: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(k)).collect();
    backend.scan(queries, held.as_ref(), find, &mut out).unwrap();
    out.into_iter().map(|top| top.into_sorted().iter().map(|one| (one.id, one.key.to_bits())).collect()).collect()
}

/// Sums are exact, and so are keys, each operation of which is rounded by itself.
fn same_bits(backend: &Wgpu, corpus: Corpus<'_>, queries: Queries<'_>, metric: Metric) {
    let find = Find::all(metric);
    for k in [7, corpus.len()] {
        let want = found(&Cpu::new(), corpus, queries, &find, k);
        assert_eq!(found(backend, corpus, queries, &find, k), want, "{metric} over {}, k = {k}", corpus.kind());
    }
    // Half of the rows, and keys between those of the 20th and the 40th nearest of them.
    let keep = Bitmap::from_fn(corpus.len(), |row| row % 2 == 1);
    let find = Find { keep: Some(keep.view()), ..find };
    let keys: Vec<f32> =
        found(&Cpu::new(), corpus, queries, &find, 40)[0].iter().map(|one| f32::from_bits(one.1)).collect();
    let range = KeyRange { lower: keys[19], upper: keys[39] };
    let find = Find { range, ..find };
    let want = found(&Cpu::new(), corpus, queries, &find, 30);
    assert_eq!(found(backend, corpus, queries, &find, 30), want, "{metric} over {}, {range:?}", corpus.kind());
}

#[test]
fn keys_over_long_codes_have_the_cpus_bits() {
    let (own, shared) = (sq::SqGrid::PerVector, sq::SqGrid::Uniform { trim: 0.01 });
    for options in [Options::default(), Options { packed_dot: false, groups: Some(64), ..Options::default() }] {
        each(&options, |backend| {
            for (bits, dim) in [(4, 4_100), (6, 2_055), (8, 2_049)] {
                for (metric, grid) in [(Metric::L2, own), (Metric::Ip, shared)] {
                    let all = Scalar::new(metric, bits, grid, 333, dim);
                    same_bits(backend, all.corpus(), Queries::Sq(&all.queries), metric);
                }
            }
            for (layout, m) in pq4::Layout::ALL.into_iter().zip([1_003, 514]) {
                let all = Product::new(layout, 1_111, m);
                same_bits(backend, all.corpus(), Queries::Pq4(&all.queries()), Metric::L2);
            }
            for (metric, dim) in [(Metric::L2, 4_200), (Metric::Ip, 64)] {
                let all = Signs::new(metric, 333, dim);
                same_bits(backend, all.corpus(), Queries::RaBitQ(&all.queries), metric);
            }
        });
    }
}

#[test]
fn parts_and_a_sample_lose_nothing() {
    // Parts of 64 rows or a few more, and rows enough for a sample.
    each(&Options { part_bytes: Some(20 << 10), ..Options::default() }, |backend| {
        let all = Scalar::new(Metric::L2, 8, sq::SqGrid::PerVector, 5_001, 240);
        same_bits(backend, all.corpus(), Queries::Sq(&all.queries[..3]), Metric::L2);
        let all = Product::new(pq4::Layout::VectorMajor, 9_001, 20);
        same_bits(backend, all.corpus(), Queries::Pq4(&all.queries()[..5]), Metric::L2);
        let all = Signs::new(Metric::Ip, 9_001, 100);
        same_bits(backend, all.corpus(), Queries::RaBitQ(&all.queries[2..4]), Metric::Ip);
    });
}

/// Groups of queries lie along an axis of a grid, which takes 64 of eight here.
#[test]
fn queries_beyond_a_batch_are_answered() {
    each(&Options { groups: Some(64), ..Options::default() }, |backend| {
        let (all, few) = (Product::new(pq4::Layout::Classic, 100, 3), Signs::new(Metric::L2, 100, 10));
        let tables: Vec<&pq4::Pq4Tables> = all.tables.iter().cycle().take(1_031).collect();
        same_bits(backend, all.corpus(), Queries::Pq4(&tables), Metric::L2);
        let signs: Vec<(rabitq::Query, rabitq::Term)> = vec![few.queries[5].clone(); 1_031];
        same_bits(backend, few.corpus(), Queries::RaBitQ(&signs), Metric::L2);
        // So do workgroups of 1,024 rows along the others.
        let many = Product::new(pq4::Layout::VectorMajor, 70_000, 8);
        let (queries, find) = (many.queries(), Find::all(Metric::L2));
        let queries = Queries::Pq4(&queries[..2]);
        let want = found(&Cpu::new(), many.corpus(), queries, &find, 20);
        assert_eq!(found(backend, many.corpus(), queries, &find, 20), want);
    });
}

/// A row that is the mean itself has no direction where the mean is the origin.
#[test]
fn a_row_without_a_direction_has_cosine_0() {
    let dim = 40;
    let mut values = vec![0.0; 3 * dim];
    values[..dim].copy_from_slice(&normals(&mut Rng::new(1), dim));
    for i in 0..dim {
        values[dim + i] = -values[i];
    }
    let rows = Rows::new(&values, dim).unwrap();
    let codec = sq::SqCodec::new(sq::SqParams::train(Metric::Cosine, 8, sq::SqGrid::PerVector, rows).unwrap()).unwrap();
    let mut block = vec![0; codec.block_bytes()];
    codec.encode_block(rows, &mut block).unwrap();
    let corpus = Corpus::Sq { codec: &codec, blocks: dot::Records::new(&block, codec.block_bytes(), 1), rows: 3 };
    let query = [codec.prepare_blocks(rows.row(0)).unwrap()];
    each(&Options::default(), |backend| {
        let got = found(backend, corpus, Queries::Sq(&query), &Find::all(Metric::Cosine), 3);
        assert_eq!(got[0].iter().map(|one| one.0).collect::<Vec<_>>(), [0, 2, 1]);
        assert_eq!(got[0][1].1, 0, "the bits of 0");
        assert!((f32::from_bits(got[0][0].1) + 1.0).abs() < 1e-2 && (f32::from_bits(got[0][2].1) - 1.0).abs() < 1e-2);
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    each(&Options { part_bytes: Some(64 << 10), ..Options::default() }, |backend| {
        let scan = |corpus: Corpus<'_>, queries: Queries<'_>| {
            let held = backend.upload(corpus).unwrap();
            let mut out: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(3)).collect();
            let done = backend.scan(queries, held.as_ref(), &Find::all(Metric::L2), &mut out);
            assert!(done.is_ok() || out.into_iter().all(|out| out.into_sorted().is_empty()), "offered all the same");
            done
        };
        let grid = sq::SqGrid::PerVector;
        let (short, long) = (Scalar::new(Metric::L2, 8, grid, 20, 30), Scalar::new(Metric::L2, 8, grid, 20, 31));
        let (product, signs) = (Product::new(pq4::Layout::Classic, 20, 5), Signs::new(Metric::L2, 20, 60));
        let done = scan(short.corpus(), Queries::Sq(&long.queries));
        assert_eq!(done, Err(BackendError::Dim { want: 30, got: 31 }));
        let done = scan(signs.corpus(), Queries::Pq4(&product.queries()));
        assert_eq!(done, Err(BackendError::Kind { corpus: CorpusKind::RaBitQ, queries: "tables of product codes" }));
        let cosines = Scalar::new(Metric::Cosine, 8, grid, 20, 30);
        let other = Err(BackendError::Kind { corpus: CorpusKind::Sq(8), queries: "queries of a scalar quantizer" });
        assert_eq!(scan(short.corpus(), Queries::Sq(&cosines.queries)), other);
        let for_rows = [short.codec.prepare_rows(&[1.0; 30]).unwrap()];
        assert_eq!(scan(short.corpus(), Queries::Sq(&for_rows)), other);
        let others = Signs::new(Metric::Ip, 20, 60);
        let other = Err(BackendError::Kind { corpus: CorpusKind::RaBitQ, queries: "RaBitQ queries" });
        assert_eq!(scan(signs.corpus(), Queries::RaBitQ(&others.queries)), other);
        let shorter = Product::new(pq4::Layout::Classic, 20, 4);
        let done = scan(product.corpus(), Queries::Pq4(&shorter.queries()));
        assert_eq!(done, Err(BackendError::Dim { want: 5, got: 4 }));

        let held = backend.upload(short.corpus()).unwrap();
        assert_eq!(held.device_bytes(), 64 * (4 * 8 + 12), "64 rows of eight words and three factors");
        let done =
            backend.distances(Rows::new(&[0.0; 30], 30).unwrap().into(), held.as_ref(), Metric::L2, &mut [0.0; 20]);
        assert_eq!(done, Err(BackendError::Kind { corpus: CorpusKind::Sq(8), queries: "f32" }));
        // More rows than there are codes of, and codes of which 64 do not fit a part.
        let Corpus::Sq { codec, blocks, .. } = short.corpus() else { panic!("not scalar codes") };
        let much = Scalar::new(Metric::L2, 8, grid, 3, 1_100);
        let less = Corpus::RaBitQ { codec: signs.codec, blocks: &signs.blocks[1..], rows: 20 };
        for corpus in [Corpus::Sq { codec, blocks, rows: 33 }, much.corpus(), less] {
            let error = backend.upload(corpus).unwrap_err();
            assert!(matches!(error, BackendError::Failed { .. }), "{error:?}");
        }
    });
}
