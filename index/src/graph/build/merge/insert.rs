//! The graph so far, and what one more part does to it.

use elanus_kernels::Number;

use super::Part;
use super::origin::Origin;
use super::tour::Tour;
use crate::BuildError;
use crate::graph::Candidate;
use crate::graph::build::crew::Crew;
use crate::graph::build::layer::ALPHA;
use crate::graph::build::mirror::LOOK;
use crate::graph::build::sketch::Sketch;
use crate::graph::build::walk::{Ground, Work};
use crate::graph::links::{EMPTY, used};
use crate::graph::prune::Choice;

/// Nodes that a thread takes at a time.
const SPAN: usize = 256;
/// Width of the walks at least: they begin near their ends.
const WIDTH_MIN: usize = 48;
/// Nodes with which those that begin without help are compared.
const SAMPLE: usize = 512;
/// Nodes that a walk found and others may begin at.
const HEADS: usize = 8;
/// Neighbours at whose ends a node begins.
const GUIDES: usize = 2;

/// Some nodes, linked, and others that wait.
pub(super) struct Joined<'a, E: Number> {
    sketch: &'a Sketch<E>,
    choice: Choice,
    /// Links of each node, within its part until it is joined: `stride` to a node.
    links: Vec<u32>,
    stride: usize,
    /// Width of the walks.
    width: usize,
    /// Whether links were added to those of a node that it has not chosen among.
    is_open: Vec<bool>,
    /// Whether a node is joined.
    is_in: Vec<bool>,
    /// The nearest joined nodes that each node found.
    heads: Vec<u32>,
    /// The layer of each node in the tour through its part.
    depth: Vec<u32>,
    /// Nodes that are joined, and those of which it was told that they are.
    done: usize,
    told: usize,
}

/// What a thread found for some nodes.
#[derive(Default)]
struct Found {
    heads: Vec<u32>,
    links: Vec<u32>,
    /// Joined nodes with a candidate for each.
    offers: Vec<(u32, Candidate)>,
}

impl<'a, E: Number> Joined<'a, E> {
    /// All nodes with what is left of their links.
    pub(super) fn new(
        sketch: &'a Sketch<E>,
        origin: &Origin,
        parts: &[Part<'_>],
        (degree, rounds): (usize, usize),
        crew: &Crew<'_>,
    ) -> Result<Self, BuildError> {
        let count = sketch.len();
        // A node that will choose later takes what it is offered without a choice as long as there is room.
        let stride = if rounds > 2 || (rounds > 1 && origin.has_lost()) { 2 * degree } else { degree };
        let mut joined = Self {
            sketch,
            choice: Choice { degree, alpha: ALPHA, fill: degree * 3 / 4 },
            links: vec![EMPTY; count * stride],
            stride,
            is_open: vec![false; count],
            width: degree.max(WIDTH_MIN),
            is_in: vec![false; count],
            heads: vec![EMPTY; count * HEADS],
            depth: vec![u32::MAX; count],
            done: 0,
            told: 0,
        };
        let mut links = std::mem::take(&mut joined.links);
        let mut is_open = std::mem::take(&mut joined.is_open);
        let spans = links.chunks_mut(SPAN * stride).zip(is_open.chunks_mut(SPAN)).enumerate().collect();
        type Span<'b> = (usize, (&'b mut [u32], &'b mut [bool]));
        crew.map(spans, |(work, old): &mut (Work, Vec<u32>), (span, (links, is_open)): Span<'_>| {
            for (i, (links, is_open)) in links.chunks_mut(stride).zip(is_open).enumerate() {
                let node = (span * SPAN + i) as u32;
                origin.links(parts, node, old);
                if old.len() > stride {
                    work.found.clear();
                    joined.ground(&[]).add(node, old, work);
                    joined.choose(work);
                    old.clear();
                    old.extend(work.kept.iter().map(|kept| kept.node()));
                }
                *is_open = old.len() > degree;
                links[..old.len()].copy_from_slice(old);
            }
        })?;
        joined.is_open = is_open;
        joined.links = links;
        Ok(joined)
    }

    /// The links of all nodes.
    pub(super) fn into_links(self) -> Vec<u32> {
        let (stride, degree) = (self.stride, self.choice.degree);
        if stride == degree {
            return self.links;
        }
        self.links.chunks(stride).flat_map(|links| links[..degree].iter().copied()).collect()
    }

    fn ground<'b>(&'b self, links: &'b [u32]) -> Ground<'b, E> {
        Ground { sketch: self.sketch, links, degree: self.stride }
    }

    /// Leaves in `work.kept` the neighbours among what was found.
    fn choose(&self, work: &mut Work) {
        let Work { found, kept, pruner, .. } = work;
        if found.len() > self.choice.degree {
            pruner.select(self.sketch, found, self.choice, kept);
        } else {
            kept.clone_from(found);
        }
    }

    /// Joins more nodes, which have links to each other at most. After the last ones no node has too many links.
    pub(super) fn add(&mut self, members: &[u32], is_last: bool, crew: &Crew<'_>) -> Result<(), BuildError> {
        if self.done > 0 {
            let mut depth = std::mem::take(&mut self.depth);
            let tour = Tour::new(members, &mut depth, |node| self.ground(&self.links).neighbours(node));
            self.depth = depth;
            let start = self.start();
            let mut offers = Vec::new();
            for (number, layer) in tour.layers.iter().enumerate() {
                self.search(layer, number as u32, &start, &mut offers, crew)?;
            }
            self.take(offers, is_last, crew)?;
        }
        members.iter().for_each(|node| self.is_in[*node as usize] = true);
        self.done += members.len();
        self.told = self.done;
        crew.tell(self.done as f64 / self.sketch.len() as f64);
        Ok(())
    }

    /// Joined nodes from all over.
    fn start(&self) -> Vec<u32> {
        let joined = (0..self.sketch.len() as u32).filter(|node| self.is_in[*node as usize]);
        joined.step_by(self.done.div_ceil(SAMPLE)).collect()
    }

    /// Lets every node of a layer find neighbours among the joined ones.
    fn search(
        &mut self,
        layer: &[(u32, u32)],
        number: u32,
        start: &[u32],
        offers: &mut Vec<(u32, Candidate)>,
        crew: &Crew<'_>,
    ) -> Result<(), BuildError> {
        let (stride, degree) = (self.stride, self.choice.degree);
        for batch in layer.chunks(SPAN * 16 * crew.threads()) {
            let found = crew.map(batch.chunks(SPAN).collect(), |work: &mut Work, nodes: &[(u32, u32)]| {
                let mut found = Found::default();
                nodes.iter().for_each(|(node, guide)| self.find(*node, *guide, number, start, work, &mut found));
                found
            })?;
            for (nodes, found) in batch.chunks(SPAN).zip(found) {
                for (i, (node, _)) in nodes.iter().enumerate() {
                    let node = *node as usize;
                    self.heads[node * HEADS..][..HEADS].copy_from_slice(&found.heads[i * HEADS..][..HEADS]);
                    let (chosen, rest) = self.links[node * stride..][..stride].split_at_mut(degree);
                    chosen.copy_from_slice(&found.links[i * degree..][..degree]);
                    rest.fill(EMPTY);
                    self.is_open[node] = false;
                }
                offers.extend(found.offers);
            }
            self.told += batch.len();
            crew.tell(self.told as f64 / self.sketch.len() as f64);
        }
        Ok(())
    }

    /// Finds a node's neighbours.
    fn find(&self, node: u32, guide: u32, layer: u32, start: &[u32], work: &mut Work, out: &mut Found) {
        let ground = self.ground(&self.links);
        if guide == EMPTY {
            ground.nearest(node, start, HEADS, work);
            let seeds: Vec<u32> = work.found.iter().map(|found| found.node()).collect();
            ground.walk(node, seeds.into_iter(), self.width, work);
        } else {
            let is_before = |other: &u32| self.depth[*other as usize] < layer;
            let guides = ground.neighbours(node).iter().copied().filter(is_before).take(GUIDES).chain([guide]);
            let heads = guides.flat_map(|guide| used(&self.heads[guide as usize * HEADS..][..HEADS]));
            ground.walk(node, heads.copied(), self.width, work);
        }
        let heads = work.found.iter().map(|found| found.node()).chain(std::iter::repeat(EMPTY));
        out.heads.extend(heads.take(HEADS));
        ground.add(node, ground.neighbours(node), work);
        self.choose(work);
        let links = work.kept.iter().map(|kept| kept.node()).chain(std::iter::repeat(EMPTY));
        out.links.extend(links.take(self.choice.degree));
        let joined = work.kept.iter().filter(|kept| self.is_in[kept.node() as usize]);
        out.offers.extend(joined.map(|kept| (kept.node(), Candidate::new(kept.key(), node))));
    }

    /// Gives joined nodes what was offered to them.
    fn take(&mut self, mut offers: Vec<(u32, Candidate)>, is_last: bool, crew: &Crew<'_>) -> Result<(), BuildError> {
        offers.sort_unstable();
        let (stride, degree) = (self.stride, self.choice.degree);
        let mut links = std::mem::take(&mut self.links);
        let mut is_open = std::mem::take(&mut self.is_open);
        let spans = links.chunks_mut(SPAN * stride).zip(is_open.chunks_mut(SPAN)).enumerate().collect();
        crew.map(spans, |work: &mut Work, (span, (links, is_open)): (usize, (&mut [u32], &mut [bool]))| {
            let mut offers = &offers[offers.partition_point(|(node, _)| (*node as usize) < span * SPAN)..];
            for (i, (links, is_open)) in links.chunks_mut(stride).zip(is_open).enumerate() {
                let node = (span * SPAN + i) as u32;
                let own = offers.partition_point(|(other, _)| *other == node);
                let (own, rest) = offers.split_at(own);
                offers = rest;
                let end = used(links).len();
                *is_open |= !own.is_empty();
                if !is_last && end + own.len() <= stride {
                    links[end..].iter_mut().zip(own).for_each(|(link, (_, offer))| *link = offer.node());
                } else if *is_open {
                    work.found.clear();
                    self.ground(&[]).add(node, &links[..end], work);
                    work.found.extend(own.iter().take(LOOK * degree).map(|(_, offer)| *offer));
                    work.found.sort_unstable();
                    self.choose(work);
                    *is_open = false;
                    links.fill(EMPTY);
                    links.iter_mut().zip(&work.kept).for_each(|(link, kept)| *link = kept.node());
                }
            }
        })?;
        (self.links, self.is_open) = (links, is_open);
        Ok(())
    }
}
