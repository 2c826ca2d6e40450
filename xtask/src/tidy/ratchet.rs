//! The list of sizes that are tolerated although they pass a limit; it may only shrink.

use std::fs;
use std::path::Path;

use super::{Complaint, Oversize};
use crate::Fallible;

pub(super) const LIST: &str = "xtask/ratchet.txt";

/// One line of the list: `file PATH SIZE` or `fn PATH NAME SIZE`.
#[derive(Debug)]
struct Entry {
    kind: String,
    path: String,
    name: String,
    size: usize,
    line: usize,
}

pub(super) fn check(root: &Path, measured: &[Oversize], complaints: &mut Vec<Complaint>) -> Fallible<()> {
    let path = root.join(LIST);
    let text = if path.exists() {
        fs::read_to_string(&path).map_err(|e| format!("cannot read {LIST}: {e}"))?
    } else {
        String::new()
    };
    compare(&text, measured, complaints)
}

pub(super) fn compare(list: &str, measured: &[Oversize], complaints: &mut Vec<Complaint>) -> Fallible<()> {
    let entries = parse(list)?;
    for over in measured {
        let what = if over.kind == "fn" { format!("function `{}`", over.name) } else { "file".to_owned() };
        let entry = entries.iter().find(|e| e.kind == over.kind && e.path == over.path && e.name == over.name);
        match entry {
            None => complaints.push(Complaint::at(
                &over.path,
                over.line,
                format!("{what} has {} lines of code, at most {} are allowed", over.size, over.limit),
            )),
            Some(entry) if over.size > entry.size => complaints.push(Complaint::at(
                &over.path,
                over.line,
                format!("{what} has grown to {} lines of code; {LIST} tolerates {}", over.size, entry.size),
            )),
            Some(entry) if over.size < entry.size => complaints.push(Complaint::at(
                LIST,
                entry.line,
                format!("{what} in {} has shrunk: lower the entry to {}", over.path, over.size),
            )),
            Some(_) => {}
        }
    }
    for entry in &entries {
        if !measured.iter().any(|o| o.kind == entry.kind && o.path == entry.path && o.name == entry.name) {
            let text = format!("{} {} is within its limit or gone: remove the entry", entry.path, entry.name);
            complaints.push(Complaint::at(LIST, entry.line, text));
        }
    }
    Ok(())
}

fn parse(list: &str) -> Fallible<Vec<Entry>> {
    let mut entries = Vec::new();
    for (index, line) in list.lines().enumerate() {
        let line_number = index + 1;
        let parts: Vec<&str> = line.split_whitespace().collect();
        let (kind, path, name, size) = match parts.as_slice() {
            [] => continue,
            [first, ..] if first.starts_with('#') => continue,
            ["file", path, size] => ("file", *path, "", *size),
            ["fn", path, name, size] => ("fn", *path, *name, *size),
            _ => return Err(format!("{LIST}:{line_number}: expected `file PATH SIZE` or `fn PATH NAME SIZE`")),
        };
        let size = size.parse().map_err(|e| format!("{LIST}:{line_number}: size `{size}`: {e}"))?;
        entries.push(Entry {
            kind: kind.to_owned(),
            path: path.to_owned(),
            name: name.to_owned(),
            size,
            line: line_number,
        });
    }
    Ok(entries)
}
