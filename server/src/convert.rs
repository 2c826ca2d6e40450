//! Between the protocol's messages and the engine's types.

pub mod data;
pub mod hybrid;
pub mod index;
pub mod params;
pub mod properties;
pub mod query;
pub mod read_at;
pub mod result;
pub mod schema;
pub mod search;
pub mod template;

use crate::proto::common::KeyValuePair;

/// Key-value pairs as the engine takes them.
pub fn pairs(from: Vec<KeyValuePair>) -> Vec<(String, String)> {
    from.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

/// Key-value pairs as clients take them.
pub fn key_values(from: impl IntoIterator<Item = (String, String)>) -> Vec<KeyValuePair> {
    from.into_iter().map(|(key, value)| KeyValuePair { key, value }).collect()
}
