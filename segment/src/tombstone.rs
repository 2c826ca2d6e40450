//! Deleted rows of a segment and when each was deleted.
//!
//! Rows are grouped in pages that clones share, so that a reader pins the state of a moment for the price of a list of
//! pointers, and a page whose deletes are all old enough is applied word by word.

use crate::error::{OpenError, Problem};
use elanus_kernels::Bitmap;
use std::sync::Arc;

const PAGE_ROWS: usize = 1024;
const WORD_BITS: usize = 64;
const PAGE_WORDS: usize = PAGE_ROWS / WORD_BITS;

const MAGIC: [u8; 8] = *b"ELANTOMB";
/// Format version of the file that [`Tombstones::encode`] makes.
pub const TOMBSTONE_VERSION: u32 = 1;
/// Magic, version, zero, count.
const HEADER_BYTES: usize = 24;
/// Row (u32), timestamp (u64).
const PAIR_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

/// Row ids with the timestamps of their deletion. Cloning is cheap; a change copies the pages it touches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tombstones {
    pages: Vec<Option<Arc<Page>>>,
    len: usize,
    range: TimeRange,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Page {
    words: [u64; PAGE_WORDS],
    /// Sorted by row.
    entries: Vec<(u32, u64)>,
    range: TimeRange,
}

/// Least and greatest of some timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TimeRange {
    first: u64,
    last: u64,
}

impl Default for TimeRange {
    fn default() -> Self {
        Self { first: u64::MAX, last: 0 }
    }
}

impl TimeRange {
    fn add(&mut self, ts: u64) {
        self.first = self.first.min(ts);
        self.last = self.last.max(ts);
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { words: [0; PAGE_WORDS], entries: Vec::new(), range: TimeRange::default() }
    }
}

impl Page {
    /// Returns false, and changes nothing, if the row is deleted already.
    fn delete(&mut self, row: u32, ts: u64) -> bool {
        let bit = row as usize % PAGE_ROWS;
        let mask = 1 << (bit % WORD_BITS);
        if self.words[bit / WORD_BITS] & mask != 0 {
            return false;
        }
        self.words[bit / WORD_BITS] |= mask;
        let place = self.entries.partition_point(|&(other, _)| other < row);
        self.entries.insert(place, (row, ts));
        self.range.add(ts);
        true
    }

    /// Calls for each word that has a row deleted at that time.
    fn for_words(&self, ts: u64, mut visit: impl FnMut(usize, u64)) {
        if self.range.last <= ts {
            self.words.iter().enumerate().filter(|(_, word)| **word != 0).for_each(|(i, word)| visit(i, *word));
        } else if self.range.first <= ts {
            for &(row, _) in self.entries.iter().filter(|&&(_, at)| at <= ts) {
                let bit = row as usize % PAGE_ROWS;
                visit(bit / WORD_BITS, 1 << (bit % WORD_BITS));
            }
        }
    }

    fn count_at(&self, ts: u64) -> usize {
        if self.range.last <= ts {
            return self.entries.len();
        }
        self.entries.iter().filter(|&&(_, at)| at <= ts).count()
    }
}

impl Tombstones {
    /// No row is deleted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks a row as deleted from that time on. A row that is deleted already keeps its time. Returns whether the row
    /// was not deleted before.
    pub fn delete(&mut self, row: u32, ts: u64) -> bool {
        if self.get(row).is_some() {
            return false;
        }
        let page = row as usize / PAGE_ROWS;
        if self.pages.len() <= page {
            self.pages.resize(page + 1, None);
        }
        let is_added = Arc::make_mut(self.pages[page].get_or_insert_default()).delete(row, ts);
        self.len += usize::from(is_added);
        self.range.add(ts);
        is_added
    }

    /// When a row was deleted; `None` if it was not.
    pub fn get(&self, row: u32) -> Option<u64> {
        let page = self.pages.get(row as usize / PAGE_ROWS)?.as_ref()?;
        let bit = row as usize % PAGE_ROWS;
        if page.words[bit / WORD_BITS] & (1 << (bit % WORD_BITS)) == 0 {
            return None;
        }
        let place = page.entries.binary_search_by_key(&row, |&(row, _)| row).ok()?;
        Some(page.entries[place].1)
    }

    /// Whether a row was deleted at or before that time.
    pub fn is_deleted(&self, row: u32, ts: u64) -> bool {
        self.get(row).is_some_and(|at| at <= ts)
    }

    /// Deleted rows, whenever they were deleted.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is deleted.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The greatest timestamp of a delete.
    pub fn last_timestamp(&self) -> Option<u64> {
        (self.len > 0).then_some(self.range.last)
    }

    /// The greatest deleted row.
    pub fn last_row(&self) -> Option<u32> {
        self.pages.iter().rev().flatten().find_map(|page| page.entries.last()).map(|&(row, _)| row)
    }

    /// Which of the first `rows` rows are not deleted at that time; `None` if that is all of them.
    pub fn visible(&self, ts: u64, rows: usize) -> Option<Bitmap> {
        if self.len == 0 || self.range.first > ts {
            return None;
        }
        let mut words = Bitmap::full(rows).words().to_vec();
        self.clear_deleted(ts, &mut words).then(|| Bitmap::from_words(words, rows))
    }

    /// Clears the bits of rows that are deleted at that time; returns whether one was set.
    pub(crate) fn clear_deleted(&self, ts: u64, words: &mut [u64]) -> bool {
        let mut is_changed = false;
        for (page, words) in self.pages.iter().zip(words.chunks_mut(PAGE_WORDS)) {
            let Some(page) = page else { continue };
            page.for_words(ts, |i, deleted| {
                if let Some(word) = words.get_mut(i) {
                    is_changed |= *word & deleted != 0;
                    *word &= !deleted;
                }
            });
        }
        is_changed
    }

    /// How many rows are deleted at that time.
    pub fn deleted_count_at(&self, ts: u64) -> usize {
        if self.range.last <= ts {
            return self.len;
        }
        self.pages.iter().flatten().map(|page| page.count_at(ts)).sum()
    }

    /// Deleted rows with their timestamps, by row.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.pages.iter().flatten().flat_map(|page| page.entries.iter().copied())
    }

    /// Bytes in memory.
    pub fn size_bytes(&self) -> usize {
        let pages = self.pages.iter().flatten().count();
        size_of_val(&self.pages[..]) + pages * size_of::<Page>() + self.len * size_of::<(u32, u64)>()
    }

    /// The bytes of a tombstone file (see `docs/format.md`).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.len * PAIR_BYTES + CHECKSUM_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&TOMBSTONE_VERSION.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(&(self.len as u64).to_le_bytes());
        for (row, ts) in self.iter() {
            out.extend_from_slice(&row.to_le_bytes());
            out.extend_from_slice(&ts.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a tombstone file of a segment of `rows` rows.
    ///
    /// # Errors
    /// What is wrong with the file, and where.
    pub fn decode(bytes: &[u8], rows: usize) -> Result<Self, OpenError> {
        let error = |offset: usize, problem| OpenError { section: "tombstones".into(), offset: offset as u64, problem };
        let least = (HEADER_BYTES + CHECKSUM_BYTES) as u64;
        if bytes.len() < HEADER_BYTES + CHECKSUM_BYTES {
            return Err(error(bytes.len(), Problem::Length { want: least, got: bytes.len() as u64 }));
        }
        let (body, stored) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
        if body[..8] != MAGIC {
            return Err(error(0, Problem::Magic));
        }
        let version = le_u32(&body[8..]);
        if version > TOMBSTONE_VERSION {
            return Err(error(8, Problem::Newer { found: version, known: TOMBSTONE_VERSION }));
        }
        let (stored, computed) = (le_u32(stored), crc32c::crc32c(body));
        if stored != computed {
            return Err(error(body.len(), Problem::Checksum { stored, computed }));
        }
        if version == 0 {
            return Err(error(8, Problem::Value { name: "format version", got: 0 }));
        }
        if le_u32(&body[12..]) != 0 {
            return Err(error(12, Problem::Value { name: "reserved field", got: le_u32(&body[12..]).into() }));
        }
        let count = le_u64(&body[16..]);
        let want = count.checked_mul(PAIR_BYTES as u64).and_then(|pairs| pairs.checked_add(least));
        if want != Some(bytes.len() as u64) {
            return Err(error(16, Problem::Value { name: "count", got: count }));
        }
        let mut tombstones = Self::new();
        let mut next = 0;
        for (i, pair) in body[HEADER_BYTES..].chunks_exact(PAIR_BYTES).enumerate() {
            let row = le_u32(pair);
            let offset = HEADER_BYTES + i * PAIR_BYTES;
            if u64::from(row) < next {
                return Err(error(offset, Problem::Order { row: row as usize }));
            }
            if row as usize >= rows {
                return Err(error(offset, Problem::Value { name: "row", got: row.into() }));
            }
            next = u64::from(row) + 1;
            tombstones.delete(row, le_u64(&pair[4..]));
        }
        Ok(tombstones)
    }
}

impl FromIterator<(u32, u64)> for Tombstones {
    fn from_iter<I: IntoIterator<Item = (u32, u64)>>(entries: I) -> Self {
        let mut tombstones = Self::new();
        for (row, ts) in entries {
            tombstones.delete(row, ts);
        }
        tombstones
    }
}

/// The number in the first four bytes.
pub(crate) fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The number in the first eight bytes.
pub(crate) fn le_u64(bytes: &[u8]) -> u64 {
    u64::from(le_u32(bytes)) | u64::from(le_u32(&bytes[4..])) << 32
}

#[cfg(test)]
mod tests;
