//! The GPU backends where there is no card: wgpu's against Mesa's driver that computes on the CPU, CUDA's programs against
//! an emulator, and the same programs through NVIDIA's compiler and assembler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Fallible;
use crate::ci::{Done, TestCount};
use crate::exec::{Exec, in_path};
use crate::ptx;

/// What can be checked of one family of devices. Another family is a function here.
type Part = fn(&mut Exec) -> Fallible<Done>;

static PARTS: &[(&str, Part)] = &[("backends", backends), ("ptx", programs)];

/// The Debian packages that bring the loader and the driver.
const PACKAGES: &[&str] = &["mesa-vulkan-drivers", "libvulkan1"];
/// Where drivers are described, by files whose names begin with the driver's.
const DESCRIPTIONS: &str = "/usr/share/vulkan/icd.d";
const DRIVER: &str = "lvp_icd.";

/// Skipped where one of the parts cannot be run; failing tests are an error.
pub(crate) fn step(exec: &mut Exec) -> Fallible<Done> {
    let (mut passed, mut skipped) = (0, Vec::new());
    for (name, part) in PARTS {
        match part(exec)? {
            Done::Passed(count) => passed += count,
            Done::Skipped(why) => {
                println!("        SKIPPED {name}: {why}");
                skipped.push(format!("{name}: {why}"));
            }
        }
    }
    Ok(if skipped.is_empty() { Done::Passed(passed) } else { Done::Skipped(skipped.join("; ")) })
}

/// The CUDA programs compile, spill nothing, and are those that are shipped.
fn programs(exec: &mut Exec) -> Fallible<Done> {
    ptx::build(exec, true)
}

fn backends(exec: &mut Exec) -> Fallible<Done> {
    if !cfg!(target_os = "linux") {
        return Ok(Done::Skipped("the software driver is set up for Linux".to_owned()));
    }
    if driver(Path::new(DESCRIPTIONS)).is_none() {
        if let Some(why) = cannot_install() {
            return Ok(Done::Skipped(why));
        }
        if let Err(why) = install(exec) {
            return Ok(Done::Skipped(format!("the driver cannot be installed: {why}")));
        }
    }
    let Some(driver) = driver(Path::new(DESCRIPTIONS)) else {
        return Ok(Done::Skipped(format!("{} brought no {DRIVER}*.json", PACKAGES[0])));
    };
    let mut command = exec.cargo(&["test", "--package", "elanus-gpu", "--features", "cuda,wgpu,testing"]);
    // The layer that chooses among drivers asks every display for its opinion; there is one driver and no display.
    command.args(["--", "--nocapture"]).env("VK_DRIVER_FILES", driver).env("NODEVICE_SELECT", "1");
    let (mut count, mut skips) = (TestCount::default(), Vec::new());
    let ran = exec.run(&mut command, |line| {
        count.read(line);
        if let Some(at) = line.find("SKIPPED:") {
            skips.push(line[at..].to_owned());
        }
    });
    skips.sort();
    skips.dedup();
    for line in &skips {
        println!("        {line}");
    }
    ran?;
    if count.passed == 0 {
        return Err("no test ran".to_owned());
    }
    match skips.into_iter().find(|line| line.contains("no Vulkan driver")) {
        Some(line) => Ok(Done::Skipped(line)),
        None => Ok(Done::Passed(count.passed)),
    }
}

/// The file that describes the software driver.
fn driver(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = files.filter(|path| is_driver(path)).collect();
    files.sort();
    files.into_iter().next()
}

fn is_driver(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(DRIVER) && name.ends_with(".json")
}

fn cannot_install() -> Option<String> {
    if !in_path("apt-get") {
        return Some("there is no software driver, and no apt-get to install one".to_owned());
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    (!root).then(|| format!("there is no software driver, and installing {} needs root", PACKAGES.join(" ")))
}

fn install(exec: &mut Exec) -> Fallible<()> {
    let mut install = exec.command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["-qq", "install", "-y", "--no-install-recommends"]).args(PACKAGES);
    if exec.run(&mut install, |_| {}).is_ok() {
        return Ok(());
    }
    // The lists of packages may be missing or old.
    exec.run(exec.command("apt-get").args(["-qq", "update"]), |_| {})?;
    exec.run(&mut install, |_| {})
}

#[cfg(test)]
mod tests;
