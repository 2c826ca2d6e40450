//! The files of the checkout: where its root is, and a walk that leaves build output alone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Fallible;

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &["target", "node_modules", "__pycache__"];
/// Hidden folders that are ours all the same.
const HIDDEN: &[&str] = &[".ci", ".cargo"];
/// The walk stops here rather than follow a mistake (a build tree under another name) for minutes.
const FILES_MAX: usize = 20_000;

/// The folder that holds the workspace manifest.
pub(crate) fn root() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// One text file, with its path relative to the root and `/` between the parts.
#[derive(Debug)]
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every file below `root` whose name ends in one of `extensions` (`/run` is the whole name), in path order.
pub(crate) fn files(root: &Path, extensions: &[&str]) -> Fallible<Vec<TextFile>> {
    let mut found = Vec::new();
    collect(root, root, extensions, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(root: &Path, folder: &Path, extensions: &[&str], found: &mut Vec<TextFile>) -> Fallible<()> {
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(|e| format!("cannot inspect {}: {e}", entry.path().display()))?;
        if kind.is_dir() {
            let hidden = name.starts_with('.') && !HIDDEN.contains(&name.as_str());
            if !hidden && !SKIPPED.contains(&name.as_str()) {
                collect(root, &entry.path(), extensions, found)?;
            }
        } else if kind.is_file() && extensions.iter().any(|end| format!("/{name}").ends_with(end)) {
            if found.len() >= FILES_MAX {
                return Err(format!(
                    "more than {FILES_MAX} files below {}: is a build tree in the way?",
                    root.display()
                ));
            }
            found.push(read(root, &entry.path())?);
        }
    }
    Ok(())
}

fn read(root: &Path, path: &Path) -> Fallible<TextFile> {
    let bytes = fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let text = String::from_utf8(bytes).map_err(|e| format!("{relative} is not UTF-8: {e}"))?;
    Ok(TextFile { path: relative, text })
}
