//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use elanus_datasets::{DatasetError, Set};
use elanus_kernels::{ElementType, METRICS, Metric};

use crate::data::ELEMENTS;

/// Measures recall, queries per second, latency, build time and memory of an index on a data set.
#[derive(Clone, Debug, Parser)]
#[command(name = "elanus-bench", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) source: Source,

    /// Use only the first queries.
    #[arg(long)]
    pub(crate) query_count: Option<usize>,

    /// The element type that vectors are stored as.
    #[arg(long, default_value = "f32", value_parser = parse_element)]
    pub(crate) element: ElementType,

    /// The index type.
    #[arg(long, default_value = "HNSW", value_parser = PossibleValuesParser::new(index_names()))]
    pub(crate) index: String,

    /// Build parameters, as `M=16,efConstruction=200`.
    #[arg(long, value_parser = parse_pair, value_delimiter = ',')]
    pub(crate) build: Vec<(String, String)>,

    /// A search parameter and the values to try, as `ef=16,32,64`.
    #[arg(long, value_parser = parse_sweep)]
    pub(crate) sweep: Option<Sweep>,

    /// Neighbours asked for.
    #[arg(long, default_value_t = 10)]
    pub(crate) k: usize,

    /// Search threads to try, each a number or `all`.
    #[arg(long, default_value = "1,all", value_parser = parse_threads, value_delimiter = ',')]
    pub(crate) threads: Vec<usize>,

    /// Threads that build, a number or `all`.
    #[arg(long, default_value = "all", value_parser = parse_threads)]
    pub(crate) build_threads: usize,

    /// Where chance begins in the build.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Times each point is measured; the median counts.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,

    /// Write the results here as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,

    /// Draw the curve of recall and speed here as SVG.
    #[arg(long)]
    pub(crate) plot: Option<PathBuf>,

    /// After the build, answer one timed round for each line of standard input, as `ef=64 threads=1`, with a line of
    /// JSON; for comparison in turns with another program.
    #[arg(long, conflicts_with_all = ["sweep", "json", "plot"])]
    pub(crate) serve_stdin: bool,

    /// Only write base, queries and true neighbours as files into this folder and print the metric.
    #[arg(long, conflicts_with_all = ["sweep", "json", "plot", "serve_stdin"])]
    pub(crate) export: Option<PathBuf>,
}

/// What else the program does.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Compares indexes with those of other libraries, through Python for all of them.
    Compare(CompareArgs),
}

/// Where vectors and true neighbours come from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Source {
    /// A data set by name; an unknown name lists the known ones.
    #[arg(long, required_unless_present = "base", conflicts_with = "base")]
    pub(crate) dataset: Option<String>,

    /// A file of base vectors, in place of a named data set.
    #[arg(long, requires = "queries")]
    pub(crate) base: Option<PathBuf>,

    /// A file of query vectors.
    #[arg(long, requires = "base")]
    pub(crate) queries: Option<PathBuf>,

    /// A file of true neighbours; computed when not given.
    #[arg(long, requires = "base")]
    pub(crate) truth: Option<PathBuf>,

    /// The metric of the files; a named data set brings its own.
    #[arg(long, requires = "base", default_value = "L2", value_parser = parse_metric)]
    pub(crate) metric: Metric,

    /// A file in which computed true neighbours are kept for the next run.
    #[arg(long)]
    pub(crate) truth_cache: Option<PathBuf>,
}

impl Source {
    /// Loads the set, with at least `k` true neighbours of each query.
    pub(crate) fn load(&self, k: usize) -> Result<Set, DatasetError> {
        let mut set = match (&self.dataset, &self.base, &self.queries) {
            (Some(name), _, _) => elanus_datasets::load(name)?,
            (None, Some(base), Some(queries)) => Set::from_files(self.metric, base, queries, self.truth.as_deref())?,
            (None, _, _) => unreachable!("the command line asks for a data set or for both files"),
        };
        set.ensure_truth(k, self.truth_cache.as_deref())?;
        Ok(set)
    }
}

/// The command line of a comparison.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) source: Source,

    /// The folder for results, plots and the exported vectors.
    #[arg(long)]
    pub(crate) out: PathBuf,

    /// The libraries to compare with, as `hnswlib,faiss_hnsw`; all of them when not given.
    #[arg(long)]
    pub(crate) peers: Option<String>,

    /// Neighbours asked for.
    #[arg(long, default_value = "10,100", value_delimiter = ',')]
    pub(crate) k: Vec<usize>,

    /// Threads of a batch, each a number or `all`.
    #[arg(long, default_value = "1", value_parser = parse_threads, value_delimiter = ',')]
    pub(crate) threads: Vec<usize>,

    /// Threads that build, a number or `all`.
    #[arg(long, default_value = "all", value_parser = parse_threads)]
    pub(crate) build_threads: usize,

    /// Shorten all sweeps evenly, so that the run takes about so long.
    #[arg(long)]
    pub(crate) minutes: Option<f64>,

    /// The interpreter, with the libraries installed.
    #[arg(long, default_value = "python3")]
    pub(crate) python: PathBuf,

    /// The library of the package `elanus-index-py`; looked for beside this program when not given.
    #[arg(long)]
    pub(crate) module: Option<PathBuf>,

    /// The script; that of the tree this program was built from when not given.
    #[arg(long)]
    pub(crate) script: Option<PathBuf>,

    /// Options that are handed on to the script, after `--`; `-- --help` lists them.
    #[arg(last = true)]
    pub(crate) more: Vec<String>,
}

/// A search parameter and the values to try.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sweep {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

fn index_names() -> Vec<&'static str> {
    elanus_index::INDEXES.iter().map(|index| index.name()).collect()
}

fn parse_metric(text: &str) -> Result<Metric, String> {
    let fits = |metric: &&Metric| ElementType::F32.supports(**metric);
    Metric::parse(text).filter(|metric| fits(&metric)).ok_or_else(|| {
        let known: Vec<_> = METRICS.iter().filter(fits).map(|metric| metric.name()).collect();
        format!("known metrics are {}", known.join(", "))
    })
}

fn parse_element(text: &str) -> Result<ElementType, String> {
    ELEMENTS.iter().copied().find(|element| element.name() == text).ok_or_else(|| {
        let known: Vec<_> = ELEMENTS.iter().map(|element| element.name()).collect();
        format!("known element types are {}", known.join(", "))
    })
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("want name=value".to_owned()),
    }
}

fn parse_sweep(text: &str) -> Result<Sweep, String> {
    let (name, values) = parse_pair(text)?;
    Ok(Sweep { name, values: values.split(',').map(str::to_owned).collect() })
}

pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(std::thread::available_parallelism().map_or(1, usize::from));
    }
    match text.parse() {
        Ok(0) | Err(_) => Err("want a number from 1 on, or all".to_owned()),
        Ok(count) => Ok(count),
    }
}

#[cfg(test)]
mod tests;
