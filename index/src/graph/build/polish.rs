//! A second look: each node searches the first graph for itself, and whom it meets become its candidates, as in the
//! second pass of Vamana (DiskANN, NeurIPS 2019, section 2).

use elanus_kernels::Number;

use super::crew::Crew;
use super::layer::Known;
use super::lists::Lists;
use super::sketch::Sketch;
use crate::BuildError;
use crate::graph::Candidate;
use crate::graph::beam::{Beam, Sorted};
use crate::graph::links::used;
use crate::graph::prune::{Choice, Pruner};
use crate::scratch::Visited;

/// Nodes that a thread takes at a time.
const SPAN: usize = 256;

/// The shares of the work at which the second look begins and ends, as a rule.
const SHARES: (f64, f64) = (0.5, 0.9);

/// What is known before the second look.
pub(super) struct First<'a, E: Number> {
    pub(super) sketch: &'a Sketch<E>,
    /// Links of the first graph.
    pub(super) links: &'a [u32],
    pub(super) known: &'a Known,
    /// Width of the walks.
    pub(super) width: usize,
    pub(super) choice: Choice,
}

impl<E: Number> First<'_, E> {
    fn neighbours(&self, node: u32) -> &[u32] {
        used(&self.links[node as usize * self.choice.degree..][..self.choice.degree])
    }
}

/// What one thread works with.
#[derive(Default)]
struct Work {
    beam: Sorted,
    visited: Visited,
    nodes: Vec<u32>,
    keys: Vec<f32>,
    found: Vec<Candidate>,
    kept: Vec<Candidate>,
    pruner: Pruner,
}

/// Chooses each node's neighbours anew, among the nodes that a walk from its old ones meets.
pub(super) fn polish<E: Number>(first: First<'_, E>, out: &mut Lists, crew: &Crew<'_>) -> Result<(), BuildError> {
    crew.each(out.parts(SPAN), SHARES, |work: &mut Work, (from, lists)| {
        for (i, mut list) in lists.into_iter().enumerate() {
            let node = from + i as u32;
            walk(&first, node, work);
            first.known.add_far(node, &mut work.found);
            work.pruner.select(first.sketch, &work.found, first.choice, &mut work.kept);
            list.set(&work.kept);
        }
    })
}

/// Leaves in `found` the nodes nearest to `node` that a walk from its neighbours comes to.
fn walk<E: Number>(first: &First<'_, E>, node: u32, work: &mut Work) {
    let Work { beam, visited, nodes, keys, found, .. } = work;
    let (rows, kernel) = (first.sketch.rows(), first.sketch.kernel());
    let vector = rows.row(node as usize);
    found.clear();
    visited.start(rows.len());
    visited.insert(node);
    beam.start(first.width);
    nodes.clear();
    nodes.extend(first.neighbours(node).iter().filter(|node| visited.insert(**node)));
    loop {
        keys.clear();
        keys.resize(nodes.len(), 0.0);
        kernel.gather(vector, rows, nodes, keys);
        for (node, key) in nodes.iter().zip(&*keys) {
            beam.offer(Candidate::new(*key, *node));
        }
        let Some(next) = beam.next() else { break };
        nodes.clear();
        nodes.extend(first.neighbours(next.node()).iter().filter(|node| visited.insert(**node)));
    }
    beam.drain(found);
}
