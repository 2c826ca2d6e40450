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
