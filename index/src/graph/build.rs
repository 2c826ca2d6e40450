//! Building the graph in batches that grow with it.
//!
//! As in ParlayANN (section 4): each row of a batch searches the graph as it was before the batch, then all links back
//! to old nodes are grouped by node and each node is pruned once. No result depends on the order in which threads
//! work, so the graph is the same on any number of them, and no lock is held.
//!
//! Unlike there, the rows of a batch are also compared with each other, all with all, as blocks: without that, each
//! row would miss its neighbours in the batch, which costs about as much recall as the batch is a part of the graph.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use elanus_kernels::{Element, Rows};
use rayon::prelude::*;

use super::levels::insertion_order;
use super::links::{EMPTY, Graph, Numbering, Upper, used};
use super::prune::{Edge, Pruner};
use super::scorer::{Bound, Scorer};
use super::walk::Walk;
use crate::array::Array;
use crate::{BuildCx, BuildError, Scratch, Stats};

/// A batch is this part of the graph that it is searched in.
const BATCH_PART: usize = 50;
/// The greatest batch, a bound on the memory of planned links and on the work of comparing the batch with itself.
const BATCH_MAX: usize = 8192;
/// Rows of a batch that are compared with all of it together.
const GROUP: usize = 16;

/// How the graph is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) m: usize,
    pub(crate) ef_construction: usize,
}

/// What one thread works with.
#[derive(Debug, Default)]
struct Work {
    scratch: Scratch,
    pruner: Pruner,
    edges: Vec<Edge>,
    ids: Vec<u32>,
    keys: Vec<f32>,
    mates: Vec<f32>,
}

/// A link from a new node, seen from the node it leads to.
#[derive(Clone, Copy, Debug)]
struct Back {
    target: u32,
    edge: Edge,
}

/// The links planned for a new node, by level from the lowest.
type Plan = Vec<Vec<Edge>>;

/// Rows that enter the graph together.
struct Batch<E> {
    rows: Vec<u32>,
    levels: Vec<u32>,
    /// Their vectors, one after another.
    packed: Vec<E>,
}

impl<E: Element> Batch<E> {
    fn new(batch: &[(u32, u32)], scorer: &Scorer<'_, E>) -> Self {
        let (rows, levels): (Vec<u32>, Vec<u32>) = batch.iter().copied().unzip();
        let packed = rows.iter().flat_map(|row| scorer.rows.row(*row as usize)).copied().collect();
        Self { rows, levels, packed }
    }
}

struct Builder<'a, E: Element> {
    shape: Shape,
    scorer: Scorer<'a, E>,
    cx: &'a BuildCx<'a>,
    graph: Graph,
    works: Mutex<Vec<Work>>,
}

/// Builds the graph over the rows `nodes`; `None` when there are none.
pub(crate) fn build<E: Element>(
    shape: Shape,
    scorer: Scorer<'_, E>,
    nodes: impl Iterator<Item = u32>,
    cx: &BuildCx<'_>,
) -> Result<Option<Graph>, BuildError> {
    let order = insertion_order(nodes, cx.seed, shape.m);
    let Some(&(entry, _)) = order.first() else { return Ok(None) };
    let graph = empty_graph(shape.m, scorer.rows.len(), &order, entry)?;
    let mut builder = Builder { shape, scorer, cx, graph, works: Mutex::default() };
    let total = order.len() as u64;
    let mut done = 1;
    while done < order.len() {
        (cx.progress)(done as u64, total);
        let size = (done / BATCH_PART).clamp(1, BATCH_MAX).min(order.len() - done);
        builder.insert(&order[done..done + size])?;
        done += size;
    }
    super::repair::reach_all(&mut builder.graph, &scorer, &order, || cx.cancel.is_cancelled());
    if cx.cancel.is_cancelled() {
        return Err(BuildError::Cancelled);
    }
    (cx.progress)(total, total);
    Ok(Some(builder.graph))
}

fn empty_graph(m: usize, rows: usize, order: &[(u32, u32)], entry: u32) -> Result<Graph, BuildError> {
    let too_large = BuildError::TooLarge { rows, degree: 2 * m };
    let links = |nodes: usize, degree: usize| nodes.checked_mul(degree).filter(|n| *n <= isize::MAX as usize / 4);
    let base = vec![EMPTY; links(rows, 2 * m).ok_or(too_large.clone())?];
    let mut upper = Vec::new();
    let top = order.first().map_or(0, |&(_, level)| level);
    for level in 1..=top {
        let mut ids: Vec<u32> = order.iter().take_while(|(_, l)| *l >= level).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let links = vec![EMPTY; links(ids.len(), m).ok_or(too_large.clone())?];
        upper.push(Upper { ids: Array::Owned(ids), links: Array::Owned(links) });
    }
    Ok(Graph { m, base: Array::Owned(base), upper, entry })
}

impl<E: Element> Builder<'_, E> {
    /// Adds rows, given with their levels, to the graph.
    fn insert(&mut self, batch: &[(u32, u32)]) -> Result<(), BuildError> {
        let batch = Batch::new(batch, &self.scorer);
        // The size of groups must not depend on the number of threads, but small batches must keep them all busy.
        let group = (batch.rows.len() / 64).clamp(1, GROUP);
        let starts: Vec<usize> = (0..batch.rows.len()).step_by(group).collect();
        let plans = self.map(&starts, |work, start| {
            let end = batch.rows.len().min(start + group);
            self.plan_group(work, &batch, *start..end)
        })?;
        let plans: Vec<Plan> = plans.into_iter().flatten().collect();
        let top = batch.levels.iter().copied().max().unwrap_or(0) as usize;
        for level in 0..=top {
            let mut back = Vec::new();
            for (row, plan) in batch.rows.iter().zip(&plans) {
                let Some(edges) = plan.get(level) else { continue };
                self.write(level, *row, edges.iter().map(|edge| edge.row));
                back.extend(edges.iter().map(|edge| Back { target: edge.row, edge: Edge { row: *row, ..*edge } }));
            }
            self.link_back(level, back)?;
        }
        Ok(())
    }

    /// Plans the rows in `range` of a batch.
    fn plan_group(&self, work: &mut Work, batch: &Batch<E>, range: Range<usize>) -> Vec<Plan> {
        let Ok(packed) = Rows::new(&batch.packed, self.scorer.rows.dim()) else { return Vec::new() };
        let mut mates = std::mem::take(&mut work.mates);
        self.scorer.tile(&batch.rows[range.clone()], &batch.rows, packed, &mut mates);
        let keys = mates.chunks(batch.rows.len());
        let plans = range.zip(keys).map(|(i, keys)| self.plan(work, batch, i, keys)).collect();
        work.mates = mates;
        plans
    }

    /// Searches the graph for the neighbours of a new row on each of its levels; `mates` are its keys to all rows of
    /// the batch.
    fn plan(&self, work: &mut Work, batch: &Batch<E>, i: usize, mates: &[f32]) -> Plan {
        let (row, level) = (batch.rows[i], batch.levels[i] as usize);
        let bound = Bound { scorer: &self.scorer, query: self.scorer.row(row) };
        let walk = Walk { tier: &bound };
        let mut stats = Stats::default();
        let mut start = walk.descend(&self.graph, level, &mut work.scratch, &mut stats);
        let mut plan = vec![Vec::new(); level + 1];
        for (l, edges) in plan.iter_mut().enumerate().rev() {
            let width = self.shape.ef_construction.min(self.scorer.rows.len());
            work.scratch.found.clear();
            match l.checked_sub(1) {
                Some(i) => {
                    let view = self.graph.upper(i);
                    let Some(node) = view.numbering.node(start) else { continue };
                    walk.best_first(view, node, width, &mut work.scratch, &mut stats);
                    let found = work.scratch.found.iter();
                    edges.extend(found.map(|c| Edge { key: c.key(), row: view.numbering.row(c.node()) }));
                }
                None => {
                    walk.best_first(self.graph.ground(), start, width, &mut work.scratch, &mut stats);
                    edges.extend(work.scratch.found.iter().map(|c| Edge { key: c.key(), row: c.node() }));
                }
            }
            start = edges.first().map_or(start, |edge| edge.row);
            // Where the walk came to as many as it may, a mate must be nearer than the last of them.
            let bound = if edges.len() < width { f32::INFINITY } else { edges[width - 1].key };
            let fellows = batch.rows.iter().zip(&batch.levels).zip(mates);
            let near = fellows.filter(|((other, level), key)| **key < bound && **level as usize >= l && **other != row);
            edges.extend(near.map(|((other, _), key)| Edge { key: *key, row: *other }));
            // On the lowest level a new row takes as many links as a row may have, where the paper takes half of them:
            // in data of many directions, few links are what limits recall.
            work.pruner.select(&self.scorer, row, edges, self.cap(l));
            edges.shrink_to_fit();
        }
        plan
    }

    /// Gives old nodes their links to new ones, pruning where there are too many.
    fn link_back(&mut self, level: usize, mut back: Vec<Back>) -> Result<(), BuildError> {
        back.sort_unstable_by(|a, b| {
            a.target.cmp(&b.target).then(a.edge.key.total_cmp(&b.edge.key)).then(a.edge.row.cmp(&b.edge.row))
        });
        let groups: Vec<&[Back]> = back.chunk_by(|a, b| a.target == b.target).collect();
        let rows = self.map(&groups, |work, group| self.merge(work, level, group))?;
        for (group, row) in groups.iter().zip(rows) {
            self.write(level, group[0].target, row.into_iter());
        }
        Ok(())
    }

    /// The links of an old node when it is offered new ones.
    fn merge(&self, work: &mut Work, level: usize, group: &[Back]) -> Vec<u32> {
        let target = group[0].target;
        work.ids.clear();
        self.read(level, target, &mut work.ids);
        let fresh = group.iter().map(|back| back.edge).filter(|edge| !work.ids.contains(&edge.row));
        work.edges.clear();
        work.edges.extend(fresh);
        let cap = self.cap(level);
        if work.ids.len() + work.edges.len() > cap {
            work.keys.clear();
            work.keys.resize(work.ids.len(), 0.0);
            self.scorer.keys(self.scorer.row(target), &work.ids, &mut work.keys);
            work.edges.extend(work.ids.iter().zip(&work.keys).map(|(row, key)| Edge { key: *key, row: *row }));
            work.pruner.select(&self.scorer, target, &mut work.edges, cap);
            work.ids.clear();
        }
        work.ids.extend(work.edges.iter().map(|edge| edge.row));
        work.ids.clone()
    }

    fn cap(&self, level: usize) -> usize {
        if level == 0 { 2 * self.shape.m } else { self.shape.m }
    }

    /// Appends the row ids that a row is linked to.
    fn read(&self, level: usize, row: u32, out: &mut Vec<u32>) {
        match level.checked_sub(1) {
            Some(i) => {
                let view = self.graph.upper(i);
                let node = view.numbering.node(row);
                out.extend(node.into_iter().flat_map(|n| view.neighbours(n)).map(|n| view.numbering.row(*n)));
            }
            None => out.extend(self.graph.ground().neighbours(row)),
        }
    }

    /// Replaces the links of a row.
    fn write(&mut self, level: usize, row: u32, linked: impl Iterator<Item = u32>) {
        let cap = self.cap(level);
        let (links, node) = match level.checked_sub(1) {
            Some(i) => {
                let Upper { ids, links } = &mut self.graph.upper[i];
                let numbering = super::links::Listed(ids.as_slice());
                let Some(node) = numbering.node(row) else { return };
                let to = &mut links.to_mut()[node as usize * cap..][..cap];
                fill(to, linked.filter_map(|row| numbering.node(row)));
                return;
            }
            None => (self.graph.base.to_mut(), row),
        };
        fill(&mut links[node as usize * cap..][..cap], linked);
    }

    /// Does `f` for every item, on the lent threads if there are any, and returns the results in the items' order.
    fn map<T: Sync, R: Send>(&self, items: &[T], f: impl Fn(&mut Work, &T) -> R + Sync) -> Result<Vec<R>, BuildError> {
        let run = |items: &[T]| -> Result<Vec<R>, BuildError> {
            let mut work = self.works.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let results =
                items
                    .iter()
                    .map(|item| {
                        if self.cx.cancel.is_cancelled() { Err(BuildError::Cancelled) } else { Ok(f(&mut work, item)) }
                    })
                    .collect();
            self.works.lock().unwrap_or_else(PoisonError::into_inner).push(work);
            results
        };
        match self.cx.pool {
            Some(pool) if items.len() > 1 && pool.current_num_threads() > 1 => {
                let part = items.len().div_ceil(4 * pool.current_num_threads());
                let parts: Result<Vec<_>, _> = pool.install(|| items.par_chunks(part).map(run).collect());
                Ok(parts?.into_iter().flatten().collect())
            }
            Some(_) | None => run(items),
        }
    }
}

fn fill(row: &mut [u32], links: impl Iterator<Item = u32>) {
    row.fill(EMPTY);
    for (slot, link) in row.iter_mut().zip(links) {
        *slot = link;
    }
    debug_assert!(used(row).iter().all(|link| *link != EMPTY), "links are nodes");
}
