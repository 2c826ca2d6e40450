//! The walk that passes through every node but returns only those that are admitted by row and key.

use std::cmp::Reverse;

use elanus_kernels::scan::Keep;

use super::{End, Step, Walk};
use crate::graph::beam::{Beam, Candidate};
use crate::graph::links::{Level, Numbering};
use crate::scratch::Scratch;
use crate::{Cancel, KeyRange, Stats};

/// Which nodes a walk may return and how much work it may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission<'a> {
    pub(crate) keep: Keep<'a>,
    pub(crate) range: KeyRange,
    /// Distances after which the walk gives up.
    pub(crate) budget: u64,
    pub(crate) cancel: &'a Cancel,
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
        step.meet(&[start]);
        self.compare(level, &mut step, stats);
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
            step.meet(level.row(next.node()));
            self.compare(level, &mut step, stats);
            stats.hops += 1;
        }
        admitted.drain(found);
        end
    }
}
