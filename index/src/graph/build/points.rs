//! The nodes of one level with their vectors. A node is a position in the ascending list of the level's rows.

use elanus_kernels::Rows;

use crate::graph::space::Space;

/// Rows of a space that make one level.
#[derive(Clone, Copy)]
pub(crate) struct Points<'a> {
    pub(crate) space: &'a dyn Space,
    /// Row ids, ascending.
    pub(crate) rows: &'a [u32],
}

/// Vectors brought together.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    values: Vec<f32>,
    buffer: Vec<f32>,
}

impl Points<'_> {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Copies the vectors of nodes one after another.
    pub(crate) fn gather<'b>(&self, nodes: &[u32], picked: &'b mut Picked) -> Rows<'b, f32> {
        let Picked { values, buffer } = picked;
        values.clear();
        for node in nodes {
            values.extend_from_slice(self.space.vector(self.rows[*node as usize], buffer));
        }
        dense(values, self.space.dim())
    }

    /// The same with the last component zero.
    pub(crate) fn gather_without_last(&self, nodes: &[u32], picked: &mut Picked) {
        self.gather(nodes, picked);
        picked.values.chunks_mut(self.space.dim()).for_each(|vector| vector[self.space.dim() - 1] = 0.0);
    }
}

impl Picked {
    /// The vectors that [`Points::gather`] copied last.
    pub(crate) fn rows(&self, points: Points<'_>) -> Rows<'_, f32> {
        dense(&self.values, points.space.dim())
    }
}

/// Values written vector by vector.
fn dense(values: &[f32], dim: usize) -> Rows<'_, f32> {
    Rows::new(values, dim).expect("whole vectors of a dimension that is not zero")
}
