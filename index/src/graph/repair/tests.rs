//! Afterwards every node is reached, and nothing changes where that was so before.

use elanus_kernels::{Metric, Rows};

use super::*;
use crate::array::Array;
use crate::graph::space::Shaped;

const NODES: usize = 60;

/// Points on a line; every node linked to those in `links` of it.
fn repaired(links: impl Fn(u32) -> Vec<u32>, is_cancelled: bool) -> (Graph, Vec<u32>) {
    let points: Vec<f32> = (0..NODES).map(|i| i as f32).collect();
    let mut base = vec![EMPTY; NODES * 4];
    for node in 0..NODES {
        for (slot, link) in base[node * 4..][..4].iter_mut().zip(links(node as u32)) {
            *slot = link;
        }
    }
    let before = base.clone();
    let mut graph = Graph { m: 2, base: Array::Owned(base), upper: Vec::new(), entry: 0 };
    let rows: Vec<u32> = (0..NODES as u32).collect();
    let space = Shaped::new(Metric::L2, Rows::new(&points, 1).unwrap().into(), rows.iter().copied());
    reach_all(&mut graph, &space, &Kernel::new(Metric::L2).unwrap(), &rows, || is_cancelled);
    (graph, before)
}

fn reached(graph: &Graph) -> usize {
    let mut reach = Reach { reached: vec![false; NODES], queue: Vec::new() };
    reach.flood(graph, graph.entry);
    reach.reached.iter().filter(|is| **is).count()
}

#[test]
fn a_connected_graph_is_left_alone() {
    let (graph, before) = repaired(|node| vec![(node + 1) % NODES as u32], false);
    assert_eq!(graph.base.as_slice(), before);
}

#[test]
fn lost_nodes_are_linked_from_nodes_near_them() {
    // Every third node leads to its neighbours, and nothing leads to it.
    let lost = |node: u32| node % 3 == 2;
    let links = |node: u32| {
        let up = if lost(node + 1) { node + 2 } else { node + 1 };
        let down = if node > 0 && lost(node - 1) { node.saturating_sub(2) } else { node.saturating_sub(1) };
        [up, down].into_iter().filter(|next| (*next as usize) < NODES && *next != node).collect()
    };
    let (graph, _) = repaired(links, false);
    assert_eq!(reached(&graph), NODES);
    for node in (0..NODES as u32).filter(|node| lost(*node)) {
        let near = [node - 2, node - 1, node + 1, node + 2];
        let mut near = near.iter().filter(|n| (**n as usize) < NODES);
        assert!(near.any(|n| graph.ground().neighbours(*n).contains(&node)), "{node} is linked from afar");
    }
}

#[test]
fn islands_and_full_rows_are_bridged() {
    // Six rings of ten, and no way from one to another.
    let (graph, _) = repaired(|node| vec![node / 10 * 10 + (node + 1) % 10], false);
    assert_eq!(reached(&graph), NODES);
    // The same with no room for a link anywhere.
    let (graph, _) = repaired(|node| (1..=4).map(|step| node / 10 * 10 + (node + step) % 10).collect(), false);
    assert_eq!(reached(&graph), NODES);
}

#[test]
fn nothing_is_done_when_cancelled() {
    let (graph, _) = repaired(|_| Vec::new(), true);
    assert!(graph.base.as_slice().iter().all(|link| *link == EMPTY));
}
