//! The write-ahead log: an endless sequence of records that are durable once appended.

use std::fmt::Debug;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use elanus_segment::dir::Dir;

use crate::error::ErrorKind;

mod file;
mod mem;
pub mod record;

pub use file::{Cut, FileWal};
pub use mem::MemWal;

/// The number of a record: the first record ever appended is 1 and each one after it is one more.
pub type Lsn = u64;

/// The number of the first record of a fresh log.
pub const FIRST_LSN: Lsn = 1;

/// The longest payload of one record, in bytes.
pub const MAX_RECORD_BYTES: usize = 512 << 20;

/// An append-only log with one writer. Framing, checksums and recovery are a backend's own; joining the appends of
/// many writers into groups is its caller's.
pub trait Wal: Send + Sync + Debug {
    /// Appends `records` in order with consecutive numbers and returns those; all of them are durable then. An error
    /// leaves open which of them will be there after the log is opened again, but they are a prefix of `records`.
    ///
    /// # Errors
    /// A record longer than [`MAX_RECORD_BYTES`] is refused and nothing is written. A write that finds no room is taken
    /// back, and later appends may succeed. After any other error every later append fails with
    /// [`WalError::Poisoned`].
    fn append(&self, records: &[&[u8]]) -> Result<Range<Lsn>, WalError>;

    /// Shows the records from `from` on to `visit`, in order, until it breaks off or the records that were durable at
    /// the call have all been shown; returns the number after the last one shown, `from` if there was none.
    ///
    /// # Errors
    /// [`WalError::Forgotten`] if `from` was truncated, [`WalError::Beyond`] if it lies past the end, and
    /// [`WalError::Corrupt`] where the bytes are not what was written.
    fn read(&self, from: Lsn, visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>) -> Result<Lsn, WalError>;

    /// Lets the log forget records below `upto`; how many it does forget is its choice, and [`Wal::first`] tells.
    ///
    /// # Errors
    /// [`WalError::Beyond`] if `upto` lies past the end, or the error of the file that could not be removed.
    fn truncate(&self, upto: Lsn) -> Result<(), WalError>;

    /// The number of the first record that can be read, or of the next one to be appended if there is none.
    fn first(&self) -> Lsn;

    /// The number that the next record will get.
    fn next(&self) -> Lsn;

    /// How many bytes the log takes; truncating makes it fewer.
    fn size_bytes(&self) -> u64;
}

/// What a log is opened with.
#[derive(Clone, Copy, Debug)]
pub struct WalSettings {
    /// A file that has grown past this is followed by a fresh one.
    pub file_bytes: u64,
    /// Enters every checksum of the files made from now on, so that no bytes stored by a client can pass for records.
    pub salt: u32,
}

impl Default for WalSettings {
    /// Files of 64 MiB and a salt that nobody can foresee.
    fn default() -> Self {
        let [a, b, c, d, ..] = crate::env::entropy().to_le_bytes();
        Self { file_bytes: 64 << 20, salt: u32::from_le_bytes([a, b, c, d]) }
    }
}

/// Why the log could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// A file operation failed.
    #[error("could not {action} write-ahead log file {file:?}: {source}")]
    Io {
        /// What was being done: a verb.
        action: &'static str,
        /// The path within the directory.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes of a file are not what was written.
    #[error("write-ahead log file {file:?} is corrupt at byte {offset}: {what}")]
    Corrupt {
        /// The path within the directory.
        file: String,
        /// Where in the file the damage begins.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A file was written by a later format than this build knows.
    #[error("write-ahead log file {file:?} has format {found}, this build reads up to {known}")]
    Newer {
        /// The path within the directory.
        file: String,
        /// The format of the file.
        found: u32,
        /// The latest format known.
        known: u32,
    },
    /// An earlier write or sync failed, so what is on disk is not known until the log is opened again.
    #[error("the write-ahead log accepts nothing more after a failed write; reopen it")]
    Poisoned,
    /// The record is longer than a record may be.
    #[error("record of {len} bytes is longer than {limit}")]
    TooLong {
        /// Length of the record.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The record was truncated.
    #[error("record {wanted} was truncated, the log begins at {first}")]
    Forgotten {
        /// The record asked for.
        wanted: Lsn,
        /// The first one there is.
        first: Lsn,
    },
    /// The record was not written yet.
    #[error("record {wanted} is past the end of the log, the next record is {next}")]
    Beyond {
        /// The record asked for.
        wanted: Lsn,
        /// The number of the next record.
        next: Lsn,
    },
}

impl WalError {
    /// Who must act.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => ErrorKind::Exhausted,
            Self::Io { .. } | Self::Poisoned => ErrorKind::Unavailable,
            Self::Corrupt { .. } | Self::Newer { .. } => ErrorKind::Corrupt,
            Self::TooLong { .. } => ErrorKind::InvalidArgument,
            Self::Forgotten { .. } | Self::Beyond { .. } => ErrorKind::NotFound,
        }
    }
}

/// Refuses reading from `from` where the log holds `held`; its end itself is allowed.
fn check_from(from: Lsn, held: &Range<Lsn>) -> Result<(), WalError> {
    if from < held.start {
        return Err(WalError::Forgotten { wanted: from, first: held.start });
    }
    if from > held.end {
        return Err(WalError::Beyond { wanted: from, next: held.end });
    }
    Ok(())
}

/// Refuses records longer than the limit.
fn check_lengths(records: &[&[u8]]) -> Result<(), WalError> {
    match records.iter().find(|record| record.len() > MAX_RECORD_BYTES) {
        Some(record) => Err(WalError::TooLong { len: record.len(), limit: MAX_RECORD_BYTES }),
        None => Ok(()),
    }
}

/// How a kind of log is opened.
pub type OpenWal = fn(Arc<dyn Dir>, WalSettings) -> Result<Arc<dyn Wal>, WalError>;

/// One kind of log.
#[derive(Debug)]
pub struct WalBackend {
    /// The name in a URL, before `://`.
    pub scheme: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// Opens the log in a directory, and creates it if there is none.
    pub open: OpenWal,
}

/// Every kind of log, the default first.
pub static WALS: &[WalBackend] = &[
    WalBackend {
        scheme: "file",
        summary: "numbered files in the data directory, synced once per group",
        open: |dir, settings| Ok(Arc::new(FileWal::open(dir, settings)?)),
    },
    WalBackend {
        scheme: "mem",
        summary: "memory only: nothing survives the process",
        open: |_dir, _settings| Ok(Arc::new(MemWal::default())),
    },
];

#[cfg(test)]
mod tests;
