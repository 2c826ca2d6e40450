//! What can go wrong with a segment's bytes, one type per operation.

use crate::column::BatchError;
use crate::schema::DataType;
use elanus_kernels::ElementType;
use std::fmt;

/// Bytes that are no encoded batch or list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What was being read: the batch, the keys, or the field of that name.
    pub what: String,
    /// Byte at which it was noticed.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with encoded bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// More is announced than there is.
    Short {
        /// Items announced.
        want: u64,
        /// Bytes of one.
        width: usize,
        /// Bytes left.
        left: usize,
    },
    /// Bytes behind the end.
    Trailing {
        /// How many.
        left: usize,
    },
    /// Another version of the encoding.
    Version {
        /// The one found.
        got: u8,
        /// The one that this build reads.
        want: u8,
    },
    /// A data type that is not the expected one.
    Type {
        /// Its wire number.
        got: i32,
    },
    /// A number that must be one of a few.
    Flag {
        /// The one found.
        got: u8,
    },
    /// Text that is not UTF-8, or is cut inside a character.
    Utf8,
    /// Columns that do not fit the schema.
    Batch(BatchError),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}: {}", self.what, self.offset, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { want, width, left } => {
                write!(f, "{want} items of {width} bytes are announced, {left} bytes are left")
            }
            Self::Trailing { left } => write!(f, "{left} bytes too many"),
            Self::Version { got, want } => write!(f, "encoding version {got}, this build reads {want}"),
            Self::Type { got } => write!(f, "data type {got} is not the expected one"),
            Self::Flag { got } => write!(f, "flag {got} has no meaning"),
            Self::Utf8 => f.write_str("text is not UTF-8"),
            Self::Batch(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Batch(error) => Some(error),
            Fault::Short { .. }
            | Fault::Trailing { .. }
            | Fault::Version { .. }
            | Fault::Type { .. }
            | Fault::Flag { .. }
            | Fault::Utf8 => None,
        }
    }
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenError {
    /// Part of the file: `header`, `table`, `schema`, `values of price`.
    pub section: String,
    /// Byte of the file at which it was noticed.
    pub offset: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// Shorter or longer than it must be.
    Length {
        /// Bytes it must have.
        want: u64,
        /// Bytes it has.
        got: u64,
    },
    /// The first bytes are not those of such a file.
    Magic,
    /// Written by a later build.
    Newer {
        /// Format version of the file.
        found: u32,
        /// Newest version that this build reads.
        known: u32,
    },
    /// Bytes that changed since they were written.
    Checksum {
        /// Stored crc32c.
        stored: u32,
        /// That of the bytes.
        computed: u32,
    },
    /// A number that cannot be.
    Value {
        /// Its name.
        name: &'static str,
        /// What it is.
        got: u64,
    },
    /// A section that should not be there, or stands twice or out of order.
    Unexpected,
    /// A section that should be there.
    Missing,
    /// A schema that is no JSON text of one, or breaks a rule.
    Schema(String),
    /// Offsets that fall or leave the text, or text that is not UTF-8.
    Strings,
    /// A Bool that is neither 0 nor 1.
    Bool {
        /// Its row.
        row: usize,
    },
    /// Rows in the wrong order.
    Order {
        /// The first row that is out of order.
        row: usize,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {}, byte {}: {}", self.section, self.offset, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { want, got } => write!(f, "{got} bytes, {want} are needed"),
            Self::Magic => f.write_str("not such a file: the first bytes are wrong"),
            Self::Newer { found, known } => {
                write!(f, "format version {found} is newer than {known}, the newest that this build reads")
            }
            Self::Checksum { stored, computed } => {
                write!(f, "checksum {computed:08x} of the bytes differs from the stored {stored:08x}")
            }
            Self::Value { name, got } => write!(f, "{name} cannot be {got}"),
            Self::Unexpected => f.write_str("does not belong here"),
            Self::Missing => f.write_str("is missing"),
            Self::Schema(error) => write!(f, "not a schema: {error}"),
            Self::Strings => f.write_str("offsets or text are broken"),
            Self::Bool { row } => write!(f, "row {row} is neither 0 nor 1"),
            Self::Order { row } => write!(f, "row {row} is out of order"),
        }
    }
}

impl std::error::Error for OpenError {}

/// A sealed file that could not be written.
#[derive(Debug)]
pub enum SealError {
    /// The writer failed.
    Io(std::io::Error),
    /// The rows have another column than the schema says.
    Column {
        /// Name of the field.
        field: String,
        /// Its type.
        want: DataType,
        /// Type of the column.
        got: DataType,
    },
    /// The rows have vectors of another dimension than the schema says.
    Dim {
        /// Name of the field.
        field: String,
        /// Its dimension.
        want: usize,
        /// Dimension of the column.
        got: usize,
    },
    /// More rows than a segment can number.
    Rows {
        /// Rows given.
        count: u64,
        /// Most that a segment holds.
        max: u64,
    },
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot write the segment: {error}"),
            Self::Column { field, want, got } => write!(f, "field {field} is {want}, its column is {got}"),
            Self::Dim { field, want, got } => write!(f, "field {field} has dim {want}, its column has dim {got}"),
            Self::Rows { count, max } => write!(f, "{count} rows, a segment holds at most {max}"),
        }
    }
}

impl std::error::Error for SealError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Column { .. } | Self::Dim { .. } | Self::Rows { .. } => None,
        }
    }
}

impl From<std::io::Error> for SealError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Something that does not belong to the segment to which it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachError {
    /// The field has no vectors.
    NoVectors {
        /// Position of the field in the schema.
        position: usize,
    },
    /// Another number of rows.
    Rows {
        /// Rows of the segment.
        want: usize,
        /// Rows of the index, or one more than the greatest row of the tombstones.
        got: usize,
    },
    /// Another element type.
    Element {
        /// That of the field.
        want: ElementType,
        /// That of the index.
        got: ElementType,
    },
    /// Another dimension.
    Dim {
        /// That of the field.
        want: usize,
        /// That of the index.
        got: usize,
    },
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVectors { position } => write!(f, "there is no vector field at position {position}"),
            Self::Rows { want, got } => write!(f, "made for {got} rows, the segment has {want}"),
            Self::Element { want, got } => write!(f, "made for {}, the field has {}", got.name(), want.name()),
            Self::Dim { want, got } => write!(f, "made for dim {got}, the field has dim {want}"),
        }
    }
}

impl std::error::Error for AttachError {}
