//! Codes on emulated CUDA devices, where the suite does not reach: long rows, rows that lie apart, queries of several
//! widths, ranges, and what has to be refused. Keys are those of the CPU to the bit.
#![cfg(all(feature = "cuda", feature = "testing"))]
#[path = "../emulator/library.rs"]
#[allow(dead_code, reason = "the memory that it lends is for tests that launch programs themselves")]
#[allow(clippy::disallowed_methods, reason = "a test may remove the library that it made")]
mod library;

use std::sync::Arc;

use elanus_gpu::cuda::testing::{Emulation, Launcher};
use elanus_kernels::backend::{Backend, BackendError, Corpus, Cpu, Find, Queries};
use elanus_kernels::codes::{dot, pq4, rabitq, sq};
use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, KeyRange, Metric, Rows, TopK};

use self::library::Emulator;

/// The devices: programs as plain Rust, and those of a card where they can be compiled for this machine.
fn devices() -> Vec<Arc<dyn Backend>> {
    let mut all = vec![Emulation::default()];
    match Emulator::get() {
        Ok(emulator) => {
            let launcher: Arc<Launcher> = Arc::new(move |entry, grid, args| {
                // As much as the largest of the structures takes.
                let mut whole = [0_u64; 16];
                whole[..args.len()].copy_from_slice(args);
                // SAFETY: the backend's arguments of this entry point, whose memory the emulated driver holds.
                unsafe { emulator.launch(entry, grid, &whole) }
            });
            all.push(Emulation { launcher: Some(launcher), ..Emulation::default() });
        }
        Err(why) => eprintln!("SKIPPED: {why}"),
    }
    all.iter().map(|one| one.open().expect("opened")).collect()
}

type Answer = Vec<Vec<(u32, u32)>>;

/// The neighbors of each query, with the bits of their keys.
fn search(
    backend: &dyn Backend,
    corpus: Corpus<'_>,
    queries: Queries<'_>,
    find: &Find<'_>,
    k: usize,
) -> Result<Answer, BackendError> {
    let held = backend.upload(corpus)?;
    assert_eq!((held.len(), held.kind()), (corpus.len(), corpus.kind()));
    let mut out: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(k)).collect();
    backend.scan(queries, held.as_ref(), find, &mut out)?;
    let sorted = out.into_iter().map(TopK::into_sorted);
    Ok(sorted.map(|top| top.iter().map(|one| (one.id, one.key.to_bits())).collect()).collect())
}

/// On all devices the CPU's answer: of all rows, of some, and within a range.
fn check(about: &str, corpus: Corpus<'_>, queries: Queries<'_>, metric: Metric) {
    let some = Bitmap::from_fn(corpus.len(), |row| row % 5 < 2 && row / 64 != 1);
    let cpu = Cpu::new();
    let all = search(&cpu, corpus, queries, &Find::all(metric), corpus.len()).expect("searched");
    let at = |place: usize| f32::from_bits(all[0][place].1);
    let range = KeyRange { lower: at(corpus.len() / 4), upper: at(corpus.len() / 2) };
    for backend in devices() {
        for (keep, range) in [(None, KeyRange::ALL), (Some(some.view()), KeyRange::ALL), (None, range)] {
            let find = Find { keep, range, ..Find::all(metric) };
            let want = search(&cpu, corpus, queries, &find, 30).expect("searched");
            let got = search(&*backend, corpus, queries, &find, 30).expect("searched");
            assert_eq!(got, want, "{about}, filter: {}, {range:?}", keep.is_some());
        }
    }
}

fn normals(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

/// A corpus of scalar codes whose blocks lie a little apart, and its queries.
fn scalar(metric: Metric, bits: u32, own: bool, (rows, dim): (usize, usize), query_count: usize) {
    let mut rng = Rng::new(u64::from(bits) + dim as u64);
    let (values, asked) = (normals(&mut rng, rows * dim), normals(&mut rng, query_count * dim));
    let values = Rows::new(&values, dim).expect("whole rows");
    let grid = if own { sq::SqGrid::PerVector } else { sq::SqGrid::Uniform { trim: 0.01 } };
    let codec =
        sq::SqCodec::new(sq::SqParams::train(metric, bits, grid, values).expect("trained")).expect("a quantizer");
    let (count, stride) = (rows.div_ceil(dot::BLOCK_ROWS), codec.block_bytes() + 4);
    let mut blocks = vec![0xee; count * stride];
    for (block, to) in blocks.chunks_mut(stride).enumerate() {
        let first = block * dot::BLOCK_ROWS;
        let part = values.slice(first..rows.min(first + dot::BLOCK_ROWS));
        codec.encode_block(part, &mut to[..codec.block_bytes()]).expect("encoded");
    }
    let queries: Vec<sq::SqQuery> =
        asked.chunks(dim).map(|query| codec.prepare_blocks(query).expect("prepared")).collect();
    let blocks = dot::Records::new(&blocks, stride, count);
    let about = format!("{metric}, {bits} bits, own grid: {own}, {rows} rows of {dim}, {query_count} queries");
    check(&about, Corpus::Sq { codec: &codec, blocks, rows }, Queries::Sq(&queries), metric);
}

#[test]
fn scalar_codes_have_the_keys_of_the_cpu() {
    for bits in [4, 6, 8] {
        for (metric, own) in [(Metric::L2, true), (Metric::Ip, false), (Metric::Cosine, true)] {
            scalar(metric, bits, own, (300, 70), 9);
            scalar(metric, bits, !own, (70, 65), 1);
        }
        // More than the pieces of eight queries have room for at a time.
        scalar(Metric::L2, bits, true, (40, 5_000), 3);
    }
    scalar(Metric::Ip, 8, false, (33, 40_000), 1);
}

fn product(layout: pq4::Layout, m: usize, rows: usize, query_count: usize) {
    let mut rng = Rng::new(m as u64);
    let codes: Vec<u8> = (0..rows * pq4::row_bytes(m)).map(|_| rng.next_u64() as u8).collect();
    let mut bytes = vec![0; layout.packed_bytes(m, rows)];
    pq4::pack(layout, m, &codes, &mut bytes);
    let width = m * pq4::CENTROIDS;
    let tables: Vec<pq4::Pq4Tables> =
        (0..query_count).map(|_| pq4::Pq4Tables::from_f32(&normals(&mut rng, width), m)).collect();
    let tables: Vec<&pq4::Pq4Tables> = tables.iter().collect();
    let packed = pq4::Packed::new(layout, m, rows, &bytes).expect("packed");
    check(&format!("{layout:?}, m = {m}, {rows} rows"), Corpus::Pq4(packed), Queries::Pq4(&tables), Metric::L2);
}

#[test]
fn product_codes_have_the_keys_of_the_cpu() {
    for layout in pq4::Layout::ALL {
        product(layout, 1, 40, 5);
        product(layout, 48, 700, 6);
        // More than the tables of four queries and of one have room for at a time.
        product(layout, 700, 50, 3);
        product(layout, 2_100, 40, 1);
    }
}

/// The largest sums that there are: every code and every entry is its largest.
#[test]
fn sums_of_product_codes_do_not_overflow() {
    let (m, layout) = (1_000, pq4::Layout::VectorMajor);
    let mut bytes = vec![0; layout.packed_bytes(m, 32)];
    pq4::pack(layout, m, &vec![0xff; 32 * pq4::row_bytes(m)], &mut bytes);
    let tables = pq4::Pq4Tables::from_u8(&vec![255; m * pq4::CENTROIDS], m, 0.0, 1.0);
    let corpus = Corpus::Pq4(pq4::Packed::new(layout, m, 32, &bytes).unwrap());
    for backend in devices() {
        for count in [1, 4] {
            let tables = vec![&tables; count];
            let got = search(&*backend, corpus, Queries::Pq4(&tables), &Find::all(Metric::L2), 1).unwrap();
            assert_eq!(got, vec![vec![(0, 255_000.0_f32.to_bits())]; count]);
        }
    }
}

/// Signs of rows, and queries of the widths `bits`.
fn signs(metric: Metric, (rows, dim): (usize, usize), bits: &[u8]) {
    let mut rng = Rng::new(dim as u64);
    let codec = rabitq::Codec::new(metric, dim, 1).expect("a codec");
    let encoder = rabitq::Encoder::new(codec, rabitq::Fit::Fast);
    let mut records = vec![0; rows * codec.record_bytes()];
    for record in records.chunks_mut(codec.record_bytes()) {
        encoder.encode(&normals(&mut rng, dim), &vec![0.0; dim], 0, record, &mut []);
    }
    let mut blocks = vec![0; rows.div_ceil(rabitq::BLOCK) * codec.block_bytes()];
    for (block, to) in blocks.chunks_mut(codec.block_bytes()).enumerate() {
        codec.pack_block(codec.records(&records, codec.record_bytes()), block * rabitq::BLOCK, to);
    }
    let queries: Vec<(rabitq::Query, rabitq::Term)> = bits
        .iter()
        .map(|bits| {
            let mut query = rabitq::Query::with(codec, *bits, rabitq::EPS0);
            query.prepare(&normals(&mut rng, dim));
            let term = query.origin();
            (query, term)
        })
        .collect();
    let about = format!("{metric}, {rows} rows of {dim}, queries of {bits:?} bits");
    check(&about, Corpus::RaBitQ { codec, blocks: &blocks, rows }, Queries::RaBitQ(&queries), metric);
}

#[test]
fn signs_have_the_keys_of_the_cpu() {
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        signs(metric, (300, 64), &[4; 5]);
        signs(metric, (70, 192), &[4]);
        // A batch has one width.
        signs(metric, (100, 128), &[4, 4, 1, 8, 8, 8, 8, 8, 3, 4]);
    }
    // More than the pieces of four queries have room for at a time.
    signs(Metric::L2, (40, 8_192 + 64), &[8, 8]);
    signs(Metric::L2, (40, 16_384 + 64), &[4, 4, 4]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (dim, mut rng) = (8, Rng::new(1));
    let values = normals(&mut rng, 20 * dim);
    let values = Rows::new(&values, dim).unwrap();
    let train = |bits: u32, rows: Rows<'_, f32>| {
        sq::SqCodec::new(sq::SqParams::train(Metric::L2, bits, sq::SqGrid::PerVector, rows).unwrap()).unwrap()
    };
    let (codec, wide) = (train(8, values), normals(&mut rng, 18));
    let mut blocks = vec![0; 2 * codec.block_bytes()];
    for (block, to) in blocks.chunks_mut(codec.block_bytes()).enumerate() {
        codec.encode_block(values.slice(block * 16..20.min(block * 16 + 16)), to).unwrap();
    }
    let records = dot::Records::new(&blocks, codec.block_bytes(), 2);
    let corpus = |rows: usize| Corpus::Sq { codec: &codec, blocks: records, rows };
    let find = Find::all(Metric::L2);
    for backend in devices() {
        let ask = |query: sq::SqQuery| search(&*backend, corpus(20), Queries::Sq(&[query]), &find, 3);
        let good = codec.prepare_blocks(values.row(3)).unwrap();
        assert_eq!(ask(good.clone()).unwrap()[0].len(), 3);
        let other = train(8, Rows::new(&wide, 9).unwrap());
        let error = ask(other.prepare_blocks(&wide[..9]).unwrap()).unwrap_err();
        assert_eq!(error, BackendError::Dim { want: 8, got: 9 });
        let error = ask(codec.prepare_rows(values.row(0)).unwrap()).unwrap_err();
        assert!(matches!(error, BackendError::Kind { .. }), "{error}");
        let error = search(&*backend, corpus(33), Queries::Sq(&[]), &find, 3).unwrap_err();
        assert!(matches!(error, BackendError::Failed { .. }), "{error}");
        // Codes and vectors do not mix, nor do two devices.
        let held = backend.upload(corpus(20)).unwrap();
        let rows = || values.slice(0..1).into();
        let scan = |queries| backend.scan(queries, held.as_ref(), &find, &mut [TopK::new(1)]);
        assert!(matches!(scan(Queries::Rows(rows())), Err(BackendError::Kind { .. })));
        assert!(matches!(scan(Queries::Pq4(&[&pq4::Pq4Tables::new(3)])), Err(BackendError::Kind { .. })));
        let error = backend.distances(rows(), held.as_ref(), Metric::L2, &mut [0.0; 20]).unwrap_err();
        assert!(matches!(error, BackendError::Kind { .. }), "{error}");
        let error = backend.assign(rows(), held.as_ref(), Metric::L2, &mut [0], &mut [0.0]).unwrap_err();
        assert!(matches!(error, BackendError::Kind { .. }), "{error}");
        let stranger = Emulation::default().open().unwrap();
        let scanned = stranger.scan(Queries::Sq(&[good]), held.as_ref(), &find, &mut [TopK::new(1)]);
        assert_eq!(scanned, Err(BackendError::Foreign));
    }
}
