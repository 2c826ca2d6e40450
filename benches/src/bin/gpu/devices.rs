//! The devices that this build can reach, and opening one by name.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use elanus_gpu::choice::{self, Choice, FAMILIES};
use elanus_kernels::backend::{Backend, Caps, Cpu};

use super::Failure;

/// The name of the CPU's own backend, which checks the programs of this folder where there is no card.
const CPU: &str = "cpu:0";

/// Everything that is found, cards first.
fn list() -> Vec<Caps> {
    let mut found = choice::list(FAMILIES);
    found.push(Cpu::new().caps().clone());
    found
}

/// The first device that does not compute on the CPU.
pub(crate) fn first_card() -> Option<String> {
    choice::list(FAMILIES).iter().find(|caps| !choice::is_software(caps)).map(Caps::place)
}

/// The device of this name, such as `cuda:0`.
pub(crate) fn open(name: &str) -> Result<Arc<dyn Backend>, Failure> {
    if name == CPU {
        return Ok(Arc::new(Cpu::new()));
    }
    let opened = choice::open(name.parse::<Choice>()?, None, FAMILIES)?;
    Ok(opened.backend.ok_or_else(|| format!("{name} names no device"))?)
}

/// A clock for [`Backend::measure`].
pub(crate) fn clock() -> impl Fn() -> Duration {
    let start = Instant::now();
    move || start.elapsed()
}

pub(crate) fn print() -> Result<(), Failure> {
    for caps in list() {
        println!("{}  {}, driver {}", caps.place(), caps.name, caps.driver);
        for (name, value) in &caps.limits {
            println!("    {name}: {value}");
        }
        let speed = open(&caps.place())?.measure(&clock())?;
        println!(
            "    reads {:.1} GB/s, takes in {:.1} GB/s, answers in {:.1} us at least",
            speed.read_bytes_per_ns,
            speed.upload_bytes_per_ns,
            speed.round_trip_ns / 1e3
        );
    }
    Ok(())
}
