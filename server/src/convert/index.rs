//! Indexes: parameters as they come and as they are told.

use crate::convert::key_values;
use crate::convert::params::Params;
use crate::proto::common::{IndexState as WireState, KeyValuePair};
use crate::proto::milvus::IndexDescription;
use crate::status::Failure;
use elanus::{IndexInfo, IndexState};
use serde_json::{Map, Value};

/// Parameters that say what is built, beside those of how.
const OUTER: [&str; 2] = ["index_type", "metric_type"];

/// Parameters of an index, those of the nested object merged with the others.
///
/// # Errors
/// A nested object that is none, or a name that stands twice with different values.
pub fn params(from: Vec<KeyValuePair>) -> Result<Vec<(String, String)>, Failure> {
    Ok(Params::new("create index", from)?.rest())
}

/// An index as clients are told of it: each parameter by itself, and those of the build once more as one object,
/// since some clients read the one and some the other.
pub fn description(info: IndexInfo) -> IndexDescription {
    let build: Map<String, Value> = info
        .params
        .iter()
        .filter(|(name, _)| !OUTER.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let device = info.device.map(|device| ("device".to_owned(), device));
    let nested = (!build.is_empty()).then(|| ("params".to_owned(), Value::Object(build).to_string()));
    IndexDescription {
        index_name: info.name,
        index_id: info.id,
        params: key_values(info.params.into_iter().chain(nested).chain(device)),
        field_name: info.field,
        indexed_rows: count(info.indexed_rows),
        total_rows: count(info.total_rows),
        state: state(info.state).into(),
        index_state_fail_reason: info.failure,
        pending_index_rows: count(info.pending_rows),
        ..IndexDescription::default()
    }
}

/// A count as the protocol has it.
pub fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The state of a build.
pub fn state(state: IndexState) -> WireState {
    match state {
        IndexState::InProgress => WireState::InProgress,
        IndexState::Finished => WireState::Finished,
        IndexState::Failed => WireState::Failed,
    }
}

#[cfg(test)]
mod tests;
