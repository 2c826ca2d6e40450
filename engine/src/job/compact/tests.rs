//! Indexes of merged segments are made of those of the parts.

use crate::*;
use elanus_segment::dir::MemDir;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn open(dir: &MemDir) -> Db {
    let settings = Settings { retention_ms: 0, ..Settings::default() };
    Db::builder().dir(Arc::new(dir.clone())).settings(settings).open().unwrap()
}

fn vector(id: i64) -> [f32; 4] {
    let angle = id as f32;
    [angle.sin(), (1.7 * angle).cos(), (2.3 * angle).sin(), (0.6 * angle).cos()]
}

fn made(db: &Db) -> Collection {
    let fields = vec![Field::new("id", DataType::Int64).primary(), Field::new("v", DataType::FloatVector).dim(4)];
    let schema = Schema::new("", fields, false).unwrap();
    let collection = db.create_collection("", CreateCollection::new("c", schema)).unwrap();
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "8"), ("efConstruction", "40")];
    let params = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    collection.create_index("v", "", params).unwrap();
    collection.load(&[]).unwrap();
    collection
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("timed out: {what}");
}

fn sealed(collection: &Collection, ids: Range<i64>) {
    let data = ids.clone().flat_map(vector).collect();
    let columns = vec![
        ("id".into(), Column::full(ColumnData::Int64(ids.clone().collect()))),
        ("v".into(), Column::full(ColumnData::FloatVector { dim: 4, data })),
    ];
    collection.insert(Insert { row_count: ids.count(), columns, ..Insert::default() }).unwrap();
    let flushed = collection.flush().unwrap();
    wait("sealing", || collection.is_flushed(&flushed.segments));
    wait("indexing", || collection.indexes().iter().all(|one| one.state == IndexState::Finished));
}

/// Every row that is left is the nearest to its vector, and no other row is.
fn check(collection: &Collection) {
    for id in (0..2400).step_by(7) {
        let mut request = SearchRequest::new(Queries::F32 { dim: 4, data: vector(id).to_vec() });
        request.limit = 1;
        let Keys::Int(keys) = collection.search(&request).unwrap().keys else { panic!("integer keys") };
        assert!(keys.len() == 1 && (keys[0] == id) == (id % 10 != 3), "{keys:?} for {id}");
    }
}

#[test]
fn an_index_is_made_of_those_of_the_parts() {
    let dir = MemDir::new();
    let db = open(&dir);
    let collection = made(&db);
    sealed(&collection, 0..1500);
    sealed(&collection, 1500..2400);
    let filter = "id % 10 == 3".to_owned();
    assert_eq!(collection.delete(&Delete { filter, ..Delete::default() }).unwrap().count, 240);
    let job = collection.compact().unwrap();
    wait("compaction", || !db.compaction(job).unwrap().executing);
    wait("one segment", || collection.segments().len() == 1);
    assert_eq!(collection.segments()[0].indexes, ["v"]);
    assert!(db.inner.jobs.indexes_merged.load(Ordering::Relaxed) > 0);
    check(&collection);
    drop((db, collection));
    let db = open(&dir);
    check(&db.collection("", "c").unwrap());
}
