//! The kernels' tests on aarch64: a cross toolchain unpacked into a private folder, and qemu to run them.
//!
//! The standard library for aarch64 comes with Debian's second Rust compiler (`rustc-web`); a standard library
//! belongs to one compiler, so that compiler builds the tests, driven by the ordinary cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::ci::{Done, TestCount};
use crate::exec::{Exec, in_ci, in_path};
use crate::{Fallible, no_arguments, tree};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
/// `max` has dot products, i8 matrix products, bf16 and fp16; `cortex-a72` has plain NEON only. Together they
/// run both the best cell and the one it falls back to.
const CPUS: &[&str] = &["max", "cortex-a72"];
/// Written last: without it the folder is half filled and is made again.
const COMPLETE: &str = "complete";

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    no_arguments(args)?;
    let mut exec = Exec::open(&tree::root(), "neon", false)?;
    match step(&mut exec)? {
        Done::Passed(count) => {
            println!("neon: {count} tests passed on {}", CPUS.join(" and "));
            Ok(ExitCode::SUCCESS)
        }
        Done::Skipped(why) => {
            println!("neon: SKIPPED: {why}");
            Ok(if in_ci() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
}

/// Skipped where the toolchain cannot be had; failing tests are an error.
pub(crate) fn step(exec: &mut Exec) -> Fallible<Done> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Done::Skipped("the cross toolchain is for x86-64 Linux".to_owned()));
    }
    let prefix = match std::env::var_os("ELANUS_NEON_PREFIX") {
        Some(folder) => exec.root().join(folder),
        None => crate::exec::target_dir(exec.root()).join("neon"),
    };
    if !prefix.join(COMPLETE).is_file() || !in_path(LINKER) {
        if let Some(why) = cannot_install() {
            return Ok(Done::Skipped(why));
        }
        if let Err(why) = install(exec, &prefix) {
            return Ok(Done::Skipped(format!("the toolchain cannot be installed: {why}")));
        }
    }
    test(exec, &prefix)
}

fn cannot_install() -> Option<String> {
    for program in ["apt-get", "apt-cache", "dpkg"] {
        if !in_path(program) {
            return Some(format!("there is no {program}: the toolchain comes from Debian's archive"));
        }
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    (!root).then(|| "installing the toolchain needs root".to_owned())
}

fn install(exec: &mut Exec, prefix: &Path) -> Fallible<()> {
    exec.run(exec.command("dpkg").args(["--add-architecture", "arm64"]), |_| {})?;
    exec.run(exec.command("apt-get").args(["-qq", "update"]), |_| {})?;
    let tools = ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
    let mut install = exec.command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["-qq", "install", "-y", "--no-install-recommends"]).args(tools);
    exec.run(&mut install, |_| {})?;

    if prefix.exists() {
        fs::remove_dir_all(prefix).map_err(|e| format!("cannot remove {}: {e}", prefix.display()))?;
    }
    let archive = prefix.join("archive");
    fs::create_dir_all(&archive).map_err(|e| format!("cannot create {}: {e}", archive.display()))?;
    let packages = packages(exec)?;
    let mut download = exec.command("apt-get");
    // The unprivileged user that apt downloads as may not be able to enter this folder.
    download.args(["-qq", "-o", "APT::Sandbox::User=root", "download"]).args(&packages).current_dir(&archive);
    exec.run(&mut download, |_| {})?;
    unpack(exec, &archive, prefix)?;
    fs::remove_dir_all(&archive).map_err(|e| format!("cannot remove {}: {e}", archive.display()))?;
    fs::write(prefix.join(COMPLETE), packages.join("\n")).map_err(|e| format!("cannot mark {}: {e}", prefix.display()))
}

/// The packages to unpack. The compiler's version is in the names of its libraries, so apt is asked for them.
fn packages(exec: &mut Exec) -> Fallible<Vec<String>> {
    let mut ask = exec.command("apt-cache");
    ask.args(["depends", "--recurse", "--important", "rustc-web"]);
    let answer = exec.stdout(&mut ask)?;
    let mut packages = versioned(&answer)?;
    packages.extend(["rustc-web", "qemu-user-static"].map(str::to_owned));
    Ok(packages)
}

fn versioned(depends: &str) -> Fallible<Vec<String>> {
    let names = depends.split_whitespace();
    let first = |starts: &str| {
        let digit = |c: char| c.is_ascii_digit();
        names.clone().find(|n| n.strip_prefix(starts).is_some_and(|rest| rest.starts_with(digit) && !n.contains(':')))
    };
    let std = first("libstd-rust-web-").ok_or("apt knows no libstd-rust-web for rustc-web")?;
    let llvm = first("libllvm").ok_or("apt knows no libllvm for rustc-web")?;
    let dev = "libstd-rust-web-dev";
    Ok(vec![llvm.to_owned(), std.to_owned(), dev.to_owned(), format!("{dev}:arm64")])
}

fn unpack(exec: &mut Exec, archive: &Path, prefix: &Path) -> Fallible<()> {
    let entries = fs::read_dir(archive).map_err(|e| format!("cannot list {}: {e}", archive.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| format!("cannot list {}: {e}", archive.display()))?.path();
        exec.run(exec.command("dpkg").arg("-x").arg(&path).arg(prefix), |_| {})?;
    }
    for file in [rustc(prefix), qemu(prefix)] {
        if !file.is_file() {
            return Err(format!("the packages do not contain {}", file.display()));
        }
    }
    Ok(())
}

fn rustc(prefix: &Path) -> PathBuf {
    prefix.join("usr/bin/rustc")
}

fn qemu(prefix: &Path) -> PathBuf {
    prefix.join("usr/bin/qemu-aarch64-static")
}

fn test(exec: &mut Exec, prefix: &Path) -> Fallible<Done> {
    let mut count = TestCount::default();
    for cpu in CPUS {
        let mut command = exec.cargo(&["test", "--package", "elanus-kernels", "--lib", "--tests", "--target", TARGET]);
        let mut libraries = prefix.join("usr/lib/x86_64-linux-gnu").into_os_string();
        if let Some(more) = std::env::var_os("LD_LIBRARY_PATH").filter(|v| !v.is_empty()) {
            libraries.push(":");
            libraries.push(more);
        }
        let runner = format!("{} -L /usr/aarch64-linux-gnu -cpu {cpu}", qemu(prefix).display());
        command
            .env("RUSTC", rustc(prefix))
            .env("RUSTDOC", prefix.join("usr/bin/rustdoc"))
            .env("LD_LIBRARY_PATH", libraries)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner)
            .env("CARGO_TARGET_DIR", crate::exec::target_dir(exec.root()).join("neon-build"))
            .env_remove("ELANUS_ISA");
        exec.run(&mut command, |line| count.read(line)).map_err(|e| format!("-cpu {cpu}: {e}"))?;
    }
    if count.passed == 0 {
        return Err("no test ran: has elanus-kernels lost its tests?".to_owned());
    }
    Ok(Done::Passed(count.passed))
}

#[cfg(test)]
mod tests;
