//! Hybrid searches: several searches whose results one ranker merges.

use crate::convert::params::Params;
use crate::convert::read_at::{Guarantee, read_at};
use crate::convert::search::{refuse_first, round_decimal, search};
use crate::proto::common::KeyValuePair;
use crate::proto::milvus::HybridSearchRequest as WireRequest;
use crate::proto::schema::{FunctionSchema, FunctionScore, FunctionType};
use crate::status::Failure;
use elanus::{HybridRequest, Ranker, SearchRequest};

/// What the messages of this module call the request.
const WHAT: &str = "hybrid search";
/// The constant k of reciprocal rank fusion where none is given (Cormack, Clarke and Buettcher, 2009).
const RRF_K_DEFAULT: f64 = 60.0;
/// Upper bound of k, exclusive.
const RRF_K_END: f64 = 16_384.0;
/// Most searches of one request.
const SEARCHES_MAX: usize = 1024;
/// Parameters of grouping, which is not supported.
const REFUSED: [&str; 6] =
    ["group_by_field", "group_by_fields", "group_size", "strict_group_size", "rank_group_scorer", "cluster_id"];

/// A hybrid search as the engine takes it.
///
/// # Errors
/// A parameter that is missing, malformed or not supported.
pub fn hybrid(wire: WireRequest) -> Result<HybridRequest, Failure> {
    let refused = [
        (wire.travel_timestamp != 0, "travel_timestamp"),
        (wire.namespace.as_ref().is_some_and(|name| !name.is_empty()), "namespace"),
        (!wire.function_chains.is_empty(), "function_chains"),
    ];
    refuse_first(WHAT, &refused)?;
    if wire.requests.is_empty() {
        return Err(Failure::missing("hybrid search: the request has no search"));
    }
    if wire.requests.len() > SEARCHES_MAX {
        let count = wire.requests.len();
        return Err(Failure::parameter(format!("hybrid search: {count} searches, at most {SEARCHES_MAX} are allowed")));
    }
    let read_at = read_at(Guarantee {
        level: wire.consistency_level,
        use_default: wire.use_default_consistency,
        timestamp: wire.guarantee_timestamp,
        iterates: false,
    })?;
    let mut params = Params::new(WHAT, wire.rank_params)?;
    REFUSED.iter().try_for_each(|name| params.refuse(name))?;
    let offset = params.number("offset")?.unwrap_or(0);
    let mut searches = Vec::with_capacity(wire.requests.len());
    for (position, request) in wire.requests.into_iter().enumerate() {
        let converted = search(request)
            .map_err(|failure| Failure::of(failure.code(), format!("hybrid search, request {position}: {failure}")))?;
        if converted.iterator_token.is_some() {
            return Err(Failure::unsupported("hybrid search: an iterator"));
        }
        if !converted.request.partitions.is_empty() && converted.request.partitions != wire.partition_names {
            return Err(Failure::unsupported("hybrid search: partitions of one search alone"));
        }
        if ![0, offset].contains(&converted.request.offset) {
            return Err(Failure::unsupported("hybrid search: an offset of one search alone"));
        }
        // Clients repeat the outer offset in every search; it counts once, after the ranking.
        searches.push(SearchRequest { offset: 0, ..converted.request });
    }
    let limit = params.number("limit")?.ok_or_else(|| Failure::missing("hybrid search: parameter limit is missing"))?;
    let round_decimal = round_decimal(&mut params)?;
    let ranker = match wire.function_score {
        Some(score) => function_ranker(score, searches.len())?,
        None => {
            let strategy = params.text("strategy");
            ranker(strategy.as_deref().unwrap_or("rrf"), &mut params, searches.len())?
        }
    };
    params.finish()?;
    Ok(HybridRequest {
        searches,
        ranker,
        limit,
        offset,
        partitions: wire.partition_names,
        output_fields: wire.output_fields,
        read_at,
        round_decimal,
    })
}

fn ranker(strategy: &str, params: &mut Params, searches: usize) -> Result<Ranker, Failure> {
    match strategy {
        "rrf" => {
            let k: f64 = params.number("k")?.unwrap_or(RRF_K_DEFAULT);
            if !(k > 0.0 && k < RRF_K_END) {
                return Err(Failure::parameter(format!(
                    "{WHAT}: k is {k}, want more than 0 and less than {RRF_K_END}"
                )));
            }
            Ok(Ranker::Rrf { k })
        }
        "weighted" => {
            let weights = weights(&params.text("weights").unwrap_or_default(), searches)?;
            let norm_score = params.flag("norm_score")?;
            Ok(Ranker::Weighted { weights, norm_score })
        }
        other => Err(Failure::unsupported(format!("{WHAT}: the ranker {other:?}"))),
    }
}

fn weights(text: &str, searches: usize) -> Result<Vec<f64>, Failure> {
    let weights: Vec<f64> = serde_json::from_str(text)
        .map_err(|error| Failure::parameter(format!("{WHAT}: weights is {text:?}, want a list of numbers: {error}")))?;
    if weights.len() != searches {
        return Err(Failure::parameter(format!("{WHAT}: {} weights for {searches} searches", weights.len())));
    }
    match weights.iter().find(|weight| !(0.0..=1.0).contains(*weight)) {
        Some(weight) => Err(Failure::parameter(format!("{WHAT}: a weight is {weight}, want 0 to 1"))),
        None => Ok(weights),
    }
}

/// The ranker of a request that says it as a function.
fn function_ranker(score: FunctionScore, searches: usize) -> Result<Ranker, Failure> {
    let mut outer = Params::new(WHAT, score.params)?;
    outer.refuse("boost_mode")?;
    outer.refuse("function_mode")?;
    outer.finish()?;
    let [function] = <[FunctionSchema; 1]>::try_from(score.functions)
        .map_err(|many| Failure::unsupported(format!("{WHAT}: {} ranking functions", many.len())))?;
    if function.r#type != i32::from(FunctionType::Rerank) {
        return Err(Failure::parameter(format!("{WHAT}: function {} is no ranker", function.name)));
    }
    if !function.input_field_names.is_empty() {
        return Err(Failure::unsupported(format!("{WHAT}: a ranker that reads fields")));
    }
    // Both spellings of the ranker's name are in use: `reranker` beside the parameters, `strategy` with the older form.
    let rename = |pair: KeyValuePair| match pair.key.as_str() {
        "reranker" => KeyValuePair { key: "strategy".into(), ..pair },
        _ => pair,
    };
    let mut params = Params::new(WHAT, function.params.into_iter().map(rename).collect())?;
    let strategy =
        params.text("strategy").ok_or_else(|| Failure::missing("hybrid search: parameter reranker is missing"))?;
    let ranker = ranker(&strategy, &mut params, searches)?;
    params.finish()?;
    Ok(ranker)
}

#[cfg(test)]
mod tests;
