//! Timed searches on request: one JSON object in, one out, so that another program can take turns.
//!
//! | request | answer |
//! |---|---|
//! | `{"load": PATH, "element": "bf16", "dim": 768}` | `{"rows": N, "seconds": S}` |
//! | `{"queries": PATH, "element": "bf16", "dim": 768}` | `{"rows": N}` |
//! | `{"search": COUNT, "metric": "IP", "k": 10, "repeats": 5}` | `{"least_us": .., "median_us": .., "ids": [[..], ..]}` |
use std::{
    io::{self, BufRead, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};

use elanus_kernels::backend::{Backend, Corpus as Upload, Find, Queries, Resident};
use elanus_kernels::{Metric, TopK};
use serde_json::{Value, json};

use super::{
    Failure,
    corpus::{self, Corpus},
    devices,
};

/// Queries whose neighbours are told.
const TOLD: usize = 64;

struct State {
    backend: Arc<dyn Backend>,
    held: Option<Arc<dyn Resident>>,
    queries: Option<Corpus>,
}

pub(crate) fn serve(device: &str) -> Result<(), Failure> {
    let mut state = State { backend: devices::open(device)?, held: None, queries: None };
    for line in io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<Value>(&line?) {
            Ok(request) => state.answer(&request).unwrap_or_else(|error| json!({ "error": error.to_string() })),
            Err(error) => json!({ "error": error.to_string() }),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

impl State {
    fn answer(&mut self, request: &Value) -> Result<Value, Failure> {
        if let Some(path) = request["load"].as_str() {
            // The old one first: two may not fit.
            self.held = None;
            let stored = read(path, request)?;
            let start = Instant::now();
            let held = self.backend.upload(Upload::Rows(stored.rows()?))?;
            let answer = json!({ "rows": held.len(), "seconds": start.elapsed().as_secs_f64() });
            self.held = Some(held);
            return Ok(answer);
        }
        if let Some(path) = request["queries"].as_str() {
            let stored = read(path, request)?;
            let rows = stored.rows()?.len();
            self.queries = Some(stored);
            return Ok(json!({ "rows": rows }));
        }
        let count = request["search"].as_u64().ok_or("want `load`, `queries` or `search`")?;
        self.search(usize::try_from(count)?, request)
    }

    fn search(&self, count: usize, request: &Value) -> Result<Value, Failure> {
        let metric = request["metric"].as_str().and_then(Metric::parse).ok_or("want a `metric`")?;
        let k = usize::try_from(request["k"].as_u64().ok_or("want `k`")?)?;
        let repeats = request["repeats"].as_u64().unwrap_or(1).max(1);
        let held = self.held.as_ref().ok_or("nothing is loaded")?;
        let queries = self.queries.as_ref().ok_or("there are no queries")?.rows()?;
        if count > queries.len() {
            return Err(format!("there are {} queries", queries.len()).into());
        }
        let queries = Queries::Rows(queries.slice(0..count));
        let mut times = Vec::new();
        let mut out = Vec::new();
        for _ in 0..repeats {
            out = (0..count).map(|_| TopK::new(k)).collect::<Vec<_>>();
            let start = Instant::now();
            self.backend.scan(queries, held.as_ref(), &Find::all(metric), &mut out)?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        let told = out.into_iter().take(TOLD).map(TopK::into_sorted);
        let ids: Vec<Vec<u32>> = told.map(|found| found.iter().map(|one| one.id).collect()).collect();
        Ok(json!({ "least_us": times[0], "median_us": times[times.len() / 2], "ids": ids }))
    }
}

fn read(path: &str, request: &Value) -> Result<Corpus, Failure> {
    let element = corpus::element(request["element"].as_str().ok_or("want an `element`")?)?;
    let dim = usize::try_from(request["dim"].as_u64().ok_or("want a `dim`")?)?;
    Corpus::read(Path::new(path), element, dim)
}
