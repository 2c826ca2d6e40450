//! Streams of appends, removals and searches, judged by plain comparisons and by a fresh build.

use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, BitmapView, ElementType, Kernel, Metric, Neighbor, Rows};

use super::*;
use crate::{Cancel, KeyRange, Stage, no_progress};

const DIM: usize = 24;
const SEED: u64 = 7;
/// Rows of a stream, enough for the sample of entries to be searched in groups.
const ROWS: usize = 12_000;

fn spec_of(metric: Metric, dim: usize, m: usize, ef_construction: usize) -> Spec {
    let given = vec![("M".to_owned(), m.to_string()), ("efConstruction".to_owned(), ef_construction.to_string())];
    Spec::new(&HNSW, ElementType::F32, dim, metric, given).unwrap()
}

/// Rows about centres, of which row `i` takes number `i % centres`.
struct Source {
    rng: Rng,
    centres: Vec<f32>,
    made: usize,
}

impl Source {
    fn new(seed: u64, centres: usize, away: f32) -> Self {
        let mut rng = Rng::new(seed);
        let centres = (0..centres * DIM).map(|_| away + rng.normal()).collect();
        Self { rng, centres, made: 0 }
    }

    fn rows(&mut self, count: usize) -> Vec<f32> {
        let mut rows = Vec::with_capacity(count * DIM);
        for _ in 0..count {
            let centre = self.made % (self.centres.len() / DIM);
            self.made += 1;
            rows.extend(self.centres[centre * DIM..][..DIM].iter().map(|c| c + 0.5 * self.rng.normal()));
        }
        rows
    }
}

fn any(rows: &[f32]) -> AnyRows<'_> {
    AnyRows::F32(Rows::new(rows, DIM).unwrap())
}

fn grow_on(index: &GrowingIndex, threads: usize) -> usize {
    let pool = (threads > 1).then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    let cx = BuildCx { pool: pool.as_ref(), seed: SEED, cancel: &Cancel::new(), progress: &no_progress, device: None };
    index.grow(&cx).unwrap()
}

/// What a search is asked.
#[derive(Clone, Copy)]
struct Ask<'a> {
    k: usize,
    ef: usize,
    filter: Option<BitmapView<'a>>,
    range: KeyRange,
}

const TEN: Ask<'static> = Ask { k: 10, ef: 64, filter: None, range: KeyRange::ALL };

fn find(index: &GrowingIndex, query: &[f32], ask: Ask<'_>) -> Vec<Neighbor> {
    let params = crate::parse(HNSW.params(), Stage::Search, &[("ef".to_owned(), ask.ef.to_string())]).unwrap();
    let Ask { k, filter, range, .. } = ask;
    let search = Search { k, params: &params, filter, range, cancel: &Cancel::new() };
    let mut out = TopK::new(k);
    index.search(Vector::F32(query), &search, &mut Scratch::new(), &mut out).unwrap();
    out.into_sorted()
}

/// The keys and ids of the nearest of all rows, by comparing each.
fn truth(metric: Metric, rows: &[f32], query: &[f32], ask: Ask<'_>, may: impl Fn(u32) -> bool) -> Vec<Neighbor> {
    let kernel = Kernel::<f32>::new(metric).unwrap();
    let mut out = TopK::new(ask.k);
    for (id, row) in rows.chunks(query.len()).enumerate() {
        let key = kernel.pair(query, row);
        if may(id as u32) && ask.range.contains(key) && row.iter().all(|value| value.is_finite()) {
            out.push(id as u32, key);
        }
    }
    out.into_sorted()
}

fn hits(found: &[Neighbor], truth: &[Neighbor]) -> usize {
    found.iter().filter(|near| truth.contains(near)).count()
}

/// A stream of rounds, each of which removes and adds a part of the rows.
struct Stream {
    index: GrowingIndex,
    rows: Vec<f32>,
    live: Vec<u32>,
    rng: Rng,
}

impl Stream {
    fn new(metric: Metric, rows: Vec<f32>) -> Self {
        let limits = GrowingLimits { flat_rows: 2000, ..GrowingLimits::default() };
        let index = GrowingIndex::new(&spec_of(metric, DIM, 16, 100), limits).unwrap();
        let live = (0..(rows.len() / DIM) as u32).collect();
        for part in rows.chunks(1000 * DIM) {
            index.append(any(part)).unwrap();
            grow_on(&index, 1);
        }
        Self { index, rows, live, rng: Rng::new(3) }
    }

    fn round(&mut self, fresh: &[f32], oldest_first: bool) {
        for _ in 0..fresh.len() / DIM {
            let at = if oldest_first { 0 } else { self.rng.below(self.live.len() as u64) as usize };
            assert!(self.index.remove(self.live.remove(at)));
        }
        let first = self.index.append(any(fresh)).unwrap();
        assert_eq!(first as usize, self.rows.len() / DIM);
        self.rows.extend_from_slice(fresh);
        self.live.extend(first..(self.rows.len() / DIM) as u32);
        grow_on(&self.index, 1);
    }

    /// Recall at 10 with width 64, of this index and of a fresh one over the live rows, for each set of queries.
    fn recalls(&self, metric: Metric, sets: &[Vec<f32>]) -> Vec<(f64, f64)> {
        let values: Vec<f32> =
            self.live.iter().flat_map(|id| &self.rows[*id as usize * DIM..][..DIM]).copied().collect();
        assert!(self.index.view().graph.entries.ids().len() > 512, "too few to be searched in groups");
        let spec = spec_of(metric, DIM, 16, 100);
        let cx = BuildCx { pool: None, seed: SEED, cancel: &Cancel::new(), progress: &no_progress, device: None };
        let fresh = HNSW.build(&spec, any(&values), None, &cx).unwrap();
        let params = crate::parse(HNSW.params(), Stage::Search, &[("ef".to_owned(), "64".to_owned())]).unwrap();
        let search = Search { k: 10, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
        let of = |queries: &Vec<f32>| {
            let (mut mine, mut theirs) = (0, 0);
            for query in queries.chunks(DIM) {
                let truth = truth(metric, &values, query, TEN, |_| true);
                let mut out = TopK::new(10);
                fresh.search(any(&values), Vector::F32(query), &search, &mut Scratch::new(), &mut out).unwrap();
                theirs += hits(&out.into_sorted(), &truth);
                let found = find(&self.index, query, TEN);
                assert_eq!(found.len(), 10);
                let place =
                    |near: &Neighbor| self.live.binary_search(&near.id).expect("only live rows are found") as u32;
                let found: Vec<_> = found.iter().map(|near| Neighbor { id: place(near), key: near.key }).collect();
                mine += hits(&found, &truth);
            }
            let all = (queries.len() / DIM * 10) as f64;
            (mine as f64 / all, theirs as f64 / all)
        };
        sets.iter().map(of).collect()
    }
}

#[test]
fn recall_holds_while_half_of_the_rows_change() {
    let mut source = Source::new(1, 50, 0.0);
    let mut stream = Stream::new(Metric::L2, source.rows(ROWS));
    for _ in 0..10 {
        stream.round(&source.rows(ROWS / 20), false);
    }
    let recalls = stream.recalls(Metric::L2, &[source.rows(200)]);
    assert!(recalls.iter().all(|(mine, fresh)| *mine >= fresh - 0.01), "{recalls:?}");
}

#[test]
fn recall_holds_while_the_rows_drift() {
    let mut source = Source::new(1, 50, 0.0);
    let mut stream = Stream::new(Metric::L2, source.rows(ROWS));
    let mut other = Source::new(2, 20, 2.0);
    for _ in 0..10 {
        stream.round(&other.rows(ROWS / 20), true);
    }
    let recalls = stream.recalls(Metric::L2, &[source.rows(200), other.rows(200)]);
    assert!(recalls.iter().all(|(mine, fresh)| *mine >= fresh - 0.01), "{recalls:?}");
}

fn plain(metric: Metric, flat_rows: usize) -> GrowingIndex {
    let limits = GrowingLimits { flat_rows, max_rows: 10_000 };
    GrowingIndex::new(&spec_of(metric, DIM, 8, 60), limits).unwrap()
}

/// Every metric, before there are codes, with codes and no graph, and with a graph and rows beside it.
#[test]
fn filters_ranges_and_removals_hold_at_every_size() {
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        let mut source = Source::new(5, 10, 0.3);
        let (mut rows, queries) = (Vec::new(), source.rows(12));
        let index = plain(metric, 2500);
        let mut removed = Vec::new();
        for (count, in_graph) in [(700, 0), (1300, 0), (1500, 3328)] {
            let part = source.rows(count);
            assert_eq!(index.append(any(&part)).unwrap() as usize * DIM, rows.len());
            rows.extend(part);
            grow_on(&index, 1);
            let len = rows.len() / DIM;
            assert_eq!((index.len(), index.pending()), (len, len - in_graph), "{index:?}");
            for id in (0..len as u32).filter(|id| id % 11 == 3) {
                if index.remove(id) {
                    removed.push(id);
                }
            }
            assert_eq!(index.live(), len - removed.len());
            let few = Bitmap::from_fn(len, |id| id % 50 == 0);
            let most = Bitmap::from_fn(len - 40, |id| id % 3 > 0);
            for (query, filter) in queries.chunks(DIM).zip([None, Some(&few), Some(&most)].into_iter().cycle()) {
                let may = |id: u32| {
                    !removed.contains(&id)
                        && filter.is_none_or(|bits| (id as usize) < bits.len() && bits.get(id as usize))
                };
                let ask = Ask { filter: filter.map(Bitmap::view), ..TEN };
                let best = truth(metric, &rows, query, ask, may);
                let found = find(&index, query, ask);
                assert!(found.iter().all(|near| may(near.id)));
                assert!(found.len() == 10 && hits(&found, &best) >= 9, "{metric} {len}: {found:?} for {best:?}");
                // From the middle of that answer to a little beyond its end.
                let range = KeyRange { lower: best[4].key, upper: best[9].key.next_up() };
                let ask = Ask { range, ..ask };
                let best = truth(metric, &rows, query, ask, may);
                assert!(hits(&find(&index, query, ask), &best) >= best.len() - 1, "{metric} {len} within {range:?}");
                let page = Ask { range: KeyRange { lower: best[0].key, ..KeyRange::ALL }, ..ask };
                let best = truth(metric, &rows, query, page, may);
                assert!(hits(&find(&index, query, page), &best) >= 9, "{metric} {len} from {}", best[0].key);
                let all = Ask { k: len, ef: len, range: KeyRange::ALL, ..ask };
                assert_eq!(find(&index, query, all), truth(metric, &rows, query, all, may), "{metric}: all rows");
            }
        }
    }
}

#[test]
fn the_graph_is_the_same_on_any_number_of_threads() {
    let graph = |threads: usize, per_append: usize| {
        let mut source = Source::new(8, 10, 0.0);
        let rows = source.rows(4000);
        let index = plain(Metric::Cosine, 1000);
        for part in rows.chunks(2000 * DIM) {
            part.chunks(per_append * DIM).for_each(|part| assert!(index.append(any(part)).is_ok()));
            grow_on(&index, threads);
            (0..index.len() as u32).filter(|id| id % 5 == 1).for_each(|id| assert!(index.remove(id) || id < 2000));
        }
        grow_on(&index, threads);
        let view = index.view();
        assert!(view.codes.len() <= 3, "codes in {} pieces", view.codes.len());
        let links: Vec<Vec<u32>> = (0..view.graph.nodes).map(|node| view.graph.links.of(node).collect()).collect();
        (view.graph.nodes, view.graph.entries.ids().to_vec(), links)
    };
    let one = graph(1, 2000);
    assert!(one.0 >= 3500 && one.2.iter().filter(|links| !links.is_empty()).count() > 3000);
    assert!(one == graph(2, 2000), "on two threads");
    assert!(one == graph(1, 100), "appended in small parts");
}

/// After each call of `grow` with much removed, no live node leads to a removed one and each can be reached.
#[test]
fn removed_rows_leave_no_holes() {
    let mut source = Source::new(9, 16, 0.0);
    let index = plain(Metric::L2, 1000);
    index.append(any(&source.rows(3000))).unwrap();
    grow_on(&index, 1);
    // A whole cluster, then most of the others' rows, then all.
    let steps: [&dyn Fn(u32) -> bool; 3] = [&|id| id % 16 == 3 || id % 16 == 4, &|id| id % 3 > 0, &|_| true];
    for gone in steps {
        (0..3000).filter(|id| gone(*id)).for_each(|id| {
            index.remove(id);
        });
        grow_on(&index, 2);
        let view = index.view();
        let is_live = |id: u32| view.flags.is_live(Flag::Coded, id);
        let live: Vec<u32> = view.flags.coded(view.graph.nodes as usize).collect();
        assert!(live.iter().all(|node| view.graph.links.of(*node).all(is_live)));
        let (mut reached, mut queue) = (vec![false; 3000], view.graph.entries.ids().to_vec());
        while let Some(node) = queue.pop() {
            if !std::mem::replace(&mut reached[node as usize], true) {
                queue.extend(view.graph.links.of(node));
            }
        }
        assert_eq!(live.iter().filter(|node| !reached[**node as usize]).count(), 0, "of {}", live.len());
    }
    assert_eq!(index.live(), 0);
    assert!(find(&index, &[0.0; DIM], TEN).is_empty());
    assert!(!index.remove(5) && !index.remove(3000) && !index.remove(u32::MAX));
    index.append(any(&source.rows(1500))).unwrap();
    grow_on(&index, 1);
    assert!(find(&index, &[0.0; DIM], TEN).iter().all(|near| near.id >= 3000));
    assert_eq!(find(&index, &[0.0; DIM], TEN).len(), 10);
}

#[test]
fn strange_rows_are_taken_in() {
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        let mut source = Source::new(4, 5, 0.0);
        let mut rows = source.rows(3000);
        for (id, row) in rows.chunks_mut(DIM).enumerate() {
            match id % 30 {
                0 => row[7] = f32::NAN,
                1 => row[0] = f32::NEG_INFINITY,
                2 => row.fill(0.0),
                3 if id < 1000 => row.iter_mut().for_each(|value| *value *= 1e16),
                4..10 => row.fill(0.25),
                _ => {}
            }
        }
        let index = plain(metric, 1000);
        index.append(any(&rows)).unwrap();
        grow_on(&index, 1);
        assert!(index.view().apart.is_empty() == (metric == Metric::Cosine));
        let bad = |id: u32| id % 30 < 2;
        let query = source.rows(1);
        for k in [1, 20, 3000] {
            let ask = Ask { k, ef: k.max(64), ..TEN };
            let (found, best) = (find(&index, &query, ask), truth(metric, &rows, &query, ask, |_| true));
            assert!(found.iter().all(|near| !bad(near.id)));
            assert!(found.len() == best.len() && hits(&found, &best) * 10 >= best.len() * 9, "{metric} {k}");
        }
        // In the crowd of equal rows.
        let found = find(&index, &[0.25; DIM], TEN);
        assert!(found.len() == 10 && (metric != Metric::L2 || found.iter().all(|near| near.key == 0.0)), "{found:?}");
        // A query that no codes can be compared with.
        let far: Vec<f32> = query.iter().map(|value| value * 1e17).collect();
        assert_eq!(find(&index, &far, TEN), truth(metric, &rows, &far, TEN, |_| true), "{metric}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let spec = spec_of(Metric::L2, DIM, 8, 60);
    let limits = GrowingLimits { max_rows: 10, ..GrowingLimits::default() };
    let index = GrowingIndex::new(&spec, limits).unwrap();
    assert!(index.is_empty() && find(&index, &[0.0; DIM], TEN).is_empty());
    let rows = Source::new(1, 1, 0.0).rows(8);
    assert_eq!(index.append(any(&[])).unwrap(), 0);
    assert_eq!(index.append(any(&rows)).unwrap(), 0);
    assert_eq!(index.append(any(&rows)).unwrap_err(), BuildError::TooManyRows { rows: 16, max: 10 });
    assert_eq!(index.append(any(&rows[..2 * DIM])).unwrap(), 8);
    assert_eq!(index.len(), 10);
    let narrow = AnyRows::F32(Rows::new(&rows[..6], 6).unwrap());
    assert_eq!(index.append(narrow).unwrap_err(), BuildError::Dim { want: DIM, got: 6 });
    let bytes = [0_i8; DIM];
    let refused = index.append(AnyRows::I8(Rows::new(&bytes, DIM).unwrap())).unwrap_err();
    assert_eq!(refused, BuildError::Element { want: ElementType::F32, got: ElementType::I8 });
    let flat = Spec::new(&crate::Flat, ElementType::F32, DIM, Metric::L2, Vec::new()).unwrap();
    let refused = GrowingIndex::new(&flat, limits).unwrap_err();
    assert_eq!(refused, BuildError::Factory { want: "HNSW", got: "FLAT" });
    let bits = Spec::new(&HNSW, ElementType::Binary, DIM, Metric::Hamming, Vec::new()).unwrap();
    assert!(matches!(GrowingIndex::new(&bits, limits).unwrap_err(), BuildError::Element { .. }));
    let limits = GrowingLimits { max_rows: 1 << 31, ..limits };
    assert!(matches!(GrowingIndex::new(&spec, limits).unwrap_err(), BuildError::TooManyRows { .. }));

    let params = crate::parse(HNSW.params(), Stage::Search, &[("ef".to_owned(), "5".to_owned())]).unwrap();
    let (long, cancel) = (Bitmap::full(11), Cancel::new());
    let search = Search { k: 5, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let ask = |query: &[f32], search: &Search<'_>, k| {
        index.search(Vector::F32(query), search, &mut Scratch::new(), &mut TopK::new(k)).unwrap_err()
    };
    assert_eq!(ask(&rows[..3], &search, 5), SearchError::Dim { want: DIM, got: 3 });
    assert_eq!(ask(&rows[..DIM], &search, 6), SearchError::Holder { want: 5, got: 6 });
    assert!(matches!(ask(&rows[..DIM], &Search { k: 6, ..search }, 6), SearchError::BelowK { .. }));
    let filtered = Search { filter: Some(long.view()), ..search };
    assert_eq!(ask(&rows[..DIM], &filtered, 5), SearchError::Filter { want: 10, got: 11 });
    assert!(matches!(ask(&[f32::NAN; DIM], &search, 5), SearchError::NotFinite { .. }));
    cancel.cancel();
    assert_eq!(ask(&rows[..DIM], &search, 5), SearchError::Cancelled);
}

#[test]
fn a_cancelled_growth_goes_on_later() {
    let index = plain(Metric::L2, 1000);
    let rows = Source::new(6, 10, 0.0).rows(4000);
    index.append(any(&rows)).unwrap();
    let told = std::sync::Mutex::new(Vec::new());
    let cancel = Cancel::new();
    let progress = |done, total| {
        told.lock().unwrap().push((done, total));
        if done > 1000 {
            cancel.cancel();
        }
    };
    let cx = BuildCx { pool: None, seed: SEED, cancel: &cancel, progress: &progress, device: None };
    assert_eq!(index.grow(&cx).unwrap_err(), BuildError::Cancelled);
    let nodes = index.len() - index.pending();
    assert!((1000..3000).contains(&nodes), "{nodes} rows entered before that");
    assert!(told.lock().unwrap().is_sorted() && told.lock().unwrap().iter().all(|(_, total)| *total == 4000));
    assert_eq!(find(&index, &rows[..DIM], TEN)[0].id, 0);
    grow_on(&index, 1);
    let whole = plain(Metric::L2, 1000);
    whole.append(any(&rows)).unwrap();
    grow_on(&whole, 1);
    let links = |index: &GrowingIndex| -> Vec<u32> {
        let view = index.view();
        (0..view.graph.nodes).flat_map(|node| view.graph.links.of(node).collect::<Vec<_>>()).collect()
    };
    assert!(links(&index) == links(&whole), "as if it had not been cancelled");
}

#[test]
fn rows_of_every_type_are_kept() {
    for element in [ElementType::F16, ElementType::Bf16, ElementType::I8] {
        let fixture = crate::testing::Fixture::clustered(element, Metric::L2, 2500, 20, 3);
        let spec = Spec::new(&HNSW, element, 20, Metric::L2, vec![("M".to_owned(), "8".to_owned())]).unwrap();
        let limits = GrowingLimits { flat_rows: 1500, ..GrowingLimits::default() };
        let index = GrowingIndex::new(&spec, limits).unwrap();
        for at in (0..2500).step_by(250) {
            assert_eq!(index.append(fixture.rows().slice(at..at + 250)).unwrap(), at as u32);
        }
        grow_on(&index, 1);
        let params = crate::parse(HNSW.params(), Stage::Search, &[]).unwrap();
        let search = Search { k: 10, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
        let mut recall = 0.0;
        for query in 0..fixture.query_count() {
            let mut out = TopK::new(10);
            index.search(fixture.query(query), &search, &mut Scratch::new(), &mut out).unwrap();
            recall += fixture.judge(query, 10, &out.into_sorted(), |_| true) / fixture.query_count() as f64;
        }
        assert!(recall > 0.98, "{element}: {recall}");
        let mut seen = 0;
        index.with_rows(|rows| seen += rows.len());
        assert_eq!(seen, 2500);
        assert!(index.footprint_bytes() > 2500 * 20 * 2 && index.describe().contains("SQ8"), "{}", index.describe());
    }
}

#[test]
fn searches_run_while_rows_come_and_go() {
    let rows = Source::new(11, 10, 0.0).rows(6000);
    let index = plain(Metric::L2, 1000);
    index.append(any(&rows[..1500 * DIM])).unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut count = 0;
            while !is_done.load(Ordering::Relaxed) || count < 50 {
                let query = &rows[count % 1500 * DIM..][..DIM];
                let before = index.len();
                let found = find(&index, query, TEN);
                assert!(found.len() == 10 && found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
                // Rows of even ids among the first are never removed.
                assert!(count % 2 == 1 || found[0].key == 0.0, "row {count} of {before} is not found: {found:?}");
                count += 1;
            }
            count
        });
        let grower = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                grow_on(&index, 1);
                std::thread::yield_now();
            }
        });
        for (i, part) in rows[1500 * DIM..].chunks(90 * DIM).enumerate() {
            index.append(any(part)).unwrap();
            (0..15).for_each(|j| assert!(index.remove((i * 30 + 2 * j + 1) as u32)));
        }
        is_done.store(true, Ordering::Relaxed);
        grower.join().unwrap();
        assert!(reader.join().unwrap() >= 50);
    });
    grow_on(&index, 1);
    assert!(index.pending() < 300 && index.live() == 6000 - 750, "{index:?}");
}

#[test]
fn the_inner_product_finds_long_rows() {
    // Lengths over three orders of magnitude, the longest of which come late.
    let mut rng = Rng::new(12);
    let mut rows = Vec::new();
    for id in 0..4000 {
        let length = (rng.normal() + id as f32 / 2000.0).exp();
        rows.extend((0..DIM).map(|_| length * rng.normal()));
    }
    let index = plain(Metric::Ip, 1000);
    for part in rows.chunks(500 * DIM) {
        index.append(any(part)).unwrap();
        grow_on(&index, 1);
    }
    let mut found = 0;
    for _ in 0..50 {
        let query: Vec<f32> = (0..DIM).map(|_| rng.normal()).collect();
        found += hits(&find(&index, &query, TEN), &truth(Metric::Ip, &rows, &query, TEN, |_| true));
    }
    assert!(found >= 480, "{found} of 500");
}

/// Rows that lie elsewhere.
struct Lent(Vec<f32>);

impl SharedRows for Lent {
    fn rows(&self) -> Option<AnyRows<'_>> {
        Some(any(&self.0))
    }
}

#[test]
fn shared_rows_answer_as_copied_ones_do() {
    let limits = GrowingLimits { flat_rows: 1_500, ..GrowingLimits::default() };
    let made = |metric| GrowingIndex::new(&spec_of(metric, DIM, 12, 80), limits).unwrap();
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        let data = Source::new(11, 30, 1.0).rows(4_000);
        let (copied, shared) = (made(metric), made(metric));
        let mut blocks: Vec<Arc<dyn SharedRows>> = vec![Arc::new(Lent(Vec::new()))];
        for part in data.chunks(700 * DIM) {
            copied.append(any(part)).unwrap();
            blocks.push(Arc::new(Lent(part.to_vec())));
            assert_eq!(shared.share(&blocks).unwrap(), copied.len());
            assert_eq!(grow_on(&copied, 1), grow_on(&shared, 1));
            // Neighbours are put into one block now and then.
            if blocks.len() == 4 {
                blocks = vec![Arc::new(Lent(data[..copied.len() * DIM].to_vec()))];
            }
        }
        assert_eq!(shared.share(&blocks[..1]).unwrap(), 4_000, "fewer blocks than before change nothing");
        assert!(shared.footprint_bytes() + (data.len() * 4) as u64 <= copied.footprint_bytes());
        for at in (0..4_000).step_by(97) {
            let query = &data[at * DIM..][..DIM];
            assert_eq!(find(&shared, query, TEN), find(&copied, query, TEN), "{metric:?}, row {at}");
        }
        // One may follow the other.
        shared.append(any(&data[..DIM])).unwrap();
        let twins: Vec<u32> = find(&shared, &data[..DIM], TEN).iter().map(|near| near.id).collect();
        assert!(metric == Metric::Ip || (twins.contains(&0) && twins.contains(&4_000)), "{metric:?}: {twins:?}");
    }
    let wide: Arc<dyn SharedRows> = Arc::new(Lent(vec![0.0; DIM]));
    let index = GrowingIndex::new(&spec_of(Metric::L2, DIM + 1, 12, 80), limits).unwrap();
    assert!(matches!(index.share(&[wide]), Err(BuildError::Dim { want, got: DIM }) if want == DIM + 1));
}

#[test]
fn one_step_after_another_grows_as_one_call_does() {
    let limits = GrowingLimits { flat_rows: 1_500, ..GrowingLimits::default() };
    let data = Source::new(13, 30, 0.0).rows(4_000);
    let (whole, steps) = [(); 2].map(|()| GrowingIndex::new(&spec_of(Metric::L2, DIM, 12, 80), limits).unwrap()).into();
    whole.append(any(&data)).unwrap();
    steps.append(any(&data)).unwrap();
    grow_on(&whole, 1);
    let cancel = Cancel::new();
    let cx = BuildCx { pool: None, seed: SEED, cancel: &cancel, progress: &no_progress, device: None };
    while steps.grow_once(&cx).unwrap() {}
    assert_eq!(whole.pending(), steps.pending());
    for query in data.chunks(DIM).step_by(97) {
        assert_eq!(find(&whole, query, TEN), find(&steps, query, TEN));
    }
    cancel.cancel();
    assert!(matches!(steps.grow_once(&cx), Err(BuildError::Cancelled)));
}
