//! Cosine of the angle: the inner product over both lengths.
use super::Op;
use crate::float::Lane;

#[derive(Debug)]
pub(crate) struct Cosine;

impl Op for Cosine {
    const SQUARES: bool = true;
    const STEPS: usize = 2;

    #[inline(always)]
    fn step<L: Lane>(sum: L, a: L, b: L) -> L {
        sum.fma(a, b)
    }

    /// A squared length that underflows to zero counts as a zero vector, and one that overflows gives no meaningful
    /// angle; both lie outside components of about 1e-19 to 1e19 (see [`super::Metric::Cosine`]).
    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        // Two roots and not the root of a product, which would leave the range of f32 much sooner.
        let cosine = sum / (query_square.sqrt() * row_square.sqrt());
        let key = 0.0 - cosine.clamp(-1.0, 1.0);
        // The key with a zero vector: 0 of either sign made 0, but NaN and infinity made NaN, as with any other vector.
        let none = sum * 0.0 + 0.0;
        // Chosen after it was computed, so that the keys of several rows are computed in one register.
        if (query_square == 0.0) | (row_square == 0.0) { none } else { key }
    }
}
