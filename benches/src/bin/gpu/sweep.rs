//! Queries per second by rows and batch size, and what share of the device's limits they are.
use std::time::{Duration, Instant};

use elanus_kernels::backend::{Backend, Corpus as Upload, CorpusKind, Find, Queries, Resident};
use elanus_kernels::{ElementType, Metric, TopK};
use serde_json::{Value, json};

use super::{
    Failure,
    corpus::{self, Corpus},
    devices,
};

/// Batch sizes.
pub(crate) const BATCHES: [usize; 6] = [1, 8, 32, 128, 512, 4096];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The device, such as `cuda:0`.
    #[arg(long)]
    pub(crate) device: String,
    /// Rows of the corpora.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,10000000")]
    pub(crate) rows: Vec<usize>,
    /// Components of a vector.
    #[arg(long, default_value_t = 768)]
    pub(crate) dim: usize,
    /// Element types.
    #[arg(long, value_delimiter = ',', default_value = "bf16,f32,i8,binary", value_parser = corpus::element)]
    pub(crate) elements: Vec<ElementType>,
    /// Queries of a batch.
    #[arg(long, value_delimiter = ',', default_values_t = BATCHES)]
    pub(crate) batches: Vec<usize>,
    /// Neighbours wanted.
    #[arg(long, default_value_t = 10)]
    pub(crate) k: usize,
    /// Milliseconds for each case.
    #[arg(long, default_value_t = 300)]
    pub(crate) budget_ms: u64,
    /// Stop after so many seconds, and say what was left out.
    #[arg(long, default_value_t = 240)]
    pub(crate) seconds: u64,
}

pub(crate) fn print(args: &Args) -> Result<(), Failure> {
    let backend = devices::open(&args.device)?;
    for line in sweep(backend.as_ref(), args)? {
        println!("{line}");
    }
    Ok(())
}

/// One object for each case: element, rows, batch, microseconds of a batch (least and median), queries per second, and
/// the bytes read and the multiply-adds in a nanosecond.
pub(crate) fn sweep(backend: &dyn Backend, args: &Args) -> Result<Vec<Value>, Failure> {
    let started = Instant::now();
    let mut lines = Vec::new();
    for rows in args.rows.iter().copied() {
        for element in args.elements.iter().copied() {
            let metric = if element == ElementType::Binary { Metric::Hamming } else { Metric::L2 };
            let name = format!("{metric} over {rows} x {} {element}", args.dim);
            if !backend.caps().supports(CorpusKind::Rows(element), metric) {
                lines.push(json!({ "case": name, "skipped": "the device has no such program" }));
                continue;
            }
            if started.elapsed() > Duration::from_secs(args.seconds) {
                lines.push(json!({ "case": name, "skipped": "out of time" }));
                continue;
            }
            let stored = Corpus::random(element, rows, args.dim, 1);
            let upload_started = Instant::now();
            let held = match backend.upload(Upload::Rows(stored.rows()?)) {
                Ok(held) => held,
                Err(error) if error.is_device() => {
                    lines.push(json!({ "case": name, "skipped": error.to_string() }));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let upload = upload_started.elapsed().as_secs_f64();
            for batch in args.batches.iter().copied() {
                let times = time(backend, held.as_ref(), element, metric, args, batch)?;
                lines.push(line(&name, element, rows, args.dim, batch, upload, &times));
            }
        }
    }
    Ok(lines)
}

/// The sorted times of a batch, in nanoseconds.
fn time(
    backend: &dyn Backend,
    held: &dyn Resident,
    element: ElementType,
    metric: Metric,
    args: &Args,
    batch: usize,
) -> Result<Vec<f64>, Failure> {
    let asked = Corpus::random(element, batch, args.dim, 999);
    let queries = Queries::Rows(asked.rows()?);
    let mut out: Vec<TopK> = (0..batch).map(|_| TopK::new(args.k)).collect();
    let mut once = || -> Result<f64, Failure> {
        out.iter_mut().for_each(|out| out.reset(args.k));
        let start = Instant::now();
        backend.scan(queries, held, &Find::all(metric), &mut out)?;
        Ok(start.elapsed().as_secs_f64() * 1e9)
    };
    // The first one compiles programs and fills work space.
    once()?;
    let started = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || (started.elapsed() < Duration::from_millis(args.budget_ms) && times.len() < 10_000) {
        times.push(once()?);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn line(
    name: &str,
    element: ElementType,
    rows: usize,
    dim: usize,
    batch: usize,
    upload_seconds: f64,
    times: &[f64],
) -> Value {
    let (least, median) = (times[0], times[times.len() / 2]);
    let row_bytes = (dim / element.components() * element.size_bytes()) as f64;
    json!({
        "case": name,
        "element": element.name(),
        "rows": rows,
        "dim": dim,
        "batch": batch,
        "least_us": least / 1e3,
        "median_us": median / 1e3,
        "qps": batch as f64 * 1e9 / median,
        "bytes_per_ns": rows as f64 * row_bytes / median,
        "multiply_adds_per_ns": rows as f64 * dim as f64 * batch as f64 / median,
        "upload_bytes_per_ns": rows as f64 * row_bytes / (upload_seconds * 1e9),
    })
}
