//! The way through NVIDIA's driver, on a library that stands in for it: `driver.cpp`, with the emulator for programs.
//!
//! A process finds the library by its path for libraries, which is read when it starts. So each check is run by another
//! process, which is this one with a single test.
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use elanus_gpu::cuda::{list, open};
use elanus_gpu::testing::run;
use elanus_kernels::backend::BackendError;

use super::{DIM, EMULATED, NOT_ALL, search, upload, values};

/// Builds the library in a folder, or says why it cannot.
fn build(folder: &Path) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("the stand-in for the driver needs Linux".to_owned());
    }
    let gpu = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    command.args(["-std=c++17", "-O2", "-march=native", "-shared", "-fPIC", "-fvisibility=hidden"]);
    command.args(["-ffp-contract=off", "-Wno-unknown-pragmas", "-x", "c++"]);
    command.arg("-I").arg(gpu.join("../shaders/src/cuda")).arg("-I").arg(gpu.join("emulator"));
    command.arg(gpu.join("emulator/emulator.cpp")).arg(gpu.join("tests/cuda/driver.cpp"));
    let output = command.arg("-o").arg(folder.join("libcuda.so")).output();
    let output = output.map_err(|error| format!("no C++ compiler: {error}"))?;
    assert!(output.status.success(), "the driver does not compile: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Runs a test of this file in a process that finds the library in a folder.
fn elsewhere(folder: &Path, test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(env::current_exe().expect("a running program"));
    command.args(["--exact", &format!("stand_in::{test}"), "--ignored", "--nocapture"]);
    command.env("LD_LIBRARY_PATH", folder).envs(environment.iter().copied());
    let output = command.stdin(Stdio::null()).output().expect("a program that is there");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{test}: {said}");
}

#[test]
fn the_driver_is_spoken_to_as_its_manual_says() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    if let Err(why) = build(folder.path()) {
        println!("SKIPPED: {why}");
        return;
    }
    elsewhere(folder.path(), "inner_suite", &[]);
    elsewhere(folder.path(), "inner_old_card", &[("STAND_IN_GENERATION", "7")]);
    elsewhere(folder.path(), "inner_text", &[("STAND_IN_COMPILE", "0")]);
    elsewhere(folder.path(), "inner_lost", &[("STAND_IN_LOST", "3")]);
}

#[test]
#[ignore = "run by another test"]
fn inner_suite() {
    let cards = list();
    assert_eq!(cards.len(), 1);
    assert_eq!((cards[0].name.as_str(), cards[0].driver.as_str()), ("stand-in", "CUDA 13.1"));
    let backend = open(0, None).unwrap();
    assert_eq!(backend.caps().budget_bytes, (1 << 30) / 10 * 9);
    println!("{}", run(&*backend, &EMULATED, NOT_ALL));
    let speed = backend.measure(&|| Duration::ZERO).unwrap();
    assert!(speed.round_trip_ns > 0.0, "{speed:?}");
    let held = upload(&*backend, &values(1, 10)).unwrap();
    drop(held);
    drop(backend);
    // Everything was given back.
    let again = open(0, None).unwrap();
    assert_eq!(again.caps().budget_bytes, (1 << 30) / 10 * 9);
    assert!(matches!(open(1, None), Err(BackendError::Lost { .. } | BackendError::Failed { .. })));
}

#[test]
#[ignore = "run by another test"]
fn inner_old_card() {
    let error = open(0, None).unwrap_err();
    assert!(matches!(&error, BackendError::Failed { reason } if reason.contains("7.0")), "{error}");
}

#[test]
#[ignore = "run by another test"]
fn inner_text() {
    let backend = open(0, None).unwrap();
    for _ in 0..2 {
        let error = upload(&*backend, &values(1, 10)).unwrap_err();
        assert!(matches!(&error, BackendError::Failed { reason } if reason.contains("taste")), "{error}");
    }
}

#[test]
#[ignore = "run by another test"]
fn inner_lost() {
    let backend = open(0, None).unwrap();
    let data = values(1, 10);
    let held = upload(&*backend, &data).unwrap();
    let lost = (0..10).find_map(|_| search(&*backend, &*held, &data[..DIM], None, 1).err());
    let error = lost.expect("the third launch is the last");
    assert!(matches!(&error, BackendError::Lost { reason } if reason.contains("ILLEGAL_ADDRESS")), "{error}");
    assert_eq!(search(&*backend, &*held, &data[..DIM], None, 1), Err(error));
    drop(held);
    drop(backend);
}
