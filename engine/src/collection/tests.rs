//! A collection from the caller's side: what is written is read, whatever happens in between.

use crate::*;
use elanus_segment::dir::MemDir;
use std::sync::Arc;
use std::time::Duration;

fn schema() -> Schema {
    let fields = vec![
        Field::new("id", DataType::Int64).primary(),
        Field::new("v", DataType::FloatVector).dim(4),
        Field::new("n", DataType::Int32).nullable(),
        Field::new("name", DataType::VarChar).max_length(20).default_value(Value::String("none".into())),
    ];
    Schema::new("", fields, true).unwrap()
}

fn open(dir: &MemDir) -> Db {
    Db::builder().dir(Arc::new(dir.clone())).open().unwrap()
}

fn rows(ids: std::ops::Range<i64>, salt: f32) -> Insert {
    let vectors = ids.clone().flat_map(|id| [id as f32, salt, 1.0, 0.5]).collect();
    let dynamic = ids.clone().map(|id| format!("{{\"color\":\"c{}\"}}", id % 3));
    let mut n = Column::full(ColumnData::Int32(vec![]));
    ids.clone().for_each(|id| {
        n.push_value(&if id % 5 == 0 { Value::Null } else { Value::Int(id) });
    });
    Insert {
        row_count: ids.clone().count(),
        columns: vec![
            ("id".into(), Column::full(ColumnData::Int64(ids.clone().collect()))),
            ("v".into(), Column::full(ColumnData::FloatVector { dim: 4, data: vectors })),
            ("n".into(), n),
            ("$meta".into(), Column::full(ColumnData::Json(dynamic.collect()))),
        ],
        ..Insert::default()
    }
}

fn made(db: &Db) -> Collection {
    let collection = db.create_collection("", CreateCollection::new("c", schema())).unwrap();
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "8"), ("efConstruction", "40")];
    let params = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    collection.create_index("v", "", params).unwrap();
    collection.load(&[]).unwrap();
    collection
}

fn count(collection: &Collection, filter: &str) -> i64 {
    let request =
        QueryRequest { filter: filter.into(), output_fields: vec!["count(*)".into()], ..QueryRequest::default() };
    let result = collection.query(&request).unwrap();
    let ColumnData::Int64(counts) = &result.fields[0].column.data else { panic!("no count") };
    counts[0]
}

fn nearest(collection: &Collection, x: f32, filter: &str) -> Vec<i64> {
    let mut request = SearchRequest::new(Queries::F32 { dim: 4, data: vec![x, 0.0, 1.0, 0.5] });
    request.limit = 3;
    request.filter = filter.into();
    request.output_fields = vec!["*".into()];
    let result = collection.search(&request).unwrap();
    let Keys::Int(keys) = result.keys else { panic!("integer keys") };
    keys
}

fn delete(collection: &Collection, filter: &str) -> u64 {
    collection.delete(&Delete { filter: filter.into(), ..Delete::default() }).unwrap().count
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

fn seal(collection: &Collection) {
    let flushed = collection.flush().unwrap();
    wait("sealing", || collection.is_flushed(&flushed.segments));
    wait("indexing", || collection.indexes().iter().all(|one| one.state == IndexState::Finished));
}

/// Everything that the tests below expect of the same data, in memory, in files, or both.
fn check_hundred(collection: &Collection) {
    assert_eq!(collection.row_count(), 100);
    assert_eq!(count(collection, ""), 100);
    assert_eq!(count(collection, "n > 50"), 40);
    assert_eq!(count(collection, "n is null"), 20);
    assert_eq!(count(collection, "color == \"c1\" and name == \"none\""), 33);
    assert_eq!(count(collection, "id in [3, 4, 200]"), 2);
    assert_eq!(nearest(collection, 42.2, ""), [42, 43, 41]);
    assert_eq!(nearest(collection, 42.2, "n < 20"), [19, 18, 17]);
    assert_eq!(nearest(collection, 42.2, "id in [1, 90]"), [1, 90]);
}

#[test]
fn rows_are_found_growing_sealed_and_after_a_restart() {
    let dir = MemDir::new();
    let db = open(&dir);
    let collection = made(&db);
    collection.insert(rows(0..60, 0.0)).unwrap();
    collection.insert(rows(60..100, 0.0)).unwrap();
    check_hundred(&collection);
    drop((db, collection));

    let db = open(&dir);
    let collection = db.collection("", "c").unwrap();
    check_hundred(&collection);
    seal(&collection);
    check_hundred(&collection);
    assert!(collection.segments().iter().all(|one| one.state == SegmentState::Sealed && one.indexes == ["v"]));
    drop((db, collection));

    let db = open(&dir);
    let collection = db.collection("", "c").unwrap();
    check_hundred(&collection);
}

#[test]
fn deletes_and_upserts_hold_over_sealing_and_restarts() {
    let dir = MemDir::new();
    let db = open(&dir);
    let collection = made(&db);
    collection.insert(rows(0..50, 0.0)).unwrap();
    seal(&collection);
    collection.insert(rows(50..100, 0.0)).unwrap();
    assert_eq!(delete(&collection, "id < 10 or id == 60"), 11);
    assert_eq!(delete(&collection, "id < 10"), 0);
    let check = |collection: &Collection| {
        assert_eq!(collection.row_count(), 89);
        assert_eq!(count(collection, "id < 20"), 10);
        assert_eq!(nearest(collection, 60.1, ""), [61, 59, 62]);
    };
    check(&collection);
    drop((db, collection));
    let db = open(&dir);
    let collection = db.collection("", "c").unwrap();
    check(&collection);
    seal(&collection);
    check(&collection);
    collection.upsert(rows(5..15, 9.0)).unwrap();
    assert_eq!(collection.row_count(), 94);
    assert_eq!(nearest(&collection, 12.0, "id < 20")[0], 15);
    drop((db, collection));
    let db = open(&dir);
    let collection = db.collection("", "c").unwrap();
    assert_eq!(collection.row_count(), 94);
    collection.truncate().unwrap();
    assert_eq!(collection.row_count(), 0);
    collection.insert(rows(0..3, 0.0)).unwrap();
    drop((db, collection));
    let db = open(&dir);
    assert_eq!(db.collection("", "c").unwrap().row_count(), 3);
}

#[test]
fn compaction_keeps_what_is_visible() {
    let dir = MemDir::new();
    let settings = Settings { retention_ms: 0, ..Settings::default() };
    let db = Db::builder().dir(Arc::new(dir.clone())).settings(settings).open().unwrap();
    let collection = made(&db);
    for part in 0..5 {
        collection.insert(rows(part * 20..part * 20 + 20, 0.0)).unwrap();
        seal(&collection);
    }
    delete(&collection, "id % 2 == 1");
    let job = collection.compact().unwrap();
    wait("compaction", || !db.compaction(job).unwrap().executing);
    wait("one segment", || collection.segments().len() == 1);
    assert_eq!(collection.row_count(), 50);
    assert_eq!(nearest(&collection, 42.2, ""), [42, 44, 40]);
    wait("the deleted rows are gone", || {
        collection.compact().unwrap();
        collection.segments()[0].row_count == 50
    });
    drop((db, collection));
    let db = open(&dir);
    assert_eq!(db.collection("", "c").unwrap().row_count(), 50);
}

#[test]
fn iterator_pages_cover_every_row_once() {
    let db = Db::in_memory().unwrap();
    let collection = made(&db);
    collection.insert(rows(0..50, 0.0)).unwrap();
    // Twice the same vectors: ties at every page border.
    collection
        .insert(Insert {
            columns: rows(0..50, 0.0)
                .columns
                .into_iter()
                .map(|(name, column)| {
                    let keys = Column::full(ColumnData::Int64((100..150).collect()));
                    if name == "id" { (name, keys) } else { (name, column) }
                })
                .collect(),
            ..rows(0..50, 0.0)
        })
        .unwrap();
    let mut bound = None;
    let mut seen = Vec::new();
    for _ in 0..100 {
        let mut request = SearchRequest::new(Queries::F32 { dim: 4, data: vec![7.3, 0.0, 1.0, 0.5] });
        request.iterator = Some(IteratorPage { batch: 7, last_bound: bound });
        let page = collection.search(&request).unwrap();
        let Keys::Int(keys) = page.keys else { panic!("integer keys") };
        if keys.is_empty() {
            break;
        }
        seen.extend(keys);
        bound = page.last_bound;
    }
    assert_eq!(seen.len(), 100);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 100);
}

#[test]
fn bad_requests_name_the_thing() {
    let db = Db::in_memory().unwrap();
    let collection = made(&db);
    collection.insert(rows(0..10, 0.0)).unwrap();
    let insert = |change: &dyn Fn(&mut Insert)| {
        let mut request = rows(0..2, 0.0);
        change(&mut request);
        collection.insert(request).unwrap_err().to_string()
    };
    let wide = Column::full(ColumnData::FloatVector { dim: 5, data: vec![0.0; 10] });
    let text = insert(&|r| r.columns[1].1 = wide.clone());
    assert!(text.contains("dim 5") && text.contains("field v"), "{text}");
    let nan = Column::full(ColumnData::FloatVector { dim: 4, data: vec![0.0, 0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0] });
    let text = insert(&|r| r.columns[1].1 = nan.clone());
    assert!(text.contains("row 1: component 1"), "{text}");
    assert!(insert(&|r| r.columns[1].0 = "w".into()).contains("field w"));
    assert!(insert(&|r| drop(r.columns.remove(1))).contains("field v has no data"));
    let long = Column::full(ColumnData::VarChar(["x".repeat(21), String::new()].iter().collect()));
    assert!(insert(&|r| r.columns.push(("name".into(), long.clone()))).contains("max_length is 20"));
    let clash = Column::full(ColumnData::Json(["{\"n\":1}", "{}"].iter().collect()));
    assert!(insert(&|r| r.columns[3].1 = clash.clone()).contains("dynamic key n"));
    let twice = collection.upsert(Insert {
        columns: {
            let mut c = rows(0..2, 0.0).columns;
            c[0].1 = Column::full(ColumnData::Int64(vec![1, 1]));
            c
        },
        ..rows(0..2, 0.0)
    });
    assert!(twice.unwrap_err().to_string().contains("primary key 1 stands twice"));
    let search = |change: &dyn Fn(&mut SearchRequest)| {
        let mut request = SearchRequest::new(Queries::F32 { dim: 4, data: vec![0.0; 4] });
        change(&mut request);
        collection.search(&request).unwrap_err().to_string()
    };
    assert!(search(&|r| r.limit = 0).contains("topk [0]"));
    assert!(search(&|r| r.offset = 16_384).contains("16384"));
    assert!(search(&|r| r.metric = Some("IP".into())).contains("expected=L2"));
    assert!(search(&|r| r.params = vec![("nprobe".into(), "1".into())]).contains("nprobe"));
    assert!(search(&|r| r.queries = Queries::F32 { dim: 3, data: vec![0.0; 3] }).contains("expected 4"));
    assert!(search(&|r| r.filter = "n >".into()).contains("position"));
    collection.release(&[]).unwrap();
    let error = collection.search(&SearchRequest::new(Queries::F32 { dim: 4, data: vec![0.0; 4] })).unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidArgument, Subject::NotLoaded));
}

fn into_partition(insert: Insert, partition: &str) -> Insert {
    Insert { partition: Some(partition.into()), ..insert }
}

#[test]
fn an_upsert_into_another_partition_replaces_the_row_also_after_a_crash() {
    let dir = MemDir::new();
    let db = open(&dir);
    let collection = made(&db);
    collection.create_partition("other").unwrap();
    collection.insert(rows(0..10, 0.0)).unwrap();
    seal(&collection);
    collection.upsert(into_partition(rows(0..10, 5.0), "other")).unwrap();
    seal(&collection);
    assert_eq!(collection.row_count(), 10);
    // A crash: what is in the files now, without a clean stop.
    let crashed = MemDir::new();
    for path in dir.paths() {
        crashed.put(&path, dir.read(&path).unwrap()).unwrap();
    }
    let db = open(&crashed);
    let collection = db.collection("", "c").unwrap();
    assert_eq!(collection.row_count(), 10);
    assert_eq!(count(&collection, "id == 3"), 1);
}

#[test]
fn a_handle_that_is_left_over_after_closing_changes_nothing() {
    let dir = MemDir::new();
    let db = open(&dir);
    let collection = made(&db);
    collection.insert(rows(0..10, 0.0)).unwrap();
    db.close();
    assert_eq!(collection.create_partition("late").unwrap_err().kind(), ErrorKind::Unavailable);
    let second = open(&dir);
    second.collection("", "c").unwrap().create_partition("there").unwrap();
    drop((db, collection));
    drop(second);
    let third = open(&dir);
    let collection = third.collection("", "c").unwrap();
    assert!(collection.has_partition("there") && !collection.has_partition("late"));
    assert_eq!(collection.row_count(), 10);
}

#[test]
fn numbers_in_a_request_make_nothing_before_they_are_checked() {
    let db = Db::in_memory().unwrap();
    let fields = vec![
        Field::new("id", DataType::Int64).primary().auto_id(),
        Field::new("v", DataType::FloatVector).dim(32_768).nullable(),
    ];
    let schema = Schema::new("", fields, false).unwrap();
    let collection = db.create_collection("", CreateCollection::new("c", schema)).unwrap();
    let insert = |row_count| collection.insert(Insert { row_count, ..Insert::default() });
    assert!(insert(u32::MAX as usize).unwrap_err().to_string().contains("split it"));
    assert!(insert(1_000_000).unwrap_err().to_string().contains("split it"));
    assert_eq!(insert(2).unwrap().count, 2);
    let named = [("index_type", "FLAT"), ("metric_type", "L2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    collection.create_index("v", "", named.to_vec()).unwrap();
    collection.load(&[]).unwrap();
    let request = SearchRequest::new(Queries::Keys(Keys::Int(vec![1; 1_000_000])));
    assert!(collection.search(&request).unwrap_err().to_string().contains("nq"));
}

#[test]
fn keys_that_stand_twice_are_found_once_with_any_ef() {
    let db = Db::in_memory().unwrap();
    let collection = made(&db);
    collection.insert(rows(0..200, 0.0)).unwrap();
    collection.insert(rows(0..200, 0.0)).unwrap();
    seal(&collection);
    let mut request = SearchRequest::new(Queries::F32 { dim: 4, data: vec![50.2, 0.0, 1.0, 0.5] });
    request.params = vec![("ef".into(), "10".into())];
    let result = collection.search(&request).unwrap();
    let Keys::Int(mut keys) = result.keys else { panic!("integer keys") };
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 10);
    let hybrid = HybridRequest {
        searches: vec![request.clone(), request],
        ranker: Ranker::Rrf { k: 60.0 },
        limit: 5,
        offset: 0,
        partitions: Vec::new(),
        output_fields: Vec::new(),
        read_at: ReadAt::Strong,
        round_decimal: None,
    };
    let result = collection.hybrid_search(&hybrid).unwrap();
    let Keys::Int(mut keys) = result.keys else { panic!("integer keys") };
    assert!((result.scores[0] - 2.0 / 61.0).abs() < 1e-6, "the best hit is first in both");
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5);
}

#[test]
fn rounded_scores_do_not_hold_up_an_iterator() {
    let db = Db::in_memory().unwrap();
    let collection = made(&db);
    collection.insert(rows(0..40, 0.0)).unwrap();
    let (mut bound, mut seen) = (None, 0);
    for _ in 0..40 {
        let mut request = SearchRequest::new(Queries::F32 { dim: 4, data: vec![0.1, 0.0, 1.0, 0.5] });
        request.round_decimal = Some(0);
        request.iterator = Some(IteratorPage { batch: 3, last_bound: bound });
        let page = collection.search(&request).unwrap();
        seen += page.scores.len();
        bound = page.last_bound;
        if page.scores.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 40);
}

#[test]
fn scalar_index_definitions_are_kept_where_they_fit() {
    let db = Db::in_memory().unwrap();
    let collection = made(&db);
    let create = |field: &str, index_type: &str| {
        collection.create_index(field, "", vec![("index_type".into(), index_type.into())])
    };
    create("n", "STL_SORT").unwrap();
    create("n", "STL_SORT").unwrap();
    assert_eq!(create("n", "BITMAP").unwrap_err().kind(), ErrorKind::AlreadyExists);
    create("name", "Trie").unwrap();
    assert!(create("id", "BITMAP").unwrap_err().to_string().contains("field id"));
    assert!(create("id", "NGRAM").unwrap_err().to_string().contains("NGRAM"));
    let info = collection.indexes().into_iter().find(|one| one.field == "name").unwrap();
    assert_eq!((info.state, &*info.params[0].1), (IndexState::Finished, "Trie"));
    collection.drop_index("n").unwrap();
    create("n", "INVERTED").unwrap();
}
