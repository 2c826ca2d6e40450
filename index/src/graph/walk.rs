//! Walks over the graph: greedy descent, best-first walk, and the walk that admits only some nodes.

use std::cmp::Reverse;

use elanus_kernels::scan::Keep;

use super::beam::{Beam, Candidate, Heaps, Sorted};
use super::links::{EMPTY, Graph, Level, Numbering};
use crate::scratch::{Scratch, Visited};
use crate::tier::Keys;
use crate::{Cancel, KeyRange, Stats};

/// Widths above this are walked with heaps.
const SORTED_MAX: usize = 512;

/// What every walk of one query shares.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a> {
    /// The query, bound to what rows are compared by.
    pub(crate) tier: &'a dyn Keys,
}

/// Buffers for the nodes met by one step of a walk.
struct Step<'s> {
    visited: &'s mut Visited,
    nodes: &'s mut Vec<u32>,
    ids: &'s mut Vec<u32>,
    keys: &'s mut Vec<f32>,
}

impl Walk<'_> {
    /// Goes down the upper levels, while one above `floor` is left, always to the nearest neighbour, and returns the
    /// row reached.
    pub(crate) fn descend(&self, graph: &Graph, floor: usize, scratch: &mut Scratch, stats: &mut Stats) -> u32 {
        let mut best = Candidate::new(self.key(graph.entry, scratch, stats), graph.entry);
        for i in (floor..graph.upper.len()).rev() {
            let level = graph.upper(i);
            // Every row of a level stands on the one below; on forged bytes the level is passed over.
            let Some(node) = level.numbering.node(best.node()) else { continue };
            let start = Candidate::new(best.key(), node);
            let end = self.greedy(level, start, scratch, stats);
            best = Candidate::new(end.key(), level.numbering.row(end.node()));
        }
        best.node()
    }

    fn key(&self, row: u32, scratch: &mut Scratch, stats: &mut Stats) -> f32 {
        scratch.keys.clear();
        scratch.keys.push(0.0);
        self.tier.keys(&[row], &mut scratch.keys);
        stats.distances += 1;
        scratch.keys[0]
    }

    fn greedy<N: Numbering>(
        &self,
        level: Level<'_, N>,
        start: Candidate,
        scratch: &mut Scratch,
        stats: &mut Stats,
    ) -> Candidate {
        let mut best = start;
        loop {
            let from = best;
            let neighbours = level.neighbours(from.node());
            scratch.ids.clear();
            scratch.ids.extend(neighbours.iter().map(|node| level.numbering.row(*node)));
            scratch.keys.clear();
            scratch.keys.resize(neighbours.len(), 0.0);
            self.tier.keys(&scratch.ids, &mut scratch.keys);
            stats.hops += 1;
            stats.distances += neighbours.len() as u64;
            for (node, key) in neighbours.iter().zip(&scratch.keys) {
                best = best.min(Candidate::new(*key, *node));
            }
            if best == from {
                return best;
            }
        }
    }

    /// The best-first walk: appends to `scratch.found` the `width` nearest nodes it met, nearest first.
    pub(crate) fn best_first<N: Numbering>(
        &self,
        level: Level<'_, N>,
        start: u32,
        width: usize,
        scratch: &mut Scratch,
        stats: &mut Stats,
    ) {
        let Scratch { visited, sorted, heaps, nodes, ids, keys, found, .. } = scratch;
        let step = Step { visited, nodes, ids, keys };
        if width <= SORTED_MAX {
            self.with_beam::<N, Sorted>(level, start, width, sorted, step, stats);
            sorted.drain(found);
        } else {
            self.with_beam::<N, Heaps>(level, start, width, heaps, step, stats);
            heaps.drain(found);
        }
    }

    fn with_beam<N: Numbering, B: Beam>(
        &self,
        level: Level<'_, N>,
        start: u32,
        width: usize,
        beam: &mut B,
        mut step: Step<'_>,
        stats: &mut Stats,
    ) {
        step.visited.start(level.len());
        beam.start(width);
        self.meet(level, &[start], &mut step);
        stats.distances += 1;
        beam.offer(Candidate::new(step.keys[0], start));
        while let Some(next) = beam.next() {
            // The links of the node that comes next unless something nearer turns up now.
            if let Some(after) = beam.peek() {
                level.prefetch(after.node());
            }
            self.meet(level, level.row(next.node()), &mut step);
            stats.hops += 1;
            stats.distances += step.nodes.len() as u64;
            for (node, key) in step.nodes.iter().zip(&*step.keys) {
                if beam.offer(Candidate::new(*key, *node)) {
                    level.prefetch(*node);
                }
            }
        }
    }

    /// Leaves in the buffers those of `links` that were not met before, with their keys.
    #[inline]
    fn meet<N: Numbering>(&self, level: Level<'_, N>, links: &[u32], step: &mut Step<'_>) {
        step.nodes.clear();
        for node in links {
            if *node == EMPTY {
                break;
            }
            if step.visited.insert(*node) {
                step.nodes.push(*node);
            }
        }
        step.ids.clear();
        step.ids.extend(step.nodes.iter().map(|node| level.numbering.row(*node)));
        step.keys.clear();
        step.keys.resize(step.ids.len(), 0.0);
        self.tier.keys(step.ids, step.keys);
    }
}

/// Which nodes a walk may return and how much work it may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission<'a> {
    pub(crate) keep: Keep<'a>,
    pub(crate) range: KeyRange,
    /// Distances after which the walk gives up.
    pub(crate) budget: u64,
    pub(crate) cancel: &'a Cancel,
}

/// How a walk with admission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing left that could improve the answer.
    Done,
    /// The budget was spent first.
    Spent,
    Cancelled,
}

impl Walk<'_> {
    /// The best-first walk of the lowest level that passes through every node but keeps only those admitted. It goes
    /// on until `width` of them are kept and nothing nearer waits; with an upper end to the range, until nothing in
    /// the range waits and the `width` nearest nodes of any kind were expanded.
    pub(crate) fn admitting<N: Numbering>(
        &self,
        level: Level<'_, N>,
        start: u32,
        width: usize,
        admission: Admission<'_>,
        scratch: &mut Scratch,
        stats: &mut Stats,
    ) -> End {
        let Scratch { visited, heaps: admitted, nearest, waiting, nodes, ids, keys, found, .. } = scratch;
        let mut step = Step { visited, nodes, ids, keys };
        let is_bounded = admission.range.upper < f32::INFINITY;
        step.visited.start(level.len());
        admitted.start(width);
        nearest.start(width);
        waiting.clear();
        let first = stats.distances;
        self.meet(level, &[start], &mut step);
        stats.distances += 1;
        let mut end = End::Done;
        loop {
            for (node, key) in step.nodes.iter().zip(&*step.keys) {
                let candidate = Candidate::new(*key, *node);
                let leads = !is_bounded || *key < admission.range.upper;
                let is_near = is_bounded && nearest.keep(candidate);
                if admitted.takes(candidate) && (leads || is_near) {
                    waiting.push(Reverse(candidate));
                    if admission.range.contains(*key) && admission.keep.has(level.numbering.row(*node) as usize) {
                        admitted.keep(candidate);
                    }
                }
            }
            let Some(Reverse(next)) = waiting.pop() else { break };
            let leads = !is_bounded || next.key() < admission.range.upper || !nearest.is_beyond(next);
            if admitted.is_beyond(next) || !leads {
                break;
            }
            if stats.distances - first > admission.budget {
                end = End::Spent;
                break;
            }
            if stats.hops.is_multiple_of(256) && admission.cancel.is_cancelled() {
                end = End::Cancelled;
                break;
            }
            if let Some(Reverse(after)) = waiting.peek() {
                level.prefetch(after.node());
            }
            self.meet(level, level.row(next.node()), &mut step);
            stats.hops += 1;
            stats.distances += step.nodes.len() as u64;
        }
        admitted.drain(found);
        end
    }
}
