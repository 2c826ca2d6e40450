//! Few rows, equal rows, absent rows, bad values and bad arguments.

use elanus_kernels::{AnyRows, Bitmap, ElementType, Metric, Rows, TopK, Vector};

use super::data::{Fixture, build_on, search_with, spec_of, supported};
use crate::{
    BuildCx, BuildError, Cancel, Index, IndexFactory, KeyRange, ParamSet, Scratch, Search, SearchError, Spec,
    SpecError, Stage, no_progress,
};

/// No rows, one row, two rows.
pub(super) fn takes_hardly_any_rows(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        for rows in 0..4 {
            let fixture = Fixture::clustered(element, metric, rows, 5, 11);
            let index = build_on(1, factory, &fixture, None);
            assert_eq!((index.len(), index.is_empty()), (rows, rows == 0));
            for k in [1, 2, 100] {
                let answer = search_with(&*index, &fixture, 0, k, None, KeyRange::ALL);
                assert_eq!(answer.len(), k.min(rows));
                assert_eq!(fixture.judge(0, k, &answer, |_| true), 1.0);
                let none = Bitmap::new(rows);
                assert_eq!(search_with(&*index, &fixture, 0, k, Some(none.view()), KeyRange::ALL), []);
            }
        }
    }
}

/// All rows equal, and a crowd of equal rows among others.
pub(super) fn takes_equal_rows(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        let dim = 12;
        let one: Vec<f32> = (0..dim).map(|i| i as f32 - 3.0).collect();
        let all = Fixture::new(element, metric, dim, &one.repeat(1500), &one);
        let index = build_on(2, factory, &all, None);
        for k in [1, 10, 200] {
            let answer = search_with(&*index, &all, 0, k, None, KeyRange::ALL);
            assert_eq!(answer.len(), k, "{} {element} {metric}", factory.name());
            assert_eq!(all.judge(0, k, &answer, |_| true), 1.0);
        }
        let other = Fixture::clustered(ElementType::F32, metric, 1500, dim, 12);
        let AnyRows::F32(rows) = other.rows() else { unreachable!("the fixture is f32") };
        let AnyRows::F32(queries) = other.queries() else { unreachable!("the fixture is f32") };
        // Every third row is the same one.
        let one = rows.row(7);
        let row = |i: usize| if i % 3 == 1 { one } else { rows.row(i) };
        let mixed: Vec<f32> = (0..rows.len()).flat_map(row).copied().collect();
        let queries = [queries.data(), one].concat();
        let crowd = Fixture::new(element, metric, dim, &mixed, &queries);
        let index = build_on(2, factory, &crowd, None);
        let (mut recall, count) = (0.0, crowd.query_count());
        for query in 0..count {
            let answer = search_with(&*index, &crowd, query, 10, None, KeyRange::ALL);
            assert_eq!(answer.len(), 10);
            recall += crowd.judge(query, 10, &answer, |_| true) / count as f64;
        }
        assert!(recall >= 0.95, "{} {element} {metric}: {recall}", factory.name());
    }
}

/// Rows without a vector hold bytes that mean nothing, and are never returned.
pub(super) fn leaves_out_absent_rows(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        let whole = Fixture::clustered(ElementType::F32, metric, 2000, 24, 13);
        let AnyRows::F32(rows) = whole.rows() else { unreachable!("the fixture is f32") };
        let AnyRows::F32(queries) = whole.queries() else { unreachable!("the fixture is f32") };
        let is_there = |row: usize| row % 5 != 1 && row != 1999;
        let junk = [f32::NAN, 0.0, f32::INFINITY, -1.0];
        let value = |i: usize| if is_there(i / 24) { rows.data()[i] } else { junk[i / 24 % 4] };
        let values: Vec<f32> = (0..rows.data().len()).map(value).collect();
        let fixture = Fixture::new(element, metric, 24, &values, queries.data());
        let present = Bitmap::from_fn(fixture.len(), is_there);
        let index = build_on(2, factory, &fixture, Some(present.view()));
        let filter = Bitmap::from_fn(fixture.len(), |row| row % 2 == 0);
        let (mut recall, count) = (0.0, fixture.query_count());
        for query in 0..count {
            let answer = search_with(&*index, &fixture, query, 10, None, KeyRange::ALL);
            assert_eq!(answer.len(), 10);
            recall += fixture.judge(query, 10, &answer, is_there) / count as f64;
            let answer = search_with(&*index, &fixture, query, 10, Some(filter.view()), KeyRange::ALL);
            assert_eq!(answer.len(), 10);
            recall += fixture.judge(query, 10, &answer, |row| is_there(row) && row % 2 == 0) / count as f64;
        }
        assert!(recall / 2.0 > 0.979, "{} {element} {metric}: {}", factory.name(), recall / 2.0);
        let all = search_with(&*index, &fixture, 0, 3000, None, KeyRange::ALL);
        assert_eq!(all.len(), present.count_ones());
        let nobody = Bitmap::new(fixture.len());
        let index = build_on(2, factory, &fixture, Some(nobody.view()));
        assert_eq!(search_with(&*index, &fixture, 0, 10, None, KeyRange::ALL), []);
        assert_eq!(index.len(), fixture.len());
    }
}

/// Rows with NaN or infinities neither break the build nor hide other rows, and NaN is never returned.
pub(super) fn lives_with_bad_rows(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        if !matches!(element, ElementType::F32 | ElementType::F16 | ElementType::Bf16) {
            // Bytes are all finite.
            continue;
        }
        let whole = Fixture::clustered(ElementType::F32, metric, 1500, 8, 14);
        let AnyRows::F32(rows) = whole.rows() else { unreachable!("the fixture is f32") };
        let AnyRows::F32(queries) = whole.queries() else { unreachable!("the fixture is f32") };
        let is_good = |row: usize| row % 10 != 3;
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let value = |i: usize| if is_good(i / 8) || i % 8 != 5 { rows.data()[i] } else { bad[i / 80 % 3] };
        let values: Vec<f32> = (0..rows.data().len()).map(value).collect();
        let fixture = Fixture::new(element, metric, 8, &values, queries.data());
        let index = build_on(2, factory, &fixture, None);
        let (mut recall, mut count) = (0.0, 0.0);
        for query in 0..fixture.query_count() {
            let answer = search_with(&*index, &fixture, query, 10, None, KeyRange::ALL);
            assert_eq!(answer.len(), 10);
            assert!(answer.iter().all(|found| !found.key.is_nan()));
            if answer.iter().all(|found| found.key.is_finite()) {
                recall += fixture.judge(query, 10, &answer, is_good);
                count += 1.0;
            }
        }
        // With the inner product an infinite row may truly be nearest of all.
        assert!(metric == Metric::Ip || count > 0.0, "{} {element} {metric}", factory.name());
        assert!(recall >= 0.95 * count, "{} {element} {metric}: {recall} of {count}", factory.name());
    }
}

fn try_search(
    index: &dyn Index,
    rows: AnyRows<'_>,
    query: Vector<'_>,
    search: Search<'_>,
    holder: usize,
) -> Result<(), SearchError> {
    index.search(rows, query, &search, &mut Scratch::new(), &mut TopK::new(holder)).map(drop)
}

/// Each argument that does not fit is refused with its numbers.
pub(super) fn refuses_bad_searches(factory: &'static dyn IndexFactory) {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 1500, 6, 15);
    let index = build_on(2, factory, &fixture, None);
    let (rows, query) = (fixture.rows(), fixture.query(0));
    let (params, cancel) = (ParamSet::empty(), Cancel::new());
    let good = Search { k: 5, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let refused =
        |rows, query, search, holder| try_search(&*index, rows, query, search, holder).expect_err("it does not fit");
    assert_eq!(try_search(&*index, rows, query, good, 5), Ok(()));
    assert_eq!(refused(rows, query, good, 4), SearchError::Holder { want: 5, got: 4 });
    assert_eq!(refused(rows.slice(0..9), query, good, 5), SearchError::Rows { want: 1500, got: 9 });
    let short = Bitmap::full(1499);
    let filtered = Search { filter: Some(short.view()), ..good };
    assert_eq!(refused(rows, query, filtered, 5), SearchError::Filter { want: 1500, got: 1499 });
    let values = [0.5_f32; 6];
    assert_eq!(refused(rows, Vector::F32(&values[..5]), good, 5), SearchError::Dim { want: 6, got: 5 });
    let other = Fixture::clustered(ElementType::F16, Metric::L2, 1500, 6, 15);
    let element = SearchError::Element { want: ElementType::F32, got: ElementType::F16 };
    assert_eq!(refused(rows, other.query(0), good, 5), element);
    assert_eq!(refused(other.rows(), query, good, 5), element);
    let wide = Rows::new(&[0.0; 1500 * 7], 7).expect("whole rows");
    assert_eq!(refused(AnyRows::F32(wide), query, good, 5), SearchError::Dim { want: 6, got: 7 });
    let infinite = SearchError::NotFinite { position: 4, value: f32::INFINITY };
    assert_eq!(refused(rows, Vector::F32(&[0.5, 0.5, 0.5, 0.5, f32::INFINITY, 0.5]), good, 5), infinite);
    let nan = refused(rows, Vector::F32(&[0.5, 0.5, f32::NAN, 0.5, f32::INFINITY, 0.5]), good, 5);
    assert!(matches!(nan, SearchError::NotFinite { position: 2, value } if value.is_nan()), "{nan}");
    if factory.params().iter().any(|param| param.name == "ef") {
        let given = [("ef".to_owned(), "4".to_owned())];
        let params = crate::parse(factory.params(), Stage::Search, &given).expect("a value in range");
        let narrow = Search { params: &params, ..good };
        assert_eq!(refused(rows, query, narrow, 5), SearchError::BelowK { name: "ef", value: 4, k: 5 });
    }
}

/// A spec or rows that do not fit are refused.
pub(super) fn refuses_bad_builds(factory: &'static dyn IndexFactory) {
    let spec = |dim, params| Spec::new(factory, ElementType::F32, dim, Metric::L2, params);
    assert!(matches!(spec(0, Vec::new()), Err(SpecError::Dim { dim: 0, .. })));
    assert!(matches!(spec(1 << 20, Vec::new()), Err(SpecError::Dim { .. })));
    let unknown = vec![("none such".to_owned(), "1".to_owned())];
    assert!(matches!(spec(4, unknown), Err(SpecError::Param(_))));
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 30, 6, 16);
    let cx = BuildCx { pool: None, seed: 1, cancel: &Cancel::new(), progress: &no_progress, device: None };
    let fits = spec_of(factory, &fixture);
    let refused = |spec: &Spec, fixture: &Fixture, bits: Option<&Bitmap>| {
        factory.build(spec, fixture.rows(), bits.map(Bitmap::view), &cx).map(drop).expect_err("it does not fit")
    };
    let short = Bitmap::full(29);
    assert_eq!(refused(&fits, &fixture, Some(&short)), BuildError::Present { want: 30, got: 29 });
    let wider = spec(7, Vec::new()).expect("defaults are taken");
    assert_eq!(refused(&wider, &fixture, None), BuildError::Dim { want: 7, got: 6 });
    let half = Fixture::clustered(ElementType::F16, Metric::L2, 30, 6, 16);
    let element = BuildError::Element { want: ElementType::F32, got: ElementType::F16 };
    assert_eq!(refused(&fits, &half, None), element);
    let foreign = crate::INDEXES.iter().find(|other| other.name() != factory.name());
    let foreign = foreign.expect("there are several index types");
    let got = foreign.name();
    let foreign = Spec::new(*foreign, ElementType::F32, 6, Metric::L2, Vec::new()).expect("defaults are taken");
    assert_eq!(refused(&foreign, &fixture, None), BuildError::Factory { want: factory.name(), got });
}
