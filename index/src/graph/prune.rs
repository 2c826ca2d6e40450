//! Which of a node's candidates become its neighbours.

use elanus_kernels::Number;

use super::Candidate;
use super::build::Sketch;

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
    nodes: Vec<u32>,
    refused: Vec<Candidate>,
    keys: [f32; STEP],
}

impl Pruner {
    /// Writes to `kept` the neighbours of a node, nearest first, of `candidates`, which are sorted: the nearest first,
    /// and each further one unless a neighbour is nearer to it than the node is. So a node's links lead in different
    /// directions and not all into one cluster. This is RobustPrune of the DiskANN paper (NeurIPS 2019, algorithm 2).
    pub(crate) fn select(
        &mut self,
        sketch: &Sketch<impl Number>,
        candidates: &[Candidate],
        choice: Choice,
        kept: &mut Vec<Candidate>,
    ) {
        kept.clear();
        self.nodes.clear();
        self.refused.clear();
        let (rows, kernel) = (sketch.rows(), sketch.kernel());
        for candidate in candidates {
            if kept.len() == choice.degree {
                break;
            }
            let vector = rows.row(candidate.node() as usize);
            let limit = candidate.key();
            let is_refused = self.nodes.chunks(STEP).any(|kept| {
                let keys = &mut self.keys[..kept.len()];
                kernel.gather(vector, rows, kept, keys);
                keys.iter().any(|key| choice.alpha * *key < limit)
            });
            if is_refused {
                self.refused.push(*candidate);
            } else {
                kept.push(*candidate);
                self.nodes.push(candidate.node());
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
