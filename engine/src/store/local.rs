//! Objects as files of one folder tree.
//!
//! An object is written under a name that no object can have, synced, and then renamed, so that a crash at any moment
//! leaves it whole or not at all; what is left of unfinished ones is removed when the store is opened. A folder goes with
//! the last object in it.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use elanus_index::Blob;
use elanus_index::read_at::ReadAt;
use elanus_segment::dir::{Dir, DirFile};
use parking_lot::Mutex;

use super::{Fill, Store, StoreError, check_name, folders_of, io_error};

/// The folder of all objects.
const FOLDER: &str = "objects";

/// Stands in the names of unfinished files; no object's name has it.
const UNFINISHED: char = '~';

const WRITE_BYTES: usize = 1 << 20;

/// Objects as files. It takes no lock: whoever opens it makes sure that nobody else has.
#[derive(Debug)]
pub struct LocalStore {
    dir: Arc<dyn Dir>,
    unfinished: AtomicU64,
    /// Held while a name is checked and taken.
    naming: Mutex<()>,
    /// Held while an object and the folders that it leaves empty are removed: a folder may go only when what was removed
    /// in it is durable, because it cannot be synced after that.
    removing: Mutex<()>,
}

impl LocalStore {
    /// Opens the objects in the folder `objects` of a directory and removes what is left of unfinished ones, and
    /// empty folders.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the folder cannot be read or cleaned.
    pub fn open(dir: Arc<dyn Dir>) -> Result<Self, StoreError> {
        let (files, folders) = walk(&*dir, FOLDER).map_err(io_error("list", ""))?;
        for path in files {
            if path.contains(UNFINISHED) {
                dir.remove(&path).map_err(io_error("remove unfinished", &path))?;
            }
        }
        // Those inside before those that hold them.
        for folder in folders.iter().rev() {
            remove_if_empty(&*dir, folder);
        }
        Ok(Self { dir, unfinished: AtomicU64::new(0), naming: Mutex::new(()), removing: Mutex::new(()) })
    }

    /// Removes an unfinished file. What cannot be removed now is removed at the next open.
    fn give_up(&self, path: &str) {
        let _alone = self.removing.lock();
        if self.dir.exists(path)
            && let Err(error) = self.dir.remove(path)
        {
            tracing::warn!(path, %error, "an unfinished object stays until the next start");
        }
        self.prune(path);
    }

    /// Removes the folders that a removed file left empty.
    fn prune(&self, path: &str) {
        let mut folder = folder_of(path);
        while folder != FOLDER && remove_if_empty(&*self.dir, folder) {
            folder = folder_of(folder);
        }
    }

    fn write(&self, path: &str, name: &str, fill: &mut Fill<'_>) -> Result<u64, StoreError> {
        let file = self.dir.create(path).map_err(io_error("create", name))?;
        let mut out = io::BufWriter::with_capacity(WRITE_BYTES, Appender { file: &*file, at: 0 });
        fill(&mut out).and_then(|()| out.flush()).map_err(io_error("write", name))?;
        let len = out.get_ref().at;
        file.sync_all().map_err(io_error("sync", name))?;
        Ok(len)
    }

    /// Refuses a name that an object has or that could not be a path beside the others.
    fn refuse_taken(&self, name: &str) -> Result<(), StoreError> {
        let taken = |name: &str| Err(StoreError::Exists { name: name.to_owned() });
        for other in std::iter::once(name).chain(folders_of(name)) {
            if self.dir.exists(&format!("{FOLDER}/{other}")) {
                return taken(other);
            }
        }
        match self.dir.list(&format!("{FOLDER}/{name}")).map_err(io_error("list", name))?.first() {
            Some(below) => taken(&format!("{name}/{below}")),
            None => Ok(()),
        }
    }

    /// Gives a finished file its name.
    fn publish(&self, from: &str, to: &str, name: &str) -> Result<(), StoreError> {
        {
            let _alone = self.naming.lock();
            self.refuse_taken(name)?;
            self.dir.rename(from, to).map_err(io_error("name", name))?;
        }
        self.dir.sync_dir(folder_of(to)).map_err(io_error("sync the folder of", name))
    }
}

/// Writes one piece after the other.
struct Appender<'a> {
    file: &'a dyn DirFile,
    at: u64,
}

impl Write for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn path_of(name: &str) -> Result<String, StoreError> {
    check_name(name)?;
    Ok(format!("{FOLDER}/{name}"))
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a folder could be removed. An empty one does no harm, so a failure is not one of the caller.
fn remove_if_empty(dir: &dyn Dir, folder: &str) -> bool {
    match dir.remove_dir(folder) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => false,
        Err(error) => {
            tracing::warn!(folder, %error, "an empty folder stays until the next start");
            false
        }
    }
}

/// The paths of all files under a folder, and of all folders, each sorted.
fn walk(dir: &dyn Dir, folder: &str) -> io::Result<(Vec<String>, Vec<String>)> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let mut next = vec![folder.to_owned()];
    while let Some(folder) = next.pop() {
        for entry in dir.list(&folder)? {
            match entry.strip_suffix('/') {
                Some(inner) => {
                    folders.push(format!("{folder}/{inner}"));
                    next.push(format!("{folder}/{inner}"));
                }
                None => files.push(format!("{folder}/{entry}")),
            }
        }
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok((files, folders))
}

impl Store for LocalStore {
    fn put(&self, name: &str, fill: &mut Fill<'_>) -> Result<u64, StoreError> {
        let to = path_of(name)?;
        self.refuse_taken(name)?;
        let from = format!("{to}{UNFINISHED}{}", self.unfinished.fetch_add(1, Ordering::Relaxed));
        let put = self.write(&from, name, fill).and_then(|len| self.publish(&from, &to, name).map(|()| len));
        // The first error is the one to tell.
        if put.is_err() {
            self.give_up(&from);
        }
        put
    }

    fn open(&self, name: &str) -> Result<Blob, StoreError> {
        match self.dir.map(&path_of(name)?) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::NotFound { name: name.to_owned() }),
            other => other.map_err(io_error("map", name)),
        }
    }

    fn reader(&self, name: &str) -> Result<Arc<dyn ReadAt>, StoreError> {
        match self.dir.reader(&path_of(name)?) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::NotFound { name: name.to_owned() }),
            other => other.map_err(io_error("open", name)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        // Only the folder that holds the prefix can hold names that begin with it.
        let folder = folder_of(prefix);
        let sound = folder.is_empty() || check_name(folder).is_ok();
        if !sound {
            return Ok(Vec::new());
        }
        let top = if folder.is_empty() { FOLDER.to_owned() } else { format!("{FOLDER}/{folder}") };
        let mut found = Vec::new();
        for path in walk(&*self.dir, &top).map_err(io_error("list", prefix))?.0 {
            let Some(name) = path.strip_prefix(FOLDER).and_then(|name| name.strip_prefix('/')) else { continue };
            if !name.starts_with(prefix) || check_name(name).is_err() {
                continue;
            }
            match self.dir.len(&path) {
                Ok(len) => found.push((name.to_owned(), len)),
                // Deleted since the folder was read.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(io_error("list", name)(error)),
            }
        }
        Ok(found)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        let path = path_of(name)?;
        let _alone = self.removing.lock();
        match self.dir.remove(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.map_err(io_error("delete", name))?,
        }
        self.dir.sync_dir(folder_of(&path)).map_err(io_error("sync the folder of", name))?;
        self.prune(&path);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
