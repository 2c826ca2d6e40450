//! Leaves hold every node, lists hold true neighbours, and the graph is the same on any number of threads.

use elanus_kernels::Rows;
use elanus_kernels::gemm::Gemm;
use elanus_kernels::rng::Rng;

use super::crew::Crew;
use super::leaf::{Reach, compare};
use super::partition::{Cut, leaves};
use super::*;
use crate::graph::Candidate;
use crate::graph::space::Shaped;
use crate::{Cancel, no_progress};

const DIM: usize = 6;

/// Rows around `crowds` centres that are far from each other.
fn crowded(count: usize, crowds: u64, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let centres: Vec<f32> = (0..crowds as usize * DIM).map(|_| 30.0 * rng.normal()).collect();
    let mut row = || {
        let centre = rng.below(crowds) as usize * DIM;
        (0..DIM).map(|i| centres[centre + i] + rng.normal()).collect::<Vec<f32>>()
    };
    (0..count).flat_map(|_| row()).collect()
}

fn space(values: &[f32]) -> (Shaped<'_>, Vec<u32>) {
    let rows = Rows::new(values, DIM).unwrap();
    (Shaped::new(Metric::L2, rows.into(), 0..0), (0..rows.len() as u32).collect())
}

fn with_crew<R>(job: impl FnOnce(&Crew<'_>) -> R) -> R {
    let cancel = Cancel::new();
    job(&Crew::new(&BuildCx { pool: None, seed: 0, cancel: &cancel, progress: &no_progress, device: None }, 1))
}

fn built(values: &[f32], threads: usize, nodes: &[u32]) -> Graph {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let cancel = Cancel::new();
    let cx = BuildCx { pool: Some(&pool), seed: 9, cancel: &cancel, progress: &no_progress, device: None };
    let (space, _) = space(values);
    build(Shape { m: 4, ef_construction: 60 }, &space, nodes, &cx).unwrap().unwrap()
}

#[test]
fn leaves_hold_every_node_and_are_not_too_large() {
    for (crowds, fan) in [(1, 1), (1, 3), (40, 2), (3, 2)] {
        let values = crowded(3000, crowds, 4);
        let (space, rows) = space(&values);
        let points = Points { space: &space, rows: &rows };
        let gemm = Gemm::new(Metric::L2).unwrap();
        let found = with_crew(|crew| leaves(points, &gemm, Cut { leaf: 200, fan, seed: 1 }, crew).unwrap());
        let mut held = vec![0; rows.len()];
        for leaf in &found {
            assert!(leaf.len() <= 300 && leaf.is_sorted_by(|a, b| a < b), "a leaf of {}", leaf.len());
            leaf.iter().for_each(|node| held[*node as usize] += 1);
        }
        assert!(held.iter().all(|times| (1..=fan).contains(times)), "crowds {crowds} fan {fan}");
    }
}

#[test]
fn rows_that_cannot_be_told_apart_are_cut_all_the_same() {
    let values = vec![1.5; 2000 * DIM];
    let (space, rows) = space(&values);
    let gemm = Gemm::new(Metric::L2).unwrap();
    let cut = Cut { leaf: 100, fan: 2, seed: 1 };
    let found = with_crew(|crew| leaves(Points { space: &space, rows: &rows }, &gemm, cut, crew).unwrap());
    let mut held: Vec<u32> = found.concat();
    held.sort_unstable();
    held.dedup();
    assert!(held == rows && found.iter().all(|leaf| leaf.len() <= 150));
}

#[test]
fn a_leaf_offers_the_nearest_in_both_directions() {
    let values = crowded(90, 2, 5);
    let (space, _) = space(&values);
    let kernel = Kernel::<f32>::new(Metric::L2).unwrap();
    let nodes: Vec<u32> = (0..90).filter(|node| node % 3 != 0).collect();
    let nearest = |node: u32| {
        let key =
            |other: u32| kernel.pair(&values[node as usize * DIM..][..DIM], &values[other as usize * DIM..][..DIM]);
        let others = nodes.iter().filter(|other| **other != node);
        let mut near: Vec<Candidate> = others.map(|other| Candidate::new(key(*other), *other)).collect();
        near.sort_unstable();
        near.truncate(5);
        near
    };
    let gemm = Gemm::new(Metric::L2).unwrap();
    let reach = Reach { near: 5, far: 4 };
    let offers = compare(&Sketch::of(&space), &gemm, &nodes, reach, &mut Default::default());
    let mut seen = Vec::new();
    for offer in offers.within(10, 70) {
        let mut want = nearest(offer.node);
        let others = nodes.iter().filter(|other| **other != offer.node);
        let back = others.flat_map(|other| {
            let back = nearest(*other).into_iter().filter(|near| near.node() == offer.node);
            back.map(|near| Candidate::new(near.key(), *other))
        });
        want.extend(back);
        want.sort_unstable();
        want.dedup();
        let mut near = offer.near.to_vec();
        near.dedup();
        assert_eq!(near, want, "node {}", offer.node);
        assert!(offer.far.is_sorted() && offer.far.iter().all(|far| far.node() != offer.node));
        seen.push(offer.node);
    }
    assert!(seen.iter().copied().eq(nodes.iter().copied().filter(|node| (10..70).contains(node))));
}

#[test]
fn any_number_of_threads_builds_the_same() {
    let values = crowded(2500, 12, 6);
    let nodes: Vec<u32> = (0..2500).filter(|row| row % 11 != 5).collect();
    let one = built(&values, 1, &nodes);
    for threads in [2, 3] {
        let other = built(&values, threads, &nodes);
        assert_eq!((other.entry, other.upper.len()), (one.entry, one.upper.len()));
        assert!(other.base.as_slice() == one.base.as_slice(), "{threads} threads");
        for (a, b) in one.upper.iter().zip(&other.upper) {
            assert!(a.ids.as_slice() == b.ids.as_slice() && a.links.as_slice() == b.links.as_slice());
        }
    }
}

#[test]
fn crowds_are_reached_and_rows_left_out_are_not() {
    for crowds in [1, 30] {
        let mut values = crowded(1200, crowds, 7);
        // A third of the rows are one and the same, a few are far beyond all others.
        for row in (0..1200).filter(|row| row % 3 == 1) {
            values[row * DIM..][..DIM].fill(2.0);
        }
        values[7 * DIM..][..DIM].fill(3e18);
        values[9 * DIM..][..DIM].fill(-1e30);
        let nodes: Vec<u32> = (0..1200).filter(|row| row % 7 != 3).collect();
        let graph = built(&values, 2, &nodes);
        let mut reached = vec![false; 1200];
        let mut queue = vec![graph.entry];
        while let Some(row) = queue.pop() {
            if !std::mem::replace(&mut reached[row as usize], true) {
                let links = graph.ground().neighbours(row);
                let mut distinct = links.to_vec();
                distinct.sort_unstable();
                distinct.dedup();
                assert!(distinct.len() == links.len() && !links.contains(&row), "row {row}: {links:?}");
                queue.extend(links);
            }
        }
        assert!(reached.iter().enumerate().all(|(row, is)| *is == (row % 7 != 3)), "{crowds} crowds");
    }
}

#[test]
fn few_nodes_make_a_graph() {
    let values = crowded(5, 1, 8);
    for count in [1, 2, 5] {
        let nodes: Vec<u32> = (0..count).collect();
        let graph = built(&values, 2, &nodes);
        for row in 0..5 {
            let want = if row < count { count as usize - 1 } else { 0 };
            assert!(graph.ground().neighbours(row).len() <= want);
        }
        assert!(graph.entry < count);
    }
    let cancel = Cancel::new();
    let cx = BuildCx { pool: None, seed: 9, cancel: &cancel, progress: &no_progress, device: None };
    let shape = Shape { m: 4, ef_construction: 60 };
    assert!(build(shape, &space(&values).0, &[], &cx).unwrap().is_none());
    assert_eq!(
        build(Shape { m: usize::MAX / 4, ..shape }, &space(&values).0, &[0], &cx).map(|_| ()),
        Err(too_large(&values))
    );
    cancel.cancel();
    assert_eq!(build(shape, &space(&values).0, &[0, 1], &cx).map(|_| ()), Err(BuildError::Cancelled));
}

fn too_large(values: &[f32]) -> BuildError {
    BuildError::TooLarge { rows: values.len() / DIM, degree: usize::MAX / 4 * 2 }
}
