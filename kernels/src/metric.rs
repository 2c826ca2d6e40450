//! Metrics: what is measured, the key that is minimised, and the score that a user sees.
mod cosine;
mod ip;
mod l2;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use self::{cosine::Cosine, ip::Ip, l2::L2};
use crate::isa::Lane;

/// The arithmetic of a metric, said once for every element type and instruction set.
pub(crate) trait Op {
    /// Whether [`Op::key`] needs the squared lengths; if not, they are not computed and passed as 0.
    const SQUARES: bool;

    /// Adds one register of component pairs to the running sum.
    fn step<L: Lane>(sum: L, a: L, b: L) -> L;

    /// The key, from the sum over all components.
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32;
}

/// How near two vectors are.
///
/// Inside, everything is a *key* and smaller is nearer; the *score* is what a user is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Metric {
    /// Squared Euclidean distance; the key is the score.
    L2,
    /// Inner product; the key is its negative.
    Ip,
    /// Cosine of the angle; the key is its negative. With a zero vector the cosine is taken as 0.
    Cosine,
}

/// Every metric, in the order of [`Metric`].
pub const METRICS: &[Metric] = &[Metric::L2, Metric::Ip, Metric::Cosine];

impl Metric {
    /// The name used at the interface: `"L2"`, `"IP"` or `"COSINE"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Ip => "IP",
            Self::Cosine => "COSINE",
        }
    }

    /// Finds a metric by its name, in upper or lower case.
    pub fn parse(name: &str) -> Option<Self> {
        METRICS.iter().copied().find(|metric| metric.name().eq_ignore_ascii_case(name))
    }

    /// The score that a key stands for.
    pub const fn score(self, key: f32) -> f32 {
        match self {
            Self::L2 => key,
            // A subtraction and not a negation: a key of 0 gives a score of 0 and not of -0.
            Self::Ip | Self::Cosine => 0.0 - key,
        }
    }

    /// The key that a score stands for; undoes [`Metric::score`].
    pub const fn key(self, score: f32) -> f32 {
        self.score(score)
    }

    /// Whether a larger score is a nearer vector.
    pub const fn larger_is_better(self) -> bool {
        match self {
            Self::L2 => false,
            Self::Ip | Self::Cosine => true,
        }
    }
}

#[cfg(test)]
impl Metric {
    /// The key in double precision by the definition: what every kernel is compared with.
    pub(crate) fn reference(self, a: &[f64], b: &[f64]) -> f64 {
        match self {
            Self::L2 => l2::reference(a, b),
            Self::Ip => ip::reference(a, b),
            Self::Cosine => cosine::reference(a, b),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
