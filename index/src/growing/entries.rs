//! Nodes at which walks begin: a sample of the graph, searched as a small inverted file.
//!
//! The sample is chosen anew with each change of the graph, so that there is no hierarchy to be kept in order under
//! removals. It has to be large enough for each crowd of rows that lies apart from the others to have a node in it,
//! since links may not lead there; so it is not compared as a whole, but in groups about a few of its nodes.

use std::sync::Arc;

use elanus_kernels::codes::dot::Records;
use elanus_kernels::codes::sq::{SqCodec, SqQuery};

use super::pieces::{Piece, place};
use super::space::Space;
use crate::array::Lines;
use crate::graph::Candidate;
use crate::graph::levels::mix;
use crate::tier::Keys;

/// One node in so many, but no fewer or more than these, is in the sample at most. The sample is of one node in a power
/// of two, so that it is of one in sixteen as a rule.
const PART: usize = 12;
const MIN: usize = 512;
const MAX: usize = 4096;
/// Groups that a query is compared with.
const PROBES: usize = 4;
/// Nodes of the sample at which a walk begins.
const STARTS: usize = 3;

/// A sample of nodes with their codes.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    /// Group by group.
    ids: Arc<Vec<u32>>,
    /// Where each group ends.
    ends: Arc<Vec<usize>>,
    records: Arc<Lines>,
    /// The codes of the node that each group is about; none where all are one group.
    leaders: Arc<Lines>,
    stride: usize,
}

impl Entries {
    /// None.
    pub(super) fn none() -> Self {
        let lines = Arc::new(Lines::zeros(0));
        Self { ids: Arc::default(), ends: Arc::default(), records: Arc::clone(&lines), leaders: lines, stride: 0 }
    }

    /// A sample of `nodes`, by chance but always the same for a seed.
    pub(super) fn choose(space: &Space<'_>, nodes: &[u32], seed: u64) -> Self {
        let ids = sample(nodes, (nodes.len() / PART).clamp(MIN, MAX), seed);
        if ids.is_empty() {
            return Self::none();
        }
        let leaders = if ids.len() > MIN { leaders(&ids, seed) } else { Vec::new() };
        let groups = grouped(space, &ids, &leaders);
        let ends = groups.iter().scan(0, |end, group| {
            *end += group.len();
            Some(*end)
        });
        let ends = Arc::new(ends.collect());
        let ids: Vec<u32> = groups.into_iter().flatten().collect();
        let stride = space.view.codes.first().map_or(0, |piece| piece.records().stride());
        let records = Arc::new(copied(space, &ids, stride));
        Self { ids: Arc::new(ids), ends, records, leaders: Arc::new(copied(space, &leaders, stride)), stride }
    }

    /// The nodes.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Appends the few nodes nearest to a query, nearest first; returns how many were compared.
    pub(super) fn nearest(&self, codec: &SqCodec, query: &SqQuery, keys: &mut Vec<f32>, out: &mut Vec<u32>) -> u64 {
        let mut compare = |lines: &Lines, first: usize, count: usize, best: &mut Vec<Candidate>, most: usize| {
            keys.clear();
            keys.resize(count, 0.0);
            codec.rows(query, Records::new(&lines.as_bytes()[first * self.stride..], self.stride, count), keys);
            for (at, key) in keys.iter().enumerate() {
                offer(best, Candidate::new(*key, (first + at) as u32), most);
            }
            count as u64
        };
        let (mut groups, mut best) = (Vec::with_capacity(PROBES + 1), Vec::with_capacity(STARTS + 1));
        let mut compared = 0;
        if self.ends.len() > 1 {
            compared += compare(&self.leaders, 0, self.ends.len(), &mut groups, PROBES);
        } else if !self.ids.is_empty() {
            groups.push(Candidate::new(0.0, 0));
        }
        for group in groups {
            let group = group.node() as usize;
            let first = group.checked_sub(1).map_or(0, |before| self.ends[before]);
            compared += compare(&self.records, first, self.ends[group] - first, &mut best, STARTS);
        }
        out.extend(best.iter().map(|candidate| self.ids[candidate.node() as usize]));
        compared
    }

    /// Bytes of the sample.
    pub(super) fn size_bytes(&self) -> usize {
        self.ids.len() * (4 + self.stride) + self.ends.len() * (size_of::<usize>() + self.stride)
    }
}

/// Keeps the `most` best candidates in order.
fn offer(best: &mut Vec<Candidate>, candidate: Candidate, most: usize) {
    if best.len() < most || best.last().is_some_and(|last| candidate < *last) {
        best.truncate(most - 1);
        let at = best.partition_point(|kept| *kept < candidate);
        best.insert(at, candidate);
    }
}

/// Up to `most` of the nodes, in their order.
fn sample(nodes: &[u32], most: usize, seed: u64) -> Vec<u32> {
    let rank = |id: u32| mix(seed ^ mix(u64::from(id) + 1)).trailing_zeros();
    let mut counts = [0; u64::BITS as usize + 1];
    for id in nodes {
        counts[rank(*id) as usize] += 1;
    }
    let mut total = 0;
    let mut least = u64::BITS + 1;
    while let Some(lower) = least.checked_sub(1).filter(|lower| total + counts[*lower as usize] <= most) {
        total += counts[lower as usize];
        least = lower;
    }
    let ids: Vec<u32> = nodes.iter().copied().filter(|id| rank(*id) >= least).collect();
    // So many of the highest rank that they would pass the bound by themselves: as good as never.
    if ids.is_empty() { nodes[..nodes.len().min(most)].to_vec() } else { ids }
}

/// About as many of a sample as there will be nodes in a group.
fn leaders(ids: &[u32], seed: u64) -> Vec<u32> {
    let mut leaders = ids.to_vec();
    leaders.sort_by_cached_key(|id| (mix(!seed ^ mix(u64::from(*id) + 1)), *id));
    leaders.truncate(ids.len().isqrt());
    leaders
}

/// The nodes about each leader; all of them together where there is none.
fn grouped(space: &Space<'_>, ids: &[u32], leaders: &[u32]) -> Vec<Vec<u32>> {
    if leaders.is_empty() {
        return vec![ids.to_vec()];
    }
    let mut groups = vec![Vec::new(); leaders.len()];
    let mut vector = Vec::new();
    for id in ids {
        vector.clear();
        space.push(*id, &mut vector);
        let mut keys = vec![0.0; leaders.len()];
        // Where a row is too long to be compared with codes, any group is as good as another.
        if let Ok(Some(bound)) = space.bind(&vector) {
            bound.keys(leaders, &mut keys);
        }
        let nearest = keys.iter().enumerate().map(|(at, key)| Candidate::new(*key, at as u32)).min();
        groups[nearest.map_or(0, |nearest| nearest.node() as usize)].push(*id);
    }
    groups
}

/// The codes of nodes one after another.
fn copied(space: &Space<'_>, ids: &[u32], stride: usize) -> Lines {
    let codes = &space.view.codes;
    let mut records = Lines::zeros(ids.len() * stride);
    for (id, record) in ids.iter().zip(records.owned_mut().chunks_exact_mut(stride.max(1))) {
        let piece = &codes[place(codes, *id)];
        record.copy_from_slice(piece.record((id - piece.first()) as usize));
    }
    records
}
