//! Building, saving, opening, cancelling.

use std::sync::Mutex;

use elanus_kernels::{Bitmap, ElementType, Metric, TopK};

use super::data::{Ask, Fixture, ask, build_on, device, spec_of, supported};
use crate::{
    Blob, BuildCx, BuildError, Cancel, Index, IndexFactory, KeyRange, OpenCx, OpenError, ParamSet, Scratch, Search,
    SearchError, Spec, no_progress,
};

/// The saved bytes of an index.
pub(super) fn bytes_of(index: &dyn Index) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.save(&mut bytes).expect("a vector takes all bytes");
    bytes
}

/// An opened index answers as the built one does, with the same work, and saves as the same bytes.
pub(super) fn is_the_same_after_open(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        for (rows, absent) in [(0, false), (1, false), (300, true), (1500, false), (1501, true)] {
            let fixture = Fixture::clustered(element, metric, rows, 10, 21);
            let present = absent.then(|| Bitmap::from_fn(rows, |row| row % 7 != 2));
            let built = build_on(2, factory, &fixture, present.as_ref().map(Bitmap::view));
            let bytes = bytes_of(&*built);
            let device = device();
            let cx = OpenCx { device: device.as_ref() };
            let opened = factory.open(Blob::from_vec(bytes.clone()), &spec_of(factory, &fixture), &cx);
            let opened = opened.expect("what was saved opens");
            assert_eq!(bytes_of(&*opened), bytes);
            assert_eq!(opened.describe(), built.describe());
            assert_eq!((opened.len(), opened.footprint_bytes()), (built.len(), built.footprint_bytes()));
            assert_eq!(opened.factory().name(), factory.name());
            let filter = Bitmap::from_fn(rows, |row| row % 3 == 0);
            let mut scratch = Scratch::new();
            for query in 0..fixture.query_count() {
                for filter in [None, Some(filter.view())] {
                    let asked = Ask { query, k: 7, filter, range: KeyRange::ALL };
                    let mut run = |index: &dyn Index| ask(index, &fixture, asked, &mut scratch);
                    assert_eq!(run(&*opened), run(&*built));
                }
            }
        }
    }
}

/// Bytes saved from one spec do not open with another.
pub(super) fn refuses_another_spec(factory: &'static dyn IndexFactory) {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 1200, 10, 22);
    let blob = Blob::from_vec(bytes_of(&*build_on(2, factory, &fixture, None)));
    let spec = |element, dim, metric| Spec::new(factory, element, dim, metric, Vec::new()).expect("defaults are taken");
    let refused = |spec: &Spec| {
        let opened = factory.open(blob.clone(), spec, &OpenCx::default());
        opened.map(drop).expect_err("it was saved from another spec")
    };
    let what = |error: OpenError| {
        let OpenError::Mismatch { what, .. } = error else { panic!("{error}") };
        what
    };
    assert_eq!(what(refused(&spec(ElementType::F16, 10, Metric::L2))), "element");
    assert_eq!(what(refused(&spec(ElementType::F32, 11, Metric::L2))), "dimension");
    assert_eq!(what(refused(&spec(ElementType::F32, 10, Metric::Ip))), "metric");
    for other in crate::INDEXES.iter().filter(|other| other.name() != factory.name()) {
        let spec = Spec::new(*other, ElementType::F32, 10, Metric::L2, Vec::new()).expect("defaults are taken");
        assert_eq!(refused(&spec), OpenError::Factory { want: factory.name(), got: other.name() });
    }
}

/// The number of threads does not show in the index.
pub(super) fn is_the_same_on_any_threads(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        let fixture = Fixture::clustered(element, metric, 1700, 10, 23);
        let bytes = bytes_of(&*build_on(0, factory, &fixture, None));
        for threads in [1, 2, 5] {
            let same = bytes_of(&*build_on(threads, factory, &fixture, None)) == bytes;
            assert!(same, "{} on {threads} threads is another index", factory.name());
        }
    }
}

/// A build ends when cancelled before or during it, and so does a search.
pub(super) fn stops_when_cancelled(factory: &'static dyn IndexFactory) {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 2000, 10, 24);
    let spec = spec_of(factory, &fixture);
    let cancel = Cancel::new();
    cancel.cancel();
    let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &no_progress, device: None };
    assert_eq!(factory.build(&spec, fixture.rows(), None, &cx).map(drop), Err(BuildError::Cancelled));
    let index = build_on(2, factory, &fixture, None);
    let params = ParamSet::empty();
    let search = Search { k: 5, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let result = index.search(fixture.rows(), fixture.query(0), &search, &mut Scratch::new(), &mut TopK::new(5));
    assert_eq!(result, Err(SearchError::Cancelled));
    let cancel = Cancel::new();
    let at_half = |done: u64, total: u64| {
        if 2 * done >= total {
            cancel.cancel();
        }
    };
    let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &at_half, device: None };
    match factory.build(&spec, fixture.rows(), None, &cx) {
        Err(error) => assert_eq!(error, BuildError::Cancelled),
        // A build without work may be done before it is told to stop.
        Ok(index) => assert_eq!(index.footprint_bytes(), 0, "{} was built to the end", factory.name()),
    }
}

/// Progress never goes back, never passes the total and ends with it.
pub(super) fn tells_its_progress(factory: &'static dyn IndexFactory) {
    for rows in [0, 1, 2000] {
        let fixture = Fixture::clustered(ElementType::F32, Metric::L2, rows, 10, 25);
        let told = Mutex::new(Vec::new());
        let progress = |done, total| told.lock().expect("no thread panicked").push((done, total));
        let cx = BuildCx { pool: None, seed: 1, cancel: &Cancel::new(), progress: &progress, device: None };
        let built = factory.build(&spec_of(factory, &fixture), fixture.rows(), None, &cx);
        assert!(built.is_ok());
        let told = told.into_inner().expect("no thread panicked");
        assert!(told.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{told:?}");
        assert!(told.iter().all(|(done, total)| done <= total && *total == rows as u64), "{told:?}");
        assert_eq!(told.last(), Some(&(rows as u64, rows as u64)));
    }
}
