//! The suite that every backend must pass, with the CPU's as the oracle.
//!
//! A check fails with a panic that says which shape, query and row it was about. What a backend does not claim to
//! support is skipped, and the report says so.
mod codes;
mod compare;
mod edges;
mod rows;
#[cfg(test)]
mod tests;

use std::fmt;

use elanus_kernels::backend::{Backend, CorpusKind};
use elanus_kernels::{ELEMENTS, METRICS, Metric};

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Random shapes for each program.
    pub shapes: usize,
    /// About how many components are compared for one shape: queries x rows x dimension.
    pub work: usize,
    /// Where chance begins.
    pub seed: u64,
}

impl Default for Extent {
    /// A hundred shapes, small enough for a driver that computes on the CPU.
    fn default() -> Self {
        Self { shapes: 100, work: 4_000_000, seed: 1 }
    }
}

/// What was run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Answers compared, by program.
    pub passed: Vec<(String, usize)>,
    /// Programs that the backend does not have.
    pub skipped: Vec<String>,
}

impl Report {
    /// Answers compared in all.
    pub fn count(&self) -> usize {
        self.passed.iter().map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.passed {
            writeln!(f, "{name}: {count} answers as the CPU's")?;
        }
        for name in &self.skipped {
            writeln!(f, "SKIPPED {name}: the backend has no such program")?;
        }
        Ok(())
    }
}

/// Runs everything. `skip` names programs that are known to fail on this device, as the report would.
///
/// # Panics
/// When the backend's answer is not the CPU's.
pub fn run(backend: &dyn Backend, extent: &Extent, skip: &[&str]) -> Report {
    let mut report = Report::default();
    for element in ELEMENTS.iter().copied() {
        for metric in METRICS.iter().copied().filter(|metric| element.supports(*metric)) {
            cell(backend, CorpusKind::Rows(element), metric, extent, skip, &mut report);
        }
    }
    for kind in [CorpusKind::Sq(4), CorpusKind::Sq(6), CorpusKind::Sq(8), CorpusKind::Pq4, CorpusKind::RaBitQ] {
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            cell(backend, kind, metric, extent, skip, &mut report);
        }
    }
    edges::check(backend);
    report.passed.push(("refusals and threads".to_owned(), 1));
    report
}

fn cell(backend: &dyn Backend, kind: CorpusKind, metric: Metric, extent: &Extent, skip: &[&str], report: &mut Report) {
    let name = format!("{metric} over {kind}");
    if !backend.caps().supports(kind, metric) || skip.contains(&name.as_str()) {
        report.skipped.push(name);
        return;
    }
    let count = match kind {
        CorpusKind::Rows(element) => rows::check(backend, element, metric, extent),
        CorpusKind::Sq(_) | CorpusKind::Pq4 | CorpusKind::RaBitQ => codes::check(backend, kind, metric, extent),
    };
    report.passed.push((name, count));
}
