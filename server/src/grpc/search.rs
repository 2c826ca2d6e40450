//! Reads.

use super::Call;
use crate::convert::hybrid::hybrid as hybrid_request;
use crate::convert::query::query as query_request;
use crate::convert::result::{Page, query_results, search_results};
use crate::convert::search::search as search_request;
use crate::proto::milvus::{HybridSearchRequest, QueryRequest, QueryResults, SearchRequest, SearchResults};
use crate::status::{Code, Failure};
use elanus::Collection;

pub(super) fn search(call: &Call, mut wire: SearchRequest) -> Result<SearchResults, Failure> {
    let name = std::mem::take(&mut wire.collection_name);
    let collection = call.collection(&wire.db_name, &name)?;
    let mut search = search_request(wire)?;
    search.request.cancel = call.cancel.clone();
    check_collection(&collection, search.collection_id)?;
    if let Some(token) = search.iterator_token.as_deref().filter(|token| !token.is_empty()) {
        check_token(token)?;
    }
    let result = collection.search(&search.request)?;
    let last_bound = search.request.iterator.as_ref().and_then(|page| page.last_bound);
    let read_ts = result.read_ts;
    let page = search.iterator_token.map(|token| {
        let token = if token.is_empty() { format!("{read_ts:016x}") } else { token };
        Page { token, last_bound }
    });
    Ok(search_results(result, name, search.request.limit, page))
}

pub(super) fn hybrid(call: &Call, mut wire: HybridSearchRequest) -> Result<SearchResults, Failure> {
    let name = std::mem::take(&mut wire.collection_name);
    let collection = call.collection(&wire.db_name, &name)?;
    let mut request = hybrid_request(wire)?;
    request.searches.iter_mut().for_each(|search| search.cancel = call.cancel.clone());
    let result = collection.hybrid_search(&request)?;
    Ok(search_results(result, name, request.limit, None))
}

pub(super) fn query(call: &Call, mut wire: QueryRequest) -> Result<QueryResults, Failure> {
    let name = std::mem::take(&mut wire.collection_name);
    let collection = call.collection(&wire.db_name, &name)?;
    let query = query_request(wire)?;
    check_collection(&collection, query.collection_id)?;
    Ok(query_results(collection.query(&query.request)?, name))
}

/// An iterator ends when its collection was dropped, even if another one has its name by now.
fn check_collection(collection: &Collection, begun_on: Option<i64>) -> Result<(), Failure> {
    let info = collection.info();
    match begun_on {
        Some(id) if id != info.id => {
            let reason = format!("the iterator began on collection {id}, which is gone; {} is {}", info.name, info.id);
            Err(Failure::of(Code::CollectionNotFound, reason))
        }
        Some(_) | None => Ok(()),
    }
}

/// Tokens are the time at which the first page was read, in 16 hexadecimal digits; the server keeps nothing.
fn check_token(token: &str) -> Result<(), Failure> {
    if token.len() == 16 && token.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Failure::parameter(format!("search: search_iter_id {token:?} was not given out by this server")))
}
