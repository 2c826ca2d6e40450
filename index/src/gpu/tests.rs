//! The device answers as the CPU does, whatever it does; concurrent searches share scans and nothing else.

use std::thread;
use std::time::Duration;

use elanus_kernels::Neighbor;

use super::*;
use crate::testing::{CHECKS, Fault, Fixture, Gate, Trial, build_on, trial_device, with_device};
use crate::{Cancel, KeyRange, ParamSet};

const K: usize = 5;

fn fixture(rows: usize) -> Fixture {
    Fixture::clustered(ElementType::F32, Metric::L2, rows, 8, 3)
}

fn built(fixture: &Fixture, device: &Arc<Device>) -> Box<dyn Index> {
    with_device(device, || build_on(1, &GpuBruteForce, fixture, None))
}

fn lost() -> BackendError {
    BackendError::Lost { reason: "it fell off the bus".to_owned() }
}

fn failed() -> BackendError {
    BackendError::Failed { reason: "no memory just now".to_owned() }
}

/// The device's answer to some queries; `None` where the CPU is to find it.
fn by_device(index: &dyn Index, f: &Fixture, from: usize, count: usize, k: usize) -> Option<Vec<Vec<Neighbor>>> {
    let (params, cancel) = (ParamSet::empty(), Cancel::new());
    let search = Search { k, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let mut outs = vec![TopK::new(k); count];
    let answer = index.search_on_device(f.rows(), f.queries().slice(from..from + count), &search, &mut outs);
    if answer.is_none() {
        assert!(outs.iter().all(|out| out.is_empty() && out.k() == k), "the holders are as they were");
    }
    answer.map(|stats| {
        assert!(stats.unwrap().distances > 0);
        outs.into_iter().map(TopK::into_sorted).collect()
    })
}

fn by_cpu(index: &dyn Index, f: &Fixture, from: usize, count: usize, k: usize) -> Vec<Vec<Neighbor>> {
    let search = Search { k, params: &ParamSet::empty(), filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
    let mut outs = vec![TopK::new(k); count];
    let queries = f.queries().slice(from..from + count);
    index.search_many(f.rows(), queries, &search, &mut Scratch::new(), &mut outs).unwrap();
    outs.into_iter().map(TopK::into_sorted).collect()
}

#[test]
fn the_suite_passes_with_any_device() {
    let faults = [Fault::None, Fault::Scan(3, failed()), Fault::Scan(50, lost()), Fault::ThrownOut, Fault::ThrowsOut];
    for fault in faults {
        println!("{fault:?}");
        let about = fault.clone();
        let trial = Arc::new(Trial::new(fault));
        let (device, _) = trial_device(&trial, Plan::Always);
        // Work is counted otherwise where the CPU helped out, so that two indexes may count differently.
        let all = ["answers", "takes", "leaves", "returns", "finds", "is ", "lives", "refuses", "stops"];
        let some = if matches!(about, Fault::None) { &all[..] } else { &all[..4] };
        let is_run = |name: &str| some.iter().any(|prefix| name.starts_with(prefix));
        for (name, check) in CHECKS.iter().filter(|(name, _)| is_run(name)) {
            println!("{name}");
            with_device(&device, || check(&GpuBruteForce));
        }
        assert!(trial.scans().len() >= 50, "the device was asked");
        assert_eq!(device.counts().resident_bytes(), 0, "all rows are gone with their indexes");
    }
}

#[test]
fn rows_are_uploaded_once_and_again_when_thrown_out() {
    let f = fixture(500);
    let trial = Arc::new(Trial::new(Fault::None));
    let (device, told) = trial_device(&trial, Plan::Always);
    let index = built(&f, &device);
    assert_eq!(index.describe(), "GPU_BRUTE_FORCE over 500 of 500 rows, on cuda:0 (trial)");
    assert_eq!(trial.uploads(), 0);
    for count in [1, 7, 40] {
        assert_eq!(by_device(&*index, &f, 0, count, K).unwrap(), by_cpu(&*index, &f, 0, count, K));
    }
    assert_eq!((trial.uploads(), trial.scans()), (1, vec![1, 7, 40]));
    assert_eq!(device.counts().resident_bytes(), 500 * 8 * 4);
    trial.throw_out();
    assert_eq!(by_device(&*index, &f, 3, 1, K).unwrap(), by_cpu(&*index, &f, 3, 1, K));
    assert_eq!((trial.uploads(), device.counts().evictions()), (2, 1));
    assert_eq!(device.counts().resident_bytes(), 500 * 8 * 4);
    let batches = device.counts().batches();
    assert_eq!((batches[0], batches[3], batches[6], batches.iter().sum::<u64>()), (2, 1, 1, 4));
    assert_eq!((device.counts().batched_queries(), device.counts().searches()), (49, 4));
    drop(index);
    assert_eq!((device.counts().resident_bytes(), device.counts().fallbacks()), (0, 0));
    assert!(told.lock().is_empty());
}

#[test]
fn failures_are_told_once_and_a_lost_device_is_left_alone() {
    let f = fixture(300);
    for (fault, kinds, scans) in [
        (Fault::Scan(1, failed()), "no memory just now", 4),
        (Fault::Scan(1, lost()), "it fell off the bus", 1),
        (Fault::ThrownOut, "thrown out", 8),
        (Fault::Upload(BackendError::Memory { need: 9, budget: 5 }), "", 0),
    ] {
        let about = format!("{fault:?}");
        let trial = Arc::new(Trial::new(fault));
        let (device, told) = trial_device(&trial, Plan::Always);
        let index = built(&f, &device);
        for query in 0..4 {
            assert_eq!(by_device(&*index, &f, query, 1, K), None);
        }
        assert_eq!(trial.scans().len(), scans, "{about}");
        let told = told.lock();
        assert!(told.len() == 1 && told[0].starts_with("cuda:0 (trial): ") && told[0].contains(kinds), "{told:?}");
        let is_lost = scans == 1;
        assert_eq!(device.counts().fallbacks(), if is_lost { 1 } else { 4 });
        assert_eq!(matches!(device.standing(), Standing::Gone(_)), is_lost);
        if is_lost {
            assert!(index.describe().ends_with("on cpu (the device was lost: it fell off the bus)"));
            assert_eq!(device.counts().resident_bytes(), 0);
        }
        // What is too large is not sent again and again.
        assert!(trial.uploads() <= scans.max(1), "{} uploads", trial.uploads());
    }
}

#[test]
fn little_work_stays_with_the_cpu() {
    let trial = Arc::new(Trial::new(Fault::None));
    let (device, _) = trial_device(&trial, Plan::Measured);
    let small = fixture(30);
    assert_eq!(by_device(&*built(&small, &device), &small, 0, 1, K), None);
    // 8 MiB take the CPU a microsecond of the test's clock, and the trip to the device ten.
    let large = Fixture::clustered(ElementType::F32, Metric::L2, 300_000, 8, 3);
    let index = built(&large, &device);
    assert_eq!(by_device(&*index, &large, 0, 4, K), None);
    assert_eq!(by_device(&*index, &large, 0, 20, K), Some(by_cpu(&*index, &large, 0, 20, K)));
    assert_eq!(trial.scans(), [20]);
    // Thrown out, rows come back when searches have missed as much as the upload takes: 9.6 ms here.
    trial.throw_out();
    let mut missed = 0;
    while by_device(&*index, &large, 0, 40, K).is_none() {
        missed += 1;
        assert!(missed < 1_000_000, "they never come back");
    }
    assert!(missed > 10, "only {missed} searches went without");
    assert_eq!((trial.uploads(), device.counts().fallbacks()), (2, 0));
}

#[test]
fn what_a_device_cannot_do_is_left_to_the_cpu() {
    let f = fixture(200);
    let trial = Arc::new(Trial::new(Fault::None));
    let (device, _) = trial_device(&trial, Plan::Always);
    let index = built(&f, &device);
    let params = ParamSet::empty();
    let cancel = Cancel::new();
    let search = Search { k: K, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let ask = |search: &Search<'_>, queries: AnyRows<'_>, outs: &mut [TopK]| {
        index.search_on_device(f.rows(), queries, search, outs)
    };
    let one = || f.queries().slice(0..1);
    let range = KeyRange { lower: 0.0, upper: 5.0 };
    assert_eq!(ask(&Search { range, ..search }, one(), &mut [TopK::new(K)]), None);
    assert_eq!(ask(&Search { k: 0, ..search }, one(), &mut [TopK::new(0)]), None);
    let holder = ask(&search, one(), &mut [TopK::new(K + 1)]);
    assert_eq!(holder, Some(Err(SearchError::Holder { want: K, got: K + 1 })));
    let other = Fixture::clustered(ElementType::F32, Metric::L2, 1, 9, 3);
    let dim = ask(&search, other.queries().slice(0..1), &mut [TopK::new(K)]);
    assert_eq!(dim, Some(Err(SearchError::Dim { want: 8, got: 9 })));
    let nan = Fixture::new(ElementType::F32, Metric::L2, 8, &[], &[f32::NAN; 8]);
    let finite = ask(&search, nan.queries(), &mut [TopK::new(K)]);
    assert!(matches!(finite, Some(Err(SearchError::NotFinite { position: 0, .. }))));
    cancel.cancel();
    assert_eq!(ask(&search, one(), &mut [TopK::new(K)]), Some(Err(SearchError::Cancelled)));
    assert!(trial.scans().is_empty());
    let error = Spec::new(&GpuBruteForce, ElementType::F32, 8, Metric::L2, vec![("nlist".into(), "5".into())]);
    let error = std::error::Error::source(&error.unwrap_err()).unwrap().to_string();
    assert!(error.contains("nlist"), "{error}");
    for (element, metric) in [(ElementType::I8, Metric::L2), (ElementType::Binary, Metric::Hamming)] {
        assert!(Spec::new(&GpuBruteForce, element, 8, metric, vec![]).is_err());
    }
}

/// A gate that the first scan waits at, and an index whose device has it.
fn gated(f: &Fixture, fault: Fault) -> (Arc<Gate>, Arc<Trial>, Arc<Device>, Box<dyn Index>) {
    let gate = Arc::new(Gate::default());
    let trial = Arc::new(Trial::behind(&gate, fault));
    let (device, _) = trial_device(&trial, Plan::Always);
    let index = built(f, &device);
    (gate, trial, device, index)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if done() {
            return;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    panic!("timed out: {what}");
}

#[test]
fn searches_that_come_during_a_scan_go_together_and_each_gets_its_own() {
    let f = fixture(400);
    let (gate, trial, _, index) = gated(&f, Fault::None);
    thread::scope(|scope| {
        let ask = |query: usize| {
            let (index, f) = (&index, &f);
            // Some want many rows, which is a batch of its own.
            let (count, k) = (1 + query % 3, if query % 8 == 7 { 300 } else { 1 + query % 9 });
            let search = move || {
                let got = by_device(&**index, f, query, count, k).unwrap();
                assert_eq!(got, by_cpu(&**index, f, query, count, k), "query {query}");
            };
            scope.spawn(search)
        };
        ask(0);
        until("the first scan", || trial.scans().len() == 1);
        let others: Vec<_> = (1..33).map(ask).collect();
        // All others stand in line while the first one scans.
        until("a line", || waiting(&*index) >= 32);
        gate.open();
        others.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let scans = trial.scans();
    assert_eq!(scans.len(), 3, "the first, those of few rows, those of many: {scans:?}");
    assert_eq!(scans.iter().sum::<usize>(), (0..33).map(|query| 1 + query % 3).sum::<usize>());
}

/// Searches in line.
fn waiting(index: &dyn Index) -> usize {
    let text = format!("{index:?}");
    text.matches("Ticket {").count()
}

#[test]
fn a_line_is_bounded_and_who_leaves_it_harms_nobody() {
    let f = fixture(400);
    let (gate, trial, device, index) = gated(&f, Fault::None);
    let cancels: Vec<Cancel> = (0..12).map(|_| Cancel::new()).collect();
    thread::scope(|scope| {
        let ask = |query: usize| {
            let (index, f, cancel) = (&index, &f, &cancels[query]);
            scope.spawn(move || {
                let params = ParamSet::empty();
                let search = Search { k: K, params: &params, filter: None, range: KeyRange::ALL, cancel };
                let mut outs = [TopK::new(K)];
                let done = index.search_on_device(f.rows(), f.queries().slice(query..query + 1), &search, &mut outs);
                let [out] = outs;
                (done.unwrap(), out.into_sorted())
            })
        };
        let first = ask(0);
        until("the first scan", || trial.scans().len() == 1);
        let others: Vec<_> = (1..12).map(ask).collect();
        until("a line", || waiting(&*index) == 11);
        cancels[1].cancel();
        cancels[6].cancel();
        until("a shorter line", || waiting(&*index) == 9);
        let too_many = vec![0.0; 8 * (device.options().waiting_queries + 1)];
        let many = Fixture::new(ElementType::F32, Metric::L2, 8, &[], &too_many);
        assert_eq!(by_device_over(&*index, &f, &many), None, "no more than that may wait");
        gate.open();
        assert_eq!(first.join().unwrap().1, by_cpu(&*index, &f, 0, 1, K)[0]);
        for (number, other) in others.into_iter().enumerate().map(|(number, other)| (number + 1, other)) {
            let (done, answer) = other.join().unwrap();
            if number == 1 || number == 6 {
                assert_eq!(done, Err(SearchError::Cancelled));
            } else {
                assert_eq!((done.is_ok(), answer), (true, by_cpu(&*index, &f, number, 1, K).remove(0)));
            }
        }
    });
    assert_eq!(trial.scans(), [1, 9]);
}

fn by_device_over(index: &dyn Index, f: &Fixture, queries: &Fixture) -> Option<Result<Stats, SearchError>> {
    let search =
        Search { k: K, params: &ParamSet::empty(), filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
    index.search_on_device(f.rows(), queries.queries(), &search, &mut vec![TopK::new(K); queries.query_count()])
}

#[test]
fn those_taken_along_outlive_a_scan_that_fails_or_panics() {
    let f = fixture(200);
    for fault in [Fault::Scan(2, failed()), Fault::Panic(2)] {
        let panics = matches!(fault, Fault::Panic(_));
        let (gate, trial, device, index) = gated(&f, fault);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let ask = |query: usize| {
                let (index, f) = (&index, &f);
                scope.spawn(move || by_device(&**index, f, query, 1, K))
            };
            let first = ask(0);
            until("the first scan", || trial.scans().len() == 1);
            let others: Vec<_> = (1..9).map(ask).collect();
            until("a line", || waiting(&*index) == 8);
            gate.open();
            assert_eq!(first.join().unwrap(), Some(by_cpu(&*index, &f, 0, 1, K)));
            others.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let panicked = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(panicked, usize::from(panics), "only the one that scanned");
        assert!(outcomes.into_iter().flatten().all(|answer| answer.is_none()), "the CPU finds these");
        assert_eq!(trial.scans(), [1, 8]);
        assert_eq!(device.counts().fallbacks(), 8 - u64::from(panics));
        // The next one scans as if nothing had been.
        assert_eq!(by_device(&*index, &f, 5, 1, K), Some(by_cpu(&*index, &f, 5, 1, K)));
    }
}

#[test]
fn who_waits_for_others_gets_them() {
    let f = fixture(200);
    let trial = Arc::new(Trial::new(Fault::None));
    let (open, _) = trial_device(&trial, Plan::Always);
    let options = Options { batch_queries: 4, batch_wait: Duration::from_secs(30), ..*open.options() };
    let (device, _) = crate::testing::trial_device_with(&trial, options);
    let index = built(&f, &device);
    thread::scope(|scope| {
        for query in 0..4 {
            let (index, f) = (&index, &f);
            scope.spawn(move || {
                assert_eq!(by_device(&**index, f, query, 1, K), Some(by_cpu(&**index, f, query, 1, K)));
            });
        }
    });
    assert_eq!(trial.scans(), [4]);
}

#[test]
fn a_device_opens_once_and_says_why_it_did_not() {
    #[derive(Debug)]
    struct Nothing;
    impl Host for Nothing {
        fn open(&self) -> Result<Arc<dyn Backend>, String> {
            Err("no device was found".to_owned())
        }
        fn now(&self) -> Duration {
            Duration::ZERO
        }
        fn warn(&self, text: &str) {
            panic!("nothing to warn of: {text}");
        }
        fn note(&self, _text: &str) {}
    }
    let device = Device::new(Box::new(Nothing), Options::default());
    assert_eq!(device.standing(), Standing::Closed);
    let f = fixture(50);
    let index = built(&f, &device);
    assert_eq!(by_device(&*index, &f, 0, 1, K), None);
    assert_eq!(device.wait().unwrap_err(), "no device was found");
    assert_eq!(index.describe(), "GPU_BRUTE_FORCE over 50 of 50 rows, on cpu (no device was found)");
    assert_eq!(by_device(&*index, &f, 0, 1, K), None);
    let cx =
        BuildCx { pool: None, seed: 1, cancel: &Cancel::new(), progress: &crate::no_progress, device: Some(&device) };
    assert!(cx.backend().is_none() && BuildCx { device: None, ..cx }.backend().is_none());
    let none = build_on(1, &GpuBruteForce, &f, None);
    assert_eq!(none.describe(), "GPU_BRUTE_FORCE over 50 of 50 rows, on cpu");
    assert_eq!(by_device(&*none, &f, 0, 1, K), None);
}
