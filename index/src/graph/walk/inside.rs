//! The walk among the nodes that pass a filter, which compares no others.
//!
//! A node that does not pass is passed through: in its place stand those of its neighbours that do. That is the search
//! of ACORN-1 (Patel et al., "ACORN: Performant and Predicate-Agnostic Search Over Vector Embeddings and Structured
//! Data", SIGMOD 2024, section 5.2), here only as far as a step has too few nodes that pass. The walk begins at several
//! nodes, since those that pass may lie apart from each other and far from the query.

use elanus_kernels::scan::Keep;

use super::{End, SORTED_MAX, Step, Walk};
use crate::graph::beam::Beam;
use crate::graph::links::{EMPTY, Level, Numbering};
use crate::scratch::Scratch;
use crate::{Cancel, Stats};

/// Hops between two looks at the flag of cancellation.
const CANCEL_HOPS: u64 = 64;

/// What a walk among the nodes that pass is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside<'a> {
    /// The node expanded first, whether it passes or not.
    pub(crate) start: u32,
    /// More nodes to begin at; all of them pass.
    pub(crate) seeds: &'a [u32],
    /// Rows that pass.
    pub(crate) keep: Keep<'a>,
    /// Candidates to keep.
    pub(crate) width: usize,
    /// Nodes to find in a step, about: a node that does not pass is passed through only while fewer were found.
    pub(crate) enough: usize,
    /// Nodes compared and passed through after which the walk gives up.
    pub(crate) budget: u64,
    pub(crate) cancel: &'a Cancel,
}

impl Walk<'_> {
    /// Appends to `scratch.found` the `width` nearest nodes met that pass, nearest first.
    pub(crate) fn inside<N: Numbering>(
        &self,
        level: Level<'_, N>,
        inside: Inside<'_>,
        scratch: &mut Scratch,
        stats: &mut Stats,
    ) -> End {
        let Scratch { visited, sorted, heaps, nodes, ids, keys, through, found, .. } = scratch;
        let step = Step { visited, nodes, ids, keys };
        if inside.width <= SORTED_MAX {
            let end = self.inside_beam(level, inside, sorted, step, through, stats);
            sorted.drain(found);
            end
        } else {
            let end = self.inside_beam(level, inside, heaps, step, through, stats);
            heaps.drain(found);
            end
        }
    }

    fn inside_beam<N: Numbering, B: Beam>(
        &self,
        level: Level<'_, N>,
        inside: Inside<'_>,
        beam: &mut B,
        mut step: Step<'_>,
        through: &mut Vec<u32>,
        stats: &mut Stats,
    ) -> End {
        step.visited.start(level.len());
        beam.start(inside.width);
        let (first_hop, mut spent) = (stats.hops, 0);
        step.nodes.clear();
        step.visited.insert(inside.start);
        if inside.keep.has(level.numbering.row(inside.start) as usize) {
            step.nodes.push(inside.start);
        } else {
            spent += inside.meet(level, inside.start, &mut step, through);
        }
        for seed in inside.seeds {
            if step.visited.insert(*seed) {
                step.nodes.push(*seed);
            }
        }
        loop {
            spent += step.nodes.len() as u64;
            self.compare(level, &mut step, stats);
            step.offer_to(level, beam);
            let Some(next) = beam.next() else { return End::Done };
            if spent > inside.budget {
                return End::Spent;
            }
            if (stats.hops - first_hop).is_multiple_of(CANCEL_HOPS) && inside.cancel.is_cancelled() {
                return End::Cancelled;
            }
            if let Some(after) = beam.peek() {
                level.prefetch(after.node());
            }
            step.nodes.clear();
            spent += inside.meet(level, next.node(), &mut step, through);
            stats.hops += 1;
        }
    }
}

impl Inside<'_> {
    /// Adds to a step the nodes that pass and were not met before among the neighbours of a node and, while they are
    /// few, among the neighbours of those that do not pass. Returns how many nodes were passed through.
    #[inline]
    fn meet<N: Numbering>(&self, level: Level<'_, N>, from: u32, step: &mut Step<'_>, through: &mut Vec<u32>) -> u64 {
        through.clear();
        for node in level.row(from) {
            if *node == EMPTY {
                break;
            }
            if !self.keep.has(level.numbering.row(*node) as usize) {
                through.push(*node);
            } else if step.visited.insert(*node) {
                step.nodes.push(*node);
            }
        }
        if step.nodes.len() >= self.enough {
            return 0;
        }
        through.retain(|node| step.visited.is_new(*node));
        for node in through.iter().take(AHEAD) {
            level.prefetch(*node);
        }
        for (position, node) in through.iter().enumerate() {
            if step.nodes.len() >= self.enough {
                return position as u64;
            }
            if let Some(later) = through.get(position + AHEAD) {
                level.prefetch(*later);
            }
            step.visited.insert(*node);
            for next in level.row(*node) {
                if *next == EMPTY {
                    break;
                }
                if self.keep.has(level.numbering.row(*next) as usize) && step.visited.insert(*next) {
                    step.nodes.push(*next);
                }
            }
        }
        through.len() as u64
    }
}

/// Nodes passed through whose links are asked for ahead.
const AHEAD: usize = 4;
