//! `cargo xtask fuzz`: builds the targets in `fuzz/` with the fuzzer's instrumentation and runs each for a while.
//!
//! The flags are those that cargo-fuzz sets; they need a nightly compiler and the address sanitizer that comes with it.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::exec::{Exec, target_dir};
use crate::{Fallible, tree};

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address";
const TOOLCHAIN: &str = "nightly";

#[derive(Debug)]
struct Options {
    seconds: u64,
    only: Vec<String>,
}

impl Options {
    fn parse(args: &[String]) -> Fallible<Self> {
        let mut options = Self { seconds: 60, only: Vec::new() };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "--seconds" => {
                    let number = rest.next().and_then(|number| number.parse().ok());
                    options.seconds = number.ok_or("`--seconds` wants a number")?;
                }
                flag if flag.starts_with('-') => return Err(format!("unexpected argument `{flag}`")),
                target => options.only.push(target.to_owned()),
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    let options = Options::parse(args)?;
    let root = tree::root();
    let known = targets(&root)?;
    if let Some(unknown) = options.only.iter().find(|name| !known.contains(name)) {
        return Err(format!("no fuzz target `{unknown}`; there are {}", known.join(", ")));
    }
    if let Some(why) = lacking() {
        println!("fuzz: SKIPPED: {why}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut exec = Exec::open(&root, "fuzz", false)?;
    let folder = target_dir(&root).join("fuzz");
    println!("fuzz: building {} targets", known.len());
    let mut build = exec.cargo(&["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", TRIPLE]);
    build.env("RUSTFLAGS", FLAGS).env("RUSTUP_TOOLCHAIN", TOOLCHAIN).env("CARGO_TARGET_DIR", &folder);
    // The variables of the cargo that runs this tool would lead back to its own compiler.
    build.env_remove("RUSTC").env_remove("CARGO");
    exec.run(&mut build, |_| {})?;
    for name in known.iter().filter(|name| options.only.is_empty() || options.only.contains(name)) {
        let corpus = folder.join("corpus").join(name);
        fs::create_dir_all(&corpus).map_err(|e| format!("cannot create {}: {e}", corpus.display()))?;
        let mut command = exec.command(folder.join(TRIPLE).join("release").join(name));
        command.arg(format!("-max_total_time={}", options.seconds)).args(["-max_len=8192", "-rss_limit_mb=2048"]);
        command.arg(&corpus).current_dir(&folder);
        let mut done = String::new();
        exec.run(&mut command, |line| {
            if line.starts_with("Done ") {
                done = line.to_owned();
            }
        })?;
        println!("fuzz: {name}: no finding. {done}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of the targets: the files in `fuzz/targets`.
fn targets(root: &Path) -> Fallible<Vec<String>> {
    let folder = root.join("fuzz/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|e| format!("cannot list {}: {e}", folder.display()))? {
        let path = entry.map_err(|e| format!("cannot list {}: {e}", folder.display()))?.path();
        if let (Some("rs"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_stem()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Why this machine cannot fuzz.
fn lacking() -> Option<String> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Some("the targets are built for x86-64 Linux".to_owned());
    }
    let found = Command::new("rustc").env("RUSTUP_TOOLCHAIN", TOOLCHAIN).arg("--version").output();
    let nightly = found.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("nightly"));
    (!nightly).then(|| "there is no nightly compiler".to_owned())
}
