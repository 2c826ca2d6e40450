//! Insert, upsert, delete and flush.

use super::Collection;
use crate::catalog::DEFAULT_PARTITION;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::expr::Templates;
use crate::inner::id_from;
use crate::read::{QueryRequest, ReadAt};
use crate::validate;
use crate::write_record::{ALL_PARTITIONS, Write};
use elanus_segment::{Batch, Column, Keys};
use std::sync::Arc;
use std::time::Duration;

/// How long a write waits for room among the segments that wait to be sealed, and how often.
const ROOM_WAIT: Duration = Duration::from_secs(1);
const ROOM_TRIES: usize = 30;

/// Rows to insert or upsert.
#[derive(Debug, Clone, Default)]
pub struct Insert {
    /// Partition; the default one if `None`.
    pub partition: Option<String>,
    /// Columns by field name, in any order. A clear validity bit is NULL, or the field's default. Fields with a
    /// default, nullable ones, the dynamic one and keys that the database makes may be absent.
    pub columns: Vec<(String, Column)>,
    /// Rows.
    pub row_count: usize,
    /// `CollectionInfo::update_ts` of the schema that the columns were made for; 0: not known.
    pub schema_ts: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Primary keys of the rows, in their order.
    pub keys: Keys,
    /// Rows.
    pub count: u64,
    /// When they became visible.
    pub ts: u64,
}

/// What to delete.
#[derive(Debug, Clone, Default)]
pub struct Delete {
    /// Rows for which it is true go.
    pub filter: String,
    /// Values of the filter's templates.
    pub templates: Templates,
    /// Partition; all of them if `None`.
    pub partition: Option<String>,
    /// What the filter must have seen.
    pub read_at: ReadAt,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Rows.
    pub count: u64,
    /// When they became invisible.
    pub ts: u64,
}

/// What a flush set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flushed {
    /// Segments that will be sealed.
    pub segments: Vec<i64>,
    /// Every write before it is in a segment once they are.
    pub ts: u64,
}

impl Collection {
    /// Inserts rows; they are durable and visible when it returns. Keys are not checked against those that exist.
    ///
    /// # Errors
    /// Names the field (and row) that does not fit the schema.
    pub fn insert(&self, request: Insert) -> Result<Written> {
        let partition = self.check_write(&request)?;
        let oracle = &self.inner().oracle;
        let limit = self.inner().settings.write_bytes_max;
        let (batch, keys) =
            validate::rows(&self.state.schema, request, validate::KeyRule::Make, limit, |count| oracle.reserve(count))?;
        self.check_size(&batch)?;
        let count = batch.len() as u64;
        if count == 0 {
            return Ok(Written { keys, count, ts: oracle.next() });
        }
        let ts = self.commit(partition, Write::Insert(batch))?.ts;
        Ok(Written { keys, count, ts })
    }

    /// Replaces the rows that have the given keys, and inserts those that are new, in one step.
    ///
    /// If the database makes the keys, the given ones say which rows go, and the new rows get new keys.
    ///
    /// # Errors
    /// Names the field (and row) that does not fit the schema; a key that stands twice is refused.
    pub fn upsert(&self, request: Insert) -> Result<Written> {
        let partition = self.check_write(&request)?;
        let oracle = &self.inner().oracle;
        let limit = self.inner().settings.write_bytes_max;
        let old = validate::given_keys(&self.state.schema, &request)?;
        let rule = validate::KeyRule::Replace;
        let (batch, keys) = validate::rows(&self.state.schema, request, rule, limit, |count| oracle.reserve(count))?;
        self.check_size(&batch)?;
        let count = batch.len() as u64;
        if count == 0 {
            return Ok(Written { keys, count, ts: oracle.next() });
        }
        let ts = self.commit(partition, Write::Upsert(old, batch))?.ts;
        Ok(Written { keys, count, ts })
    }

    /// Deletes the rows for which a filter is true; reads that begin after it returned do not see them.
    ///
    /// # Errors
    /// An empty or bad filter; `NotFound` for the partition.
    pub fn delete(&self, request: &Delete) -> Result<Deleted> {
        self.check()?;
        if request.filter.trim().is_empty() {
            return Err(Error::invalid(Subject::Expression, "delete needs a filter expression"));
        }
        let partition = match &request.partition {
            Some(name) => Some(self.partition_ids(std::slice::from_ref(name))?[0]),
            None => None,
        };
        let keys = self.keys_of(&QueryRequest {
            filter: request.filter.clone(),
            templates: request.templates.clone(),
            partitions: request.partition.iter().cloned().collect(),
            read_at: request.read_at,
            ..QueryRequest::default()
        })?;
        if keys.is_empty() {
            return Ok(Deleted { count: 0, ts: self.inner().oracle.next() });
        }
        let applied = self.commit(partition.unwrap_or(ALL_PARTITIONS), Write::Delete(keys))?;
        Ok(Deleted { count: applied.deleted, ts: applied.ts })
    }

    /// Sets growing rows aside to be sealed in the background.
    ///
    /// # Errors
    /// `NotFound` if it was dropped.
    pub fn flush(&self) -> Result<Flushed> {
        self.check()?;
        let shard = Arc::clone(&self.state.shard);
        let oracle = Arc::clone(&self.inner().oracle);
        let (segments, ts) = self.inner().committer.run(move |ts| (shard.rotate(None, || id_from(&oracle)), ts))?;
        self.inner().jobs.wake();
        Ok(Flushed { segments, ts })
    }

    /// Sets growing rows aside if there are more than that.
    pub(crate) fn rotate_if_larger_than(&self, rows: usize) -> Result<()> {
        let growing = self.state.shard.growing();
        if growing.iter().filter(|(_, sealing)| !sealing).map(|(one, _)| one.data.len()).sum::<usize>() > rows {
            self.flush()?;
        }
        Ok(())
    }

    /// Whether none of those segments waits to be sealed.
    pub fn is_flushed(&self, segments: &[i64]) -> bool {
        !self.state.shard.growing().iter().any(|(one, sealing)| *sealing && segments.contains(&one.id))
    }

    fn commit(&self, partition: i64, write: Write) -> Result<crate::commit::Applied> {
        self.wait_for_room()?;
        self.inner().committer.write(&self.state.shard, self.state.id, partition, write)
    }

    /// Holds writes back while sealing does not keep up with them.
    fn wait_for_room(&self) -> Result<()> {
        for _ in 0..ROOM_TRIES {
            if self.state.shard.has_room_within(ROOM_WAIT) {
                return Ok(());
            }
            self.check()?;
        }
        let backlog = self.inner().settings.sealing_backlog;
        if self.inner().jobs.sealing_fails() {
            let text = format!("more than {backlog} segments cannot be sealed: is the disk full? the log says why");
            return Err(Error::new(ErrorKind::Exhausted, Subject::Disk, text));
        }
        let text = format!("more than {backlog} segments wait to be sealed: write more slowly");
        Err(Error::new(ErrorKind::Exhausted, Subject::Request, text))
    }

    fn check_write(&self, request: &Insert) -> Result<i64> {
        self.check()?;
        let record = self.state.record();
        if request.schema_ts != 0 && request.schema_ts < record.update_ts {
            let text = format!("the schema of collection {} changed: describe it again", record.name);
            return Err(Error::new(ErrorKind::Conflict, Subject::Schema, text));
        }
        let name = request.partition.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_PARTITION);
        Ok(self.partition_ids(&[name.to_owned()])?[0])
    }

    fn check_size(&self, batch: &Batch) -> Result<()> {
        let limit = self.inner().settings.write_bytes_max;
        if batch.size_bytes() > limit {
            let text = format!("a write of {} bytes is larger than {limit}: split it", batch.size_bytes());
            return Err(Error::invalid(Subject::Request, text));
        }
        Ok(())
    }
}
