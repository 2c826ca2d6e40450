//! The program `elanus`.

use clap::Parser;
use elanus_server::config::{Cli, Command};
use elanus_server::{demo, devices, serve};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args).map_err(|error| error.to_string()),
        Command::Demo(args) => demo::run(&args).map_err(|error| error.to_string()),
        Command::Devices => devices::run().map_err(|error| error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("elanus: {error}");
            ExitCode::FAILURE
        }
    }
}
