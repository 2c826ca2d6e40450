//! All nodes of a leaf compared with each other.

use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::{Neighbor, Number, TopK};

use super::sketch::Sketch;
use crate::graph::Candidate;
use crate::graph::levels::mix;

/// One in so many nodes stands for all: few for crowds that fill much of a leaf, more for smaller ones.
const FEW: [u64; 3] = [8, 32, 128];

/// What one thread works with.
pub(super) struct Work<E> {
    picked: Vec<E>,
    scratch: Scratch,
    found: Vec<Neighbor>,
    others: Vec<E>,
    /// Place in the leaf and candidate for it.
    pairs: Vec<(u32, Candidate)>,
}

impl<E> Default for Work<E> {
    fn default() -> Self {
        let (picked, others) = (Vec::new(), Vec::new());
        Self { picked, scratch: Scratch::default(), found: Vec::new(), others, pairs: Vec::new() }
    }
}

/// What a leaf offers to its nodes.
#[derive(Debug)]
pub(super) struct Offers<'a> {
    nodes: &'a [u32],
    near: Table,
    far: Table,
}

/// Candidates of each node of a leaf, sorted.
#[derive(Debug)]
struct Table {
    /// Where the candidates of each node end.
    ends: Vec<u32>,
    candidates: Vec<Candidate>,
}

/// What is offered to a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer<'a> {
    pub(super) node: u32,
    /// The nearest.
    pub(super) near: &'a [Candidate],
    /// The nearest of the few that stand for all.
    pub(super) far: &'a [Candidate],
}

impl Offers<'_> {
    /// What is offered to the nodes from `first` on and before `end`.
    pub(super) fn within(&self, first: u32, end: u32) -> impl Iterator<Item = Offer<'_>> {
        let from = self.nodes.partition_point(|node| *node < first);
        let to = self.nodes.partition_point(|node| *node < end);
        (from..to).map(|i| Offer { node: self.nodes[i], near: self.near.of(i), far: self.far.of(i) })
    }
}

impl Table {
    fn new(count: usize, pairs: &[(u32, Candidate)]) -> Self {
        let mut ends = vec![0u32; count];
        pairs.iter().for_each(|(i, _)| ends[*i as usize] += 1);
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum - *end;
        }
        let mut candidates = vec![Candidate::new(0.0, 0); pairs.len()];
        for (i, candidate) in pairs {
            let at = &mut ends[*i as usize];
            candidates[*at as usize] = *candidate;
            *at += 1;
        }
        let mut start = 0;
        for end in &ends {
            candidates[start as usize..*end as usize].sort_unstable();
            start = *end;
        }
        Self { ends, candidates }
    }

    fn of(&self, i: usize) -> &[Candidate] {
        let start = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.candidates[start as usize..self.ends[i] as usize]
    }
}

/// How many nodes are offered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// The nearest nodes in the leaf of each node of it, offered in both directions.
    pub(super) near: usize,
    /// The nearest of a part of the nodes, drawn by chance. In a crowd, all of the nearest nodes are of the crowd;
    /// these lead out of it, as links to early nodes do where nodes are inserted one by one.
    pub(super) far: usize,
}

/// Compares all nodes of a leaf.
pub(super) fn compare<'a, E: Number>(
    sketch: &Sketch<E>,
    gemm: &Gemm<E>,
    nodes: &'a [u32],
    reach: Reach,
    work: &mut Work<E>,
) -> Offers<'a> {
    let Work { picked, scratch, found, pairs, others } = work;
    let rows = sketch.gather(nodes, picked);
    let queries = gemm.pack(rows);
    let mut nearest: Vec<TopK> = nodes.iter().map(|_| TopK::new(reach.near + 1)).collect();
    gemm.search(&queries, rows, 0, None, scratch, &mut nearest);
    pairs.clear();
    for (i, nearest) in nearest.iter_mut().enumerate() {
        found.clear();
        nearest.drain_sorted(found);
        for other in found.iter().filter(|other| other.id as usize != i) {
            pairs.push((i as u32, Candidate::new(other.key, nodes[other.id as usize])));
            pairs.push((other.id, Candidate::new(other.key, nodes[i])));
        }
    }
    let near = Table::new(nodes.len(), pairs);
    pairs.clear();
    for few in FEW {
        // By number alone, so that the leaves of a node agree which ones are drawn.
        let drawn: Vec<u32> = nodes.iter().copied().filter(|node| mix(u64::from(*node)).is_multiple_of(few)).collect();
        if drawn.is_empty() {
            continue;
        }
        let base = sketch.gather(&drawn, others);
        nearest.iter_mut().for_each(|nearest| nearest.reset(reach.far / FEW.len() + 1));
        gemm.search(&queries, base, 0, None, scratch, &mut nearest);
        for (i, nearest) in nearest.iter_mut().enumerate() {
            found.clear();
            nearest.drain_sorted(found);
            let others = found.iter().filter(|other| drawn[other.id as usize] != nodes[i]);
            pairs.extend(others.map(|other| (i as u32, Candidate::new(other.key, drawn[other.id as usize]))));
        }
    }
    Offers { nodes, near, far: Table::new(nodes.len(), pairs) }
}
