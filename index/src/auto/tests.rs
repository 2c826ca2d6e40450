//! What is chosen follows from the number of rows, and the choice does not show in what searches are refused.

use elanus_kernels::ElementType;

use super::*;
use crate::testing::{Fixture, build_on};
use crate::{Cancel, KeyRange, Stage};

#[test]
fn few_rows_are_scanned_and_many_are_linked() {
    for (rows, says) in [(999, "AUTOINDEX: FLAT over 999"), (1000, "AUTOINDEX: HNSW with M 18, efConstruction 240")] {
        let fixture = Fixture::clustered(ElementType::F32, Metric::L2, rows, 8, 1);
        let index = build_on(1, &AutoIndex, &fixture, None);
        assert!(index.describe().starts_with(says), "{}", index.describe());
        assert_eq!(index.factory().name(), "AUTOINDEX");
        let params = crate::parse(AutoIndex.params(), Stage::Search, &[("ef".to_owned(), "3".to_owned())]).unwrap();
        let search = Search { k: 4, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
        let query = fixture.query(0);
        let result = index.search(fixture.rows(), query, &search, &mut Scratch::new(), &mut TopK::new(4));
        assert_eq!(result, Err(SearchError::BelowK { name: "ef", value: 3, k: 4 }));
    }
}

#[test]
fn many_rows_of_few_components_are_listed_and_a_recall_can_be_asked_for() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 20_000, 8, 2);
    let index = build_on(2, &AutoIndex, &fixture, None);
    assert!(index.describe().starts_with("AUTOINDEX: 282 lists with"), "{}", index.describe());
    let cancel = Cancel::new();
    let mean = |given: &[(&str, &str)]| {
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let params = crate::parse(AutoIndex.params(), Stage::Search, &given).unwrap();
        let search = Search { k: 10, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
        let (mut recall, mut scratch) = (0.0, Scratch::new());
        for number in 0..fixture.query_count() {
            let mut out = TopK::new(10);
            index.search(fixture.rows(), fixture.query(number), &search, &mut scratch, &mut out)?;
            recall += fixture.judge(number, 10, &out.into_sorted(), |_| true) / fixture.query_count() as f64;
        }
        Ok(recall)
    };
    assert!(mean(&[("recall", "0.9")]).unwrap() > 0.88);
    assert!(mean(&[("recall", "0.99")]).unwrap() > 0.98);
    assert!(mean(&[("ef", "10")]).unwrap() < mean(&[("ef", "200")]).unwrap());
    let both = Err(SearchError::Both { names: ["ef", "recall"] });
    assert_eq!(mean(&[("ef", "64"), ("recall", "0.9")]), both);
    let mut saved = Vec::new();
    index.save(&mut saved).unwrap();
    let opened = AutoIndex.open(Blob::from_vec(saved.clone()), index.spec(), &OpenCx::default()).unwrap();
    let mut again = Vec::new();
    opened.save(&mut again).unwrap();
    assert!(saved == again && opened.describe() == index.describe());
}
