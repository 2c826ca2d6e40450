//! The catalog: what databases, collections, partitions, indexes and segments there are, as records in `Meta`.

mod record;
mod store;

pub use record::ConsistencyLevel;
pub(crate) use record::{
    AliasRecord, CollectionRecord, DatabaseRecord, IndexRecord, PartitionRecord, SegmentIndex, SegmentRecord,
};
pub(crate) use store::{Catalog, Change, Loaded};

/// Name of the database that is always there.
pub const DEFAULT_DATABASE: &str = "default";
/// Name of the partition that every collection has.
pub const DEFAULT_PARTITION: &str = "_default";
