//! `elanus-bench`: recall, speed, latency, build time and memory of an index on a data set.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![forbid(unsafe_code)]

mod args;
mod compare;
mod data;
mod export;
mod measure;
mod memory;
mod plot;
mod report;
mod run;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let result = match &args.command {
        Some(args::Command::Compare(args)) => compare::compare(args),
        None => run::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("elanus-bench: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprint!(": {inner}");
                cause = inner.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}
