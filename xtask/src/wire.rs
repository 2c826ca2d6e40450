//! The wire tests: pymilvus in a virtual environment against the release build of the server.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ci::Done;
use crate::exec::{Exec, in_path, target_dir};
use crate::{Fallible, tree};

const REQUIREMENTS: &str = "tests/wire/requirements.txt";
const TESTS: &str = "tests/wire";

/// Skipped where Python or its packages cannot be had; failing tests are an error.
pub(crate) fn step(exec: &mut Exec) -> Fallible<Done> {
    let requirements = fs::read_to_string(exec.root().join(REQUIREMENTS))
        .map_err(|e| format!("cannot read {REQUIREMENTS}, which says what the wire tests need: {e}"))?;
    if !in_path("python3") {
        return Ok(Done::Skipped("there is no python3".to_owned()));
    }
    let python = match environment(exec, &requirements) {
        Ok(python) => python,
        Err(why) => return Ok(Done::Skipped(format!("the environment cannot be made: {why}"))),
    };
    exec.run(&mut exec.cargo(&["build", "--release", "--package", "elanus-server", "--bin", "elanus"]), |_| {})?;
    let mut passed = None;
    let mut command = exec.command(python);
    command
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS])
        .env("ELANUS_BIN", target_dir(&tree::root()).join("release/elanus"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    exec.run(&mut command, |line| passed = passed_of(line).or(passed))?;
    match passed {
        Some(count) if count > 0 => Ok(Done::Passed(count)),
        _ => Err(format!("pytest ran no test in {TESTS}")),
    }
}

/// The Python of an environment that holds the required packages; made again when the list has changed.
fn environment(exec: &mut Exec, requirements: &str) -> Fallible<PathBuf> {
    let folder = target_dir(exec.root()).join("venv");
    let python = folder.join("bin/python3");
    let installed = folder.join("installed.txt");
    if python.is_file() && fs::read_to_string(&installed).is_ok_and(|text| text == requirements) {
        return Ok(python);
    }
    exec.run(exec.command("python3").args(["-m", "venv", "--clear"]).arg(&folder), |_| {})?;
    exec.run(exec.command(&python).args(["-m", "pip", "install", "--quiet", "-r", REQUIREMENTS]), |_| {})?;
    fs::write(&installed, requirements).map_err(|e| format!("cannot write {}: {e}", shown(&installed)))?;
    Ok(python)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The count in pytest's last line, `12 passed, 1 skipped in 3.45s`.
fn passed_of(line: &str) -> Option<usize> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|w| w.trim_end_matches(',') == "passed")?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests;
