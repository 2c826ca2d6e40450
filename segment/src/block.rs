//! A run of consecutive rows with their columns in one place.

use crate::column::{Batch, Column, ColumnView};
use std::fmt::Debug;

/// Consecutive rows of a segment: a chunk in memory, or a sealed file, which is one block.
pub trait Block: Send + Sync + Debug {
    /// Row id of the first row.
    fn start(&self) -> u32;

    /// Rows.
    fn len(&self) -> usize {
        self.timestamps().len()
    }

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When each row was inserted; never falling.
    fn timestamps(&self) -> &[u64];

    /// Column of the field at that position of the schema.
    ///
    /// # Panics
    /// If the schema has no such field.
    fn column(&self, position: usize) -> ColumnView<'_>;

    /// How many rows were inserted at or before that time; they come first.
    fn rows_until(&self, ts: u64) -> usize {
        let times = self.timestamps();
        // Most reads are of the newest state.
        if times.last().is_none_or(|&last| last <= ts) { times.len() } else { times.partition_point(|&at| at <= ts) }
    }
}

/// Rows in memory that no longer change.
#[derive(Debug)]
pub(crate) struct Chunk {
    start: u32,
    timestamps: Vec<u64>,
    batch: Batch,
}

impl Chunk {
    /// Rows that were all inserted at one time.
    pub(crate) fn new(start: u32, batch: Batch, ts: u64) -> Self {
        Self { start, timestamps: vec![ts; batch.len()], batch }
    }

    /// The rows of neighbours.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn joined(parts: &[&Self]) -> Self {
        let mut batch = parts[0].batch.clone();
        parts[1..].iter().for_each(|part| batch.append(&part.batch));
        let timestamps = parts.iter().flat_map(|part| part.timestamps.iter().copied()).collect();
        Self { start: parts[0].start, timestamps, batch }
    }
}

impl Block for Chunk {
    fn start(&self) -> u32 {
        self.start
    }

    fn timestamps(&self) -> &[u64] {
        &self.timestamps
    }

    fn column(&self, position: usize) -> ColumnView<'_> {
        self.batch.columns().get(position).map(Column::view).expect("the schema has a field at this position")
    }
}
