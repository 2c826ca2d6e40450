//! The object store: named, immutable objects that appear whole or not at all.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use elanus_index::Blob;
use elanus_index::read_at::{InMemory, ReadAt};
use elanus_segment::dir::Dir;

use crate::error::ErrorKind;

mod local;
mod mem;

pub use local::LocalStore;
pub use mem::MemStore;

/// The longest name of an object, in bytes.
pub const MAX_NAME_BYTES: usize = 512;

/// The longest part of a name between slashes, in bytes.
pub const MAX_PART_BYTES: usize = 128;

/// What fills an object: it writes all bytes, in order, once.
pub type Fill<'a> = dyn FnMut(&mut dyn io::Write) -> io::Result<()> + 'a;

/// Immutable objects by name. A name has parts of lower-case letters, digits, `.`, `_` and `-`, divided by `/`; none
/// begins with `.`.
pub trait Store: Send + Sync + Debug {
    /// Makes an object of what `fill` writes and returns its length; it is durable then. Nobody sees it before.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if there is one of that name, or of a name that is the folder of this one, or if this
    /// name is the folder of others. After an error of the last sync the object may be there, otherwise it is not.
    fn put(&self, name: &str, fill: &mut Fill<'_>) -> Result<u64, StoreError>;

    /// The bytes of an object, which stay as they are even when it is deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    fn open(&self, name: &str) -> Result<Blob, StoreError>;

    /// Reads an object without having all of it in memory, or mapped.
    ///
    /// # Errors
    /// As [`Store::open`].
    fn reader(&self, name: &str) -> Result<Arc<dyn ReadAt>, StoreError> {
        Ok(Arc::new(InMemory::new(self.open(name)?)))
    }

    /// The names that begin with `prefix`, in the order of their bytes, with the lengths of the objects.
    ///
    /// # Errors
    /// Those of the storage.
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError>;

    /// Removes an object; a missing one is fine.
    ///
    /// # Errors
    /// Those of the storage.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}

/// Why the object store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is an object of that name.
    #[error("object {name:?} exists")]
    Exists {
        /// Its name.
        name: String,
    },
    /// There is no object of that name.
    #[error("there is no object {name:?}")]
    NotFound {
        /// The name.
        name: String,
    },
    /// A name is not of the allowed form.
    #[error("object name {name:?} is not made of lower-case letters, digits, '.', '_', '-' and '/' as it should")]
    BadName {
        /// The name.
        name: String,
    },
    /// An operation of the storage, or what fills an object, failed.
    #[error("could not {action} object {name:?}: {source}")]
    Io {
        /// What was being done: a verb.
        action: &'static str,
        /// The name of the object, or the prefix that was listed.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Who must act.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. } => ErrorKind::AlreadyExists,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::BadName { .. } => ErrorKind::InvalidArgument,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => ErrorKind::Exhausted,
            Self::Io { .. } => ErrorKind::Unavailable,
        }
    }
}

fn io_error(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> StoreError {
    let name = name.to_owned();
    move |source| StoreError::Io { action, name, source }
}

/// Refuses names that a storage could read as something else.
fn check_name(name: &str) -> Result<(), StoreError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let part_is_sound = |part: &str| {
        !part.is_empty() && part.len() <= MAX_PART_BYTES && !part.starts_with('.') && part.bytes().all(allowed)
    };
    if name.len() <= MAX_NAME_BYTES && name.split('/').all(part_is_sound) {
        return Ok(());
    }
    Err(StoreError::BadName { name: name.to_owned() })
}

/// The names that are folders of this one, longest first.
fn folders_of(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('/'), |(folder, _)| folder.rsplit_once('/')).map(|(folder, _)| folder)
}

/// How a kind of object store is opened.
pub type OpenStore = fn(Arc<dyn Dir>) -> Result<Arc<dyn Store>, StoreError>;

/// One kind of object store.
#[derive(Debug)]
pub struct StoreBackend {
    /// The name in a URL, before `://`.
    pub scheme: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// Opens the store in a directory.
    pub open: OpenStore,
}

/// Every kind of object store, the default first.
pub static STORES: &[StoreBackend] = &[
    StoreBackend {
        scheme: "file",
        summary: "one file per object in the data directory, mapped when opened",
        open: |dir| Ok(Arc::new(LocalStore::open(dir)?)),
    },
    StoreBackend {
        scheme: "mem",
        summary: "memory only: nothing survives the process",
        open: |_dir| Ok(Arc::new(MemStore::default())),
    },
];

#[cfg(test)]
mod tests;
