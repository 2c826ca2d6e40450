//! Links to nodes that pruning left without any way to them.

use elanus_kernels::Element;

use super::links::{EMPTY, Graph, used};
use super::scorer::{Bound, Scorer};
use super::walk::Walk;
use crate::{Scratch, Stats};

/// Nodes looked at to find one from which a lost node can be linked, before a walk through the graph is tried.
const LOOK: usize = 256;
/// Width of that walk.
const WIDTH: usize = 64;
/// A link that had to be replaced may have been the only one to its node; so the whole is done again, this often.
const ROUNDS: usize = 4;

/// Makes every node reachable from the entry on the lowest level: a node that is not gets a link from a node near to
/// it that is. `order` lists the nodes.
pub(crate) fn reach_all<E: Element>(
    graph: &mut Graph,
    scorer: &Scorer<'_, E>,
    order: &[(u32, u32)],
    is_cancelled: impl Fn() -> bool,
) {
    let mut scratch = Scratch::new();
    for _ in 0..ROUNDS {
        let mut reach = Reach { reached: vec![false; scorer.rows.len()], queue: Vec::new() };
        reach.flood(graph, graph.entry);
        let mut has_replaced = false;
        for (row, _) in order {
            if reach.reached[*row as usize] {
                continue;
            }
            if is_cancelled() {
                return;
            }
            let near = reach.look_around(graph, *row);
            let from = near.unwrap_or_else(|| walk_to(graph, scorer, *row, &mut scratch));
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

/// The row nearest to a lost one of those that a walk comes to, with room for a link if there is such a one.
fn walk_to<E: Element>(graph: &Graph, scorer: &Scorer<'_, E>, lost: u32, scratch: &mut Scratch) -> u32 {
    let bound = Bound { scorer, query: scorer.row(lost) };
    let walk = Walk { tier: &bound };
    let mut stats = Stats::default();
    let start = walk.descend(graph, 0, scratch, &mut stats);
    scratch.found.clear();
    walk.best_first(graph.ground(), start, WIDTH, scratch, &mut stats);
    let found = || scratch.found.iter().map(|found| found.node()).filter(|row| *row != lost);
    let roomy = found().find(|row| graph.ground().row(*row).last() == Some(&EMPTY));
    roomy.or_else(|| found().next()).unwrap_or(graph.entry)
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
