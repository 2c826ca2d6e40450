//! Loading and releasing. Data are mapped whether loaded or not; the state says what may be searched.

use super::Collection;
use crate::error::{Error, ErrorKind, Result, Subject};

/// Whether a collection can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadState {
    /// It cannot: it was not loaded, or released.
    NotLoad,
    /// It can.
    Loaded,
}

impl Collection {
    /// Loads the collection, or some of its partitions.
    ///
    /// # Errors
    /// `NotFound` for a partition, or for the index of a vector field that has none.
    pub fn load(&self, partitions: &[String]) -> Result<()> {
        self.check()?;
        let ids = self.partition_ids(partitions)?;
        self.state.update(&self.inner().catalog, |record, change| {
            for (_, field) in record.schema.vectors() {
                if !record.indexes.iter().any(|index| index.field_id == field.id) {
                    let text =
                        format!("there is no vector index on field: [{}], please create index firstly", field.name);
                    return Err(Error::not_found(Subject::Index, text));
                }
            }
            record.loaded = match record.loaded.take() {
                _ if ids.is_empty() => Some(Vec::new()),
                Some(loaded) if loaded.is_empty() => Some(loaded),
                Some(mut loaded) => {
                    loaded.extend(ids.iter().copied().filter(|id| !loaded.contains(id)).collect::<Vec<_>>());
                    Some(loaded)
                }
                None => Some(ids),
            };
            Ok(change)
        })
    }

    /// Releases the collection, or some of its partitions.
    ///
    /// # Errors
    /// `NotFound` for a partition.
    pub fn release(&self, partitions: &[String]) -> Result<()> {
        self.check()?;
        let ids = self.partition_ids(partitions)?;
        self.state.update(&self.inner().catalog, |record, change| {
            record.loaded = match record.loaded.take() {
                Some(loaded) if !ids.is_empty() => {
                    let all = record.partitions.iter().map(|one| one.id);
                    let was = if loaded.is_empty() { all.collect() } else { loaded };
                    let left: Vec<i64> = was.into_iter().filter(|id| !ids.contains(id)).collect();
                    (!left.is_empty()).then_some(left)
                }
                Some(_) | None => None,
            };
            Ok(change)
        })
    }

    /// Whether the collection (those partitions, if any are named) can be searched.
    ///
    /// # Errors
    /// `NotFound` for a partition.
    pub fn load_state(&self, partitions: &[String]) -> Result<LoadState> {
        self.check()?;
        let ids = self.partition_ids(partitions)?;
        let loaded = match &self.state.record().loaded {
            None => false,
            Some(loaded) => loaded.is_empty() || ids.iter().all(|id| loaded.contains(id)),
        };
        Ok(if loaded { LoadState::Loaded } else { LoadState::NotLoad })
    }

    /// The partitions that a read of `names` (of all, if empty) covers; an empty answer means all.
    pub(crate) fn readable(&self, names: &[String]) -> Result<Vec<i64>> {
        let ids = self.partition_ids(names)?;
        let record = self.state.record();
        let Some(loaded) = &record.loaded else {
            let text = format!("collection not loaded: {}; load it before searching", record.name);
            return Err(Error::invalid(Subject::NotLoaded, text));
        };
        if loaded.is_empty() {
            return Ok(ids);
        }
        if let Some(position) = ids.iter().position(|id| !loaded.contains(id)) {
            let text = format!("partition not loaded: {} of collection {}", names[position], record.name);
            return Err(Error::new(ErrorKind::InvalidArgument, Subject::NotLoaded, text));
        }
        Ok(if ids.is_empty() { loaded.clone() } else { ids })
    }
}
