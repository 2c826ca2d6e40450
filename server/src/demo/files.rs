//! The demo's folder: made, measured, removed.
#![allow(clippy::disallowed_methods, reason = "the demo makes, measures and removes one folder of its own")]

use std::io;
use std::path::{Path, PathBuf};

/// A folder that is removed with everything in it when dropped.
#[derive(Debug)]
pub(super) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(super) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("elanus-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("elanus: {} was not removed: {error}", self.0.display());
        }
    }
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The sizes of what lies in a data folder.
pub(super) fn describe(folder: &Path) -> io::Result<String> {
    let mut parts = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let bytes = bytes_in(&entry.path())?;
        if bytes > 0 {
            parts.push(format!("{} {}", entry.file_name().display(), size(bytes)));
        }
    }
    Ok(parts.join(", "))
}

fn bytes_in(path: &Path) -> io::Result<u64> {
    if !path.is_dir() {
        return Ok(path.metadata()?.len());
    }
    std::fs::read_dir(path)?.map(|entry| bytes_in(&entry?.path())).sum()
}
