//! Properties of databases and collections.

use crate::convert::pairs;
use crate::convert::params::boolean;
use crate::proto::common::KeyValuePair;
use crate::status::Failure;

/// Property of a database: most collections that it may have.
pub const COLLECTIONS_MAX: &str = "database.max.collections";

/// Properties that change what the server does in Milvus and are not supported; false and 0 leave them off.
const REFUSED: [&str; 10] = [
    "collection.ttl.seconds",
    "ttl_field",
    "partitionkey.isolation",
    "dynamicfield.enabled",
    "allow_insert_auto_id",
    "database.diskQuota.mb",
    "database.force.deny.writing",
    "database.force.deny.reading",
    "database.resource_groups",
    "collection.resource_groups",
];
/// Copies of the data; there is always one.
const REPLICAS: [&str; 2] = ["collection.replica.number", "database.replica.number"];

/// Properties of a collection or database. Those without a meaning in Milvus are the user's and are kept.
///
/// # Errors
/// A key that stands twice or is empty, or a property that is not supported.
pub fn properties(from: Vec<KeyValuePair>) -> Result<Vec<(String, String)>, Failure> {
    let pairs = pairs(from);
    for (position, (key, value)) in pairs.iter().enumerate() {
        if key.is_empty() || pairs[..position].iter().any(|(before, _)| before == key) {
            return Err(Failure::parameter(format!("property {key:?} is empty or stands twice")));
        }
        check(key, value)?;
    }
    Ok(pairs)
}

fn check(key: &str, value: &str) -> Result<(), Failure> {
    let is_rate = key.starts_with("collection.") && key.contains("Rate.");
    let is_off = value.is_empty() || boolean(value) == Some(false);
    if (REFUSED.contains(&key) || is_rate) && !is_off {
        return Err(Failure::unsupported(format!("property {key}")));
    }
    if REPLICAS.contains(&key) && !["0", "1"].contains(&value) {
        return Err(Failure::unsupported(format!("property {key} of {value}")));
    }
    if key == COLLECTIONS_MAX {
        collections_max(value)?;
    }
    Ok(())
}

/// The number that `database.max.collections` says.
///
/// # Errors
/// If it is none.
pub fn collections_max(value: &str) -> Result<usize, Failure> {
    let reason = |_| Failure::parameter(format!("property {COLLECTIONS_MAX} is {value:?}, want a whole number"));
    value.trim().parse().map_err(reason)
}

#[cfg(test)]
mod tests;
