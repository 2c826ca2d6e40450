//! Rules about the tree that no compiler checks: sizes, names, marks, dead files, generated blocks.

mod functions;
mod mask;
mod modules;
mod names;
mod ratchet;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use self::mask::Masked;
use crate::tree::{self, TextFile};
use crate::{Fallible, docs, no_arguments};

/// Lines of code a file may have before it wants to be two.
const FILE_LINES: usize = 400;
/// Lines of code no file may have, tests included.
const FILE_LINES_MAX: usize = 700;
/// Lines of code a function may have.
const FUNCTION_LINES: usize = 70;
/// Folders between a crate's `src` and a file.
const DEPTH: usize = 3;
/// Where `unsafe` may stand. Everywhere else there is another way.
const UNSAFE_PATHS: &[&str] = &[
    "kernels/",
    "kernels-c/",
    "gpu/src/wgpu/programs",
    "benches/src/bin/roofline/",
    "gpu/emulator/",
    "gpu/src/bin/ptx.rs",
    "gpu/src/cuda",
    "gpu/tests/",
    "index-py/src/buffers",
    "index/src/graph",
    "index/src/hnsw",
    "index/src/scratch",
    "segment/src/map",
    "segment/src/uring",
];

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    path: String,
    line: usize,
    text: String,
}

impl Complaint {
    pub(crate) fn at(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// A Rust file together with its text freed of comments and strings.
struct Source<'a> {
    file: &'a TextFile,
    masked: Masked,
}

impl Source<'_> {
    fn path(&self) -> &str {
        &self.file.path
    }

    /// Test code may be long and may have names that are sentences.
    fn is_test(&self) -> bool {
        let path = self.path();
        path.ends_with("/tests.rs") || path.starts_with("tests/") || path.contains("/tests/")
    }
}

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    no_arguments(args)?;
    let report = check(&tree::root())?;
    for complaint in &report.complaints {
        println!("{complaint}");
    }
    println!("tidy: {} files, {} complaints", report.file_count, report.complaints.len());
    Ok(if report.complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) struct Report {
    pub(crate) file_count: usize,
    pub(crate) complaints: Vec<Complaint>,
}

/// Applies every rule to the tree below `root`.
pub(crate) fn check(root: &Path) -> Fallible<Report> {
    let files = tree::files(root, &[".rs", ".toml", ".md", ".py", ".proto", ".wgsl", ".cu", ".cuh", "/run"])?;
    let own_path = format!("{}/", root.display());
    let mut complaints = Vec::new();
    for file in &files {
        text::check(file, &own_path, &mut complaints);
    }

    let sources: Vec<Source<'_>> = files
        .iter()
        .filter(|f| f.path.ends_with(".rs"))
        .map(|file| Source { file, masked: Masked::of(&file.text) })
        .collect();
    let mut measured = Vec::new();
    for source in &sources {
        check_source(source, &mut complaints);
        names::check(source, &mut complaints);
        measure(source, &mut measured, &mut complaints);
    }
    ratchet::check(root, &measured, &mut complaints)?;
    modules::check(&files, &sources, &mut complaints);
    docs::check_shape(&files, &mut complaints);
    complaints.sort();
    Ok(Report { file_count: files.len(), complaints })
}

fn check_source(source: &Source<'_>, complaints: &mut Vec<Complaint>) {
    let path = source.path();
    if !source.file.text.starts_with("//! ") {
        complaints.push(Complaint::at(
            path,
            1,
            "the first line is not `//!` and a sentence that says what the file is",
        ));
    }
    let file_name = path.rsplit('/').next().unwrap_or(path);
    if file_name == "mod.rs" {
        complaints.push(Complaint::at(path, 1, "a module `foo` lives in foo.rs, with its parts in foo/"));
    }
    if let Some((_, below)) = path.split_once("/src/") {
        let depth = below.matches('/').count();
        if depth > DEPTH {
            complaints.push(Complaint::at(path, 1, format!("{depth} folders below src, at most {DEPTH} are allowed")));
        }
    }
    if !UNSAFE_PATHS.iter().any(|allowed| path.starts_with(allowed)) {
        for line in source.masked.lines_with_word("unsafe") {
            complaints.push(Complaint::at(path, line, "`unsafe` is not allowed in this file"));
        }
    }
}

/// A size above its limit, which only an entry of the ratchet list may excuse.
struct Oversize {
    /// `file` or `fn`.
    kind: &'static str,
    path: String,
    /// The function's name; empty for a file.
    name: String,
    line: usize,
    size: usize,
    limit: usize,
}

fn measure(source: &Source<'_>, measured: &mut Vec<Oversize>, complaints: &mut Vec<Complaint>) {
    let path = source.path();
    let lines = source.masked.code_line_count();
    if lines > FILE_LINES_MAX {
        complaints.push(Complaint::at(path, 1, format!("{lines} lines of code, no file may pass {FILE_LINES_MAX}")));
    } else if lines > FILE_LINES && !source.is_test() {
        let (path, name) = (path.to_owned(), String::new());
        measured.push(Oversize { kind: "file", path, name, line: 1, size: lines, limit: FILE_LINES });
    }
    for function in functions::of(&source.masked) {
        if function.code_lines > FUNCTION_LINES {
            measured.push(Oversize {
                kind: "fn",
                path: path.to_owned(),
                name: function.name,
                line: function.line,
                size: function.code_lines,
                limit: FUNCTION_LINES,
            });
        }
    }
}
