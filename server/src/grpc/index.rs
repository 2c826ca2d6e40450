//! Indexes.

use super::Call;
use crate::convert::index::{count, description, params, state as wire_state};
use crate::proto::common::Status;
use crate::proto::milvus::{
    CreateIndexRequest, DescribeIndexRequest, DescribeIndexResponse, DropIndexRequest, GetIndexBuildProgressRequest,
    GetIndexBuildProgressResponse, GetIndexStateRequest, GetIndexStateResponse, GetIndexStatisticsRequest,
    GetIndexStatisticsResponse,
};
use crate::status::{Code, Failure};
use elanus::{Collection, IndexInfo, IndexState};

pub(super) fn create(call: &Call, request: CreateIndexRequest) -> Result<Status, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    collection.create_index(&request.field_name, &request.index_name, params(request.extra_params)?)?;
    Ok(Status::default())
}

pub(super) fn describe(call: &Call, request: DescribeIndexRequest) -> Result<DescribeIndexResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let indexes = find(&collection, &request.index_name, &request.field_name)?;
    let index_descriptions = indexes.into_iter().map(description).collect();
    Ok(DescribeIndexResponse { status: None, index_descriptions })
}

pub(super) fn statistics(
    call: &Call,
    request: GetIndexStatisticsRequest,
) -> Result<GetIndexStatisticsResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let indexes = find(&collection, &request.index_name, "")?;
    let index_descriptions = indexes.into_iter().map(description).collect();
    Ok(GetIndexStatisticsResponse { status: None, index_descriptions })
}

pub(super) fn state(call: &Call, request: GetIndexStateRequest) -> Result<GetIndexStateResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let indexes = find(&collection, &request.index_name, &request.field_name)?;
    // Of several indexes the one that is furthest from its end.
    let order = |index: &&IndexInfo| match index.state {
        IndexState::Failed => 0,
        IndexState::InProgress => 1,
        IndexState::Finished => 2,
    };
    let reply = indexes.iter().min_by_key(order).map(|index| GetIndexStateResponse {
        status: None,
        state: wire_state(index.state).into(),
        fail_reason: index.failure.clone(),
    });
    Ok(reply.unwrap_or_default())
}

pub(super) fn progress(
    call: &Call,
    request: GetIndexBuildProgressRequest,
) -> Result<GetIndexBuildProgressResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let indexes = find(&collection, &request.index_name, &request.field_name)?;
    Ok(GetIndexBuildProgressResponse {
        status: None,
        indexed_rows: count(indexes.iter().map(|index| index.indexed_rows).sum()),
        total_rows: count(indexes.iter().map(|index| index.total_rows).sum()),
    })
}

pub(super) fn drop(call: &Call, request: DropIndexRequest) -> Result<Status, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let name = if request.index_name.is_empty() { &request.field_name } else { &request.index_name };
    if name.is_empty() {
        return Err(Failure::missing("drop index: the request names neither an index nor a field"));
    }
    collection.drop_index(name)?;
    Ok(Status::default())
}

/// The indexes that a request is about: by name, by field, or all. Clients give a field's name for an index's.
fn find(collection: &Collection, index: &str, field: &str) -> Result<Vec<IndexInfo>, Failure> {
    let mut indexes = collection.indexes();
    if !index.is_empty() {
        let is_named = indexes.iter().any(|info| info.name == index);
        indexes.retain(|info| if is_named { info.name == index } else { info.field == index });
    }
    if !field.is_empty() {
        indexes.retain(|info| info.field == field);
    }
    if indexes.is_empty() {
        let name = if index.is_empty() { field } else { index };
        let reason = match name {
            "" => format!("collection {} has no index", collection.info().name),
            name => format!("index {name} not found in collection {}", collection.info().name),
        };
        return Err(Failure::of(Code::IndexNotFound, reason));
    }
    Ok(indexes)
}
