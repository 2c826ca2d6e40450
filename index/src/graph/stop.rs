//! When a walk may end before its beam is used up.
//!
//! Adaptive beam search (Al-Jazzazi, Diwan, Gou, Musco, Musco and Suel, "Distance Adaptive Beam Search for Provably
//! Accurate Graph-Based Nearest Neighbor Search", 2025, arXiv 2505.15636): a walk ends when the next candidate is
//! farther by some factor than the last of the rows wanted. Easy queries end early, and hard ones go on.

/// Ends a walk early, or leaves a node out of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// Rows wanted; 0 for a walk that goes on to the end of its beam.
    pub(crate) count: usize,
    /// The factor, squared as keys are, at least 1.
    pub(crate) factor: f32,
    /// The key of a row at no distance at all, from which distances are counted: 0 for L2; -1 for the inner product of
    /// unit vectors, since half of their squared distance is one less the product.
    pub(crate) origin: f32,
    /// A node that the walk does as if it had met already.
    pub(crate) without: Option<u32>,
}

impl Stop {
    /// At the end of the beam.
    pub(crate) const NEVER: Self = Self { count: 0, factor: 1.0, origin: 0.0, without: None };

    /// The key above which a candidate ends the walk, when `last` is that of the last row wanted.
    #[inline(always)]
    pub(crate) fn limit(&self, last: f32) -> f32 {
        self.origin + (last - self.origin).max(0.0) * self.factor
    }
}

#[cfg(test)]
mod tests;
