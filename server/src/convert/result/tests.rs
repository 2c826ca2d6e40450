//! Replies as clients take them apart.

use super::{Page, query_results, search_results};
use crate::proto::schema::i_ds::IdField;
use elanus::{Column, ColumnData, DataType, Field, Keys, OutputField, QueryResult, SearchResult, Strings};

fn output(name: &str, values: &[i64]) -> OutputField {
    OutputField { field: Field::new(name, DataType::Int64), column: Column::full(ColumnData::Int64(values.to_vec())) }
}

fn dynamic(texts: &[&str]) -> OutputField {
    let field = Field { is_dynamic: true, ..Field::new("$meta", DataType::Json) };
    OutputField { field, column: Column::full(ColumnData::Json(Strings::from_iter(texts))) }
}

fn found(fields: Vec<OutputField>, dynamic_keys: &[&str]) -> SearchResult {
    SearchResult {
        counts: vec![2, 0],
        keys: Keys::Int(vec![5, 6]),
        scores: vec![0.5, 0.25],
        fields,
        dynamic_keys: dynamic_keys.iter().map(|&key| key.to_owned()).collect(),
        primary_field: "id".into(),
        read_ts: 99,
        last_bound: None,
    }
}

#[test]
fn hits_are_sliced_by_query() {
    let reply = search_results(found(vec![output("id", &[5, 6]), output("n", &[1, 2])], &[]), "c".into(), 3, None);
    assert_eq!((reply.session_ts, reply.collection_name.as_str()), (99, "c"));
    let data = reply.results.unwrap();
    assert_eq!((data.num_queries, data.top_k, data.topks), (2, 3, vec![2, 0]));
    assert_eq!(data.scores, [0.5, 0.25]);
    assert_eq!(data.primary_field_name, "id");
    let Some(IdField::IntId(ids)) = data.ids.unwrap().id_field else { panic!("no numbers") };
    assert_eq!(ids.data, [5, 6]);
    let names: Vec<&str> = data.fields_data.iter().map(|field| field.field_name.as_str()).collect();
    assert_eq!(names, ["n"], "the key travels beside the columns");
    assert_eq!(data.output_fields, ["n"]);
    assert!(data.search_iterator_v2_results.is_none());
}

#[test]
fn dynamic_keys_are_told_by_name_or_all() {
    let all = search_results(found(vec![output("n", &[1, 2]), dynamic(&["{}", "{}"])], &[]), "c".into(), 3, None);
    assert_eq!(all.results.unwrap().output_fields, ["n", "$meta"]);
    let some = search_results(found(vec![dynamic(&["{}", "{}"])], &["color"]), "c".into(), 3, None);
    let data = some.results.unwrap();
    assert_eq!(data.output_fields, ["color"]);
    assert!(data.fields_data[0].is_dynamic);
}

#[test]
fn an_empty_page_keeps_the_bound() {
    let page = |last_bound, before| {
        let mut result = found(Vec::new(), &[]);
        result.last_bound = last_bound;
        let page = Page { token: "t".into(), last_bound: before };
        search_results(result, "c".into(), 3, Some(page)).results.unwrap().search_iterator_v2_results.unwrap()
    };
    assert_eq!(page(Some(0.25), Some(0.5)).last_bound, 0.25);
    assert_eq!(page(None, Some(0.5)).last_bound, 0.5);
    assert_eq!(page(None, None).token, "t");
}

#[test]
fn a_query_without_rows_has_its_columns() {
    let result = QueryResult {
        fields: vec![output("n", &[]), output("id", &[])],
        dynamic_keys: Vec::new(),
        row_count: 0,
        read_ts: 7,
        primary_field: "id".into(),
    };
    let reply = query_results(result, "c".into());
    assert_eq!(reply.fields_data.len(), 2);
    assert_eq!((reply.primary_field_name.as_str(), reply.session_ts), ("id", 7));
    assert_eq!(reply.output_fields, ["n", "id"]);
}
