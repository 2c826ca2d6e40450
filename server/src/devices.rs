//! The command `devices`: what indexes for a device can use on this machine.

use elanus::env::SystemClock;
use elanus::gpu::{self, Caps, Speed};
use std::io::{self, Write};

/// Prints every device that is found.
///
/// # Errors
/// When the list cannot be printed.
pub fn run() -> io::Result<()> {
    let clock = SystemClock::new();
    let measured: Vec<_> = gpu::devices()
        .into_iter()
        .map(|caps| {
            let speed = gpu::measure(&caps, &clock).map_err(|error| error.to_string());
            (caps, speed)
        })
        .collect();
    print(&mut io::stdout(), &gpu::families(), &measured)
}

fn print(out: &mut impl Write, families: &[&str], devices: &[(Caps, Result<Speed, String>)]) -> io::Result<()> {
    if families.is_empty() {
        writeln!(out, "no device: this build has no backend for one (features cuda, wgpu); the CPU does the work")?;
    } else if devices.is_empty() {
        writeln!(out, "no device found (looked for {}); the CPU does the work", families.join(", "))?;
    }
    for (caps, speed) in devices {
        writeln!(out, "{:<9} {}", caps.place(), caps.name)?;
        let mut line = |name: &str, value: &str| writeln!(out, "          {name:<14} {value}");
        line("driver", &caps.driver)?;
        if caps.memory_bytes > 0 {
            line("memory", &format!("{} MiB", caps.memory_bytes >> 20))?;
        }
        line("for rows", &format!("{} MiB", caps.budget_bytes >> 20))?;
        for (name, value) in &caps.limits {
            line(name, value)?;
        }
        match speed {
            Ok(speed) => {
                line("reads", &format!("{:.1} GB/s", speed.read_bytes_per_ns))?;
                line("uploads", &format!("{:.1} GB/s", speed.upload_bytes_per_ns))?;
                line("there and back", &format!("{:.0} us", speed.round_trip_ns / 1e3))?;
            }
            Err(error) => line("cannot be used", error)?,
        }
        if gpu::is_software(caps) {
            line("software", "the CPU under another name: taken only where it is named")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
