//! Squared Euclidean distance.
use super::Op;
use crate::float::Lane;

#[derive(Debug)]
pub(crate) struct L2;

impl Op for L2 {
    const SQUARES: bool = false;
    const STEPS: usize = 2;

    #[inline(always)]
    fn step<L: Lane>(sum: L, a: L, b: L) -> L {
        let gap = a.sub(b);
        sum.fma(gap, gap)
    }

    #[inline(always)]
    fn key(sum: f32, _query_square: f32, _row_square: f32) -> f32 {
        sum
    }
}
