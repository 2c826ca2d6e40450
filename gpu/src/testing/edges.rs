//! What must be refused, ranges of keys, and calls from several threads.
use std::thread;

use elanus_kernels::backend::{Backend, BackendError, Corpus, CorpusKind, Cpu, Find, Queries};
use elanus_kernels::rng::Rng;
use elanus_kernels::{ElementType, KeyRange, Metric, Rows, TopK};

const DIM: usize = 20;

pub(super) fn check(backend: &dyn Backend) {
    if !backend.caps().supports(CorpusKind::Rows(ElementType::F32), Metric::L2) {
        return;
    }
    refusals(backend);
    ranges(backend);
    threads(backend);
}

fn values(seed: u64, rows: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..rows * DIM).map(|_| rng.normal()).collect()
}

fn search(backend: &dyn Backend, corpus: &[f32], query: &[f32], range: KeyRange, k: usize) -> Vec<(u32, f32)> {
    let held = backend.upload(Corpus::Rows(Rows::new(corpus, DIM).expect("whole").into())).expect("uploaded");
    let find = Find { range, ..Find::all(Metric::L2) };
    let mut out = [TopK::new(k)];
    let query = Queries::Rows(Rows::new(query, DIM).expect("whole").into());
    backend.scan(query, held.as_ref(), &find, &mut out).expect("searched");
    let [out] = out;
    out.into_sorted().iter().map(|one| (one.id, one.key)).collect()
}

fn refusals(backend: &dyn Backend) {
    let data = values(1, 100);
    let held = backend.upload(Corpus::Rows(Rows::new(&data, DIM).expect("whole").into())).expect("uploaded");
    let mut out = [TopK::new(3)];
    let mut scan = |query: &[f32], dim: usize| {
        let queries = Queries::Rows(Rows::new(query, dim).expect("whole").into());
        backend.scan(queries, held.as_ref(), &Find::all(Metric::L2), &mut out)
    };
    for bad in [f32::NAN, f32::INFINITY] {
        let mut query = data[..DIM].to_vec();
        query[DIM - 1] = bad;
        assert_eq!(scan(&query, DIM), Err(BackendError::NotFinite { query: 0 }), "a query with {bad}");
    }
    assert_eq!(scan(&data[..DIM + 1], DIM + 1), Err(BackendError::Dim { want: DIM, got: DIM + 1 }));
    assert_eq!(scan(&data[..DIM], DIM), Ok(()));
    let stranger = Cpu::new().upload(Corpus::Rows(Rows::new(&data, DIM).expect("whole").into())).expect("uploaded");
    let queries = Queries::Rows(Rows::new(&data[..DIM], DIM).expect("whole").into());
    if backend.caps().kind != Cpu::new().caps().kind {
        let done = backend.scan(queries, stranger.as_ref(), &Find::all(Metric::L2), &mut out);
        assert_eq!(done, Err(BackendError::Foreign));
    }
    let empty = backend.upload(Corpus::Rows(Rows::new(&data[..0], DIM).expect("whole").into())).expect("uploaded");
    let row = Rows::new(&data[..DIM], DIM).expect("whole").into();
    let done = backend.assign(row, empty.as_ref(), Metric::L2, &mut [0], &mut [0.0]);
    assert_eq!(done, Err(BackendError::NoCentroid));
}

/// The bounds lie far enough from every key that rounding cannot matter.
fn ranges(backend: &dyn Backend) {
    let (data, query) = (values(2, 3_000), values(3, 1));
    let all = search(&Cpu::new(), &data, &query, KeyRange::ALL, 3_000);
    let middle = |place: usize| {
        let wide = (place..place + 50).max_by(|a, b| (all[a + 1].1 - all[*a].1).total_cmp(&(all[b + 1].1 - all[*b].1)));
        let place = wide.unwrap_or(place);
        (place, f32::midpoint(all[place].1, all[place + 1].1))
    };
    let ((low, lower), (high, upper)) = (middle(500), middle(1_500));
    for (range, want) in [
        (KeyRange { lower: f32::NEG_INFINITY, upper }, 0..high + 1),
        (KeyRange { lower, upper: f32::INFINITY }, low + 1..all.len()),
        (KeyRange { lower, upper }, low + 1..high + 1),
        (KeyRange { lower: upper, upper: lower }, 0..0),
    ] {
        for k in [1, 10, 600, 3_000] {
            let got: Vec<u32> = search(backend, &data, &query, range, k).iter().map(|one| one.0).collect();
            let mut want: Vec<u32> = all[want.clone()].iter().map(|one| one.0).take(k).collect();
            let mut sorted = got.clone();
            sorted.sort_unstable();
            want.sort_unstable();
            assert_eq!(sorted, want, "{range:?}, k = {k}");
        }
    }
}

/// Several threads share the device and a corpus; each gets its own answer.
fn threads(backend: &dyn Backend) {
    let data = values(4, 2_000);
    let held = backend.upload(Corpus::Rows(Rows::new(&data, DIM).expect("whole").into())).expect("uploaded");
    thread::scope(|scope| {
        for start in 0..4 {
            let (held, data) = (&held, &data);
            scope.spawn(move || {
                for row in (start * 100..2_000).step_by(407) {
                    let query = &data[row * DIM..][..DIM];
                    let mut out = [TopK::new(2)];
                    let queries = Queries::Rows(Rows::new(query, DIM).expect("whole").into());
                    let done = backend.scan(queries, held.as_ref(), &Find::all(Metric::L2), &mut out);
                    assert_eq!(done, Ok(()));
                    let [out] = out;
                    assert_eq!(out.into_sorted()[0].id as usize, row, "the query is a row itself");
                }
            });
        }
    });
}
