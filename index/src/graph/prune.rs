//! Which of a node's candidates become its neighbours.

use elanus_kernels::Kernel;

use super::Candidate;
use super::build::{Picked, Points};

/// Kept nodes compared with a candidate at a time: the first few refuse most candidates.
const STEP: usize = 4;

/// How neighbours are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// Neighbours at most.
    pub(crate) degree: usize,
    /// A candidate is refused when its squared distance from a neighbour, times this, is below that from the node.
    pub(crate) alpha: f32,
    /// Refused candidates, nearest first, are taken after all until there are so many neighbours.
    pub(crate) fill: usize,
}

/// Buffers of [`Pruner::select`].
#[derive(Debug, Default)]
pub(crate) struct Pruner {
    picked: Picked,
    places: Vec<u32>,
    refused: Vec<Candidate>,
    keys: [f32; STEP],
}

impl Pruner {
    /// Writes to `kept` the neighbours of a node, nearest first, of `candidates`, which are sorted: the nearest first,
    /// and each further one unless a neighbour is nearer to it than the node is. So a node's links lead in different
    /// directions and not all into one cluster. This is RobustPrune of the DiskANN paper (NeurIPS 2019, algorithm 2).
    pub(crate) fn select(
        &mut self,
        points: Points<'_>,
        kernel: &Kernel<f32>,
        candidates: &[Candidate],
        choice: Choice,
        kept: &mut Vec<Candidate>,
    ) {
        kept.clear();
        self.places.clear();
        self.refused.clear();
        let (rows, places) = points.pick(candidates.iter().map(|candidate| candidate.node()), &mut self.picked);
        for (candidate, place) in candidates.iter().zip(places) {
            if kept.len() == choice.degree {
                break;
            }
            let vector = rows.row(*place as usize);
            let limit = candidate.key();
            let is_refused = self.places.chunks(STEP).any(|kept| {
                let keys = &mut self.keys[..kept.len()];
                kernel.gather(vector, rows, kept, keys);
                keys.iter().any(|key| choice.alpha * *key < limit)
            });
            if is_refused {
                self.refused.push(*candidate);
            } else {
                kept.push(*candidate);
                self.places.push(*place);
            }
        }
        if kept.len() < choice.fill {
            kept.extend(self.refused.iter().take(choice.fill - kept.len()));
            kept.sort_unstable();
        }
    }
}

#[cfg(test)]
mod tests;
