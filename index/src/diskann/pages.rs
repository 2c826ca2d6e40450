//! Units of a file: written one after another, read back and checked.

use std::io::{self, Write};
use std::ops::Range;

use super::layout::Section;
use crate::read_at::{ReadAt, ReadError, ReadFault};

/// Bytes read at a time where a section is read from front to back.
const STREAM: usize = 1 << 20;

/// Writes the items of a section, of which it holds one unit in memory.
pub(super) struct SectionWriter<'a> {
    out: &'a mut dyn Write,
    section: Section,
    unit: Vec<u8>,
    next: usize,
}

impl<'a> SectionWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write, section: &Section) -> Self {
        Self { out, section: *section, unit: vec![0; section.packing.unit], next: 0 }
    }

    /// Writes the next item, which `fill` puts into zeros.
    pub(super) fn item(&mut self, fill: impl FnOnce(&mut [u8])) -> io::Result<()> {
        debug_assert!(self.next < self.section.count, "more items than the section has");
        fill(&mut self.unit[self.section.place(self.next)]);
        self.next += 1;
        let is_full = self.next.is_multiple_of(self.section.packing.per_unit);
        if is_full || self.next == self.section.count { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let sum = self.section.sum(self.section.unit_of(self.next - 1), &self.unit);
        if let Some(place) = self.unit.last_chunk_mut() {
            *place = sum.to_le_bytes();
        }
        self.out.write_all(&self.unit)?;
        self.unit.fill(0);
        Ok(())
    }
}

/// Whether a unit is what was written there.
pub(super) fn check_unit(section: &Section, unit: u64, bytes: &[u8]) -> Result<(), ReadError> {
    let (stored, computed) = (Section::stored_sum(bytes), section.sum(unit, bytes));
    if stored == computed {
        return Ok(());
    }
    Err(ReadError { offset: section.unit_offset(unit), fault: ReadFault::Checksum { stored, computed } })
}

/// Reads the items in `range` and gives each with its number, in order.
pub(super) fn read_items(
    reader: &dyn ReadAt,
    section: &Section,
    range: Range<usize>,
    mut each: impl FnMut(usize, &[u8]),
) -> Result<(), ReadError> {
    let units = section.unit_of(range.start)..(range.end.div_ceil(section.packing.per_unit) as u64);
    let size = section.packing.unit;
    let many = (STREAM / size).max(1) as u64;
    let mut buffer = Vec::new();
    let mut first = units.start;
    while first < units.end && !range.is_empty() {
        let count = many.min(units.end - first);
        buffer.resize(count as usize * size, 0);
        let offset = section.unit_offset(first);
        reader.read_at(offset, &mut buffer).map_err(|error| ReadError::device(offset, &error))?;
        for (unit, bytes) in (first..).zip(buffer.chunks_exact(size)) {
            check_unit(section, unit, bytes)?;
            for item in section.items_of(unit).filter(|item| range.contains(item)) {
                each(item, &bytes[section.place(item)]);
            }
        }
        first += count;
    }
    Ok(())
}

/// Numbers of 32 bits, one after another.
pub(super) fn u32s(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four))
}
