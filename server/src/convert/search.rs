//! Search requests.

use crate::convert::data::{half_floats, keys};
use crate::convert::params::Params;
use crate::convert::read_at::{Guarantee, read_at};
use crate::convert::template::templates;
use crate::proto::common::{DslType, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use crate::proto::milvus::SearchRequest as WireRequest;
use crate::proto::milvus::search_request::SearchInput;
use crate::status::Failure;
use elanus::{IteratorPage, Queries, SearchRequest};
use prost::Message;

/// Greatest number of decimal places to which scores are rounded.
const ROUND_DECIMAL_MAX: i64 = 6;
/// What the messages of this module call the request.
const WHAT: &str = "search";
/// Parameters of grouping, ordering and of types that are not supported.
const REFUSED: [&str; 13] = [
    "group_by_field",
    "group_by_fields",
    "group_size",
    "strict_group_size",
    "order_by_fields",
    "json_path",
    "json_type",
    "strict_cast",
    "analyzer_name",
    "timezone",
    "time_fields",
    "cluster_id",
    "rank_group_scorer",
];

/// A search as the engine takes it, and what concerns only the wire.
#[derive(Debug)]
pub struct Search {
    /// The engine's request.
    pub request: SearchRequest,
    /// The collection that an iterator began on.
    pub collection_id: Option<i64>,
    /// Token of the iterator that this is a page of; empty on its first page, `None` outside of iterators.
    pub iterator_token: Option<String>,
}

/// What `search_params` says.
struct Said {
    limit: usize,
    offset: usize,
    round_decimal: Option<u32>,
    collection_id: Option<i64>,
    iterates: bool,
    iterator_token: Option<String>,
}

/// A search request.
///
/// # Errors
/// A parameter that is missing, malformed or not supported.
pub fn search(wire: WireRequest) -> Result<Search, Failure> {
    refuse_features(&wire)?;
    let mut params = Params::new(WHAT, wire.search_params)?;
    let mut request = SearchRequest::new(queries(wire.search_input, wire.nq)?);
    let said = take_params(&mut params, &mut request)?;
    let guarantee = Guarantee {
        level: wire.consistency_level,
        use_default: wire.use_default_consistency,
        timestamp: wire.guarantee_timestamp,
        iterates: said.iterates,
    };
    request.limit = said.limit;
    request.offset = said.offset;
    request.round_decimal = said.round_decimal;
    request.read_at = read_at(guarantee)?;
    request.params = params.rest();
    request.filter = wire.dsl;
    request.templates = templates(wire.expr_template_values)?;
    request.partitions = wire.partition_names;
    request.output_fields = wire.output_fields;
    Ok(Search { request, collection_id: said.collection_id, iterator_token: said.iterator_token })
}

fn refuse_features(wire: &WireRequest) -> Result<(), Failure> {
    let refused = [
        (wire.travel_timestamp != 0, "travel_timestamp"),
        (wire.search_by_primary_keys, "search_by_primary_keys"),
        (!wire.sub_reqs.is_empty(), "sub_reqs (use HybridSearch)"),
        (wire.function_score.is_some(), "function_score"),
        (wire.namespace.as_ref().is_some_and(|name| !name.is_empty()), "namespace"),
        (wire.highlighter.is_some(), "highlighter"),
        (wire.search_aggregation.is_some(), "search_aggregation"),
        (!wire.function_chains.is_empty(), "function_chains"),
        (wire.dsl_type != i32::from(DslType::BoolExprV1) && !wire.dsl.is_empty(), "a filter that is no expression"),
    ];
    refuse_first(WHAT, &refused)
}

/// Refuses the first of the features that a request uses.
///
/// # Errors
/// If there is one.
pub fn refuse_first(what: &str, features: &[(bool, &str)]) -> Result<(), Failure> {
    match features.iter().find(|(is_used, _)| *is_used) {
        Some((_, name)) => Err(Failure::unsupported(format!("{what}: {name}"))),
        None => Ok(()),
    }
}

fn take_params(params: &mut Params, request: &mut SearchRequest) -> Result<Said, Failure> {
    REFUSED.iter().try_for_each(|name| params.refuse(name))?;
    // How a filtered search is run is the planner's choice; pages keep their order in any case.
    params.text("hints");
    params.flag("page_retain_order")?;
    request.field = params.text("anns_field").unwrap_or_default();
    request.metric = params.text("metric_type");
    request.ignore_growing = params.flag("ignore_growing")?;
    request.radius = params.float("radius")?;
    request.range_filter = params.float("range_filter")?;
    let collection_id = params.number("collection_id")?;
    let iterates = params.flag("iterator")? || collection_id.is_some();
    let limit: usize = match (params.number("topk")?, params.number("limit")?) {
        (Some(limit), _) | (None, Some(limit)) => limit,
        (None, None) => return Err(Failure::missing("search: parameter topk is missing")),
    };
    let round_decimal = round_decimal(params)?;
    let iterator_token = take_iterator(params, request, limit)?;
    let offset = params.number("offset")?.unwrap_or(0);
    Ok(Said { limit, offset, round_decimal, collection_id, iterates, iterator_token })
}

fn take_iterator(params: &mut Params, request: &mut SearchRequest, limit: usize) -> Result<Option<String>, Failure> {
    let batch = params.number("search_iter_batch_size")?;
    let last_bound = params.float("search_iter_last_bound")?;
    let token = params.text("search_iter_id");
    if !params.flag("search_iter_v2")? {
        return Ok(None);
    }
    request.iterator = Some(IteratorPage { batch: batch.unwrap_or(limit), last_bound });
    Ok(Some(token.unwrap_or_default()))
}

/// Takes the decimal places to which scores are rounded; -1 is not to round.
///
/// # Errors
/// A number out of range.
pub fn round_decimal(params: &mut Params) -> Result<Option<u32>, Failure> {
    match params.number::<i64>("round_decimal")? {
        None | Some(-1) => Ok(None),
        Some(places @ 0..=ROUND_DECIMAL_MAX) => Ok(Some(places as u32)),
        Some(places) => {
            Err(Failure::parameter(format!("round_decimal is {places}, want -1 or 0 to {ROUND_DECIMAL_MAX}")))
        }
    }
}

fn queries(input: Option<SearchInput>, nq: i64) -> Result<Queries, Failure> {
    let (queries, count) = match input {
        Some(SearchInput::PlaceholderGroup(bytes)) => placeholders(&bytes)?,
        Some(SearchInput::Ids(ids)) => {
            let keys = keys(ids)?;
            let count = keys.len();
            (Queries::Keys(keys), count)
        }
        None => return Err(Failure::missing("search: the request has neither vectors nor ids")),
    };
    // Clients that leave nq out mean as many as there are.
    if nq != 0 && i64::try_from(count) != Ok(nq) {
        return Err(Failure::parameter(format!("search: nq is {nq}, the request has {count} queries")));
    }
    Ok(queries)
}

fn placeholders(bytes: &[u8]) -> Result<(Queries, usize), Failure> {
    let group = PlaceholderGroup::decode(bytes)
        .map_err(|error| Failure::parameter(format!("search: the queries cannot be read: {error}")))?;
    let [placeholder] = <[PlaceholderValue; 1]>::try_from(group.placeholders)
        .map_err(|many| Failure::parameter(format!("search: {} groups of queries, want one", many.len())))?;
    if placeholder.element_level {
        return Err(Failure::unsupported("search: a search over the elements of a struct array"));
    }
    let count = placeholder.values.len();
    let kind = PlaceholderType::try_from(placeholder.r#type)
        .map_err(|_unknown| Failure::parameter(format!("search: unknown type of queries {}", placeholder.r#type)))?;
    let queries = match kind {
        PlaceholderType::FloatVector => {
            let (dim, data) = rows(&placeholder.values, 4, |bytes| {
                let (floats, _) = bytes.as_chunks::<4>();
                floats.iter().map(|&float| f32::from_le_bytes(float)).collect()
            })?;
            Queries::F32 { dim, data }
        }
        PlaceholderType::Float16Vector => {
            let (dim, data) = rows(&placeholder.values, 2, |bytes| half_floats(bytes).unwrap_or_default())?;
            Queries::F16 { dim, data }
        }
        other @ (PlaceholderType::None
        | PlaceholderType::BinaryVector
        | PlaceholderType::BFloat16Vector
        | PlaceholderType::SparseFloatVector
        | PlaceholderType::Int8Vector
        | PlaceholderType::Int64
        | PlaceholderType::VarChar
        | PlaceholderType::EmbListBinaryVector
        | PlaceholderType::EmbListFloatVector
        | PlaceholderType::EmbListFloat16Vector
        | PlaceholderType::EmbListBFloat16Vector
        | PlaceholderType::EmbListSparseFloatVector
        | PlaceholderType::EmbListInt8Vector) => {
            return Err(Failure::unsupported(format!("search: queries of type {}", other.as_str_name())));
        }
    };
    Ok((queries, count))
}

/// One run of numbers from vectors of `width` bytes a number, and how many numbers a vector has.
fn rows<T>(values: &[Vec<u8>], width: usize, numbers: impl Fn(&[u8]) -> Vec<T>) -> Result<(usize, Vec<T>), Failure> {
    let length = values.first().map_or(0, Vec::len);
    if length == 0 || !length.is_multiple_of(width) {
        let count = values.len();
        return Err(Failure::parameter(format!("search: {count} queries, the first of {length} bytes")));
    }
    if let Some((position, other)) = values.iter().enumerate().find(|(_, value)| value.len() != length) {
        let (first, other) = (length / width, other.len() / width);
        let reason = format!("search: query {position} has dim {other}, query 0 has dim {first}");
        return Err(Failure::parameter(reason));
    }
    let mut data = Vec::with_capacity(values.len() * (length / width));
    values.iter().for_each(|value| data.append(&mut numbers(value)));
    Ok((length / width, data))
}

#[cfg(test)]
mod tests;
