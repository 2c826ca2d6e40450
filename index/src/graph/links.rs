//! Who is linked to whom: one array of fixed-size rows of neighbours for each level.
//!
//! A row of links holds node numbers, then [`EMPTY`] to its end. On the lowest level a node is a row id. An upper
//! level numbers its own nodes in ascending order of their row ids, so that it needs no space for rows that do not
//! stand on it.

use elanus_kernels::{Kernel, Rows};

use crate::array::Array;

/// No node: fills the unused end of a row of links.
pub(crate) const EMPTY: u32 = u32::MAX;

/// An upper level.
#[derive(Debug)]
pub(crate) struct Upper {
    /// Row ids, ascending; the position in this list is the node.
    pub(crate) ids: Array<u32>,
    /// Links between nodes of this level, `m` to a row.
    pub(crate) links: Array<u32>,
}

/// The graph: links of every level and what a search needs to begin.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Links that a node has on an upper level at most; twice as many on the lowest.
    pub(crate) m: usize,
    /// Links of the lowest level, `2 * m` to a row, one row for each row id.
    pub(crate) base: Array<u32>,
    /// Upper levels from level 1 on; each is part of the one before it and none is without nodes.
    pub(crate) upper: Vec<Upper>,
    /// The row at which every search begins: it stands on every level.
    pub(crate) entry: u32,
}

impl Graph {
    /// The same graph with its links where walks read them fastest.
    pub(crate) fn for_walks(mut self) -> Self {
        self.base = self.base.for_random_reads();
        self
    }

    /// The lowest level.
    pub(crate) fn ground(&self) -> Level<'_, Same> {
        Level::new(self.base.as_slice(), 2 * self.m, Same)
    }

    /// The upper level in position `i`, which is level `i + 1`.
    pub(crate) fn upper(&self, i: usize) -> Level<'_, Listed<'_>> {
        let level = &self.upper[i];
        Level::new(level.links.as_slice(), self.m, Listed(level.ids.as_slice()))
    }
}

/// How a level numbers its nodes.
pub(crate) trait Numbering: Copy {
    /// The row id of a node.
    fn row(self, node: u32) -> u32;
    /// The node of a row that stands on the level.
    fn node(self, row: u32) -> Option<u32>;
    /// The row ids of nodes, in their order; `buffer` is for those that are not the nodes themselves.
    fn rows<'a>(self, nodes: &'a [u32], buffer: &'a mut Vec<u32>) -> &'a [u32];
}

/// Nodes are row ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Same;

impl Numbering for Same {
    #[inline(always)]
    fn row(self, node: u32) -> u32 {
        node
    }

    fn node(self, row: u32) -> Option<u32> {
        Some(row)
    }

    #[inline(always)]
    fn rows<'a>(self, nodes: &'a [u32], _buffer: &'a mut Vec<u32>) -> &'a [u32] {
        nodes
    }
}

/// Nodes are positions in an ascending list of row ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed<'a>(pub(crate) &'a [u32]);

impl Numbering for Listed<'_> {
    fn row(self, node: u32) -> u32 {
        self.0[node as usize]
    }

    fn node(self, row: u32) -> Option<u32> {
        self.0.binary_search(&row).ok().map(|position| position as u32)
    }

    fn rows<'a>(self, nodes: &'a [u32], buffer: &'a mut Vec<u32>) -> &'a [u32] {
        buffer.clear();
        buffer.extend(nodes.iter().map(|node| self.row(*node)));
        buffer
    }
}

/// The links of one level, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level<'a, N> {
    links: &'a [u32],
    stride: usize,
    /// The same links dressed as vectors, by which the kernels' prefetch can be asked for them.
    dressed: Option<(Rows<'a, f32>, Kernel<f32>)>,
    pub(crate) numbering: N,
}

impl<'a, N: Numbering> Level<'a, N> {
    pub(crate) fn new(links: &'a [u32], stride: usize, numbering: N) -> Self {
        let rows = Rows::new(bytemuck::cast_slice(links), stride).ok();
        let kernel = Kernel::new(elanus_kernels::Metric::L2).ok();
        Self { links, stride, dressed: rows.zip(kernel), numbering }
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.links.len() / self.stride
    }

    /// The row of links of a node, its unused end included.
    #[inline(always)]
    pub(crate) fn row(&self, node: u32) -> &'a [u32] {
        &self.links[node as usize * self.stride..][..self.stride]
    }

    /// The neighbours of a node.
    pub(crate) fn neighbours(&self, node: u32) -> &'a [u32] {
        used(self.row(node))
    }

    /// A hint that the links of a node are wanted soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self, node: u32) {
        if let Some((rows, kernel)) = &self.dressed {
            kernel.prefetch(*rows, node);
        }
    }
}

/// The part of a row of links that is in use.
pub(crate) fn used(row: &[u32]) -> &[u32] {
    &row[..row.iter().position(|node| *node == EMPTY).unwrap_or(row.len())]
}

#[cfg(test)]
mod tests;
