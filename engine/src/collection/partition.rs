//! Partitions of a collection.

use super::Collection;
use crate::catalog::{DEFAULT_PARTITION, PartitionRecord};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::inner::check_name;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is known of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Identifier.
    pub id: i64,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created_ts: u64,
    /// Rows that are not deleted.
    pub row_count: u64,
}

impl Collection {
    /// Makes a partition; one that is there is no error.
    ///
    /// # Errors
    /// A bad name, too many partitions.
    pub fn create_partition(&self, name: &str) -> Result<()> {
        self.check()?;
        check_name(Subject::Partition, "partition", name)?;
        let inner = self.inner();
        let ts = inner.oracle.next();
        let id = inner.next_id();
        let _changing = self.state.changing.lock();
        if self.has_partition(name) {
            return Ok(());
        }
        // There before its name is: a write that finds the name finds the partition.
        self.state.shard.add_partition(id, inner.next_id(), Vec::new());
        let added = self.state.update_locked(&inner.catalog, |record, change| {
            if record.partitions.len() >= inner.settings.partitions_max {
                let text = format!("{} partitions, no more are allowed", record.partitions.len());
                return Err(Error::new(ErrorKind::Exhausted, Subject::Partition, text));
            }
            let name = name.to_owned();
            record.partitions.push(PartitionRecord { id, name, created_ts: ts, sealed_ts: 0, purged_ts: 0 });
            Ok(change)
        });
        if added.is_err() {
            self.state.shard.remove_partition(id);
        }
        added
    }

    /// Drops a partition with its rows; one that is not there is no error.
    ///
    /// # Errors
    /// The default partition stays; a loaded one must be released first.
    pub fn drop_partition(&self, name: &str) -> Result<()> {
        self.check()?;
        if name == DEFAULT_PARTITION {
            return Err(Error::invalid(Subject::Partition, "the default partition cannot be dropped"));
        }
        let state = Arc::clone(&self.state);
        let Some(id) = state.record().partitions.iter().find(|one| one.name == name).map(|one| one.id) else {
            return Ok(());
        };
        if state.record().loaded.as_ref().is_some_and(|loaded| loaded.is_empty() || loaded.contains(&id)) {
            let text = format!("partition {name} is loaded: release it before it is dropped");
            return Err(Error::new(ErrorKind::Conflict, Subject::Partition, text));
        }
        let catalog = self.inner().catalog.clone();
        // On the committer's thread, so that no write is between the log and memory.
        let gone = self.inner().committer.run(move |_ts| {
            let _changing = state.changing.lock();
            state.update_locked(&catalog, |record, mut change| {
                record.partitions.retain(|one| one.id != id);
                for segment in state.shard.sealed().iter().filter(|one| one.partition_id == id) {
                    change = change.delete_segment(&segment.record.lock());
                }
                Ok(change)
            })?;
            Ok(state.shard.remove_partition(id))
        })?;
        let gone = gone?;
        self.inner().jobs.discard(gone.iter().map(|segment| segment.record.lock().clone()));
        Ok(())
    }

    /// Whether there is a partition of that name.
    pub fn has_partition(&self, name: &str) -> bool {
        self.state.record().partitions.iter().any(|one| one.name == name)
    }

    /// Every partition, by age.
    pub fn partitions(&self) -> Vec<PartitionInfo> {
        let ts = self.inner().progress.applied_ts.load(Ordering::SeqCst);
        let record = self.state.record();
        let info = |one: &PartitionRecord| PartitionInfo {
            id: one.id,
            name: one.name.clone(),
            created_ts: one.created_ts,
            row_count: self.state.shard.pin(&[one.id], false).iter().map(|one| one.view.count_visible(ts) as u64).sum(),
        };
        record.partitions.iter().map(info).collect()
    }

    /// The identifiers of partitions by name.
    pub(crate) fn partition_ids(&self, names: &[String]) -> Result<Vec<i64>> {
        let record = self.state.record();
        let find = |name: &String| {
            let hit = record.partitions.iter().find(|one| one.name == *name);
            hit.map(|one| one.id).ok_or_else(|| {
                let text = format!("partition not found: {name} in collection {}", record.name);
                Error::not_found(Subject::Partition, text)
            })
        };
        names.iter().map(find).collect()
    }
}
