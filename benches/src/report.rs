//! What a run says: a table for people and JSON for programs.

use std::io::{self, Write};

use elanus_index::Index;
use serde::Serialize;

use crate::args::Args;
use crate::data::Data;
use crate::measure::Point;

/// All that is needed to know what was measured, and the measurements.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) dataset: String,
    pub(crate) rows: usize,
    pub(crate) dim: usize,
    pub(crate) queries: usize,
    pub(crate) metric: &'static str,
    pub(crate) element: &'static str,
    pub(crate) index: &'static str,
    pub(crate) description: String,
    pub(crate) k: usize,
    pub(crate) seed: u64,
    pub(crate) rounds: usize,
    pub(crate) cpu: Vec<String>,
    pub(crate) build_seconds: f64,
    pub(crate) build_threads: usize,
    pub(crate) vector_bytes: u64,
    pub(crate) index_bytes: u64,
    /// Resident memory of the process before and after the build, where the system says.
    pub(crate) resident_bytes: Option<(u64, u64)>,
    pub(crate) points: Vec<Point>,
}

impl Report {
    pub(crate) fn new(
        args: &Args,
        data: &Data,
        index: &dyn Index,
        build_seconds: f64,
        resident_bytes: Option<(u64, u64)>,
    ) -> Self {
        let values = data.base().len() * data.set.dim;
        Self {
            dataset: data.set.name.clone(),
            rows: data.base().len(),
            dim: data.set.dim,
            queries: data.queries().len(),
            metric: data.metric().name(),
            element: args.element.name(),
            index: index.factory().name(),
            description: index.describe(),
            k: args.k,
            seed: args.seed,
            rounds: args.rounds,
            cpu: elanus_kernels::cpu(),
            build_seconds,
            build_threads: args.build_threads,
            vector_bytes: (values * args.element.size_bytes()) as u64,
            index_bytes: index.footprint_bytes(),
            resident_bytes,
            points: Vec::new(),
        }
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Prints what is measured, and the table's head.
pub(crate) fn print_head(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Report { dataset, rows, dim, queries, metric, element, k, .. } = report;
    writeln!(out, "{dataset}: {rows} rows of {dim} x {element}, {queries} queries, {metric}, k = {k}")?;
    writeln!(out, "{}", report.description)?;
    writeln!(out, "{}", report.cpu.join("; "))?;
    write!(
        out,
        "built in {:.2} s on {} threads; index {:.1} MiB beside {:.1} MiB of vectors",
        report.build_seconds,
        report.build_threads,
        mib(report.index_bytes),
        mib(report.vector_bytes)
    )?;
    match report.resident_bytes {
        Some((before, after)) => {
            writeln!(out, "; resident {:.1} MiB before, {:.1} MiB after", mib(before), mib(after))?;
        }
        None => writeln!(out)?,
    }
    writeln!(
        out,
        "{:>12} {:>7} {:>8} {:>10} {:>9} {:>9} {:>9} {:>10} {:>8}",
        "params", "threads", "recall", "QPS", "p50 us", "p95 us", "p99 us", "distances", "hops"
    )
}

/// Prints one row of the table.
pub(crate) fn print_point(point: &Point) -> io::Result<()> {
    let Point { params, threads, recall, qps, p50_us, p95_us, p99_us, distances, hops } = point;
    writeln!(
        io::stdout().lock(),
        "{params:>12} {threads:>7} {recall:>8.4} {qps:>10.0} {p50_us:>9.1} {p95_us:>9.1} {p99_us:>9.1} \
         {distances:>10.0} {hops:>8.1}"
    )
}
