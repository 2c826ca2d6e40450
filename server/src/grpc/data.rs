//! Writes.

use super::Call;
use crate::convert::data::{columns, ids};
use crate::convert::index::count;
use crate::convert::read_at::{Guarantee, read_at};
use crate::convert::search::refuse_first;
use crate::convert::template::templates;
use crate::proto::milvus::{DeleteRequest, InsertRequest, MutationResult, UpsertRequest};
use crate::proto::schema::FieldData;
use crate::status::Failure;
use elanus::{Collection, Delete, Insert, Written};

pub(super) fn insert(call: &Call, request: InsertRequest) -> Result<MutationResult, Failure> {
    refuse_namespace("insert", request.namespace.as_deref())?;
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let rows = Rows {
        partition: request.partition_name,
        fields: request.fields_data,
        count: request.num_rows,
        schema_ts: request.schema_timestamp,
    };
    let written = collection.insert(rows.read(&collection)?)?;
    Ok(MutationResult { insert_cnt: count(written.count), ..mutation(written) })
}

pub(super) fn upsert(call: &Call, request: UpsertRequest) -> Result<MutationResult, Failure> {
    refuse_namespace("upsert", request.namespace.as_deref())?;
    let partial = [(request.partial_update, "partial_update"), (!request.field_ops.is_empty(), "field_ops")];
    refuse_first("upsert", &partial)?;
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let rows = Rows {
        partition: request.partition_name,
        fields: request.fields_data,
        count: request.num_rows,
        schema_ts: request.schema_timestamp,
    };
    let written = collection.upsert(rows.read(&collection)?)?;
    Ok(MutationResult { upsert_cnt: count(written.count), ..mutation(written) })
}

pub(super) fn delete(call: &Call, request: DeleteRequest) -> Result<MutationResult, Failure> {
    refuse_namespace("delete", request.namespace.as_deref())?;
    let collection = call.collection(&request.db_name, &request.collection_name)?;
    let read_at =
        read_at(Guarantee { level: request.consistency_level, use_default: false, timestamp: 0, iterates: false })?;
    let deleted = collection.delete(&Delete {
        filter: request.expr,
        templates: templates(request.expr_template_values)?,
        partition: partition(request.partition_name),
        read_at,
    })?;
    // Keys are left out: clients return them in place of the count.
    Ok(MutationResult {
        acknowledged: true,
        delete_cnt: count(deleted.count),
        timestamp: deleted.ts,
        ..MutationResult::default()
    })
}

/// What insert and upsert have in common.
struct Rows {
    partition: String,
    fields: Vec<FieldData>,
    count: u32,
    schema_ts: u64,
}

impl Rows {
    fn read(self, collection: &Collection) -> Result<Insert, Failure> {
        if self.count == 0 {
            return Err(Failure::parameter("the request has no rows: num_rows is 0"));
        }
        let row_count = self.count as usize;
        let schema = collection.info().schema;
        Ok(Insert {
            partition: partition(self.partition),
            columns: columns(&schema, self.fields, row_count)?,
            row_count,
            schema_ts: self.schema_ts,
        })
    }
}

fn partition(name: String) -> Option<String> {
    (!name.is_empty()).then_some(name)
}

fn refuse_namespace(what: &str, namespace: Option<&str>) -> Result<(), Failure> {
    refuse_first(what, &[(namespace.is_some_and(|name| !name.is_empty()), "namespace")])
}

fn mutation(written: Written) -> MutationResult {
    MutationResult {
        succ_index: (0..u32::try_from(written.count).unwrap_or(u32::MAX)).collect(),
        acknowledged: true,
        timestamp: written.ts,
        i_ds: Some(ids(written.keys)),
        ..MutationResult::default()
    }
}
