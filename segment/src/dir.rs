//! `Dir`, the only door to files: what is durable goes through it, so that tests can lose what a crash would lose.
//!
//! Paths are relative to the directory's root and use `/`. A file's bytes are durable after [`DirFile::sync_data`] (with
//! its length) and its name after [`Dir::sync_dir`] of the folder that holds it; before that a crash may lose either,
//! in part and in any order, save that the changes of one folder keep their order. Folders are made as needed and are
//! durable at once; [`Dir::remove_dir`] removes empty ones.

mod crash;
mod fs;
mod mem;

pub use crash::CrashDir;
pub use fs::FsDir;
pub use mem::MemDir;

use crate::pread::{self, Pread};
use elanus_index::Blob;
use elanus_index::read_at::ReadAt;
use std::fmt::Debug;
use std::io::{self, ErrorKind};

/// A tree of files.
pub trait Dir: Send + Sync + Debug {
    /// Makes a new, empty file and the folders above it.
    ///
    /// # Errors
    /// `AlreadyExists` if there is such a file; `InvalidInput` if the path is not of the allowed form.
    fn create(&self, path: &str) -> io::Result<Box<dyn DirFile>>;

    /// Opens an existing file to read and write.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open(&self, path: &str) -> io::Result<Box<dyn DirFile>>;

    /// The bytes of a finished file, aligned to 64 bytes or better. Nobody may write to the file from now on; it may be
    /// removed or renamed, which leaves the bytes as they are.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn map(&self, path: &str) -> io::Result<Blob>;

    /// Reads a finished file without mapping it, several reads at a time, by the fastest way that the system permits. As
    /// for [`Dir::map`], nobody may write to the file from now on.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn reader(&self, path: &str) -> io::Result<std::sync::Arc<dyn ReadAt>> {
        Ok(std::sync::Arc::new(Pread::new(self.open(path)?, pread::THREADS)?))
    }

    /// Gives a file another name, at once for every reader; a file that had that name is replaced.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Whoever has it open or mapped keeps its bytes.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes a folder without names; a missing one is fine. Files are made in it all the same, also at the same time:
    /// the folder is there again then. A crash may bring it back until the folder that held it is synced.
    ///
    /// # Errors
    /// `DirectoryNotEmpty` if there is a file or folder in it.
    fn remove_dir(&self, folder: &str) -> io::Result<()>;

    /// Names in a folder, sorted: files, and folders with a `/` at the end. `""` is the root. A missing folder has no
    /// names; a folder without files may be listed or not.
    ///
    /// # Errors
    /// Those of the device.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Whether there is a file of that name.
    fn exists(&self, path: &str) -> bool;

    /// Length of a file in bytes.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn len(&self, path: &str) -> io::Result<u64>;

    /// Makes the names in a folder durable: files created, renamed and removed there. A missing folder has none.
    ///
    /// # Errors
    /// Those of the device; what was not synced may or may not be durable then.
    fn sync_dir(&self, folder: &str) -> io::Result<()>;

    /// Locks a path until the returned value is dropped or the process ends. The file is made if it is missing and
    /// stays.
    ///
    /// # Errors
    /// `WouldBlock` if somebody else, in this process or another, has the lock.
    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>>;
}

/// An open file.
pub trait DirFile: Send + Sync + Debug {
    /// Length in bytes.
    ///
    /// # Errors
    /// Those of the device.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is no byte.
    ///
    /// # Errors
    /// Those of the device.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buf` from that place on.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before `buf` is full.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Writes all bytes from that place on; a gap behind the old end reads as zeros.
    ///
    /// # Errors
    /// Those of the device; any part may have been written then.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or fills it up with zeros.
    ///
    /// # Errors
    /// Those of the device.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes bytes and length durable.
    ///
    /// # Errors
    /// Those of the device. What was written since the last success may be lost then, whatever a later sync says.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes bytes, length and the file's other properties (times, mode) durable.
    ///
    /// # Errors
    /// As for [`DirFile::sync_data`].
    fn sync_all(&self) -> io::Result<()>;
}

/// Checks a file's path: relative, no empty part, no `.` or `..`, no backslash or NUL.
pub(crate) fn check_path(path: &str) -> io::Result<&str> {
    let sound = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0', ':']);
    if path.split('/').all(sound) {
        return Ok(path);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, format!("path {path:?} is not of the form folder/file")))
}

/// Checks a folder's path, which may be empty (the root).
pub(crate) fn check_folder(folder: &str) -> io::Result<&str> {
    if folder.is_empty() { Ok(folder) } else { check_path(folder) }
}

/// The folders above a path, the closest first, without the root.
pub(crate) fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rsplit_once('/'), |(folder, _)| folder.rsplit_once('/')).map(|(folder, _)| folder)
}

/// The folder that holds a path; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("no file {path}"))
}

fn not_empty(folder: &str) -> io::Error {
    io::Error::new(ErrorKind::DirectoryNotEmpty, format!("folder {folder} is not empty"))
}

/// Adds the path to an error that does not name it.
fn naming(path: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{path}: {error}"))
}

#[cfg(test)]
mod tests;
