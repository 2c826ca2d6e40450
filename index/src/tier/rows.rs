//! The rows themselves as a tier.

use elanus_kernels::{AnyRows, Element, Kernel, Metric, Rows, Vector};

use super::Keys;
use crate::SearchError;

/// Rows lent by the caller, with what is kept beside them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent<'a> {
    metric: Metric,
    rows: AnyRows<'a>,
    norms: &'a [f32],
}

impl<'a> Lent<'a> {
    /// Rows that are compared by `metric`. `norms` are their inverse norms, by which an inner product becomes a cosine;
    /// none for other metrics, and for cosines computed from the vectors alone.
    pub(crate) fn new(metric: Metric, rows: AnyRows<'a>, norms: &'a [f32]) -> Self {
        Self { metric, rows, norms }
    }

    /// Binds a query.
    ///
    /// # Errors
    /// When its element type is not that of the rows, or there is no kernel for it.
    pub(crate) fn bind(&self, query: Vector<'a>) -> Result<Box<dyn Keys + 'a>, SearchError> {
        match self.rows {
            AnyRows::F32(rows) => self.bound(rows, query),
            AnyRows::F16(rows) => self.bound(rows, query),
            AnyRows::Bf16(rows) => self.bound(rows, query),
            AnyRows::I8(rows) => self.bound(rows, query),
            AnyRows::U8(rows) => self.bound(rows, query),
            AnyRows::U4(rows) => self.bound(rows, query),
            AnyRows::Binary(rows) => self.bound(rows, query),
        }
    }

    fn bound<E: Element>(&self, rows: Rows<'a, E>, query: Vector<'a>) -> Result<Box<dyn Keys + 'a>, SearchError> {
        let refusal = SearchError::Element { want: self.rows.element(), got: query.element() };
        let query = query.typed::<E>().ok_or(refusal)?;
        if self.norms.is_empty() {
            return Ok(Box::new(Plain { kernel: Kernel::new(self.metric)?, rows, query }));
        }
        let kernel = Kernel::new(Metric::Ip)?;
        let inverse = inverse(kernel.norm(query));
        Ok(Box::new(Scaled { plain: Plain { kernel, rows, query }, inverse, norms: self.norms }))
    }
}

/// A query and rows of one element type.
#[derive(Debug)]
struct Plain<'a, E: Element> {
    kernel: Kernel<E>,
    rows: Rows<'a, E>,
    query: &'a [E],
}

impl<E: Element> Keys for Plain<'_, E> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        self.kernel.gather(self.query, self.rows, ids, keys);
    }
}

/// The same with norms that are known, so that none is computed twice.
#[derive(Debug)]
struct Scaled<'a, E: Element> {
    plain: Plain<'a, E>,
    /// One over the query's norm.
    inverse: f32,
    norms: &'a [f32],
}

impl<E: Element> Keys for Scaled<'_, E> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        self.plain.keys(ids, keys);
        for (key, id) in keys.iter_mut().zip(ids) {
            *key *= self.inverse * self.norms[*id as usize];
        }
    }
}

/// One over a norm; zero for the zero vector, whose cosine with anything is taken as zero.
pub(crate) fn inverse(norm: f32) -> f32 {
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}
