//! Links to long vectors, for the inner product.
//!
//! The vectors with the largest inner product with a query are long ones in its direction, and lie far from where short
//! ones lead to each other. So each node gets links to those of the long ones with which its own product is largest, as
//! in ip-NSW (Morozov and Babenko, "Non-metric similarity graphs for maximum inner product search", NeurIPS 2018).

use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::{Metric, Neighbor, TopK};

use super::crew::Crew;
use super::points::{Picked, Points};
use crate::BuildError;
use crate::graph::links::{EMPTY, used};

/// Long vectors at least, and at least one in so many.
const LONG: usize = 1024;
const PART: usize = 64;
/// Nodes that a thread takes at a time.
const SPAN: usize = 2048;

/// Replaces the last links of each node, a quarter of those that it may have, by some to long vectors.
pub(super) fn lead(points: Points<'_>, links: &mut [u32], degree: usize, crew: &Crew<'_>) -> Result<(), BuildError> {
    let room = (degree / 4).max(1);
    let gemm = Gemm::<f32>::new(Metric::Ip)?;
    let dim = points.space.dim();
    let mut buffer = Vec::new();
    let mut added = |node: u32| points.space.vector(points.rows[node as usize], &mut buffer)[dim - 1];
    let mut long: Vec<(f32, u32)> = (0..points.len() as u32).map(|node| (added(node), node)).collect();
    long.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    long.truncate(LONG.max(points.len() / PART));
    let long: Vec<u32> = long.into_iter().map(|(_, node)| node).collect();
    let mut picked = Picked::default();
    points.gather_without_last(&long, &mut picked);
    let base = picked.rows(points);
    let parts = links.chunks_mut(SPAN * degree).enumerate().collect();
    crew.map(
        parts,
        |(own, scratch, found): &mut (Picked, Scratch, Vec<Neighbor>), (part, links): (usize, &mut [u32])| {
            let first = part * SPAN;
            let nodes: Vec<u32> = (first..first + links.len() / degree).map(|node| node as u32).collect();
            points.gather_without_last(&nodes, own);
            let queries = gemm.pack(own.rows(points));
            let mut best: Vec<TopK> = nodes.iter().map(|_| TopK::new(room + 1)).collect();
            gemm.search(&queries, base, 0, None, scratch, &mut best);
            for ((node, best), links) in nodes.iter().zip(&mut best).zip(links.chunks_mut(degree)) {
                found.clear();
                best.drain_sorted(found);
                let kept = used(links).len().min(degree - room);
                let leads = found.iter().map(|found| long[found.id as usize]);
                let leads = leads.filter(|lead| lead != node && !links[..kept].contains(lead)).take(room);
                let leads: Vec<u32> = leads.collect();
                links[kept..].fill(EMPTY);
                links[kept..kept + leads.len()].copy_from_slice(&leads);
            }
        },
    )?;
    Ok(())
}
