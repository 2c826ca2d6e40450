//! Aliases.

use super::Call;
use crate::proto::common::Status;
use crate::proto::milvus::{
    AlterAliasRequest, CreateAliasRequest, DescribeAliasRequest, DescribeAliasResponse, DropAliasRequest,
    ListAliasesRequest, ListAliasesResponse,
};
use crate::status::Failure;

pub(super) fn create(call: &Call, request: CreateAliasRequest) -> Result<Status, Failure> {
    call.db.create_alias(call.database(&request.db_name), &request.alias, &request.collection_name)?;
    Ok(Status::default())
}

pub(super) fn drop(call: &Call, request: DropAliasRequest) -> Result<Status, Failure> {
    call.db.drop_alias(call.database(&request.db_name), &request.alias)?;
    Ok(Status::default())
}

pub(super) fn alter(call: &Call, request: AlterAliasRequest) -> Result<Status, Failure> {
    call.db.alter_alias(call.database(&request.db_name), &request.alias, &request.collection_name)?;
    Ok(Status::default())
}

pub(super) fn describe(call: &Call, request: DescribeAliasRequest) -> Result<DescribeAliasResponse, Failure> {
    let database = call.database_name(&request.db_name);
    let collection = call.db.describe_alias(database, &request.alias)?;
    Ok(DescribeAliasResponse { status: None, db_name: database.to_owned(), alias: request.alias, collection })
}

pub(super) fn list(call: &Call, request: ListAliasesRequest) -> Result<ListAliasesResponse, Failure> {
    let database = call.database_name(&request.db_name);
    let collection = (!request.collection_name.is_empty()).then_some(request.collection_name.as_str());
    let aliases = call.db.list_aliases(database, collection)?.into_iter().map(|(alias, _)| alias).collect();
    Ok(ListAliasesResponse {
        status: None,
        db_name: database.to_owned(),
        collection_name: request.collection_name,
        aliases,
    })
}
