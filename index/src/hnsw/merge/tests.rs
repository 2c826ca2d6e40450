//! What is made of parts answers as what is built afresh.

use elanus_kernels::rng::Rng;
use elanus_kernels::{ElementType, KeyRange};
use rayon::ThreadPoolBuilder;

use super::super::HNSW;
use super::*;
use crate::graph::links::used;
use crate::testing::{Fixture, search_with};
use crate::{AutoIndex, Cancel, Flat, IndexFactory, no_progress};

const DIM: usize = 12;
const ALL: [(ElementType, Metric); 7] = [
    (ElementType::F32, Metric::L2),
    (ElementType::F32, Metric::Ip),
    (ElementType::F32, Metric::Cosine),
    (ElementType::F16, Metric::Ip),
    (ElementType::I8, Metric::L2),
    (ElementType::Binary, Metric::Hamming),
    (ElementType::Binary, Metric::Jaccard),
];

/// Rows in a few crowds; row `i` is of the crowd `crowd(i)`.
fn values(rows: usize, seed: u64, crowd: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let centres: Vec<f32> = (0..20 * DIM).map(|_| rng.normal()).collect();
    let mut row = |i: usize| (0..DIM).map(|at| centres[crowd(i) * DIM + at] + 0.5 * rng.normal()).collect::<Vec<_>>();
    (0..rows).flat_map(&mut row).collect()
}

/// Parts after each other, and the rows that are left of them.
struct Case {
    spec: Spec,
    all: Fixture,
    kept: Fixture,
    sizes: Vec<usize>,
    places: Vec<Option<u32>>,
}

impl Case {
    fn new(kind: (ElementType, Metric), values: &[f32], sizes: &[usize], is_kept: impl Fn(usize) -> bool) -> Self {
        let queries = self::values(120, 99, |i| i % 20);
        let rows: Vec<usize> = (0..values.len() / DIM).filter(|row| is_kept(*row)).collect();
        let kept: Vec<f32> = rows.iter().flat_map(|row| &values[row * DIM..][..DIM]).copied().collect();
        let mut places = vec![None; values.len() / DIM];
        rows.iter().enumerate().for_each(|(place, row)| places[*row] = Some(place as u32));
        let given = [("M", "8"), ("efConstruction", "60")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            spec: Spec::new(&HNSW, kind.0, DIM, kind.1, given.to_vec()).unwrap(),
            all: Fixture::new(kind.0, kind.1, DIM, values, &queries),
            kept: Fixture::new(kind.0, kind.1, DIM, &kept, &queries),
            sizes: sizes.to_vec(),
            places,
        }
    }

    fn built(&self, rows: AnyRows<'_>) -> HnswIndex {
        let cx = BuildCx { pool: None, seed: 5, cancel: &Cancel::new(), progress: &no_progress, device: None };
        HnswIndex::build(&self.spec, HNSW.recipe(&self.spec), rows, None, &cx).unwrap()
    }

    fn starts(&self) -> Vec<usize> {
        (0..self.sizes.len()).map(|part| self.sizes[..part].iter().sum()).collect()
    }

    fn parts(&self) -> Vec<HnswIndex> {
        let spans = self.starts().into_iter().zip(&self.sizes);
        spans.map(|(start, size)| self.built(self.all.rows().slice(start..start + size))).collect()
    }

    fn join(&self, parts: &[HnswIndex], cx: &BuildCx<'_>) -> Result<Option<HnswIndex>, BuildError> {
        let row = |start: usize| move |row: u32| self.places[start + row as usize];
        let maps: Vec<_> = self.starts().into_iter().map(row).collect();
        let parts = parts.iter().zip(&maps).filter_map(|(part, row)| Some(Part { graph: part.graph.as_ref()?, row }));
        let parts: Vec<Part<'_>> = parts.collect();
        HnswIndex::join(&self.spec, HNSW.recipe(&self.spec), &parts, (self.kept.rows(), None), cx)
    }

    fn joined(&self, parts: &[HnswIndex], threads: usize) -> Option<HnswIndex> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let cancel = Cancel::new();
        let cx = BuildCx { pool: Some(&pool), seed: 5, cancel: &cancel, progress: &no_progress, device: None };
        self.join(parts, &cx).unwrap()
    }

    fn recall(&self, index: &HnswIndex) -> f64 {
        let found = |query| {
            let answer = search_with(index, &self.kept, query, 10, None, KeyRange::ALL);
            self.kept.judge(query, 10, &answer, |_| true)
        };
        (0..self.kept.query_count()).map(found).sum::<f64>() / self.kept.query_count() as f64
    }

    /// Joins the parts and compares the whole with a fresh one.
    fn check(&self, what: &str) {
        let index = self.joined(&self.parts(), 2).unwrap();
        let graph = index.graph.as_ref().unwrap();
        let mut reached = vec![false; self.kept.len()];
        let mut queue = vec![graph.entry];
        while let Some(row) = queue.pop() {
            if !std::mem::replace(&mut reached[row as usize], true) {
                let links = used(graph.ground().row(row));
                let mut distinct = links.to_vec();
                distinct.sort_unstable();
                distinct.dedup();
                assert!(distinct.len() == links.len() && !links.contains(&row), "{what}, row {row}: {links:?}");
                queue.extend(links);
            }
        }
        assert!(reached.iter().all(|is| *is), "{what}: rows are not reached");
        let (merged, fresh) = (self.recall(&index), self.recall(&self.built(self.kept.rows())));
        assert!(merged >= fresh - 0.04, "{what}: {merged} of parts, {fresh} afresh");
    }
}

#[test]
fn any_number_of_parts_and_of_deletions_is_joined() {
    let values = values(1600, 1, |i| i % 20);
    for sizes in [&[800, 800][..], &[1000, 400, 200], &[160; 10]] {
        for percent in [0, 10, 50] {
            let case = Case::new(ALL[0], &values, sizes, |row| row * 37 % 100 >= percent);
            case.check(&format!("{} parts without {percent} in a hundred", sizes.len()));
        }
    }
}

#[test]
fn every_metric_and_element_is_joined() {
    let values = values(1400, 2, |i| i % 20);
    for kind in ALL {
        Case::new(kind, &values, &[800, 600], |row| row % 10 != 3).check(&format!("{kind:?}"));
    }
}

#[test]
fn rows_that_are_equal_across_parts_are_joined() {
    let mut values = values(2400, 3, |i| i % 20);
    // The second half of the second part is a copy of rows of the first, and every fifth row is one and the same.
    for row in 1800..2400 {
        values.copy_within((row - 1500) * DIM..(row - 1499) * DIM, row * DIM);
    }
    for row in (0..2400).step_by(5) {
        values[row * DIM..][..DIM].fill(0.25);
    }
    for kind in [ALL[0], ALL[2], ALL[5]] {
        Case::new(kind, &values, &[1200, 1200], |_| true).check("copies");
        Case::new(kind, &values, &[600, 1200, 600], |row| row % 4 != 1).check("copies, some dropped");
    }
    // Nothing but copies.
    let copies = [&values[..900 * DIM], &values[..900 * DIM]].concat();
    Case::new(ALL[0], &copies, &[900, 900], |_| true).check("only copies");
    let same = vec![1.5; 600 * DIM];
    Case::new(ALL[0], &same, &[300, 300], |_| true).check("one row many times");
}

#[test]
fn parts_of_different_crowds_are_joined() {
    let values = values(2400, 4, |i| i / 120);
    Case::new(ALL[0], &values, &[1200, 1200], |_| true).check("crowds apart");
    Case::new(ALL[2], &values, &[1300, 500, 600], |_| true).check("crowds apart");
}

#[test]
fn parts_may_have_hardly_any_rows() {
    let values = values(700, 5, |i| i % 20);
    for sizes in [&[0, 700][..], &[1, 699], &[699, 1], &[350, 0, 349, 1], &[700]] {
        Case::new(ALL[0], &values, sizes, |_| true).check(&format!("{sizes:?}"));
    }
    // Nothing is left of one part, little of another: its rows come without links.
    Case::new(ALL[0], &values, &[100, 500, 100], |row| row >= 100 && (row < 600 || row % 3 == 0)).check("little left");
    let tiny = Case::new(ALL[0], &values[..DIM * 2], &[1, 1], |_| true);
    tiny.check("two rows");
    // Nothing is left at all, or half of the rows come from nowhere.
    let none = Case::new(ALL[0], &values, &[350, 350], |_| false);
    assert!(none.joined(&none.parts(), 1).is_none());
    let case = Case::new(ALL[0], &values, &[350, 350], |_| true);
    assert!(case.joined(&case.parts()[..1], 1).is_none());
}

#[test]
fn any_number_of_threads_joins_the_same() {
    let values = values(2400, 6, |i| i % 20);
    let case = Case::new(ALL[0], &values, &[1000, 800, 600], |row| row % 7 != 2);
    let parts = case.parts();
    let bytes = |threads| {
        let mut bytes = Vec::new();
        case.joined(&parts, threads).unwrap().save(&mut bytes).unwrap();
        bytes
    };
    let one = bytes(1);
    assert!(one == bytes(2) && one == bytes(3));
}

#[test]
fn progress_is_told_and_a_cancelled_join_ends() {
    let values = values(1600, 7, |i| i % 20);
    let case = Case::new(ALL[0], &values, &[800, 500, 300], |_| true);
    let parts = case.parts();
    let told = parking_lot::Mutex::new(Vec::new());
    let cancel = Cancel::new();
    let progress = |done: u64, total: u64| told.lock().push((done, total));
    let cx = BuildCx { pool: None, seed: 5, cancel: &cancel, progress: &progress, device: None };
    assert!(case.join(&parts, &cx).unwrap().is_some());
    let told = told.into_inner();
    assert!(told.is_sorted() && told.len() > 4, "{told:?}");
    assert_eq!((told[0], told[told.len() - 1]), ((0, 1600), (1600, 1600)));
    // Ends at any point at which it tells that there is more to do.
    for at in 0..told.iter().filter(|(done, total)| done < total).count() {
        let (cancel, count) = (Cancel::new(), parking_lot::Mutex::new(0));
        let progress = |_: u64, _: u64| {
            *count.lock() += 1;
            if *count.lock() > at {
                cancel.cancel();
            }
        };
        let cx = BuildCx { pool: None, seed: 5, cancel: &cancel, progress: &progress, device: None };
        assert_eq!(case.join(&parts, &cx).map(|_| ()), Err(BuildError::Cancelled), "{at}");
    }
}

/// Asks the factory to merge two parts of so many rows.
fn asked(factory: &'static dyn IndexFactory, sizes: [usize; 2], places: impl Fn(u32) -> Option<u32> + Sync) -> bool {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, sizes[0] + sizes[1], DIM, 8);
    let spec = Spec::new(factory, ElementType::F32, DIM, Metric::L2, Vec::new()).unwrap();
    let cx = BuildCx { pool: None, seed: 1, cancel: &Cancel::new(), progress: &no_progress, device: None };
    let rows = fixture.rows();
    let one = factory.build(&spec, rows.slice(0..sizes[0]), None, &cx).unwrap();
    let two = factory.build(&spec, rows.slice(sizes[0]..rows.len()), None, &cx).unwrap();
    let after = |row: u32| Some(row + sizes[0] as u32);
    let parts = [MergePart { index: &*one, row: &places }, MergePart { index: &*two, row: &after }];
    let Some(index) = factory.merge(&spec, &parts, rows, None, &cx).unwrap() else { return false };
    let answer = search_with(&*index, &fixture, 0, 10, None, KeyRange::ALL);
    fixture.judge(0, 10, &answer, |_| true) > 0.8 && index.factory().name() == factory.name()
}

#[test]
fn parts_are_taken_where_that_pays() {
    assert!(asked(&HNSW, [1250, 1000], Some));
    assert!(asked(&AutoIndex, [1250, 1000], Some));
    // AUTOINDEX scans few rows, and they come without links.
    assert!(asked(&AutoIndex, [2000, 200], Some));
    assert!(!asked(&HNSW, [500, 400], Some), "few rows");
    assert!(!asked(&HNSW, [1150, 1050], Some), "parts of one size");
    assert!(!asked(&Flat, [1250, 1000], Some), "no graph");
    assert!(!asked(&HNSW, [1250, 1000], |row| Some(row + 600)), "rows of two parts");
    assert!(!asked(&HNSW, [1250, 1000], |row| Some(row + 5000)), "rows outside");
    assert!(!asked(&HNSW, [2000, 200], |row| (row > 1500).then_some(row)), "too little left");
}
