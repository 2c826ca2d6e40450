//! A tree of files in memory.

use super::{Dir, DirFile, check_folder, check_path, folders_of, not_empty, not_found};
use elanus_index::Blob;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// Files in memory; clones share them. There is nothing to sync: bytes live as long as the last clone.
#[derive(Debug, Clone, Default)]
pub struct MemDir {
    tree: Arc<Mutex<Tree>>,
    locks: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Debug, Default)]
struct Tree {
    files: BTreeMap<String, Arc<MemFile>>,
    /// Those above the files, and those that had files; without the root.
    folders: BTreeSet<String>,
}

impl Tree {
    fn insert(&mut self, path: &str, file: Arc<MemFile>) {
        self.folders.extend(folders_of(path).map(str::to_owned));
        self.files.insert(path.to_owned(), file);
    }
}

impl MemDir {
    /// No file.
    pub fn new() -> Self {
        Self::default()
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.tree.lock().files.keys().cloned().collect()
    }

    /// The paths of all folders, sorted, without the root.
    pub fn folders(&self) -> Vec<String> {
        self.tree.lock().folders.iter().cloned().collect()
    }

    /// All bytes of a file.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        Ok(self.find(path)?.bytes.read().clone())
    }

    /// Puts a file there, in place of one of that name.
    ///
    /// # Errors
    /// `InvalidInput` if the path is not of the allowed form.
    pub fn put(&self, path: &str, bytes: Vec<u8>) -> io::Result<()> {
        let file = Arc::new(MemFile { bytes: RwLock::new(bytes) });
        self.tree.lock().insert(check_path(path)?, file);
        Ok(())
    }

    /// Makes a folder and those above it.
    pub(super) fn make_folder(&self, folder: &str) {
        self.tree.lock().folders.extend(folders_of(folder).chain([folder]).map(str::to_owned));
    }

    pub(super) fn has_folder(&self, folder: &str) -> bool {
        folder.is_empty() || self.tree.lock().folders.contains(folder)
    }

    pub(super) fn find(&self, path: &str) -> io::Result<Arc<MemFile>> {
        self.tree.lock().files.get(check_path(path)?).cloned().ok_or_else(|| not_found(path))
    }

    pub(super) fn make(&self, path: &str) -> io::Result<Arc<MemFile>> {
        let mut tree = self.tree.lock();
        if tree.files.contains_key(check_path(path)?) {
            return Err(io::Error::new(ErrorKind::AlreadyExists, format!("there is a file {path}")));
        }
        let file = Arc::<MemFile>::default();
        tree.insert(path, Arc::clone(&file));
        Ok(file)
    }
}

impl Dir for MemDir {
    fn create(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        Ok(Box::new(MemHandle(self.make(path)?)))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        Ok(Box::new(MemHandle(self.find(path)?)))
    }

    fn map(&self, path: &str) -> io::Result<Blob> {
        Ok(crate::map::aligned(&self.find(path)?.bytes.read()))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_path(to)?;
        let mut tree = self.tree.lock();
        let file = tree.files.remove(check_path(from)?).ok_or_else(|| not_found(from))?;
        tree.insert(to, file);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let file = self.tree.lock().files.remove(check_path(path)?);
        file.map(drop).ok_or_else(|| not_found(path))
    }

    fn remove_dir(&self, folder: &str) -> io::Result<()> {
        let mut tree = self.tree.lock();
        if tree.files.contains_key(check_path(folder)?) {
            return Err(io::Error::new(ErrorKind::NotADirectory, format!("{folder} is a file")));
        }
        let inner = format!("{folder}/");
        let holds = |next: Option<&String>| next.is_some_and(|path| path.starts_with(&inner));
        if holds(tree.files.range(inner.clone()..).next().map(|(path, _)| path))
            || holds(tree.folders.range(inner.clone()..).next())
        {
            return Err(not_empty(folder));
        }
        tree.folders.remove(folder);
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = if check_folder(folder)?.is_empty() { String::new() } else { format!("{folder}/") };
        let mut names = BTreeSet::new();
        let tree = self.tree.lock();
        let inside = |path: &String| path.strip_prefix(&prefix).filter(|rest| !rest.contains('/')).map(str::to_owned);
        names.extend(tree.files.keys().filter_map(inside));
        names.extend(tree.folders.iter().filter_map(inside).map(|folder| format!("{folder}/")));
        Ok(names.into_iter().collect())
    }

    fn exists(&self, path: &str) -> bool {
        self.tree.lock().files.contains_key(path)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(self.find(path)?.bytes.read().len() as u64)
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        check_folder(folder).map(drop)
    }

    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>> {
        check_path(path)?;
        if !self.locks.lock().insert(path.to_owned()) {
            return Err(io::Error::new(ErrorKind::WouldBlock, format!("{path} is locked by somebody else")));
        }
        let mut tree = self.tree.lock();
        if !tree.files.contains_key(path) {
            tree.insert(path, Arc::default());
        }
        Ok(Box::new(MemLock { locks: Arc::clone(&self.locks), path: path.to_owned() }))
    }
}

#[derive(Debug)]
struct MemLock {
    locks: Arc<Mutex<BTreeSet<String>>>,
    path: String,
}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.locks.lock().remove(&self.path);
    }
}

#[derive(Debug, Default)]
pub(super) struct MemFile {
    pub(super) bytes: RwLock<Vec<u8>>,
}

/// Places of a file as places of a vector.
fn place(offset: u64, len: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok();
    let range = start.and_then(|start| Some(start..start.checked_add(len)?));
    range.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, format!("{len} bytes at {offset} are too far")))
}

impl MemFile {
    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.read();
        let part = bytes.get(place(offset, buf.len())?).ok_or(ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(part);
        Ok(())
    }

    pub(super) fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        let range = place(offset, from.len())?;
        let mut bytes = self.bytes.write();
        if !from.is_empty() {
            if bytes.len() < range.end {
                bytes.resize(range.end, 0);
            }
            bytes[range].copy_from_slice(from);
        }
        Ok(())
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        let end = place(len, 0)?.end;
        self.bytes.write().resize(end, 0);
        Ok(())
    }
}

#[derive(Debug)]
struct MemHandle(Arc<MemFile>);

impl DirFile for MemHandle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.read().len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}
