//! Nodes numbered by leaf, so that near ones lie near each other in memory while the graph is built.

use crate::graph::links::EMPTY;

/// Numbers nodes in the order in which the leaves name them and gives the leaves the new numbers. Returns the old
/// number of each; nodes that no leaf names come last.
pub(super) fn by_leaf(leaves: &mut [Vec<u32>], count: usize) -> Vec<u32> {
    let mut order = Vec::with_capacity(count);
    let mut places = vec![EMPTY; count];
    for node in leaves.iter().flatten().copied().chain(0..count as u32) {
        if places[node as usize] == EMPTY {
            places[node as usize] = order.len() as u32;
            order.push(node);
        }
    }
    for leaf in leaves {
        leaf.iter_mut().for_each(|node| *node = places[*node as usize]);
        leaf.sort_unstable();
    }
    order
}

/// Links between new numbers as links between old ones.
pub(super) fn undo(links: &[u32], degree: usize, order: &[u32]) -> Vec<u32> {
    let mut old = vec![EMPTY; links.len()];
    for (links, node) in links.chunks(degree).zip(order) {
        for (to, link) in old[*node as usize * degree..][..degree].iter_mut().zip(links) {
            *to = order.get(*link as usize).copied().unwrap_or(EMPTY);
        }
    }
    old
}
