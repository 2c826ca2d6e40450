//! Growing rows that are searched while they come and go, judged by plain comparisons and by a fresh index.

use super::*;
use crate::env::ManualClock;
use crate::*;
use elanus_index::{KeyRange, Scratch, Search};
use elanus_kernels::rng::Rng;
use elanus_kernels::{Rows, TopK, Vector};
use elanus_segment::dir::MemDir;
use std::collections::BTreeMap;
use std::time::Duration;

const DIM: usize = 16;
const K: usize = 10;
const EF: usize = 12;
const QUERIES: usize = 100;

/// Rows that there are, by key.
type Live = BTreeMap<i64, Vec<f32>>;

struct Source {
    rng: Rng,
    centres: Vec<f32>,
    next: i64,
}

impl Source {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let centres = (0..40 * DIM).map(|_| rng.normal()).collect();
        Self { rng, centres, next: 0 }
    }

    fn vector(&mut self) -> Vec<f32> {
        let centre = self.rng.below((self.centres.len() / DIM) as u64) as usize;
        self.centres[centre * DIM..][..DIM].iter().map(|c| c + 0.6 * self.rng.normal()).collect()
    }

    fn rows(&mut self, count: usize) -> Live {
        (0..count)
            .map(|_| {
                self.next += 1;
                (self.next, self.vector())
            })
            .collect()
    }
}

fn settings() -> Settings {
    Settings {
        growing_index_rows: 500,
        index_rows_min: usize::MAX,
        search_threads: 1,
        build_threads: 2,
        ..Settings::default()
    }
}

fn open(dir: &MemDir, clock: &Arc<ManualClock>, settings: Settings) -> Db {
    let clock = Arc::clone(clock) as Arc<dyn env::Clock>;
    Db::builder().dir(Arc::new(dir.clone())).clock(clock).settings(settings).open().unwrap()
}

fn make(db: &Db, metric: &str) -> Collection {
    let fields = vec![
        Field::new("id", DataType::Int64).primary(),
        Field::new("v", DataType::FloatVector).dim(DIM as u32).nullable(),
    ];
    let schema = Schema::new("", fields, false).unwrap();
    let collection = db.create_collection("", CreateCollection::new("c", schema)).unwrap();
    let given = [("index_type", "HNSW"), ("metric_type", metric), ("M", "12"), ("efConstruction", "100")];
    collection.create_index("v", "", given.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()).unwrap();
    collection.load(&[]).unwrap();
    collection
}

fn insert(collection: &Collection, rows: &Live) {
    for part in rows.iter().collect::<Vec<_>>().chunks(300) {
        let vectors = part.iter().flat_map(|(_, vector)| vector.iter().copied()).collect();
        let request = Insert {
            row_count: part.len(),
            columns: vec![
                ("id".into(), Column::full(ColumnData::Int64(part.iter().map(|(id, _)| **id).collect()))),
                ("v".into(), Column::full(ColumnData::FloatVector { dim: DIM, data: vectors })),
            ],
            ..Insert::default()
        };
        collection.insert(request).unwrap();
    }
}

fn delete(collection: &Collection, keys: &[i64]) -> Deleted {
    let filter = format!("id in {keys:?}");
    collection.delete(&Delete { filter, ..Delete::default() }).unwrap()
}

fn find(collection: &Collection, query: &[f32], read_at: ReadAt) -> (Vec<i64>, Vec<f32>) {
    let mut request = SearchRequest::new(Queries::F32 { dim: DIM, data: query.to_vec() });
    request.limit = K;
    request.params = vec![("ef".into(), EF.to_string())];
    request.read_at = read_at;
    let result = collection.search(&request).unwrap();
    let Keys::Int(keys) = result.keys else { panic!("integer keys") };
    (keys, result.scores)
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("timed out: {what}");
}

/// The index in memory of the only growing segment, for whoever asks.
fn companion(collection: &Collection) -> Option<Arc<Companion>> {
    let now = ts::to_ms(collection.inner().oracle.now());
    collection.state().shard.growing().first()?.0.beside.ask(1, now)
}

/// Waits until the index has all rows and all but a few are in its graph.
fn settled(collection: &Collection) -> Arc<Companion> {
    let rows = collection.state().shard.growing()[0].0.data.len();
    wait("the index in memory", || {
        companion(collection).is_some_and(|one| one.index().len() == rows && one.index().pending() < 300)
    });
    companion(collection).unwrap()
}

fn truth(live: &Live, metric: Metric, query: &[f32]) -> Vec<(f32, i64)> {
    let kernel = elanus_kernels::Kernel::<f32>::new(metric).unwrap();
    let mut all: Vec<(f32, i64)> = live.iter().map(|(id, row)| (kernel.pair(query, row), *id)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.truncate(K);
    all
}

fn hits(found: &[i64], truth: &[(f32, i64)]) -> usize {
    truth.iter().filter(|(_, id)| found.contains(id)).count()
}

/// The recall of an index that is built over just these rows.
fn fresh_recall(live: &Live, metric: Metric, queries: &[Vec<f32>]) -> f64 {
    let given = [("M", "12"), ("efConstruction", "100")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let spec = Spec::new(&HNSW, ElementType::F32, DIM, metric, given.to_vec()).unwrap();
    let data: Vec<f32> = live.values().flatten().copied().collect();
    let rows = AnyRows::F32(Rows::new(&data, DIM).unwrap());
    let (cancel, progress) = (Cancel::new(), &elanus_index::no_progress);
    let index =
        HNSW.build(&spec, rows, None, &BuildCx { pool: None, seed: 1, cancel: &cancel, progress, device: None });
    let index = index.unwrap();
    let params = elanus_index::parse(HNSW.params(), Stage::Search, &[("ef".into(), EF.to_string())]).unwrap();
    let search = Search { k: K, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let keys: Vec<i64> = live.keys().copied().collect();
    let mut sum = 0;
    for query in queries {
        let mut out = TopK::new(K);
        index.search(rows, Vector::F32(query), &search, &mut Scratch::new(), &mut out).unwrap();
        let found: Vec<i64> = out.into_sorted().iter().map(|one| keys[one.id as usize]).collect();
        sum += hits(&found, &truth(live, metric, query));
    }
    sum as f64 / (queries.len() * K) as f64
}

fn recall(collection: &Collection, live: &Live, metric: Metric, queries: &[Vec<f32>]) -> f64 {
    let mut sum = 0;
    for query in queries {
        let (found, scores) = find(collection, query, ReadAt::Strong);
        assert_eq!(found.len(), K);
        let kernel = elanus_kernels::Kernel::<f32>::new(metric).unwrap();
        for (id, score) in found.iter().zip(scores) {
            let exact = metric.score(kernel.pair(query, &live[id]));
            assert!((exact - score).abs() <= 1e-5 * exact.abs().max(1.0), "{metric:?} {id}: {score}, not {exact}");
        }
        sum += hits(&found, &truth(live, metric, query));
    }
    sum as f64 / (queries.len() * K) as f64
}

/// Half of the rows are exchanged in rounds while searches run; recall stays that of a fresh index.
fn churn(name: &str, metric: Metric) {
    let (dir, clock) = (MemDir::new(), Arc::new(ManualClock::new(1_000_000)));
    let db = open(&dir, &clock, settings());
    let collection = make(&db, name);
    let mut source = Source::new(3);
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| source.vector()).collect();
    let mut live = source.rows(5_000);
    insert(&collection, &live);
    find(&collection, &queries[0], ReadAt::Strong);
    assert!(settled(&collection).index().pending() < 300);
    for _ in 0..5 {
        let gone: Vec<i64> = live.keys().copied().filter(|_| source.rng.below(10) == 0).collect();
        let come = source.rows(gone.len());
        std::thread::scope(|threads| {
            let searcher = threads.spawn(|| {
                for query in &queries {
                    // Some rows are gone and some are not while this runs; but there are always enough.
                    assert_eq!(find(&collection, query, ReadAt::Default).0.len(), K);
                }
            });
            insert(&collection, &come);
            delete(&collection, &gone);
            searcher.join().unwrap();
        });
        gone.iter().for_each(|id| drop(live.remove(id)));
        live.extend(come);
        // Rows deleted in this round are taken out before the next one.
        clock.advance(11_000);
        let before = collection.row_count();
        settled(&collection);
        assert_eq!(before, live.len() as u64);
    }
    wait("rows taken out", || companion(&collection).unwrap().index().live() <= live.len() + 300);
    let (got, fresh) = (recall(&collection, &live, metric, &queries), fresh_recall(&live, metric, &queries));
    println!("{name}: {got:.4}, fresh {fresh:.4}; {}", companion(&collection).unwrap().index().describe());
    assert!(got >= fresh - 0.01, "{name}: {got} after churn, {fresh} fresh");
    assert_eq!(collection.segments().len(), 1, "nothing was sealed");
}

#[test]
fn recall_after_churn_is_that_of_a_fresh_index() {
    churn("L2", Metric::L2);
    churn("COSINE", Metric::Cosine);
}

#[test]
fn readers_of_the_past_see_rows_that_were_taken_out() {
    let (dir, clock) = (MemDir::new(), Arc::new(ManualClock::new(1_000_000)));
    let db = open(&dir, &clock, settings());
    let collection = make(&db, "L2");
    let mut source = Source::new(5);
    let live = source.rows(3_000);
    insert(&collection, &live);
    settled(&collection);
    let keys: Vec<i64> = live.keys().copied().step_by(3).collect();
    clock.advance(10);
    let deleted = delete(&collection, &keys);
    assert_eq!(deleted.count, keys.len() as u64);
    let own = |key: &i64, read_at| find(&collection, &live[key], read_at).0.first() == Some(key);
    assert!(keys.iter().take(50).all(|key| !own(key, ReadAt::Strong)));
    clock.advance(60_000);
    wait("rows taken out", || companion(&collection).unwrap().index().live() == live.len() - keys.len());
    assert!(keys.iter().take(50).all(|key| !own(key, ReadAt::Strong)));
    assert!(keys.iter().take(50).all(|key| own(key, ReadAt::Snapshot(deleted.ts - 1))), "as it was before the delete");
    assert!(keys.iter().take(50).all(|key| !own(key, ReadAt::Snapshot(deleted.ts))));
    // Rows of later than a reader's time are in the index, but not in what is found.
    let twin: Live = [(1_000_000, live[&keys[1]].clone())].into();
    let before = ts::from_ms(ts::to_ms(collection.inner().oracle.now()));
    clock.advance(1);
    insert(&collection, &twin);
    wait("the twin", || companion(&collection).unwrap().index().len() == live.len() + 1);
    let query = &live[&keys[1]];
    assert_eq!(find(&collection, query, ReadAt::Strong).0[0], 1_000_000);
    assert_ne!(find(&collection, query, ReadAt::Snapshot(before)).0[0], 1_000_000);
}

#[test]
fn an_index_in_memory_is_refilled_after_a_restart_and_replaced_when_sealed() {
    let (dir, clock) = (MemDir::new(), Arc::new(ManualClock::new(1_000_000)));
    let db = open(&dir, &clock, settings());
    let collection = make(&db, "IP");
    let mut source = Source::new(9);
    let live = source.rows(3_000);
    insert(&collection, &live);
    assert!(companion(&collection).is_none(), "nobody searched");
    let query = source.vector();
    let expected: Vec<i64> = truth(&live, Metric::Ip, &query).iter().map(|(_, id)| *id).collect();
    assert_eq!(find(&collection, &query, ReadAt::Strong).0, expected, "compared one by one");
    settled(&collection);
    let mut none = Column::empty(&collection.state().schema.fields[1]);
    (0..50).for_each(|_| assert!(none.push_value(&Value::Null)));
    let nulls = Insert {
        row_count: 50,
        columns: vec![("id".into(), Column::full(ColumnData::Int64((10_000..10_050).collect()))), ("v".into(), none)],
        ..Insert::default()
    };
    collection.insert(nulls).unwrap();
    drop((db, collection));

    let db = open(&dir, &clock, settings());
    let collection = db.collection("", "c").unwrap();
    assert_eq!(find(&collection, &query, ReadAt::Strong).0, expected, "before it is refilled");
    let refilled = settled(&collection);
    assert_eq!(refilled.index().live(), live.len(), "rows without a vector are not in it");
    assert!(find(&collection, &query, ReadAt::Strong).0.iter().all(|id| live.contains_key(id)));
    let held = Arc::downgrade(&refilled);
    drop(refilled);
    let flushed = collection.flush().unwrap();
    wait("sealing", || collection.is_flushed(&flushed.segments));
    assert!(find(&collection, &query, ReadAt::Strong).0.contains(&expected[0]));
    wait("the saved index", || collection.indexes().iter().all(|one| one.state == IndexState::Finished));
    assert!(find(&collection, &query, ReadAt::Strong).0.contains(&expected[0]));
    wait("the end of the index in memory", || held.strong_count() == 0);
}

#[test]
fn indexes_in_memory_count_where_segments_are_full() {
    let dir = MemDir::new();
    let clock = Arc::new(ManualClock::new(1_000_000));
    let db = open(&dir, &clock, settings());
    let collection = make(&db, "L2");
    insert(&collection, &Source::new(1).rows(3_000));
    let rows = collection.state().shard.growing()[0].0.data.size_bytes() as u64;
    drop((db, collection));
    // Room for the rows and a little, but not for their index.
    let db = open(&dir, &clock, Settings { seal_bytes: rows + rows / 10, ..settings() });
    let collection = db.collection("", "c").unwrap();
    settled(&collection);
    assert_eq!(collection.segments()[0].state, SegmentState::Growing);
    let mut source = Source::new(2);
    source.next = 100_000;
    insert(&collection, &source.rows(1));
    wait("sealing", || collection.segments().iter().all(|one| one.state == SegmentState::Sealed));
}
