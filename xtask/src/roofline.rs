//! `cargo xtask roofline`: builds the measuring program for release and runs it with the arguments given.

use std::process::{Command, ExitCode};

use crate::{Fallible, tree};

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(tree::root());
    command.args(["run", "--release", "--package", "elanus-benches", "--bin", "elanus-roofline", "--"]).args(args);
    let status = command.status().map_err(|e| format!("cannot start cargo: {e}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
