//! Blocks of the documents that are written by a program: `<!-- generated:NAME -->` to `<!-- end -->`.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::exec::Exec;
use crate::tidy::Complaint;
use crate::tree::{self, TextFile};
use crate::{Fallible, no_arguments};

const OPEN: &str = "<!-- generated:";
const OPEN_END: &str = " -->";
const CLOSE: &str = "<!-- end -->";

/// One generated block: where its text comes from.
struct Block {
    name: &'static str,
    page: &'static str,
    /// The example that prints the block, and its package.
    package: &'static str,
    example: &'static str,
    /// The example's file: while it is absent the block stays as it is.
    source: &'static str,
}

/// Every generated block.
static BLOCKS: &[Block] = &[
    Block {
        name: "cells",
        page: "docs/kernels.md",
        package: "elanus-kernels",
        example: "cells",
        source: "kernels/examples/cells.rs",
    },
    Block {
        name: "parameters",
        page: "docs/indexes.md",
        package: "elanus-index",
        example: "parameters",
        source: "index/examples/parameters.rs",
    },
];

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    let root = tree::root();
    let mut exec = Exec::open(&root, "docs", false)?;
    if args == ["--check"] {
        let count = check(&mut exec)?;
        println!("docs: {count} generated blocks equal what their programs print");
        return Ok(ExitCode::SUCCESS);
    }
    no_arguments(args)?;
    for block in BLOCKS {
        match fresh(&mut exec, block)? {
            Some((old, text)) if old != text => {
                fs::write(root.join(block.page), text).map_err(|e| format!("cannot write {}: {e}", block.page))?;
                println!("docs: block `{}` of {} rewritten", block.name, block.page);
            }
            Some(_) => println!("docs: block `{}` of {} is current", block.name, block.page),
            None => println!("docs: block `{}` left as it is: {} is absent", block.name, block.source),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares every block with what its program prints; returns how many were compared.
pub(crate) fn check(exec: &mut Exec) -> Fallible<usize> {
    let mut compared = 0;
    for block in BLOCKS {
        let Some((old, text)) = fresh(exec, block)? else { continue };
        if old != text {
            let (name, page) = (block.name, block.page);
            return Err(format!("block `{name}` of {page} is out of date: `cargo xtask docs` rewrites it"));
        }
        compared += 1;
    }
    Ok(compared)
}

/// The page as it is and as it should be; none while the program that prints the block does not exist.
fn fresh(exec: &mut Exec, block: &Block) -> Fallible<Option<(String, String)>> {
    if !exec.root().join(block.source).is_file() {
        return Ok(None);
    }
    let mut command = exec.cargo(&["run", "--quiet", "--package", block.package, "--example", block.example]);
    let printed = exec.stdout(&mut command)?;
    let old = read(exec.root(), block.page)?;
    let text =
        replaced(&old, block.name, &printed).ok_or_else(|| format!("{} has no block `{}`", block.page, block.name))?;
    Ok(Some((old, text)))
}

fn read(root: &Path, page: &str) -> Fallible<String> {
    fs::read_to_string(root.join(page)).map_err(|e| format!("cannot read {page}: {e}"))
}

/// The page with the inside of the named block replaced.
fn replaced(page: &str, name: &str, inside: &str) -> Option<String> {
    let open = format!("{OPEN}{name}{OPEN_END}\n");
    let start = page.find(&open)? + open.len();
    let end = start + page[start..].find(CLOSE)?;
    Some(format!("{}{}\n{}", &page[..start], inside.trim_end(), &page[end..]))
}

/// Each opened block is known, is on its page, and is closed before the next one opens.
pub(crate) fn check_shape(files: &[TextFile], complaints: &mut Vec<Complaint>) {
    for file in files.iter().filter(|f| f.path.starts_with("docs/")) {
        let mut open: Option<(usize, &str)> = None;
        for (index, line) in file.text.lines().enumerate() {
            let number = index + 1;
            if let Some(name) = line.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(OPEN_END)) {
                if let Some((before, name)) = open {
                    complaints.push(Complaint::at(&file.path, before, format!("block `{name}` is not closed")));
                }
                if !BLOCKS.iter().any(|b| b.name == name && b.page == file.path) {
                    let text = format!("block `{name}` is not in the list of generated blocks for this page");
                    complaints.push(Complaint::at(&file.path, number, text));
                }
                open = Some((number, name));
            } else if line == CLOSE && open.take().is_none() {
                complaints.push(Complaint::at(&file.path, number, "a block ends here that did not begin"));
            }
        }
        if let Some((before, name)) = open {
            complaints.push(Complaint::at(&file.path, before, format!("block `{name}` is not closed")));
        }
    }
}
