//! The CUDA backend on emulated devices, whose drivers also fail where they are told to, and on a card if there is one.
#![cfg(all(feature = "cuda", feature = "testing"))]
#[path = "../emulator/library.rs"]
#[allow(dead_code, reason = "the memory that it lends is for tests that launch programs themselves")]
#[allow(clippy::disallowed_methods, reason = "a test may remove the library that it made")]
mod library;
#[path = "cuda/stand_in.rs"]
mod stand_in;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use elanus_gpu::cuda::testing::{Emulation, Faults, Launcher};
use elanus_gpu::cuda::{list, open};
use elanus_gpu::passes::Task;
use elanus_gpu::testing::{Extent, run};
use elanus_kernels::backend::{Backend, BackendError, Corpus, CorpusKind, Cpu, Find, Queries, Resident};
use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, Bitmap, ElementType, KeyRange, Metric, Rows, TopK};

use self::library::Emulator;

const DIM: usize = 24;

/// The shapes that always run, where a program takes a thousand times as long as it should.
const EMULATED: Extent = Extent { shapes: 9, work: 2_000, seed: 1 };

/// What a check leaves out that is not about programs: of each element type and of each metric something stays.
const NOT_ALL: &[&str] = &[
    "IP over f32 vectors",
    "COSINE over f32 vectors",
    "L2 over f16 vectors",
    "COSINE over f16 vectors",
    "L2 over bf16 vectors",
    "IP over bf16 vectors",
    "IP over i8 vectors",
    "COSINE over i8 vectors",
    "HAMMING over binary vectors",
];

/// A second of work where programs are plain Rust.
const EXTENT: Extent = Extent { shapes: 40, work: 500_000, seed: 1 };

fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count * DIM).map(|_| rng.normal()).collect()
}

fn rows(values: &[f32]) -> AnyRows<'_> {
    Rows::new(values, DIM).expect("whole rows").into()
}

fn upload(backend: &dyn Backend, values: &[f32]) -> Result<Arc<dyn Resident>, BackendError> {
    backend.upload(Corpus::Rows(rows(values)))
}

fn search(
    backend: &dyn Backend,
    held: &dyn Resident,
    queries: &[f32],
    keep: Option<&Bitmap>,
    k: usize,
) -> Result<Vec<Vec<u32>>, BackendError> {
    let find = Find { keep: keep.map(Bitmap::view), ..Find::all(Metric::L2) };
    let mut out: Vec<TopK> = (0..queries.len() / DIM).map(|_| TopK::new(k)).collect();
    let done = backend.scan(Queries::Rows(rows(queries)), held, &find, &mut out);
    if done.is_err() {
        assert!(out.iter().all(TopK::is_empty), "selections were offered something before an error");
    }
    done?;
    Ok(out.into_iter().map(|top| top.into_sorted().iter().map(|one| one.id).collect()).collect())
}

#[test]
fn the_suite_passes_on_an_emulated_device() {
    let report = run(&*Emulation::default().open().unwrap(), &EXTENT, &[]);
    println!("{report}");
    assert!(report.count() > 100_000, "{report}");
    assert!(report.passed.iter().any(|(name, _)| name.contains("binary")), "{report}");
}

/// The programs of a card, compiled for this machine.
fn emulated() -> Option<Emulation> {
    let emulator = match Emulator::get() {
        Ok(emulator) => emulator,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return None;
        }
    };
    let launcher: Arc<Launcher> = Arc::new(move |entry, grid, args| {
        // As much as the largest of the structures takes.
        let mut whole = [0_u64; 16];
        whole[..args.len()].copy_from_slice(args);
        // SAFETY: the backend's arguments of this entry point, whose memory the emulated driver holds.
        unsafe { emulator.launch(entry, grid, &whole) }
    });
    Some(Emulation { launcher: Some(launcher), ..Emulation::default() })
}

#[test]
fn the_suite_passes_with_the_programs_of_a_card() {
    let Some(emulation) = emulated() else { return };
    let report = run(&*emulation.open().unwrap(), &EMULATED, &[]);
    println!("{report}");
    assert!(report.count() > 10_000, "{report}");
}

#[test]
fn the_programs_of_a_card_pass_where_there_is_little_room() {
    let Some(emulation) = emulated() else { return };
    let extent = Extent { seed: 7, ..EMULATED };
    let report = run(&*Emulation { tiny: true, ..emulation }.open().unwrap(), &extent, NOT_ALL);
    assert!(report.count() > 10_000, "{report}");
}

#[test]
fn the_suite_passes_where_there_is_little_room() {
    let extent = Extent { shapes: 20, work: 200_000, seed: 2 };
    let backend = Emulation { tiny: true, ..Emulation::default() }.open().unwrap();
    let report = run(&*backend, &extent, &[]);
    assert!(report.count() > 10_000, "{report}");
}

#[test]
fn the_suite_passes_on_a_card() {
    let cards = list();
    if cards.is_empty() {
        println!("SKIPPED: no NVIDIA driver");
    }
    for card in &cards {
        let backend = open(card.ordinal, None).unwrap();
        println!("{} {}\n{}", card.place(), card.name, run(&*backend, &Extent::default(), &[]));
    }
}

#[test]
fn without_a_driver_there_is_no_card_and_no_panic() {
    if list().is_empty() {
        let error = open(0, None).unwrap_err();
        assert!(error.is_device(), "{error}");
    }
    let error = open(list().len() + 100, None).unwrap_err();
    assert!(error.is_device(), "{error}");
}

#[test]
fn the_least_recently_searched_corpus_makes_room() {
    let data = values(1, 100);
    // 24 components are 96 bytes, and the squared length is 4 more.
    let budget = Some(25_000);
    let backend = Emulation { budget, ..Emulation::default() }.open().unwrap();
    let first = upload(&*backend, &data).unwrap();
    assert_eq!((first.device_bytes(), first.len(), first.is_evicted()), (10_000, 100, false));
    let second = upload(&*backend, &data).unwrap();
    search(&*backend, &*first, &data[..DIM], None, 1).unwrap();
    let third = upload(&*backend, &data).unwrap();
    assert_eq!([&first, &second, &third].map(|held| held.is_evicted()), [false, true, false]);
    assert_eq!(search(&*backend, &*second, &data[..DIM], None, 1), Err(BackendError::Evicted));
    let mut keys = vec![0.0; 100];
    let refused = backend.distances(rows(&data[..DIM]), &*second, Metric::L2, &mut keys);
    assert_eq!(refused, Err(BackendError::Evicted));
    assert_eq!(search(&*backend, &*third, &data[DIM..2 * DIM], None, 1).unwrap(), [[1]]);
    let large = values(2, 300);
    assert_eq!(upload(&*backend, &large).unwrap_err(), BackendError::Memory { need: 30_000, budget: 25_000 });
    drop(third);
    let fourth = upload(&*backend, &data).unwrap();
    assert!(!first.is_evicted() && !fourth.is_evicted());
}

#[test]
fn a_device_without_memory_says_so_and_goes_on() {
    // The budget is more than there is.
    let backend =
        Emulation { memory_bytes: 40_000, budget: Some(1 << 20), tiny: true, ..Emulation::default() }.open().unwrap();
    let data = values(3, 100);
    let first = upload(&*backend, &data).unwrap();
    let error = upload(&*backend, &values(4, 400)).unwrap_err();
    assert!(matches!(&error, BackendError::Failed { reason } if reason.contains("bytes")), "{error}");
    assert_eq!(search(&*backend, &*first, &data[..DIM], None, 1).unwrap(), [[0]]);
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let backend = Emulation::default().open().unwrap();
    let bytes = [0_u8; 64];
    let error = backend.upload(Corpus::Rows(Rows::new(&bytes, 8).unwrap().into())).unwrap_err();
    assert_eq!(error, BackendError::Unsupported { kind: CorpusKind::Rows(ElementType::U8), metric: Metric::L2 });
    // Lengths whose squares are no numbers are left to the CPU: products of them would be none either.
    for bad in [f32::NAN, f32::INFINITY, 3e19] {
        let mut data = values(5, 10);
        data[77] = bad;
        let error = upload(&*backend, &data).unwrap_err();
        assert!(error.is_device(), "{error}");
    }
    let held = upload(&*backend, &values(5, 10)).unwrap();
    let error = search(&*backend, &*held, &[3e19; DIM], None, 1).unwrap_err();
    assert!(matches!(error, BackendError::Failed { .. }), "{error}");
    let other = Emulation::default().open().unwrap();
    assert_eq!(search(&*other, &*held, &[0.0; DIM], None, 1), Err(BackendError::Foreign));
    let wide = vec![1_i8; 32_769];
    let error = backend.upload(Corpus::Rows(Rows::new(&wide, wide.len()).unwrap().into())).unwrap_err();
    assert!(error.is_device(), "{error}");
}

#[test]
fn selections_keep_what_they_hold_and_may_differ_in_size() {
    let backend = Emulation { tiny: true, ..Emulation::default() }.open().unwrap();
    let (data, asked) = (values(6, 500), values(7, 40));
    let held = upload(&*backend, &data).unwrap();
    let mut want: Vec<TopK> = (0..40).map(TopK::new).collect();
    for top in &mut want {
        top.push(1_000_000, 30.0);
    }
    let mut got = want.clone();
    let cpu = Cpu::new();
    let oracle = upload(&cpu, &data).unwrap();
    let find = Find::all(Metric::L2);
    cpu.scan(Queries::Rows(rows(&asked)), &*oracle, &find, &mut want).unwrap();
    backend.scan(Queries::Rows(rows(&asked)), &*held, &find, &mut got).unwrap();
    for (got, want) in got.into_iter().zip(want) {
        let [got, want] = [got, want].map(|top| top.into_sorted().iter().map(|one| one.id).collect::<Vec<_>>());
        assert_eq!(got, want);
    }
}

#[test]
fn more_threads_than_lanes_wait_their_turn() {
    let backend = Emulation { tiny: true, ..Emulation::default() }.open().unwrap();
    let data = values(8, 300);
    let held = upload(&*backend, &data).unwrap();
    let found = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..12 {
            let (backend, held, data, found) = (&backend, &held, &data, &found);
            scope.spawn(move || {
                for row in (number..300).step_by(37) {
                    let got = search(&**backend, &**held, &data[row * DIM..][..DIM], None, 1).unwrap();
                    assert_eq!(got, [[row as u32]]);
                    found.fetch_add(1, Ordering::Relaxed);
                }
                // Some come and go meanwhile.
                let own = upload(&**backend, &data[..10 * DIM]).unwrap();
                assert_eq!(search(&**backend, &*own, &data[..DIM], None, 1).unwrap(), [[0]]);
            });
        }
    });
    assert!(found.into_inner() > 90);
}

/// Rows that no sample sees are nearer than all that one sees, so that their candidates do not fit.
#[test]
fn an_unlucky_sample_costs_time_and_no_neighbor() {
    let (count, k) = (20_000, 10);
    // As a device with little room plans it.
    let (range, slack) = (KeyRange::ALL, 16);
    let task = Task { rows: count, kept: count, k, slack, range, margin: 0.0, capacity: 256, round_k: 64 };
    let strides: Vec<u32> = task.passes(k + slack).iter().filter(|pass| pass.sample).map(|pass| pass.stride).collect();
    assert!(!strides.is_empty());
    let mut data = values(14, count as usize);
    for (row, values) in (0..count).zip(data.chunks_mut(DIM)) {
        if strides.iter().any(|stride| row.is_multiple_of(*stride)) {
            values[0] += 1_000.0;
        }
    }
    let backend = Emulation { tiny: true, ..Emulation::default() }.open().unwrap();
    let cpu = Cpu::new();
    let [held, oracle] = [&*backend, &cpu].map(|backend: &dyn Backend| upload(backend, &data).unwrap());
    let queries = values(15, 3);
    let want = search(&cpu, &*oracle, &queries, None, k).unwrap();
    assert_eq!(search(&*backend, &*held, &queries, None, k).unwrap(), want);
}

#[test]
fn many_rows_are_assigned_in_two_lanes_by_turns() {
    let (data, centroids) = (values(12, 2_500), values(13, 70));
    let (cpu, backend) = (Cpu::new(), Emulation { tiny: true, ..Emulation::default() }.open().unwrap());
    let [held, oracle] = [&*backend, &cpu].map(|backend: &dyn Backend| upload(backend, &centroids).unwrap());
    let assign = |backend: &dyn Backend, held: &dyn Resident| {
        let (mut nearest, mut keys) = (vec![0; 2_500], vec![0.0; 2_500]);
        backend.assign(rows(&data), held, Metric::L2, &mut nearest, &mut keys).unwrap();
        nearest
    };
    let want = assign(&cpu, &*oracle);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(assign(&*backend, &*held), want));
        }
    });
}

/// What a caller does, with answers that are known.
fn session(backend: &dyn Backend, data: &[f32], want: &Answers) -> Result<(), BackendError> {
    let held = upload(backend, data)?;
    let other = upload(backend, &data[..50 * DIM])?;
    assert_eq!(search(backend, &*held, &data[..45 * DIM], None, 3)?, want.found);
    assert_eq!(search(backend, &*held, &data[..2 * DIM], Some(&want.keep), 100)?, want.filtered);
    let mut keys = vec![0.0; 3 * 400];
    backend.distances(rows(&data[..3 * DIM]), &*held, Metric::Ip, &mut keys)?;
    assert_eq!(keys, want.keys);
    drop(held);
    let (mut nearest, mut keys) = (vec![0; 40], vec![0.0; 40]);
    backend.assign(rows(&data[..40 * DIM]), &*other, Metric::L2, &mut nearest, &mut keys)?;
    assert!(nearest.iter().enumerate().all(|(place, nearest)| place == *nearest as usize));
    let (mut nearest, mut keys) = (vec![0; 400], vec![0.0; 400]);
    backend.assign(rows(data), &*other, Metric::L2, &mut nearest, &mut keys)?;
    assert_eq!(nearest, want.nearest);
    Ok(())
}

struct Answers {
    found: Vec<Vec<u32>>,
    filtered: Vec<Vec<u32>>,
    keep: Bitmap,
    keys: Vec<f32>,
    nearest: Vec<u32>,
}

fn answers(data: &[f32]) -> Answers {
    let cpu = Cpu::new();
    let held = upload(&cpu, data).expect("the CPU can");
    let keep = Bitmap::from_fn(400, |row| row % 3 != 1);
    let mut keys = vec![0.0; 3 * 400];
    cpu.distances(rows(&data[..3 * DIM]), &*held, Metric::Ip, &mut keys).expect("the CPU can");
    let other = upload(&cpu, &data[..50 * DIM]).expect("the CPU can");
    let (mut nearest, mut own) = (vec![0; 400], vec![0.0; 400]);
    cpu.assign(rows(data), &*other, Metric::L2, &mut nearest, &mut own).expect("the CPU can");
    Answers {
        nearest,
        found: search(&cpu, &*held, &data[..45 * DIM], None, 3).expect("the CPU can"),
        filtered: search(&cpu, &*held, &data[..2 * DIM], Some(&keep), 100).expect("the CPU can"),
        keep,
        keys,
    }
}

/// Lets each call of the driver fail in turn: an answer is right or an error, and what comes later is as ever.
#[test]
fn a_call_that_fails_is_an_error_and_never_a_wrong_answer() {
    let data = values(9, 400);
    let want = answers(&data);
    let (mut number, mut errors) = (0, 0);
    loop {
        number += 1;
        let faults = Faults::none();
        faults.plan(number, false);
        let emulation = Emulation { tiny: true, faults: Arc::clone(&faults), ..Emulation::default() };
        let backend = match emulation.open() {
            Ok(backend) => backend,
            Err(error) => {
                assert!(error.is_device(), "call {number}: {error}");
                errors += 1;
                continue;
            }
        };
        if let Err(error) = session(&*backend, &data, &want) {
            assert!(matches!(error, BackendError::Failed { .. }), "call {number}: {error}");
            errors += 1;
        }
        let failed = faults.failed();
        faults.plan(0, false);
        assert_eq!(session(&*backend, &data, &want), Ok(()), "after call {number} failed");
        drop(backend);
        if failed == 0 {
            break;
        }
    }
    println!("{errors} of {} calls that failed made an error", number - 1);
    assert!(number > 100 && errors > 100, "{number} calls, {errors} errors");
}

/// The same with a device that is lost at that call, also while several threads search.
#[test]
fn a_lost_device_says_so_at_once_and_for_ever() {
    let data = values(10, 400);
    let want = answers(&data);
    for number in 1.. {
        let faults = Faults::none();
        let backend =
            Emulation { tiny: true, budget: Some(1 << 20), faults: Arc::clone(&faults), ..Emulation::default() }
                .open()
                .unwrap();
        let before = upload(&*backend, &data).unwrap();
        faults.plan(number, true);
        let first = session(&*backend, &data, &want);
        if faults.failed() == 0 {
            assert_eq!(first, Ok(()));
            assert!(number > 100, "{number} calls");
            break;
        }
        // What is given back last may fail after the last answer.
        if let Err(error) = &first {
            assert!(matches!(error, BackendError::Lost { .. }), "call {number}: {error}");
        }
        let calls = faults.calls();
        let error = search(&*backend, &*before, &data[..DIM], None, 1).unwrap_err();
        assert!(matches!(error, BackendError::Lost { .. }), "call {number}: {error}");
        assert!(matches!(upload(&*backend, &data), Err(BackendError::Lost { .. })));
        assert!(matches!(backend.measure(&|| Duration::ZERO), Err(BackendError::Lost { .. })));
        drop((before, backend));
        assert_eq!(faults.calls(), calls, "nobody speaks to a device that is lost");
    }
}

#[test]
fn a_device_that_answers_nonsense_is_given_up() {
    // It claims to have run what it did not look at.
    let emulation = Emulation { launcher: Some(Arc::new(|_, _, _| Ok(()))), ..Emulation::default() };
    let backend = emulation.open().unwrap();
    // Bytes, since squared lengths that nobody computed are refused.
    let bytes = [1_i8; 8 * 16];
    let held = backend.upload(Corpus::Rows(Rows::new(&bytes, 16).unwrap().into())).unwrap();
    let (mut nearest, mut keys) = ([0; 8], [0.0; 8]);
    let assign = |nearest: &mut [u32], keys: &mut [f32]| {
        backend.assign(Rows::new(&bytes, 16).unwrap().into(), &*held, Metric::L2, nearest, keys)
    };
    let error = assign(&mut nearest, &mut keys).unwrap_err();
    assert!(matches!(&error, BackendError::Lost { reason } if reason.contains("of 8")), "{error}");
    assert_eq!(upload(&*backend, &values(1, 1)).unwrap_err(), error);
}

#[test]
fn threads_that_wait_hear_that_the_device_is_lost() {
    let data = values(11, 300);
    for number in [1, 5, 20, 60, 200] {
        let faults = Faults::none();
        let backend = Emulation { tiny: true, faults: Arc::clone(&faults), ..Emulation::default() }.open().unwrap();
        let held = upload(&*backend, &data).unwrap();
        faults.plan(number, true);
        let lost = AtomicUsize::new(0);
        thread::scope(|scope| {
            for row in 0..16 {
                let (backend, held, data, lost) = (&backend, &held, &data, &lost);
                scope.spawn(move || {
                    for _ in 0..20 {
                        match search(&**backend, &**held, &data[row * DIM..][..DIM], None, 1) {
                            Ok(found) => assert_eq!(found, [[row as u32]]),
                            Err(BackendError::Lost { .. }) => _ = lost.fetch_add(1, Ordering::Relaxed),
                            Err(other) => panic!("{other}"),
                        }
                    }
                });
            }
        });
        assert!(lost.into_inner() > 0, "call {number}");
    }
}

#[test]
fn a_device_is_measured() {
    let backend = Emulation { memory_bytes: 32 << 20, ..Emulation::default() }.open().unwrap();
    // A clock that ticks whenever it is looked at.
    let ticks = AtomicUsize::new(0);
    let clock = || Duration::from_micros(ticks.fetch_add(1, Ordering::Relaxed) as u64);
    let speed = backend.measure(&clock).unwrap();
    assert!(speed.read_bytes_per_ns > 0.0 && speed.upload_bytes_per_ns > 0.0, "{speed:?}");
    assert!((speed.round_trip_ns - 1_000.0).abs() < 1.0, "{speed:?}");
    assert_eq!(backend.caps().place(), "cuda:0");
    assert!(backend.caps().pass_k > 800, "{:?}", backend.caps());
}
