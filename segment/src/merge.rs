//! Several segments into one file: rows by time of insertion, without those that nobody can see any more.

use crate::block::Block;
use crate::error::SealError;
use crate::schema::Schema;
use crate::seal::{Run, SealStats, Source};
use crate::tombstone::Tombstones;
use crate::view::View;
use elanus_kernels::Bitmap;
use std::io::Write;
use std::sync::Arc;

/// What was written, and where each row went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Of the new file.
    pub stats: SealStats,
    /// The deletes after the horizon that the views had, on the rows of the new file.
    pub tombstones: Tombstones,
    /// For each view, the new row of each row; `DROPPED` if it has none.
    rows: Vec<Vec<u32>>,
}

const DROPPED: u32 = u32::MAX;

impl Merged {
    /// Where a row of one of the views is in the new file; `None` if it was dropped.
    pub fn row(&self, view: usize, row: u32) -> Option<u32> {
        let place = self.rows.get(view)?.get(row as usize)?;
        (*place != DROPPED).then_some(*place)
    }

    /// The deletes that the same segments have by now, on the rows of the new file: what was deleted while it was being
    /// written must not come back. Rows that were appended since are left out.
    pub fn carry(&self, views: &[View]) -> Tombstones {
        let mut tombstones = Tombstones::new();
        for (number, view) in views.iter().enumerate() {
            for (row, ts) in view.tombstones().iter() {
                if let Some(row) = self.row(number, row) {
                    tombstones.delete(row, ts);
                }
            }
        }
        tombstones
    }
}

/// Writes the rows of all views but those deleted at or before `horizon`; no read may be at a time before it. Rows are
/// ordered by timestamp, then view, then row.
///
/// Besides the rows this needs up to 40 bytes of memory for each.
///
/// # Errors
/// Those of the writer; if the rows are not of that schema.
pub fn write(views: &[View], schema: &Schema, horizon: u64, out: &mut dyn Write) -> Result<Merged, SealError> {
    let total: usize = views.iter().map(View::rows).sum();
    let max = u64::from(u32::MAX);
    if total as u64 >= max {
        return Err(SealError::Rows { count: total as u64, max: max - 1 });
    }
    let (source, rows) = plan(views, horizon);
    let stats = source.write(schema, out)?;
    let mut merged = Merged { stats, tombstones: Tombstones::new(), rows };
    merged.tombstones = merged.carry(views);
    Ok(merged)
}

/// The next row of one view.
struct Cursor<'a> {
    view: &'a View,
    /// Rows that are kept; `None`: all.
    kept: Option<Bitmap>,
    /// Place of the view's first block among those of all views.
    first_block: usize,
    block: usize,
    place: usize,
}

impl Cursor<'_> {
    fn block(&self) -> Option<&Arc<dyn Block>> {
        self.view.blocks().get(self.block)
    }

    fn row(&self, block: &dyn Block) -> usize {
        block.start() as usize + self.place
    }

    /// Goes to the first row from here on that is kept; returns when it was inserted.
    fn settle(&mut self) -> Option<u64> {
        loop {
            let block = self.block()?;
            let times = block.timestamps();
            let start = block.start() as usize;
            let is_kept = |place: &usize| self.kept.as_ref().is_none_or(|kept| kept.get(start + place));
            match (self.place..times.len()).find(is_kept) {
                Some(place) => {
                    let ts = times[place];
                    self.place = place;
                    return Some(ts);
                }
                None => {
                    self.block += 1;
                    self.place = 0;
                }
            }
        }
    }

    /// How many consecutive rows of this block from here on are kept and satisfy the condition on the timestamp.
    fn run(&self, block: &dyn Block, goes: impl Fn(u64) -> bool) -> usize {
        let row = self.row(block);
        let rest = block.timestamps()[self.place..].iter().enumerate();
        let is_in = |(i, ts): &(usize, &u64)| goes(**ts) && self.kept.as_ref().is_none_or(|kept| kept.get(row + i));
        rest.take_while(is_in).count()
    }
}

/// Which rows to write in which order, and the new row of each.
fn plan(views: &[View], horizon: u64) -> (Source, Vec<Vec<u32>>) {
    let mut blocks: Vec<Arc<dyn Block>> = Vec::new();
    let mut cursors = Vec::with_capacity(views.len());
    for view in views {
        let kept = view.tombstones().visible(horizon, view.rows());
        cursors.push(Cursor { view, kept, first_block: blocks.len(), block: 0, place: 0 });
        blocks.extend(view.blocks().iter().cloned());
    }
    let mut new_rows: Vec<Vec<u32>> = views.iter().map(|view| vec![DROPPED; view.rows()]).collect();
    let mut heads: Vec<Option<u64>> = cursors.iter_mut().map(Cursor::settle).collect();
    let mut runs = Vec::new();
    let mut written = 0_u32;
    loop {
        let head = |number: usize, ts: &Option<u64>| ts.map(|ts| (ts, number));
        let least = heads.iter().enumerate().filter_map(|(number, ts)| head(number, ts)).min();
        let Some((_, number)) = least else { break };
        let others = heads.iter().enumerate().filter(|(other, _)| *other != number);
        let limit = others.filter_map(|(other, ts)| head(other, ts)).min();
        let cursor = &mut cursors[number];
        let block = Arc::clone(cursor.block().expect("a cursor with a head stands on a row"));
        let len = cursor.run(&*block, |ts| limit.is_none_or(|limit| (ts, number) < limit));
        let row = cursor.row(&*block);
        for (place, new) in new_rows[number][row..row + len].iter_mut().zip(written..) {
            *place = new;
        }
        written += len as u32;
        let block = (cursor.first_block + cursor.block) as u32;
        runs.push(Run { block, start: cursor.place as u32, len: len as u32 });
        cursor.place += len;
        heads[number] = cursor.settle();
    }
    (Source { blocks, runs }, new_rows)
}

#[cfg(test)]
mod tests;
