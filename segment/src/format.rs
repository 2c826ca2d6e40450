//! The sealed file: header, sections, section table, footer. `docs/format.md` draws it byte by byte.
//!
//! A file is written from front to back, so the table comes last. Every byte is covered: header, table, footer and each
//! section have a checksum, and the gaps between sections are zeros and as short as alignment allows.

use crate::error::{OpenError, Problem};
use crate::schema::{DataType, Field};
use crate::tombstone::{le_u32, le_u64};

pub(crate) const MAGIC: [u8; 8] = *b"ELANSEGM";
pub(crate) const FOOTER_MAGIC: [u8; 8] = *b"ELANTAIL";
/// Version of the sealed file that this build writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const FOOTER_BYTES: usize = 64;
pub(crate) const ENTRY_BYTES: usize = 32;
/// Vectors begin at pages, for indexes that read them in place.
pub(crate) const VECTOR_ALIGNMENT: u64 = 4096;
/// The field of a section that belongs to none.
pub(crate) const NO_FIELD: u32 = u32::MAX;

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Schema = 1,
    Values = 2,
    Offsets = 3,
    Text = 4,
    Validity = 5,
    Timestamps = 6,
    Keys = 7,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Values => "values",
            Self::Offsets => "offsets",
            Self::Text => "text",
            Self::Validity => "validity",
            Self::Timestamps => "timestamps",
            Self::Keys => "keys",
        }
    }

    /// Name of the section in errors.
    pub(crate) fn name_in(self, field: Option<&Field>) -> String {
        field.map_or_else(|| self.name().to_owned(), |field| format!("{} of {}", self.name(), field.name))
    }

    /// Where a section of this kind may begin: at multiples of this.
    pub(crate) fn alignment(self, field: Option<&Field>) -> u64 {
        match self {
            Self::Values if field.is_some_and(|field| field.data_type.is_vector()) => VECTOR_ALIGNMENT,
            Self::Schema
            | Self::Values
            | Self::Offsets
            | Self::Text
            | Self::Validity
            | Self::Timestamps
            | Self::Keys => crate::map::ALIGNMENT as u64,
        }
    }
}

/// Bytes of a row's values; `None` where they differ from row to row.
pub(crate) fn row_bytes(field: &Field) -> Option<u64> {
    let width = field.data_type.width()? as u64;
    match field.data_type {
        DataType::FloatVector | DataType::Float16Vector => Some(width * u64::from(field.dim)),
        DataType::Bool
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float
        | DataType::Double
        | DataType::VarChar
        | DataType::Json => Some(width),
    }
}

/// One line of the section table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: u32,
    pub(crate) field: u32,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) checksum: u32,
}

impl Entry {
    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[0..4].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.field.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.len.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Self {
        Self {
            kind: le_u32(bytes),
            field: le_u32(&bytes[4..]),
            offset: le_u64(&bytes[8..]),
            len: le_u64(&bytes[16..]),
            checksum: le_u32(&bytes[24..]),
        }
    }
}

/// The header of a file with that many rows and fields.
pub(crate) fn header(rows: u64, fields: u32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&fields.to_le_bytes());
    bytes[16..24].copy_from_slice(&rows.to_le_bytes());
    seal_with_checksum(&mut bytes);
    bytes
}

/// The footer of a file whose table begins there.
pub(crate) fn footer(table_offset: u64, table: &[u8]) -> [u8; FOOTER_BYTES] {
    let mut bytes = [0; FOOTER_BYTES];
    let file_len = table_offset + (table.len() + FOOTER_BYTES) as u64;
    bytes[0..8].copy_from_slice(&FOOTER_MAGIC);
    bytes[8..16].copy_from_slice(&file_len.to_le_bytes());
    bytes[16..24].copy_from_slice(&table_offset.to_le_bytes());
    bytes[24..28].copy_from_slice(&crc32c::crc32c(table).to_le_bytes());
    seal_with_checksum(&mut bytes);
    bytes
}

fn seal_with_checksum<const N: usize>(bytes: &mut [u8; N]) {
    let (body, checksum) = bytes.split_at_mut(N - 4);
    checksum.copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
}

/// What header, table and footer say.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) rows: u64,
    pub(crate) fields: u32,
    pub(crate) table_offset: u64,
    pub(crate) entries: Vec<Entry>,
}

impl Outline {
    /// Reads and checks header, footer and table; the sections themselves are not looked at.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, OpenError> {
        let error = |section: &str, offset: u64, problem| OpenError { section: section.into(), offset, problem };
        let len = bytes.len() as u64;
        let least = (HEADER_BYTES + FOOTER_BYTES) as u64;
        // Magic and version come first: of a newer file nothing else can be relied on.
        if bytes.len() < HEADER_BYTES {
            return Err(error("header", len, Problem::Length { want: least, got: len }));
        }
        let header = &bytes[..HEADER_BYTES];
        if header[..8] != MAGIC {
            return Err(error("header", 0, Problem::Magic));
        }
        let version = le_u32(&header[8..]);
        if version > FORMAT_VERSION {
            return Err(error("header", 8, Problem::Newer { found: version, known: FORMAT_VERSION }));
        }
        check_sum(header, "header", 0)?;
        if version == 0 {
            return Err(error("header", 8, Problem::Value { name: "format version", got: 0 }));
        }
        check_zeros(&header[24..HEADER_BYTES - 4], "header", 24)?;
        if len < least {
            return Err(error("footer", len, Problem::Length { want: least, got: len }));
        }
        let footer_at = len - FOOTER_BYTES as u64;
        let footer = &bytes[bytes.len() - FOOTER_BYTES..];
        if footer[..8] != FOOTER_MAGIC {
            return Err(error("footer", footer_at, Problem::Magic));
        }
        check_sum(footer, "footer", footer_at)?;
        check_zeros(&footer[28..FOOTER_BYTES - 4], "footer", footer_at + 28)?;
        let file_len = le_u64(&footer[8..]);
        if file_len != len {
            return Err(error("footer", footer_at + 8, Problem::Length { want: file_len, got: len }));
        }
        let table_offset = le_u64(&footer[16..]);
        let is_sound = (HEADER_BYTES as u64..=footer_at).contains(&table_offset)
            && (footer_at - table_offset).is_multiple_of(ENTRY_BYTES as u64);
        if !is_sound {
            return Err(error("footer", footer_at + 16, Problem::Value { name: "table offset", got: table_offset }));
        }
        let table = &bytes[table_offset as usize..footer_at as usize];
        let (stored, computed) = (le_u32(&footer[24..]), crc32c::crc32c(table));
        if stored != computed {
            return Err(error("table", table_offset, Problem::Checksum { stored, computed }));
        }
        for (i, entry) in table.chunks_exact(ENTRY_BYTES).enumerate() {
            check_zeros(&entry[28..], "table", table_offset + (i * ENTRY_BYTES) as u64 + 28)?;
        }
        let rows = le_u64(&header[16..]);
        if rows > u64::from(u32::MAX) {
            return Err(error("header", 16, Problem::Value { name: "row count", got: rows }));
        }
        let entries = table.chunks_exact(ENTRY_BYTES).map(Entry::parse).collect();
        Ok(Self { rows, fields: le_u32(&header[12..]), table_offset, entries })
    }
}

/// The last four bytes are the checksum of those before.
fn check_sum(bytes: &[u8], section: &str, offset: u64) -> Result<(), OpenError> {
    let (body, stored) = bytes.split_at(bytes.len() - 4);
    let (stored, computed) = (le_u32(stored), crc32c::crc32c(body));
    if stored == computed {
        return Ok(());
    }
    let offset = offset + body.len() as u64;
    Err(OpenError { section: section.into(), offset, problem: Problem::Checksum { stored, computed } })
}

/// Unused bytes are zeros, so that a later version may give them a meaning.
pub(crate) fn check_zeros(bytes: &[u8], section: &str, offset: u64) -> Result<(), OpenError> {
    match bytes.iter().position(|&byte| byte != 0) {
        None => Ok(()),
        Some(place) => {
            let problem = Problem::Value { name: "unused byte", got: bytes[place].into() };
            Err(OpenError { section: section.into(), offset: offset + place as u64, problem })
        }
    }
}
