//! GPU_BRUTE_FORCE through the engine: with a device, with one that fails, without any, and over restarts.

use super::*;
use crate::{
    Collection, Column, ColumnData, CreateCollection, DataType, Db, ErrorKind, Field, IndexState, Insert, IteratorPage,
    Keys, Queries, Schema, SearchRequest,
};
use elanus_index::testing::{Fault, Gate, Trial};
use elanus_kernels::backend::BackendError;
use elanus_segment::dir::MemDir;
use std::thread;

const ROWS: i64 = 600;

fn open(dir: &MemDir, device: Option<&Arc<Trial>>) -> Db {
    let gpu = if device.is_some() { "auto" } else { "off" };
    let settings = Settings { gpu_always: true, gpu: gpu.to_owned(), ..Settings::default() };
    let builder = Db::builder().dir(Arc::new(dir.clone())).settings(settings);
    match device {
        Some(trial) => builder.device(Arc::<Trial>::clone(trial)).open().unwrap(),
        None => builder.open().unwrap(),
    }
}

fn params(index: &str, metric: &str) -> Vec<(String, String)> {
    vec![("index_type".to_owned(), index.to_owned()), ("metric_type".to_owned(), metric.to_owned())]
}

/// On a curve, where the row before is nearer than the row after.
fn vector(id: i64) -> [f32; 4] {
    [id as f32, (id * id) as f32 / 1_000.0, 1.0, 0.0]
}

fn insert(collection: &Collection, ids: std::ops::Range<i64>) {
    let data = ids.clone().flat_map(vector).collect();
    let columns = vec![
        ("id".to_owned(), Column::full(ColumnData::Int64(ids.clone().collect()))),
        ("v".to_owned(), Column::full(ColumnData::FloatVector { dim: 4, data })),
    ];
    collection.insert(Insert { row_count: ids.count(), columns, ..Insert::default() }).unwrap();
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if done() {
            return;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("timed out: {what}");
}

/// A collection of one sealed segment, with an index for a device.
fn made(db: &Db) -> Collection {
    let key = Field::new("id", DataType::Int64).primary();
    let schema = Schema::new("", vec![key, Field::new("v", DataType::FloatVector).dim(4)], false).unwrap();
    let collection = db.create_collection("", CreateCollection::new("c", schema)).unwrap();
    collection.create_index("v", "", params("gpu_brute_force", "L2")).unwrap();
    collection.load(&[]).unwrap();
    insert(&collection, 0..ROWS);
    let flushed = collection.flush().unwrap();
    wait("sealing", || collection.is_flushed(&flushed.segments));
    wait("indexing", || collection.indexes().iter().all(|one| one.state == IndexState::Finished));
    collection
}

fn ask(ids: &[i64]) -> SearchRequest {
    let data = ids.iter().flat_map(|&id| vector(id)).collect();
    SearchRequest { limit: 3, ..SearchRequest::new(Queries::F32 { dim: 4, data }) }
}

fn found(collection: &Collection, request: &SearchRequest) -> Vec<i64> {
    let Keys::Int(keys) = collection.search(request).unwrap().keys else { panic!("integer keys") };
    keys
}

fn check(collection: &Collection) {
    assert_eq!(found(collection, &ask(&[70])), [70, 69, 71]);
    assert_eq!(found(collection, &ask(&[70, 3])), [70, 69, 71, 3, 2, 4]);
    let filtered = SearchRequest { filter: "id > 100".to_owned(), ..ask(&[70]) };
    assert_eq!(found(collection, &filtered)[0], 101);
    let within = SearchRequest { radius: Some(0.5), range_filter: Some(0.0), ..ask(&[70]) };
    assert_eq!(found(collection, &within), [70]);
    let page = SearchRequest { iterator: Some(IteratorPage { batch: 2, last_bound: None }), ..ask(&[70]) };
    assert_eq!(found(collection, &page), [70, 69]);
    let many: Vec<i64> = (0..100).collect();
    let firsts: Vec<i64> = found(collection, &ask(&many)).chunks(3).map(|hits| hits[0]).collect();
    assert_eq!(firsts, many);
}

#[test]
fn a_device_answers_whole_batches_over_growing_rows_deletes_and_restarts() {
    let dir = MemDir::new();
    let trial = Arc::new(Trial::new(Fault::None));
    let db = open(&dir, Some(&trial));
    let collection = made(&db);
    check(&collection);
    assert_eq!(trial.scans(), [1, 2, 1, 100], "ranges and pages are the CPU's, batches are not cut");
    let gpu = db.gpu_metrics();
    assert_eq!((gpu.searches, gpu.fallbacks, gpu.batched_queries), (4, 0, 104));
    assert_eq!((gpu.resident_bytes, gpu.batches[0], gpu.batches[7]), (ROWS as u64 * 16, 2, 1));
    assert_eq!(collection.indexes()[0].device.as_deref(), Some("cuda:0 (trial)"));
    insert(&collection, ROWS..ROWS + 5);
    assert_eq!(found(&collection, &ask(&[ROWS])), [600, 599, 601]);
    collection.delete(&crate::Delete { filter: "id == 70".to_owned(), ..crate::Delete::default() }).unwrap();
    assert_eq!(found(&collection, &ask(&[70])), [69, 71, 68]);
    let scans = trial.scans().len();
    drop((db, collection));
    let db = open(&dir, Some(&trial));
    assert_eq!(found(&db.collection("", "c").unwrap(), &ask(&[70])), [69, 71, 68]);
    assert_eq!(trial.scans().len(), scans + 1);
    drop(db);
    let db = open(&dir, None);
    let collection = db.collection("", "c").unwrap();
    assert_eq!(found(&collection, &ask(&[70])), [69, 71, 68]);
    assert!(collection.indexes()[0].device.as_deref().unwrap().starts_with("cpu ("));
    assert_eq!(trial.scans().len(), scans + 1);
}

#[test]
fn a_failing_device_changes_no_answer() {
    let lost = BackendError::Lost { reason: "gone".to_owned() };
    let failed = BackendError::Failed { reason: "busy".to_owned() };
    let too_large = BackendError::Memory { need: 2, budget: 1 };
    for (fault, fallbacks) in [
        (Fault::Scan(2, failed), 2),
        (Fault::Scan(3, lost), 1),
        (Fault::Upload(too_large), 4),
        (Fault::ThrownOut, 4),
        (Fault::ThrowsOut, 0),
    ] {
        let about = format!("{fault:?}");
        let db = open(&MemDir::new(), Some(&Arc::new(Trial::new(fault))));
        let collection = made(&db);
        check(&collection);
        assert_eq!(db.gpu_metrics().fallbacks, fallbacks, "{about}");
        let device = collection.indexes()[0].device.clone().unwrap();
        assert_eq!(device.contains("the device was lost"), about.contains("Lost"), "{about}: {device}");
    }
}

#[test]
fn searches_of_many_threads_reach_the_device_together() {
    let gate = Arc::new(Gate::default());
    let trial = Arc::new(Trial::behind(&gate, Fault::None));
    let db = open(&MemDir::new(), Some(&trial));
    let collection = made(&db);
    thread::scope(|scope| {
        for id in 0..32 {
            let collection = &collection;
            scope.spawn(move || {
                for turn in 0..5 {
                    let id = 10 * id + turn + 1;
                    assert_eq!(found(collection, &ask(&[id])), [id, id - 1, id + 1]);
                }
            });
        }
        wait("a first scan", || !trial.scans().is_empty());
        // The pool is free while searches wait for the device.
        let page = SearchRequest { iterator: Some(IteratorPage { batch: 1, last_bound: None }), ..ask(&[5]) };
        assert_eq!(found(&collection, &page), [5]);
        gate.open();
    });
    let scans = trial.scans();
    assert_eq!(scans.iter().sum::<usize>(), 160);
    assert!(scans.len() < 160 && scans.iter().all(|count| *count <= 32), "{scans:?}");
    assert_eq!(db.gpu_metrics().searches, 160);
}

#[test]
fn a_device_that_cannot_be_had_is_refused_by_name() {
    let with = |gpu: &str| {
        let settings = Settings { gpu: gpu.to_owned(), ..Settings::default() };
        Db::builder().settings(settings).open().map(drop)
    };
    assert!(with("off").is_ok() && with("auto").is_ok());
    let error = with("card").unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidArgument, Subject::Parameter));
    assert!(error.to_string().contains("\"card\" names no device"), "{error}");
    let error = with("cuda:99").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("cuda"), "{error}");
    let db = Db::in_memory().unwrap();
    assert_eq!(db.gpu_metrics(), GpuMetrics::default());
    let collection = made(&open(&MemDir::new(), None));
    check(&collection);
    let told = collection.indexes()[0].device.clone().unwrap();
    assert!(told.starts_with("cpu ("), "{told}");
}

#[test]
fn parameters_that_it_does_not_have_are_refused_by_name() {
    let db = open(&MemDir::new(), None);
    let key = Field::new("id", DataType::Int64).primary();
    let schema = Schema::new("", vec![key, Field::new("v", DataType::FloatVector).dim(4)], false).unwrap();
    let collection = db.create_collection("", CreateCollection::new("c", schema)).unwrap();
    let mut given = params("GPU_BRUTE_FORCE", "IP");
    given.push(("nlist".to_owned(), "128".to_owned()));
    let error = collection.create_index("v", "", given).unwrap_err();
    assert!(error.to_string().contains("nlist"), "{error}");
    let error = collection.create_index("v", "", params("GPU_BRUTE_FORCE", "HAMMING")).unwrap_err();
    assert_eq!(error.subject(), Subject::IndexParameter);
    collection.create_index("v", "", params("GPU_BRUTE_FORCE", "IP")).unwrap();
    collection.load(&[]).unwrap();
    let nprobe = SearchRequest { params: vec![("nprobe".to_owned(), "1".to_owned())], ..ask(&[1]) };
    assert!(collection.search(&nprobe).unwrap_err().to_string().contains("nprobe"));
}
