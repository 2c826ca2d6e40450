//! What one search thread reuses from search to search: visited marks, queues and buffers.

use std::collections::BinaryHeap;

use crate::graph::{Candidate, Heaps, Sorted};
use crate::ivf::ListScratch;

/// Memory of one search thread. It grows to what the largest search needed and is never shared between threads.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) visited: Visited,
    pub(crate) sorted: Sorted,
    pub(crate) heaps: Heaps,
    /// Best candidates whatever the filter, for the end of a range search.
    pub(crate) nearest: Heaps,
    /// Candidates of a filtered walk that wait to be expanded.
    pub(crate) waiting: BinaryHeap<std::cmp::Reverse<Candidate>>,
    /// Words of a filter, and rows that pass it at which a walk begins.
    pub(crate) words: Vec<u64>,
    pub(crate) seeds: Vec<u32>,
    /// Neighbours that do not pass a filter.
    pub(crate) through: Vec<u32>,
    /// Nodes whose keys are wanted, their row ids where those are others, and the keys.
    pub(crate) nodes: Vec<u32>,
    pub(crate) ids: Vec<u32>,
    pub(crate) keys: Vec<f32>,
    /// What a walk found.
    pub(crate) found: Vec<Candidate>,
    /// What a search of lists needs.
    pub(crate) lists: ListScratch,
}

impl Scratch {
    /// Holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Which nodes a walk has met. A mark is the number of the walk that made it, so that a new walk need not clear the
/// marks of the last one.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    marks: Vec<u16>,
    walk: u16,
}

impl Visited {
    /// Begins a walk over `len` nodes, none of which is marked.
    pub(crate) fn start(&mut self, len: usize) {
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
        self.walk = self.walk.wrapping_add(1);
        if self.walk == 0 {
            self.marks.fill(0);
            self.walk = 1;
        }
    }

    /// Marks a node and says whether this walk had not met it.
    #[inline(always)]
    pub(crate) fn insert(&mut self, node: u32) -> bool {
        let mark = &mut self.marks[node as usize];
        let is_first = *mark != self.walk;
        *mark = self.walk;
        is_first
    }

    /// Whether this walk has not met a node.
    #[inline(always)]
    pub(crate) fn is_new(&self, node: u32) -> bool {
        self.marks[node as usize] != self.walk
    }
}

#[cfg(test)]
mod tests;
