//! Timed rounds of queries over an index.

pub(crate) mod batch;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use elanus_index::{Cancel, Index, KeyRange, ParamSet, Scratch, Search, SearchError, Stats};
use elanus_kernels::TopK;
use serde::Serialize;

use crate::data::Data;

/// An index, what it is asked and what it should answer.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) data: &'a Data,
    pub(crate) index: &'a dyn Index,
    pub(crate) k: usize,
}

/// One pass over all queries.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) wall: Duration,
    pub(crate) latencies: Vec<Duration>,
    pub(crate) recall: f64,
    pub(crate) stats: Stats,
}

impl Round {
    pub(crate) fn qps(&self) -> f64 {
        self.latencies.len() as f64 / self.wall.as_secs_f64()
    }
}

/// What was measured at one setting.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) params: String,
    pub(crate) threads: usize,
    pub(crate) recall: f64,
    /// The median of the rounds.
    pub(crate) qps: f64,
    pub(crate) p50_us: f64,
    pub(crate) p95_us: f64,
    pub(crate) p99_us: f64,
    /// Per query.
    pub(crate) distances: f64,
    pub(crate) hops: f64,
}

/// A query's place, how long it took, what it found and what that cost.
type Answer = (usize, Duration, Vec<u32>, Stats);

impl Subject<'_> {
    /// Asks every query once, on so many threads.
    pub(crate) fn round(&self, params: &ParamSet, threads: usize) -> Result<Round, SearchError> {
        let next = AtomicUsize::new(0);
        let start = Instant::now();
        let parts: Vec<Result<Vec<Answer>, SearchError>> = if threads == 1 {
            vec![self.answer(params, &next)]
        } else {
            std::thread::scope(|scope| {
                let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.answer(params, &next))).collect();
                handles.into_iter().map(|handle| handle.join().expect("a search does not panic")).collect()
            })
        };
        let wall = start.elapsed();
        let answers: Vec<Answer> = parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let mut stats = Stats::default();
        let mut recall = 0.0;
        for (query, _, found, cost) in &answers {
            recall += self.data.recall(*query, self.k, found) / answers.len() as f64;
            stats.add(*cost);
        }
        Ok(Round { wall, latencies: answers.iter().map(|(_, latency, _, _)| *latency).collect(), recall, stats })
    }

    /// Takes queries until none is left.
    fn answer(&self, params: &ParamSet, next: &AtomicUsize) -> Result<Vec<Answer>, SearchError> {
        let queries = self.data.queries();
        let cancel = Cancel::new();
        let search = Search { k: self.k, params, filter: None, range: KeyRange::ALL, cancel: &cancel };
        let mut scratch = Scratch::new();
        let mut out = TopK::new(self.k);
        let mut sorted = Vec::new();
        let mut answers = Vec::with_capacity(queries.len());
        loop {
            let query = next.fetch_add(1, Ordering::Relaxed);
            if query >= queries.len() {
                return Ok(answers);
            }
            let start = Instant::now();
            let stats = self.index.search(self.data.base(), queries.row(query), &search, &mut scratch, &mut out)?;
            sorted.clear();
            out.drain_sorted(&mut sorted);
            let latency = start.elapsed();
            answers.push((query, latency, sorted.iter().map(|found| found.id).collect(), stats));
        }
    }

    /// Measures one setting over some rounds, after one that only warms up.
    pub(crate) fn point(
        &self,
        text: &str,
        params: &ParamSet,
        threads: usize,
        rounds: usize,
    ) -> Result<Point, SearchError> {
        self.round(params, threads)?;
        let rounds: Vec<Round> = (0..rounds.max(1)).map(|_| self.round(params, threads)).collect::<Result<_, _>>()?;
        Ok(summary(text, threads, &rounds))
    }
}

/// What rounds at one setting say together.
pub(crate) fn summary(text: &str, threads: usize, rounds: &[Round]) -> Point {
    let mut qps: Vec<f64> = rounds.iter().map(Round::qps).collect();
    qps.sort_by(f64::total_cmp);
    let mut latencies: Vec<Duration> = rounds.iter().flat_map(|round| round.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let queries = latencies.len().max(1) as f64;
    let mut stats = Stats::default();
    rounds.iter().for_each(|round| stats.add(round.stats));
    Point {
        params: text.to_owned(),
        threads,
        recall: rounds.first().map_or(0.0, |round| round.recall),
        qps: qps.get(qps.len() / 2).copied().unwrap_or(0.0),
        p50_us: percentile(&latencies, 50),
        p95_us: percentile(&latencies, 95),
        p99_us: percentile(&latencies, 99),
        distances: stats.distances as f64 / queries,
        hops: stats.hops as f64 / queries,
    }
}

/// The least latency that so many of a hundred do not pass, in microseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests;
