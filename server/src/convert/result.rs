//! Results of searches and queries.

use crate::convert::data::{field_data, ids};
use crate::proto::milvus::{QueryResults, SearchResults};
use crate::proto::schema::{FieldData, SearchIteratorV2Results, SearchResultData};
use elanus::{OutputField, QueryResult, SearchResult};

/// The page of an iterator that a reply is.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Token of the iterator.
    pub token: String,
    /// Score of the last hit of the page before this one.
    pub last_bound: Option<f32>,
}

/// Columns of a reply, and the names by which clients tell dynamic keys from fields.
///
/// A client shows all keys of the dynamic field if its name is among them, else those that name no column.
fn fields(columns: Vec<OutputField>, dynamic_keys: Vec<String>, skip: &str) -> (Vec<FieldData>, Vec<String>) {
    let columns: Vec<OutputField> = columns.into_iter().filter(|output| output.field.name != skip).collect();
    let named = columns.iter().filter(|output| dynamic_keys.is_empty() || !output.field.is_dynamic);
    let names = named.map(|output| output.field.name.clone()).collect::<Vec<_>>();
    let names = names.into_iter().chain(dynamic_keys).collect();
    (columns.into_iter().map(field_data).collect(), names)
}

/// The reply to a search; `limit` is the most hits that a query could have.
pub fn search_results(result: SearchResult, collection: String, limit: usize, page: Option<Page>) -> SearchResults {
    let last_bound = result.last_bound;
    let iterator = page.map(|page| SearchIteratorV2Results {
        token: page.token,
        last_bound: last_bound.or(page.last_bound).unwrap_or_default(),
    });
    // The primary key travels beside the columns.
    let (fields_data, output_fields) = fields(result.fields, result.dynamic_keys, &result.primary_field);
    let data = SearchResultData {
        num_queries: result.counts.len() as i64,
        top_k: limit as i64,
        fields_data,
        scores: result.scores,
        ids: Some(ids(result.keys)),
        topks: result.counts.iter().map(|&count| count as i64).collect(),
        output_fields,
        search_iterator_v2_results: iterator,
        primary_field_name: result.primary_field,
        ..SearchResultData::default()
    };
    SearchResults { status: None, results: Some(data), collection_name: collection, session_ts: result.read_ts }
}

/// The reply to a query. One without rows has its columns nonetheless.
pub fn query_results(result: QueryResult, collection: String) -> QueryResults {
    let (fields_data, output_fields) = fields(result.fields, result.dynamic_keys, "");
    QueryResults {
        status: None,
        fields_data,
        collection_name: collection,
        output_fields,
        session_ts: result.read_ts,
        primary_field_name: result.primary_field,
        element_indices: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
