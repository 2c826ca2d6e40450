//! Running a search: each query over each segment, by its index or by a scan, and the hits merged.

use super::plan::{BoundQueries, Plan};
use super::{Hit, invalid};
use crate::error::{Error, Result, Subject};
use crate::inner::Inner;
use crate::read::fetch::RowAt;
use crate::read::select;
use crate::read::snapshot::Snapshot;
use crate::shard::Pinned;
use elanus_index::{Cancel, Index, KeyRange, ParamSet, Scratch, Search, SearchError, flat};
use elanus_kernels::{AnyRows, Bitmap, Neighbor, TopK};
use elanus_segment::View;
use rayon::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;

/// Queries that share one pass over unindexed rows.
const SCAN_QUERIES: usize = 16;
/// Rows to look at from which on a search is spread over the pool; below, handing over costs more than it gains.
const SPREAD_ROWS: usize = 1 << 16;
/// Rows that a search of an index looks at, at most; an estimate.
const INDEXED_ROWS: usize = 4_096;
/// Rows that a filter is evaluated on in the time of one distance; an estimate.
const FILTERED_PART: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// What every part of one search shares.
#[derive(Clone, Copy)]
struct Job<'a> {
    plan: &'a Plan,
    params: &'a ParamSet,
    k: usize,
    range: KeyRange,
    cancel: &'a Cancel,
}

/// A segment with the rows that may be returned.
struct Target<'a> {
    number: u32,
    view: &'a View,
    keep: Option<Bitmap>,
    index: Option<&'a Arc<dyn Index>>,
}

/// The `k` nearest hits of each query over all segments, nearest first.
pub(super) fn all(
    inner: &Inner,
    plan: &Plan,
    params: &ParamSet,
    queries: &BoundQueries,
    snapshot: &Snapshot,
    k: usize,
    cancel: &Cancel,
) -> Result<Vec<Vec<Hit>>> {
    let rows = queries.rows()?;
    let job = Job { plan, params, k, range: plan.range, cancel };
    if work(plan, rows.len(), snapshot) < SPREAD_ROWS {
        return spread(&job, rows, snapshot, false);
    }
    inner.searchers.install(|| spread(&job, rows, snapshot, true))
}

/// Rows that a search looks at, roughly.
fn work(plan: &Plan, queries: usize, snapshot: &Snapshot) -> usize {
    let rows = |view: &View| match view.index(plan.position) {
        Some(_) if !plan.iterator => view.rows().min(INDEXED_ROWS),
        Some(_) | None => view.rows(),
    };
    let searched: usize = snapshot.segments.iter().map(|pinned| rows(&pinned.view)).sum();
    let filtered: usize = snapshot.segments.iter().map(|pinned| pinned.view.rows() / FILTERED_PART).sum();
    searched.saturating_mul(queries) + if plan.filter.is_all() { 0 } else { filtered }
}

fn spread(job: &Job<'_>, rows: AnyRows<'_>, snapshot: &Snapshot, parallel: bool) -> Result<Vec<Vec<Hit>>> {
    let targets = targets(job.plan, snapshot, parallel)?;
    let starts: Vec<usize> = (0..rows.len()).step_by(SCAN_QUERIES).collect();
    let group = |from: &usize| {
        let queries = rows.slice(*from..(from + SCAN_QUERIES).min(rows.len()));
        group_hits(job, &targets, queries, parallel)
    };
    let mut lists: Vec<Vec<Hit>> = each(&starts, parallel, group)?.into_iter().flatten().collect();
    if job.plan.iterator {
        for (query, list) in lists.iter_mut().enumerate() {
            close_page(job, &targets, rows.slice(query..query + 1), list)?;
        }
    }
    Ok(lists)
}

/// Maps items on the threads of the pool that this runs in, or on this thread alone.
fn each<T: Sync, R: Send>(items: &[T], parallel: bool, map: impl Fn(&T) -> Result<R> + Sync + Send) -> Result<Vec<R>> {
    if parallel { items.par_iter().map(map).collect() } else { items.iter().map(map).collect() }
}

fn targets<'a>(plan: &Plan, snapshot: &'a Snapshot, parallel: bool) -> Result<Vec<Target<'a>>> {
    let prepare = |&(number, pinned): &(usize, &'a Pinned)| {
        let view = &pinned.view;
        let mut keep = select::rows(view, &plan.filter, snapshot.ts)?;
        mask_nulls(view, plan.position, &mut keep);
        if keep.as_ref().is_some_and(|keep| keep.count_ones() == 0) {
            return Ok(None);
        }
        // One of another metric belongs to a definition that was dropped.
        let index = view.index(plan.position).filter(|one| !plan.iterator && one.spec().metric() == plan.metric);
        let number = u32::try_from(number).map_err(|_| Error::internal("more segments than can be numbered"))?;
        Ok(Some(Target { number, view, keep, index }))
    };
    let numbered: Vec<(usize, &'a Pinned)> = snapshot.segments.iter().enumerate().collect();
    Ok(each(&numbered, parallel, prepare)?.into_iter().flatten().collect())
}

/// Rows without a vector are never hits.
fn mask_nulls(view: &View, position: usize, keep: &mut Option<Bitmap>) {
    for block in view.blocks() {
        if let Some(validity) = block.column(position).validity {
            let keep = keep.get_or_insert_with(|| Bitmap::full(view.rows()));
            for row in (0..validity.len()).filter(|&row| !validity.get(row)) {
                keep.set(block.start() as usize + row, false);
            }
        }
    }
}

/// The hits of a few queries.
fn group_hits(job: &Job<'_>, targets: &[Target<'_>], queries: AnyRows<'_>, parallel: bool) -> Result<Vec<Vec<Hit>>> {
    let mut merged: Vec<Vec<Hit>> = vec![Vec::new(); queries.len()];
    let per_target = each(targets, parallel, |target| target_hits(job, target, queries))?;
    let mut sorted = Vec::new();
    for (target, lists) in targets.iter().zip(per_target) {
        for (list, mut top) in merged.iter_mut().zip(lists) {
            sorted.clear();
            top.drain_sorted(&mut sorted);
            list.extend(sorted.iter().map(|one| hit(target, one)));
        }
    }
    for list in &mut merged {
        list.sort_by(|a, b| a.key.total_cmp(&b.key).then(a.at.cmp(&b.at)));
        list.truncate(job.k);
    }
    Ok(merged)
}

fn hit(target: &Target<'_>, neighbor: &Neighbor) -> Hit {
    Hit { key: neighbor.key, at: RowAt { segment: target.number, row: neighbor.id } }
}

fn target_hits(job: &Job<'_>, target: &Target<'_>, queries: AnyRows<'_>) -> Result<Vec<TopK>> {
    let Job { plan, params, k, range, cancel } = *job;
    let mut tops: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(k)).collect();
    let keep = target.keep.as_ref().map(Bitmap::view);
    if let (Some(index), [block]) = (target.index, target.view.blocks()) {
        let rows = vectors(block.column(plan.position).vectors())?;
        let search = Search { k, params, filter: keep, range, cancel };
        return SCRATCH.with_borrow_mut(|scratch| {
            for (number, top) in tops.iter_mut().enumerate() {
                index.search(rows, queries.row(number), &search, scratch, top).map_err(search_error)?;
            }
            Ok(tops)
        });
    }
    for block in target.view.blocks() {
        let rows = vectors(block.column(plan.position).vectors())?;
        flat::scan_many(rows, block.start(), queries, plan.metric, keep, range, cancel, &mut tops)
            .map_err(search_error)?;
    }
    Ok(tops)
}

/// Adds every hit with the key of the page's last one: the next page begins strictly beyond it.
fn close_page(job: &Job<'_>, targets: &[Target<'_>], query: AnyRows<'_>, list: &mut Vec<Hit>) -> Result<()> {
    let Some(last) = list.last().filter(|_| list.len() == job.k).map(|hit| hit.key) else { return Ok(()) };
    list.retain(|hit| hit.key < last);
    let mut sorted = Vec::new();
    for target in targets {
        let ties = Job { k: target.view.rows(), range: KeyRange { lower: last, upper: last.next_up() }, ..*job };
        for mut top in target_hits(&ties, target, query)? {
            sorted.clear();
            top.drain_sorted(&mut sorted);
            list.extend(sorted.iter().map(|one| hit(target, one)));
        }
    }
    Ok(())
}

fn vectors(rows: Option<AnyRows<'_>>) -> Result<AnyRows<'_>> {
    rows.ok_or_else(|| Error::internal("the searched field holds no vectors"))
}

fn search_error(source: SearchError) -> Error {
    if source == SearchError::Cancelled {
        return Error::cancelled("the search was cancelled");
    }
    if matches!(source, SearchError::BelowK { .. }) {
        return Error::invalid(Subject::IndexParameter, source.to_string());
    }
    invalid(source.to_string())
}
