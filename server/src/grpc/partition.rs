//! Partitions.

use super::Call;
use super::collection::{loaded_percent, utc_ms};
use crate::convert::index::count;
use crate::convert::key_values;
use crate::proto::common::Status;
use crate::proto::milvus::{
    BoolResponse, CreatePartitionRequest, DropPartitionRequest, GetPartitionStatisticsRequest,
    GetPartitionStatisticsResponse, HasPartitionRequest, ShowPartitionsRequest, ShowPartitionsResponse, ShowType,
};
use crate::status::{Code, Failure};
use elanus::{Collection, PartitionInfo};

pub(super) fn create(call: &Call, request: CreatePartitionRequest) -> Result<Status, Failure> {
    call.collection(&request.db_name, &request.collection_name)?.create_partition(&request.partition_name)?;
    Ok(Status::default())
}

pub(super) fn drop(call: &Call, request: DropPartitionRequest) -> Result<Status, Failure> {
    call.collection(&request.db_name, &request.collection_name)?.drop_partition(&request.partition_name)?;
    Ok(Status::default())
}

pub(super) fn has(call: &Call, request: HasPartitionRequest) -> Result<BoolResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    Ok(BoolResponse { status: None, value: collection.has_partition(&request.partition_name) })
}

pub(super) fn show(call: &Call, request: ShowPartitionsRequest) -> Result<ShowPartitionsResponse, Failure> {
    let collection = call.collection_or_id(&request.db_name, &request.collection_name, request.collection_id)?;
    for name in &request.partition_names {
        find(&collection, name)?;
    }
    let percent = loaded_percent(&collection)?;
    let mut reply = ShowPartitionsResponse::default();
    if request.r#type == i32::from(ShowType::InMemory) && percent == 0 {
        return Ok(reply);
    }
    let wanted = |name: &String| request.partition_names.is_empty() || request.partition_names.contains(name);
    for partition in collection.partitions().into_iter().filter(|partition| wanted(&partition.name)) {
        reply.partition_names.push(partition.name);
        reply.partition_i_ds.push(partition.id);
        reply.created_timestamps.push(partition.created_ts);
        reply.created_utc_timestamps.push(utc_ms(partition.created_ts));
        reply.in_memory_percentages.push(percent);
    }
    Ok(reply)
}

pub(super) fn statistics(
    call: &Call,
    request: GetPartitionStatisticsRequest,
) -> Result<GetPartitionStatisticsResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let rows = count(find(&collection, &request.partition_name)?.row_count);
    let stats = key_values([("row_count".to_owned(), rows.to_string())]);
    Ok(GetPartitionStatisticsResponse { status: None, stats })
}

/// The partition of that name.
///
/// # Errors
/// If there is none.
pub(super) fn find(collection: &Collection, name: &str) -> Result<PartitionInfo, Failure> {
    collection.partitions().into_iter().find(|partition| partition.name == name).ok_or_else(|| {
        let reason = format!("partition {name} not found in collection {}", collection.info().name);
        Failure::of(Code::PartitionNotFound, reason)
    })
}
