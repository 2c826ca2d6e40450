//! Which rows a search may return: those that pass the filter and have a vector.

use elanus_kernels::BitmapView;

const WORD: usize = u64::BITS as usize;

/// The meet of the caller's filter and the index's own bitmap, read a word at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep<'a> {
    /// Bit `first + i` speaks for row `i`.
    pub(crate) filter: Option<BitmapView<'a>>,
    /// Bit `i` speaks for row `i`.
    pub(crate) present: Option<BitmapView<'a>>,
    pub(crate) first: usize,
}

impl Keep<'_> {
    /// Whether every row may be returned.
    pub(crate) fn is_all(&self) -> bool {
        self.filter.is_none() && self.present.is_none()
    }

    /// Whether row `row` may be returned.
    #[inline]
    pub(crate) fn has(&self, row: usize) -> bool {
        self.filter.is_none_or(|bits| bits.get(self.first + row)) && self.present.is_none_or(|bits| bits.get(row))
    }

    /// The bits of the rows from `start` to `end`, of which there are at most 64; the others are clear.
    pub(crate) fn word(&self, start: usize, end: usize) -> u64 {
        let used = if end - start >= WORD { u64::MAX } else { (1 << (end - start)) - 1 };
        let filter = self.filter.map_or(u64::MAX, |bits| bits_at(bits, self.first + start));
        let present = self.present.map_or(u64::MAX, |bits| bits_at(bits, start));
        used & filter & present
    }

    /// The bits of up to `64 * N` rows from `start` to `end`.
    pub(crate) fn words<const N: usize>(&self, start: usize, end: usize) -> [u64; N] {
        std::array::from_fn(|i| {
            let from = start + i * WORD;
            if from < end { self.word(from, end.min(from + WORD)) } else { 0 }
        })
    }

    /// How many of the first `rows` rows may be returned.
    pub(crate) fn count(&self, rows: usize) -> usize {
        if self.is_all() {
            return rows;
        }
        (0..rows).step_by(WORD).map(|start| self.word(start, rows.min(start + WORD)).count_ones() as usize).sum()
    }
}

/// Sixty-four bits from position `at`; those past the words are clear.
fn bits_at(bits: BitmapView<'_>, at: usize) -> u64 {
    let (word, shift) = (at / WORD, at % WORD);
    let get = |i: usize| bits.words().get(i).copied().unwrap_or(0);
    if shift == 0 { get(word) } else { get(word) >> shift | get(word + 1) << (WORD - shift) }
}

#[cfg(test)]
mod tests;
