//! A growing segment: rows in memory, readable while others are appended.
//!
//! Rows lie in chunks that never change. Appending makes a chunk and joins it with its neighbours as a binary counter
//! carries: a chunk is copied only into one at least half again as large, so each row is copied a logarithmic number of
//! times, and a reader has few chunks to go through. A reader takes a list of pointers and never waits for a copy.

use crate::block::{Block, Chunk};
use crate::column::{Batch, Column};
use crate::key::map::KeyMap;
use crate::key::{KeyColumn, KeyRef, Keys};
use crate::schema::{DataType, Schema};
use crate::view::{KeyRows, View};
use parking_lot::{Mutex, RwLock};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Chunks of up to this many rows are joined.
const CHUNK_ROWS_MAX: usize = 8192;
/// Keys added between two chances for a lookup.
const KEYS_PER_LOCK: usize = 1024;

/// Rows in memory. One writer at a time works, others wait; readers do not.
#[derive(Debug)]
pub struct Growing {
    schema: Arc<Schema>,
    primary: usize,
    keys: Arc<RwLock<KeyMap>>,
    writer: Mutex<Writer>,
    published: RwLock<View>,
}

#[derive(Debug, Default)]
struct Writer {
    chunks: Vec<Arc<Chunk>>,
    size_bytes: usize,
    last_timestamp: u64,
}

impl KeyRows for RwLock<KeyMap> {
    fn visit(&self, key: KeyRef<'_>, visit: &mut dyn FnMut(u32) -> ControlFlow<()>) {
        let keys = self.read();
        let _ = keys.rows(key).try_for_each(visit);
    }
}

impl Growing {
    /// No row.
    pub fn new(schema: Arc<Schema>) -> Self {
        let keys = Arc::new(RwLock::new(KeyMap::new(schema.primary().data_type == DataType::Int64)));
        let view = View {
            blocks: Arc::default(),
            rows: 0,
            tombstones: Arc::default(),
            indexes: Arc::default(),
            keys: Arc::clone(&keys) as Arc<dyn KeyRows>,
        };
        let primary = schema.primary_position();
        Self { schema, primary, keys, writer: Mutex::default(), published: RwLock::new(view) }
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Appends rows that were inserted at that time and returns their ids.
    ///
    /// # Panics
    /// If the batch is of another schema, the time is before that of an earlier append, or there would be more than
    /// 2^32 - 1 rows.
    pub fn append(&self, batch: Batch, ts: u64) -> Range<u32> {
        self.check(&batch);
        let mut writer = self.writer.lock();
        assert!(ts >= writer.last_timestamp, "append at {ts} after {}", writer.last_timestamp);
        let start = u32::try_from(self.published.read().rows).expect("rows are counted in 32 bits");
        let end = u32::try_from(start as usize + batch.len()).expect("a growing segment has fewer than 2^32 rows");
        if batch.is_empty() {
            return start..start;
        }
        writer.last_timestamp = ts;
        writer.size_bytes += batch.size_bytes() + batch.len() * size_of::<u64>();
        // Rows may have keys before they are published: a view skips rows that it does not have.
        self.add_keys(&batch.columns()[self.primary], start);
        let joined = writer.push(Chunk::new(start, batch, ts));
        let kept = writer.chunks.len() - 1;
        let block = Arc::clone(&writer.chunks[kept]) as Arc<dyn Block>;
        {
            let mut view = self.published.write();
            let blocks = Arc::make_mut(&mut view.blocks);
            blocks.truncate(kept);
            blocks.push(block);
            view.rows = end as usize;
        }
        // The old chunks are freed here, where no reader waits.
        drop(joined);
        start..end
    }

    fn check(&self, batch: &Batch) {
        assert_eq!(batch.columns().len(), self.schema.fields.len(), "columns of a batch of another schema");
        for (field, column) in self.schema.fields.iter().zip(batch.columns()) {
            let view = column.view();
            assert_eq!(view.data_type(), field.data_type, "type of field {} in a batch of another schema", field.name);
            let dim = view.vectors().map_or(0, |rows| rows.dim());
            assert_eq!(dim, field.dim as usize, "dim of field {} in a batch of another schema", field.name);
        }
    }

    fn add_keys(&self, column: &Column, start: u32) {
        let column = KeyColumn::of(column.view()).expect("the batch was checked, and the schema has a primary key");
        for first in (0..column.len()).step_by(KEYS_PER_LOCK) {
            self.keys.write().add(column, first..(first + KEYS_PER_LOCK).min(column.len()), start);
        }
    }

    /// Marks rows with one of the keys that were inserted before that time, and are not deleted yet, as deleted at it.
    /// Returns how many. Keys of another type than the primary key's match no row.
    pub fn delete(&self, keys: &Keys, ts: u64) -> usize {
        let _writer = self.writer.lock();
        let (tombstones, count) = self.view().after_delete(keys, ts);
        if count > 0 {
            self.published.write().tombstones = tombstones;
        }
        count
    }

    /// The newest row with that primary key that a read at that time sees.
    pub fn lookup(&self, key: KeyRef<'_>, ts: u64) -> Option<u32> {
        self.view().lookup_newest(key, ts)
    }

    /// The state of now.
    pub fn view(&self) -> View {
        self.published.read().clone()
    }

    /// Rows, deleted ones included.
    pub fn len(&self) -> usize {
        self.published.read().rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory, about.
    pub fn size_bytes(&self) -> usize {
        let rows = self.writer.lock().size_bytes;
        rows + self.keys.read().size_bytes() + self.published.read().tombstones.size_bytes()
    }

    /// When the first row was inserted.
    pub fn first_timestamp(&self) -> Option<u64> {
        self.published.read().blocks.first()?.timestamps().first().copied()
    }

    /// When the last row was inserted.
    pub fn last_timestamp(&self) -> Option<u64> {
        self.published.read().blocks.last()?.timestamps().last().copied()
    }
}

impl Writer {
    /// Adds a chunk, joined with those before it that are not much larger. Returns the chunks that it replaces.
    fn push(&mut self, chunk: Chunk) -> Vec<Arc<Chunk>> {
        let mut total = chunk.len();
        let mut first = self.chunks.len();
        while let Some(before) = first.checked_sub(1).map(|at| self.chunks[at].len())
            && before < 2 * total
            && before + total <= CHUNK_ROWS_MAX
        {
            total += before;
            first -= 1;
        }
        let replaced = self.chunks.split_off(first);
        let parts: Vec<&Chunk> = replaced.iter().map(|chunk| &**chunk).chain([&chunk]).collect();
        let joined = if replaced.is_empty() { chunk } else { Chunk::joined(&parts) };
        self.chunks.push(Arc::new(joined));
        replaced
    }
}

#[cfg(test)]
mod tests;
