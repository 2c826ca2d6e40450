//! RaBitQ codes of one centre: how rows and queries of a file become codes.

use elanus_kernels::codes::rabitq::{Codec, Encoder, Estimator, Fit, Query, Records, Term};
use elanus_kernels::codes::rotate::Rotation;
use elanus_kernels::{AnyRows, KernelError, Metric, Vector};

use super::vectors::floats;

/// Rows whose mean is the centre, at most.
const SAMPLE: usize = 1 << 16;

/// Makes codes.
#[derive(Clone, Debug)]
pub(super) struct Coder {
    rotation: Rotation,
    codec: Codec,
    /// The mean of the vectors, rotated.
    centre: Vec<f32>,
}

/// Buffers of [`Coder::encode`].
#[derive(Debug, Default)]
pub(super) struct Work {
    vector: Vec<f32>,
    rotated: Vec<f32>,
}

impl Coder {
    /// With that centre, as [`Coder::centre`] gave it; an empty one is zero.
    pub(super) fn new(codec: Codec, dim: usize, seed: u64, mut centre: Vec<f32>) -> Result<Self, KernelError> {
        centre.resize(codec.dim(), 0.0);
        Ok(Self { rotation: Rotation::new(dim, seed)?, codec, centre })
    }

    /// Makes the mean of some of the rows `nodes` the centre.
    pub(super) fn learn(&mut self, rows: AnyRows<'_>, nodes: &[u32]) {
        let step = nodes.len().div_ceil(SAMPLE).max(1);
        let mut sums = vec![0.0_f64; rows.dim()];
        let (mut vector, mut count) = (Vec::new(), 0.0);
        for row in nodes.iter().step_by(step) {
            floats(rows.row(*row as usize), self.codec.metric(), &mut vector);
            sums.iter_mut().zip(&vector).for_each(|(sum, value)| *sum += f64::from(*value));
            count += 1.0;
        }
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / f64::max(count, 1.0)) as f32).collect();
        self.rotation.apply(&mean, &mut self.centre);
    }

    pub(super) fn codec(&self) -> &Codec {
        &self.codec
    }

    pub(super) fn centre(&self) -> &[f32] {
        &self.centre
    }

    /// Writes both tiers of a vector's code; the second has no bytes where codes have one bit.
    pub(super) fn encode(&self, vector: Vector<'_>, work: &mut Work, signs: &mut [u8], fine: &mut [u8]) {
        floats(vector, self.codec.metric(), &mut work.vector);
        work.rotated.resize(self.codec.dim(), 0.0);
        self.rotation.apply(&work.vector, &mut work.rotated);
        work.rotated.iter_mut().zip(&self.centre).for_each(|(value, centre)| *value -= centre);
        Encoder::new(self.codec, Fit::Fast).encode(&work.rotated, &self.centre, 0, signs, fine);
    }

    /// Binds a query.
    pub(super) fn bind(&self, vector: Vector<'_>) -> Result<Bound, KernelError> {
        let (mut values, mut rotated) = (Vec::new(), vec![0.0; self.codec.dim()]);
        floats(vector, self.codec.metric(), &mut values);
        self.rotation.apply(&values, &mut rotated);
        let mut query = Query::new(self.codec);
        query.prepare(&rotated);
        let pairs = || rotated.iter().zip(&self.centre);
        let distance = pairs().map(|(q, c)| (q - c) * (q - c)).sum();
        let product = if self.codec.metric() == Metric::L2 { 0.0 } else { pairs().map(|(q, c)| q * c).sum() };
        let terms = [query.term(distance, product)];
        Ok(Bound { query, terms, estimator: Estimator::new()?, keys: Vec::new(), errors: Vec::new() })
    }
}

/// A query that codes are compared with. What it last estimated stays in `keys` and `errors`: the true key is most
/// likely not further from the estimate than the error.
#[derive(Debug)]
pub(super) struct Bound {
    query: Query,
    terms: [Term; 1],
    estimator: Estimator,
    pub(super) keys: Vec<f32>,
    pub(super) errors: Vec<f32>,
}

impl Bound {
    fn room(&mut self, count: usize) {
        self.keys.clear();
        self.keys.resize(count, 0.0);
        self.errors.clear();
        self.errors.resize(count, 0.0);
    }

    /// Estimates from sign codes.
    pub(super) fn signs(&mut self, records: Records<'_>, ids: &[u32]) {
        self.room(ids.len());
        self.estimator.gather(&self.query, records, ids, &self.terms, &mut self.keys, &mut self.errors);
    }

    /// Estimates from both tiers.
    pub(super) fn fine(&mut self, records: Records<'_>, fine: Records<'_>, ids: &[u32]) {
        self.room(ids.len());
        self.estimator.refine(&self.query, records, fine, ids, &self.terms, &mut self.keys, &mut self.errors);
    }
}
