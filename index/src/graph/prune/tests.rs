//! Links lead in different directions, refused candidates fill up places, and order is by distance.

use elanus_kernels::{Metric, Rows};

use super::*;
use crate::graph::space::Shaped;

fn select(metric: Metric, points: &[[f32; 2]], node: u32, candidates: &[u32], choice: Choice) -> Vec<u32> {
    let all = Rows::new(points.as_flattened(), 2).unwrap();
    let space = Shaped::new(metric, all.into(), 0..points.len() as u32);
    let sketch = Sketch::of(&space);
    let (rows, vector) = (sketch.rows(), sketch.rows().row(node as usize));
    let key = |row: &u32| Candidate::new(sketch.kernel().pair(vector, rows.row(*row as usize)), *row);
    let mut candidates: Vec<Candidate> = candidates.iter().map(key).collect();
    candidates.sort_unstable();
    let (mut pruner, mut kept) = (Pruner::default(), Vec::new());
    pruner.select(&sketch, &candidates, choice, &mut kept);
    assert!(kept.is_sorted());
    kept.iter().map(|kept| kept.node()).collect()
}

const PLAIN: Choice = Choice { degree: 4, alpha: 1.0, fill: 0 };
/// From the origin: 1 and 2 to the right, 3 upwards, 4 to the left.
const CROSS: [[f32; 2]; 5] = [[0.0, 0.0], [1.0, 0.0], [1.5, 0.2], [0.0, 2.0], [-3.0, 0.0]];

#[test]
fn a_candidate_behind_a_kept_one_is_left_out() {
    assert_eq!(select(Metric::L2, &CROSS, 0, &[4, 3, 2, 1], PLAIN), [1, 3, 4]);
    assert_eq!(select(Metric::L2, &CROSS, 0, &[4, 3, 2, 1], Choice { degree: 2, ..PLAIN }), [1, 3]);
    assert!(select(Metric::L2, &CROSS, 0, &[], PLAIN).is_empty());
}

#[test]
fn refused_candidates_fill_places() {
    assert_eq!(select(Metric::L2, &CROSS, 0, &[1, 2, 3, 4], Choice { fill: 4, ..PLAIN }), [1, 2, 3, 4]);
    assert_eq!(select(Metric::L2, &CROSS, 0, &[1, 2], Choice { fill: 1, ..PLAIN }), [1]);
}

#[test]
fn a_larger_factor_refuses_fewer() {
    // 2 is refused where its distance from 1, which is 0.29, is below 2.29 by the factor.
    assert_eq!(select(Metric::L2, &CROSS, 0, &[1, 2], Choice { alpha: 7.0, ..PLAIN }), [1]);
    assert_eq!(select(Metric::L2, &CROSS, 0, &[1, 2], Choice { alpha: 8.0, ..PLAIN }), [1, 2]);
}

#[test]
fn vectors_that_have_to_be_copied_are_pruned_alike() {
    // On the unit circle: 2 lies in the direction of 1.
    assert_eq!(select(Metric::Cosine, &[[1.0, 1.0], [1.0, 0.5], [9.0, 3.0], [0.2, 0.9]], 0, &[1, 2, 3], PLAIN), [1, 3]);
}
