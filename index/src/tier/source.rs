//! What tiers are made from: the rows as f32, those left out that are not to be indexed.

use elanus_kernels::{AnyRows, Bitmap, Metric, Number, Rows, Vector};

use crate::graph::levels::mix;

/// Rows as f32 in the form that codes are made of: for COSINE scaled to unit length, else as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) metric: Metric,
    pub(crate) rows: AnyRows<'a>,
    /// Rows that have codes; the others' codes are those of the zero vector and mean nothing.
    pub(crate) usable: &'a Bitmap,
}

impl Source<'_> {
    /// How many rows there are, those left out included.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Components of a row.
    pub(crate) fn dim(&self) -> usize {
        self.rows.dim()
    }

    /// The metric by which codes are compared: the cosine of unit vectors is their inner product.
    pub(crate) fn code_metric(&self) -> Metric {
        if self.metric == Metric::Cosine { Metric::Ip } else { self.metric }
    }

    /// Writes a row to `to`, which has a place for each component.
    pub(crate) fn write(&self, row: usize, to: &mut [f32]) {
        if self.usable.get(row) {
            widen(self.rows.row(row), to);
            if self.metric == Metric::Cosine {
                unit(to);
            }
        } else {
            to.fill(0.0);
        }
    }

    /// Up to `count` usable rows, chosen by chance but always the same ones for a seed, one after another.
    pub(crate) fn sample(&self, count: usize, seed: u64) -> Vec<f32> {
        let mut ids: Vec<usize> = self.usable.iter_ones().collect();
        if ids.len() > count {
            ids.sort_by_cached_key(|id| (mix(seed ^ mix(*id as u64 + 1)), *id));
            ids.truncate(count);
            ids.sort_unstable();
        }
        let mut values = vec![0.0; ids.len() * self.dim()];
        for (id, to) in ids.into_iter().zip(values.chunks_exact_mut(self.dim())) {
            self.write(id, to);
        }
        values
    }
}

/// A query in the form that codes are compared with.
pub(crate) fn query(metric: Metric, query: Vector<'_>) -> Vec<f32> {
    let mut values = vec![0.0; query.dim()];
    widen(query, &mut values);
    if metric == Metric::Cosine {
        unit(&mut values);
    }
    values
}

/// Writes numbers as f32. Vectors that are not of numbers have no tiers, and leave `to` as it is.
pub(crate) fn widen(vector: Vector<'_>, to: &mut [f32]) {
    fn each<E: Number>(from: &[E], to: &mut [f32]) {
        for (to, value) in to.iter_mut().zip(from) {
            *to = value.to_f32();
        }
    }
    match vector {
        Vector::F32(values) => to.copy_from_slice(values),
        Vector::F16(values) => each(values, to),
        Vector::Bf16(values) => each(values, to),
        Vector::I8(values) => each(values, to),
        Vector::U8(values) => each(values, to),
        Vector::U4(_) | Vector::Binary(_) => {}
    }
}

/// Scales to unit length; the zero vector stays as it is.
pub(crate) fn unit(values: &mut [f32]) {
    let square: f64 = values.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    if square > 0.0 {
        let inverse = 1.0 / square.sqrt();
        for value in values {
            *value = (f64::from(*value) * inverse) as f32;
        }
    }
}

/// Rows of `dim` components over `values`; `None` when there are none.
pub(crate) fn as_rows(values: &[f32], dim: usize) -> Option<Rows<'_, f32>> {
    Rows::new(values, dim).ok().filter(|rows| !rows.is_empty())
}
