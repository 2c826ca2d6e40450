//! The catalog's records, stored as JSON.

use elanus_segment::Schema;
use serde::{Deserialize, Serialize};

/// What a read must have seen when nothing else is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConsistencyLevel {
    /// Every write acknowledged before the read began.
    Strong,
    /// The caller's own writes.
    Session,
    /// Every write older than the graceful time.
    Bounded,
    /// Whatever is there.
    Eventually,
    /// Every write up to a timestamp that the request gives.
    Customized,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DatabaseRecord {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) created_ts: u64,
    pub(crate) properties: Vec<(String, String)>,
}

/// A collection with its partitions and index definitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CollectionRecord {
    pub(crate) id: i64,
    pub(crate) database_id: i64,
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) consistency: ConsistencyLevel,
    pub(crate) shard_count: u32,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) created_ts: u64,
    /// Changes with the schema; clients send it back with their writes.
    pub(crate) update_ts: u64,
    pub(crate) partitions: Vec<PartitionRecord>,
    pub(crate) indexes: Vec<IndexRecord>,
    /// Names of the loaded partitions; `None`: not loaded.
    pub(crate) loaded: Option<Vec<i64>>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PartitionRecord {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) created_ts: u64,
    /// Rows inserted up to this timestamp are in sealed segments (or gone); the log's are skipped.
    pub(crate) sealed_ts: u64,
    /// Rows deleted until then may be gone for good.
    #[serde(default)]
    pub(crate) purged_ts: u64,
}

/// An index definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexRecord {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) field_id: i64,
    pub(crate) index_type: String,
    /// Metric name of a vector index, else empty.
    pub(crate) metric: String,
    /// Every parameter as given, to be reported back.
    pub(crate) params: Vec<(String, String)>,
    pub(crate) created_ts: u64,
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AliasRecord {
    pub(crate) database_id: i64,
    pub(crate) name: String,
    pub(crate) collection_id: i64,
}

/// A sealed segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentRecord {
    pub(crate) id: i64,
    pub(crate) collection_id: i64,
    pub(crate) partition_id: i64,
    /// Object that holds the columns.
    pub(crate) data: String,
    pub(crate) row_count: u64,
    pub(crate) size_bytes: u64,
    pub(crate) last_ts: u64,
    /// Object that holds the tombstones, if any row is deleted.
    pub(crate) tombstones: Option<String>,
    /// The tombstones hold every delete up to this timestamp; the log's are skipped.
    #[serde(default)]
    pub(crate) deletes_ts: u64,
    pub(crate) indexes: Vec<SegmentIndex>,
}

/// A built index of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentIndex {
    pub(crate) index_id: i64,
    pub(crate) object: String,
    pub(crate) size_bytes: u64,
    /// crc32c of the object.
    pub(crate) checksum: u32,
}
