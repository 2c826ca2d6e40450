//! How exact sums become a key. The metric is only this; the sums are the same for all.
//!
//! Sums are integers in `f64`, which holds them exactly up to `2^53`: in vectors of fewer than `6 * 10^10` components,
//! as `4 * 255 * 255` for each is all that L2 adds and takes away. So nothing is rounded before the key is, except in
//! the cosine's roots.
use crate::metric::{Cosine, Ip, L2, Metric};

/// A metric as a type.
pub(crate) trait Finish: 'static {
    const METRIC: Metric;
}

impl Finish for L2 {
    const METRIC: Metric = Metric::L2;
}

impl Finish for Ip {
    const METRIC: Metric = Metric::Ip;
}

impl Finish for Cosine {
    const METRIC: Metric = Metric::Cosine;
}

/// What a key needs of each vector, from the sum of its squares: that sum for L2, the inverse of its length for the
/// cosine, with 0 for a zero vector.
#[inline(always)]
pub(super) fn side(metric: Metric, square: f64) -> f64 {
    if matches!(metric, Metric::Cosine) {
        // The square is an integer, so that it is below 1 only if it is 0.
        if square < 1.0 { 0.0 } else { 1.0 / square.sqrt() }
    } else {
        square
    }
}

/// The key, from the sum of the products and the [`side`] of either vector.
#[inline(always)]
pub(super) fn key(metric: Metric, cross: f64, query: f64, row: f64) -> f32 {
    if matches!(metric, Metric::Cosine) {
        0.0 - (cross * (query * row)).clamp(-1.0, 1.0) as f32
    } else if matches!(metric, Metric::L2) {
        l2(cross, query, row)
    } else {
        ip(cross)
    }
}

/// `|a - b|^2 = |a|^2 + |b|^2 - 2 ab`.
#[inline(always)]
fn l2(cross: f64, query_square: f64, row_square: f64) -> f32 {
    (query_square + row_square - 2.0 * cross) as f32
}

/// A subtraction and not a negation: the key of 0 is 0 and not -0.
#[inline(always)]
pub(super) fn ip(cross: f64) -> f32 {
    (0.0 - cross) as f32
}

/// [`side`] of four vectors.
#[inline(always)]
pub(super) fn sides(metric: Metric, squares: [f64; 4]) -> [f64; 4] {
    let mut sides = squares;
    if matches!(metric, Metric::Cosine) {
        let mut i = 0;
        while i < 4 {
            sides[i] = side(Metric::Cosine, squares[i]);
            i += 1;
        }
    }
    sides
}

/// [`key`] of a query with four rows, the query's bias taken off the sums. The metric is looked at once, so that the
/// four are computed side by side.
#[inline(always)]
pub(super) fn four(metric: Metric, cross: [f64; 4], bias: f64, query: f64, rows: [f64; 4]) -> [f32; 4] {
    let mut keys = [0.0; 4];
    let mut i = 0;
    if matches!(metric, Metric::L2) {
        while i < 4 {
            keys[i] = l2(cross[i] - bias, query, rows[i]);
            i += 1;
        }
    } else if matches!(metric, Metric::Cosine) {
        while i < 4 {
            keys[i] = key(Metric::Cosine, cross[i] - bias, query, rows[i]);
            i += 1;
        }
    } else {
        while i < 4 {
            keys[i] = ip(cross[i] - bias);
            i += 1;
        }
    }
    keys
}
