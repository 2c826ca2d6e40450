//! Collections.

use super::Call;
use crate::convert::index::count;
use crate::convert::key_values;
use crate::convert::properties::{COLLECTIONS_MAX, collections_max, properties};
use crate::convert::read_at::{level, wire_level};
use crate::convert::schema::{decode, encode};
use crate::convert::search::refuse_first;
use crate::proto::common::Status;
use crate::proto::milvus::{
    AlterCollectionRequest, BatchDescribeCollectionRequest, BatchDescribeCollectionResponse, BoolResponse,
    CreateCollectionRequest, DescribeCollectionRequest, DescribeCollectionResponse, DropCollectionRequest,
    GetCollectionStatisticsRequest, GetCollectionStatisticsResponse, HasCollectionRequest, RenameCollectionRequest,
    ShowCollectionsRequest, ShowCollectionsResponse, ShowType, TruncateCollectionRequest, TruncateCollectionResponse,
};
use crate::status::{Code, Failure};
use elanus::{Collection, CollectionInfo, CreateCollection, LoadState};

/// Low bits of a timestamp that count within a millisecond.
const LOGICAL_BITS: u32 = 18;

/// Milliseconds since 1970 of a timestamp.
pub(super) fn utc_ms(timestamp: u64) -> u64 {
    timestamp >> LOGICAL_BITS
}

pub(super) fn create(call: &Call, request: CreateCollectionRequest) -> Result<Status, Failure> {
    let (name, schema) = decode(&request.schema)?;
    if !name.is_empty() && name != request.collection_name {
        let reason = format!("the schema names collection {name}, the request {}", request.collection_name);
        return Err(Failure::parameter(reason));
    }
    if request.num_partitions != 0 {
        return Err(Failure::unsupported("num_partitions (there is no partition key)"));
    }
    let shard_count = match request.shards_num {
        0 => 1,
        count => u32::try_from(count)
            .map_err(|_negative| Failure::parameter(format!("shards_num is {count}, want a positive number")))?,
    };
    let create = CreateCollection {
        name: request.collection_name,
        schema,
        consistency: level(request.consistency_level)?,
        shard_count,
        properties: properties(request.properties)?,
    };
    let database = call.database(&request.db_name);
    check_room(call, database, &create.name)?;
    call.db.create_collection(database, create)?;
    Ok(Status::default())
}

/// A database may say how many collections it takes.
fn check_room(call: &Call, database: &str, name: &str) -> Result<(), Failure> {
    let info = call.db.describe_database(database)?;
    let Some((_, max)) = info.properties.iter().find(|(key, _)| key == COLLECTIONS_MAX) else { return Ok(()) };
    let max = collections_max(max)?;
    let collections = call.db.list_collections(database)?;
    if collections.len() < max || collections.iter().any(|collection| collection.info().name == name) {
        return Ok(());
    }
    let reason = format!("database {} has {} collections, {COLLECTIONS_MAX} is {max}", info.name, collections.len());
    Err(Failure::of(Code::CollectionLimit, reason))
}

pub(super) fn drop(call: &Call, request: DropCollectionRequest) -> Result<Status, Failure> {
    call.db.drop_collection(call.database(&request.db_name), &request.collection_name)?;
    Ok(Status::default())
}

/// Collections are told as they are, not as they were.
fn refuse_past(time_stamp: u64) -> Result<(), Failure> {
    refuse_first("collection", &[(time_stamp != 0, "time_stamp")])
}

pub(super) fn has(call: &Call, request: HasCollectionRequest) -> Result<BoolResponse, Failure> {
    refuse_past(request.time_stamp)?;
    match call.collection(&request.db_name, &request.collection_name) {
        Ok(_) => Ok(BoolResponse { status: None, value: true }),
        Err(failure) if failure.code() == Code::CollectionNotFound => Ok(BoolResponse { status: None, value: false }),
        Err(failure) => Err(failure),
    }
}

pub(super) fn describe(call: &Call, request: DescribeCollectionRequest) -> Result<DescribeCollectionResponse, Failure> {
    refuse_past(request.time_stamp)?;
    let collection = call.collection_or_id(&request.db_name, &request.collection_name, request.collection_id)?;
    Ok(description(collection.info()))
}

fn description(info: CollectionInfo) -> DescribeCollectionResponse {
    DescribeCollectionResponse {
        schema: Some(encode(&info)),
        collection_id: info.id,
        created_timestamp: info.created_ts,
        created_utc_timestamp: utc_ms(info.created_ts),
        shards_num: i32::try_from(info.shard_count).unwrap_or(i32::MAX),
        aliases: info.aliases,
        consistency_level: wire_level(info.consistency),
        collection_name: info.name,
        properties: key_values(info.properties),
        db_name: info.database,
        num_partitions: i64::try_from(info.partition_count).unwrap_or(i64::MAX),
        db_id: info.database_id,
        update_timestamp: info.update_ts,
        update_timestamp_str: info.update_ts.to_string(),
        ..DescribeCollectionResponse::default()
    }
}

pub(super) fn describe_many(
    call: &Call,
    request: BatchDescribeCollectionRequest,
) -> Result<BatchDescribeCollectionResponse, Failure> {
    let by_name = request.collection_name.iter().map(|name| call.collection(&request.db_name, name));
    let by_id = request.collection_id.iter().map(|&id| Ok(call.db.collection_by_id(id)?));
    let one = |collection: Result<Collection, Failure>| match collection {
        Ok(collection) => {
            DescribeCollectionResponse { status: Some(Status::default()), ..description(collection.info()) }
        }
        Err(failure) => {
            DescribeCollectionResponse { status: Some(Status::from(&failure)), ..DescribeCollectionResponse::default() }
        }
    };
    Ok(BatchDescribeCollectionResponse { status: None, responses: by_name.chain(by_id).map(one).collect() })
}

/// How much of a collection is loaded, in percent.
pub(super) fn loaded_percent(collection: &Collection) -> Result<i64, Failure> {
    Ok(match collection.load_state(&[])? {
        LoadState::NotLoad => 0,
        LoadState::Loaded => 100,
    })
}

pub(super) fn show(call: &Call, request: ShowCollectionsRequest) -> Result<ShowCollectionsResponse, Failure> {
    refuse_past(request.time_stamp)?;
    let in_memory = request.r#type == i32::from(ShowType::InMemory);
    let mut reply = ShowCollectionsResponse::default();
    for collection in call.db.list_collections(call.database(&request.db_name))? {
        let info = collection.info();
        let percent = match loaded_percent(&collection) {
            Ok(percent) => percent,
            // Dropped since the list was made.
            Err(_) => continue,
        };
        let wanted = request.collection_names.is_empty() || request.collection_names.contains(&info.name);
        if !wanted || (in_memory && percent == 0) {
            continue;
        }
        reply.collection_names.push(info.name);
        reply.collection_ids.push(info.id);
        reply.created_timestamps.push(info.created_ts);
        reply.created_utc_timestamps.push(utc_ms(info.created_ts));
        reply.in_memory_percentages.push(percent);
        reply.query_service_available.push(percent == 100);
        reply.shards_num.push(i32::try_from(info.shard_count).unwrap_or(i32::MAX));
    }
    Ok(reply)
}

pub(super) fn alter(call: &Call, request: AlterCollectionRequest) -> Result<Status, Failure> {
    let collection = call.collection_or_id(&request.db_name, &request.collection_name, request.collection_id)?;
    collection.alter(properties(request.properties)?, &request.delete_keys)?;
    Ok(Status::default())
}

pub(super) fn rename(call: &Call, request: RenameCollectionRequest) -> Result<Status, Failure> {
    let database = call.database(&request.db_name);
    let target = if request.new_db_name.is_empty() { database } else { &request.new_db_name };
    call.db.rename_collection(database, &request.old_name, target, &request.new_name)?;
    Ok(Status::default())
}

pub(super) fn truncate(call: &Call, request: TruncateCollectionRequest) -> Result<TruncateCollectionResponse, Failure> {
    call.collection(&request.db_name, &request.collection_name)?.truncate()?;
    Ok(TruncateCollectionResponse::default())
}

pub(super) fn statistics(
    call: &Call,
    request: GetCollectionStatisticsRequest,
) -> Result<GetCollectionStatisticsResponse, Failure> {
    let rows = count(call.collection(&request.db_name, &request.collection_name)?.row_count());
    let stats = key_values([("row_count".to_owned(), rows.to_string())]);
    Ok(GetCollectionStatisticsResponse { status: None, stats })
}
