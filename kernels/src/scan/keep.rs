//! Which rows a scan may return.
use std::ops::Range;

use crate::bitmap::BitmapView;

/// Rows under one word of a bitmap.
pub(super) const WORD: usize = u64::BITS as usize;

/// The rows that are kept: those that two bitmaps have, or one, or all. A caller's filter and the rows that are there
/// at all are two bitmaps, and each begins where it likes.
#[derive(Clone, Copy, Debug)]
pub struct Keep<'a> {
    /// Bitmaps, each with the bit that speaks for row 0.
    bits: [Option<(BitmapView<'a>, usize)>; 2],
}

impl<'a> Keep<'a> {
    /// Every row.
    pub const ALL: Self = Self { bits: [None; 2] };

    /// The rows that `bits` has; bit `first + i` speaks for row `i`.
    pub const fn new(bits: BitmapView<'a>, first: usize) -> Self {
        Self { bits: [Some((bits, first)), None] }
    }

    /// Of these rows, those that `bits` has too; bit `first + i` speaks for row `i`.
    ///
    /// # Panics
    /// When there are two bitmaps already.
    pub fn and(self, bits: BitmapView<'a>, first: usize) -> Self {
        let more = Some((bits, first));
        match self.bits {
            [None, _] => Self { bits: [more, None] },
            [one, None] => Self { bits: [one, more] },
            [Some(_), Some(_)] => panic!("a third bitmap"),
        }
    }

    /// Of these rows, those that `other` has too.
    ///
    /// # Panics
    /// When both together have more than two bitmaps.
    pub(super) fn and_all(self, other: Self) -> Self {
        other.bits.into_iter().flatten().fold(self, |keep, (bits, first)| keep.and(bits, first))
    }

    /// Whether every row is kept because no bitmap says otherwise.
    pub const fn is_all(&self) -> bool {
        matches!(self.bits, [None, None])
    }

    /// Whether row `row` is kept.
    ///
    /// # Panics
    /// When a bitmap has no bit for it.
    #[inline]
    pub fn has(&self, row: usize) -> bool {
        let bit = |first: usize| first.checked_add(row).expect("a bit for the row");
        self.bits.iter().flatten().all(|(bits, first)| bits.get(bit(*first)))
    }

    /// How many of the first `rows` rows are kept.
    ///
    /// # Panics
    /// When a bitmap has not a bit for each of them.
    pub fn count(&self, rows: usize) -> usize {
        self.check(rows);
        if self.is_all() {
            return rows;
        }
        (0..rows).step_by(WORD).map(|start| self.word(start, rows.min(start + WORD)).count_ones() as usize).sum()
    }

    /// Writes the bits of the rows in `range` to `words`, the first of them lowest, as a
    /// [`BitmapView`] of so many bits wants them.
    ///
    /// # Panics
    /// When a bitmap has not a bit for each of the rows.
    pub fn write(&self, range: Range<usize>, words: &mut Vec<u64>) {
        self.check(range.end);
        words.clear();
        words.extend(range.clone().step_by(WORD).map(|start| self.word(start, range.end.min(start + WORD))));
    }

    /// Panics when a bitmap has not a bit for each of `rows` rows.
    pub(super) fn check(&self, rows: usize) {
        for (bits, first) in self.bits.iter().flatten() {
            let there = bits.len().saturating_sub(*first);
            assert!(there >= rows, "{there} filter bits for {rows} rows");
        }
    }

    /// The bits of the rows from `start` to `end`, of which there are 1 to 64; the others are clear.
    #[inline]
    pub(super) fn word(&self, start: usize, end: usize) -> u64 {
        let used = u64::MAX >> (WORD - (end - start).min(WORD));
        let at =
            |bits: &Option<(BitmapView<'_>, usize)>| bits.map_or(u64::MAX, |(bits, first)| bits.bits_at(first + start));
        used & at(&self.bits[0]) & at(&self.bits[1])
    }
}
