//! Scans with offsets, filters and ranges against the plain reference, one query and many.

use super::*;
use crate::testing::Fixture;

fn fixture(element: ElementType, metric: Metric) -> Fixture {
    Fixture::clustered(element, metric, 999, 19, 5)
}

fn run(fixture: &Fixture, query: usize, first: u32, filter: Option<&Bitmap>, range: KeyRange) -> (TopK, Stats) {
    let mut out = TopK::new(12);
    let filter = filter.map(Bitmap::view);
    let query = fixture.query(query);
    let stats = scan(fixture.rows(), first, query, fixture.metric, filter, range, &Cancel::new(), &mut out).unwrap();
    (out, stats)
}

fn pairs(out: TopK) -> Vec<(u32, f32)> {
    out.into_sorted().into_iter().map(|found| (found.id, found.key)).collect()
}

#[test]
fn ids_and_filter_bits_begin_at_the_first_id() {
    for metric in elanus_kernels::METRICS {
        for element in elanus_kernels::ELEMENTS.iter().filter(|element| element.supports(*metric)) {
            let fixture = fixture(*element, *metric);
            for (first, percent) in [(0, 100), (0, 40), (1, 100), (63, 70), (64, 40), (1000, 3), (77, 0)] {
                let passes = |bit: usize| bit * 31 % 100 < percent;
                let filter = Bitmap::from_fn(first + 999 + 5, passes);
                let (out, stats) = run(&fixture, 1, first as u32, Some(&filter), KeyRange::ALL);
                let mut answer = out.into_sorted();
                answer.iter_mut().for_each(|found| found.id -= first as u32);
                let kept = |row: usize| passes(first + row);
                assert_eq!(fixture.judge(1, 12, &answer, kept), 1.0);
                let count = (0..999).filter(|row| kept(*row)).count();
                assert_eq!(answer.len(), count.min(12));
                assert!(stats.distances >= count as u64 && stats.hops == 0);
            }
        }
    }
}

#[test]
fn dropping_rows_by_words_costs_no_distances() {
    let fixture = fixture(ElementType::F32, Metric::L2);
    let filter = Bitmap::from_fn(999, |row| row / 64 == 3);
    assert_eq!(run(&fixture, 0, 0, Some(&filter), KeyRange::ALL).1.distances, 64);
    assert_eq!(run(&fixture, 0, 0, Some(&Bitmap::new(999)), KeyRange::ALL).1.distances, 0);
}

#[test]
fn many_queries_answer_as_each_alone() {
    for metric in elanus_kernels::METRICS {
        for element in elanus_kernels::ELEMENTS.iter().filter(|element| element.supports(*metric)) {
            let fixture = fixture(*element, *metric);
            let keys: Vec<f32> = pairs(run(&fixture, 0, 0, None, KeyRange::ALL).0).iter().map(|pair| pair.1).collect();
            let shell = KeyRange { lower: keys[3], upper: keys[9] };
            for percent in [None, Some(0), Some(10), Some(40), Some(99)] {
                let filter = percent.map(|percent| Bitmap::from_fn(2000, |bit| bit * 31 % 100 < percent));
                for range in [KeyRange::ALL, shell] {
                    let mut outs = vec![TopK::new(12); fixture.query_count()];
                    let (rows, queries) = (fixture.rows(), fixture.queries());
                    let bits = filter.as_ref().map(Bitmap::view);
                    scan_many(rows, 100, queries, *metric, bits, range, &Cancel::new(), &mut outs).unwrap();
                    for (query, out) in outs.into_iter().enumerate() {
                        let (many, alone) = (pairs(out), pairs(run(&fixture, query, 100, filter.as_ref(), range).0));
                        assert_eq!(many, alone);
                    }
                }
            }
        }
    }
}

#[test]
fn ranges_include_their_lower_end_only() {
    let fixture = fixture(ElementType::F32, Metric::L2);
    let all = pairs(run(&fixture, 2, 0, None, KeyRange::ALL).0);
    let range = KeyRange { lower: all[2].1, upper: all[6].1 };
    assert_eq!(pairs(run(&fixture, 2, 0, None, range).0), all[2..6]);
    let filter = Bitmap::full(999);
    assert_eq!(pairs(run(&fixture, 2, 0, Some(&filter), range).0), all[2..6]);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let fixture = fixture(ElementType::F32, Metric::L2);
    let (rows, queries, all) = (fixture.rows(), fixture.queries(), KeyRange::ALL);
    let cancel = Cancel::new();
    let one = |first, query, filter| {
        scan(rows, first, query, Metric::L2, filter, all, &cancel, &mut TopK::new(3)).unwrap_err()
    };
    assert_eq!(one(0, Vector::F32(&[0.0; 18]), None), SearchError::Dim { want: 19, got: 18 });
    let nan = [f32::NAN; 19];
    assert!(matches!(one(0, Vector::F32(&nan), None), SearchError::NotFinite { position: 0, .. }));
    let short = Bitmap::full(1008);
    assert_eq!(one(10, queries.row(0), Some(short.view())), SearchError::Filter { want: 1009, got: 1008 });
    assert!(matches!(one(u32::MAX - 5, queries.row(0), None), SearchError::Rows { got: 999, .. }));
    let many = |outs: &mut [TopK]| scan_many(rows, 0, queries, Metric::L2, None, all, &cancel, outs).unwrap_err();
    assert_eq!(many(&mut [TopK::new(1)]), SearchError::Holder { want: 40, got: 1 });
    cancel.cancel();
    assert_eq!(one(0, queries.row(0), None), SearchError::Cancelled);
    assert_eq!(many(&mut vec![TopK::new(1); 40]), SearchError::Cancelled);
}
