//! `elanus-disk`: builds DISKANN and AISAQ files over a data set and searches them with as little memory as is given.
//!
//! The folder of data is one that `elanus-bench --export` writes. Searching takes the budget of the index, the queries
//! and a few MiB, so that it runs under a limit of the operating system far below the size of the file.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and its own files")]
#![allow(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

mod build;
mod counted;
mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use elanus_index::{IndexFactory, Spec, find};
use elanus_kernels::{ElementType, Metric};

/// What went wrong.
type Failure = Box<dyn std::error::Error>;

/// Builds and searches indexes that stay on the disk.
#[derive(Debug, Parser)]
#[command(name = "elanus-disk", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build an index file over the base vectors of a folder.
    Build {
        #[command(flatten)]
        what: What,
        /// Threads that build.
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
    /// Answer one timed round of all queries for each line of standard input, as `search_list=50`, with a line of JSON.
    Serve {
        #[command(flatten)]
        what: What,
        /// MiB of memory that the index may keep.
        #[arg(long)]
        budget_mib: u64,
        /// Neighbours asked for.
        #[arg(long, default_value_t = 10)]
        k: usize,
        /// Use only the first queries.
        #[arg(long, default_value_t = 1000)]
        query_count: usize,
    },
}

/// Which index of which data.
#[derive(Debug, clap::Args)]
struct What {
    /// The folder with `base.fbin`, `queries.fbin`, `truth.ibin` and `set.json`.
    #[arg(long)]
    data: PathBuf,
    /// The file of the index.
    #[arg(long)]
    file: PathBuf,
    /// The index type, `DISKANN` or `AISAQ`.
    #[arg(long, default_value = "DISKANN")]
    index: String,
    /// Build parameters, as `max_degree=32`.
    #[arg(long, value_parser = pair, value_delimiter = ',')]
    build: Vec<(String, String)>,
}

impl What {
    fn spec(&self, dim: usize) -> Result<Spec, Failure> {
        let factory: &'static dyn IndexFactory =
            find(&self.index).ok_or_else(|| format!("no index type {}", self.index))?;
        Ok(Spec::new(factory, ElementType::F32, dim, metric(&self.data)?, self.build.clone())?)
    }
}

fn metric(data: &Path) -> Result<Metric, Failure> {
    let path = data.join("set.json");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let head: serde_json::Value = serde_json::from_str(&text)?;
    let metric = head["metric"].as_str().and_then(Metric::parse);
    Ok(metric.ok_or_else(|| format!("{} names no metric", path.display()))?)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("want name=value, got {text:?}"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Build { what, threads } => build::build(&what, threads),
        Command::Serve { what, budget_mib, k, query_count } => serve::serve(&what, budget_mib << 20, k, query_count),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("elanus-disk: {error}");
            ExitCode::FAILURE
        }
    }
}
