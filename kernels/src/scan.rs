//! Exact scans that never hold a matrix of scores: the keys of a block of rows are offered to the selection while they
//! are in the first-level cache.
//!
//! [`Scan`] compares one query, or several, with the rows that a filter keeps. A caller that must be able to stop goes
//! from one of its [`Scan::steps`] to the next:
//!
//! ```
//! use elanus_kernels::{Bitmap, Kernel, KeyRange, Metric, Rows, TopK, scan::{Keep, Scan}};
//!
//! let values = [0.0, 0.0, 3.0, 4.0, 1.0, 1.0, 0.5, 0.0];
//! let (kernel, filter) = (Kernel::<f32>::new(Metric::L2)?, Bitmap::from_fn(4, |row| row != 0));
//! let scan = Scan::new(kernel, Rows::new(&values, 2)?, 0).keep(Keep::new(filter.view(), 0));
//! let mut nearest = TopK::new(2);
//! for rows in scan.steps(1) {
//!     // Here the caller asks whether it was cancelled.
//!     scan.one(&[0.0, 0.0], rows, &mut nearest);
//! }
//! assert_eq!(nearest.into_sorted().iter().map(|n| n.id).collect::<Vec<_>>(), [3, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod assign;
mod keep;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::keep::WORD;
pub use self::{
    assign::{argmin, assign},
    keep::Keep,
};
use crate::{
    bitmap::BitmapView,
    dispatch::Kernel,
    element::Element,
    rows::Rows,
    topk::{KeyRange, TopK},
};

/// Rows compared at a time: their keys, for all queries of a tile, stay in the first-level cache.
const BLOCK: usize = 256;

/// Queries compared with a block of rows at a time.
const QUERIES: usize = 16;

/// Pairs of a query and a row in a step, about.
const STEP: usize = 4096;

/// Rows in a step at most, whether kept or not.
const STEP_ROWS: usize = 1 << 16;

/// Of a block for several queries, less than one in so many rows kept are compared by id.
const SPARSE: usize = 4;

/// An exact comparison of queries with rows, and what of it is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a, E: Element> {
    kernel: Kernel<E>,
    rows: Rows<'a, E>,
    first_id: u32,
    keep: Keep<'a>,
    range: KeyRange,
    /// Kept rows among 64 from which on all 64 are compared in order.
    dense: u32,
}

impl<'a, E: Element> Scan<'a, E> {
    /// A scan of all of `rows`, of which row `i` is called `first_id + i`.
    ///
    /// # Panics
    /// When an id would not fit 32 bits.
    pub fn new(kernel: Kernel<E>, rows: Rows<'a, E>, first_id: u32) -> Self {
        let most = (1 << 32) - u64::from(first_id);
        assert!(rows.len() as u64 <= most, "{} ids from {first_id} pass 32 bits", rows.len());
        let dense = dense(rows.dim() * size_of::<E>());
        Self { kernel, rows, first_id, keep: Keep::ALL, range: KeyRange::ALL, dense }
    }

    /// Leaves out the rows that `keep` does not have, beside those that are left out already.
    ///
    /// # Panics
    /// When `keep` has not a bit for each row, or with what is there already has more than two bitmaps.
    pub fn keep(self, keep: Keep<'a>) -> Self {
        keep.check(self.rows.len());
        Self { keep: self.keep.and_all(keep), ..self }
    }

    /// Leaves out keys outside of `range`, beside those that are left out already.
    pub fn within(self, range: KeyRange) -> Self {
        Self { range: self.range.and(range), ..self }
    }

    /// The rows, cut into consecutive parts of about equal work for so many queries at once: about 4096 pairs of a
    /// query and a row, but 256 rows at least.
    pub fn steps(&self, queries: usize) -> impl Iterator<Item = Range<usize>> + use<'a, E> {
        let (scan, work) = (*self, (STEP / queries.max(1)).max(BLOCK) / BLOCK * BLOCK);
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at;
            at = scan.step_end(start, work);
            (at > start).then_some(start..at)
        })
    }

    /// Where a step from `start` ends.
    fn step_end(&self, start: usize, work: usize) -> usize {
        let len = self.rows.len();
        if self.keep.is_all() {
            return len.min(start + work);
        }
        let most = len.min(start + STEP_ROWS);
        let (mut end, mut done) = (start, 0);
        while end < most && done < work {
            let next = len.min(end + WORD);
            let ones = self.keep.word(end, next).count_ones();
            done += if ones >= self.dense { next - end } else { ones as usize };
            end = next;
        }
        end
    }

    /// Compares a query with those of the rows in `range` that are kept, and offers the keys to `out`. Returns how
    /// many keys were computed.
    ///
    /// # Panics
    /// When the dimensions differ, or the range is not within the rows.
    pub fn one(&self, query: &[E], range: Range<usize>, out: &mut TopK) -> u64 {
        assert!(range.start <= range.end && range.end <= self.rows.len(), "rows {range:?} of {}", self.rows.len());
        assert_eq!(query.len(), self.rows.dim(), "query and rows of different dimension");
        if self.keep.is_all() {
            for start in range.clone().step_by(BLOCK) {
                self.block(query, start..range.end.min(start + BLOCK), None, out);
            }
            return range.len() as u64;
        }
        let mut words = [0; BLOCK / WORD];
        let mut ids = [0; BLOCK];
        // A run of words that are dense, and ids of rows under words that are not.
        let (mut run, mut waiting, mut distances) = (range.start..range.start, 0, 0);
        for start in range.clone().step_by(WORD) {
            let end = range.end.min(start + WORD);
            let word = self.keep.word(start, end);
            let is_dense = word.count_ones() >= self.dense.min((end - start) as u32);
            if !run.is_empty() && (!is_dense || run.len() == BLOCK) {
                distances += self.block(query, run.clone(), Some(&words), out);
                run = end..end;
            }
            if is_dense {
                run.start = if run.is_empty() { start } else { run.start };
                words[(start - run.start) / WORD] = word;
                run.end = end;
            } else {
                waiting = push_ones(word, start, &mut ids, waiting);
                if waiting > BLOCK - WORD {
                    distances += self.chosen(query, &ids[..waiting], out);
                    waiting = 0;
                }
            }
        }
        distances += self.block(query, run, Some(&words), out);
        distances + self.chosen(query, &ids[..waiting], out)
    }

    /// Compares several queries with those of the rows in `range` that are kept, and offers the keys of query `i` to
    /// `outs[i]`: a block of rows is read once for all of them. Returns how many keys were computed.
    ///
    /// # Panics
    /// When the dimensions differ, the range is not within the rows, or there is not one selection for each query.
    pub fn many(&self, queries: Rows<'_, E>, range: Range<usize>, outs: &mut [TopK]) -> u64 {
        assert!(range.start <= range.end && range.end <= self.rows.len(), "rows {range:?} of {}", self.rows.len());
        assert_eq!(queries.len(), outs.len(), "one selection for each query");
        if let [out] = outs {
            return self.one(queries.row(0), range, out);
        }
        let (mut words, mut ids, mut keys) = ([0; BLOCK / WORD], [0; BLOCK], [0.0; QUERIES * BLOCK]);
        let mut distances = 0;
        for start in range.clone().step_by(BLOCK) {
            let end = range.end.min(start + BLOCK);
            let rows = self.rows.slice(start..end);
            let mut kept = rows.len();
            if !self.keep.is_all() {
                kept = 0;
                for (word, at) in words.iter_mut().zip((start..end).step_by(WORD)) {
                    *word = self.keep.word(at, end.min(at + WORD));
                    kept = push_ones(*word, at, &mut ids, kept);
                }
            }
            if kept < rows.len() / SPARSE {
                for (query, out) in queries.iter().zip(&mut *outs) {
                    distances += self.chosen(query, &ids[..kept], out);
                }
                continue;
            }
            let keep = BitmapView::new(&words[..rows.len().div_ceil(WORD)], rows.len());
            let keep = (kept < rows.len()).then_some(keep);
            for first in (0..queries.len()).step_by(QUERIES) {
                let some = queries.slice(first..queries.len().min(first + QUERIES));
                let keys = &mut keys[..some.len() * rows.len()];
                self.kernel.tile(some, rows, keys);
                distances += keys.len() as u64;
                for (keys, out) in keys.chunks(rows.len()).zip(&mut outs[first..]) {
                    out.push_block_within(self.first_id + start as u32, keys, keep, self.range);
                }
            }
        }
        distances
    }

    /// Compares a block of consecutive rows; bit `i` of `words` speaks for the row `range.start + i`.
    #[inline]
    fn block(&self, query: &[E], range: Range<usize>, words: Option<&[u64]>, out: &mut TopK) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let mut keys = [0.0; BLOCK];
        let keys = &mut keys[..range.len()];
        let keep = words.map(|words| BitmapView::new(&words[..range.len().div_ceil(WORD)], range.len()));
        let first_id = self.first_id + range.start as u32;
        self.kernel.rows(query, self.rows.slice(range), keys);
        out.push_block_within(first_id, keys, keep, self.range);
        keys.len() as u64
    }

    /// Compares rows by their places.
    fn chosen(&self, query: &[E], ids: &[u32], out: &mut TopK) -> u64 {
        let mut keys = [0.0; BLOCK];
        let keys = &mut keys[..ids.len()];
        self.kernel.gather(query, self.rows, ids, keys);
        out.push_ids(self.first_id, ids, keys, self.range);
        ids.len() as u64
    }
}

/// Writes the rows of the set bits of `word`, of which the lowest speaks for row `start`, to `ids` from place `count`,
/// and returns the place after them.
#[inline]
fn push_ones(mut word: u64, start: usize, ids: &mut [u32; BLOCK], mut count: usize) -> usize {
    while word != 0 {
        ids[count] = start as u32 + word.trailing_zeros();
        count += 1;
        word &= word - 1;
    }
    count
}

/// Of 64 rows of so many bytes, how many have to be kept for all of them to be compared in order, which the
/// processor's own read-ahead serves, where fewer are fetched one by one. Measured on Zen 5 over rows far larger than
/// the caches: a short row that is fetched by its place pays for the whole latency, a long one for little more than
/// its bytes.
const fn dense(row_bytes: usize) -> u32 {
    match row_bytes {
        0..128 => 8,
        128..256 => 12,
        256..512 => 32,
        _ => 52,
    }
}
