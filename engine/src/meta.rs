//! The catalog's storage: a small ordered map from keys to values, changed by conditional, atomic, durable commits.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use elanus_segment::dir::Dir;

use crate::error::ErrorKind;

mod mem;
mod redb_file;

pub use mem::MemMeta;
pub use redb_file::RedbMeta;

/// Counts the commits that changed something; 0 before the first one.
pub type Rev = u64;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// The longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 << 20;

/// What must hold for a commit to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// There is no such key.
    Absent {
        /// The key.
        key: String,
    },
    /// There is such a key, with any value.
    Present {
        /// The key.
        key: String,
    },
    /// There is such a key, with this value.
    Equals {
        /// The key.
        key: String,
        /// The value it must have.
        value: Vec<u8>,
    },
}

impl Check {
    /// The key that is looked at.
    pub fn key(&self) -> &str {
        match self {
            Self::Absent { key } | Self::Present { key } | Self::Equals { key, .. } => key,
        }
    }

    /// Whether it holds where the key has that value.
    pub fn holds(&self, found: Option<&[u8]>) -> bool {
        match self {
            Self::Absent { .. } => found.is_none(),
            Self::Present { .. } => found.is_some(),
            Self::Equals { value, .. } => found == Some(&**value),
        }
    }
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sets the value of a key.
    Put {
        /// The key.
        key: String,
        /// Its value from now on.
        value: Vec<u8>,
    },
    /// Removes a key; a missing one is fine.
    Delete {
        /// The key.
        key: String,
    },
}

impl Op {
    /// The key that is changed.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// An ordered map from keys to values.
pub trait Meta: Send + Sync + Debug {
    /// The value of a key.
    ///
    /// # Errors
    /// Those of the storage.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, MetaError>;

    /// The keys that begin with `prefix`, in the order of their bytes, with their values; all of one moment.
    ///
    /// # Errors
    /// Those of the storage.
    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, MetaError>;

    /// Applies `ops` in order if all `checks` hold, all or nothing; durable when it returns. Without `ops` it only
    /// checks, and the revision stays.
    ///
    /// # Errors
    /// [`MetaError::Conflict`] names the first check that does not hold; [`MetaError::KeyLength`] and
    /// [`MetaError::ValueLength`] refuse what is too long, and nothing has changed then. After any other error it is not
    /// known whether the commit happened, and everything fails with [`MetaError::Poisoned`]: until it is opened again, or,
    /// if the disk was full, until a commit finds room and the failed one turns out not to have happened. So a commit
    /// that succeeds after a failed one never builds on it.
    fn commit(&self, checks: &[Check], ops: &[Op]) -> Result<Rev, MetaError>;

    /// How many commits have changed something.
    ///
    /// # Errors
    /// Those of the storage.
    fn rev(&self) -> Result<Rev, MetaError>;

    /// Waits for what is under way and ends it: everything fails with [`MetaError::Closed`] then, and nothing is
    /// written to the storage any more, so that somebody else may open it. Closing again does nothing.
    fn close(&self);
}

/// Why the catalog's storage could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// A check of the commit does not hold.
    #[error("catalog key {key:?} has changed")]
    Conflict {
        /// Its key.
        key: String,
    },
    /// The key is empty or too long.
    #[error("catalog key of {len} bytes is outside 1 to {limit}")]
    KeyLength {
        /// Length of the key.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The value is too long.
    #[error("value of {len} bytes for catalog key {key:?} is longer than {limit}")]
    ValueLength {
        /// Its key.
        key: String,
        /// Length of the value.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// A file operation failed.
    #[error("could not {action} catalog file {file:?}: {source}")]
    Io {
        /// What was being done: a verb.
        action: &'static str,
        /// The path within the directory.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes of the file are not what was written.
    #[error("catalog file {file:?} is corrupt: {what}")]
    Corrupt {
        /// The path within the directory.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The file was written by a later format than this build knows.
    #[error("catalog file {file:?} has format {found}, this build reads up to {known}")]
    Newer {
        /// The path within the directory.
        file: String,
        /// The format of the file.
        found: u32,
        /// The latest format known.
        known: u32,
    },
    /// The storage engine inside the file failed.
    #[error("could not {action} catalog file {file:?}: {source}")]
    Engine {
        /// What was being done: a verb.
        action: &'static str,
        /// The path within the directory.
        file: String,
        /// What the storage engine said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An earlier commit failed half-way.
    #[error("the catalog is unusable after a failed commit; reopen it")]
    Poisoned,
    /// It was closed.
    #[error("the catalog is closed")]
    Closed,
}

impl MetaError {
    /// Who must act.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::KeyLength { .. } | Self::ValueLength { .. } => ErrorKind::InvalidArgument,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => ErrorKind::Exhausted,
            Self::Io { .. } | Self::Poisoned | Self::Closed => ErrorKind::Unavailable,
            Self::Corrupt { .. } | Self::Newer { .. } => ErrorKind::Corrupt,
            Self::Engine { .. } => ErrorKind::Internal,
        }
    }
}

/// Refuses keys and values whose length is not allowed.
fn check_lengths(ops: &[Op]) -> Result<(), MetaError> {
    for op in ops {
        let key = op.key();
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(MetaError::KeyLength { len: key.len(), limit: MAX_KEY_BYTES });
        }
        if let Op::Put { value, .. } = op
            && value.len() > MAX_VALUE_BYTES
        {
            return Err(MetaError::ValueLength { key: key.to_owned(), len: value.len(), limit: MAX_VALUE_BYTES });
        }
    }
    Ok(())
}

/// How a kind of storage for the catalog is opened.
pub type OpenMeta = fn(Arc<dyn Dir>) -> Result<Arc<dyn Meta>, MetaError>;

/// One kind of storage for the catalog.
#[derive(Debug)]
pub struct MetaBackend {
    /// The name in a URL, before `://`.
    pub scheme: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// Opens the storage in a directory, and creates it if there is none.
    pub open: OpenMeta,
}

/// Every kind of storage for the catalog, the default first.
pub static METAS: &[MetaBackend] = &[
    MetaBackend {
        scheme: "file",
        summary: "one transactional file in the data directory",
        open: |dir| Ok(Arc::new(RedbMeta::open(dir)?)),
    },
    MetaBackend {
        scheme: "mem",
        summary: "memory only: nothing survives the process",
        open: |_dir| Ok(Arc::new(MemMeta::default())),
    },
];

#[cfg(test)]
mod tests;
