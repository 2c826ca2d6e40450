//! Recall, throughput and latency of the demo's searches.

use super::{K, collection};
use elanus::env::{Clock, SystemClock};
use elanus::{Collection, Keys};
use elanus_datasets::Set;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long each throughput is measured at least.
const SPAN: Duration = Duration::from_millis(400);

/// What was measured at one `ef`.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) recall: f64,
    pub(super) qps_one: f64,
    pub(super) qps_all: f64,
    /// Median, 95th and 99th percentile.
    pub(super) latency_ms: [f64; 3],
}

pub(super) fn run(images: &Collection, set: &Set, ef: usize, clock: &SystemClock) -> elanus::Result<Row> {
    let (mut latencies, mut recall) = (Vec::new(), 0.0);
    let begun = clock.monotonic();
    let mut rounds = 0;
    while rounds == 0 || clock.monotonic() - begun < SPAN {
        recall = 0.0;
        for query in 0..set.query_count() {
            let from = clock.monotonic();
            let found = search(images, set, query, ef)?;
            latencies.push((clock.monotonic() - from).as_secs_f64() * 1e3);
            recall += set.truth.as_ref().map_or(0.0, |truth| truth.recall(query, K, &found));
        }
        rounds += 1;
    }
    let seconds = (clock.monotonic() - begun).as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    Ok(Row {
        recall: recall / set.query_count() as f64,
        qps_one: latencies.len() as f64 / seconds,
        qps_all: on_all_threads(images, set, ef, clock)?,
        latency_ms: [at(0.5), at(0.95), at(0.99)],
    })
}

fn on_all_threads(images: &Collection, set: &Set, ef: usize, clock: &SystemClock) -> elanus::Result<f64> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let begun = clock.monotonic();
    let worker = || {
        let mut count = 0_usize;
        while clock.monotonic() - begun < SPAN {
            search(images, set, next.fetch_add(1, Ordering::Relaxed) % set.query_count(), ef)?;
            count += 1;
        }
        Ok(count)
    };
    let counts: Vec<elanus::Result<usize>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        running.into_iter().map(|one| one.join().unwrap_or(Ok(0))).collect()
    });
    let total = counts.into_iter().sum::<elanus::Result<usize>>()?;
    Ok(total as f64 / (clock.monotonic() - begun).as_secs_f64())
}

fn search(images: &Collection, set: &Set, query: usize, ef: usize) -> elanus::Result<Vec<u32>> {
    let result = images.search(&collection::search(set.query(query), K, ef))?;
    let Keys::Int(ids) = result.keys else { return Ok(Vec::new()) };
    Ok(ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect())
}
