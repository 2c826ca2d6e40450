//! Links to nodes that pruning left without any way to them.

use std::cell::RefCell;

use elanus_kernels::Kernel;

use super::links::{EMPTY, Graph, used};
use super::space::Space;
use super::walk::Walk;
use crate::tier::Keys;
use crate::{Scratch, Stats};

/// Nodes looked at to find one from which a lost node can be linked, before a walk through the graph is tried.
const LOOK: usize = 64;
/// Width of that walk.
const WIDTH: usize = 64;
/// A link that had to be replaced may have been the only one to its node; so the whole is done again, this often.
const ROUNDS: usize = 8;

/// Makes every node reachable from the entry on the lowest level: a node that is not gets a link from a node near to
/// it that is. `rows` lists the nodes.
pub(crate) fn reach_all(
    graph: &mut Graph,
    space: &dyn Space,
    kernel: &Kernel<f32>,
    rows: &[u32],
    is_cancelled: impl Fn() -> bool,
) {
    let mut scratch = Scratch::new();
    let mut bridges = vec![false; space.len()];
    for _ in 0..ROUNDS {
        let mut reach = Reach { reached: vec![false; space.len()], queue: Vec::new() };
        reach.flood(graph, graph.entry);
        let mut has_replaced = false;
        for row in rows {
            if reach.reached[*row as usize] {
                continue;
            }
            if is_cancelled() {
                return;
            }
            let near = reach.look_around(graph, *row);
            let from = near.unwrap_or_else(|| {
                walk_to(graph, space, kernel, *row, &mut scratch);
                let found = || scratch.found.iter().map(|found| found.node()).filter(|from| from != row);
                let roomy = found().find(|from| graph.ground().row(*from).last() == Some(&EMPTY));
                // A link that is a bridge already must not be replaced by another.
                roomy.or_else(|| found().find(|from| !bridges[*from as usize])).unwrap_or(graph.entry)
            });
            bridges[from as usize] = true;
            has_replaced |= !link(graph, from, *row);
            reach.flood(graph, *row);
        }
        if !has_replaced {
            return;
        }
    }
}

struct Reach {
    reached: Vec<bool>,
    queue: Vec<u32>,
}

impl Reach {
    /// Marks what can be reached from a row.
    fn flood(&mut self, graph: &Graph, from: u32) {
        self.reached[from as usize] = true;
        self.queue.clear();
        self.queue.push(from);
        while let Some(row) = self.queue.pop() {
            for next in graph.ground().neighbours(row) {
                if !std::mem::replace(&mut self.reached[*next as usize], true) {
                    self.queue.push(*next);
                }
            }
        }
    }

    /// A reached row with room for a link among those that a lost row leads to, nearest by links first.
    fn look_around(&mut self, graph: &Graph, lost: u32) -> Option<u32> {
        self.queue.clear();
        self.queue.push(lost);
        let mut at = 0;
        while let Some(row) = self.queue.get(at).copied() {
            at += 1;
            for next in graph.ground().neighbours(row) {
                if self.reached[*next as usize] && graph.ground().row(*next).last() == Some(&EMPTY) {
                    return Some(*next);
                }
                if self.queue.len() < LOOK && !self.queue.contains(next) {
                    self.queue.push(*next);
                }
            }
        }
        None
    }
}

/// A row's distances from others.
struct Near<'a> {
    space: &'a dyn Space,
    kernel: &'a Kernel<f32>,
    vector: &'a [f32],
    buffer: RefCell<Vec<f32>>,
}

impl Keys for Near<'_> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        let buffer = &mut *self.buffer.borrow_mut();
        for (id, key) in ids.iter().zip(keys) {
            *key = self.kernel.pair(self.vector, self.space.vector(*id, buffer));
        }
    }
}

/// Leaves in `scratch.found` the rows nearest to a lost one of those that a walk comes to.
fn walk_to(graph: &Graph, space: &dyn Space, kernel: &Kernel<f32>, lost: u32, scratch: &mut Scratch) {
    let mut own = Vec::new();
    let near = Near { space, kernel, vector: space.vector(lost, &mut own), buffer: RefCell::default() };
    let walk = Walk { tier: &near };
    let mut stats = Stats::default();
    let start = walk.descend(graph, 0, scratch, &mut stats);
    scratch.found.clear();
    walk.best_first(graph.ground(), start, WIDTH, scratch, &mut stats);
}

/// Links `from` to `to`, in the place of its last link if there is no room; says whether there was.
fn link(graph: &mut Graph, from: u32, to: u32) -> bool {
    let stride = 2 * graph.m;
    let row = &mut graph.base.to_mut()[from as usize * stride..][..stride];
    let end = used(row).len();
    row[end.min(stride - 1)] = to;
    end < stride
}

#[cfg(test)]
mod tests;
