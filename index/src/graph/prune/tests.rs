//! Links lead in different directions, equal rows do not take all of them, and order does not matter.

use elanus_kernels::{Metric, Rows};

use super::*;

fn select(points: &[[f32; 2]], node: u32, candidates: &[u32], cap: usize) -> Vec<u32> {
    let rows = Rows::new(points.as_flattened(), 2).unwrap();
    let scorer = Scorer::new(Metric::L2, rows, &[]).unwrap();
    let mut keys = vec![0.0; candidates.len()];
    scorer.keys(scorer.row(node), candidates, &mut keys);
    let mut edges: Vec<Edge> = candidates.iter().zip(&keys).map(|(row, key)| Edge { key: *key, row: *row }).collect();
    let mut pruner = Pruner::default();
    pruner.select(&scorer, node, &mut edges, cap);
    let kept: Vec<u32> = edges.iter().map(|edge| edge.row).collect();
    edges = candidates.iter().zip(&keys).rev().map(|(row, key)| Edge { key: *key, row: *row }).collect();
    edges.extend_from_within(..);
    pruner.select(&scorer, node, &mut edges, cap);
    assert_eq!(edges.iter().map(|edge| edge.row).collect::<Vec<_>>(), kept, "order or repeats matter");
    kept
}

#[test]
fn a_candidate_behind_a_kept_one_is_left_out() {
    // From the origin: 1 and 2 to the right, 3 upwards, 4 to the left.
    let points = [[0.0, 0.0], [1.0, 0.0], [1.5, 0.2], [0.0, 2.0], [-3.0, 0.0]];
    assert_eq!(select(&points, 0, &[4, 3, 2, 1], 4), [1, 3, 4]);
    assert_eq!(select(&points, 0, &[4, 3, 2, 1], 2), [1, 3]);
    // Fewer candidates than places are all kept.
    assert_eq!(select(&points, 0, &[4, 3, 2, 1], 5), [1, 2, 3, 4]);
    assert_eq!(select(&points, 0, &[2, 0], 5), [2]);
}

#[test]
fn equal_rows_take_half_of_the_links() {
    let mut points = vec![[0.0, 0.0]; 20];
    points.extend([[5.0, 0.0], [-5.0, 0.0], [0.0, 5.0], [0.0, -5.0]]);
    let kept = select(&points, 3, &(0..24).collect::<Vec<_>>(), 8);
    assert_eq!(kept.iter().filter(|row| **row < 20).count(), 4);
    assert_eq!(kept.iter().filter(|row| **row >= 20).count(), 4);
    assert!(!kept.contains(&3), "a node is not linked to itself");
}

#[test]
fn which_equal_rows_are_linked_differs_from_node_to_node() {
    let points = vec![[1.0, 1.0]; 400];
    let all: Vec<u32> = (0..400).collect();
    let mut seen: Vec<u32> = (0..100).flat_map(|node| select(&points, node, &all, 8)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 200, "only {} of 400 are linked to", seen.len());
}
