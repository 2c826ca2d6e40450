//! Metrics: what is measured, the key that is minimised, and the score that a user sees.
mod cosine;
mod ip;
mod l2;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use self::{cosine::Cosine, ip::Ip, l2::L2};
use crate::float::Lane;

/// The arithmetic of a metric, said once for every element type and instruction set.
pub(crate) trait Op {
    /// Whether [`Op::key`] needs the squared lengths; if not, they are not computed and passed as 0.
    const SQUARES: bool;

    /// Instructions for each register of a row, beside the load: one for each step and square, and what they need.
    const STEPS: usize;

    /// Adds one register of component pairs to the running sum.
    fn step<L: Lane>(sum: L, a: L, b: L) -> L;

    /// The key, from the sum over all components.
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32;
}

/// A metric whose sum over the components is the inner product, so that an instruction that adds products may compute
/// it.
pub(crate) trait Product: Op {}

impl Product for Ip {}

impl Product for Cosine {}

/// How near two vectors are.
///
/// Inside, everything is a *key* and smaller is nearer; the *score* is what a user is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Metric {
    /// Squared Euclidean distance; the key is the score.
    L2,
    /// Inner product; the key is its negative.
    Ip,
    /// Cosine of the angle; the key is its negative. With a zero vector the cosine is taken as 0, unless the other
    /// vector has a NaN or an infinity, with which it is always NaN.
    ///
    /// Over `f32` and bf16 the squares of the components are added in `f32`: a sum with components above about 1.8e19
    /// in magnitude, the root of its largest number, is infinite and the cosine then 0 or NaN; a sum of squares of
    /// components below about 1e-19, the root of its least normal number, loses precision until the vector counts as
    /// zero. The components of the other types do neither.
    Cosine,
    /// The number of bits that differ; the key is the score.
    Hamming,
    /// Jaccard distance of the sets of one bits, `1 - |a & b| / |a | b|`; the key is the score. Two empty sets are at
    /// 0.
    Jaccard,
    /// Tanimoto similarity of fingerprints, `|a & b| / |a | b|`, as chemists count it; the key is its negative. Two
    /// empty fingerprints have similarity 1.
    Tanimoto,
    /// Whether the row is a substructure of the query: 0 if every one bit of the row is one in the query, else 1.
    Substructure,
    /// Whether the row is a superstructure of the query: 0 if every one bit of the query is one in the row, else 1.
    Superstructure,
    /// Jaccard distance as estimated from MinHash signatures, whose hashes are little-endian words of 32 bits: the
    /// share of positions at which the hashes differ; the key is the score. Other widths: [`crate::minhash`].
    MhJaccard,
}

/// Every metric, in the order of [`Metric`].
pub const METRICS: &[Metric] = &[
    Metric::L2,
    Metric::Ip,
    Metric::Cosine,
    Metric::Hamming,
    Metric::Jaccard,
    Metric::Tanimoto,
    Metric::Substructure,
    Metric::Superstructure,
    Metric::MhJaccard,
];

impl Metric {
    /// The name used at the interface, such as `"L2"`, `"IP"` or `"COSINE"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Ip => "IP",
            Self::Cosine => "COSINE",
            Self::Hamming => "HAMMING",
            Self::Jaccard => "JACCARD",
            Self::Tanimoto => "TANIMOTO",
            Self::Substructure => "SUBSTRUCTURE",
            Self::Superstructure => "SUPERSTRUCTURE",
            Self::MhJaccard => "MHJACCARD",
        }
    }

    /// Finds a metric by its name, in upper or lower case.
    pub fn parse(name: &str) -> Option<Self> {
        METRICS.iter().copied().find(|metric| metric.name().eq_ignore_ascii_case(name))
    }

    /// The score that a key stands for.
    pub const fn score(self, key: f32) -> f32 {
        // A subtraction and not a negation: a key of 0 gives a score of 0 and not of -0.
        if self.larger_is_better() { 0.0 - key } else { key }
    }

    /// The key that a score stands for; undoes [`Metric::score`].
    pub const fn key(self, score: f32) -> f32 {
        self.score(score)
    }

    /// Whether a larger score is a nearer vector.
    pub const fn larger_is_better(self) -> bool {
        match self {
            Self::Ip | Self::Cosine | Self::Tanimoto => true,
            Self::L2 | Self::Hamming | Self::Jaccard | Self::Substructure | Self::Superstructure | Self::MhJaccard => {
                false
            }
        }
    }

    /// Whether the key of two vectors is the same with either as the query.
    pub const fn is_symmetric(self) -> bool {
        !matches!(self, Self::Substructure | Self::Superstructure)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
