//! The module of the indexes for Python, and the comparison with other libraries that is written in Python.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::PathBuf;

use super::Done;
use crate::Fallible;
use crate::exec::{Exec, in_ci, in_path, target_dir};

const MODULE_TESTS: &str = "index-py/tests/test_module.py";
const COMPARISON_TESTS: &str = "benches/compare/ann/tests.py";

/// Exits with 1 where the interpreter is too old for the tests.
const OLD: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// Skipped without an interpreter; without numpy the module's own tests are run, which need no package.
pub(super) fn step(exec: &mut Exec) -> Fallible<Done> {
    let Some(plain) = interpreters(exec).into_iter().find(|python| succeeds(exec, python, OLD)) else {
        return Ok(Done::Skipped("there is no python3 of version 3.11 or later".to_owned()));
    };
    exec.run(&mut exec.cargo(&["build", "--package", "elanus-index-py"]), |_| {})?;
    let mut passed = run(exec, &plain, MODULE_TESTS)?;
    let equipped =
        interpreters(exec).into_iter().find(|python| succeeds(exec, python, &format!("import numpy; {OLD}")));
    match equipped {
        Some(python) => passed += run(exec, &python, COMPARISON_TESTS)?,
        None if in_ci() => return Err(format!("no python3 has the module numpy, which {COMPARISON_TESTS} needs")),
        None => println!("        SKIPPED: {COMPARISON_TESTS}: no python3 has the module numpy"),
    }
    Ok(Done::Passed(passed))
}

/// That of the search path, and that of the environment which the step `wire` makes.
fn interpreters(exec: &Exec) -> Vec<PathBuf> {
    let own = target_dir(exec.root()).join("venv/bin/python3");
    let usual = in_path("python3").then(|| PathBuf::from("python3"));
    usual.into_iter().chain(own.is_file().then_some(own)).collect()
}

fn succeeds(exec: &Exec, python: &PathBuf, script: &str) -> bool {
    exec.command(python).args(["-c", script]).output().is_ok_and(|output| output.status.success())
}

/// Runs one file of tests against the module and returns how many passed.
fn run(exec: &mut Exec, python: &PathBuf, tests: &str) -> Fallible<usize> {
    let module = target_dir(exec.root()).join(format!("debug/{DLL_PREFIX}elanus_index_py{DLL_SUFFIX}"));
    let mut command = exec.command(python);
    command.arg(tests).env("ELANUS_INDEX_MODULE", module).env("PYTHONDONTWRITEBYTECODE", "1");
    let (mut ran, mut skipped) = (0, 0);
    exec.run(&mut command, |line| {
        ran += number_after(line, "Ran ");
        skipped += number_after(line, "OK (skipped=");
    })?;
    if ran <= skipped { Err(format!("{tests} ran no test")) } else { Ok(ran - skipped) }
}

/// The number with which a line goes on after its beginning: `Ran 14 tests in 2.255s`, `OK (skipped=3)`.
pub(super) fn number_after(line: &str, beginning: &str) -> usize {
    let rest = line.strip_prefix(beginning).unwrap_or_default();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().unwrap_or(0)
}
