//! Timed rounds of an exact scan that takes several queries at once, each thread a part of the rows.

use std::time::{Duration, Instant};

use elanus_index::{Cancel, KeyRange, SearchError, Stats, flat};
use elanus_kernels::{AnyRows, TopK};

use super::{Round, Subject};

/// Asks the first `queries` queries once, `batch` at a time.
pub(crate) fn round(subject: &Subject<'_>, batch: usize, queries: usize, threads: usize) -> Result<Round, SearchError> {
    let all = subject.data.queries();
    let count = all.len().min(queries);
    let mut found: Vec<Vec<u32>> = Vec::with_capacity(count);
    let (mut stats, mut latencies) = (Stats::default(), Vec::new());
    let start = Instant::now();
    for first in (0..count).step_by(batch.max(1)) {
        let some = all.slice(first..count.min(first + batch.max(1)));
        let begun = Instant::now();
        let (outs, cost) = answer(subject, some, threads)?;
        stats.add(cost);
        let each = begun.elapsed() / some.len() as u32;
        latencies.resize(latencies.len() + some.len(), each);
        found.extend(outs.into_iter().map(|out| out.into_sorted().iter().map(|near| near.id).collect()));
    }
    let wall: Duration = start.elapsed();
    let recall = |(query, ids): (usize, &Vec<u32>)| subject.data.recall(query, subject.k, ids) / count as f64;
    Ok(Round { wall, latencies, recall: found.iter().enumerate().map(recall).sum(), stats })
}

/// One batch: every thread compares all of its queries with a part of the rows.
fn answer(subject: &Subject<'_>, queries: AnyRows<'_>, threads: usize) -> Result<(Vec<TopK>, Stats), SearchError> {
    let base = subject.data.base();
    // Parts begin at whole words of a bitmap.
    let part = base.len().div_ceil(threads.max(1)).next_multiple_of(64);
    let scan = |start: usize| {
        let mut outs: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(subject.k)).collect();
        let rows = base.slice(start..base.len().min(start + part));
        let (metric, cancel) = (subject.data.metric(), Cancel::new());
        flat::scan_many(rows, start as u32, queries, metric, None, KeyRange::ALL, &cancel, &mut outs)
            .map(|stats| (outs, stats))
    };
    std::thread::scope(|scope| {
        let starts = (0..base.len()).step_by(part).skip(1);
        let others: Vec<_> = starts.map(|start| scope.spawn(move || scan(start))).collect();
        let (mut outs, mut stats) = scan(0)?;
        for other in others {
            let (more, cost) = other.join().expect("a scan does not panic")?;
            outs.iter_mut().zip(&more).for_each(|(out, more)| out.merge(more));
            stats.add(cost);
        }
        Ok((outs, stats))
    })
}
