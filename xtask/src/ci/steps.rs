//! The list of checks and what each of them runs.

use std::path::PathBuf;

use serde_json::Value;

use super::{Done, Step, TestCount, python};
use crate::exec::{Exec, target_dir};
use crate::{Fallible, deps, docs, gpu, header, neon, tidy, wire};

/// Every check, cheapest first among those that need the same build: `clippy` and `doc` share one, `test`,
/// `gpu`, `isa` and `docs` a second, `wire`, `demo` and `bench` the third. `python` comes after `wire`, which makes an
/// environment that has numpy.
pub(super) static STEPS: &[Step] = &[
    Step { name: "fmt", about: "every file is formatted", run: fmt },
    Step { name: "tidy", about: "sizes, names, marks, dead files", run: tidy_tree },
    Step { name: "deps", about: "directions between crates, licences", run: deps_tree },
    Step { name: "clippy", about: "the workspace's lints, all targets", run: clippy },
    Step { name: "doc", about: "rustdoc without warnings", run: doc },
    Step { name: "test", about: "unit tests, tests across crates, examples in documents", run: test },
    Step { name: "gpu", about: "the GPU backends on drivers that need no card", run: gpu::step },
    Step { name: "isa", about: "kernels and indexes under each instruction set of this CPU", run: isa },
    Step { name: "docs", about: "generated tables equal what their programs print", run: docs_tree },
    Step { name: "c", about: "the C interface: its header, and its example as C and as C++", run: c_interface },
    Step { name: "asan", about: "the kernels' tests under the address sanitizer", run: asan },
    Step { name: "neon", about: "the kernels on aarch64 under qemu", run: neon::step },
    Step { name: "wire", about: "pymilvus against a running server", run: wire::step },
    Step {
        name: "python",
        about: "the indexes for Python, and the comparison with other libraries",
        run: python::step,
    },
    Step { name: "demo", about: "the demonstration from start to end", run: demo },
    Step { name: "bench", about: "one round of each kernel bench", run: bench },
];

fn fmt(exec: &mut Exec) -> Fallible<Done> {
    exec.run(&mut exec.cargo(&["fmt", "--all", "--check"]), |_| {})?;
    Ok(Done::Passed(1))
}

fn tidy_tree(exec: &mut Exec) -> Fallible<Done> {
    let report = tidy::check(exec.root())?;
    for complaint in &report.complaints {
        println!("    | {complaint}");
    }
    match report.complaints.len() {
        0 => Ok(Done::Passed(1)),
        count => Err(format!("{count} complaints")),
    }
}

fn deps_tree(exec: &mut Exec) -> Fallible<Done> {
    let (complaints, _) = deps::check(exec)?;
    for complaint in &complaints {
        println!("    | {complaint}");
    }
    match complaints.len() {
        0 => Ok(Done::Passed(1)),
        count => Err(format!("{count} complaints")),
    }
}

fn clippy(exec: &mut Exec) -> Fallible<Done> {
    exec.run(&mut exec.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]), |_| {})?;
    Ok(Done::Passed(1))
}

fn doc(exec: &mut Exec) -> Fallible<Done> {
    let mut command = exec.cargo(&["doc", "--workspace", "--no-deps", "--lib"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    exec.run(&mut command, |_| {})?;
    Ok(Done::Passed(1))
}

fn test(exec: &mut Exec) -> Fallible<Done> {
    let mut count = TestCount::default();
    // The step `gpu` has those of the devices.
    exec.run(&mut exec.cargo(&["test", "--workspace", "--exclude", "elanus-gpu"]), |line| count.read(line))?;
    if count.passed == 0 {
        return Err("no test ran".to_owned());
    }
    Ok(Done::Passed(count.passed))
}

/// The instruction sets a test run can be held to, and what this CPU lacks for each.
fn instruction_sets() -> Vec<(&'static str, Option<&'static str>)> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("fma") && has!("f16c");
        let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512dq");
        vec![
            ("scalar", None),
            ("avx2", (!avx2).then_some("this CPU lacks AVX2, FMA or F16C")),
            ("avx512", (!avx512).then_some("this CPU lacks AVX-512 F, BW, VL or DQ")),
        ]
    }
    #[cfg(target_arch = "aarch64")]
    {
        vec![("scalar", None), ("neon", None)]
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        vec![("scalar", None)]
    }
}

/// Runs the binaries that the `test` step has built, so that nothing is compiled again.
fn isa(exec: &mut Exec) -> Fallible<Done> {
    let mut listing = exec.cargo(&["test", "--workspace", "--exclude", "elanus-gpu", "--no-run"]);
    listing.args(["--message-format", "json-render-diagnostics"]);
    let mut printed = String::new();
    exec.run(&mut listing, |line| {
        if line.starts_with('{') {
            printed.push_str(line);
            printed.push('\n');
        }
    })?;
    let binaries = test_binaries(&printed, &["elanus-kernels", "elanus-index"])?;
    let mut count = TestCount::default();
    for (name, lacking) in instruction_sets() {
        if let Some(why) = lacking {
            println!("        SKIPPED {name}: {why}");
            continue;
        }
        for (folder, binary) in &binaries {
            let mut command = exec.command(binary);
            command.current_dir(folder).env("ELANUS_ISA", name).arg("--nocapture");
            let mut skips = Vec::new();
            let ran = exec.run(&mut command, |line| {
                count.read(line);
                if let Some(at) = line.find("SKIPPED") {
                    skips.push(line[at..].to_owned());
                }
            });
            skips.sort();
            skips.dedup();
            for line in skips {
                println!("        {name}: {line}");
            }
            ran.map_err(|e| format!("ELANUS_ISA={name}: {e}"))?;
        }
    }
    if count.passed == 0 {
        return Err("no test ran under any instruction set".to_owned());
    }
    Ok(Done::Passed(count.passed))
}

/// The test binaries of the named packages, each with the folder it is run in.
pub(super) fn test_binaries(messages: &str, packages: &[&str]) -> Fallible<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    for line in messages.lines() {
        let message: Value =
            serde_json::from_str(line).map_err(|e| format!("cargo printed a line that is not JSON: {e}"))?;
        let is_test = message.pointer("/profile/test").and_then(Value::as_bool) == Some(true);
        let (Some(binary), Some(manifest), Some(id)) = (
            message.get("executable").and_then(Value::as_str).filter(|_| is_test),
            message.get("manifest_path").and_then(Value::as_str),
            message.get("package_id").and_then(Value::as_str),
        ) else {
            continue;
        };
        if packages.iter().any(|p| names_package(id, p)) {
            let folder = PathBuf::from(manifest).parent().map(PathBuf::from).unwrap_or_default();
            found.push((folder, PathBuf::from(binary)));
        }
    }
    Ok(found)
}

/// Whether an id (`path+file:///a/kernels#elanus-kernels@0.1.0`, or `...#0.1.0` where folder and package have
/// one name) is of the package.
fn names_package(id: &str, package: &str) -> bool {
    let Some((location, tail)) = id.rsplit_once('#') else { return false };
    match tail.split_once('@') {
        Some((name, _)) => name == package,
        None => location.rsplit('/').next() == Some(package),
    }
}

fn docs_tree(exec: &mut Exec) -> Fallible<Done> {
    Ok(Done::Passed(docs::check(exec)?.max(1)))
}

/// The sanitizer comes with the stable compiler, behind a switch that has to be unlocked.
fn asan(exec: &mut Exec) -> Fallible<Done> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Done::Skipped("the address sanitizer is set up for x86-64 Linux".to_owned()));
    }
    let mut command = exec.cargo(&["test", "--package", "elanus-kernels", "--package", "elanus-kernels-c"]);
    // A target that is named keeps the flags from build scripts, which are run without the sanitizer.
    command.args(["--lib", "--tests", "--target", "x86_64-unknown-linux-gnu"]);
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    command.env("CARGO_TARGET_DIR", target_dir(exec.root()).join("asan"));
    let mut count = TestCount::default();
    exec.run(&mut command, |line| count.read(line))?;
    if count.passed == 0 {
        return Err("no test ran".to_owned());
    }
    Ok(Done::Passed(count.passed))
}

/// Compiles and runs the example in C against the library that the `test` step's build has made.
fn c_interface(exec: &mut Exec) -> Fallible<Done> {
    header::check(exec.root())?;
    exec.run(&mut exec.cargo(&["build", "--package", "elanus-kernels-c"]), |_| {})?;
    let folder = target_dir(exec.root());
    let library = folder.join("debug/libelanus_kernels_c.a");
    let mut passed = 1;
    for (compiler, language) in [("cc", ["-x", "c", "-std=c11"]), ("c++", ["-x", "c++", "-std=c++17"])] {
        let program = folder.join(format!("nearest-{compiler}"));
        let mut command = exec.command(compiler);
        command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-Ikernels-c/include"]).args(language);
        command.args(["kernels-c/examples/nearest.c", "-o"]).arg(&program);
        command.args(["-x", "none"]).arg(&library).args(["-lpthread", "-ldl", "-lm"]);
        exec.run(&mut command, |_| {})?;
        exec.run(&mut exec.command(&program), |_| {})?;
        passed += 1;
    }
    Ok(Done::Passed(passed))
}

/// The binary of the front page's first command; it has been built when the wire tests ran.
fn demo(exec: &mut Exec) -> Fallible<Done> {
    exec.run(&mut exec.cargo(&["build", "--release", "--package", "elanus-server", "--bin", "elanus"]), |_| {})?;
    let binary = target_dir(exec.root()).join("release/elanus");
    exec.run(exec.command(binary).args(["demo", "--exit"]), |_| {})?;
    Ok(Done::Passed(1))
}

fn bench(exec: &mut Exec) -> Fallible<Done> {
    exec.run(&mut exec.cargo(&["bench", "--package", "elanus-benches", "--bench", "*", "--", "--test"]), |_| {})?;
    Ok(Done::Passed(1))
}
