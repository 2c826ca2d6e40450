//! Timed rounds on request.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use elanus_datasets::formats::{read_f32, read_ids};
use elanus_datasets::{Matrix, ReadError};
use elanus_index::read_at::ReadAt;
use elanus_index::{Aisaq, Cancel, DiskIndex, Diskann, KeyRange, Search, Spec, Stage, parse};
use elanus_kernels::{TopK, Vector};
use elanus_segment::{Dir, FsDir};
use serde_json::{Value, json};

use crate::counted::{Count, Counted};
use crate::{Failure, What};

/// An open index and what it is asked.
struct Served {
    index: DiskIndex,
    spec: Spec,
    count: Arc<Count>,
    queries: Matrix<f32>,
    truth: Matrix<u32>,
    query_count: usize,
    k: usize,
}

/// Says what was opened, then answers each line until the input ends.
pub(crate) fn serve(what: &What, budget: u64, k: usize, query_count: usize) -> Result<(), Failure> {
    let queries = read_f32(&what.data.join("queries.fbin"))?;
    let truth = read_truth(&what.data)?;
    if truth.dim() < k || truth.rows() != queries.rows() {
        return Err(format!("{} x {} true neighbours, k is {k}", truth.rows(), truth.dim()).into());
    }
    let spec = what.spec(queries.dim())?;
    let count = Arc::new(Count::default());
    let inner = reader(&what.file)?;
    let how = inner.describe();
    let counted: Arc<dyn ReadAt> = Arc::new(Counted { inner, count: Arc::clone(&count) });
    let start = Instant::now();
    let index = match spec.factory().name() {
        "DISKANN" => Diskann.open_at(counted, &spec, budget)?,
        "AISAQ" => Aisaq.open_at(counted, &spec, budget)?,
        other => return Err(format!("{other} is no index of files: DISKANN and AISAQ are").into()),
    };
    let open_seconds = start.elapsed().as_secs_f64();
    say(&json!({ "reads_by": how, "kept_bytes": index.resident_bytes(), "open_seconds": open_seconds }))?;
    let query_count = query_count.min(queries.rows());
    let served = Served { index, spec, count, queries, truth, query_count, k };
    for line in io::stdin().lock().lines() {
        say(&served.answer(&line?).unwrap_or_else(|error| json!({ "error": error.to_string() })))?;
    }
    Ok(())
}

fn read_truth(data: &Path) -> Result<Matrix<u32>, ReadError> {
    read_ids(&data.join("truth.ibin"), u32::MAX as usize)
}

fn reader(file: &Path) -> Result<Arc<dyn ReadAt>, Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("the file's name is no text")?;
    Ok(FsDir::new(folder).reader(name)?)
}

impl Served {
    /// One round with the settings of a line.
    fn answer(&self, line: &str) -> Result<Value, Failure> {
        let given = line.split_whitespace().map(crate::pair).collect::<Result<Vec<_>, _>>()?;
        let params = parse(self.spec.factory().params(), Stage::Search, &given)?;
        let cancel = Cancel::new();
        let search = Search { k: self.k, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
        let mut micros = Vec::with_capacity(self.query_count);
        let (mut hits, mut hops) = (0, 0);
        let before = self.count.now();
        for query in 0..self.query_count {
            let mut out = TopK::new(self.k);
            let start = Instant::now();
            hops += self.index.search_at(Vector::F32(self.queries.row(query)), &search, &mut out)?.hops;
            micros.push(start.elapsed().as_secs_f64() * 1e6);
            let near = &self.truth.row(query)[..self.k];
            hits += out.into_sorted().iter().filter(|found| near.contains(&found.id)).count();
        }
        let after = self.count.now();
        let each = |total: u64| total as f64 / self.query_count as f64;
        let qps = 1e6 * self.query_count as f64 / micros.iter().sum::<f64>();
        micros.sort_unstable_by(f64::total_cmp);
        let percentile = |percent: usize| micros[(micros.len() * percent).div_ceil(100).max(1) - 1];
        Ok(json!({
            "recall": hits as f64 / (self.query_count * self.k) as f64,
            "qps": qps,
            "p50_us": percentile(50),
            "p99_us": percentile(99),
            "reads": each(after.0 - before.0),
            "read_bytes": each(after.1 - before.1),
            "hops": each(hops),
        }))
    }
}

fn say(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}
