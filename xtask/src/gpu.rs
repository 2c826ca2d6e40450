//! `cargo xtask gpu`: the suite and the benches on a machine with a card, and their dated table in docs/benchmarks.md.
//!
//! Where the machine with the card has nothing to build with, `--pack DIR` writes what must travel and the command to run
//! there, and `--record FILE` takes the results in.
mod step;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use self::step::step;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::exec::{Exec, target_dir};
use crate::{Fallible, tree};

const PAGE: &str = "docs/benchmarks.md";
const SCRIPT: &str = "benches/compare/torch_turns.py";
const PROGRAM: &str = "elanus-gpu";
/// What a pack may weigh: it has to pass narrow doors.
const PACK_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    pack: Option<PathBuf>,
    record: Option<PathBuf>,
    device: Option<String>,
}

impl Options {
    fn parse(args: &[String]) -> Fallible<Self> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("`{arg}` wants a value"));
            match arg.as_str() {
                "--pack" => options.pack = Some(value()?.into()),
                "--record" => options.record = Some(value()?.into()),
                "--device" => options.device = Some(value()?.clone()),
                _ => return Err(format!("unexpected argument `{arg}`")),
            }
        }
        match options {
            Self { pack: Some(_), record: Some(_), .. } => Err("`--pack` and `--record` are two steps".to_owned()),
            options => Ok(options),
        }
    }
}

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    let options = Options::parse(args)?;
    let root = tree::root();
    if let Some(results) = &options.record {
        record(&root, results)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut exec = Exec::open(&root, "gpu", true)?;
    let program = build(&mut exec)?;
    let commit = commit(&mut exec)?;
    if let Some(folder) = &options.pack {
        pack(&root, &program, folder, &commit)?;
        return Ok(ExitCode::SUCCESS);
    }
    let results = target_dir(&root).join("gpu.json");
    let mut command = Command::new(&program);
    command.current_dir(&root).arg("run").arg("--out").arg(&results).args(["--commit", &commit]);
    if let Some(device) = &options.device {
        command.args(["--device", device]);
    }
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", program.display()))?;
    if !status.success() {
        return Ok(ExitCode::FAILURE);
    }
    record(&root, &results)?;
    Ok(ExitCode::SUCCESS)
}

fn build(exec: &mut Exec) -> Fallible<PathBuf> {
    let features = ["--features", "cuda,wgpu"];
    let mut command = exec.cargo(&["build", "--release", "--package", "elanus-benches", "--bin", PROGRAM]);
    exec.run(command.args(features), |_| {})?;
    Ok(target_dir(exec.root()).join("release").join(PROGRAM))
}

/// The commit, with a mark if the tree has more.
fn commit(exec: &mut Exec) -> Fallible<String> {
    let hash = exec.stdout(exec.command("git").args(["rev-parse", "--short=10", "HEAD"]))?;
    let changes = exec.stdout(exec.command("git").args(["status", "--porcelain"]))?;
    let mark = if changes.trim().is_empty() { "" } else { "+" };
    Ok(format!("{}{mark}", hash.trim()))
}

fn pack(root: &Path, program: &Path, folder: &Path, commit: &str) -> Fallible<()> {
    let script = root.join(SCRIPT);
    fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let mut bytes = 0;
    for from in [program, &script] {
        let name = from.file_name().ok_or_else(|| format!("{} has no name", from.display()))?;
        bytes += fs::copy(from, folder.join(name)).map_err(|e| format!("cannot copy {}: {e}", from.display()))?;
    }
    if bytes > PACK_BYTES_MAX {
        return Err(format!("{bytes} bytes would have to travel, more than {PACK_BYTES_MAX}"));
    }
    println!("{bytes} bytes in {}; on the machine with the card, there:", folder.display());
    println!("    ./{PROGRAM} run --turns torch_turns.py --commit {commit} --out gpu.json");
    println!("then here: cargo xtask gpu --record gpu.json");
    Ok(())
}

/// Puts the table at the end of the page.
fn record(root: &Path, results: &Path) -> Fallible<()> {
    let text = fs::read_to_string(results).map_err(|e| format!("cannot read {}: {e}", results.display()))?;
    let results = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", results.display()))?;
    let table = table::render(&results)?;
    let page = root.join(PAGE);
    let old = fs::read_to_string(&page).map_err(|e| format!("cannot read {PAGE}: {e}"))?;
    fs::write(&page, format!("{}\n\n{table}", old.trim_end())).map_err(|e| format!("cannot write {PAGE}: {e}"))?;
    println!("{PAGE}: a table was added at the end");
    Ok(())
}
