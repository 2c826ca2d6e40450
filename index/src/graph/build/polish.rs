//! A second look: each node searches the first graph for itself, and whom it meets become its candidates, as in the
//! second pass of Vamana (DiskANN, NeurIPS 2019, section 2).

use elanus_kernels::Number;

use super::crew::Crew;
use super::layer::Known;
use super::lists::Lists;
use super::walk::{Ground, Work};
use crate::BuildError;
use crate::graph::prune::Choice;

/// Nodes that a thread takes at a time.
const SPAN: usize = 256;

/// The shares of the work at which the second look begins and ends, as a rule.
const SHARES: (f64, f64) = (0.5, 0.9);

/// What is known before the second look.
pub(super) struct First<'a, E: Number> {
    /// The first graph.
    pub(super) ground: Ground<'a, E>,
    pub(super) known: &'a Known,
    /// Width of the walks.
    pub(super) width: usize,
    pub(super) choice: Choice,
}

/// Chooses each node's neighbours anew, among the nodes that a walk from its old ones meets.
pub(super) fn polish<E: Number>(first: First<'_, E>, out: &mut Lists, crew: &Crew<'_>) -> Result<(), BuildError> {
    let ground = first.ground;
    crew.each(out.parts(SPAN), SHARES, |work: &mut Work, (from, lists)| {
        for (i, mut list) in lists.into_iter().enumerate() {
            let node = from + i as u32;
            ground.walk(node, ground.neighbours(node).iter().copied(), first.width, work);
            first.known.add_far(node, &mut work.found);
            work.pruner.select(ground.sketch, &work.found, first.choice, &mut work.kept);
            list.set(&work.kept);
        }
    })
}
