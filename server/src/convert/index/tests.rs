//! Index parameters in both forms.

use super::{description, params};
use crate::proto::common::{IndexState as WireState, KeyValuePair};
use elanus::{IndexInfo, IndexState};

fn pairs(given: &[(&str, &str)]) -> Vec<KeyValuePair> {
    given.iter().map(|(key, value)| KeyValuePair { key: (*key).into(), value: (*value).into() }).collect()
}

fn owned(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn both_forms_say_the_same() {
    let flat = params(pairs(&[("index_type", "HNSW"), ("metric_type", "L2"), ("M", "16")])).unwrap();
    let nested = params(pairs(&[("index_type", "HNSW"), ("metric_type", "L2"), ("params", r#"{"M": 16}"#)])).unwrap();
    assert_eq!(flat, nested);
    assert_eq!(flat, owned(&[("M", "16"), ("index_type", "HNSW"), ("metric_type", "L2")]));
    assert!(params(pairs(&[("M", "16"), ("params", r#"{"M": 8}"#)])).unwrap_err().reason().contains('M'));
}

#[test]
fn both_forms_are_told() {
    let told = description(IndexInfo {
        id: 3,
        name: "i".into(),
        field: "f".into(),
        params: owned(&[("index_type", "HNSW"), ("metric_type", "L2"), ("M", "16")]),
        state: IndexState::Finished,
        total_rows: 5,
        indexed_rows: 4,
        pending_rows: 1,
        failure: String::new(),
        device: Some("cuda:0 (Card)".into()),
    });
    let want = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "16"), ("params", r#"{"M":"16"}"#)];
    assert_eq!(told.params, pairs(&[&want[..], &[("device", "cuda:0 (Card)")]].concat()));
    assert_eq!(told.state, i32::from(WireState::Finished));
    assert_eq!((told.total_rows, told.indexed_rows, told.pending_index_rows), (5, 4, 1));
}
