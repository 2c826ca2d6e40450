//! Collections whose indexes stay on disk: small memory, right answers, damage by name.

use super::*;
use crate::*;
use elanus_kernels::rng::Rng;
use elanus_segment::dir::{Dir, FsDir, MemDir};
use std::time::Duration;

const DIM: usize = 32;
const ROWS: i64 = 6_000;
const K: usize = 10;

/// Rows about centres; row `i` has key `i`.
fn vectors(seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let centres: Vec<f32> = (0..60 * DIM).map(|_| rng.normal()).collect();
    let mut data = Vec::new();
    for _ in 0..ROWS {
        let centre = rng.below(60) as usize;
        data.extend(centres[centre * DIM..][..DIM].iter().map(|c| c + 0.5 * rng.normal()));
    }
    data
}

fn settings(mib: u64) -> Settings {
    Settings { disk_index_memory_mib: mib, search_threads: 1, build_threads: 1, ..Settings::default() }
}

fn open(dir: Arc<dyn Dir>, mib: u64) -> Result<Db> {
    Db::builder().dir(dir).settings(settings(mib)).open()
}

fn make(db: &Db, name: &str, index_type: &str) -> Collection {
    let fields =
        vec![Field::new("id", DataType::Int64).primary(), Field::new("v", DataType::FloatVector).dim(DIM as u32)];
    let schema = Schema::new("", fields, false).unwrap();
    let collection = db.create_collection("", CreateCollection::new(name, schema)).unwrap();
    let given = [("index_type", index_type), ("metric_type", "L2")];
    collection.create_index("v", "", given.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()).unwrap();
    collection.load(&[]).unwrap();
    collection
}

fn fill(collection: &Collection, data: &[f32]) {
    let request = Insert {
        row_count: ROWS as usize,
        columns: vec![
            ("id".into(), Column::full(ColumnData::Int64((0..ROWS).collect()))),
            ("v".into(), Column::full(ColumnData::FloatVector { dim: DIM, data: data.to_vec() })),
        ],
        ..Insert::default()
    };
    collection.insert(request).unwrap();
    collection.flush().unwrap();
    wait("the index", || collection.indexes()[0].state != IndexState::InProgress);
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("timed out: {what}");
}

fn find(collection: &Collection, query: &[f32]) -> Result<Vec<i64>> {
    let mut request = SearchRequest::new(Queries::F32 { dim: DIM, data: query.to_vec() });
    request.limit = K;
    request.params = vec![("search_list".into(), "100".into())];
    let Keys::Int(keys) = collection.search(&request)?.keys else { panic!("integer keys") };
    Ok(keys)
}

fn recall(collection: &Collection, data: &[f32]) -> f64 {
    let kernel = elanus_kernels::Kernel::<f32>::new(Metric::L2).unwrap();
    let (mut sum, mut count) = (0, 0);
    for query in data.chunks(DIM).step_by(61) {
        let mut all: Vec<(f32, i64)> =
            data.chunks(DIM).zip(0..).map(|(row, id)| (kernel.pair(query, row), id)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let found = find(collection, query).unwrap();
        assert_eq!(found.len(), K);
        sum += all[..K].iter().filter(|(_, id)| found.contains(id)).count();
        count += K;
    }
    sum as f64 / count as f64
}

/// Bytes in memory of the only index.
fn footprint(collection: &Collection) -> u64 {
    let view = collection.state().shard.sealed()[0].data.view();
    view.index(1).map_or(0, |index| index.footprint_bytes())
}

#[test]
fn a_small_budget_is_kept_and_answers_stay_good() {
    let data = vectors(1);
    for index_type in ["DISKANN", "AISAQ"] {
        let root = tempfile::tempdir().unwrap();
        for round in 0..2 {
            let db = open(Arc::new(FsDir::new(root.path())), 1).unwrap();
            let collection = if round == 0 {
                let made = make(&db, "c", index_type);
                fill(&made, &data);
                made
            } else {
                db.collection("", "c").unwrap()
            };
            assert_eq!(collection.indexes()[0].state, IndexState::Finished, "{:?}", collection.indexes());
            let (found, kept) = (recall(&collection, &data), footprint(&collection));
            let held = db.inner.disk.total - db.inner.disk.left();
            println!("{index_type}: recall {found:.4}, {kept} bytes kept, {held} held");
            assert!(found >= 0.95, "{index_type}: {found}");
            assert!(kept > 0 && kept <= held && held <= 1 << 20, "{index_type}: {kept} bytes, {held} held");
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
            let own = root.path().to_str().unwrap();
            let mapped = |part: &str| maps.lines().any(|line| line.contains(own) && line.contains(part));
            assert!(!mapped("/index-"), "{index_type}: the index is mapped");
            assert!(maps.is_empty() || mapped("/data-"), "the vectors are");
        }
    }
}

#[test]
fn an_index_without_memory_is_named_and_its_rows_are_compared() {
    let (dir, data) = (MemDir::new(), vectors(2));
    let db = open(Arc::new(dir.clone()), 8).unwrap();
    let names = ["a", "b", "c"];
    for name in names {
        fill(&make(&db, name, "DISKANN"), &data);
    }
    drop(db);
    for mib in [1, 8] {
        let db = open(Arc::new(dir.clone()), mib).unwrap();
        let failures: Vec<String> = names
            .iter()
            .map(|name| {
                let collection = db.collection("", name).unwrap();
                assert!(recall(&collection, &data) >= 0.95);
                wait("the index", || collection.indexes()[0].state != IndexState::InProgress);
                collection.indexes().remove(0).failure
            })
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(failures.is_empty(), mib == 8, "{mib} MiB: {failures:?}");
        assert!(failures.iter().all(|text| text.contains("disk_index_memory_mib") && text.contains("index-")));
        assert!(db.inner.disk.left() < db.inner.disk.total);
        for name in names {
            let collection = db.collection("", name).unwrap();
            collection.release(&[]).unwrap();
            collection.drop_index("v").unwrap();
        }
        wait("the memory", || db.inner.disk.left() == db.inner.disk.total);
        for name in names {
            make_again(&db.collection("", name).unwrap());
        }
    }
    let error = open(Arc::new(dir), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("disk_index_memory_mib"), "{error}");
}

fn make_again(collection: &Collection) {
    let given = [("index_type", "DISKANN"), ("metric_type", "L2")];
    collection.create_index("v", "", given.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()).unwrap();
    collection.load(&[]).unwrap();
    wait("the index", || collection.indexes()[0].state != IndexState::InProgress);
}

#[test]
fn damage_is_named_when_it_is_opened_or_read() {
    let (dir, data) = (MemDir::new(), vectors(3));
    let db = open(Arc::new(dir.clone()), 1).unwrap();
    fill(&make(&db, "c", "DISKANN"), &data);
    drop(db);
    let path = dir.paths().into_iter().find(|path| path.contains("index-")).unwrap();
    let (name, bytes) = (path.rsplit('/').next().unwrap(), dir.read(&path).unwrap());
    let attempt = |bytes: Vec<u8>| {
        let twin = MemDir::new();
        dir.paths().iter().for_each(|path| twin.put(path, dir.read(path).unwrap()).unwrap());
        twin.put(&path, bytes).unwrap();
        let db = open(Arc::new(twin), 1)?;
        let collection = db.collection("", "c")?;
        data.chunks(DIM).step_by(61).map(|query| find(&collection, query)).collect::<Result<Vec<_>>>()
    };
    let sound = attempt(bytes.clone()).unwrap();
    let mut refused = 0;
    for part in 0..16 {
        let mut flipped = bytes.clone();
        let at = (bytes.len() - 1) * part / 16 + 20;
        flipped[at] ^= 4;
        match attempt(flipped) {
            Ok(found) => assert_eq!(found, sound, "a flip at {at}"),
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::Corrupt, "a flip at {at}: {error}");
                assert!(error.to_string().contains(name), "a flip at {at}: {error}");
            }
        }
    }
    assert!(refused >= 8, "{refused} of 16 flips were noticed");
    for part in 0..8 {
        let error = attempt(bytes[..bytes.len() * part / 8].to_vec()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cut to {part}/8: {error}");
        assert!(error.to_string().contains(name), "cut to {part}/8: {error}");
    }
}
