//! Suites of the catalog's storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use elanus_kernels::rng::Rng;
use elanus_segment::dir::{CrashDir, Dir};

use super::{History, bytes, each_image};
use crate::meta::{Check, MAX_KEY_BYTES, MAX_VALUE_BYTES, Meta, MetaError, Op};

type Model = BTreeMap<String, Vec<u8>>;

fn put(key: &str, value: &[u8]) -> Op {
    Op::Put { key: key.to_owned(), value: value.to_vec() }
}

fn delete(key: &str) -> Op {
    Op::Delete { key: key.to_owned() }
}

fn everything(meta: &dyn Meta) -> Model {
    meta.scan("").expect("the catalog can be read").into_iter().collect()
}

/// Checks a catalog; `make` gives an empty one.
///
/// # Panics
/// Where the catalog departs from [`Meta`].
pub fn meta_suite(make: &dyn Fn() -> Arc<dyn Meta>) {
    commits_are_read(&*make());
    checks_decide(&*make());
    scans_keep_to_their_prefix(&*make());
    lengths_are_bounded(&*make());
    random_commits_match_a_map(&*make());
    a_counter_loses_no_step(&*make());
    a_closed_catalog_refuses(&*make());
    closing_waits_for_what_is_under_way(&*make());
}

fn commits_are_read(meta: &dyn Meta) {
    assert_eq!(meta.rev().expect("the revision can be read"), 0);
    assert_eq!(meta.get("a").expect("the catalog can be read"), None);
    let rev = meta.commit(&[], &[put("a", b"1"), put("b", b""), delete("missing")]).expect("a commit happens");
    assert_eq!(rev, 1);
    assert_eq!(meta.get("a").expect("the catalog can be read").as_deref(), Some(&b"1"[..]));
    assert_eq!(meta.get("b").expect("the catalog can be read").as_deref(), Some(&b""[..]));
    // The last change of a key counts.
    let rev = meta.commit(&[], &[put("a", b"2"), delete("a"), put("b", b"3"), put("b", b"4")]);
    assert_eq!(rev.expect("a commit happens"), 2);
    assert_eq!(everything(meta), Model::from([("b".to_owned(), b"4".to_vec())]));
    assert_eq!(meta.commit(&[], &[]).expect("an empty commit happens"), 2, "nothing has changed");
    assert_eq!(meta.rev().expect("the revision can be read"), 2);
}

fn checks_decide(meta: &dyn Meta) {
    let absent = |key: &str| Check::Absent { key: key.to_owned() };
    let present = |key: &str| Check::Present { key: key.to_owned() };
    let equals = |key: &str, value: &[u8]| Check::Equals { key: key.to_owned(), value: value.to_vec() };
    meta.commit(&[absent("k")], &[put("k", b"1")]).expect("the key is absent");
    let refused = [
        (vec![absent("k")], "k"),
        (vec![present("other")], "other"),
        (vec![equals("k", b"2")], "k"),
        (vec![equals("other", b"")], "other"),
        (vec![present("k"), equals("k", b"1"), absent("k")], "k"),
    ];
    for (checks, named) in refused {
        match meta.commit(&checks, &[put("k", b"9"), put("new", b"9")]) {
            Err(MetaError::Conflict { key }) => assert_eq!(key, named, "{checks:?}"),
            other => panic!("{checks:?} gave {other:?}"),
        }
        assert!(matches!(meta.commit(&checks, &[]), Err(MetaError::Conflict { .. })), "{checks:?}");
    }
    assert_eq!(everything(meta), Model::from([("k".to_owned(), b"1".to_vec())]), "a refused commit changes nothing");
    assert_eq!(meta.rev().expect("the revision can be read"), 1);
    let checks = [present("k"), equals("k", b"1"), absent("new")];
    assert_eq!(meta.commit(&checks, &[delete("k"), put("new", b"")]).expect("all checks hold"), 2);
    assert_eq!(everything(meta), Model::from([("new".to_owned(), Vec::new())]));
}

fn scans_keep_to_their_prefix(meta: &dyn Meta) {
    let keys = ["a", "a/", "a/1", "a/10", "a/2", "a0", "b/1", "\u{e9}/1", "\u{10ffff}"];
    let ops: Vec<Op> = keys.iter().rev().map(|key| put(key, key.as_bytes())).collect();
    meta.commit(&[], &ops).expect("a commit happens");
    for prefix in ["", "a", "a/", "a/1", "a/10", "a/100", "b", "c", "\u{e9}", "\u{10ffff}"] {
        let expected: Vec<&str> = keys.into_iter().filter(|key| key.starts_with(prefix)).collect();
        let found = meta.scan(prefix).expect("the catalog can be read");
        let found_keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(found_keys, expected, "{prefix:?}");
        assert!(found.iter().all(|(key, value)| key.as_bytes() == value));
    }
}

fn lengths_are_bounded(meta: &dyn Meta) {
    let longest = "k".repeat(MAX_KEY_BYTES);
    meta.commit(&[], &[put(&longest, b"v")]).expect("the longest key is allowed");
    for key in ["", &format!("{longest}k")] {
        let refused = meta.commit(&[], &[put("other", b""), put(key, b"")]);
        assert!(matches!(refused, Err(MetaError::KeyLength { len, limit: MAX_KEY_BYTES }) if len == key.len()));
    }
    let value = vec![0; MAX_VALUE_BYTES + 1];
    let refused = meta.commit(&[], &[Op::Put { key: "v".to_owned(), value }]);
    assert!(matches!(refused, Err(MetaError::ValueLength { key, .. }) if key == "v"));
    assert_eq!(everything(meta).len(), 1, "a refused commit changes nothing");
    let large = vec![7; 1 << 20];
    meta.commit(&[], &[put("large", &large)]).expect("a large value is allowed");
    assert_eq!(meta.get("large").expect("the catalog can be read"), Some(large));
}

/// Changes some keys of the model and returns the operations.
fn random_ops(rng: &mut Rng, model: &mut Model) -> Vec<Op> {
    let mut ops = Vec::new();
    for _ in 0..1 + rng.below(5) {
        let key = format!("key/{}", rng.below(20));
        if rng.below(3) == 0 {
            model.remove(&key);
            ops.push(Op::Delete { key });
        } else {
            let len = if rng.below(8) == 0 { 6000 } else { rng.below(100) };
            let value = bytes(rng, len);
            model.insert(key.clone(), value.clone());
            ops.push(Op::Put { key, value });
        }
    }
    ops
}

fn random_commits_match_a_map(meta: &dyn Meta) {
    let mut rng = Rng::new(11);
    let mut model = Model::new();
    for rev in 1..=50 {
        let ops = random_ops(&mut rng, &mut model);
        assert_eq!(meta.commit(&[], &ops).expect("a commit happens"), rev);
        assert_eq!(everything(meta), model);
        let key = format!("key/{}", rng.below(20));
        assert_eq!(meta.get(&key).expect("the catalog can be read").as_ref(), model.get(&key));
    }
}

fn a_counter_loses_no_step(meta: &dyn Meta) {
    const THREADS: u64 = 4;
    const STEPS: u64 = 10;
    meta.commit(&[], &[put("n", b"0")]).expect("a commit happens");
    let step = || loop {
        let found = meta.get("n").expect("the catalog can be read").expect("the counter is there");
        let count: u64 = String::from_utf8_lossy(&found).parse().expect("the counter is a number");
        let check = Check::Equals { key: "n".to_owned(), value: found };
        match meta.commit(&[check], &[put("n", (count + 1).to_string().as_bytes())]) {
            Ok(_) => break,
            Err(MetaError::Conflict { .. }) => {}
            Err(other) => panic!("a step failed: {other}"),
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..STEPS).for_each(|_| step()));
        }
    });
    assert_eq!(everything(meta)["n"], (THREADS * STEPS).to_string().as_bytes());
    assert_eq!(meta.rev().expect("the revision can be read"), 1 + THREADS * STEPS);
}

fn assert_closed<T: std::fmt::Debug>(result: Result<T, MetaError>) {
    assert!(matches!(result, Err(MetaError::Closed)), "{result:?}");
}

fn a_closed_catalog_refuses(meta: &dyn Meta) {
    meta.commit(&[], &[put("a", b"1")]).expect("a commit happens");
    for _again in 0..2 {
        meta.close();
        assert_closed(meta.get("a"));
        assert_closed(meta.scan(""));
        assert_closed(meta.rev());
        assert_closed(meta.commit(&[], &[put("a", b"2")]));
        assert_closed(meta.commit(&[], &[]));
        assert_closed(meta.commit(&[Check::Absent { key: "a".to_owned() }], &[]));
    }
}

fn closing_waits_for_what_is_under_way(meta: &dyn Meta) {
    const THREADS: u64 = 3;
    let begun = std::sync::Barrier::new(1 + THREADS as usize);
    let work = || {
        meta.commit(&[], &[put("a", b"1")]).expect("a commit happens");
        begun.wait();
        loop {
            match meta.commit(&[], &[put("a", b"2")]) {
                Ok(_) => {}
                Err(MetaError::Closed) => return,
                Err(other) => panic!("a commit failed: {other}"),
            }
        }
    };
    std::thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
        begun.wait();
        meta.close();
        assert_closed(meta.commit(&[], &[put("a", b"3")]));
    });
}

/// Stops the machine at every moment of a run and checks that the catalog that is opened then is the one that the last
/// acknowledged commit left, or the one that the commit under way would leave.
///
/// # Panics
/// Where the catalog is another one.
pub fn meta_crash_suite(open: &dyn Fn(Arc<dyn Dir>) -> Arc<dyn Meta>) {
    let dir = CrashDir::new();
    let mut rng = Rng::new(12);
    let mut model = Model::new();
    let mut history = History::starting_with(model.clone());
    for _run in 0..3 {
        // Closed and opened in between, so that both are among the moments.
        let began = dir.op_count();
        let meta = open(Arc::new(dir.clone()));
        history.step(&dir, began, model.clone());
        for _ in 0..4 {
            let began = dir.op_count();
            let ops = random_ops(&mut rng, &mut model);
            meta.commit(&[], &ops).expect("a commit happens");
            history.step(&dir, began, model.clone());
        }
    }
    each_image(&dir, &mut |op_count, seed, image| {
        let at = format!("crash after {op_count} operations, seed {seed}");
        let (promised, under_way) = history.around(op_count);
        let meta = open(Arc::new(image.clone()));
        let found = everything(&*meta);
        assert!(&found == promised || Some(&found) == under_way, "{at}: the catalog is neither before nor after");
        meta.commit(&[], &[put("after the crash", b"1")]).expect("a commit happens");
        drop(meta);
        let mut expected = found;
        expected.insert("after the crash".to_owned(), b"1".to_vec());
        assert!(everything(&*open(Arc::new(image))) == expected, "{at}: the catalog does not go on");
    });
}
