//! Query requests.

use crate::convert::params::Params;
use crate::convert::read_at::{Guarantee, read_at};
use crate::convert::search::refuse_first;
use crate::convert::template::templates;
use crate::proto::milvus::QueryRequest as WireRequest;
use crate::status::Failure;
use elanus::QueryRequest;

/// What the messages of this module call the request.
const WHAT: &str = "query";
/// Parameters of grouping, ordering and of types that are not supported.
const REFUSED: [&str; 7] = [
    "group_by_fields",
    "order_by_fields",
    "timezone",
    "time_fields",
    "query_iter_last_pk",
    "query_iter_last_element_offset",
    "cluster_id",
];

/// A query as the engine takes it, and what concerns only the wire.
#[derive(Debug)]
pub struct Query {
    /// The engine's request.
    pub request: QueryRequest,
    /// The collection that an iterator began on.
    pub collection_id: Option<i64>,
}

/// A query request.
///
/// # Errors
/// A parameter that is malformed or not supported.
pub fn query(wire: WireRequest) -> Result<Query, Failure> {
    let refused = [
        (wire.travel_timestamp != 0, "travel_timestamp"),
        (wire.namespace.as_ref().is_some_and(|name| !name.is_empty()), "namespace"),
    ];
    refuse_first(WHAT, &refused)?;
    let mut params = Params::new(WHAT, wire.query_params)?;
    REFUSED.iter().try_for_each(|name| params.refuse(name))?;
    let limit = match params.number::<i64>("limit")? {
        None | Some(-1) => None,
        Some(limit) => Some(usize::try_from(limit).map_err(|_negative| {
            Failure::parameter(format!("query: parameter limit is {limit}, want -1 or a positive number"))
        })?),
    };
    let offset = params.number("offset")?.unwrap_or(0);
    let ignore_growing = params.flag("ignore_growing")?;
    // Says how the parts of a result may be merged; ours are merged in the order of the keys in any case.
    params.flag("reduce_stop_for_best")?;
    let collection_id = params.number("collection_id")?;
    // A client that skips rows on behalf of an iterator names the collection and follows the keys as an iterator does.
    let iterator = params.flag("iterator")? || collection_id.is_some();
    params.finish()?;
    let read_at = read_at(Guarantee {
        level: wire.consistency_level,
        use_default: wire.use_default_consistency,
        timestamp: wire.guarantee_timestamp,
        iterates: iterator,
    })?;
    let request = QueryRequest {
        filter: wire.expr,
        templates: templates(wire.expr_template_values)?,
        output_fields: wire.output_fields,
        partitions: wire.partition_names,
        limit,
        offset,
        read_at,
        ignore_growing,
        iterator,
    };
    Ok(Query { request, collection_id })
}

#[cfg(test)]
mod tests;
