//! Which of a node's candidates become its neighbours.

use elanus_kernels::Element;

use super::levels::mix;
use super::scorer::Scorer;

/// A row and its key from the node whose candidate it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Edge {
    pub(crate) key: f32,
    pub(crate) row: u32,
}

/// Kept rows compared with a candidate at a time: the first few refuse most candidates.
const STEP: usize = 4;

/// Buffers of [`select`].
#[derive(Debug, Default)]
pub(crate) struct Pruner {
    rows: Vec<u32>,
    keys: [f32; STEP],
}

impl Pruner {
    /// Leaves in `edges` at most `cap` of them by the heuristic of the HNSW paper, algorithm 4: the nearest first, and
    /// each further one only if it is nearer to the node than to any that was kept. So a node's links lead in
    /// different directions and not all into one cluster.
    ///
    /// At most half of the links may go to rows as near to the node as the node itself, so that a crowd of equal rows
    /// keeps links that lead out of it. Among equal keys the order is by chance, so that such a crowd is linked
    /// throughout and not only to its first rows.
    pub(crate) fn select<E: Element>(&mut self, scorer: &Scorer<'_, E>, node: u32, edges: &mut Vec<Edge>, cap: usize) {
        edges.retain(|edge| edge.row != node);
        let chance = |row: u32| mix(u64::from(node ^ row));
        edges.sort_unstable_by(|a, b| {
            a.key.total_cmp(&b.key).then_with(|| chance(a.row).cmp(&chance(b.row))).then(a.row.cmp(&b.row))
        });
        edges.dedup_by_key(|edge| edge.row);
        if edges.len() < cap {
            return;
        }
        let mut own = [0.0];
        scorer.keys(scorer.row(node), &[node], &mut own);
        self.rows.clear();
        let mut twins = 0;
        edges.retain(|edge| {
            let is_twin = edge.key <= own[0];
            if self.rows.len() == cap || (is_twin && twins >= cap / 2) || self.is_shadowed(scorer, *edge) {
                return false;
            }
            twins += usize::from(is_twin);
            self.rows.push(edge.row);
            true
        });
    }

    /// Whether a candidate is nearer to a row that was kept than to the node.
    fn is_shadowed<E: Element>(&mut self, scorer: &Scorer<'_, E>, edge: Edge) -> bool {
        let query = scorer.row(edge.row);
        self.rows.chunks(STEP).any(|rows| {
            let keys = &mut self.keys[..rows.len()];
            scorer.keys(query, rows, keys);
            keys.iter().any(|key| *key < edge.key)
        })
    }
}

#[cfg(test)]
mod tests;
