//! Crashes at every sync: whatever a crash leaves on the disk, recovery finds every acknowledged write, whole.

use elanus::{Collection, Db, Delete, Settings};
use elanus_kernels::rng::Rng;
use elanus_segment::dir::{CrashDir, Dir, MemDir};
use elanus_tests::{Model, make, read, rows, wait};
use std::sync::Arc;

/// Images of each moment.
const SEEDS: u64 = 4;
const STEPS: usize = 60;

/// Small limits, so that a short run seals, checkpoints, cuts the log and merges.
fn settings() -> Settings {
    Settings {
        seal_rows: 40,
        wal_file_bytes: 8 << 10,
        checkpoint_wal_bytes: 16 << 10,
        retention_ms: 0,
        search_threads: 1,
        build_threads: 1,
        ..Settings::default()
    }
}

fn open(dir: Arc<dyn Dir>) -> elanus::Result<Db> {
    Db::builder().dir(dir).settings(settings()).open()
}

/// One acknowledged state: from this operation of the directory on, it or a later one must be found.
struct Acknowledged {
    op: usize,
    state: Model,
}

/// Does one random write and applies it to the model.
fn step(collection: &Collection, rng: &mut Rng, model: &mut Model) {
    let batch = |rng: &mut Rng, fresh: i64| -> Model {
        let first = fresh + rng.below(80) as i64;
        (first..first + 1 + rng.below(12) as i64).map(|id| (id, rng.below(1_000) as i32)).collect()
    };
    match rng.below(10) {
        0..=3 => {
            let next = model.keys().next_back().map_or(0, |id| id + 1);
            let new: Model = batch(rng, next);
            collection.insert(rows(&new)).expect("insert");
            model.extend(new);
        }
        4..=6 => {
            let new = batch(rng, 0);
            collection.upsert(rows(&new)).expect("upsert");
            model.extend(new);
        }
        7..=8 => {
            let from = rng.below(200) as i64;
            let filter = format!("id >= {from} and id < {} and n % 3 != 0", from + 15);
            collection.delete(&Delete { filter, ..Delete::default() }).expect("delete");
            model.retain(|id, n| !((from..from + 15).contains(id) && *n % 3 != 0));
        }
        _ => {
            let flushed = collection.flush().expect("flush");
            wait("sealing", || collection.is_flushed(&flushed.segments));
            if rng.below(3) == 0 {
                collection.compact().expect("compact");
            }
        }
    }
}

fn run(dir: &CrashDir, seed: u64, start: Model) -> Vec<Acknowledged> {
    let db = open(Arc::new(dir.clone())).expect("the database opens");
    let mut history = Vec::new();
    let collection = if start.is_empty() { make(&db) } else { db.collection("", "c") }.expect("the collection");
    let mut model = start;
    history.push(Acknowledged { op: dir.op_count(), state: model.clone() });
    let mut rng = Rng::new(seed);
    for _ in 0..STEPS {
        step(&collection, &mut rng, &mut model);
        assert_eq!(read(&collection).expect("reads back"), model);
        history.push(Acknowledged { op: dir.op_count(), state: model.clone() });
    }
    history
}

/// What an image holds; `None` if the crash came before the collection was there.
fn recovered(image: &MemDir) -> Option<Model> {
    let db = open(Arc::new(image.clone())).unwrap_or_else(|error| panic!("recovery failed: {error}"));
    let collection = db.collection("", "c").ok()?;
    collection.load(&[]).ok()?;
    Some(read(&collection).expect("reads back"))
}

fn check(dir: &CrashDir, history: &[Acknowledged], image_seed: u64) -> usize {
    let mut images = 0;
    for point in dir.sync_points() {
        let last = history.iter().rposition(|one| one.op <= point);
        for image in dir.images(point, image_seed, SEEDS) {
            images += 1;
            let found = recovered(&image);
            let Some(last) = last else { continue };
            // The write in flight may have become durable before it was acknowledged: it is there whole, or not at all.
            let allowed: Vec<&Model> = history[last..].iter().take(2).map(|one| &one.state).collect();
            let found = found.unwrap_or_else(|| panic!("operation {point}: the collection is gone"));
            assert!(allowed.contains(&&found), "operation {point}: found {found:?}, allowed {allowed:?}");
        }
    }
    images
}

#[test]
fn every_crash_image_recovers_to_what_was_acknowledged() {
    let mut images = 0;
    for seed in [11, 12] {
        let dir = CrashDir::new();
        let history = run(&dir, seed, Model::new());
        images += check(&dir, &history, 0);
    }
    println!("{images} crash images recovered");
    assert!(images > 500, "only {images} images");
}

#[test]
fn a_crash_during_recovery_from_a_crash_loses_nothing() {
    let dir = CrashDir::new();
    let history = run(&dir, 21, Model::new());
    let points = dir.sync_points();
    let mut images = 0;
    for &point in points.iter().skip(points.len() / 2).step_by(points.len() / 10 + 1) {
        let image = dir.image(point, 3);
        let Some(state) = recovered(&image) else { continue };
        let again = CrashDir::starting_from(&image).expect("files in memory");
        drop(open(Arc::new(again.clone())).expect("the database opens"));
        for point in again.sync_points() {
            for image in again.images(point, 0, 2) {
                images += 1;
                let found = recovered(&image).expect("the collection");
                assert_eq!(found, state, "recovery is interrupted at operation {point}");
            }
        }
    }
    assert!(!history.is_empty());
    println!("{images} images of interrupted recoveries recovered");
    assert!(images > 0);
}
