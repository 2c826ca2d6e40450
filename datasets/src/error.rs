//! What can go wrong while a data set is read: which file, where in it, and what was expected there.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::truth::TruthError;

/// A file that cannot be read as what its name says it is.
#[derive(Debug)]
pub struct ReadError {
    /// The file, as it was named by the caller.
    pub file: String,
    /// The byte where the reader stood, of a compressed file's unpacked text; none where the file as a whole is meant.
    pub offset: Option<u64>,
    /// What was wrong there.
    pub problem: Problem,
}

/// What was wrong at one place of a file.
#[derive(Debug)]
pub enum Problem {
    /// The system, or the decompressor, refused.
    Io(io::Error),
    /// The path is a folder, a pipe or a device.
    NotAFile,
    /// No reader is listed for the name's extension.
    Extension {
        /// Every extension that has a reader.
        known: String,
    },
    /// The file ended inside a value.
    Truncated {
        /// Bytes that were still needed.
        want: u64,
    },
    /// The header promises more rows than the file can hold.
    Promise {
        /// Bytes of rows that the header promises.
        want: u64,
        /// The most bytes that can follow the header.
        room: u64,
    },
    /// The text is longer than anyone would make it.
    TooLong {
        /// The most bytes that are read.
        most: u64,
    },
    /// There are bytes after the last row.
    Trailing,
    /// The first bytes are not those of the format.
    Magic {
        /// The format's first bytes, in words.
        want: &'static str,
        /// The bytes that were found.
        got: [u8; 4],
    },
    /// A format version without a reader.
    Version {
        /// The version's major number.
        major: u8,
        /// The version's minor number.
        minor: u8,
    },
    /// A dimension below one or above the limit.
    Dim {
        /// The dimension that was found.
        got: i128,
        /// The largest one accepted.
        max: u64,
    },
    /// Rows times dimension does not fit in 64 bits.
    Overflow {
        /// Rows promised.
        rows: u64,
        /// Values in each.
        dim: u64,
    },
    /// A row whose own length differs from that of the first.
    RowDim {
        /// The row's position.
        row: u64,
        /// The first row's length.
        want: u64,
        /// This row's length.
        got: i64,
    },
    /// The stored element type has no reader.
    Element {
        /// The type as the file spells it.
        got: String,
        /// Those that have a reader.
        known: &'static str,
    },
    /// Text that does not follow its grammar.
    Syntax {
        /// What had to stand there.
        want: &'static str,
    },
    /// A well-formed file that this reader has no use for.
    Unsupported(&'static str),
    /// A row number that cannot be one.
    Id {
        /// The row that holds it.
        row: u64,
        /// The number.
        got: i128,
        /// One more than the largest number accepted.
        below: u64,
    },
    /// JSON text that is malformed or of another shape than expected.
    Json(serde_json::Error),
    /// The memory for the rows could not be had.
    Memory {
        /// Bytes asked for.
        bytes: u64,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{} at byte {offset}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NotAFile => write!(f, "not a regular file"),
            Self::Extension { known } => {
                write!(f, "no reader for this extension: expected one of {known}, or one with .gz")
            }
            Self::Truncated { want } => write!(f, "the file ends here, expected {want} more bytes"),
            Self::Promise { want, room } => {
                write!(f, "the header promises {want} bytes of rows, at most {room} can follow it")
            }
            Self::TooLong { most } => write!(f, "the text is longer than {most} bytes"),
            Self::Trailing => write!(f, "expected the end of the file after the last row, found more bytes"),
            Self::Magic { want, got } => write!(f, "expected {want}, found the bytes {got:02x?}"),
            Self::Version { major, minor } => write!(f, "format version {major}.{minor} has no reader"),
            Self::Dim { got, max } => write!(f, "expected a dimension of 1 to {max}, found {got}"),
            Self::Overflow { rows, dim } => write!(f, "{rows} rows of {dim} values do not fit in 64 bits"),
            Self::RowDim { row, want, got } => write!(f, "row {row} has {got} values, expected {want} as in row 0"),
            Self::Element { got, known } => write!(f, "element type {got} has no reader, expected one of {known}"),
            Self::Syntax { want } => write!(f, "malformed, expected {want}"),
            Self::Unsupported(what) => write!(f, "{what}"),
            Self::Id { row, got, below } => {
                write!(f, "row {row} holds the row number {got}, expected 0 to below {below}")
            }
            Self::Json(error) => write!(f, "{error}"),
            Self::Memory { bytes } => write!(f, "no memory for {bytes} bytes of rows"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            Problem::Json(error) => Some(error),
            Problem::NotAFile
            | Problem::Extension { .. }
            | Problem::Truncated { .. }
            | Problem::Promise { .. }
            | Problem::TooLong { .. }
            | Problem::Trailing
            | Problem::Magic { .. }
            | Problem::Version { .. }
            | Problem::Dim { .. }
            | Problem::Overflow { .. }
            | Problem::RowDim { .. }
            | Problem::Element { .. }
            | Problem::Syntax { .. }
            | Problem::Unsupported(_)
            | Problem::Id { .. }
            | Problem::Memory { .. } => None,
        }
    }
}

/// A data set that cannot be loaded.
#[derive(Debug)]
pub enum DatasetError {
    /// No data set has this name.
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Every name of the list.
        known: String,
    },
    /// The name's sizes are not two numbers within the limits.
    Sizes {
        /// The name that was asked for.
        name: String,
        /// The most values, rows times dimension.
        max: u64,
    },
    /// The files are not on this machine.
    NotInstalled {
        /// The data set.
        name: String,
        /// Where its files were looked for.
        looked: Vec<PathBuf>,
        /// How to get them.
        install: &'static str,
    },
    /// A file could not be read.
    Read(ReadError),
    /// A file of the set says something that its other files deny.
    Mismatch {
        /// The data set, or the file.
        name: String,
        /// The quantity.
        what: &'static str,
        /// Its value by the first account.
        want: u64,
        /// Its value by the second.
        got: u64,
    },
    /// A vector holds a value that is not a number, or is infinite.
    NotFinite {
        /// The data set.
        name: String,
        /// `base` or `queries`.
        part: &'static str,
        /// The row.
        row: usize,
        /// The position in the row.
        position: usize,
    },
    /// Exact neighbours could not be computed.
    Truth(TruthError),
}

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } => write!(f, "no data set is named `{name}`: expected one of {known}"),
            Self::Sizes { name, max } => {
                write!(
                    f,
                    "`{name}`: expected positive numbers in the places of <n> and <d>, and at most {max} values in all"
                )
            }
            Self::NotInstalled { name, looked, install } => {
                write!(f, "data set `{name}` is not installed; looked for")?;
                for (i, path) in looked.iter().enumerate() {
                    write!(f, "{} {}", if i == 0 { "" } else { "," }, path.display())?;
                }
                write!(f, "; to get it: {install}")
            }
            Self::Read(error) => write!(f, "{error}"),
            Self::Mismatch { name, what, want, got } => write!(f, "`{name}`: {what} is {got}, expected {want}"),
            Self::NotFinite { name, part, row, position } => {
                write!(f, "`{name}`: {part} row {row} holds no finite number at position {position}")
            }
            Self::Truth(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for DatasetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Truth(error) => Some(error),
            Self::Unknown { .. }
            | Self::Sizes { .. }
            | Self::NotInstalled { .. }
            | Self::Mismatch { .. }
            | Self::NotFinite { .. } => None,
        }
    }
}

impl From<ReadError> for DatasetError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<TruthError> for DatasetError {
    fn from(error: TruthError) -> Self {
        Self::Truth(error)
    }
}
