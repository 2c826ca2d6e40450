//! Search requests as clients send them, and what is wrong with others.

use super::{Search, search};
use crate::proto::common::{KeyValuePair, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use crate::proto::milvus::SearchRequest;
use crate::proto::milvus::search_request::SearchInput;
use crate::proto::schema::i_ds::IdField;
use crate::proto::schema::{FunctionChain, FunctionScore, IDs, LongArray};
use crate::status::{Code, Failure};
use elanus::{F16, IteratorPage, Keys, Queries, ReadAt};
use prost::Message;

fn group(kind: PlaceholderType, values: Vec<Vec<u8>>) -> SearchInput {
    let placeholder = PlaceholderValue { tag: "$0".into(), r#type: kind.into(), values, element_level: false };
    SearchInput::PlaceholderGroup(PlaceholderGroup { placeholders: vec![placeholder] }.encode_to_vec())
}

fn floats(queries: &[&[f32]]) -> SearchInput {
    let bytes = |query: &&[f32]| query.iter().flat_map(|one| one.to_le_bytes()).collect();
    group(PlaceholderType::FloatVector, queries.iter().map(bytes).collect())
}

fn request(params: &[(&str, &str)]) -> SearchRequest {
    let pair = |(key, value): &(&str, &str)| KeyValuePair { key: (*key).into(), value: (*value).into() };
    SearchRequest {
        dsl: "n > 1".into(),
        dsl_type: 1,
        nq: 1,
        search_input: Some(floats(&[&[1.0, 2.0]])),
        search_params: params.iter().map(pair).collect(),
        use_default_consistency: true,
        ..SearchRequest::default()
    }
}

fn with(params: &[(&str, &str)]) -> Result<Search, Failure> {
    search(request(params))
}

fn reason(result: Result<Search, Failure>) -> String {
    result.unwrap_err().reason().to_owned()
}

#[test]
fn parameters_of_pymilvus() {
    let nested = r#"{"ef": 64, "metric_type": "L2", "radius": 2, "range_filter": 0.5, "page_retain_order": true}"#;
    let got = with(&[
        ("topk", "5"),
        ("offset", "2"),
        ("round_decimal", "-1"),
        ("ignore_growing", "False"),
        ("metric_type", "L2"),
        ("anns_field", "vec"),
        ("hints", "iterative_filter"),
        ("params", nested),
    ])
    .unwrap();
    let request = got.request;
    assert_eq!((request.limit, request.offset, request.round_decimal), (5, 2, None));
    assert_eq!((request.field.as_str(), request.metric.as_deref()), ("vec", Some("L2")));
    assert_eq!((request.radius, request.range_filter), (Some(2.0), Some(0.5)));
    assert_eq!(request.params, [("ef".to_owned(), "64".to_owned())]);
    assert_eq!(request.queries, Queries::F32 { dim: 2, data: vec![1.0, 2.0] });
    assert_eq!((request.filter.as_str(), request.read_at), ("n > 1", ReadAt::Default));
    assert_eq!((got.collection_id, got.iterator_token), (None, None));
}

#[test]
fn queries_of_every_supported_kind() {
    let mut wire = request(&[("topk", "1")]);
    wire.nq = 2;
    wire.search_input = Some(floats(&[&[1.0, 2.0], &[3.0, 4.0]]));
    assert_eq!(search(wire.clone()).unwrap().request.queries, Queries::F32 { dim: 2, data: vec![1.0, 2.0, 3.0, 4.0] });
    wire.search_input = Some(group(PlaceholderType::Float16Vector, vec![vec![0, 0x3c], vec![0, 0xc0]]));
    let data = vec![F16::from_f32(1.0), F16::from_f32(-2.0)];
    assert_eq!(search(wire.clone()).unwrap().request.queries, Queries::F16 { dim: 1, data });
    wire.search_input = Some(SearchInput::Ids(IDs { id_field: Some(IdField::IntId(LongArray { data: vec![7, 8] })) }));
    assert_eq!(search(wire).unwrap().request.queries, Queries::Keys(Keys::Int(vec![7, 8])));
}

#[test]
fn queries_that_cannot_be_read() {
    let input = |input: Option<SearchInput>| {
        let mut wire = request(&[("topk", "1")]);
        wire.search_input = input;
        reason(search(wire))
    };
    assert!(input(None).contains("neither vectors nor ids"));
    assert!(input(Some(SearchInput::PlaceholderGroup(vec![0xff, 0xff]))).contains("cannot be read"));
    assert!(input(Some(SearchInput::PlaceholderGroup(Vec::new()))).contains("0 groups"));
    assert!(input(Some(floats(&[]))).contains("0 queries"));
    assert!(input(Some(floats(&[&[]]))).contains("of 0 bytes"));
    assert!(input(Some(group(PlaceholderType::FloatVector, vec![vec![0; 7]]))).contains("of 7 bytes"));
    assert!(input(Some(floats(&[&[1.0, 2.0], &[1.0]]))).contains("query 1 has dim 1"));
    assert!(input(Some(floats(&[&[1.0], &[2.0]]))).contains("nq is 1"));
    assert!(input(Some(group(PlaceholderType::SparseFloatVector, vec![vec![0; 8]]))).contains("SparseFloatVector"));
    assert!(input(Some(group(PlaceholderType::VarChar, vec![vec![0; 8]]))).contains("VarChar"));
    let whole = match floats(&[&[1.0, 2.0]]) {
        SearchInput::PlaceholderGroup(bytes) => bytes,
        SearchInput::Ids(_) => panic!("vectors"),
    };
    for end in 0..whole.len() {
        assert!(input(Some(SearchInput::PlaceholderGroup(whole[..end].to_vec()))).starts_with("search: "));
    }
}

#[test]
fn numbers_must_be_numbers() {
    assert_eq!(with(&[]).unwrap_err().code(), Code::ParameterMissing);
    for (name, value) in [
        ("topk", "-1"),
        ("topk", "ten"),
        ("offset", "-1"),
        ("round_decimal", "7"),
        ("round_decimal", "-2"),
        ("radius", "inf"),
        ("ignore_growing", "perhaps"),
        ("collection_id", "x"),
        ("search_iter_batch_size", "1.5"),
    ] {
        let mut params = vec![(name, value)];
        if name != "topk" {
            params.push(("topk", "1"));
        }
        assert!(reason(with(&params)).contains(name), "{name} {value}");
    }
    assert_eq!(with(&[("topk", "1"), ("round_decimal", "3")]).unwrap().request.round_decimal, Some(3));
}

#[test]
fn what_is_not_supported_is_named() {
    for name in ["group_by_field", "group_size", "order_by_fields", "json_path", "analyzer_name", "timezone"] {
        let failure = with(&[("topk", "1"), (name, "x")]).unwrap_err();
        assert_eq!(failure.code(), Code::Unimplemented);
        assert!(failure.reason().contains(name), "{failure}");
    }
    let changed = |change: fn(&mut SearchRequest)| {
        let mut wire = request(&[("topk", "1")]);
        change(&mut wire);
        reason(search(wire))
    };
    assert!(changed(|wire| wire.namespace = Some("x".into())).contains("namespace"));
    assert!(changed(|wire| wire.function_score = Some(FunctionScore::default())).contains("function_score"));
    assert!(changed(|wire| wire.function_chains = vec![FunctionChain::default()]).contains("function_chains"));
    assert!(changed(|wire| wire.travel_timestamp = 1).contains("travel_timestamp"));
    assert!(changed(|wire| wire.dsl_type = 0).contains("no expression"));
    assert!(changed(|wire| wire.consistency_level = 9).contains("consistency level 9"));
}

#[test]
fn pages_of_an_iterator() {
    let first = &[
        ("topk", "10"),
        ("iterator", "True"),
        ("search_iter_v2", "True"),
        ("search_iter_batch_size", "10"),
        ("collection_id", "77"),
    ];
    let got = with(first).unwrap();
    assert_eq!(got.request.iterator, Some(IteratorPage { batch: 10, last_bound: None }));
    assert_eq!((got.collection_id, got.iterator_token.as_deref()), (Some(77), Some("")));
    let mut wire = request(first);
    wire.guarantee_timestamp = 1 << 40;
    wire.search_params.push(KeyValuePair { key: "search_iter_id".into(), value: "abc".into() });
    wire.search_params.push(KeyValuePair { key: "search_iter_last_bound".into(), value: "0.25".into() });
    let got = search(wire).unwrap();
    assert_eq!(got.request.iterator, Some(IteratorPage { batch: 10, last_bound: Some(0.25) }));
    assert_eq!((got.iterator_token.as_deref(), got.request.read_at), (Some("abc"), ReadAt::Snapshot(1 << 40)));
}
