//! Compiles the CUDA programs to the text that is shipped with them, and holds them to their registers.
//!
//! `ptx FOLDER [--check]`: below the folder are NVIDIA's compiler and assembler, as `cargo xtask ptx` puts them there.
//! With `--check` nothing is written, and a text in the tree that was not compiled from the programs as they are is an
//! error. The compiler names registers anew in each run, so a text begins with a stamp of what it was compiled from.
#![allow(clippy::disallowed_methods, reason = "a tool of the repository reads and writes files and starts programs")]
#![allow(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use elanus_shaders::cuda::{ENTRIES, PROGRAMS, Program};

/// The least capable cards that the text is for.
const TARGET: &str = "compute_80";

/// Cards for which registers are looked at.
const CARDS: &[&str] = &["sm_80", "sm_90", "sm_100"];

/// The version that the text states. The compiler states its own, which the drivers of its year and later know; nothing
/// that is newer than this one is used, as the assembler makes sure, so that drivers since CUDA 11.8 take the text.
const VERSION: &str = ".version 7.8";

/// What the compiler is told besides.
const OPTIONS: &[&str] = &["--std=c++17", "--device-as-default-execution-space"];

/// Bytes of all texts, at most: they are part of every program that can use a card.
const BYTES_MAX: usize = 1_600_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (folder, check) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] => (folder, false),
        [folder, "--check"] => (folder, true),
        _ => return Err("what is wanted is FOLDER [--check]".to_owned()),
    };
    // SAFETY: loads the library by its usual names, if it is there; it has no other effect.
    if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
        return Err("there is no libnvrtc in the search path of libraries".to_owned());
    }
    let folder = Path::new(folder);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders/src/cuda/ptx");
    let (mut total, mut stale) = (0, Vec::new());
    for program in PROGRAMS {
        let is_stale = !program.ptx.starts_with(&stamp(program));
        let text = if check || !is_stale { program.ptx.to_owned() } else { compile(program)? };
        total += text.len();
        let copy = folder.join(format!("{}.ptx", program.name));
        write(&copy, &text)?;
        for card in CARDS {
            assemble(folder, &copy, program, card)?;
        }
        if is_stale && check {
            // Whether they compile at all is worth knowing too.
            compile(program)?;
            stale.push(program.name);
        } else if is_stale {
            write(&target.join(format!("{}.ptx", program.name)), &text)?;
        }
    }
    println!("{} programs, {total} bytes", PROGRAMS.len());
    if total > BYTES_MAX {
        return Err(format!("{total} bytes of text, at most {BYTES_MAX} are to be shipped"));
    }
    if !stale.is_empty() {
        return Err(format!("compiled from other programs; run `cargo xtask ptx`: {}", stale.join(", ")));
    }
    Ok(())
}

/// The first line of what is compiled from a program: a checksum (FNV-1a) of its text and of what was asked for.
fn stamp(program: &Program) -> String {
    let parts = [program.source, TARGET, VERSION].into_iter().chain(OPTIONS.iter().copied());
    let bytes = parts.flat_map(|part| part.bytes().chain([0]));
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("// {sum:016x}\n")
}

/// The compiler's text for a program, without what is for people alone.
fn compile(program: &Program) -> Result<String, String> {
    let options = CompileOptions {
        arch: Some(TARGET),
        // Products are added unrounded only where the programs say so, as on the emulator.
        fmad: Some(false),
        options: OPTIONS.iter().map(|&option| option.to_owned()).collect(),
        name: Some(format!("{}.cu", program.name)),
        ..CompileOptions::default()
    };
    let ptx = compile_ptx_with_opts(program.source, options).map_err(|error| {
        // Its own words are no use without the compiler's.
        let log = if let CompileError::CompileError { log, .. } = &error { log.to_string_lossy() } else { "".into() };
        format!("{}: {error} {log}", program.name)
    })?;
    let mut text = stamp(program);
    for line in ptx.to_src().lines() {
        let line = line.split("//").next().unwrap_or_default().trim().replace('\t', " ");
        // Which bytes of a load matter is a hint that older drivers do not know.
        if line.is_empty() || line.starts_with(".pragma \"used_bytes_mask") {
            continue;
        }
        text.push_str(if line.starts_with(".version") { VERSION } else { &line });
        text.push('\n');
    }
    Ok(text)
}

/// Assembles for a card, and reads what each entry point takes.
fn assemble(folder: &Path, text: &Path, program: &Program, card: &str) -> Result<(), String> {
    let assembler = folder.join("nvidia/cuda_nvcc/bin/ptxas");
    let object = folder.join(format!("{}.{card}.cubin", program.name));
    let mut command = Command::new(&assembler);
    command.arg("-v").arg(format!("-arch={card}")).arg(text).arg("-o").arg(&object);
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", assembler.display()))?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{} for {card}: {report}", program.name));
    }
    let used = usage(&report);
    for entry in ENTRIES.iter().filter(|entry| entry.program == program.name) {
        let Some(usage) = used.get(entry.name) else {
            return Err(format!("{} has no entry point {}", program.name, entry.name));
        };
        println!("{card:7} {:18} {:3} registers, {} bytes spilled", entry.name, usage.registers, usage.spilled);
        if usage.spilled > 0 {
            return Err(format!("{} for {card}: {} bytes are spilled", entry.name, usage.spilled));
        }
        if usage.registers > entry.registers {
            let most = entry.registers;
            return Err(format!("{} for {card}: {} registers, at most {most}", entry.name, usage.registers));
        }
    }
    let listed = ENTRIES.iter().filter(|entry| entry.program == program.name).count();
    if listed != used.len() {
        return Err(format!("{} has {} entry points, of which {listed} are listed", program.name, used.len()));
    }
    Ok(())
}

/// What an entry point takes of a card.
#[derive(Debug, Default)]
struct Usage {
    registers: u32,
    spilled: u32,
}

/// Reads the assembler's report.
fn usage(report: &str) -> BTreeMap<String, Usage> {
    let mut found = BTreeMap::new();
    let mut entry = String::new();
    for line in report.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            entry = rest.split('\'').next().unwrap_or_default().to_owned();
            found.insert(entry.clone(), Usage::default());
        }
        let Some(usage) = found.get_mut(&entry) else { continue };
        usage.spilled += before(line, " bytes spill stores") + before(line, " bytes spill loads");
        usage.registers += before(line, " registers");
    }
    found
}

/// The number that stands before a word.
fn before(line: &str, word: &str) -> u32 {
    let Some(at) = line.find(word) else { return 0 };
    let digits = line[..at].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
