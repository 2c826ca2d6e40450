//! Keys between a query and rows by id, for every metric.

use elanus_kernels::{Element, Kernel, KernelError, Metric, Rows};

use crate::tier::Keys;
use crate::tier::rows::inverse;

/// Rows and how they are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scorer<'a, E: Element> {
    kernel: Kernel<E>,
    pub(crate) rows: Rows<'a, E>,
    beside: Beside<'a>,
}

/// What a key takes besides the kernel's result: one number for each row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside<'a> {
    /// Nothing.
    None,
    /// Inverse norms, which turn an inner product into a cosine, so that no norm is computed twice.
    Norms(&'a [f32]),
}

/// A vector that rows are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a, E> {
    vector: &'a [E],
    /// The vector's own number beside it.
    beside: f32,
}

impl<'a, E: Element> Scorer<'a, E> {
    /// Compares rows with queries by the index's metric; `norms` are the rows' inverse norms for cosine.
    pub(crate) fn new(metric: Metric, rows: Rows<'a, E>, norms: &'a [f32]) -> Result<Self, KernelError> {
        let (metric, beside) =
            if metric == Metric::Cosine { (Metric::Ip, Beside::Norms(norms)) } else { (metric, Beside::None) };
        Ok(Self { kernel: Kernel::new(metric)?, rows, beside })
    }

    /// Binds a vector from outside the rows.
    pub(crate) fn query<'q>(&self, vector: &'q [E]) -> Query<'q, E> {
        let beside = match self.beside {
            Beside::None => 0.0,
            Beside::Norms(_) => inverse(self.kernel.norm(vector)),
        };
        Query { vector, beside }
    }

    /// Binds a row.
    pub(crate) fn row(&self, id: u32) -> Query<'a, E> {
        let beside = match self.beside {
            Beside::None => 0.0,
            Beside::Norms(norms) => norms[id as usize],
        };
        Query { vector: self.rows.row(id as usize), beside }
    }

    /// The keys of the rows `ids`.
    #[inline]
    pub(crate) fn keys(&self, query: Query<'_, E>, ids: &[u32], keys: &mut [f32]) {
        self.kernel.gather(query.vector, self.rows, ids, keys);
        match self.beside {
            Beside::None => {}
            Beside::Norms(norms) => {
                for (key, id) in keys.iter_mut().zip(ids) {
                    *key *= query.beside * norms[*id as usize];
                }
            }
        }
    }

    /// The keys of every row of `queries` with every row of `base`, which are ids; `packed` holds the vectors of
    /// `base` one after another.
    pub(crate) fn tile(&self, queries: &[u32], base: &[u32], packed: Rows<'_, E>, keys: &mut Vec<f32>) {
        let vectors: Vec<E> = queries.iter().flat_map(|id| self.rows.row(*id as usize)).copied().collect();
        let Ok(vectors) = Rows::new(&vectors, self.rows.dim()) else { return };
        keys.clear();
        keys.resize(queries.len() * base.len(), 0.0);
        self.kernel.tile(vectors, packed, keys);
        let Beside::Norms(norms) = self.beside else { return };
        for (query, keys) in queries.iter().zip(keys.chunks_mut(base.len())) {
            for (key, id) in keys.iter_mut().zip(base) {
                *key *= norms[*query as usize] * norms[*id as usize];
            }
        }
    }
}

/// A scorer and one of its queries.
#[derive(Debug)]
pub(crate) struct Bound<'a, E: Element> {
    pub(crate) scorer: &'a Scorer<'a, E>,
    pub(crate) query: Query<'a, E>,
}

impl<E: Element> Keys for Bound<'_, E> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        self.scorer.keys(self.query, ids, keys);
    }
}
