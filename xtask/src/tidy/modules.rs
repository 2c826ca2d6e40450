//! Dead files: Rust files that no `mod` declaration and no manifest leads to.

use std::collections::{BTreeMap, BTreeSet};

use super::mask::words;
use super::{Complaint, Source};
use crate::tree::TextFile;

pub(super) fn check(files: &[TextFile], sources: &[Source<'_>], complaints: &mut Vec<Complaint>) {
    let by_path: BTreeMap<&str, &Source<'_>> = sources.iter().map(|s| (s.path(), s)).collect();
    let mut reached = BTreeSet::new();
    let mut open: Vec<(String, String)> = Vec::new();
    for manifest in files.iter().filter(|f| f.path == "Cargo.toml" || f.path.ends_with("/Cargo.toml")) {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        for root in roots(folder, &manifest.text, &by_path) {
            open.push((parent(&root).to_owned(), root));
        }
    }
    while let Some((folder, path)) = open.pop() {
        let Some(source) = by_path.get(path.as_str()) else { continue };
        if !reached.insert(path) {
            continue;
        }
        for child in declared(source, &folder) {
            match child.candidates.iter().find(|c| by_path.contains_key(c.as_str())) {
                Some(found) if child.by_attribute => open.push((parent(found).to_owned(), found.clone())),
                Some(found) => open.push((child_folder(found), found.clone())),
                None => {
                    let text = format!("`mod {}` names no file ({})", child.name, child.candidates.join(" or "));
                    complaints.push(Complaint::at(source.path(), child.line, text));
                }
            }
        }
    }
    for source in sources.iter().filter(|s| !reached.contains(s.path())) {
        complaints.push(Complaint::at(source.path(), 1, "dead file: no `mod` declaration leads here"));
    }
}

/// The files at which a package's crates begin: those cargo finds by itself and those its manifest names.
fn roots(folder: &str, manifest: &str, by_path: &BTreeMap<&str, &Source<'_>>) -> Vec<String> {
    let mut roots: Vec<String> =
        ["src/lib.rs", "src/main.rs", "build.rs"].iter().map(|p| format!("{folder}{p}")).collect();
    for kind in ["src/bin/", "tests/", "benches/", "examples/"] {
        let kind = format!("{folder}{kind}");
        for path in by_path.keys() {
            let Some(below) = path.strip_prefix(&kind) else { continue };
            let nested = below.matches('/').count();
            if nested == 0 || (nested == 1 && below.ends_with("/main.rs")) {
                roots.push((*path).to_owned());
            }
        }
    }
    for quoted in
        manifest.lines().filter(|l| !l.trim_start().starts_with('#')).flat_map(|l| l.split('"').skip(1).step_by(2))
    {
        if quoted.ends_with(".rs") {
            roots.push(normal(&format!("{folder}{quoted}")));
        }
    }
    roots
}

struct Declared {
    name: String,
    line: usize,
    candidates: Vec<String>,
    /// A file named by a `path` attribute has its children beside it.
    by_attribute: bool,
}

/// The modules a file declares without writing them down on the spot; `folder` is where its children live.
fn declared(source: &Source<'_>, folder: &str) -> Vec<Declared> {
    let code = source.masked.code();
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut inline: Vec<(usize, &str)> = Vec::new();
    let (mut depth, mut seen) = (0_usize, 0_usize);
    let tokens: Vec<(usize, &str)> = words(code).collect();
    for pair in tokens.windows(2) {
        let ((at, keyword), (name_at, name)) = (pair[0], pair[1]);
        for byte in &bytes[seen..at] {
            if *byte == b'{' {
                depth += 1;
            } else if *byte == b'}' {
                inline.retain(|(outer, _)| *outer < depth);
                depth = depth.saturating_sub(1);
            }
        }
        seen = at;
        if keyword != "mod" || !code[at + 3..name_at].trim().is_empty() {
            continue;
        }
        let after = code[name_at + name.len()..].trim_start();
        if after.starts_with('{') {
            inline.push((depth + 1, name));
        } else if after.starts_with(';') {
            let mut within = folder.to_owned();
            for (_, outer) in &inline {
                within = format!("{within}{outer}/");
            }
            let attribute = path_attribute(source, at);
            let candidates = match attribute {
                Some(path) => vec![normal(&format!("{}{path}", parent(source.path())))],
                None => vec![format!("{within}{name}.rs"), format!("{within}{name}/mod.rs")],
            };
            let (name, line) = (name.to_owned(), source.masked.line_of(at));
            found.push(Declared { name, line, candidates, by_attribute: attribute.is_some() });
        }
    }
    found
}

/// The value of a `path` attribute that belongs to the `mod` at `at`.
fn path_attribute<'a>(source: &'a Source<'_>, at: usize) -> Option<&'a str> {
    let start = source.masked.code()[..at].rfind([';', '{', '}']).map_or(0, |p| p + 1);
    let (_, rest) = source.file.text.get(start..at)?.split_once("#[path")?;
    rest.split('"').nth(1)
}

fn parent(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// Where the children of a module's file live: `a/foo.rs` has them in `a/foo/`, `a/mod.rs` in `a/`.
fn child_folder(path: &str) -> String {
    match path.strip_suffix("/mod.rs") {
        Some(folder) => format!("{folder}/"),
        None => format!("{}/", path.trim_end_matches(".rs")),
    }
}

/// Resolves `.` and `..` in a path relative to the root.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
