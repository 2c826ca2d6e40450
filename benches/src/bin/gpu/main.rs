//! `elanus-gpu`: what a card can do, whether its answers are right, and how fast it searches, beside PyTorch.
//!
//! The program stands alone, so that it can be carried to a machine that has a card and nothing to build with.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and writes its report")]
#![allow(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

mod corpus;
mod devices;
mod run;
mod serve;
mod sweep;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use elanus_gpu::testing::{self, Extent};

/// What went wrong.
type Failure = Box<dyn std::error::Error>;

/// Measures and checks the devices of this machine.
#[derive(Debug, Parser)]
#[command(name = "elanus-gpu", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the devices with their limits and measured speeds.
    Devices,
    /// Compare a device's answers with the CPU's on random shapes.
    Suite {
        /// The device, such as `cuda:0`; `cpu:0` checks the suite itself.
        #[arg(long)]
        device: String,
        /// Random shapes for each program.
        #[arg(long, default_value_t = 100)]
        shapes: usize,
    },
    /// Measure queries per second by rows and batch size, as shares of the device's limits.
    Sweep(sweep::Args),
    /// Answer timed searches, one JSON request a line, so that another program can take turns.
    Serve {
        /// The device, such as `cuda:0`.
        #[arg(long)]
        device: String,
    },
    /// All of it within some minutes: suite, sweep and, where `python3` has PyTorch, the comparison with it.
    Run {
        /// The device; the first card that is found if it is not named.
        #[arg(long)]
        device: Option<String>,
        /// The comparing script.
        #[arg(long, default_value = "benches/compare/torch_turns.py")]
        turns: PathBuf,
        /// Where the results go, as JSON.
        #[arg(long)]
        out: PathBuf,
        /// What the measured program was built from.
        #[arg(long, default_value = "unknown")]
        commit: String,
        /// Minutes that it may take.
        #[arg(long, default_value_t = 9)]
        minutes: u64,
    },
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Devices => devices::print(),
        Command::Suite { device, shapes } => suite(&device, shapes),
        Command::Sweep(args) => sweep::print(&args),
        Command::Serve { device } => serve::serve(&device),
        Command::Run { device, turns, out, commit, minutes } => {
            run::run(device.as_deref(), &turns, &out, &commit, minutes)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("elanus-gpu: {error}");
            ExitCode::FAILURE
        }
    }
}

fn suite(device: &str, shapes: usize) -> Result<(), Failure> {
    let backend = devices::open(device)?;
    let report = testing::run(backend.as_ref(), &Extent { shapes, ..Extent::default() }, &[]);
    print!("{report}");
    println!("{device}: {} answers as the CPU's", report.count());
    Ok(())
}
