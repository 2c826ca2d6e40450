//! Which part each node comes from, and what of its links is left.

use std::cmp::Reverse;

use super::Part;
use crate::graph::build::points::Points;
use crate::graph::build::twins::Twins;
use crate::graph::links::EMPTY;

/// A part of whose nodes fewer than this share are left counts as rows without links.
const LEFT_MIN: f64 = 0.5;
/// Rows without links are no more than this share of all, else nothing is merged.
const LOOSE_MAX: f64 = 0.25;
/// Rows without links are inserted in rounds of this share of those that are in the graph at most: those of one round
/// do not find each other.
const ROUND: usize = 16;
/// Neighbours of a dropped node that stand in for it: the nearest.
const HEIRS: usize = 8;
/// Nodes of a clump, which are near each other, at most.
const CLUMP: usize = 512;

/// Where nodes come from.
#[derive(Debug)]
pub(super) struct Origin {
    /// For each part the node of each of its rows; `EMPTY` where it was dropped. Equal rows are one node.
    nodes: Vec<Vec<u32>>,
    /// Part of each node, and its row there; `EMPTY` where it has no links to bring along.
    of: Vec<(u32, u32)>,
    /// Nodes of each part.
    counts: Vec<usize>,
}

impl Origin {
    /// `None` when two rows of the parts are one row of the whole, or a row is outside.
    pub(super) fn new(points: Points<'_>, twins: &Twins, parts: &[Part<'_>]) -> Option<Self> {
        let mut node_of = vec![EMPTY; points.space.len()];
        for (node, row) in points.rows.iter().enumerate() {
            node_of[*row as usize] = node as u32;
        }
        for group in &twins.groups {
            let node = node_of[group[0] as usize];
            group.iter().for_each(|row| node_of[*row as usize] = node);
        }
        let mut taken = vec![false; node_of.len()];
        let mut of = vec![(EMPTY, 0); points.len()];
        let (mut nodes, mut counts) = (Vec::new(), vec![0; parts.len()]);
        for (number, part) in parts.iter().enumerate() {
            let len = part.graph.ground().len() as u32;
            let mut own = vec![EMPTY; len as usize];
            let (mut left, mut present) = (0, 0);
            for row in 0..len {
                present += usize::from(!part.graph.ground().neighbours(row).is_empty());
                let Some(place) = (part.row)(row) else { continue };
                if std::mem::replace(taken.get_mut(place as usize)?, true) {
                    return None;
                }
                own[row as usize] = node_of[place as usize];
                left += usize::from(own[row as usize] != EMPTY);
            }
            if (left as f64) >= LEFT_MIN * present as f64 {
                for (row, node) in own.iter().enumerate().filter(|(_, node)| **node != EMPTY) {
                    // Of equal rows the first stands for all, with the links of one in the part that it is from.
                    if of[*node as usize].0 == EMPTY {
                        of[*node as usize] = (number as u32, row as u32);
                        counts[number] += 1;
                    }
                }
            }
            nodes.push(own);
        }
        Some(Self { nodes, of, counts })
    }

    /// Whether rows of the parts were dropped.
    pub(super) fn has_lost(&self) -> bool {
        self.nodes.iter().any(|nodes| nodes.contains(&EMPTY))
    }

    /// The nodes in clumps of such as links lead to from one, within a part.
    pub(super) fn clumps(&self, parts: &[Part<'_>]) -> Vec<Vec<u32>> {
        let mut taken = vec![false; self.of.len()];
        let (mut clumps, mut links) = (Vec::new(), Vec::new());
        for first in 0..self.of.len() {
            if std::mem::replace(&mut taken[first], true) {
                continue;
            }
            let mut clump = vec![first as u32];
            let mut next = 0;
            while let Some(node) = clump.get(next).copied().filter(|_| clump.len() < CLUMP) {
                next += 1;
                self.links(parts, node, &mut links);
                clump.extend(links.iter().filter(|node| !std::mem::replace(&mut taken[**node as usize], true)));
            }
            clumps.push(clump);
        }
        clumps
    }

    /// The nodes in the rounds in which they become one graph; the links of those of the first round are the graph that
    /// it begins with. `None` when they should not be.
    pub(super) fn rounds(&self) -> Option<Vec<Vec<u32>>> {
        let mut order: Vec<usize> = (0..self.counts.len()).filter(|part| self.counts[*part] > 0).collect();
        order.sort_by_key(|part| (Reverse(self.counts[*part]), *part));
        let mut places = vec![usize::MAX; self.counts.len()];
        order.iter().enumerate().for_each(|(place, part)| places[*part] = place);
        let mut rounds = vec![Vec::new(); order.len()];
        let mut loose = Vec::new();
        for (node, (part, _)) in self.of.iter().enumerate() {
            match places.get(*part as usize) {
                Some(place) => rounds[*place].push(node as u32),
                None => loose.push(node as u32),
            }
        }
        if rounds.is_empty() || loose.len() as f64 > LOOSE_MAX * self.of.len() as f64 {
            return None;
        }
        let mut there = self.of.len() - loose.len();
        let mut rest = &loose[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(there.div_ceil(ROUND)));
            rounds.push(now.to_vec());
            there += now.len();
            rest = later;
        }
        Some(rounds)
    }

    /// Writes to `links` whom a node was linked to in its part, nearest first as a rule; in the place of a dropped node
    /// come those nearest to it, at the end.
    pub(super) fn links(&self, parts: &[Part<'_>], node: u32, links: &mut Vec<u32>) {
        links.clear();
        let (part, row) = self.of[node as usize];
        let Some(nodes) = self.nodes.get(part as usize) else { return };
        let ground = parts[part as usize].graph.ground();
        let mut add = |other: u32| {
            let other = nodes[other as usize];
            // A node that stands for equal ones may be of another part.
            if other != EMPTY && other != node && self.of[other as usize].0 == part && !links.contains(&other) {
                links.push(other);
            }
        };
        let neighbours = ground.neighbours(row);
        neighbours.iter().for_each(|next| add(*next));
        for lost in neighbours.iter().filter(|next| nodes[**next as usize] == EMPTY) {
            ground.neighbours(*lost).iter().take(HEIRS).for_each(|heir| add(*heir));
        }
    }
}
