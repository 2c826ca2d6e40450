//! Rows enter the graph in batches.
//!
//! As in ParlayANN (arXiv 2305.04359, section 4): each row of a batch searches the graph as it was before the batch,
//! then all links back to old nodes are grouped by node, and each node is pruned once. No result depends on the order
//! in which threads work. The rows of a batch are also compared with each other, all with all, as blocks, so that a
//! batch may be a large part of the graph, and the first one a graph by itself.

use std::ops::Range;
use std::sync::Arc;

use elanus_kernels::gemm::{Gemm, Scratch as Room};
use elanus_kernels::{Metric, Rows, TopK};
use parking_lot::Mutex;

use super::entries::Entries;
use super::flags::Flag;
use super::links::Links;
use super::prune::Pruner;
use super::space::{Space, square};
use super::view::{Grown, View};
use super::walk::{Admission, Walk};
use crate::graph::Shape;
use crate::{BuildCx, BuildError, KeyRange, Scratch, Stats, par};

/// A batch is this part of the graph, within bounds.
const BATCH_PART: u32 = 32;
const BATCH_MIN: u32 = 256;
const BATCH_MAX: u32 = 4096;
/// Bytes of the vectors of a batch, which are held while it enters, at most where it has more rows than the least.
const BATCH_BYTES: usize = 64 << 20;
/// Of more candidates for links than so many times the links that a node may have, only the nearest are looked at.
const CANDIDATES: usize = 16;
/// Rows of a batch that are planned by a thread at a time, and compared with all of it together.
const GROUP: usize = 64;

/// What one thread works with.
pub(super) struct Work {
    pub(super) scratch: Scratch,
    pub(super) pruner: Pruner,
    pub(super) starts: Vec<u32>,
    pub(super) vector: Vec<f32>,
    room: Room,
    mates: Vec<f32>,
}

/// Buffers that threads take and give back.
#[derive(Default)]
pub(super) struct Works(Mutex<Vec<Work>>);

impl Works {
    /// Does `f` with buffers.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Work) -> Result<T, BuildError>) -> Result<T, BuildError> {
        let taken = self.0.lock().pop();
        let mut work = match taken {
            Some(work) => work,
            None => Work {
                scratch: Scratch::new(),
                pruner: Pruner::new()?,
                starts: Vec::new(),
                vector: Vec::new(),
                room: Room::default(),
                mates: Vec::new(),
            },
        };
        let result = f(&mut work);
        self.0.lock().push(work);
        result
    }
}

/// How many links a node has when they are chosen, where it may have `cap`: the room that is left takes links from
/// later rows, so that not each of these is a reason to choose anew.
pub(super) fn degree(cap: usize) -> usize {
    (cap * 3 / 4).max(1)
}

/// The rows that enter next; `None` while there are too few.
pub(super) fn due(view: &View, flat_rows: usize) -> Option<Range<u32>> {
    let nodes = view.graph.nodes;
    if nodes == 0 && (view.len as usize) < flat_rows {
        return None;
    }
    let most = (BATCH_BYTES / (4 * view.codec.as_ref()?.dim())).clamp(BATCH_MIN as usize, BATCH_MAX as usize) as u32;
    let size = (nodes / BATCH_PART).clamp(BATCH_MIN, most);
    let end = nodes.checked_add(size).filter(|end| *end <= view.len)?;
    Some(nodes..end)
}

/// Rows that enter together.
struct Batch<'a> {
    shape: Shape,
    space: Space<'a>,
    rows: Vec<u32>,
    /// Their vectors, one after another.
    packed: Vec<f32>,
    /// Whether every node may be linked to, so that none need be asked.
    is_whole: bool,
    works: &'a Works,
    cx: &'a BuildCx<'a>,
}

/// Links back to a node.
#[derive(Clone)]
struct Back {
    target: u32,
    fresh: Range<usize>,
    links: Vec<u32>,
}

/// Adds the rows of `range` to the graph, and returns it as it then is, with how many rows entered. `longest` is the
/// square of the longest row so far.
pub(super) fn insert(
    view: &View,
    range: Range<u32>,
    shape: Shape,
    metric: Metric,
    longest: &mut f32,
    works: &Works,
    cx: &BuildCx<'_>,
) -> Result<(Grown, usize), BuildError> {
    let graph = &view.graph;
    let rows: Vec<u32> = range.clone().filter(|id| view.flags.is_live(Flag::Coded, *id)).collect();
    let mut packed = Vec::new();
    if metric == Metric::Ip {
        *longest = rows.iter().map(|id| own_square(view, *id, &mut packed)).fold(*longest, f32::max);
        packed.clear();
    }
    let space = Space { view, metric, square: *longest };
    for id in &rows {
        space.push(*id, &mut packed);
    }
    let is_whole = view.flags.count_coded(graph.nodes as usize) == graph.nodes as usize;
    let count = rows.len();
    let batch = Batch { shape, space, rows, packed, is_whole, works, cx };
    let mut links = graph.links.clone();
    links.grow(range.end as usize);
    batch.link(&links)?;
    let live: Vec<u32> = view.flags.coded(range.end as usize).collect();
    let entries = Entries::choose(&batch.space, &live, cx.seed);
    let gaps = range.end as usize - live.len();
    Ok((Grown { nodes: range.end, gaps, links, entries }, count))
}

fn own_square(view: &View, id: u32, buffer: &mut Vec<f32>) -> f32 {
    buffer.clear();
    Space { view, metric: Metric::L2, square: 0.0 }.push(id, buffer);
    square(buffer)
}

impl Batch<'_> {
    fn link(&self, links: &Links) -> Result<(), BuildError> {
        let mut plans = vec![Vec::new(); self.rows.len()];
        let gemm = Gemm::new(Metric::L2)?;
        par::parts(self.cx, &mut plans, GROUP, |number, part| {
            self.works.with(|work| self.plan_group(work, &gemm, number * GROUP, part))
        })?;
        // Rows get their own links before any other leads to them.
        let mut back = Vec::new();
        for (row, plan) in self.rows.iter().zip(&plans) {
            links.write(*row, plan);
            back.extend(plan.iter().map(|target| (*target, *row)));
        }
        back.sort_unstable();
        let mut merges: Vec<Back> = Vec::new();
        for (at, (target, _)) in back.iter().enumerate() {
            match merges.last_mut() {
                Some(last) if last.target == *target => last.fresh.end = at + 1,
                Some(_) | None => merges.push(Back { target: *target, fresh: at..at + 1, links: Vec::new() }),
            }
        }
        par::parts(self.cx, &mut merges, GROUP, |_, part| {
            self.works.with(|work| {
                for merge in part {
                    self.merge(work, links, &back[merge.fresh.clone()], merge);
                }
                Ok(())
            })
        })?;
        for merge in &merges {
            links.write(merge.target, &merge.links);
        }
        Ok(())
    }

    /// Gives a node its links to new rows, choosing anew where there are too many.
    fn merge(&self, work: &mut Work, links: &Links, fresh: &[(u32, u32)], merge: &mut Back) {
        merge.links.extend(links.of(merge.target));
        for (_, row) in fresh {
            if !merge.links.contains(row) {
                merge.links.push(*row);
            }
        }
        if merge.links.len() > links.cap() {
            work.pruner.select(&self.space, merge.target, &mut merge.links, degree(links.cap()));
        }
    }

    /// Plans the rows of the batch from `first` on, as many as there are plans.
    fn plan_group(
        &self,
        work: &mut Work,
        gemm: &Gemm<f32>,
        first: usize,
        plans: &mut [Vec<u32>],
    ) -> Result<(), BuildError> {
        let dim = self.space.dim();
        let Ok(packed) = Rows::new(&self.packed, dim) else { return Ok(()) };
        let mut mates = std::mem::take(&mut work.mates);
        mates.clear();
        mates.resize(plans.len() * packed.len(), 0.0);
        let queries = gemm.pack(packed.slice(first..first + plans.len()));
        gemm.scores(&queries, packed, &mut work.room, &mut mates);
        for (i, (plan, mates)) in plans.iter_mut().zip(mates.chunks(packed.len())).enumerate() {
            self.plan(work, first + i, mates, plan)?;
        }
        work.mates = mates;
        Ok(())
    }

    /// Finds the links of a row; `mates` are its distances from all rows of the batch.
    fn plan(&self, work: &mut Work, at: usize, mates: &[f32], plan: &mut Vec<u32>) -> Result<(), BuildError> {
        let dim = self.space.dim();
        let row = self.rows[at];
        let cap = 2 * self.shape.m;
        let most = CANDIDATES * cap;
        if self.space.metric == Metric::Ip {
            // By the products themselves too, see `Pruner::select`: with such a square the component more is zero.
            let plain = Space { square: f32::NEG_INFINITY, ..self.space };
            let vector = &self.packed[at * dim..][..dim];
            search(&plain, vector, self.shape.ef_construction, self.is_whole, work, self.cx)?;
            plan.extend(work.scratch.found.iter().take(most).map(|candidate| candidate.node()));
        }
        search(&self.space, &self.packed[at * dim..][..dim], self.shape.ef_construction, self.is_whole, work, self.cx)?;
        let found = &work.scratch.found;
        plan.extend(found.iter().take(most).map(|candidate| candidate.node()));
        // As many as the walk was asked for, and nearer than the last that it found: where rows come from a place that
        // the graph does not have yet, their links are chosen among each other.
        let upper = match found.last().filter(|_| found.len() >= self.shape.ef_construction) {
            Some(last) => self.space.distance(last.key()),
            None => f32::INFINITY,
        };
        // One more than wanted: the row itself is among them.
        let mut near = TopK::new(self.shape.ef_construction.min(most).min(mates.len()) + 1);
        near.push_block_within(0, mates, None, KeyRange { upper, ..KeyRange::ALL });
        plan.extend(near.into_sorted().iter().map(|mate| self.rows[mate.id as usize]));
        work.pruner.select(&self.space, row, plan, degree(cap));
        plan.shrink_to_fit();
        Ok(())
    }
}

/// Leaves in `work.scratch.found` the nodes of the graph that a walk finds near to a vector, without removed ones;
/// none where the vector is too long to be compared with codes.
pub(super) fn search(
    space: &Space<'_>,
    vector: &[f32],
    width: usize,
    is_whole: bool,
    work: &mut Work,
    cx: &BuildCx<'_>,
) -> Result<(), BuildError> {
    let Work { scratch, starts, .. } = work;
    scratch.found.clear();
    let space = Space { view: space.view, ..*space };
    let Ok(Some(keys)) = space.bind(vector) else { return Ok(()) };
    let (view, graph) = (space.view, &space.view.graph);
    starts.clear();
    graph.entries.nearest(keys.codec, &keys.query, &mut scratch.keys, starts);
    let walk = Walk { links: &graph.links, len: graph.nodes, keys: &keys, starts, cancel: cx.cancel };
    let width = width.min(graph.nodes as usize).max(1);
    let mut stats = Stats::default();
    if is_whole {
        walk.plain(width, scratch, &mut stats);
    } else {
        let admits = |id| view.flags.is_live(Flag::Coded, id);
        walk.admitting(width, Admission { admits, range: KeyRange::ALL, budget: u64::MAX }, scratch, &mut stats);
    }
    if cx.cancel.is_cancelled() { Err(BuildError::Cancelled) } else { Ok(()) }
}

/// The graph of a view.
pub(super) fn empty(shape: Shape) -> Arc<Grown> {
    Arc::new(Grown { nodes: 0, gaps: 0, links: Links::new(2 * shape.m), entries: Entries::none() })
}
