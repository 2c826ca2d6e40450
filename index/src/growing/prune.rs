//! Which of a node's candidates become its neighbours.

use elanus_kernels::{Kernel, Metric, Rows};

use super::space::Space;
use crate::BuildError;
use crate::graph::levels::mix;

/// A candidate is refused when a neighbour is nearer to it than the node is, by this factor on squared distances. With
/// 1 a graph loses the longer links that it needs once rows go and others come (FreshDiskANN, arXiv 2105.09613,
/// section 4: "alpha-RNG").
const ALPHA: f32 = 1.44;
/// Neighbours compared with a candidate at a time: the first few refuse most candidates.
const STEP: usize = 4;

/// Chooses neighbours; keeps its buffers.
#[derive(Debug)]
pub(super) struct Pruner {
    kernel: Kernel<f32>,
    products: Kernel<f32>,
    node: Vec<f32>,
    packed: Vec<f32>,
    keys: Vec<f32>,
    order: Vec<(f32, u64, u32, u32)>,
    places: Vec<u32>,
}

impl Pruner {
    /// # Errors
    /// When no kernel can be had.
    pub(super) fn new() -> Result<Self, BuildError> {
        let kernel = Kernel::new(Metric::L2)?;
        let (node, packed, keys) = Default::default();
        let products = Kernel::new(Metric::Ip)?;
        Ok(Self { kernel, products, node, packed, keys, order: Vec::new(), places: Vec::new() })
    }

    /// Leaves in `ids` the neighbours of a node, nearest first, `degree` at most: RobustPrune of the DiskANN paper
    /// (NeurIPS 2019, algorithm 2). At most half of them are equal to the node, so that a crowd of equal rows keeps
    /// links that lead out of it; of equal distances the order is by chance, so that such a crowd is linked
    /// throughout.
    ///
    /// For IP half of the links are chosen in this way and the others by the products themselves, as in ip-NSW (Morozov
    /// and Babenko, "Non-metric Similarity Graphs for Maximum Inner Product Search", NeurIPS 2018): where lengths differ
    /// much, hardly any row is near to the longest ones, which are the answer to most queries.
    pub(super) fn select(&mut self, space: &Space<'_>, node: u32, ids: &mut Vec<u32>, degree: usize) {
        ids.retain(|id| *id != node);
        ids.sort_unstable();
        ids.dedup();
        self.node.clear();
        space.push(node, &mut self.node);
        self.packed.clear();
        for id in &*ids {
            space.push(*id, &mut self.packed);
        }
        let Ok(rows) = Rows::new(&self.packed, space.dim()) else { return };
        self.keys.clear();
        self.keys.resize(ids.len(), 0.0);
        self.kernel.rows(&self.node, rows, &mut self.keys);
        let chance = |id: u32| mix(u64::from(node ^ id));
        self.order.clear();
        let keyed = ids.iter().zip(&self.keys).enumerate();
        self.order.extend(keyed.map(|(place, (id, key))| (*key, chance(*id), *id, place as u32)));
        self.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        ids.clear();
        self.places.clear();
        let by_products = space.metric == Metric::Ip;
        let most = if by_products { degree.div_ceil(2) } else { degree };
        let mut twins = 0;
        for (key, _, id, place) in &self.order {
            if ids.len() == most {
                break;
            }
            let is_twin = *key <= 0.0;
            if is_twin && twins >= degree / 2 {
                continue;
            }
            let vector = rows.row(*place as usize);
            let is_refused = self.places.chunks(STEP).any(|kept| {
                let mut keys = [0.0; STEP];
                let keys = &mut keys[..kept.len()];
                self.kernel.gather(vector, rows, kept, keys);
                keys.iter().any(|between| ALPHA * between < *key)
            });
            if !is_refused {
                twins += usize::from(is_twin);
                ids.push(*id);
                self.places.push(*place);
            }
        }
        if by_products {
            self.select_by_products(space.dim(), ids, degree);
        }
    }

    /// Adds neighbours of the greatest products to those chosen, each unless one before it has a greater one with it
    /// than the node has: algorithm 4 of the HNSW paper.
    fn select_by_products(&mut self, dim: usize, ids: &mut Vec<u32>, degree: usize) {
        // Without the component that is no part of the rows.
        for vector in self.packed.chunks_exact_mut(dim).chain([self.node.as_mut_slice()]) {
            vector[dim - 1] = 0.0;
        }
        let Ok(rows) = Rows::new(&self.packed, dim) else { return };
        self.keys.clear();
        self.keys.resize(rows.len(), 0.0);
        self.products.rows(&self.node, rows, &mut self.keys);
        for entry in &mut self.order {
            entry.0 = self.keys[entry.3 as usize];
        }
        self.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        self.places.clear();
        for (key, _, id, place) in &self.order {
            if ids.len() == degree {
                break;
            }
            let vector = rows.row(*place as usize);
            let is_refused = self.places.chunks(STEP).any(|kept| {
                let mut keys = [0.0; STEP];
                let keys = &mut keys[..kept.len()];
                self.products.gather(vector, rows, kept, keys);
                keys.iter().any(|between| between < key)
            });
            if !is_refused {
                self.places.push(*place);
                if !ids.contains(id) {
                    ids.push(*id);
                }
            }
        }
    }
}
