//! Other libraries measured beside Elanus: writes the vectors for them and starts the script that does it.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::args::CompareArgs;
use crate::export;
use crate::run::Failure;

/// How to get an interpreter with everything that the script imports.
const ENVIRONMENT: &str = "
make an environment with the libraries and name its interpreter:
    python3 -m venv venv
    venv/bin/pip install -r benches/compare/requirements.txt
    venv/bin/pip install --no-deps diskannpy==0.7.0
    elanus-bench compare --python venv/bin/python ...
";

/// How to get the module that the script loads for Elanus.
const MODULE: &str = "
build it, so that it lies beside this program, or name the file with --module:
    cargo build --release -p elanus-index-py
";

pub(crate) fn compare(args: &CompareArgs) -> Result<(), Failure> {
    let script = script(args)?;
    let module = module(args)?;
    probe(&args.python)?;
    let most = args.k.iter().copied().max().filter(|most| *most > 0).ok_or("k must be at least 1")?;
    let set = args.source.load(most)?;
    let data = args.out.join("data");
    std::fs::create_dir_all(&data)?;
    export::export(&data, &set)?;
    drop(set);
    let mut command = Command::new(&args.python);
    command.arg(script).args(words(args, &data)).env("ELANUS_INDEX_MODULE", module);
    let status = command.status().map_err(|error| format!("cannot run {}: {error}", args.python.display()))?;
    if status.success() { Ok(()) } else { Err(format!("the script ended with {status}").into()) }
}

/// The command line of the script.
fn words(args: &CompareArgs, data: &Path) -> Vec<OsString> {
    let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let mut words: Vec<OsString> = vec!["--data".into(), data.into(), "--out".into(), args.out.clone().into()];
    let mut add = |name: &str, value: String| words.extend([name.into(), value.into()]);
    add("--k", list(&args.k));
    add("--threads", list(&args.threads));
    add("--build-threads", args.build_threads.to_string());
    if let Some(peers) = &args.peers {
        add("--peers", peers.clone());
    }
    if let Some(minutes) = args.minutes {
        add("--minutes", minutes.to_string());
    }
    words.extend(args.more.iter().map(OsString::from));
    words
}

fn script(args: &CompareArgs) -> Result<PathBuf, Failure> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("compare/ann/compare.py");
    let script = args.script.clone().unwrap_or_else(usual);
    if script.is_file() {
        Ok(script)
    } else {
        Err(format!("no script {}: name it with --script", script.display()).into())
    }
}

/// The module, with its whole path: the script's processes may run elsewhere.
fn module(args: &CompareArgs) -> Result<PathBuf, Failure> {
    let module = match &args.module {
        Some(module) => module.clone(),
        None => {
            let program = std::env::current_exe()?;
            program.with_file_name(format!("{DLL_PREFIX}elanus_index_py{DLL_SUFFIX}"))
        }
    };
    let missing = |error| format!("no module of Elanus for Python at {}: {error}{MODULE}", module.display());
    Ok(module.canonicalize().map_err(missing)?)
}

/// Says early and in so many words what is missing.
fn probe(python: &Path) -> Result<(), Failure> {
    let mut command = Command::new(python);
    command.args(["-c", "import numpy, sys; sys.exit(sys.version_info < (3, 11))"]);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}{ENVIRONMENT}", python.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().next_back().unwrap_or("it is older than Python 3.11");
    Err(format!("{} cannot be used: {why}{ENVIRONMENT}", python.display()).into())
}

#[cfg(test)]
mod tests;
