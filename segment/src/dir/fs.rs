//! A folder of the file system.
#![allow(clippy::disallowed_methods, reason = "this is the door that the ban points to")]

use super::{Dir, DirFile, check_folder, check_path, naming};
#[cfg(all(feature = "uring", target_os = "linux"))]
use crate::pread::{self, Pread};
use elanus_index::Blob;
#[cfg(all(feature = "uring", target_os = "linux"))]
use elanus_index::read_at::ReadAt;
use parking_lot::Mutex;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
#[cfg(all(feature = "uring", target_os = "linux"))]
use std::sync::Arc;

/// Files under one folder of the file system.
#[derive(Debug)]
pub struct FsDir {
    root: PathBuf,
    /// Held while folders are made or removed, until what they were made for is in them.
    folders: Mutex<()>,
}

impl FsDir {
    /// The files under that folder, which is made (when first needed) if it is missing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), folders: Mutex::new(()) }
    }

    fn at(&self, path: &str) -> io::Result<PathBuf> {
        Ok(self.root.join(check_path(path)?))
    }
}

impl Dir for FsDir {
    fn create(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        let at = self.at(path)?;
        let create = || OpenOptions::new().read(true).write(true).create_new(true).open(&at);
        let file = match create() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let _alone = self.folders.lock();
                make_folder(at.parent().unwrap_or(&self.root)).map_err(naming(path))?;
                create()
            }
            other => other,
        };
        Ok(Box::new(FsFile { file: file.map_err(naming(path))? }))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.at(path)?).map_err(naming(path))?;
        Ok(Box::new(FsFile { file }))
    }

    fn map(&self, path: &str) -> io::Result<Blob> {
        let file = File::open(self.at(path)?).map_err(naming(path))?;
        crate::map::map_file(&file).map_err(naming(path))
    }

    #[cfg(all(feature = "uring", target_os = "linux"))]
    fn reader(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        match crate::uring::Uring::open(&self.at(path)?) {
            Ok(reader) => Ok(Arc::new(reader)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(naming(path)(error)),
            // Containers often forbid rings, and old systems have none.
            Err(error) => {
                let reader = Pread::new(self.open(path)?, pread::THREADS)?;
                Ok(Arc::new(reader.because(format!("io_uring: {error}"))))
            }
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from_path, to_path) = (self.at(from)?, self.at(to)?);
        // A missing target folder and a missing source both say `NotFound`.
        if !self.exists(from) {
            return Err(super::not_found(from));
        }
        let _alone = self.folders.lock();
        make_folder(to_path.parent().unwrap_or(&self.root)).map_err(naming(to))?;
        fs::rename(from_path, to_path).map_err(naming(from))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path)?).map_err(naming(path))
    }

    fn remove_dir(&self, folder: &str) -> io::Result<()> {
        let at = self.at(folder)?;
        let _alone = self.folders.lock();
        match fs::remove_dir(at) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(naming(folder)),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(check_folder(folder)?)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(naming(folder))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(naming(folder))?;
            // No path of ours can name a file whose name is not UTF-8.
            let Ok(mut name) = entry.file_name().into_string() else { continue };
            if entry.file_type().map_err(naming(folder))?.is_dir() {
                name.push('/');
            }
            names.push(name);
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &str) -> bool {
        self.at(path).is_ok_and(|path| path.is_file())
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.at(path)?).map_err(naming(path))?.len())
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        match sync_folder(&self.root.join(check_folder(folder)?)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(naming(folder)),
        }
    }

    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>> {
        let at = self.at(path)?;
        let _alone = self.folders.lock();
        make_folder(at.parent().unwrap_or(&self.root)).map_err(naming(path))?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(at);
        let file = file.map_err(naming(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(ErrorKind::WouldBlock, format!("{path} is locked by somebody else")))
            }
            Err(TryLockError::Error(error)) => Err(naming(path)(error)),
        }
    }
}

/// Makes a folder and those above it, durably: a file in a folder that a crash forgets would be lost with it.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// There is no such call here: the file system orders changes of names itself.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[derive(Debug)]
struct FsFile {
    file: File,
}

impl DirFile for FsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, buf, offset)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => {
                    buf = &mut buf[count..];
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(&self.file, bytes, offset)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                count => {
                    bytes = &bytes[count..];
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
