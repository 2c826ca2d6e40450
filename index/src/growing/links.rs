//! Links that are replaced while others follow them.
//!
//! A link is one atomic number, and any row id of the index is a valid one. A reader that meets a row of links while
//! it is replaced sees some old and some new ones, all of which lead to rows near by; it never waits, and the writer
//! does not either. Rows that a reader's own state does not have yet are passed over by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::graph::links::EMPTY;

/// Rows of links in a block.
const BLOCK: usize = 1024;

/// The links of all nodes, in blocks that readers share with the writer.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// Links of a node at most.
    cap: usize,
    blocks: Arc<Vec<Arc<[AtomicU32]>>>,
}

impl Links {
    /// For nodes with at most `cap` links.
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, blocks: Arc::default() }
    }

    /// Links of a node at most.
    pub(super) fn cap(&self) -> usize {
        self.cap
    }

    /// Makes room for `nodes` nodes, at first without links.
    pub(super) fn grow(&mut self, nodes: usize) {
        while self.blocks.len() * BLOCK < nodes {
            let block = (0..BLOCK * self.cap).map(|_| AtomicU32::new(EMPTY)).collect();
            Arc::make_mut(&mut self.blocks).push(block);
        }
    }

    fn row(&self, node: u32) -> &[AtomicU32] {
        let at = node as usize % BLOCK * self.cap;
        self.blocks.get(node as usize / BLOCK).map_or(&[], |block| &block[at..at + self.cap])
    }

    /// The nodes that a node is linked to.
    #[inline]
    pub(super) fn of(&self, node: u32) -> impl Iterator<Item = u32> {
        self.row(node).iter().map(|link| link.load(Ordering::Relaxed)).take_while(|link| *link != EMPTY)
    }

    /// Has the links of a node loaded before they are needed: the values are not waited for.
    #[inline]
    pub(super) fn touch(&self, node: u32) {
        for line in self.row(node).chunks(16) {
            std::hint::black_box(line[0].load(Ordering::Relaxed));
        }
    }

    /// Replaces the links of a node, of which there is room for [`Links::cap`].
    pub(super) fn write(&self, node: u32, links: &[u32]) {
        let links = links.iter().copied().chain(std::iter::repeat(EMPTY));
        for (slot, link) in self.row(node).iter().zip(links) {
            slot.store(link, Ordering::Relaxed);
        }
    }

    /// Bytes of the links.
    pub(super) fn size_bytes(&self) -> usize {
        self.blocks.len() * BLOCK * self.cap * 4
    }
}
