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

/// Vectors brought together, or the way to them.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    values: Vec<f32>,
    buffer: Vec<f32>,
    /// Where each vector that was asked for is in the rows that [`Points::pick`] returns.
    pub(crate) places: Vec<u32>,
}

impl<'a> Points<'a> {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The vectors of nodes: at [`Picked::places`] in the returned rows, one place for each node. They are copied only
    /// where they do not lie in memory as they are wanted.
    pub(crate) fn pick<'b>(
        &'b self,
        nodes: impl Iterator<Item = u32>,
        picked: &'b mut Picked,
    ) -> (Rows<'b, f32>, &'b [u32]) {
        let Picked { values, buffer, places } = picked;
        places.clear();
        if let Some(rows) = self.space.plain() {
            places.extend(nodes.map(|node| self.rows[node as usize]));
            return (rows, places);
        }
        values.clear();
        for (place, node) in nodes.enumerate() {
            values.extend_from_slice(self.space.vector(self.rows[node as usize], buffer));
            places.push(place as u32);
        }
        (dense(values, self.space.dim()), places)
    }

    /// Copies the vectors of nodes one after another.
    pub(crate) fn gather<'b>(&self, nodes: &[u32], picked: &'b mut Picked) -> Rows<'b, f32> {
        let Picked { values, buffer, .. } = picked;
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
