//! Query requests as clients send them.

use super::{Query, query};
use crate::proto::common::KeyValuePair;
use crate::proto::milvus::QueryRequest;
use crate::status::{Code, Failure};
use elanus::ReadAt;

fn with(params: &[(&str, &str)], guarantee_timestamp: u64) -> Result<Query, Failure> {
    let pair = |(key, value): &(&str, &str)| KeyValuePair { key: (*key).into(), value: (*value).into() };
    query(QueryRequest {
        expr: "n > 1".into(),
        output_fields: vec!["*".into()],
        query_params: params.iter().map(pair).collect(),
        use_default_consistency: true,
        guarantee_timestamp,
        ..QueryRequest::default()
    })
}

#[test]
fn parameters_of_pymilvus() {
    let given = [("limit", "3"), ("offset", "4"), ("ignore_growing", "False"), ("reduce_stop_for_best", "True")];
    let got = with(&given, 0).unwrap();
    assert_eq!((got.request.limit, got.request.offset, got.request.iterator), (Some(3), 4, false));
    assert_eq!((got.request.filter.as_str(), got.request.read_at), ("n > 1", ReadAt::Default));
    assert_eq!(with(&[], 0).unwrap().request.limit, None);
    assert_eq!(with(&[("limit", "-1")], 0).unwrap().request.limit, None);
}

#[test]
fn pages_of_an_iterator_read_at_one_time() {
    let got = with(&[("iterator", "True"), ("collection_id", "9"), ("limit", "1")], 1 << 30).unwrap();
    assert!(got.request.iterator);
    assert_eq!((got.collection_id, got.request.read_at), (Some(9), ReadAt::Snapshot(1 << 30)));
    let skips = with(&[("iterator", "False"), ("collection_id", "9"), ("limit", "1")], 1 << 30).unwrap();
    assert!(skips.request.iterator, "rows are skipped in the order of the keys");
}

#[test]
fn bad_parameters_are_named() {
    for (name, value) in [("limit", "-2"), ("limit", "x"), ("offset", "-1"), ("iterator", "maybe")] {
        assert!(with(&[(name, value)], 0).unwrap_err().reason().contains(name), "{name} {value}");
    }
    for name in ["group_by_fields", "order_by_fields", "timezone"] {
        let failure = with(&[(name, "n")], 0).unwrap_err();
        assert_eq!(failure.code(), Code::Unimplemented, "{failure}");
    }
    assert!(with(&[("rigmarole", "1")], 0).unwrap_err().reason().contains("rigmarole"));
}
