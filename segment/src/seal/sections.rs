//! The sections of a file that is written from front to back.

use crate::error::SealError;
use crate::format::{self, Entry, HEADER_BYTES, Kind, NO_FIELD, VECTOR_ALIGNMENT};
use crate::map::ALIGNMENT;
use crate::schema::Field;
use std::io::Write;

/// Small pieces are gathered up to this many bytes, so that rows written one by one cost no call each.
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes sections and keeps their lines of the table.
pub(super) struct Sections<'a> {
    out: &'a mut dyn Write,
    /// Bytes given to `out`.
    written: u64,
    buffer: Vec<u8>,
    table: Vec<Entry>,
    is_open: bool,
}

impl<'a> Sections<'a> {
    /// Writes the header.
    pub(super) fn begin(out: &'a mut dyn Write, rows: u64, fields: u32) -> Result<Self, SealError> {
        out.write_all(&format::header(rows, fields))?;
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        Ok(Self { out, written: HEADER_BYTES as u64, buffer, table: Vec::new(), is_open: false })
    }

    /// Begins a section; the one before ends.
    pub(super) fn start(&mut self, kind: Kind, field: Option<(u32, &Field)>) -> Result<(), SealError> {
        self.end()?;
        self.pad(kind.alignment(field.map(|(_, field)| field)))?;
        let field = field.map_or(NO_FIELD, |(number, _)| number);
        self.table.push(Entry { kind: kind as u32, field, offset: self.written, len: 0, checksum: 0 });
        self.is_open = true;
        Ok(())
    }

    /// A section in one piece.
    pub(super) fn whole(&mut self, kind: Kind, field: Option<(u32, &Field)>, bytes: &[u8]) -> Result<(), SealError> {
        self.start(kind, field)?;
        self.put(bytes)
    }

    /// More bytes of the section that was begun last.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), SealError> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.pass_on(bytes)
    }

    fn flush(&mut self) -> Result<(), SealError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.pass_on(&buffer)?;
        buffer.clear();
        self.buffer = buffer;
        Ok(())
    }

    fn pass_on(&mut self, bytes: &[u8]) -> Result<(), SealError> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        if let Some(entry) = self.table.last_mut() {
            entry.len += bytes.len() as u64;
            entry.checksum = crc32c::crc32c_append(entry.checksum, bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), SealError> {
        if std::mem::take(&mut self.is_open) {
            self.flush()?;
        }
        Ok(())
    }

    fn pad(&mut self, alignment: u64) -> Result<(), SealError> {
        const ZEROS: [u8; VECTOR_ALIGNMENT as usize] = [0; VECTOR_ALIGNMENT as usize];
        let gap = self.written.next_multiple_of(alignment) - self.written;
        self.out.write_all(&ZEROS[..gap as usize])?;
        self.written += gap;
        Ok(())
    }

    /// Writes table and footer; returns the length of the file.
    pub(super) fn finish(mut self) -> Result<u64, SealError> {
        self.end()?;
        self.pad(ALIGNMENT as u64)?;
        let table: Vec<u8> = self.table.iter().flat_map(|entry| entry.to_bytes()).collect();
        let footer = format::footer(self.written, &table);
        self.out.write_all(&table)?;
        self.out.write_all(&footer)?;
        Ok(self.written + (table.len() + footer.len()) as u64)
    }
}
