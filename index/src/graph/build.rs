//! Building the graph: near nodes are found by cutting the nodes into overlapping leaves and comparing all nodes of a
//! leaf with each other as a product of matrices, as PiPNN does (arXiv 2602.21247).
//!
//! Nothing depends on the order in which threads work, so the graph is the same on any number of them, and no lock is
//! held.

mod crew;
mod layer;
mod leads;
mod leaf;
mod lists;
mod merge;
mod mirror;
mod order;
mod partition;
mod points;
mod polish;
mod sample;
mod sketch;
mod twins;
mod walk;

use elanus_kernels::{Kernel, Metric};

use self::crew::Crew;
use self::layer::Effort;
pub(crate) use self::merge::{Part, merge};
pub(crate) use self::points::Points;
pub(crate) use self::sketch::Sketch;
use self::twins::Twins;
use super::levels::insertion_order;
use super::links::{EMPTY, Graph, Upper, used};
use super::space::Space;
use crate::array::Array;
use crate::{BuildCx, BuildError};

/// The shares of the build at which the upper levels and the lowest are done, as a rule.
const UPPER: f64 = 0.05;
const GROUND: f64 = 0.95;

/// How the graph is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) m: usize,
    pub(crate) ef_construction: usize,
}

/// Builds the graph over the rows `nodes`, which ascend; `None` when there are none.
///
/// The vectors of these rows must be finite.
///
/// # Errors
/// When the links would not fit into the address space, or the caller cancelled.
pub(crate) fn build(
    shape: Shape,
    space: &impl Space,
    nodes: &[u32],
    cx: &BuildCx<'_>,
) -> Result<Option<Graph>, BuildError> {
    let degree = 2 * shape.m;
    check_size(space, degree)?;
    let crew = Crew::new(cx, space.len() as u64);
    let twins = Twins::find(space, nodes, &crew)?;
    crew.enter(0.0, UPPER);
    let Some((entry, upper)) = upper(shape, space, &twins.single, cx.seed, &crew)? else { return Ok(None) };
    let points = Points { space, rows: &twins.single };
    let effort = Effort::new(shape.ef_construction, degree);
    crew.enter(UPPER, GROUND);
    let ground = layer::links(points, effort, cx.seed, &crew)?;
    finish(shape, points, ground, (entry, upper), (&twins, nodes), &crew).map(Some)
}

/// Whether the links of so many rows can be kept.
fn check_size(space: &impl Space, degree: usize) -> Result<(), BuildError> {
    let fits = space.len().checked_mul(degree).is_some_and(|links| links <= isize::MAX as usize / 16);
    if fits { Ok(()) } else { Err(BuildError::TooLarge { rows: space.len(), degree }) }
}

/// The upper levels and the row at which searches begin; `None` without rows.
fn upper(
    shape: Shape,
    space: &impl Space,
    rows: &[u32],
    seed: u64,
    crew: &Crew<'_>,
) -> Result<Option<(u32, Vec<Upper>)>, BuildError> {
    let order = insertion_order(rows.iter().copied(), seed, shape.m);
    let Some(&(entry, top)) = order.first() else { return Ok(None) };
    let mut upper = Vec::new();
    for level in 1..=top {
        let mut ids: Vec<u32> = order.iter().take_while(|(_, l)| *l >= level).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let points = Points { space, rows: &ids };
        let effort = Effort::new(shape.ef_construction, shape.m);
        let links = layer::links(points, effort, seed ^ u64::from(level) << 32, crew)?;
        upper.push(Upper { ids: Array::Owned(ids), links: Array::Owned(links) });
    }
    Ok(Some((entry, upper)))
}

/// The whole graph, of the links of its lowest level between rows that are all different, and its upper levels.
fn finish(
    shape: Shape,
    points: Points<'_>,
    mut ground: Vec<u32>,
    (entry, upper): (u32, Vec<Upper>),
    (twins, nodes): (&Twins, &[u32]),
    crew: &Crew<'_>,
) -> Result<Graph, BuildError> {
    let (space, degree) = (points.space, 2 * shape.m);
    if space.is_level() {
        leads::lead(points, &mut ground, degree, crew)?;
    }
    let mut base = spread(ground, degree, points.rows, space.len());
    for level in &upper {
        lead_far(&mut base, degree, level);
    }
    twins.hang(&mut base, degree);
    crew.enter(GROUND, 1.0);
    crew.tell(0.0);
    let mut graph = Graph { m: shape.m, base: Array::Owned(base), upper, entry };
    super::repair::reach_all(&mut graph, space, &Kernel::new(Metric::L2)?, nodes, || crew.check().is_err());
    crew.check()?;
    crew.tell(1.0);
    Ok(graph)
}

/// Links between nodes as links between rows.
fn spread(links: Vec<u32>, degree: usize, nodes: &[u32], rows: usize) -> Vec<u32> {
    if nodes.len() == rows {
        return links;
    }
    let mut base = vec![EMPTY; rows * degree];
    for (links, row) in links.chunks(degree).zip(nodes) {
        for (to, link) in base[*row as usize * degree..][..degree].iter_mut().zip(links) {
            *to = nodes.get(*link as usize).copied().unwrap_or(EMPTY);
        }
    }
    base
}

/// Gives the rows of an upper level some of their links there on the lowest level, too, in the place of the farthest.
/// Leaves lead only to near rows; so a walk gets from one crowd of rows to another.
fn lead_far(base: &mut [u32], degree: usize, level: &Upper) {
    let (ids, m) = (level.ids.as_slice(), degree / 2);
    let room = (degree / 16).max(1);
    for (row, far) in ids.iter().zip(level.links.as_slice().chunks(m)) {
        let to = &mut base[*row as usize * degree..][..degree];
        let near = used(to).len();
        let far = used(far).iter().map(|node| ids[*node as usize]).filter(|far| !to[..near].contains(far));
        let far: Vec<u32> = far.take(room).collect();
        let start = near.min(degree - far.len());
        to[start..start + far.len()].copy_from_slice(&far);
    }
}

#[cfg(test)]
mod tests;
