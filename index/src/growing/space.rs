//! The vectors that links are chosen by: whatever the metric, their squared Euclidean distance orders them as it does.

use elanus_kernels::{Metric, Vector};

use super::pieces::{Piece, place};
use super::view::{CodeKeys, View};
use crate::BuildError;
use crate::tier::source::{unit, widen};

/// The rows of a state in a form for the metric: as they are for L2, of unit length for COSINE, and for IP lengthened
/// by one component by which all are of one length, so that the largest inner product with a vector is the least
/// distance from it (Bachrach and others, "Speeding up the Xbox recommender system", RecSys 2014).
#[derive(Clone, Copy)]
pub(super) struct Space<'a> {
    pub(super) view: &'a View,
    pub(super) metric: Metric,
    /// The square of the common length for IP: that of the longest row so far.
    pub(super) square: f32,
}

impl<'a> Space<'a> {
    /// Components of a vector.
    pub(super) fn dim(&self) -> usize {
        let dim = self.view.codec.as_ref().map_or(1, |codec| codec.dim());
        dim + usize::from(self.metric == Metric::Ip)
    }

    /// Appends the vector of a row.
    pub(super) fn push(&self, id: u32, to: &mut Vec<f32>) {
        let at = to.len();
        to.resize(at + self.dim(), 0.0);
        let pieces = &self.view.rows;
        let piece = &pieces[place(pieces, id)];
        let Some(rows) = piece.rows() else { return };
        shaped(self.metric, rows.row((id - piece.first()) as usize), self.square, &mut to[at..]);
    }

    /// The squared distance that a key by the codes stands for.
    pub(super) fn distance(&self, key: f32) -> f32 {
        match self.metric {
            Metric::Ip => 2.0 * (self.square + key),
            Metric::Cosine => 2.0 * (1.0 + key),
            Metric::L2
            | Metric::Hamming
            | Metric::Jaccard
            | Metric::Tanimoto
            | Metric::Substructure
            | Metric::Superstructure
            | Metric::MhJaccard => key,
        }
    }

    /// Binds the vector of a row to the codes, so that keys order rows as distances from it do.
    pub(super) fn bind(&self, vector: &'a [f32]) -> Result<Option<CodeKeys<'a>>, BuildError> {
        let Some(codec) = &self.view.codec else { return Ok(None) };
        let (plain, level) = match vector.split_last() {
            Some((own, plain)) if self.metric == Metric::Ip => (plain, Some((*own, self.square))),
            Some(_) | None => (vector, None),
        };
        let query = codec.prepare_rows(plain)?;
        Ok(Some(CodeKeys { codec, codes: &self.view.codes, query, level }))
    }
}

/// Writes a row as codes are made of it.
pub(super) fn plain(metric: Metric, row: Vector<'_>, to: &mut [f32]) {
    widen(row, to);
    if metric == Metric::Cosine {
        unit(to);
    }
}

fn shaped(metric: Metric, row: Vector<'_>, all: f32, to: &mut [f32]) {
    if metric != Metric::Ip {
        return plain(metric, row, to);
    }
    let Some((own, values)) = to.split_last_mut() else { return };
    widen(row, values);
    *own = (all - square(values)).max(0.0).sqrt();
}

/// The square of a vector's length.
pub(super) fn square(vector: &[f32]) -> f32 {
    vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>() as f32
}
