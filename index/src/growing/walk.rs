//! Walks over links that may change meanwhile.

use std::cmp::Reverse;

use super::links::Links;
use crate::graph::beam::Beam;
use crate::graph::walk::End;
use crate::graph::{Candidate, Heaps};
use crate::scratch::Visited;
use crate::tier::Keys;
use crate::{Cancel, KeyRange, Scratch, Stats};

/// Widths above this are walked with heaps.
const SORTED_MAX: usize = 512;
/// Hops between two looks at the flag of cancellation.
const CANCEL_HOPS: u64 = 64;

/// The links of one state and a query.
pub(super) struct Walk<'a> {
    pub(super) links: &'a Links,
    /// Rows that the state has: links to later ones are passed over.
    pub(super) len: u32,
    pub(super) keys: &'a dyn Keys,
    /// Where the walk begins.
    pub(super) starts: &'a [u32],
    pub(super) cancel: &'a Cancel,
}

/// Which nodes a walk may return and how much work it may do.
pub(super) struct Admission<F> {
    /// Whether a row may be returned.
    pub(super) admits: F,
    pub(super) range: KeyRange,
    /// Distances after which the walk gives up.
    pub(super) budget: u64,
}

struct Step<'s> {
    visited: &'s mut Visited,
    nodes: &'s mut Vec<u32>,
    keys: &'s mut Vec<f32>,
}

impl Walk<'_> {
    /// The best-first walk: appends to `scratch.found` the `width` nearest nodes it met, nearest first.
    pub(super) fn plain(&self, width: usize, scratch: &mut Scratch, stats: &mut Stats) -> End {
        let Scratch { visited, sorted, heaps, nodes, keys, found, .. } = scratch;
        let step = Step { visited, nodes, keys };
        if width <= SORTED_MAX {
            let end = self.with_beam(width, sorted, step, stats);
            sorted.drain(found);
            end
        } else {
            let end = self.with_beam(width, heaps, step, stats);
            heaps.drain(found);
            end
        }
    }

    fn with_beam(&self, width: usize, beam: &mut impl Beam, mut step: Step<'_>, stats: &mut Stats) -> End {
        step.visited.start(self.len as usize);
        beam.start(width);
        self.meet(self.starts.iter().copied(), &mut step, stats);
        loop {
            for (node, key) in step.nodes.iter().zip(&*step.keys) {
                if beam.offer(Candidate::new(*key, *node)) {
                    self.links.touch(*node);
                }
            }
            let Some(next) = beam.next() else { return End::Done };
            stats.hops += 1;
            if stats.hops.is_multiple_of(CANCEL_HOPS) && self.cancel.is_cancelled() {
                return End::Cancelled;
            }
            self.meet(self.links.of(next.node()), &mut step, stats);
        }
    }

    /// Leaves in the buffers those of `links` that were not met before, with their keys.
    #[inline]
    fn meet(&self, links: impl Iterator<Item = u32>, step: &mut Step<'_>, stats: &mut Stats) {
        step.nodes.clear();
        for node in links {
            if node < self.len && step.visited.insert(node) {
                step.nodes.push(node);
            }
        }
        // Codes lie in pieces by id, and those of one piece are compared together.
        step.nodes.sort_unstable();
        step.keys.clear();
        step.keys.resize(step.nodes.len(), 0.0);
        self.keys.keys(step.nodes, step.keys);
        stats.distances += step.nodes.len() as u64;
    }

    /// The best-first walk that passes through every node but keeps only those admitted. It goes on until `width` of
    /// them are kept and nothing nearer waits; with an upper end to the range, until nothing in the range waits and
    /// the `width` nearest nodes of any kind were expanded.
    pub(super) fn admitting(
        &self,
        width: usize,
        admission: Admission<impl Fn(u32) -> bool>,
        scratch: &mut Scratch,
        stats: &mut Stats,
    ) -> End {
        let Scratch { visited, heaps: admitted, nearest, waiting, nodes, keys, found, .. } = scratch;
        let Admission { admits, range, budget } = admission;
        let mut step = Step { visited, nodes, keys };
        let is_bounded = range.upper < f32::INFINITY;
        step.visited.start(self.len as usize);
        admitted.start(width);
        nearest.start(width);
        waiting.clear();
        let first = stats.distances;
        self.meet(self.starts.iter().copied(), &mut step, stats);
        let end = loop {
            for (node, key) in step.nodes.iter().zip(&*step.keys) {
                let candidate = Candidate::new(*key, *node);
                let leads = !is_bounded || *key < range.upper;
                let is_near = is_bounded && nearest.keep(candidate);
                if admitted.takes(candidate) && (leads || is_near) {
                    waiting.push(Reverse(candidate));
                    if range.contains(*key) && admits(*node) {
                        admitted.keep(candidate);
                    }
                }
            }
            let Some(Reverse(next)) = waiting.pop() else { break End::Done };
            let leads = !is_bounded || next.key() < range.upper || !nearest.is_beyond(next);
            if Heaps::is_beyond(admitted, next) || !leads {
                break End::Done;
            }
            if stats.distances - first > budget {
                break End::Spent;
            }
            stats.hops += 1;
            if stats.hops.is_multiple_of(CANCEL_HOPS) && self.cancel.is_cancelled() {
                break End::Cancelled;
            }
            if let Some(Reverse(after)) = waiting.peek() {
                self.links.touch(after.node());
            }
            self.meet(self.links.of(next.node()), &mut step, stats);
        };
        admitted.drain(found);
        end
    }
}
