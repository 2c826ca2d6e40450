//! The CPU backend answers as the kernels do, and refuses what does not fit.
use super::{Backend, BackendError, Corpus, CorpusKind, Cpu, Find, Queries, Resident, tolerance};
use crate::{
    Bitmap, ElementType, Kernel, KeyRange, Metric, Rows, TopK,
    codes::{dot, pq4, sq},
    rng::Rng,
};

fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| rng.normal()).collect()
}

fn found(backend: &Cpu, queries: Queries<'_>, base: &dyn Resident, find: &Find<'_>, k: usize) -> Vec<Vec<(u32, f32)>> {
    let mut out: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(k)).collect();
    backend.scan(queries, base, find, &mut out).unwrap();
    out.into_iter().map(|top| top.into_sorted().iter().map(|one| (one.id, one.key)).collect()).collect()
}

#[test]
fn rows_are_found_as_pairs_compare() {
    let (base, queries) = (values(1, 500 * 17), values(2, 3 * 17));
    let (rows, queries) = (Rows::new(&base, 17).unwrap(), Rows::new(&queries, 17).unwrap());
    let backend = Cpu::new();
    let held = backend.upload(Corpus::Rows(rows.into())).unwrap();
    assert_eq!((held.len(), held.device_bytes()), (500, 500 * 17 * 4));
    let keep = Bitmap::from_fn(500, |row| row % 3 != 0);
    let range = KeyRange { lower: 5.0, upper: 30.0 };
    let find = Find { metric: Metric::L2, keep: Some(keep.view()), range };
    let got = found(&backend, Queries::Rows(queries.into()), held.as_ref(), &find, 7);
    let kernel = Kernel::<f32>::new(Metric::L2).unwrap();
    for (query, got) in queries.iter().zip(got) {
        let pairs = (0..500_u32).filter(|row| row % 3 != 0);
        let pairs = pairs.map(|row| (row, kernel.pair(query, rows.row(row as usize))));
        let mut want: Vec<(u32, f32)> = pairs.filter(|(_, key)| range.contains(*key)).collect();
        want.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        want.truncate(7);
        assert_eq!(got, want);
    }
}

#[test]
fn centroids_and_blocks_agree_with_pairs() {
    let (rows, centroids) = (values(3, 100 * 24), values(4, 9 * 24));
    let (rows, centroids) = (Rows::new(&rows, 24).unwrap(), Rows::new(&centroids, 24).unwrap());
    let backend = Cpu::new();
    let held = backend.upload(Corpus::Rows(centroids.into())).unwrap();
    let (mut nearest, mut keys) = (vec![0; 100], vec![0.0; 100]);
    backend.assign(rows.into(), held.as_ref(), Metric::L2, &mut nearest, &mut keys).unwrap();
    let mut block = vec![0.0; 100 * 9];
    backend.distances(rows.into(), held.as_ref(), Metric::L2, &mut block).unwrap();
    let kernel = Kernel::<f32>::new(Metric::L2).unwrap();
    for (i, row) in rows.iter().enumerate() {
        let own = &block[9 * i..][..9];
        assert!(own.iter().zip(centroids.iter()).all(|(key, centroid)| *key == kernel.pair(row, centroid)));
        let best = (0..9).min_by(|a, b| own[*a].total_cmp(&own[*b])).unwrap();
        assert_eq!((nearest[i], keys[i]), (best as u32, own[best]));
    }
}

#[test]
fn codes_are_scanned_with_filter_and_range() {
    let data = values(5, 100 * 32);
    let rows = Rows::new(&data, 32).unwrap();
    let backend = Cpu::new();
    let codec = sq::SqCodec::new(sq::SqParams::train(Metric::L2, 8, sq::SqGrid::PerVector, rows).unwrap()).unwrap();
    let mut blocks = vec![0; 7 * codec.block_bytes()];
    for (block, to) in blocks.chunks_mut(codec.block_bytes()).enumerate() {
        codec.encode_block(rows.slice(16 * block..100.min(16 * block + 16)), to).unwrap();
    }
    let records = dot::Records::new(&blocks, codec.block_bytes(), 7);
    let held = backend.upload(Corpus::Sq { codec: &codec, blocks: records, rows: 100 }).unwrap();
    assert_eq!((held.kind(), held.len()), (CorpusKind::Sq(8), 100));
    let prepared = [codec.prepare_blocks(rows.row(42)).unwrap()];
    let got = found(&backend, Queries::Sq(&prepared), held.as_ref(), &Find::all(Metric::L2), 100);
    assert_eq!((got[0].len(), got[0][0].0), (100, 42));
    let keep = Bitmap::from_fn(100, |row| row != 42);
    let find = Find { keep: Some(keep.view()), ..Find::all(Metric::L2) };
    let fewer = found(&backend, Queries::Sq(&prepared), held.as_ref(), &find, 100);
    assert_eq!(fewer[0], got[0][1..]);

    let (layout, m) = (pq4::Layout::Classic, 8);
    let codes: Vec<u8> = (0..100 * 4).map(|i| (i * 37 % 251) as u8).collect();
    let mut bytes = vec![0; layout.packed_bytes(m, 100)];
    pq4::pack(layout, m, &codes, &mut bytes);
    let held = backend.upload(Corpus::Pq4(pq4::Packed::new(layout, m, 100, &bytes).unwrap())).unwrap();
    let luts = values(6, m * 16);
    let tables = pq4::Pq4Tables::from_f32(&luts, m);
    let got = found(&backend, Queries::Pq4(&[&tables]), held.as_ref(), &Find::all(Metric::L2), 3);
    assert_eq!(got[0].len(), 3);
}

#[test]
fn what_does_not_fit_is_refused() {
    let backend = Cpu::new();
    let data = values(7, 10 * 4);
    let held = backend.upload(Corpus::Rows(Rows::new(&data, 4).unwrap().into())).unwrap();
    let mut out = [TopK::new(1)];
    let mut scan = |queries, metric| backend.scan(queries, held.as_ref(), &Find::all(metric), &mut out);
    let wide = [0.0_f32; 5];
    let error = scan(Queries::Rows(Rows::new(&wide, 5).unwrap().into()), Metric::L2);
    assert_eq!(error, Err(BackendError::Dim { want: 4, got: 5 }));
    let nan = [0.0, f32::NAN, 0.0, 0.0];
    let error = scan(Queries::Rows(Rows::new(&nan, 4).unwrap().into()), Metric::L2);
    assert_eq!(error, Err(BackendError::NotFinite { query: 0 }));
    let bytes = [0_i8; 4];
    let error = scan(Queries::Rows(Rows::new(&bytes, 4).unwrap().into()), Metric::L2).unwrap_err();
    assert!(error.to_string().contains("i8 cannot search f32 vectors"), "{error}");
    assert!(!error.is_device());
    let error = scan(Queries::Rows(Rows::new(&wide[..4], 4).unwrap().into()), Metric::Hamming).unwrap_err();
    assert!(matches!(error, BackendError::Unsupported { .. }), "{error}");
    let none = backend.upload(Corpus::Rows(Rows::new(&data[..0], 4).unwrap().into())).unwrap();
    let row = Rows::new(&data[..4], 4).unwrap();
    let error = backend.assign(row.into(), none.as_ref(), Metric::L2, &mut [0], &mut [0.0]);
    assert_eq!(error, Err(BackendError::NoCentroid));
}

#[test]
fn tolerance_is_none_over_bits_and_grows_with_the_square_root() {
    assert_eq!(tolerance(ElementType::Binary, Metric::Hamming, 96, 1.0, 1.0), 0.0);
    assert_eq!(tolerance(ElementType::I8, Metric::L2, 768, 1.0, 1.0), 0.0);
    let (small, large) = [100, 10_000].map(|dim| tolerance(ElementType::F32, Metric::L2, dim, 1.0, 1.0)).into();
    assert!(small < large && large < 12.0 * small);
    let ticks = std::cell::Cell::new(0);
    let clock = || {
        ticks.set(ticks.get() + 1);
        std::time::Duration::from_micros(ticks.get())
    };
    let speed = Cpu::new().measure(&clock).unwrap();
    assert!(speed.read_bytes_per_ns > 0.0 && speed.round_trip_ns >= 0.0);
}
