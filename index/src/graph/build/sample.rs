//! How many of their nearest nodes the candidate lists hold, judged by a sample.

use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::{Number, TopK};

use super::crew::Crew;
use super::lists::Lists;
use super::sketch::Sketch;
use crate::BuildError;

/// Nodes of the sample.
const NODES: usize = 192;
/// Nearest nodes that are looked for in each list.
const NEAREST: usize = 10;
/// Nodes that a thread compares the sample with at a time.
const SPAN: usize = 4096;

/// The share of the true nearest nodes of a sample that its candidate lists hold.
pub(super) fn recall<E: Number>(
    sketch: &Sketch<E>,
    gemm: &Gemm<E>,
    lists: &Lists,
    crew: &Crew<'_>,
) -> Result<f64, BuildError> {
    let step = sketch.len().div_ceil(NODES);
    let sample: Vec<u32> = (0..sketch.len() as u32).step_by(step).collect();
    let mut picked = Vec::new();
    let queries = gemm.pack(sketch.gather(&sample, &mut picked));
    let holders = || -> Vec<TopK> { sample.iter().map(|_| TopK::new(NEAREST + 1)).collect() };
    let spans = (0..sketch.len() as u32).step_by(SPAN).collect();
    let parts = crew.map(spans, |(picked, scratch): &mut (Vec<E>, Scratch), first: u32| {
        let nodes: Vec<u32> = (first..sketch.len().min(first as usize + SPAN) as u32).collect();
        let mut nearest = holders();
        gemm.search(&queries, sketch.gather(&nodes, picked), first, None, scratch, &mut nearest);
        nearest
    })?;
    let mut nearest = holders();
    for part in &parts {
        nearest.iter_mut().zip(part).for_each(|(all, part)| all.merge(part));
    }
    let (mut held, mut wanted) = (0, 0);
    for (node, nearest) in sample.iter().zip(nearest) {
        let list = lists.of(*node);
        for near in nearest.into_sorted().iter().filter(|near| near.id != *node).take(NEAREST) {
            wanted += 1;
            held += usize::from(list.iter().any(|candidate| candidate.node() == near.id));
        }
    }
    Ok(if wanted == 0 { 1.0 } else { f64::from(held as u32) / f64::from(wanted) })
}
