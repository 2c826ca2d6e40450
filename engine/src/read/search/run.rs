//! Running a search: each query over each segment, by its index or by a scan, and the hits merged.

use super::covered::Covered;
use super::plan::{BoundQueries, Plan};
use super::{Hit, invalid};
use crate::beside::Companion;
use crate::disk;
use crate::error::{Error, Result, Subject};
use crate::inner::Inner;
use crate::read::fetch::RowAt;
use crate::read::select;
use crate::read::snapshot::Snapshot;
use crate::shard::Pinned;
use crate::ts;
use elanus_index::{Cancel, Index, KeyRange, ParamSet, Scratch, Search, SearchError, flat};
use elanus_kernels::{AnyRows, Bitmap, BitmapView, Neighbor, TopK};
use elanus_segment::View;
use rayon::ThreadPool;
use rayon::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;

/// Queries that share one pass over the rows: at least so many, as a product of matrices wants them, and at most so many,
/// so that there is work for every thread.
const GROUP_MIN: usize = 16;
const GROUP_MAX: usize = 64;
/// Rows to look at from which on a search is spread over the pool; below, handing over costs more than it gains.
const SPREAD_ROWS: usize = 1 << 16;
/// Rows that a search of an index looks at, at most; an estimate.
const INDEXED_ROWS: usize = 4_096;
/// Rows that a filter is evaluated on in the time of one distance; an estimate.
const FILTERED_PART: usize = 8;

thread_local! {
    pub(super) static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// What every part of one search shares.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) plan: &'a Plan,
    pub(super) params: &'a ParamSet,
    pub(super) k: usize,
    pub(super) range: KeyRange,
    /// When is read.
    pub(super) ts: u64,
    pub(super) cancel: &'a Cancel,
}

/// A segment with the rows that may be returned.
struct Target<'a> {
    number: u32,
    view: &'a View,
    keep: Option<Bitmap>,
    index: Option<&'a Arc<dyn Index>>,
    /// What an index in memory has of it, where it has no saved one.
    covered: Option<Covered>,
}

impl Job<'_> {
    fn search<'b>(&'b self, target: &'b Target<'_>) -> Search<'b> {
        let filter = target.keep.as_ref().map(Bitmap::view);
        Search { k: self.k, params: self.params, filter, range: self.range, cancel: self.cancel }
    }
}

impl<'a> Target<'a> {
    /// The index with the rows it was built over.
    fn indexed(&self, plan: &Plan) -> Result<Option<(&'a Arc<dyn Index>, AnyRows<'a>)>> {
        match (self.index, self.view.blocks()) {
            (Some(index), [block]) => Ok(Some((index, vectors(block.column(plan.position).vectors())?))),
            _ => Ok(None),
        }
    }
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
    let job = Job { plan, params, k, range: plan.range, ts: snapshot.ts, cancel };
    let asked_ms = (inner.settings.growing_index_rows > 0).then(|| ts::to_ms(inner.oracle.now()));
    let beside = |pinned: &Pinned| companion(plan, pinned, asked_ms);
    let threads = (work(plan, rows.len(), snapshot, &beside) >= SPREAD_ROWS).then_some(&inner.searchers);
    let targets = on(threads, || targets(plan, snapshot, &beside, threads.is_some()))?;
    // Before any thread of the pool works: this one waits for the device, and they shall not.
    let (found, left) = by_device(&job, rows, &targets)?;
    let mut lists = on(threads, || spread(&job, rows, &left, threads))?;
    for (target, tops) in found {
        collect(target, tops, &mut lists);
    }
    if left.len() < targets.len() {
        lists.iter_mut().for_each(|list| settle(&job, list));
    }
    Ok(lists)
}

/// Runs on a thread of the pool, or here.
fn on<R: Send>(threads: Option<&ThreadPool>, run: impl FnOnce() -> R + Send) -> R {
    match threads {
        Some(pool) => pool.install(run),
        None => run(),
    }
}

/// Where the index in memory of a segment is had.
type FindBeside<'a> = &'a (dyn Fn(&Pinned) -> Option<Arc<Companion>> + Sync);

/// The index in memory of a segment, which is asked for by this.
fn companion(plan: &Plan, pinned: &Pinned, now_ms: Option<u64>) -> Option<Arc<Companion>> {
    if plan.iterator || plan.is_exact() || pinned.view.index(plan.position).is_some() {
        return None;
    }
    let companion = pinned.beside.as_ref()?.ask(plan.position, now_ms?)?;
    // One of another metric belongs to a definition that was dropped.
    Some(companion).filter(|one| one.index().spec().metric() == plan.metric)
}

/// Rows that a search looks at, roughly.
fn work(plan: &Plan, queries: usize, snapshot: &Snapshot, beside: FindBeside<'_>) -> usize {
    let rows = |pinned: &Pinned| {
        let view = &pinned.view;
        match view.index(plan.position) {
            Some(index) if !plan.iterator && !index.is_exact() => view.rows().min(INDEXED_ROWS),
            Some(_) => view.rows(),
            None => {
                let covered = beside(pinned).map_or(0, |companion| companion.index().len());
                view.rows().saturating_sub(covered) + covered.min(INDEXED_ROWS)
            }
        }
    };
    let searched: usize = snapshot.segments.iter().map(rows).sum();
    let filtered: usize = snapshot.segments.iter().map(|pinned| pinned.view.rows() / FILTERED_PART).sum();
    searched.saturating_mul(queries) + if plan.filter.is_all() { 0 } else { filtered }
}

/// What the device answers, and the targets that are left to the CPU. A batch reaches the device whole.
fn by_device<'a>(
    job: &Job<'_>,
    queries: AnyRows<'_>,
    targets: &'a [Target<'a>],
) -> Result<(Vec<Found<'a>>, Vec<&'a Target<'a>>)> {
    let (mut found, mut left) = (Vec::new(), Vec::new());
    for target in targets {
        let Some((index, rows)) = target.indexed(job.plan)?.filter(|(index, _)| index.factory().takes_device()) else {
            left.push(target);
            continue;
        };
        let mut tops = holders(job, queries);
        match index.search_on_device(rows, queries, &job.search(target), &mut tops) {
            Some(answer) => {
                answer.map_err(search_error)?;
                found.push((target, tops));
            }
            None => left.push(target),
        }
    }
    Ok((found, left))
}

fn spread(
    job: &Job<'_>,
    rows: AnyRows<'_>,
    targets: &[&Target<'_>],
    threads: Option<&ThreadPool>,
) -> Result<Vec<Vec<Hit>>> {
    let tasks = 2 * threads.map_or(1, ThreadPool::current_num_threads);
    let step = rows.len().div_ceil(tasks).clamp(GROUP_MIN, GROUP_MAX);
    let starts: Vec<usize> = (0..rows.len()).step_by(step).collect();
    let group = |from: &usize| {
        let queries = rows.slice(*from..(from + step).min(rows.len()));
        group_hits(job, targets, queries, threads.is_some())
    };
    let mut lists: Vec<Vec<Hit>> = each(&starts, threads.is_some(), group)?.into_iter().flatten().collect();
    if job.plan.iterator {
        for (query, list) in lists.iter_mut().enumerate() {
            close_page(job, targets, rows.slice(query..query + 1), list)?;
        }
    }
    Ok(lists)
}

/// A target and what was found there, a holder for each query.
type Found<'a> = (&'a Target<'a>, Vec<TopK>);

/// Maps items on the threads of the pool that this runs in, or on this thread alone.
fn each<T: Sync, R: Send>(items: &[T], parallel: bool, map: impl Fn(&T) -> Result<R> + Sync + Send) -> Result<Vec<R>> {
    if parallel { items.par_iter().map(map).collect() } else { items.iter().map(map).collect() }
}

fn targets<'a>(plan: &Plan, snapshot: &'a Snapshot, beside: FindBeside<'_>, parallel: bool) -> Result<Vec<Target<'a>>> {
    let prepare = |&(number, pinned): &(usize, &'a Pinned)| {
        let view = &pinned.view;
        let mut keep = select::rows(view, &plan.filter, snapshot.ts)?;
        // One of another metric belongs to a definition that was dropped.
        let index = view.index(plan.position).filter(|one| !plan.iterator && one.spec().metric() == plan.metric);
        // An index knows itself which rows have a vector.
        if index.is_none() || view.blocks().len() != 1 {
            mask_nulls(view, plan.position, &mut keep);
        }
        if keep.as_ref().is_some_and(|keep| keep.count_ones() == 0) {
            return Ok(None);
        }
        let number = u32::try_from(number).map_err(|_| Error::internal("more segments than can be numbered"))?;
        let covered = beside(pinned).and_then(|one| Covered::new(one, view, keep.as_ref(), snapshot.ts));
        Ok(Some(Target { number, view, keep, index, covered }))
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
fn group_hits(job: &Job<'_>, targets: &[&Target<'_>], queries: AnyRows<'_>, parallel: bool) -> Result<Vec<Vec<Hit>>> {
    let mut merged: Vec<Vec<Hit>> = vec![Vec::new(); queries.len()];
    let per_target = each(targets, parallel, |target| target_hits(job, target, queries))?;
    for (target, tops) in targets.iter().zip(per_target) {
        collect(target, tops, &mut merged);
    }
    merged.iter_mut().for_each(|list| settle(job, list));
    Ok(merged)
}

/// Adds what was found in a target to the list of each query.
fn collect(target: &Target<'_>, tops: Vec<TopK>, lists: &mut [Vec<Hit>]) {
    let mut sorted = Vec::new();
    for (list, mut top) in lists.iter_mut().zip(tops) {
        sorted.clear();
        top.drain_sorted(&mut sorted);
        list.extend(sorted.iter().map(|one| hit(target, one)));
    }
}

/// Keeps the nearest, in order.
fn settle(job: &Job<'_>, list: &mut Vec<Hit>) {
    list.sort_by(|a, b| a.key.total_cmp(&b.key).then(a.at.cmp(&b.at)));
    list.truncate(job.k);
}

pub(super) fn holders(job: &Job<'_>, queries: AnyRows<'_>) -> Vec<TopK> {
    (0..queries.len()).map(|_| TopK::new(job.k)).collect()
}

fn hit(target: &Target<'_>, neighbor: &Neighbor) -> Hit {
    Hit { key: neighbor.key, at: RowAt { segment: target.number, row: neighbor.id } }
}

fn target_hits(job: &Job<'_>, target: &Target<'_>, queries: AnyRows<'_>) -> Result<Vec<TopK>> {
    let mut tops = holders(job, queries);
    let search = job.search(target);
    if let Some((index, rows)) = target.indexed(job.plan)? {
        return SCRATCH.with_borrow_mut(|scratch| {
            let searched = index.search_many(rows, queries, &search, scratch, &mut tops);
            searched.map_err(|error| index_error(error, &**index))?;
            Ok(tops)
        });
    }
    if let Some(covered) = &target.covered
        && let Some(tops) = covered.search(job, target.view, search.filter, queries)?
    {
        return Ok(tops);
    }
    for block in target.view.blocks() {
        let rows = vectors(block.column(job.plan.position).vectors())?;
        scan(job, rows, block.start(), search.filter, queries, &mut tops)?;
    }
    Ok(tops)
}

/// Compares rows one by one, of which the first has that id.
pub(super) fn scan(
    job: &Job<'_>,
    rows: AnyRows<'_>,
    first: u32,
    keep: Option<BitmapView<'_>>,
    queries: AnyRows<'_>,
    tops: &mut [TopK],
) -> Result<()> {
    flat::scan_many(rows, first, queries, job.plan.metric, keep, job.range, job.cancel, tops).map_err(search_error)?;
    Ok(())
}

/// Adds every hit with the key of the page's last one: the next page begins strictly beyond it.
fn close_page(job: &Job<'_>, targets: &[&Target<'_>], query: AnyRows<'_>, list: &mut Vec<Hit>) -> Result<()> {
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

pub(super) fn vectors(rows: Option<AnyRows<'_>>) -> Result<AnyRows<'_>> {
    rows.ok_or_else(|| Error::internal("the searched field holds no vectors"))
}

fn index_error(source: SearchError, index: &dyn Index) -> Error {
    let SearchError::Read(fault) = &source else { return search_error(source) };
    let text = format!("the index cannot be searched: {}", index.describe());
    Error::new(disk::kind_of(fault), Subject::Index, text).with_source(source)
}

pub(super) fn search_error(source: SearchError) -> Error {
    if source == SearchError::Cancelled {
        return Error::cancelled("the search was cancelled");
    }
    if matches!(source, SearchError::BelowK { .. } | SearchError::Both { .. }) {
        return Error::invalid(Subject::IndexParameter, source.to_string());
    }
    invalid(source.to_string())
}
