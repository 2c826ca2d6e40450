//! How many nodes pass a filter where a walk begins.

use elanus_kernels::scan::Keep;

use crate::graph::links::{Level, Same};

/// Neighbours of the first node whose own neighbours are counted.
const NEIGHBOURS: usize = 8;

/// A count of nodes, some perhaps more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) passing: usize,
    /// At least 1.
    pub(super) seen: usize,
}

/// Counts a node, its neighbours and those of some of them; no code is read.
pub(super) fn passing(level: Level<'_, Same>, start: u32, keep: Keep<'_>) -> Local {
    let mut local = Local { passing: usize::from(keep.has(start as usize)), seen: 1 };
    let first = level.neighbours(start);
    first.iter().take(NEIGHBOURS).for_each(|node| level.prefetch(*node));
    for nodes in std::iter::once(first).chain(first.iter().take(NEIGHBOURS).map(|node| level.neighbours(*node))) {
        local.seen += nodes.len();
        local.passing += nodes.iter().filter(|node| keep.has(**node as usize)).count();
    }
    local
}
