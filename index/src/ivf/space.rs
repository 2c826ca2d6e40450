//! How vectors lie where centres and codes see them: at length 1 for cosine, around the mean for L2.

use elanus_kernels::{Metric, Number, Rows};

use crate::array::Array;

/// The square of a length from which on a row is loose: squares and products of shorter rows stay far from the end of
/// f32.
const LONG: f64 = 1e30;

/// The way from vectors as they are given to those that are coded.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) metric: Metric,
    /// What is taken from each vector for L2, so that codes need not say it; else empty.
    pub(super) mean: Array<f32>,
}

impl Space {
    /// The space of rows, of which `sample` are asked for their mean.
    pub(super) fn new<E: Number>(metric: Metric, rows: Rows<'_, E>, sample: &[u32]) -> Self {
        let mut mean = Vec::new();
        if metric == Metric::L2 {
            let mut sum = vec![0.0f64; rows.dim()];
            for row in sample {
                for (sum, value) in sum.iter_mut().zip(rows.row(*row as usize)) {
                    *sum += f64::from(value.to_f32());
                }
            }
            mean.extend(sum.iter().map(|sum| (sum / sample.len().max(1) as f64) as f32));
        }
        Self { metric, mean: Array::Owned(mean) }
    }

    /// Writes a vector as it lies in this space; what `to` has beyond it becomes 0.
    pub(super) fn place<E: Number>(&self, row: &[E], to: &mut [f32]) {
        let (to, rest) = to.split_at_mut(row.len());
        rest.fill(0.0);
        match self.metric {
            Metric::L2 => {
                for ((to, value), mean) in to.iter_mut().zip(row).zip(self.mean.as_slice()) {
                    *to = value.to_f32() - mean;
                }
            }
            Metric::Cosine => {
                let length = square(row).sqrt();
                let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
                for (to, value) in to.iter_mut().zip(row) {
                    *to = (f64::from(value.to_f32()) * scale) as f32;
                }
            }
            Metric::Ip
            | Metric::Hamming
            | Metric::Jaccard
            | Metric::Tanimoto
            | Metric::Substructure
            | Metric::Superstructure
            | Metric::MhJaccard => {
                for (to, value) in to.iter_mut().zip(row) {
                    *to = value.to_f32();
                }
            }
        }
    }

    /// The rows of these ids as they lie in this space, `width` values each.
    pub(super) fn gather<E: Number>(&self, rows: Rows<'_, E>, ids: &[u32], width: usize, to: &mut Vec<f32>) {
        to.clear();
        to.resize(ids.len() * width, 0.0);
        for (id, to) in ids.iter().zip(to.chunks_exact_mut(width)) {
            self.place(rows.row(*id as usize), to);
        }
    }

    /// Whether a row is too long for codes.
    pub(super) fn is_loose<E: Number>(&self, row: &[E]) -> bool {
        self.metric != Metric::Cosine && square(row) > LONG
    }

    /// The metric by which keys of centres are computed here.
    pub(super) fn centre_metric(&self) -> Metric {
        if self.metric == Metric::L2 { Metric::L2 } else { Metric::Ip }
    }
}

fn square<E: Number>(row: &[E]) -> f64 {
    row.iter().map(|value| f64::from(value.to_f32())).map(|value| value * value).sum()
}
