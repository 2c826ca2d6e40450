//! A graph over the rows of several parts, made of the parts' own graphs.
//!
//! Links within a part stay. The largest part comes first; the nodes of each further one look for their nearest in the
//! graph so far, choose their neighbours anew among those and their old ones, and offer themselves to those chosen, as
//! an insertion does. But the old links say where to begin: nodes near each other in a part find nearly the same nodes
//! in another, so that a node begins where its neighbours arrived and needs only a narrow walk, as in Ponomarenko,
//! "Three algorithms for merging hierarchical navigable small world graphs" (arXiv 2505.16064, IGTM).

mod insert;
mod origin;
mod tour;

use elanus_kernels::Number;

use self::insert::Joined;
use self::origin::Origin;
use super::crew::Crew;
use super::points::Points;
use super::sketch::Sketch;
use super::twins::Twins;
use super::{GROUND, UPPER, check_size, finish, order, sketch, upper};
use crate::graph::Shape;
use crate::graph::links::Graph;
use crate::graph::space::Space;
use crate::{BuildCx, BuildError};

/// A graph that becomes part of another.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// It has `2 * m` links to a row on the lowest level, as the whole will have.
    pub(crate) graph: &'a Graph,
    /// Where each of its rows is among those of the whole; `None` where it was dropped.
    pub(crate) row: &'a (dyn Fn(u32) -> Option<u32> + Sync),
}

/// Builds the graph over the rows `nodes`, which ascend, from those of parts. `None` when a fresh build would not take
/// longer, or two parts claim a row.
///
/// # Errors
/// Those of [`super::build`].
pub(crate) fn merge(
    shape: Shape,
    space: &impl Space,
    nodes: &[u32],
    parts: &[Part<'_>],
    cx: &BuildCx<'_>,
) -> Result<Option<Graph>, BuildError> {
    check_size(space, 2 * shape.m)?;
    let crew = Crew::new(cx, space.len() as u64);
    let twins = Twins::find(space, nodes, &crew)?;
    let points = Points { space, rows: &twins.single };
    let Some(origin) = Origin::new(points, &twins, parts) else { return Ok(None) };
    let order = order::by_leaf(&mut origin.clumps(parts), points.len());
    let rows: Vec<u32> = order.iter().map(|node| twins.single[*node as usize]).collect();
    let ordered = Points { space, rows: &rows };
    let Some(origin) = Origin::new(ordered, &twins, parts) else { return Ok(None) };
    let Some(rounds) = origin.rounds() else { return Ok(None) };
    crew.enter(0.0, UPPER);
    let Some(upper) = upper(shape, space, &twins.single, cx.seed, &crew)? else { return Ok(None) };
    crew.enter(UPPER, GROUND);
    let old = (parts, &origin, &rounds[..]);
    let ground = match sketch::bytes(ordered, &crew)? {
        Some(sketch) => links(&sketch, old, 2 * shape.m, &crew)?,
        None => links(&sketch::floats(ordered, &crew)?, old, 2 * shape.m, &crew)?,
    };
    let ground = order::undo(&ground, 2 * shape.m, &order);
    finish(shape, points, ground, upper, (&twins, nodes), &crew).map(Some)
}

/// The links of the whole, where nodes come together in these rounds.
fn links(
    sketch: &Sketch<impl Number>,
    (parts, origin, rounds): (&[Part<'_>], &Origin, &[Vec<u32>]),
    degree: usize,
    crew: &Crew<'_>,
) -> Result<Vec<u32>, BuildError> {
    let mut joined = Joined::new(sketch, origin, parts, (degree, rounds.len()), crew)?;
    for (i, members) in rounds.iter().enumerate() {
        joined.add(members, i + 1 == rounds.len(), crew)?;
    }
    Ok(joined.into_links())
}
