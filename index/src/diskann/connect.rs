//! The graph of a disk index: who is linked to whom, and in which order nodes lie in the file.

use elanus_kernels::{AnyRows, Bitmap, BitmapView, Kernel, KernelError, Metric, Number, Rows};

use super::layout::EMPTY;
use crate::check;
use crate::graph::Shape;
use crate::graph::build::build;
use crate::graph::links::Graph;
use crate::graph::space::Shaped;
use crate::{BuildCx, BuildError};

/// Which rows are nodes, and their links.
pub(super) struct Connected {
    pub(super) usable: Bitmap,
    graph: Option<Graph>,
    /// Links of a node at most.
    degree: usize,
}

/// Links the rows that are there and finite.
pub(super) fn connect(
    metric: Metric,
    rows: AnyRows<'_>,
    present: Option<BitmapView<'_>>,
    (degree, list): (usize, usize),
    cx: &BuildCx<'_>,
) -> Result<Connected, BuildError> {
    let element = rows.element();
    let usable = match rows {
        AnyRows::F32(rows) => usable(metric, rows, present)?,
        AnyRows::F16(rows) => usable(metric, rows, present)?,
        AnyRows::Bf16(rows) => usable(metric, rows, present)?,
        AnyRows::I8(_) | AnyRows::U8(_) | AnyRows::U4(_) | AnyRows::Binary(_) => {
            return Err(KernelError::Unsupported { metric, element }.into());
        }
    };
    let nodes: Vec<u32> = usable.iter_ones().map(|row| row as u32).collect();
    // The builder gives twice `m` links to a node.
    let shape = Shape { m: degree.div_ceil(2).max(2), ef_construction: list };
    let graph = build(shape, &Shaped::new(metric, rows, nodes.iter().copied()), &nodes, cx)?;
    Ok(Connected { usable, graph, degree })
}

/// Rows that have a place among neighbours: keys of a row that is not finite are NaN or infinite.
fn usable<E: Number>(
    metric: Metric,
    rows: Rows<'_, E>,
    present: Option<BitmapView<'_>>,
) -> Result<Bitmap, KernelError> {
    let kernel = Kernel::<E>::new(metric)?;
    let is_short = |row: &[E]| metric != Metric::Cosine || kernel.norm(row).is_finite();
    Ok(Bitmap::from_fn(rows.len(), |i| {
        present.is_none_or(|bits| bits.get(i)) && check::all_finite(rows.row(i)) && is_short(rows.row(i))
    }))
}

impl Connected {
    /// The rows that a row is linked to.
    pub(super) fn links(&self, row: u32) -> &[u32] {
        let links = self.graph.as_ref().map_or(&[][..], |graph| graph.ground().neighbours(row));
        &links[..links.len().min(self.degree)]
    }

    /// The rows of all nodes in the order of the file. By nearness, that is the order in which a walk to all sides
    /// from the graph's entry comes to them; else their own.
    pub(super) fn order(&self, by_nearness: bool) -> Vec<u32> {
        let mut order: Vec<u32> = Vec::with_capacity(self.usable.count_ones());
        let mut met = Bitmap::new(self.usable.len());
        if let Some(graph) = self.graph.as_ref().filter(|_| by_nearness) {
            met.set(graph.entry as usize, true);
            order.push(graph.entry);
            let mut next = 0;
            while let Some(row) = order.get(next).copied() {
                next += 1;
                for link in self.links(row) {
                    if !met.get(*link as usize) {
                        met.set(*link as usize, true);
                        order.push(*link);
                    }
                }
            }
        }
        order.extend(self.usable.iter_ones().filter(|row| !met.get(*row)).map(|row| row as u32));
        order
    }

    /// The row at which walks begin.
    pub(super) fn entry(&self) -> u32 {
        self.graph.as_ref().map_or(EMPTY, |graph| graph.entry)
    }
}
