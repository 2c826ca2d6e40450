//! `elanus-roofline`: what this machine can do at most, and how near each kernel comes, beside simsimd.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and writes its report")]
#![allow(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

mod cells;
mod clock;
mod codes;
mod limits;
mod report;
mod serve;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;

use self::{limits::Level, report::Report};

/// Dimensions in use: those of common models and data sets, and some that fit no register.
const DIMS: [usize; 12] = [96, 100, 127, 128, 200, 384, 768, 769, 1024, 1536, 1600, 3072];

/// Measures the limits of this machine (reads from each cache and from memory, multiply-adds, byte products, counted
/// bits), then each kernel at each dimension: ns, rows/s, share of its limit, and simsimd in turns with it.
#[derive(Debug, Parser)]
#[command(name = "elanus-roofline")]
struct Args {
    /// Only kernels whose name contains this, such as "f32", "COSINE" or "i8 IP".
    #[arg(long)]
    only: Option<String>,
    /// Dimensions.
    #[arg(long, value_delimiter = ',')]
    dims: Vec<usize>,
    /// Levels that rows are read from.
    #[arg(long, value_delimiter = ',', default_value = "l1,l2,memory", value_parser = level)]
    levels: Vec<Level>,
    /// Milliseconds for each program and case.
    #[arg(long, default_value_t = 30)]
    budget_ms: u64,
    /// Instead, answer lines on standard input with the times of searches over codes.
    #[arg(long)]
    serve_stdin: bool,
    /// Also write the lines to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What is measured and for how long.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) only: Option<String>,
    pub(crate) dims: Vec<usize>,
    pub(crate) levels: Vec<Level>,
    pub(crate) budget: Duration,
}

impl Options {
    /// Whether a kernel of this name was not asked for.
    pub(crate) fn leaves_out(&self, name: &str) -> bool {
        self.only.as_ref().is_some_and(|only| !name.contains(only.as_str()))
    }
}

fn level(name: &str) -> Result<Level, String> {
    match name {
        "l1" => Ok(Level::L1),
        "l2" => Ok(Level::L2),
        "l3" => Ok(Level::L3),
        "memory" => Ok(Level::Memory),
        other => Err(format!("{other} is not one of l1, l2, l3, memory")),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.serve_stdin {
        return match serve::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("elanus-roofline: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let dims = if args.dims.is_empty() { DIMS.to_vec() } else { args.dims };
    let options = Options { only: args.only, dims, levels: args.levels, budget: Duration::from_millis(args.budget_ms) };
    for line in elanus_kernels::cpu() {
        println!("{line}");
    }
    println!();
    let limits = limits::Limits::measure(options.budget * 3);
    limits.print();
    println!();
    let mut report = Report::default();
    Report::print_head();
    cells::all(&options, &limits, &mut report);
    codes::all(&options, &limits, &mut report);
    let Some(path) = args.json else { return ExitCode::SUCCESS };
    let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string());
    match text.and_then(|text| std::fs::write(&path, text).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("elanus-roofline: cannot write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
