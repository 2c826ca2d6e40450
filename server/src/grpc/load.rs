//! Loading and releasing.

use super::Call;
use crate::proto::common::{LoadState as WireState, Status};
use crate::proto::milvus::{
    GetLoadStateRequest, GetLoadStateResponse, GetLoadingProgressRequest, GetLoadingProgressResponse,
    LoadCollectionRequest, LoadPartitionsRequest, ReleaseCollectionRequest, ReleasePartitionsRequest,
};
use crate::status::{Code, Failure};
use elanus::{Collection, LoadState};
use std::collections::HashMap;

/// The resource group that every server has.
const DEFAULT_RESOURCE_GROUP: &str = "__default_resource_group";
/// Progress of what is loaded, in percent.
const PROGRESS_WHOLE: i64 = 100;
/// Which of several loads goes first; here none has to wait.
const PRIORITY: &str = "load_priority";

/// What both requests to load say of how.
struct Options {
    replica_number: i32,
    resource_groups: Vec<String>,
    load_fields: Vec<String>,
    load_params: HashMap<String, String>,
}

impl Options {
    /// Everything is loaded by being mapped, so that fewer fields, or all but the dynamic one
    /// (`skip_load_dynamic_field`), are no gain; but those that are named must be there.
    fn check(&self, collection: &Collection) -> Result<(), Failure> {
        if self.replica_number > 1 {
            return Err(Failure::unsupported(format!("load: {} replicas", self.replica_number)));
        }
        if let Some(group) = self.resource_groups.iter().find(|group| *group != DEFAULT_RESOURCE_GROUP) {
            return Err(Failure::unsupported(format!("load: resource group {group}")));
        }
        if let Some(name) = self.load_params.keys().find(|name| *name != PRIORITY) {
            return Err(Failure::parameter(format!("load: unknown parameter {name}")));
        }
        let info = collection.info();
        match self.load_fields.iter().find(|name| info.schema.field(name).is_none()) {
            Some(name) => Err(Failure::of(Code::FieldNotFound, format!("load: no field {name} in {}", info.name))),
            None => Ok(()),
        }
    }
}

pub(super) fn collection(call: &Call, request: LoadCollectionRequest) -> Result<Status, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let options = Options {
        replica_number: request.replica_number,
        resource_groups: request.resource_groups,
        load_fields: request.load_fields,
        load_params: request.load_params,
    };
    options.check(&collection)?;
    collection.load(&[])?;
    Ok(Status::default())
}

pub(super) fn partitions(call: &Call, request: LoadPartitionsRequest) -> Result<Status, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let options = Options {
        replica_number: request.replica_number,
        resource_groups: request.resource_groups,
        load_fields: request.load_fields,
        load_params: request.load_params,
    };
    options.check(&collection)?;
    collection.load(named(&request.partition_names)?)?;
    Ok(Status::default())
}

pub(super) fn release_collection(call: &Call, request: ReleaseCollectionRequest) -> Result<Status, Failure> {
    call.collection(&request.db_name, &request.collection_name)?.release(&[])?;
    Ok(Status::default())
}

pub(super) fn release_partitions(call: &Call, request: ReleasePartitionsRequest) -> Result<Status, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    collection.release(named(&request.partition_names)?)?;
    Ok(Status::default())
}

/// An empty list would mean the whole collection.
fn named(partitions: &[String]) -> Result<&[String], Failure> {
    if partitions.is_empty() {
        return Err(Failure::missing("the request does not name a partition"));
    }
    Ok(partitions)
}

pub(super) fn progress(call: &Call, request: GetLoadingProgressRequest) -> Result<GetLoadingProgressResponse, Failure> {
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    match collection.load_state(&request.partition_names)? {
        LoadState::NotLoad => {
            let reason = format!("collection {} is not loaded", request.collection_name);
            Err(Failure::of(Code::CollectionNotLoaded, reason))
        }
        // Loading is to map files, which is done when the request to load returns.
        LoadState::Loaded => {
            Ok(GetLoadingProgressResponse { status: None, progress: PROGRESS_WHOLE, refresh_progress: PROGRESS_WHOLE })
        }
    }
}

pub(super) fn state(call: &Call, request: GetLoadStateRequest) -> Result<GetLoadStateResponse, Failure> {
    let reply = |state: WireState| Ok(GetLoadStateResponse { status: None, state: state.into() });
    let collection = match call.collection(&request.db_name, &request.collection_name) {
        Ok(collection) => collection,
        Err(failure) if failure.code() == Code::CollectionNotFound => return reply(WireState::NotExist),
        Err(failure) => return Err(failure),
    };
    if request.partition_names.iter().any(|name| !collection.has_partition(name)) {
        return reply(WireState::NotExist);
    }
    reply(match collection.load_state(&request.partition_names)? {
        LoadState::NotLoad => WireState::NotLoad,
        LoadState::Loaded => WireState::Loaded,
    })
}
