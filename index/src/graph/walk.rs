//! Walks over the graph: greedy descent and the best-first walk here, those that return only some nodes beside it.

mod admit;
mod inside;

pub(crate) use admit::Admission;
pub(crate) use inside::Inside;

use super::beam::{Beam, Candidate, Heaps, Sorted};
use super::links::{EMPTY, Graph, Level, Numbering};
use super::stop::Stop;
use crate::Stats;
use crate::scratch::{Scratch, Visited};
use crate::tier::Keys;

/// Widths above this are walked with heaps.
const SORTED_MAX: usize = 512;

/// What every walk of one query shares.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a> {
    /// The query, bound to what rows are compared by.
    pub(crate) tier: &'a dyn Keys,
}

/// How a walk that may give up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing left that could improve the answer.
    Done,
    /// The budget was spent first.
    Spent,
    Cancelled,
}

/// Buffers for the nodes met by one step of a walk; `keys` may be longer than `nodes`.
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
        self.stopping(level, (start, width), Stop::NEVER, scratch, stats);
    }

    /// The same with an end of its own; `start` must not be the node left out. Beams too wide for one sorted array do
    /// not end early.
    pub(crate) fn stopping<N: Numbering>(
        &self,
        level: Level<'_, N>,
        (start, width): (u32, usize),
        stop: Stop,
        scratch: &mut Scratch,
        stats: &mut Stats,
    ) {
        let Scratch { visited, sorted, heaps, nodes, ids, keys, found, .. } = scratch;
        let step = Step { visited, nodes, ids, keys };
        step.visited.start(level.len());
        if let Some(node) = stop.without {
            step.visited.insert(node);
        }
        if width <= SORTED_MAX {
            sorted.start(width);
            self.with_beam::<N, Sorted>(level, start, stop, sorted, step, stats);
            sorted.drain(found);
        } else {
            heaps.start(width);
            self.with_beam::<N, Heaps>(level, start, stop, heaps, step, stats);
            heaps.drain(found);
        }
    }

    fn with_beam<N: Numbering, B: Beam>(
        &self,
        level: Level<'_, N>,
        start: u32,
        stop: Stop,
        beam: &mut B,
        mut step: Step<'_>,
        stats: &mut Stats,
    ) {
        step.meet(&[start]);
        self.compare(level, &mut step, stats);
        step.offer_to(level, beam);
        while let Some(next) = beam.next() {
            if stop.count > 0 && beam.at(stop.count - 1).is_some_and(|last| next.key() > stop.limit(last.key())) {
                return;
            }
            // The links of the node that comes next unless something nearer turns up now.
            if let Some(after) = beam.peek() {
                level.prefetch(after.node());
            }
            step.meet(level.row(next.node()));
            self.compare(level, &mut step, stats);
            stats.hops += 1;
            step.offer_to(level, beam);
        }
    }

    /// Finds the keys of the nodes of a step.
    #[inline]
    fn compare<N: Numbering>(&self, level: Level<'_, N>, step: &mut Step<'_>, stats: &mut Stats) {
        let count = step.nodes.len();
        if step.keys.len() < count {
            step.keys.resize(count, 0.0);
        }
        self.tier.keys(level.numbering.rows(step.nodes, step.ids), &mut step.keys[..count]);
        stats.distances += count as u64;
    }
}

impl Step<'_> {
    /// Leaves those of `links` that were not met before.
    #[inline]
    fn meet(&mut self, links: &[u32]) {
        self.nodes.clear();
        for node in links {
            if *node == EMPTY {
                break;
            }
            if self.visited.insert(*node) {
                self.nodes.push(*node);
            }
        }
    }

    /// Offers the nodes, with the keys found for them, to a beam, and asks for the links of what will be taken next.
    #[inline]
    fn offer_to<N: Numbering>(&self, level: Level<'_, N>, beam: &mut impl Beam) {
        for (node, key) in self.nodes.iter().zip(&*self.keys) {
            if beam.offer(Candidate::new(*key, *node)) {
                level.prefetch(*node);
            }
        }
    }
}
