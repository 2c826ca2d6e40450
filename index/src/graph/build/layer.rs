//! The graph of one level: leaves, candidates, neighbours, links back, and a second look where it is needed.

use elanus_kernels::gemm::Gemm;
use elanus_kernels::{Metric, Number};

use super::crew::Crew;
use super::leaf::Reach;
use super::lists::{List, Lists};
use super::partition::Cut;
use super::points::Points;
use super::polish::First;
use super::sketch::Sketch;
use super::walk::Ground;
use super::{leaf, mirror, order, partition, polish, sample, sketch};
use crate::BuildError;
use crate::graph::Candidate;
use crate::graph::levels::mix;
use crate::graph::links::EMPTY;
use crate::graph::prune::{Choice, Pruner};

/// Nodes of a leaf at most: leaves are compared in time that grows with it, and each finds more with it.
const LEAF: usize = 1000;
/// Nodes kept to lead out of a crowd.
const FAR: usize = 24;
/// See [`Choice::alpha`]: a little more than one keeps more links, by which easier data are searched in fewer steps.
pub(super) const ALPHA: f32 = 1.1;
/// The share of nearest nodes that leaves must have found for a second look to be left out.
const ENOUGH: f64 = 0.9;
/// The share from which the leaves of further cuts are tried before a second look, and how many cuts more. Where leaves
/// find so much, those of another cut find much of the rest in a third of the time of the second look.
const PROMISING: f64 = 0.6;
const MORE: usize = 2;
/// Leaves that are compared before their candidates are put into the lists.
const ROUND: usize = 128;
/// Lists that a thread takes at a time.
const SPAN: usize = 1024;
/// The shares of the work at which neighbours are first chosen and have been, as a rule.
const SHARES: (f64, f64) = (0.3, 0.5);

/// What is known of each node's surroundings.
#[derive(Debug)]
pub(super) struct Known {
    near: Lists,
    far: Lists,
}

impl Known {
    fn new(count: usize, effort: Effort) -> Self {
        Self { near: Lists::new(count, effort.cap.min(count)), far: Lists::new(count, effort.far.min(count)) }
    }

    /// Adds the candidates that lead out of a crowd to others, and sorts them.
    pub(super) fn add_far(&self, node: u32, all: &mut Vec<Candidate>) {
        all.extend_from_slice(self.far.of(node));
        all.sort_unstable();
        all.dedup();
    }
}

/// How much work is done for a level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Links of a node at most.
    degree: usize,
    /// Leaves that a node is in.
    fan: usize,
    /// How often the nodes are cut into leaves.
    times: usize,
    /// Nearest nodes of a leaf that are offered to each node of it.
    near: usize,
    /// Nodes that are offered to lead out of a crowd.
    far: usize,
    /// Candidates kept for a node.
    cap: usize,
    /// Width of the walk of the second look.
    width: usize,
}

impl Effort {
    /// The effort that `efConstruction` asks for on a level whose nodes have `degree` links at most.
    pub(super) fn new(ef: usize, degree: usize) -> Self {
        let (fan, times) = match ef {
            0..150 => (2, 1),
            150..300 => (3, 1),
            300..600 => (3, 2),
            600.. => (3, 3),
        };
        let cap = degree.max(48);
        Self { degree, fan, times, near: (degree / 2).clamp(12, 64), far: FAR, cap, width: (ef / 4).max(degree) }
    }

    /// How the nodes are cut for that time.
    fn cut(&self, time: usize, seed: u64) -> Cut {
        Cut { leaf: LEAF, fan: self.fan, seed: mix(seed ^ time as u64) }
    }
}

/// The links of a level, as node numbers of the level.
pub(super) fn links(points: Points<'_>, effort: Effort, seed: u64, crew: &Crew<'_>) -> Result<Vec<u32>, BuildError> {
    let degree = effort.degree;
    if points.len() < 2 {
        return Ok(vec![EMPTY; points.len() * degree]);
    }
    let gemm = Gemm::<f32>::new(Metric::L2)?;
    let mut leaves = partition::leaves(points, &gemm, effort.cut(0, seed), crew)?;
    let order = order::by_leaf(&mut leaves, points.len());
    let rows: Vec<u32> = order.iter().map(|node| points.rows[*node as usize]).collect();
    let points = Points { space: points.space, rows: &rows };
    let again = |time: usize| partition::leaves(points, &gemm, effort.cut(time, seed), crew);
    let links = match sketch::bytes(points, crew)? {
        Some(sketch) => seen(&sketch, leaves, again, effort, crew)?,
        None => seen(&sketch::floats(points, crew)?, leaves, again, effort, crew)?,
    };
    Ok(order::undo(&links, degree, &order))
}

/// The links that sketches of the vectors give, with a second look where leaves do not find enough. `again` cuts the
/// nodes once more.
fn seen<E: Number>(
    sketch: &Sketch<E>,
    mut leaves: Vec<Vec<u32>>,
    again: impl Fn(usize) -> Result<Vec<Vec<u32>>, BuildError>,
    effort: Effort,
    crew: &Crew<'_>,
) -> Result<Vec<u32>, BuildError> {
    let gemm = Gemm::<E>::new(Metric::L2)?;
    let mut known = Known::new(sketch.len(), effort);
    // One leaf holds all pairs: another cut would find the same.
    let (least, most) = if leaves.len() > 1 { (effort.times, effort.times + MORE) } else { (1, 1) };
    let mut recall = 0.0;
    for time in 1..=most {
        collect(sketch, &gemm, &leaves, effort, &mut known, crew)?;
        if time >= least {
            recall = sample::recall(sketch, &gemm, &known.near, crew)?;
        }
        if time == most || time >= least && !(PROMISING..ENOUGH).contains(&recall) {
            break;
        }
        leaves = again(time)?;
    }
    drop(leaves);
    let degree = effort.degree;
    let choice = Choice { degree, alpha: ALPHA, fill: degree * 3 / 4 };
    if recall >= ENOUGH {
        return join(sketch, &known, effort.cap, choice, crew);
    }
    // The first graph need only lead the walks.
    let links = join(sketch, &known, degree, Choice { fill: degree / 2, ..choice }, crew)?;
    // The walk finds the nearest again.
    known.near = Lists::new(0, 1);
    let ground = Ground { sketch, links: &links, degree };
    let first = First { ground, known: &known, width: effort.width, choice };
    let mut out = Lists::new(sketch.len(), degree);
    polish::polish(first, &mut out, crew)?;
    mirror::links(sketch, &out, choice, crew)
}

/// Puts what each leaf offers into the lists.
fn collect<E: Number>(
    sketch: &Sketch<E>,
    gemm: &Gemm<E>,
    leaves: &[Vec<u32>],
    effort: Effort,
    lists: &mut Known,
    crew: &Crew<'_>,
) -> Result<(), BuildError> {
    let reach = Reach { near: effort.near, far: effort.far };
    for (i, round) in leaves.chunks(ROUND).enumerate() {
        crew.tell(SHARES.0 * (i * ROUND) as f64 / leaves.len() as f64);
        let offers = crew.map(round.iter().collect(), |work: &mut leaf::Work<E>, nodes: &Vec<u32>| {
            leaf::compare(sketch, gemm, nodes, reach, work)
        })?;
        let span = sketch.len().div_ceil(4 * crew.threads()).max(1);
        let parts: Vec<_> = lists.near.parts(span).into_iter().zip(lists.far.parts(span)).collect();
        crew.map(parts, |spare: &mut Vec<Candidate>, ((first, mut near), (_, mut far))| {
            let end = first + near.len() as u32;
            for offer in offers.iter().flat_map(|offers| offers.within(first, end)) {
                let i = (offer.node - first) as usize;
                near[i].merge(offer.near, spare);
                far[i].merge(offer.far, spare);
            }
        })?;
    }
    Ok(())
}

/// The graph that the candidates make, the `nearest` of each node's list and those far from it.
fn join(
    sketch: &Sketch<impl Number>,
    lists: &Known,
    nearest: usize,
    choice: Choice,
    crew: &Crew<'_>,
) -> Result<Vec<u32>, BuildError> {
    type Work = (Pruner, Vec<Candidate>, Vec<Candidate>);
    let mut out = Lists::new(sketch.len(), choice.degree);
    crew.each(out.parts(SPAN), SHARES, |(pruner, all, kept): &mut Work, (first, out): (u32, Vec<List<'_>>)| {
        for (i, mut to) in out.into_iter().enumerate() {
            let node = first + i as u32;
            all.clear();
            let near = lists.near.of(node);
            all.extend_from_slice(&near[..near.len().min(nearest)]);
            lists.add_far(node, all);
            pruner.select(sketch, all, choice, kept);
            to.set(kept);
        }
    })?;
    mirror::links(sketch, &out, choice, crew)
}
