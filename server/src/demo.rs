//! The command `demo`: a real data set in a fresh database, built, searched, measured, and served.

mod collection;
mod files;
mod measure;

use crate::config::{GpuArgs, ServeArgs};
use crate::serve::{self, ServeError};
use clap::Args;
use elanus::Db;
use elanus::env::{Clock, SystemClock};
use elanus_datasets::{DatasetError, Set};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};

/// Hits of each search, as in recall@10.
const K: usize = 10;
/// Name of the bundled data set.
const DATASET: &str = "fashion-mnist-10k";

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// End after the report instead of serving the database.
    #[arg(long)]
    pub exit: bool,

    #[command(flatten)]
    at: Addresses,

    #[command(flatten)]
    gpu: GpuArgs,
}

#[derive(Debug, Clone, Args)]
struct Addresses {
    /// Address for clients.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:19530")]
    listen: String,

    /// Address of the health check and the metrics.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9091")]
    http: String,
}

/// Why the demo ended.
#[derive(Debug)]
pub enum DemoError {
    /// The bundled data cannot be read.
    Data(DatasetError),
    /// The database failed.
    Engine(elanus::Error),
    /// The report cannot be printed, or the data folder not be made.
    Io(io::Error),
    /// Serving failed.
    Serve(ServeError),
}

impl std::fmt::Display for DemoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Data(error) => write!(f, "the bundled data cannot be read: {error}"),
            Self::Engine(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Serve(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DemoError {}

impl From<elanus::Error> for DemoError {
    fn from(error: elanus::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<io::Error> for DemoError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs the demo; the database is gone when it ends.
///
/// # Errors
/// What failed.
pub fn run(args: &DemoArgs) -> Result<(), DemoError> {
    let clock = SystemClock::new();
    let out = &mut io::stdout();
    let set = elanus_datasets::load(DATASET).map_err(DemoError::Data)?;
    let folder = files::TemporaryFolder::new()?;
    writeln!(out, "Elanus {} - a vector database that speaks Milvus's protocol\n", env!("CARGO_PKG_VERSION"))?;
    writeln!(
        out,
        "data     {} images x {} pixels, {} queries ({DATASET}, MIT licence)",
        set.len(),
        set.dim,
        set.query_count()
    )?;
    writeln!(out, "folder   {}", folder.path().display())?;
    let db = Db::builder().path(folder.path()).settings(args.gpu.settings()).open()?;
    let started = clock.monotonic();
    let images = collection::make(&db)?;
    collection::fill(&images, &set, &bar("inserting", set.len() as u64))?;
    writeln!(
        out,
        "insert   {:.2} s, every batch synced to disk before it was acknowledged",
        (clock.monotonic() - started).as_secs_f64()
    )?;
    let started = clock.monotonic();
    collection::index(&images, &bar("building HNSW", set.len() as u64))?;
    writeln!(
        out,
        "index    {:.2} s, HNSW M=16 efConstruction=200, metric L2",
        (clock.monotonic() - started).as_secs_f64()
    )?;
    report(out, &images, &set, &clock)?;
    let resident = crate::observe::resident_bytes().map_or_else(|| "not known here".to_owned(), files::size);
    writeln!(out, "memory   {resident} resident, the mapped files included")?;
    writeln!(out, "files    {}", files::describe(folder.path())?)?;
    filtered(out, &images, &set)?;
    if args.exit {
        db.close();
        return Ok(());
    }
    serve_it(out, args, db, folder.path())
}

fn report(out: &mut impl Write, images: &elanus::Collection, set: &Set, clock: &SystemClock) -> Result<(), DemoError> {
    writeln!(out, "\nsearch   recall@{K} against the exact answer, {} queries", set.query_count())?;
    writeln!(
        out,
        "         {:>5} {:>9} {:>12} {:>12} {:>9} {:>9} {:>9}",
        "ef", "recall", "QPS 1 thr", "QPS all thr", "p50 ms", "p95 ms", "p99 ms"
    )?;
    for ef in [16, 32, 64, 128] {
        let row = measure::run(images, set, ef, clock)?;
        writeln!(
            out,
            "         {ef:>5} {:>9.4} {:>12.0} {:>12.0} {:>9.3} {:>9.3} {:>9.3}",
            row.recall, row.qps_one, row.qps_all, row.latency_ms[0], row.latency_ms[1], row.latency_ms[2]
        )?;
    }
    Ok(())
}

fn filtered(out: &mut impl Write, images: &elanus::Collection, set: &Set) -> Result<(), DemoError> {
    let filter = "kind == \"Sneaker\" and id < 5000";
    writeln!(out, "\nfilter   the images nearest to query 0 with {filter}")?;
    for hit in collection::nearest(images, set.query(0), filter)? {
        writeln!(out, "         id {:>5}  {:<12} distance {:.0}", hit.id, hit.kind, hit.distance)?;
    }
    Ok(())
}

fn serve_it(out: &mut impl Write, args: &DemoArgs, db: Db, folder: &std::path::Path) -> Result<(), DemoError> {
    let serve = ServeArgs::with_defaults(folder, &args.at.listen, &args.at.http);
    let uri = format!("http://{}", args.at.listen);
    writeln!(out, "\nserving  {uri} - ask it from Python (pip install pymilvus), end with Ctrl-C:\n")?;
    writeln!(out, "from pymilvus import MilvusClient")?;
    writeln!(out, "client = MilvusClient(\"{uri}\")")?;
    writeln!(
        out,
        "print(client.search(\"fashion\", data=[client.get(\"fashion\", ids=[0])[0][\"image\"]], limit=3, output_fields=[\"kind\"]))\n"
    )?;
    out.flush()?;
    serve::run_open(&serve, move || Ok(db)).map_err(DemoError::Serve)
}

/// A progress bar on a terminal, nothing elsewhere.
fn bar(what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg:14} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
