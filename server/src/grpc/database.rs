//! Databases.

use super::Call;
use crate::convert::key_values;
use crate::convert::properties::properties;
use crate::proto::common::Status;
use crate::proto::milvus::{
    AlterDatabaseRequest, CreateDatabaseRequest, DescribeDatabaseRequest, DescribeDatabaseResponse,
    DropDatabaseRequest, ListDatabasesRequest, ListDatabasesResponse,
};
use crate::status::Failure;

pub(super) fn create(call: &Call, request: CreateDatabaseRequest) -> Result<Status, Failure> {
    call.db.create_database(&request.db_name, properties(request.properties)?)?;
    Ok(Status::default())
}

pub(super) fn drop(call: &Call, request: DropDatabaseRequest) -> Result<Status, Failure> {
    call.db.drop_database(&request.db_name)?;
    Ok(Status::default())
}

pub(super) fn list(call: &Call, _request: ListDatabasesRequest) -> Result<ListDatabasesResponse, Failure> {
    let mut reply = ListDatabasesResponse::default();
    for database in call.db.list_databases() {
        reply.db_names.push(database.name);
        reply.created_timestamp.push(database.created_ts);
        reply.db_ids.push(database.id);
    }
    Ok(reply)
}

pub(super) fn describe(call: &Call, request: DescribeDatabaseRequest) -> Result<DescribeDatabaseResponse, Failure> {
    let database = call.db.describe_database(call.database(&request.db_name))?;
    Ok(DescribeDatabaseResponse {
        status: None,
        db_name: database.name,
        db_id: database.id,
        created_timestamp: database.created_ts,
        properties: key_values(database.properties),
    })
}

pub(super) fn alter(call: &Call, request: AlterDatabaseRequest) -> Result<Status, Failure> {
    if !request.db_id.is_empty() {
        return Err(Failure::unsupported("alter database: db_id"));
    }
    let name = call.database(&request.db_name);
    call.db.alter_database(name, properties(request.properties)?, &request.delete_keys)?;
    Ok(Status::default())
}
