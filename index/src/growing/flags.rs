//! What is known of each row, in bits that are set while others read them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows of a block.
const BLOCK: usize = 4096;
/// Rows of a word.
pub(super) const WORD: usize = u64::BITS as usize;

/// Bits of a block of rows. A bit is only ever set, never cleared, so that no order between them matters.
#[derive(Debug, Default)]
struct Block {
    usable: Vec<AtomicU64>,
    coded: Vec<AtomicU64>,
    removed: Vec<AtomicU64>,
}

/// One of the bits of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// Every component is finite, so that the row has a place among neighbours.
    Usable,
    /// The row has codes.
    Coded,
    /// The row was removed.
    Removed,
}

/// The bits of all rows, in blocks that readers share with the writer.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags(Arc<Vec<Arc<Block>>>);

impl Flags {
    /// Makes room for `rows` rows, whose bits are clear at first.
    pub(super) fn grow(&mut self, rows: usize) {
        let words = || (0..BLOCK / WORD).map(|_| AtomicU64::new(0)).collect();
        while self.0.len() * BLOCK < rows {
            let block = Block { usable: words(), coded: words(), removed: words() };
            Arc::make_mut(&mut self.0).push(Arc::new(block));
        }
    }

    fn word(&self, flag: Flag, word: usize) -> Option<&AtomicU64> {
        let block = self.0.get(word / (BLOCK / WORD))?;
        let words = match flag {
            Flag::Usable => &block.usable,
            Flag::Coded => &block.coded,
            Flag::Removed => &block.removed,
        };
        words.get(word % (BLOCK / WORD))
    }

    /// Sets a bit and says whether it was clear.
    pub(super) fn set(&self, flag: Flag, id: u32) -> bool {
        let (word, mask) = (id as usize / WORD, 1 << (id as usize % WORD));
        self.word(flag, word).is_some_and(|word| word.fetch_or(mask, Ordering::Relaxed) & mask == 0)
    }

    /// The rows of a word that have the flag and were not removed.
    #[inline]
    pub(super) fn live(&self, flag: Flag, word: usize) -> u64 {
        let get = |flag| self.word(flag, word).map_or(0, |word| word.load(Ordering::Relaxed));
        get(flag) & !get(Flag::Removed)
    }

    /// Whether a row has the flag and was not removed.
    #[inline]
    pub(super) fn is_live(&self, flag: Flag, id: u32) -> bool {
        self.live(flag, id as usize / WORD) >> (id as usize % WORD) & 1 == 1
    }

    /// How many of the first `rows` rows are in codes and not removed.
    pub(super) fn count_coded(&self, rows: usize) -> usize {
        (0..rows.div_ceil(WORD))
            .map(|word| (self.live(Flag::Coded, word) & used(word, rows)).count_ones() as usize)
            .sum()
    }

    /// Of the first `rows` rows those in codes that were not removed, ascending.
    pub(super) fn coded(&self, rows: usize) -> impl Iterator<Item = u32> {
        (0..rows.div_ceil(WORD)).flat_map(move |word| {
            let mut rest = self.live(Flag::Coded, word) & used(word, rows);
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some((word * WORD) as u32 + bit)
            })
        })
    }

    /// Bytes of the bits.
    pub(super) fn size_bytes(&self) -> usize {
        self.0.len() * 3 * BLOCK / 8
    }
}

/// The bits of a word that speak for the first `rows` rows.
pub(super) fn used(word: usize, rows: usize) -> u64 {
    match rows.saturating_sub(word * WORD) {
        0 => 0,
        left if left < WORD => u64::MAX >> (WORD - left),
        _ => u64::MAX,
    }
}
