//! Rankers in both forms, and what hybrid searches refuse.

use super::hybrid;
use crate::proto::common::{KeyValuePair, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use crate::proto::milvus::search_request::SearchInput;
use crate::proto::milvus::{HybridSearchRequest, SearchRequest};
use crate::proto::schema::{FunctionSchema, FunctionScore, FunctionType};
use crate::status::{Code, Failure};
use elanus::{HybridRequest, Ranker};
use prost::Message;

fn pairs(params: &[(&str, &str)]) -> Vec<KeyValuePair> {
    params.iter().map(|(key, value)| KeyValuePair { key: (*key).into(), value: (*value).into() }).collect()
}

fn one(params: &[(&str, &str)]) -> SearchRequest {
    let values = vec![1.0_f32.to_le_bytes().to_vec()];
    let placeholder =
        PlaceholderValue { r#type: PlaceholderType::FloatVector.into(), values, ..PlaceholderValue::default() };
    let group = PlaceholderGroup { placeholders: vec![placeholder] };
    SearchRequest {
        dsl_type: 1,
        search_input: Some(SearchInput::PlaceholderGroup(group.encode_to_vec())),
        search_params: pairs(params),
        ..SearchRequest::default()
    }
}

fn request(params: &[(&str, &str)]) -> HybridSearchRequest {
    HybridSearchRequest {
        requests: vec![one(&[("topk", "3"), ("anns_field", "a")]), one(&[("topk", "4"), ("anns_field", "b")])],
        rank_params: pairs(params),
        output_fields: vec!["n".into()],
        partition_names: vec!["p".into()],
        ..HybridSearchRequest::default()
    }
}

fn with(params: &[(&str, &str)]) -> Result<HybridRequest, Failure> {
    hybrid(request(params))
}

fn reason(params: &[(&str, &str)]) -> String {
    with(params).unwrap_err().reason().to_owned()
}

#[test]
fn rankers_of_the_older_form() {
    let got = with(&[("strategy", "rrf"), ("params", r#"{"k": 10}"#), ("limit", "5"), ("offset", "1")]).unwrap();
    assert_eq!(got.ranker, Ranker::Rrf { k: 10.0 });
    assert_eq!((got.limit, got.offset, got.searches.len()), (5, 1, 2));
    assert_eq!((got.searches[0].limit, got.searches[1].field.as_str()), (3, "b"));
    assert_eq!((got.partitions, got.output_fields), (vec!["p".to_owned()], vec!["n".to_owned()]));
    let weighted = r#"{"weights": [0.3, 0.7], "norm_score": true}"#;
    let got = with(&[("strategy", "weighted"), ("params", weighted), ("limit", "5")]).unwrap();
    assert_eq!(got.ranker, Ranker::Weighted { weights: vec![0.3, 0.7], norm_score: true });
    assert_eq!(with(&[("limit", "5")]).unwrap().ranker, Ranker::Rrf { k: 60.0 });
}

fn function(params: &[(&str, &str)]) -> FunctionScore {
    let function =
        FunctionSchema { r#type: FunctionType::Rerank.into(), params: pairs(params), ..FunctionSchema::default() };
    FunctionScore { functions: vec![function], params: Vec::new() }
}

fn scored(score: FunctionScore) -> Result<HybridRequest, Failure> {
    hybrid(HybridSearchRequest { function_score: Some(score), ..request(&[("limit", "5")]) })
}

#[test]
fn rankers_as_functions() {
    assert_eq!(scored(function(&[("reranker", "rrf"), ("k", "7")])).unwrap().ranker, Ranker::Rrf { k: 7.0 });
    let got = scored(function(&[("reranker", "weighted"), ("weights", "[1, 0]"), ("norm_score", "False")])).unwrap();
    assert_eq!(got.ranker, Ranker::Weighted { weights: vec![1.0, 0.0], norm_score: false });
    let failure = scored(function(&[("reranker", "decay"), ("function", "gauss")])).unwrap_err();
    assert_eq!(failure.code(), Code::Unimplemented);
    assert!(failure.reason().contains("decay"), "{failure}");
    assert!(scored(function(&[])).unwrap_err().reason().contains("reranker is missing"));
    let mut two = function(&[("reranker", "rrf")]);
    two.functions.push(two.functions[0].clone());
    assert!(scored(two).unwrap_err().reason().contains("2 ranking functions"));
    let mut other = function(&[("reranker", "rrf")]);
    other.functions[0].r#type = FunctionType::Bm25.into();
    assert!(scored(other).unwrap_err().reason().contains("no ranker"));
    assert!(scored(function(&[("reranker", "rrf"), ("boost", "2")])).unwrap_err().reason().contains("boost"));
}

#[test]
fn parameters_out_of_range_are_named() {
    assert!(reason(&[]).contains("limit is missing"));
    for k in ["0", "-1", "16384", "NaN", "x"] {
        assert!(reason(&[("limit", "1"), ("k", k)]).contains('k'), "{k}");
    }
    let weighted = |weights: &str| reason(&[("limit", "1"), ("strategy", "weighted"), ("weights", weights)]);
    assert!(weighted("[0.5]").contains("1 weights for 2 searches"));
    assert!(weighted("[0.5, 1.5]").contains("1.5"));
    assert!(weighted("half").contains("list of numbers"));
    assert!(reason(&[("limit", "1"), ("strategy", "magic")]).contains("magic"));
    assert!(reason(&[("limit", "1"), ("group_by_field", "n")]).contains("group_by_field"));
    assert!(reason(&[("limit", "1"), ("rigmarole", "1")]).contains("rigmarole"));
}

#[test]
fn a_bad_search_is_told_by_its_number() {
    let mut wire = request(&[("limit", "1")]);
    wire.requests[1] = one(&[("topk", "x")]);
    assert!(hybrid(wire).unwrap_err().reason().starts_with("hybrid search, request 1: "));
    let mut wire = request(&[("limit", "1")]);
    wire.requests.clear();
    assert_eq!(hybrid(wire).unwrap_err().code(), Code::ParameterMissing);
    let mut wire = request(&[("limit", "1")]);
    wire.requests[0].partition_names = vec!["q".into()];
    assert!(hybrid(wire).unwrap_err().reason().contains("partitions of one search"));
}

#[test]
fn searches_without_number_are_refused_before_they_are_read() {
    let mut wire = request(&[("limit", "1")]);
    wire.requests = vec![SearchRequest::default(); 1025];
    let failure = hybrid(wire).unwrap_err();
    assert_eq!(failure.code(), Code::ParameterInvalid);
    assert!(failure.reason().contains("1025 searches, at most 1024"), "{failure}");
}

#[test]
fn the_offset_that_clients_repeat_in_every_search_counts_once() {
    let mut wire = request(&[("limit", "5"), ("offset", "7")]);
    wire.requests[0] = one(&[("topk", "3"), ("anns_field", "a"), ("offset", "7")]);
    let got = hybrid(wire).unwrap();
    assert_eq!((got.offset, got.searches[0].offset, got.searches[1].offset), (7, 0, 0));
}

#[test]
fn an_offset_of_one_search_alone_is_refused() {
    let mut wire = request(&[("limit", "5"), ("offset", "3")]);
    wire.requests[0] = one(&[("topk", "3"), ("offset", "10")]);
    assert!(hybrid(wire).unwrap_err().reason().contains("an offset of one search alone"));
}
