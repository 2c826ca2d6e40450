//! Inner product.
use super::Op;
use crate::float::Lane;

#[derive(Debug)]
pub(crate) struct Ip;

impl Op for Ip {
    const SQUARES: bool = false;
    const STEPS: usize = 1;

    #[inline(always)]
    fn step<L: Lane>(sum: L, a: L, b: L) -> L {
        sum.fma(a, b)
    }

    #[inline(always)]
    fn key(sum: f32, _query_square: f32, _row_square: f32) -> f32 {
        // A subtraction and not a negation: the sign of a zero sum depends on the order of underflows, the key's may not.
        0.0 - sum
    }
}
