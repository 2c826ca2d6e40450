//! Scalar quantizers SQ4, SQ6 and SQ8: each component becomes a point of an even grid, and keys are estimated from
//! integer products of the codes with the query.
//!
//! From a vector `x` the mean `m` of the training vectors is taken, component by component, and the residual `r = x -
//! m` is rounded to `r^_j = min + step * c_j` with codes `c_j` in `0..2^bits`. Two grids:
//!
//! - *Uniform*: one `min` and one `step` for all vectors, from the training vectors, if wanted less a share of the
//!   smallest and largest values (as Milvus's SQ4U). Values outside are clamped.
//! - *Per vector*: `min` and `step` are those of the vector's own residuals, so nothing is clamped. This is LVQ-B
//!   (Aguerrebere et al., "Similarity search in the blink of an eye with compressed indices", PVLDB 16(11), 2023,
//!   section 3, definitions 1 and 2).
//!
//! # Keys
//! With `q8_j` the query's bytes and `s` their scale ([`Query8`](crate::codes::dot::Query8)), `w = sum_j c_j * q8_j`,
//! and `h = (2^bits - 1) / 2`, the product of a query `v` with the residual is estimated as
//!
//! `<v, r^> ~ min * sum(v) + step * (s * w + h * (sum(v) - s * sum(q8)))`.
//!
//! The last term takes what rounding the query does to the middle of the grid out again, so that an error of the query
//! `d_j = v_j - s * q8_j` counts `step * (c_j - h)` and not `step * c_j`. Then, with `q` the query,
//!
//! | metric | `v` | key |
//! |---|---|---|
//! | L2 | `q - m` | `abs(v)^2 + abs(r^)^2 - 2 <v, r^>`; the estimate of a tiny distance may be negative |
//! | IP | `q` | `-(<q, m> + <q, r^>)` |
//! | COSINE | `q` | `-(<q, m> + <q, r^>) / (abs(q) * abs(m + r^))`, within -1 and 1; 0 where a length is 0 |
//!
//! How far a key can be off is told by [`SqQuery::bound`].
//!
//! # Records
//! A row is its packed codes as in [`RowDot`](crate::codes::dot::RowDot), then its factors as little-endian f32: `min`
//! and `step` (only where the grid is per vector) and the square, `abs(r^)^2` for L2 and `abs(m + r^)^2` else. A block
//! of
//! sixteen rows is the codes as in [`BlockDot`](crate::codes::dot::BlockDot), then each factor of all sixteen rows.
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
mod codec;
mod form;
mod keys;
mod query;
#[cfg(test)]
mod tests;

use std::{error::Error, fmt};

pub use self::{
    codec::{SqCodec, SqFactors},
    form::SqForm,
    query::SqQuery,
};
use crate::{codes::dot::DotError, metric::Metric, rows::Rows};

/// Why vectors cannot be quantized.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum SqError {
    /// The kernels refused the shape or the query.
    Dot(DotError),
    /// There is no quantizer of so many bits; 4, 6 and 8 there are.
    Bits {
        /// What was asked for.
        bits: u32,
    },
    /// The metric is not L2, IP or COSINE.
    Metric {
        /// What was asked for.
        metric: Metric,
    },
    /// The share to leave out at each end is not in `0..0.5`.
    Trim {
        /// What was asked for.
        trim: f64,
    },
    /// There is nothing to train from.
    NoRows,
    /// A parameter of a trained quantizer is not finite, or its step is negative.
    Params,
    /// A component of a vector is NaN or infinite.
    NotFinite {
        /// Which one, counting through all rows.
        position: usize,
    },
    /// A vector is so long, or so far from the mean, that a factor is not finite in f32.
    TooLarge,
}

impl fmt::Display for SqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dot(error) => write!(f, "scalar quantizer: {error}"),
            Self::Bits { bits } => write!(f, "no scalar quantizer of {bits} bits; there are 4, 6 and 8"),
            Self::Metric { metric } => {
                write!(f, "no scalar quantizer for metric {metric}; there are L2, IP and COSINE")
            }
            Self::Trim { trim } => write!(f, "a share of {trim} left out at each end where 0 to 0.5 is allowed"),
            Self::NoRows => f.write_str("no rows to train a scalar quantizer from"),
            Self::Params => f.write_str("parameters of a scalar quantizer that are not finite or have a negative step"),
            Self::NotFinite { position } => write!(f, "component {position} is not finite"),
            Self::TooLarge => f.write_str("a vector is too long for its factors to be finite"),
        }
    }
}

impl Error for SqError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dot(error) => Some(error),
            Self::Bits { .. }
            | Self::Metric { .. }
            | Self::Trim { .. }
            | Self::NoRows
            | Self::Params
            | Self::NotFinite { .. }
            | Self::TooLarge => None,
        }
    }
}

impl From<DotError> for SqError {
    fn from(error: DotError) -> Self {
        if let DotError::NotFinite { position } = error { Self::NotFinite { position } } else { Self::Dot(error) }
    }
}

/// Which grid to train.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum SqGrid {
    /// One for all vectors.
    Uniform {
        /// The share of the values that may lie below the grid, and above it: 0 for none, below 0.5.
        trim: f64,
    },
    /// Each vector has its own (LVQ).
    PerVector,
}

/// An even grid.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SqRange {
    /// What code 0 stands for.
    pub min: f32,
    /// What each next code adds; 0 where all is one value.
    pub step: f32,
}

/// What training finds out: all that has to be kept beside the records.
#[derive(Clone, PartialEq, Debug)]
pub struct SqParams {
    /// The metric that the squares in the records are for.
    pub metric: Metric,
    /// Bits of a code: 4, 6 or 8.
    pub bits: u32,
    /// The grid of all vectors, or `None` where each has its own.
    pub range: Option<SqRange>,
    /// The mean of the training vectors; as long as a vector.
    pub mean: Vec<f32>,
}

impl SqParams {
    /// Trains on `rows`, a sample of the vectors; a copy of the values is made where the grid is uniform.
    ///
    /// # Errors
    /// When `bits`, `metric` or the share to trim is out of range, there are no rows, or a value is not finite or too
    /// large.
    pub fn train(metric: Metric, bits: u32, grid: SqGrid, rows: Rows<'_, f32>) -> Result<Self, SqError> {
        if rows.is_empty() {
            return Err(SqError::NoRows);
        }
        if let Some(position) = rows.data().iter().position(|value| !value.is_finite()) {
            return Err(SqError::NotFinite { position });
        }
        let mut sums = vec![0.0_f64; rows.dim()];
        for row in rows.iter() {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / rows.len() as f64) as f32).collect();
        let range = match grid {
            SqGrid::PerVector => None,
            SqGrid::Uniform { trim } => Some(uniform(&mean, bits, trim, rows)?),
        };
        let params = Self { metric, bits, range, mean };
        params.check()?;
        Ok(params)
    }

    /// A number in which all that keys depend on is mixed: equal for equal parameters, different for others but for
    /// one case in 2^64 or so.
    fn fingerprint(&self) -> u64 {
        let mix = |hash: u64, value: u64| {
            let hash = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash ^ hash >> 29
        };
        // A sum with 0, so that -0 and 0, which are equal, count alike.
        let bits = |value: f32| u64::from((value + 0.0).to_bits());
        let (own, range) = (self.range.is_none(), self.range.unwrap_or(SqRange { min: 0.0, step: 0.0 }));
        let head = [u64::from(self.bits) << 1 | u64::from(own), bits(range.min), bits(range.step)];
        let name = self.metric.name().bytes().map(u64::from);
        name.chain(head).chain(self.mean.iter().copied().map(bits)).fold(1, mix)
    }

    /// Whether these can be the parameters of a quantizer.
    fn check(&self) -> Result<(), SqError> {
        if ![4, 6, 8].contains(&self.bits) {
            return Err(SqError::Bits { bits: self.bits });
        }
        if ![Metric::L2, Metric::Ip, Metric::Cosine].contains(&self.metric) {
            return Err(SqError::Metric { metric: self.metric });
        }
        let range = self.range.unwrap_or(SqRange { min: 0.0, step: 0.0 });
        let finite = range.min.is_finite() && range.step.is_finite() && range.step >= 0.0;
        if finite && self.mean.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(SqError::Params) }
    }
}

/// The largest code of `bits` bits.
const fn largest_code(bits: u32) -> u32 {
    (1 << bits) - 1
}

/// The grid that spans the residuals less `trim` of them at each end.
fn uniform(mean: &[f32], bits: u32, trim: f64, rows: Rows<'_, f32>) -> Result<SqRange, SqError> {
    if !(0.0..0.5).contains(&trim) {
        return Err(SqError::Trim { trim });
    }
    let mut values = Vec::with_capacity(rows.data().len());
    for row in rows.iter() {
        values.extend(row.iter().zip(mean).map(|(value, mean)| value - mean));
    }
    if !values.iter().all(|value| value.is_finite()) {
        return Err(SqError::TooLarge);
    }
    let cut = ((values.len() as f64 * trim) as usize).min((values.len() - 1) / 2);
    let last = values.len() - 1 - cut;
    let low = *values.select_nth_unstable_by(cut, f32::total_cmp).1;
    let high = *values.select_nth_unstable_by(last, f32::total_cmp).1;
    Ok(span(low, high, bits))
}

/// The grid of `2^bits` points from `low` to `high`.
fn span(low: f32, high: f32, bits: u32) -> SqRange {
    let steps = f64::from(largest_code(bits.clamp(1, 8)));
    SqRange { min: low, step: ((f64::from(high) - f64::from(low)) / steps) as f32 }
}
