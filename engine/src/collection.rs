//! A collection: the handle through which its data are written and read.

mod index;
mod load;
mod partition;
mod write;

pub use index::{IndexInfo, IndexState};
pub use load::LoadState;
pub use partition::PartitionInfo;
pub use write::{Delete, Deleted, Flushed, Insert, Written};

use crate::catalog::ConsistencyLevel;
use crate::db::Db;
use crate::error::Result;
use crate::inner::{CollectionState, Inner, edit_properties};
use elanus_segment::Schema;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[cfg(test)]
mod tests;

/// A handle on a collection. It stays valid while the collection is renamed; once it is dropped, calls give `NotFound`.
#[derive(Debug, Clone)]
pub struct Collection {
    db: Db,
    state: Arc<CollectionState>,
}

/// What is known of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionInfo {
    /// Identifier.
    pub id: i64,
    /// Name of its database.
    pub database: String,
    /// Identifier of its database.
    pub database_id: i64,
    /// Name.
    pub name: String,
    /// Fields.
    pub schema: Arc<Schema>,
    /// Consistency of reads that ask for none.
    pub consistency: ConsistencyLevel,
    /// Shards as asked for at creation.
    pub shard_count: u32,
    /// Properties as set.
    pub properties: Vec<(String, String)>,
    /// Other names.
    pub aliases: Vec<String>,
    /// When it was made.
    pub created_ts: u64,
    /// When its schema last changed.
    pub update_ts: u64,
    /// Partitions.
    pub partition_count: usize,
}

/// State of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentState {
    /// In memory, takes writes.
    Growing,
    /// In memory, waits to be sealed.
    Sealing,
    /// In files.
    Sealed,
}

/// What is known of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Identifier.
    pub id: i64,
    /// Partition it belongs to.
    pub partition_id: i64,
    /// Rows, deleted ones included.
    pub row_count: u64,
    /// State.
    pub state: SegmentState,
    /// Bytes of its values.
    pub size_bytes: u64,
    /// Names of the indexes that it has.
    pub indexes: Vec<String>,
}

impl Collection {
    pub(crate) fn new(db: Db, state: Arc<CollectionState>) -> Self {
        Self { db, state }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.db.inner
    }

    pub(crate) fn state(&self) -> &CollectionState {
        &self.state
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.inner().check_open()?;
        self.state.check_there()
    }

    /// What is known of it.
    pub fn info(&self) -> CollectionInfo {
        let record = self.state.record();
        let registry = self.inner().registry.read();
        let database = registry.databases.get(&record.database_id).map_or_else(String::new, |one| one.name.clone());
        CollectionInfo {
            id: record.id,
            database,
            database_id: record.database_id,
            name: record.name.clone(),
            schema: Arc::clone(&self.state.schema),
            consistency: record.consistency,
            shard_count: record.shard_count,
            properties: record.properties.clone(),
            aliases: registry.aliases_of(record.id).into_iter().map(|alias| alias.name).collect(),
            created_ts: record.created_ts,
            update_ts: record.update_ts,
            partition_count: record.partitions.len(),
        }
    }

    /// Sets and deletes properties.
    ///
    /// # Errors
    /// `NotFound` if it was dropped.
    pub fn alter(&self, set: Vec<(String, String)>, delete: &[String]) -> Result<()> {
        self.check()?;
        self.state.update(&self.inner().catalog, |record, change| {
            edit_properties(&mut record.properties, set, delete);
            Ok(change)
        })
    }

    /// Rows that are not deleted, exactly.
    pub fn row_count(&self) -> u64 {
        let ts = self.inner().progress.applied_ts.load(Ordering::SeqCst);
        let pinned = self.state.shard.pin(&[], false);
        pinned.iter().map(|one| one.view.count_visible(ts) as u64).sum()
    }

    /// Removes every row; schema, partitions and indexes stay.
    ///
    /// # Errors
    /// `NotFound` if it was dropped.
    pub fn truncate(&self) -> Result<()> {
        self.check()?;
        let state = Arc::clone(&self.state);
        let catalog = self.inner().catalog.clone();
        let oracle = Arc::clone(&self.inner().oracle);
        // On the committer's thread: rows written before are gone, rows written after stay.
        let gone = self.inner().committer.run(move |ts| {
            let _changing = state.changing.lock();
            state.update_locked(&catalog, |record, mut change| {
                for partition in &mut record.partitions {
                    partition.sealed_ts = ts;
                }
                for segment in state.shard.sealed() {
                    change = change.delete_segment(&segment.record.lock());
                }
                Ok(change)
            })?;
            state.cancel_builds(None);
            Ok(state.shard.clear(|| crate::inner::id_from(&oracle)))
        })?;
        let gone = gone?;
        self.inner().jobs.discard(gone.iter().map(|segment| segment.record.lock().clone()));
        Ok(())
    }

    /// Asks for a compaction; `Db::compaction` tells what became of it.
    ///
    /// # Errors
    /// `NotFound` if it was dropped.
    pub fn compact(&self) -> Result<i64> {
        self.check()?;
        let job = self.inner().next_id();
        self.inner().jobs.compact(self.state.id, job);
        Ok(job)
    }

    /// Its segments.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let record = self.state.record();
        let mut list = Vec::new();
        for segment in self.state.shard.sealed() {
            let saved = segment.record.lock();
            let named = |id: i64| record.indexes.iter().find(|one| one.id == id).map(|one| one.name.clone());
            list.push(SegmentInfo {
                id: segment.id,
                partition_id: segment.partition_id,
                row_count: saved.row_count,
                state: SegmentState::Sealed,
                size_bytes: saved.size_bytes,
                indexes: saved.indexes.iter().filter_map(|built| named(built.index_id)).collect(),
            });
        }
        for (segment, sealing) in self.state.shard.growing() {
            list.push(SegmentInfo {
                id: segment.id,
                partition_id: segment.partition_id,
                row_count: segment.data.len() as u64,
                state: if sealing { SegmentState::Sealing } else { SegmentState::Growing },
                size_bytes: segment.data.size_bytes() as u64,
                indexes: Vec::new(),
            });
        }
        list
    }
}
