//! Damaged and failing storage: an error that names the file, or data that are right; never a panic, never silence.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use elanus::{Collection, Db, Delete, ErrorKind, Settings};
use elanus_kernels::rng::Rng;
use elanus_segment::dir::{Dir, MemDir};
use elanus_segment::testing::FaultDir;
use elanus_tests::{Model, make, read, rows, wait};
use std::sync::Arc;

fn settings() -> Settings {
    Settings { checkpoint_wal_bytes: 0, search_threads: 1, build_threads: 1, ..Settings::default() }
}

fn open(dir: Arc<dyn Dir>) -> elanus::Result<Db> {
    Db::builder().dir(dir).settings(settings()).open()
}

fn model(range: std::ops::Range<i64>) -> Model {
    range.map(|id| (id, id as i32 * 7)).collect()
}

fn delete(collection: &Collection, filter: &str) -> elanus::Result<u64> {
    Ok(collection.delete(&Delete { filter: filter.into(), ..Delete::default() })?.count)
}

/// A data folder with every kind of file: catalog, log, columns, tombstones, index.
fn sample() -> (MemDir, Model) {
    let dir = MemDir::new();
    let db = open(Arc::new(dir.clone())).unwrap();
    let collection = make(&db).unwrap();
    collection.insert(rows(&model(0..300))).unwrap();
    let flushed = collection.flush().unwrap();
    wait("sealing", || collection.is_flushed(&flushed.segments));
    wait("the index", || collection.segments().iter().all(|one| !one.indexes.is_empty()));
    delete(&collection, "id < 20").unwrap();
    collection.flush().unwrap();
    wait("tombstones", || dir.paths().iter().any(|path| path.contains("tombstones")));
    collection.insert(rows(&model(300..350))).unwrap();
    let state = read(&collection).unwrap();
    assert_eq!(state.len(), 330);
    (dir, state)
}

fn copy(dir: &MemDir) -> MemDir {
    let twin = MemDir::new();
    for path in dir.paths() {
        twin.put(&path, dir.read(&path).unwrap()).unwrap();
    }
    twin
}

/// Opens a folder with one damaged file: refused with the file's name, or everything is there.
fn check(dir: &MemDir, path: &str, what: &str, state: &Model) -> bool {
    let attempt = open(Arc::new(dir.clone())).and_then(|db| {
        let collection = db.collection("", "c")?;
        read(&collection)
    });
    match attempt {
        Ok(found) if found == *state => false,
        Ok(found) => panic!("{what} of {path}: wrong data, {} rows", found.len()),
        Err(error) => {
            let text = error.to_string();
            let name = path.rsplit('/').next().unwrap();
            assert!(text.contains(name) || text.contains(path), "{what} of {path}: the error does not name it: {text}");
            assert_ne!(error.kind(), ErrorKind::Internal, "{what} of {path}: {text}");
            true
        }
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_named_or_harmless() {
    let (dir, state) = sample();
    let mut rng = Rng::new(5);
    for path in dir.paths() {
        let bytes = dir.read(&path).unwrap();
        let mut refused = 0;
        let tries = if bytes.is_empty() { 0 } else { 60 };
        for number in 0..tries {
            let mut damaged = bytes.clone();
            // The head of a file is where damage does most; the rest is sampled.
            let at = if number < 20 { number % bytes.len() } else { rng.below(bytes.len() as u64) as usize };
            damaged[at] ^= 1 << rng.below(8);
            let twin = copy(&dir);
            twin.put(&path, damaged).unwrap();
            refused += usize::from(check(&twin, &path, &format!("bit flip at {at}"), &state));
        }
        println!("{path}: {refused} of {tries} flips refused");
        // The catalog's own pages may be free ones; every other byte counts.
        let checked = !bytes.is_empty() && path.contains('/');
        assert!(!checked || refused == tries, "{path}: only {refused} of {tries} flips were noticed");
    }
}

#[test]
fn a_truncated_file_is_named_or_harmless() {
    let (dir, state) = sample();
    for path in dir.paths() {
        let bytes = dir.read(&path).unwrap();
        for part in 0..8 {
            let twin = copy(&dir);
            twin.put(&path, bytes[..bytes.len() * part / 8].to_vec()).unwrap();
            check(&twin, &path, &format!("cut to {part}/8"), &state);
        }
    }
}

#[test]
fn a_missing_object_is_named() {
    let (dir, _) = sample();
    for path in dir.paths().iter().filter(|path| path.contains("/data") || path.contains("index-")) {
        let twin = copy(&dir);
        twin.remove(path).unwrap();
        let error = open(Arc::new(twin)).err().unwrap_or_else(|| panic!("{path} is missing and nobody noticed"));
        let name = path.rsplit('/').next().unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_full_disk_refuses_writes_by_name_and_recovers() {
    let inner = MemDir::new();
    let dir = FaultDir::new(Arc::new(inner.clone()));
    let db = open(Arc::new(dir.clone())).unwrap();
    let collection = make(&db).unwrap();
    collection.insert(rows(&model(0..50))).unwrap();
    dir.byte_budget(1_000);
    let mut kept = model(0..50);
    let mut refused = 0;
    for part in 1..20 {
        let batch = model(part * 50..part * 50 + 50);
        match collection.insert(rows(&batch)) {
            Ok(_) => kept.extend(batch),
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}");
                assert!(error.to_string().contains("write-ahead log"), "{error}");
            }
        }
    }
    assert!(refused > 10, "only {refused} writes were refused");
    assert_eq!(read(&collection).unwrap(), kept, "reads go on, and refused writes are not there");
    dir.heal();
    let batch = model(2_000..2_050);
    collection.insert(rows(&batch)).unwrap_or_else(|error| panic!("there is room again: {error}"));
    kept.extend(batch);
    assert_eq!(read(&collection).unwrap(), kept);
    drop((db, collection));
    let db = open(Arc::new(inner)).unwrap();
    assert_eq!(read(&db.collection("", "c").unwrap()).unwrap(), kept);
}

#[test]
fn a_failed_sync_is_never_acknowledged() {
    let inner = MemDir::new();
    let dir = FaultDir::new(Arc::new(inner.clone()));
    let db = open(Arc::new(dir.clone())).unwrap();
    let collection = make(&db).unwrap();
    collection.insert(rows(&model(0..50))).unwrap();
    dir.fail_syncs_after(0);
    for part in 1..4 {
        let error = collection.insert(rows(&model(part * 50..part * 50 + 50))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert_eq!(read(&collection).unwrap(), model(0..50), "reads go on");
    dir.heal();
    let error = collection.insert(rows(&model(500..510))).unwrap_err();
    assert!(error.to_string().contains("reopen"), "a log whose sync failed is not trusted again: {error}");
    drop((db, collection));
    let db = open(Arc::new(inner)).unwrap();
    let found = read(&db.collection("", "c").unwrap()).unwrap();
    assert!(model(0..50).iter().all(|row| found.get(row.0) == Some(row.1)));
}

#[test]
fn a_second_opener_is_refused_by_name() {
    let dir = MemDir::new();
    let db = open(Arc::new(dir.clone())).unwrap();
    let error = open(Arc::new(dir.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("in use"), "{error}");
    db.close();
    open(Arc::new(dir)).unwrap();
}

#[test]
fn sealing_on_a_full_disk_keeps_the_rows_and_goes_on_later() {
    let inner = MemDir::new();
    let dir = FaultDir::new(Arc::new(inner.clone()));
    let db = open(Arc::new(dir.clone())).unwrap();
    let collection = make(&db).unwrap();
    collection.insert(rows(&model(0..200))).unwrap();
    dir.byte_budget(100);
    let flushed = collection.flush().unwrap();
    std::thread::park_timeout(std::time::Duration::from_millis(300));
    assert!(!collection.is_flushed(&flushed.segments), "there is no room to seal");
    assert_eq!(read(&collection).unwrap(), model(0..200));
    dir.heal();
    collection.flush().unwrap();
    wait("sealing", || collection.is_flushed(&flushed.segments));
    assert_eq!(read(&collection).unwrap(), model(0..200));
    drop((db, collection));
    let db = open(Arc::new(inner)).unwrap();
    assert_eq!(read(&db.collection("", "c").unwrap()).unwrap(), model(0..200));
}
