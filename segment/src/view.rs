//! A pinned state of one segment: its blocks, its deletes and its indexes at one moment.

use crate::block::Block;
use crate::key::{KeyRef, Keys};
use crate::tombstone::Tombstones;
use elanus_index::Index;
use elanus_kernels::Bitmap;
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The rows that have a primary key, whatever their state.
pub(crate) trait KeyRows: Send + Sync + Debug {
    /// Visits them from the newest to the oldest until told to stop. Rows that came after a view was pinned may be
    /// among them.
    fn visit(&self, key: KeyRef<'_>, visit: &mut dyn FnMut(u32) -> ControlFlow<()>);
}

/// A segment as it was at one moment; cloning copies a few pointers.
///
/// Row ids run from 0 through all blocks, and timestamps of inserts never fall, so the rows that a read at some time
/// may see are a prefix less the deleted ones.
#[derive(Debug, Clone)]
pub struct View {
    pub(crate) blocks: Arc<Vec<Arc<dyn Block>>>,
    pub(crate) rows: usize,
    pub(crate) tombstones: Arc<Tombstones>,
    pub(crate) indexes: Arc<Vec<Option<Arc<dyn Index>>>>,
    pub(crate) keys: Arc<dyn KeyRows>,
}

impl View {
    /// The blocks, by row id.
    pub fn blocks(&self) -> &[Arc<dyn Block>] {
        &self.blocks
    }

    /// The deletes.
    pub fn tombstones(&self) -> &Arc<Tombstones> {
        &self.tombstones
    }

    /// The index of the field at that position of the schema, if there is one.
    pub fn index(&self, position: usize) -> Option<&Arc<dyn Index>> {
        self.indexes.get(position)?.as_ref()
    }

    /// Rows, deleted ones included.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many rows were inserted at or before that time; they are the first ones.
    pub fn rows_until(&self, ts: u64) -> usize {
        let whole = self.blocks.partition_point(|block| block.timestamps().last().is_none_or(|&last| last <= ts));
        self.blocks.get(whole).map_or(self.rows, |block| block.start() as usize + block.rows_until(ts))
    }

    /// Which rows a read at that time sees: inserted at or before it, and not deleted by then. `None`: all of them.
    pub fn visible(&self, ts: u64) -> Option<Bitmap> {
        let inserted = self.rows_until(ts);
        if inserted == self.rows {
            return self.tombstones.visible(ts, self.rows);
        }
        let mut words = Bitmap::full(inserted).words().to_vec();
        self.tombstones.clear_deleted(ts, &mut words);
        words.resize(self.rows.div_ceil(u64::BITS as usize), 0);
        Some(Bitmap::from_words(words, self.rows))
    }

    /// How many rows a read at that time sees.
    pub fn count_visible(&self, ts: u64) -> usize {
        // A row is deleted after it was inserted, so every row deleted by then was inserted by then.
        self.rows_until(ts).saturating_sub(self.tombstones.deleted_count_at(ts))
    }

    /// The block that holds a row, and the row's place in it.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn block_of(&self, row: u32) -> (&dyn Block, usize) {
        assert!((row as usize) < self.rows, "row {row} of {}", self.rows);
        // Several blocks may begin at one row if all but the last of them are empty.
        let after = self.blocks.partition_point(|block| block.start() <= row);
        let block = &self.blocks[after - 1];
        (&**block, (row - block.start()) as usize)
    }

    /// When a row was inserted.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn timestamp(&self, row: u32) -> u64 {
        let (block, place) = self.block_of(row);
        block.timestamps()[place]
    }

    /// The rows with that primary key that a read at that time sees, newest first; several only if a key was inserted
    /// again without deleting it.
    pub fn lookup(&self, key: KeyRef<'_>, ts: u64) -> Vec<u32> {
        let mut found = Vec::new();
        self.visit_visible(key, ts, |row| {
            found.push(row);
            ControlFlow::Continue(())
        });
        found
    }

    /// The newest row with that primary key that a read at that time sees.
    pub fn lookup_newest(&self, key: KeyRef<'_>, ts: u64) -> Option<u32> {
        let mut found = None;
        self.visit_visible(key, ts, |row| {
            found = Some(row);
            ControlFlow::Break(())
        });
        found
    }

    fn visit_visible(&self, key: KeyRef<'_>, ts: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        self.keys.visit(key, &mut |row| {
            if row as usize >= self.rows || self.timestamp(row) > ts {
                return ControlFlow::Continue(());
            }
            // A delete hits all rows of its key that are older than it: behind a deleted row there are only deleted
            // ones. This keeps reads of a key that is written over and over from walking its whole past.
            if self.tombstones.is_deleted(row, ts) { ControlFlow::Break(()) } else { visit(row) }
        });
    }

    /// The deletes after one more: of every row with one of the keys that was inserted before `ts` and is not deleted
    /// yet. Also says how many rows that are.
    pub(crate) fn after_delete(&self, keys: &Keys, ts: u64) -> (Arc<Tombstones>, usize) {
        let mut tombstones = Arc::clone(&self.tombstones);
        let mut count = 0;
        for key in keys.iter() {
            self.keys.visit(key, &mut |row| {
                if row as usize >= self.rows || self.timestamp(row) >= ts {
                    return ControlFlow::Continue(());
                }
                if tombstones.get(row).is_some() {
                    return ControlFlow::Break(());
                }
                Arc::make_mut(&mut tombstones).delete(row, ts);
                count += 1;
                ControlFlow::Continue(())
            });
        }
        (tombstones, count)
    }
}
