//! From integer products and factors to keys: one loop over the rows of a stretch, compiled for each register size.
//!
//! The operations are the same in each, none is fused, and so are the bits of the keys. A row takes three loads of
//! factors, a conversion and four to six operations, on sixteen rows at a time with AVX-512: a tenth of the product of
//! 768 components.
#![allow(clippy::needless_range_loop, reason = "one index into many arrays")]
use crate::isa::{Version, versions};

/// Rows whose keys are computed together: as many blocks as are scanned together.
pub(super) const STRETCH: usize = 128;

/// The products and factors of some rows, of which the first `len` are used.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) len: usize,
    pub(super) high: [i32; STRETCH],
    /// The products with the lower half of a wide query, or zeros.
    pub(super) low: [i32; STRETCH],
    pub(super) min: [f32; STRETCH],
    pub(super) step: [f32; STRETCH],
    pub(super) square: [f32; STRETCH],
}

/// What the query contributes; see the formulas in [`super`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What a unit of the products with the (upper half of the) query stands for, and with the lower half.
    pub(super) high_scale: f32,
    pub(super) low_scale: f32,
    /// `h * (sum(v) - s * sum(q8))`.
    pub(super) middle: f32,
    /// `sum(v)`.
    pub(super) sum: f32,
    /// The key is `constant + square_weight * square + product_weight * <v, r^>`,
    pub(super) constant: f32,
    pub(super) square_weight: f32,
    pub(super) product_weight: f32,
    /// and for COSINE that over the root of the square, cut to -1 and 1.
    pub(super) cosine: bool,
}

/// The loop for an instruction set, which is available where this is at hand.
pub(super) type KeyLoop = unsafe fn(&Terms, &Stretch, &mut [f32; STRETCH]);

/// The loops, best first.
pub(super) static LOOPS: &[Version<KeyLoop>] = versions![
    x86 AVX512 => avx512,
    x86 AVX2 => avx2,
    any SCALAR => scalar,
];

/// Written for all rows of the stretch, so that the compiler knows the length.
#[inline(always)]
fn body(terms: &Terms, rows: &Stretch, keys: &mut [f32; STRETCH]) {
    let len = rows.len.next_multiple_of(16).min(STRETCH);
    for i in 0..len {
        let product = terms.high_scale * rows.high[i] as f32 + terms.low_scale * rows.low[i] as f32;
        let inner = rows.min[i] * terms.sum + rows.step[i] * (product + terms.middle);
        keys[i] = terms.constant + terms.square_weight * rows.square[i] + terms.product_weight * inner;
    }
    if terms.cosine {
        for i in 0..len {
            let cosine = (keys[i] / rows.square[i].sqrt()).clamp(-1.0, 1.0);
            keys[i] = if rows.square[i] > 0.0 { cosine } else { 0.0 };
        }
    }
}

unsafe fn scalar(terms: &Terms, rows: &Stretch, keys: &mut [f32; STRETCH]) {
    body(terms, rows, keys);
}

/// # Safety
/// AVX2 is available.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(terms: &Terms, rows: &Stretch, keys: &mut [f32; STRETCH]) {
    body(terms, rows, keys);
}

/// # Safety
/// AVX-512 F, BW, VL and DQ are available.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn avx512(terms: &Terms, rows: &Stretch, keys: &mut [f32; STRETCH]) {
    body(terms, rows, keys);
}
