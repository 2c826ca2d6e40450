//! What removed rows leave behind: nodes that were linked to them get links to those near them instead.
//!
//! The replacement is that of IP-DiskANN (arXiv 2502.13826, section 4): each node that was linked to a removed one
//! gets a few links to the nearest of that one's neighbours. There the nodes linked to it are guessed by a search for
//! each removal; here all links are read through once for many removals, so that none is missed.

use std::sync::Arc;

use super::entries::Entries;
use super::flags::Flag;
use super::insert::{Work, Works, degree, search};
use super::links::Links;
use super::space::Space;
use super::view::{Grown, View};
use crate::graph::Candidate;
use crate::tier::Keys;
use crate::{BuildCx, BuildError, par};

/// Links that a node gets at most in place of each one that it loses.
const REPLACEMENTS: usize = 3;
/// Removed nodes passed through for the neighbours of one.
const LOOK: usize = 32;
/// Nodes patched by a thread at a time.
const GROUP: usize = 64;
/// Nodes looked at between two looks at the flag of cancellation.
const STRIDE: usize = 4096;
/// Width of the walk that finds a node from which a lost one can be linked.
const WIDTH: usize = 64;
/// A link that had to be replaced may have been the only one to its node; so the whole is done again, this often.
const ROUNDS: usize = 4;

/// A node with its links as they shall be.
struct Patch {
    node: u32,
    links: Vec<u32>,
}

/// Frees all nodes from links to removed ones. Returns the graph as it then is.
pub(super) fn mend(view: &View, space: &Space<'_>, works: &Works, cx: &BuildCx<'_>) -> Result<Grown, BuildError> {
    let graph = &view.graph;
    let is_live = |id: u32| view.flags.is_live(Flag::Coded, id);
    // What is removed from here on stays for the next time: it must not be half of the picture.
    let live: Vec<u32> = view.flags.coded(graph.nodes as usize).collect();
    let mut patches = Vec::new();
    for nodes in live.chunks(STRIDE) {
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let torn = nodes.iter().filter(|node| graph.links.of(**node).any(|to| !is_live(to)));
        patches.extend(torn.map(|node| Patch { node: *node, links: Vec::new() }));
    }
    par::parts(cx, &mut patches, GROUP, |_, part| {
        works.with(|work| {
            for patch in part {
                self::patch(space, &graph.links, patch, work);
            }
            Ok(())
        })
    })?;
    for Patch { node, links } in &patches {
        graph.links.write(*node, links);
    }
    let entries = Entries::choose(space, &live, cx.seed);
    Ok(Grown { entries, ..Grown::clone(graph) })
}

fn patch(space: &Space<'_>, links: &Links, patch: &mut Patch, work: &mut Work) {
    let is_live = |id: u32| space.view.flags.is_live(Flag::Coded, id);
    let node = patch.node;
    let (kept, lost): (Vec<u32>, Vec<u32>) = links.of(node).partition(|to| is_live(*to));
    patch.links = kept;
    work.vector.clear();
    space.push(node, &mut work.vector);
    let keys = space.bind(&work.vector).ok().flatten();
    let (mut seen, mut near) = (Vec::new(), Vec::new());
    for lost in lost {
        around(links, lost, is_live, &mut seen, &mut near);
        near.retain(|id| *id != node && !patch.links.contains(id));
        near.sort_unstable();
        near.dedup();
        let mut found = vec![0.0; near.len()];
        if let Some(keys) = &keys {
            keys.keys(&near, &mut found);
        }
        let mut order: Vec<Candidate> = near.iter().zip(&found).map(|(id, key)| Candidate::new(*key, *id)).collect();
        order.sort_unstable();
        patch.links.extend(order.iter().take(REPLACEMENTS).map(|candidate| candidate.node()));
    }
    if patch.links.len() > links.cap() {
        work.pruner.select(space, node, &mut patch.links, degree(links.cap()));
    }
}

/// Leaves in `near` the live nodes around a removed one: its neighbours, and in place of those that are removed
/// theirs.
fn around(links: &Links, lost: u32, is_live: impl Fn(u32) -> bool, seen: &mut Vec<u32>, near: &mut Vec<u32>) {
    seen.clear();
    near.clear();
    seen.push(lost);
    let mut at = 0;
    // Further removed nodes only while the nearer ones have led to hardly any that are not.
    while let Some(node) = seen.get(at).copied().filter(|_| near.len() < REPLACEMENTS || at == 0) {
        at += 1;
        for to in links.of(node) {
            if is_live(to) {
                near.push(to);
            } else if seen.len() < LOOK && !seen.contains(&to) {
                seen.push(to);
            }
        }
    }
}

/// Which nodes a walk can come to.
struct Reach<'a> {
    links: &'a Links,
    reached: Vec<bool>,
    queue: Vec<u32>,
}

impl Reach<'_> {
    fn flood(&mut self, from: &[u32]) {
        for node in from {
            self.reached[*node as usize] = true;
        }
        self.queue.extend(from);
        while let Some(node) = self.queue.pop() {
            for next in self.links.of(node) {
                let is_new =
                    self.reached.get_mut(next as usize).is_some_and(|reached| !std::mem::replace(reached, true));
                if is_new {
                    self.queue.push(next);
                }
            }
        }
    }
}

/// Makes every node reachable: one that is not gets a link from a node near to it that is.
pub(super) fn reach_all(view: &View, space: &Space<'_>, works: &Works, cx: &BuildCx<'_>) -> Result<(), BuildError> {
    let graph: &Arc<Grown> = &view.graph;
    for _ in 0..ROUNDS {
        let reached = vec![false; graph.nodes as usize];
        let mut reach = Reach { links: &graph.links, reached, queue: Vec::new() };
        reach.flood(graph.entries.ids());
        let mut has_replaced = false;
        for (i, node) in view.flags.coded(graph.nodes as usize).enumerate() {
            if i.is_multiple_of(STRIDE) && cx.cancel.is_cancelled() {
                return Err(BuildError::Cancelled);
            }
            if reach.reached[node as usize] {
                continue;
            }
            let from = works.with(|work| near_to(space, node, &reach, work, cx))?;
            if let Some(from) = from {
                has_replaced |= attach(&graph.links, from, node);
            }
            reach.flood(&[node]);
        }
        if !has_replaced {
            break;
        }
    }
    Ok(())
}

/// The node nearest to a lost one of those that a walk comes to, with room for a link if there is such a one.
fn near_to(
    space: &Space<'_>,
    lost: u32,
    reach: &Reach<'_>,
    work: &mut Work,
    cx: &BuildCx<'_>,
) -> Result<Option<u32>, BuildError> {
    let mut vector = std::mem::take(&mut work.vector);
    vector.clear();
    space.push(lost, &mut vector);
    let result = search(space, &vector, WIDTH, false, work, cx);
    work.vector = vector;
    result?;
    let found = || work.scratch.found.iter().map(|found| found.node()).filter(|id| reach.reached[*id as usize]);
    let roomy = found().find(|id| reach.links.of(*id).count() < reach.links.cap());
    Ok(roomy.or_else(|| found().next()).or_else(|| space.view.graph.entries.ids().first().copied()))
}

/// Links `from` to `to`, in the place of its last link if there is no room; says whether there was none.
fn attach(links: &Links, from: u32, to: u32) -> bool {
    let mut row: Vec<u32> = links.of(from).collect();
    let is_full = row.len() == links.cap();
    if is_full {
        row.pop();
    }
    row.push(to);
    links.write(from, &row);
    is_full
}
