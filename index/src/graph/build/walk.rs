//! The walk by which a node of a graph that is being built finds its nearest.

use elanus_kernels::Number;

use crate::graph::Candidate;
use crate::graph::beam::{Beam, Sorted};
use crate::graph::build::sketch::Sketch;
use crate::graph::links::used;
use crate::graph::prune::Pruner;
use crate::scratch::Visited;

/// What one thread works with.
#[derive(Default)]
pub(super) struct Work {
    beam: Sorted,
    visited: Visited,
    nodes: Vec<u32>,
    keys: Vec<f32>,
    pub(super) found: Vec<Candidate>,
    pub(super) kept: Vec<Candidate>,
    pub(super) pruner: Pruner,
}

/// The graph that is walked.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a, E: Number> {
    pub(super) sketch: &'a Sketch<E>,
    pub(super) links: &'a [u32],
    pub(super) degree: usize,
}

impl<'a, E: Number> Ground<'a, E> {
    pub(super) fn neighbours(&self, node: u32) -> &'a [u32] {
        used(&self.links[node as usize * self.degree..][..self.degree])
    }

    /// Leaves in `work.found` the nodes nearest to `node` that a walk from `seeds` comes to; not `node`.
    pub(super) fn walk(&self, node: u32, seeds: impl Iterator<Item = u32>, width: usize, work: &mut Work) {
        let (rows, kernel) = (self.sketch.rows(), self.sketch.kernel());
        let Work { beam, visited, nodes, keys, found, .. } = work;
        let vector = rows.row(node as usize);
        visited.start(rows.len());
        visited.insert(node);
        beam.start(width);
        nodes.clear();
        nodes.extend(seeds.filter(|node| visited.insert(*node)));
        loop {
            keys.clear();
            keys.resize(nodes.len(), 0.0);
            kernel.gather(vector, rows, nodes, keys);
            for (node, key) in nodes.iter().zip(&*keys) {
                beam.offer(Candidate::new(*key, *node));
            }
            let Some(next) = beam.next() else { break };
            nodes.clear();
            nodes.extend(self.neighbours(next.node()).iter().filter(|node| visited.insert(**node)));
        }
        found.clear();
        beam.drain(found);
    }

    /// Leaves in `work.found` of the nodes `among` those nearest to `node`.
    pub(super) fn nearest(&self, node: u32, among: &[u32], count: usize, work: &mut Work) {
        work.found.clear();
        self.add(node, among, work);
        work.found.truncate(count);
    }

    /// Adds `nodes`, with their keys for `node`, to those in `work.found`, and sorts all.
    pub(super) fn add(&self, node: u32, nodes: &[u32], work: &mut Work) {
        let rows = self.sketch.rows();
        let Work { keys, found, .. } = work;
        keys.clear();
        keys.resize(nodes.len(), 0.0);
        self.sketch.kernel().gather(rows.row(node as usize), rows, nodes, keys);
        found.extend(nodes.iter().zip(&*keys).map(|(node, key)| Candidate::new(*key, *node)));
        found.sort_unstable();
    }
}
