//! Every device that wgpu finds answers as the CPU does, whatever of it is used, and fails without taking anything
//! with it.
#![cfg(all(feature = "wgpu", feature = "testing"))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test says what it ran on, and may fail")]
use std::sync::Arc;
use std::time::Instant;

use elanus_gpu::testing::{self, Extent};
use elanus_gpu::wgpu::{self, Options, Wgpu};
use elanus_kernels::backend::{Backend, BackendError, Corpus, Find, Queries, Resident};
use elanus_kernels::rng::Rng;
use elanus_kernels::{Metric, Rows, TopK};

/// Programs that fail on a driver: part of what the driver calls itself, the program as the report names it, why.
const EXPECTED_FAILURES: &[(&str, &str, &str)] = &[];

/// One way to open each device.
fn each(check: impl Fn(&Wgpu, &Options), options: &Options) {
    let found = wgpu::list();
    if found.is_empty() {
        println!("SKIPPED: no Vulkan driver");
    }
    for caps in found {
        if caps.cells.is_empty() {
            println!("SKIPPED: {} cannot run the programs: {:?}", caps.name, caps.limits);
            continue;
        }
        let backend = Wgpu::open(caps.ordinal, options).unwrap();
        assert_eq!(backend.caps().name, caps.name);
        check(&backend, options);
    }
}

/// Runs the suite; `only` names the programs, where not all have to be run.
fn suite(options: &Options, extent: &Extent, only: Option<&[&str]>) {
    let check = |backend: &Wgpu, options: &Options| {
        let caps = backend.caps();
        println!("{} ({}), {options:?}", caps.name, caps.driver);
        let names = caps.cells.iter().map(|(kind, metric)| format!("{metric} over {kind}"));
        let others: Vec<String> =
            names.filter(|name| only.is_some_and(|only| !only.contains(&name.as_str()))).collect();
        let mut skip: Vec<&str> = others.iter().map(String::as_str).collect();
        for (driver, program, why) in EXPECTED_FAILURES.iter().filter(|(driver, ..)| caps.driver.contains(driver)) {
            println!("SKIPPED: {program} on {driver}: {why}");
            skip.push(program);
        }
        let report = testing::run(backend, extent, &skip);
        for (program, count) in &report.passed {
            println!("{program}: {count} answers as the CPU's");
        }
        assert!(only.is_none_or(|only| only.iter().all(|name| report.passed.iter().any(|(passed, _)| passed == name))));
    };
    each(check, options);
}

/// Fewer shapes, for what differs in a part of the programs only.
fn some() -> Extent {
    Extent { shapes: 16, work: 300_000, seed: 2 }
}

#[test]
fn answers_are_the_cpus() {
    suite(&Options::default(), &Extent::default(), None);
}

#[test]
fn answers_are_the_cpus_with_the_least_that_a_device_has() {
    suite(&Options { subgroups: false, packed_dot: false, ..Options::default() }, &some(), None);
}

#[test]
fn answers_are_the_cpus_without_subgroups() {
    let only = ["L2 over f32 vectors", "COSINE over u8 vectors"];
    suite(&Options { subgroups: false, ..Options::default() }, &some(), Some(&only));
}

#[test]
fn answers_are_the_cpus_without_packed_products() {
    let only = [
        "L2 over i8 vectors",
        "IP over u8 vectors",
        "COSINE over u4 vectors",
        "L2 over scalar codes of 8 bits",
        "IP over scalar codes of 6 bits",
        "COSINE over scalar codes of 4 bits",
    ];
    suite(&Options { packed_dot: false, ..Options::default() }, &some(), Some(&only));
}

/// Parts of a few rows, grids that are cut, and dispatches that end early.
#[test]
fn answers_are_the_cpus_in_small_parts() {
    let options = Options { part_bytes: Some(48 << 10), groups: Some(64), work: Some(30_000), ..Options::default() };
    let only = [
        "L2 over f32 vectors",
        "COSINE over f16 vectors",
        "IP over bf16 vectors",
        "L2 over i8 vectors",
        "COSINE over u8 vectors",
        "IP over u4 vectors",
        "HAMMING over binary vectors",
        "JACCARD over binary vectors",
        "L2 over scalar codes of 8 bits",
        "IP over scalar codes of 6 bits",
        "COSINE over scalar codes of 4 bits",
        "L2 over 4-bit product codes",
        "IP over RaBitQ codes",
    ];
    suite(&options, &some(), Some(&only));
}

const DIM: usize = 24;

fn values(seed: u64, rows: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..rows * DIM).map(|_| rng.normal()).collect()
}

fn upload(backend: &Wgpu, values: &[f32]) -> Result<Arc<dyn Resident>, BackendError> {
    backend.upload(Corpus::Rows(Rows::new(values, DIM).unwrap().into()))
}

fn first_of(backend: &Wgpu, held: &dyn Resident, query: &[f32]) -> Result<u32, BackendError> {
    let mut out = [TopK::new(1)];
    let query = Queries::Rows(Rows::new(query, DIM).unwrap().into());
    backend.scan(query, held, &Find::all(Metric::L2), &mut out)?;
    let [out] = out;
    Ok(out.into_sorted()[0].id)
}

#[test]
fn the_budget_holds_and_what_was_used_least_goes_first() {
    let rows = 100;
    let bytes = (rows * (DIM * 4 + 8)) as u64;
    let check = |backend: &Wgpu, _: &Options| {
        let corpora: Vec<Vec<f32>> = (0..3).map(|seed| values(seed, rows)).collect();
        let (a, b) = (upload(backend, &corpora[0]).unwrap(), upload(backend, &corpora[1]).unwrap());
        assert_eq!(a.device_bytes(), bytes);
        assert_eq!(first_of(backend, a.as_ref(), &corpora[0][7 * DIM..][..DIM]), Ok(7));
        let c = upload(backend, &corpora[2]).unwrap();
        assert_eq!((a.is_evicted(), b.is_evicted(), c.is_evicted()), (false, true, false));
        assert_eq!((backend.evictions(), b.device_bytes()), (1, 0));
        assert_eq!(first_of(backend, b.as_ref(), &corpora[1][..DIM]), Err(BackendError::Evicted));
        for (held, values) in [(&a, &corpora[0]), (&c, &corpora[2])] {
            assert_eq!(first_of(backend, held.as_ref(), &values[99 * DIM..][..DIM]), Ok(99));
        }
        let much = values(9, 3 * rows);
        let error = upload(backend, &much).unwrap_err();
        assert_eq!(error, BackendError::Memory { need: 3 * bytes, budget: 2 * bytes + 10 });
        assert!(!a.is_evicted() && !c.is_evicted(), "nothing goes for what cannot come");
        drop((a, c));
        assert!(upload(backend, &corpora[1]).is_ok());
    };
    each(check, &Options { budget: Some(2 * bytes + 10), ..Options::default() });
}

/// More than a batch has room for: 2,500 queries, each of which is a row itself.
#[test]
fn queries_beyond_a_batch_are_answered() {
    let count = 2_500;
    let check = |backend: &Wgpu, _: &Options| {
        let data = values(5, count);
        let (held, rows) = (upload(backend, &data).unwrap(), Rows::new(&data, DIM).unwrap());
        let mut out: Vec<TopK> = (0..count).map(|query| TopK::new(1 + query % 3)).collect();
        backend.scan(Queries::Rows(rows.into()), held.as_ref(), &Find::all(Metric::L2), &mut out).unwrap();
        for (row, out) in out.into_iter().enumerate() {
            let found = out.into_sorted();
            assert_eq!((found.len(), found[0].id as usize, found[0].key), (1 + row % 3, row, 0.0));
        }
        let (mut nearest, mut keys) = (vec![0; count], vec![1.0; count]);
        backend.assign(rows.into(), held.as_ref(), Metric::L2, &mut nearest, &mut keys).unwrap();
        assert!(nearest.iter().enumerate().all(|(row, found)| *found as usize == row));
        assert!(keys.iter().all(|key| *key == 0.0));
        let mut keys = vec![1.0; count * count];
        backend.distances(rows.into(), held.as_ref(), Metric::L2, &mut keys).unwrap();
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(*key == 0.0, at / count == at % count, "query {}, row {}", at / count, at % count);
        }
    };
    each(check, &Options::default());
}

#[test]
fn rows_with_a_component_that_is_no_number_are_never_found() {
    let check = |backend: &Wgpu, _: &Options| {
        let mut data = values(6, 4);
        data[DIM..2 * DIM].fill(f32::NAN);
        data[3 * DIM - 1] = f32::INFINITY;
        let held = upload(backend, &data).unwrap();
        for metric in [Metric::L2, Metric::Cosine] {
            let query = Queries::Rows(Rows::new(&data[..DIM], DIM).unwrap().into());
            let mut out = [TopK::new(4)];
            backend.scan(query, held.as_ref(), &Find::all(metric), &mut out).unwrap();
            let [out] = out;
            let found: Vec<u32> = out.into_sorted().iter().map(|one| one.id).collect();
            // Infinitely far is a distance, but has no angle.
            let want = if metric == Metric::L2 { &[0, 3, 2][..] } else { &[0, 3] };
            assert_eq!(found, want, "{metric}");
        }
        let held = upload(backend, &[f32::NAN; DIM]).unwrap();
        let (mut nearest, mut keys) = ([7], [0.0]);
        let rows = Rows::new(&data[..DIM], DIM).unwrap().into();
        backend.assign(rows, held.as_ref(), Metric::L2, &mut nearest, &mut keys).unwrap();
        assert!(nearest == [0] && keys[0].is_nan(), "{nearest:?} {keys:?}");
    };
    each(check, &Options::default());
}

#[test]
fn what_goes_wrong_is_an_error() {
    let check = |backend: &Wgpu, _: &Options| {
        let data = values(4, 50);
        let held = upload(backend, &data).unwrap();
        let other = Wgpu::open(backend.caps().ordinal, &Options::default()).unwrap();
        assert_eq!(first_of(&other, held.as_ref(), &data[..DIM]), Err(BackendError::Foreign));
        let long = vec![0.0; 5_000];
        let error = backend.upload(Corpus::Rows(Rows::new(&long, 5_000).unwrap().into())).unwrap_err();
        assert!(matches!(error, BackendError::Failed { .. }) && error.is_device(), "{error}");
        assert_eq!(first_of(backend, held.as_ref(), &data[3 * DIM..][..DIM]), Ok(3));
        backend.destroy();
        for _ in 0..2 {
            let error = first_of(backend, held.as_ref(), &data[..DIM]).unwrap_err();
            assert!(matches!(error, BackendError::Lost { .. }), "{error:?}");
            let error = upload(backend, &data).unwrap_err();
            assert!(matches!(error, BackendError::Lost { .. }), "{error:?}");
        }
    };
    each(check, &Options { part_bytes: Some(16 << 10), ..Options::default() });
    let missing = wgpu::open(999, None).unwrap_err();
    assert!(missing.to_string().contains("device 999"), "{missing}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a measurement is of real time")]
fn speed_is_measured() {
    let check = |backend: &Wgpu, _: &Options| {
        let start = Instant::now();
        let speed = backend.measure(&|| start.elapsed()).unwrap();
        println!("{}: {speed:?}, {:?} in all", backend.caps().name, start.elapsed());
        assert!(speed.read_bytes_per_ns > 0.0 && speed.upload_bytes_per_ns > 0.0 && speed.round_trip_ns > 0.0);
    };
    each(check, &Options::default());
}
