//! Nodes at which walks begin: a sample of the graph, compared as a whole.
//!
//! A few hundred codes that lie one after another are compared in less time than a hop or two of a walk, and they are
//! chosen anew with each change of the graph, so that there is no hierarchy to be kept in order under removals.

use std::sync::Arc;

use elanus_kernels::codes::dot::Records;
use elanus_kernels::codes::sq::{SqCodec, SqQuery};

use super::pieces::{CodePiece, Piece, place};
use crate::array::Lines;
use crate::graph::Candidate;
use crate::graph::levels::mix;

/// Nodes of a sample at most. There are more than half as many, once there are so many nodes.
const MAX: usize = 512;
/// Nodes of the sample at which a walk begins.
const STARTS: usize = 3;

/// A sample of nodes with their codes.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    ids: Arc<Vec<u32>>,
    records: Arc<Lines>,
    stride: usize,
}

impl Entries {
    /// None.
    pub(super) fn none() -> Self {
        Self { ids: Arc::default(), records: Arc::new(Lines::zeros(0)), stride: 0 }
    }

    /// A sample of `nodes`, by chance but always the same for a seed.
    pub(super) fn choose(nodes: &[u32], codes: &[Arc<CodePiece>], seed: u64) -> Self {
        let rank = |id: u32| mix(seed ^ mix(u64::from(id) + 1)).trailing_zeros();
        let mut counts = [0; u64::BITS as usize + 1];
        for id in nodes {
            counts[rank(*id) as usize] += 1;
        }
        let mut total = 0;
        let mut least = u64::BITS + 1;
        while let Some(lower) = least.checked_sub(1).filter(|lower| total + counts[*lower as usize] <= MAX) {
            total += counts[lower as usize];
            least = lower;
        }
        let mut ids: Vec<u32> = nodes.iter().copied().filter(|id| rank(*id) >= least).collect();
        // So many of the highest rank that they fill the sample by themselves: as good as never.
        if ids.is_empty() {
            ids.extend(nodes.iter().take(MAX));
        }
        let stride = codes.first().map_or(0, |piece| piece.records().stride());
        let mut records = Lines::zeros(ids.len() * stride);
        for (id, record) in ids.iter().zip(records.owned_mut().chunks_exact_mut(stride.max(1))) {
            let piece = &codes[place(codes, *id)];
            record.copy_from_slice(piece.record((id - piece.first()) as usize));
        }
        Self { ids: Arc::new(ids), records: Arc::new(records), stride }
    }

    /// The nodes.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Appends the few nodes nearest to a query, nearest first; returns how many were compared.
    pub(super) fn nearest(&self, codec: &SqCodec, query: &SqQuery, keys: &mut Vec<f32>, out: &mut Vec<u32>) -> u64 {
        if self.ids.is_empty() {
            return 0;
        }
        keys.clear();
        keys.resize(self.ids.len(), 0.0);
        codec.rows(query, Records::new(self.records.as_bytes(), self.stride, self.ids.len()), keys);
        let mut best: Vec<Candidate> = Vec::with_capacity(STARTS + 1);
        for (id, key) in self.ids.iter().zip(&*keys) {
            let candidate = Candidate::new(*key, *id);
            if best.len() < STARTS || best.last().is_some_and(|last| candidate < *last) {
                best.truncate(STARTS - 1);
                let at = best.partition_point(|kept| *kept < candidate);
                best.insert(at, candidate);
            }
        }
        out.extend(best.iter().map(|candidate| candidate.node()));
        self.ids.len() as u64
    }

    /// Bytes of the sample.
    pub(super) fn size_bytes(&self) -> usize {
        self.ids.len() * (4 + self.stride)
    }
}
