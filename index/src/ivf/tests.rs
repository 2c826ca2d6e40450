//! Lists as an index type of their own under the suite, and their own promises.

use elanus_kernels::rng::Rng;
use elanus_kernels::{KeyRange, Rows};

use super::*;
use crate::container::Container;
use crate::testing::{CHECKS, Fixture};
use crate::{Blob, Cancel, OpenCx, OpenError, no_progress};

/// Lists under a name, as the suite wants an index type.
#[derive(Clone, Copy, Debug)]
struct Trial;

const PARAMS: &[Param] = &[PROBES, CANDIDATES];

impl IndexFactory for Trial {
    fn name(&self) -> &'static str {
        "TRIAL LISTS"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    fn params(&self) -> &'static [Param] {
        PARAMS
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        supports(element, metric)
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name(), rows, present, MAX_ROWS)?;
        Ok(Box::new(IvfIndex::build(spec, ListShape::default(), rows, present, cx)?))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        Ok(Box::new(IvfIndex::open(&Container::read(&blob)?, spec, ListShape::default())?))
    }
}

fn built(fixture: &Fixture, shape: ListShape) -> IvfIndex {
    let spec = Spec::new(&Trial, fixture.element, fixture.dim, fixture.metric, Vec::new()).unwrap();
    let cx = BuildCx { pool: None, seed: 5, cancel: &Cancel::new(), progress: &no_progress, device: None };
    IvfIndex::build(&spec, shape, fixture.rows(), None, &cx).unwrap()
}

/// The mean recall at 10 and the mean number of distances.
fn searched(index: &IvfIndex, fixture: &Fixture, given: &[(&str, usize)]) -> (f64, u64) {
    let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
    let params = crate::parse(PARAMS, Stage::Search, &given).unwrap();
    let (mut recall, mut stats, mut scratch) = (0.0, Stats::default(), Scratch::new());
    for query in 0..fixture.query_count() {
        let search = Search { k: 10, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
        let mut out = TopK::new(10);
        stats.add(index.search(fixture.rows(), fixture.query(query), &search, &mut scratch, &mut out).unwrap());
        let answer = out.into_sorted();
        assert_eq!(answer.len(), 10);
        recall += fixture.judge(query, 10, &answer, |_| true);
    }
    let queries = fixture.query_count() as u64;
    (recall / queries as f64, stats.distances / queries)
}

fn check(part: usize) {
    for (name, check) in CHECKS.iter().skip(part).step_by(4) {
        println!("{name}");
        check(&Trial);
    }
}

#[test]
fn lists_pass_a_quarter_of_the_checks() {
    check(0);
}

#[test]
fn lists_pass_the_second_quarter() {
    check(1);
}

#[test]
fn lists_pass_the_third_quarter() {
    check(2);
}

#[test]
fn lists_pass_the_last_quarter() {
    check(3);
}

#[test]
fn more_lists_find_more_rows() {
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        let fixture = Fixture::clustered(ElementType::F32, metric, 6000, 20, 41);
        let index = built(&fixture, ListShape { lists: 200, ..ListShape::default() });
        let (one, few) = searched(&index, &fixture, &[("nprobe", 1)]);
        let (all, many) = searched(&index, &fixture, &[("nprobe", 200)]);
        assert!(one < 0.8 && all >= 0.995, "{metric}: {one} in one list, {all} in all");
        assert!(few < 400 && many > 12_000, "{metric}: {few} and {many} distances");
    }
}

#[test]
fn a_second_list_finds_more_rows() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::Cosine, 6000, 20, 42);
    let shape = ListShape { lists: 200, ..ListShape::default() };
    let (two, scanned) = searched(&built(&fixture, shape), &fixture, &[("nprobe", 8)]);
    let single = ListShape { spill: false, ..shape };
    let (one, same) = searched(&built(&fixture, single), &fixture, &[("nprobe", 16)]);
    assert!(scanned <= same + same / 4, "{scanned} distances, and {same}");
    assert!(two > one - 0.02, "{two} with two lists, {one} with one");
}

#[test]
fn odd_shapes_are_taken() {
    let mut rng = Rng::new(43);
    for (dim, part) in [(1, 1), (1, 9), (3, 2), (7, 3), (17, 2), (33, 8)] {
        let values: Vec<f32> = (0..900 * dim).map(|_| rng.normal()).collect();
        let fixture = Fixture::new(ElementType::F32, Metric::L2, dim, &values, &values[..20 * dim]);
        for lists in [1, 30, 4000] {
            let index = built(&fixture, ListShape { lists, part, spill: true });
            let (recall, _) = searched(&index, &fixture, &[("nprobe", 30)]);
            // Sixteen centroids say little of many components.
            let floor = if part > 3 { 0.5 } else { 0.9 };
            assert!(recall >= floor, "{dim} by {part} in {lists} lists: {recall}");
        }
    }
}

#[test]
fn rows_too_long_for_codes_are_compared() {
    for metric in [Metric::L2, Metric::Ip] {
        let mut rng = Rng::new(44);
        let mut values: Vec<f32> = (0..2000 * 8).map(|_| rng.normal()).collect();
        for row in [3, 700, 1999] {
            values[8 * row..8 * row + 8].fill(1e17);
        }
        let queries = [vec![1e17; 8], values[..8].to_vec()].concat();
        let fixture = Fixture::new(ElementType::F32, metric, 8, &values, &queries);
        let index = built(&fixture, ListShape::default());
        assert_eq!(index.lists.as_ref().unwrap().loose(), [3, 700, 1999]);
        let params = crate::parse(PARAMS, Stage::Search, &[]).unwrap();
        let search = Search { k: 3, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
        let mut out = TopK::new(3);
        index.search(fixture.rows(), fixture.query(0), &search, &mut Scratch::new(), &mut out).unwrap();
        let found: Vec<u32> = out.into_sorted().iter().map(|found| found.id).collect();
        assert_eq!(found, [3, 700, 1999]);
    }
}

#[test]
fn fewer_candidates_than_wanted_are_refused() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 600, 6, 45);
    let index = built(&fixture, ListShape::default());
    let params = crate::parse(PARAMS, Stage::Search, &[("reorder_k".to_owned(), "4".to_owned())]).unwrap();
    let search = Search { k: 5, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
    let result = index.search(fixture.rows(), fixture.query(0), &search, &mut Scratch::new(), &mut TopK::new(5));
    assert_eq!(result, Err(SearchError::BelowK { name: "reorder_k", value: 4, k: 5 }));
}

#[test]
fn codes_of_another_shape_are_refused() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 600, 6, 46);
    let index = built(&fixture, ListShape::default());
    let mut bytes = Vec::new();
    index.save(&mut bytes).unwrap();
    let container = Container::read(&Blob::from_vec(bytes)).unwrap();
    let open = |shape| IvfIndex::open(&container, index.spec(), shape).map(|opened| opened.describe());
    assert_eq!(open(ListShape::default()), Ok(index.describe()));
    for shape in [
        ListShape { lists: 9, ..ListShape::default() },
        ListShape { part: 3, ..ListShape::default() },
        ListShape { spill: false, ..ListShape::default() },
    ] {
        assert!(matches!(open(shape), Err(OpenError::Mismatch { .. })));
    }
}

#[test]
fn codes_for_products_err_least_along_the_row() {
    let mut rng = Rng::new(47);
    let (dim, count) = (64, 400);
    let values: Vec<f32> = (0..count * dim).map(|_| rng.normal()).collect();
    let rows = Rows::new(&values, dim).unwrap();
    let books: Vec<f32> = (0..dim / 2 * 16 * 2).map(|_| rng.normal()).collect();
    let codebooks = Codebooks::new(&books, dim / 2, 16, 2).unwrap();
    let ids: Vec<u32> = (0..count as u32).collect();
    let error = |metric| {
        let space = Space { metric, mean: Array::Owned(vec![0.0; if metric == Metric::L2 { dim } else { 0 }]) };
        let encoder = codes::Encoder { rows, space: &space, codebooks: &codebooks, books: &books };
        let packed = encoder.list(&ids, &vec![0.0; dim]).codes;
        let (mut codes, mut decoded) = (vec![0; count * dim / 4], vec![0.0; count * dim]);
        pq4::unpack(LAYOUT, dim / 2, &packed, &mut codes);
        codebooks.decode(&codes, &mut decoded);
        let (mut all, mut along) = (0.0, 0.0);
        for (row, decoded) in rows.iter().zip(decoded.chunks(dim)) {
            let error = || row.iter().zip(decoded).map(|(a, b)| a - b);
            all += error().map(|value| value * value).sum::<f32>();
            let product: f32 = error().zip(row).map(|(error, value)| error * value).sum();
            along += product * product / row.iter().map(|value| value * value).sum::<f32>();
        }
        (all, along)
    };
    let ((nearest, before), (turned, after)) = (error(Metric::L2), error(Metric::Ip));
    assert!(nearest < turned && turned < 1.2 * nearest, "{nearest}, then {turned}");
    assert!(after < 0.5 * before, "{before} along the rows, then {after}");
}
