//! Flushing, compaction and segments.

use super::Call;
use super::collection::utc_ms;
use crate::convert::index::count;
use crate::convert::search::refuse_first;
use crate::proto::common::{CompactionState, SegmentLevel, SegmentState as WireState};
use crate::proto::milvus::{
    FlushAllRequest, FlushAllResponse, FlushAllResult, FlushAllTarget, FlushCollectionResult, FlushRequest,
    FlushResponse, GetCompactionPlansRequest, GetCompactionPlansResponse, GetCompactionStateRequest,
    GetCompactionStateResponse, GetFlushAllStateRequest, GetFlushAllStateResponse, GetFlushStateRequest,
    GetFlushStateResponse, GetPersistentSegmentInfoRequest, GetPersistentSegmentInfoResponse,
    GetQuerySegmentInfoRequest, GetQuerySegmentInfoResponse, ManualCompactionRequest, ManualCompactionResponse,
    PersistentSegmentInfo, QuerySegmentInfo,
};
use crate::proto::schema::LongArray;
use crate::status::Failure;
use elanus::{Collection, CompactionInfo, SegmentInfo, SegmentState};

/// Size in MiB by which clients say that segments may become as large as the server likes.
const TARGET_SIZE_ANY: i64 = i64::MAX;
/// Milliseconds of a second.
const SECOND_MS: u64 = 1000;

/// Time of a timestamp in whole seconds since 1970.
fn utc_seconds(timestamp: u64) -> i64 {
    count(utc_ms(timestamp) / SECOND_MS)
}

pub(super) fn flush(call: &Call, request: FlushRequest) -> Result<FlushResponse, Failure> {
    if request.collection_names.is_empty() {
        return Err(Failure::missing("flush: the request does not name a collection"));
    }
    let named: Vec<(String, Collection)> = request
        .collection_names
        .into_iter()
        .map(|name| call.collection(&request.db_name, &name).map(|collection| (name, collection)))
        .collect::<Result<_, _>>()?;
    let db_name = call.database_name(&request.db_name).to_owned();
    let mut reply = FlushResponse { db_name, ..FlushResponse::default() };
    for (name, collection) in named {
        let flushed = collection.flush()?;
        let segments = LongArray { data: flushed.segments };
        reply.coll_seg_i_ds.insert(name.clone(), segments.clone());
        reply.flush_coll_seg_i_ds.insert(name.clone(), segments);
        reply.coll_seal_times.insert(name.clone(), utc_seconds(flushed.ts));
        reply.coll_flush_ts.insert(name, flushed.ts);
    }
    Ok(reply)
}

pub(super) fn flush_state(call: &Call, request: GetFlushStateRequest) -> Result<GetFlushStateResponse, Failure> {
    let collections = if request.collection_name.is_empty() {
        // Old clients give segments alone.
        every_collection(call)?
    } else {
        vec![call.collection(&request.db_name, &request.collection_name)?]
    };
    let flushed = collections.iter().all(|collection| collection.is_flushed(&request.segment_i_ds));
    Ok(GetFlushStateResponse { status: None, flushed })
}

pub(super) fn flush_all(call: &Call, request: FlushAllRequest) -> Result<FlushAllResponse, Failure> {
    let mut reply = FlushAllResponse::default();
    let mut earliest = None;
    for (database, collections) in targets(call, &request.db_name, request.flush_targets)? {
        let mut collection_results = Vec::with_capacity(collections.len());
        for collection in collections {
            let flushed = collection.flush()?;
            // Whatever was written up to the earliest of these times is flushed in all collections.
            earliest = Some(earliest.map_or(flushed.ts, |ts: u64| ts.min(flushed.ts)));
            let segments = LongArray { data: flushed.segments };
            collection_results.push(FlushCollectionResult {
                collection_name: collection.info().name,
                segment_ids: Some(segments.clone()),
                flush_segment_ids: Some(segments),
                seal_time: utc_seconds(flushed.ts),
                flush_ts: flushed.ts,
            });
        }
        reply.flush_results.push(FlushAllResult { db_name: database, collection_results });
    }
    reply.flush_all_ts = earliest.unwrap_or_else(|| call.db.timestamp());
    Ok(reply)
}

pub(super) fn flush_all_state(
    call: &Call,
    request: GetFlushAllStateRequest,
) -> Result<GetFlushAllStateResponse, Failure> {
    refuse_first("flush all", &[(!request.flush_all_tss.is_empty(), "flush_all_tss")])?;
    let targets = targets(call, &request.db_name, request.flush_targets)?;
    // What was set aside before the time that is asked for is gone from memory once nothing waits to be sealed.
    let waits =
        |collection: &Collection| collection.segments().iter().any(|segment| segment.state == SegmentState::Sealing);
    let flushed = !targets.iter().flat_map(|(_, collections)| collections).any(waits);
    Ok(GetFlushAllStateResponse { status: None, flushed, ..GetFlushAllStateResponse::default() })
}

/// The collections that a request is about, by database.
fn targets(call: &Call, db_name: &str, given: Vec<FlushAllTarget>) -> Result<Vec<(String, Vec<Collection>)>, Failure> {
    if !given.is_empty() {
        let one = |target: FlushAllTarget| {
            let collections = if target.collection_names.is_empty() {
                call.db.list_collections(call.database(&target.db_name))?
            } else {
                let names = target.collection_names.iter();
                names.map(|name| call.collection(&target.db_name, name)).collect::<Result<_, _>>()?
            };
            Ok((call.database_name(&target.db_name).to_owned(), collections))
        };
        return given.into_iter().map(one).collect();
    }
    if !db_name.is_empty() {
        return Ok(vec![(db_name.to_owned(), call.db.list_collections(db_name)?)]);
    }
    let one = |name: String| Ok((name.clone(), call.db.list_collections(&name)?));
    call.db.list_databases().into_iter().map(|database| one(database.name)).collect()
}

fn every_collection(call: &Call) -> Result<Vec<Collection>, Failure> {
    Ok(targets(call, "", Vec::new())?.into_iter().flat_map(|(_, collections)| collections).collect())
}

pub(super) fn compact(call: &Call, request: ManualCompactionRequest) -> Result<ManualCompactionResponse, Failure> {
    let refused = [
        (request.major_compaction, "majorCompaction (there is no clustering key)"),
        (request.timetravel != 0, "timetravel"),
        (request.partition_id != 0, "partition_id"),
        (!request.channel.is_empty(), "channel"),
        (!request.segment_ids.is_empty(), "segment_ids"),
        (![0, TARGET_SIZE_ANY].contains(&request.target_size), "target_size"),
    ];
    refuse_first("compact", &refused)?;
    // Deletes are compacted in any case, which is all that l0Compaction asks for.
    let collection = call.collection_or_id(&request.db_name, &request.collection_name, request.collection_id)?;
    let job = collection.compact()?;
    let plans = call.db.compaction(job)?.total;
    Ok(ManualCompactionResponse {
        status: None,
        compaction_id: job,
        compaction_plan_count: i32::try_from(plans).unwrap_or(i32::MAX),
    })
}

fn progress(info: &CompactionInfo) -> CompactionState {
    if info.executing { CompactionState::Executing } else { CompactionState::Completed }
}

pub(super) fn compaction_state(
    call: &Call,
    request: GetCompactionStateRequest,
) -> Result<GetCompactionStateResponse, Failure> {
    let info = call.db.compaction(request.compaction_id)?;
    Ok(GetCompactionStateResponse {
        status: None,
        state: progress(&info).into(),
        executing_plan_no: count(info.total.saturating_sub(info.completed + info.failed)),
        timeout_plan_no: 0,
        completed_plan_no: count(info.completed),
        failed_plan_no: count(info.failed),
    })
}

pub(super) fn compaction_plans(
    call: &Call,
    request: GetCompactionPlansRequest,
) -> Result<GetCompactionPlansResponse, Failure> {
    if request.compaction_id == 0 {
        return Err(Failure::unsupported("the list of a collection's compactions (ask for one by its id)"));
    }
    let info = call.db.compaction(request.compaction_id)?;
    Ok(GetCompactionPlansResponse { status: None, state: progress(&info).into(), merge_infos: Vec::new() })
}

fn wire_state(state: SegmentState) -> WireState {
    match state {
        SegmentState::Growing => WireState::Growing,
        SegmentState::Sealing => WireState::Flushing,
        SegmentState::Sealed => WireState::Flushed,
    }
}

/// Whoever searches a segment tells apart only whether it still grows.
fn searched_state(state: SegmentState) -> WireState {
    match state {
        SegmentState::Growing => WireState::Growing,
        SegmentState::Sealing | SegmentState::Sealed => WireState::Sealed,
    }
}

pub(super) fn persistent_segments(
    call: &Call,
    request: GetPersistentSegmentInfoRequest,
) -> Result<GetPersistentSegmentInfoResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let collection_id = collection.info().id;
    let wanted = |state: WireState| match request.states.as_slice() {
        // What is in memory alone is not persistent.
        [] => state != WireState::Growing,
        states => states.contains(&i32::from(state)),
    };
    let segments = collection.segments().into_iter().filter(|segment| wanted(wire_state(segment.state)));
    let infos = segments.map(|segment| PersistentSegmentInfo {
        segment_id: segment.id,
        collection_id,
        partition_id: segment.partition_id,
        num_rows: count(segment.row_count),
        state: wire_state(segment.state).into(),
        level: SegmentLevel::L1.into(),
        ..PersistentSegmentInfo::default()
    });
    Ok(GetPersistentSegmentInfoResponse { status: None, infos: infos.collect() })
}

pub(super) fn query_segments(
    call: &Call,
    request: GetQuerySegmentInfoRequest,
) -> Result<GetQuerySegmentInfoResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let collection_id = collection.info().id;
    let indexes = collection.indexes();
    let info = |segment: SegmentInfo| {
        let index_name = segment.indexes.into_iter().next().unwrap_or_default();
        QuerySegmentInfo {
            segment_id: segment.id,
            collection_id,
            partition_id: segment.partition_id,
            mem_size: count(segment.size_bytes),
            num_rows: count(segment.row_count),
            index_id: indexes.iter().find(|index| index.name == index_name).map_or(0, |index| index.id),
            index_name,
            state: searched_state(segment.state).into(),
            level: SegmentLevel::L1.into(),
            ..QuerySegmentInfo::default()
        }
    };
    Ok(GetQuerySegmentInfoResponse { status: None, infos: collection.segments().into_iter().map(info).collect() })
}
