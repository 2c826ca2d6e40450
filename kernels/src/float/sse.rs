//! The last folds, from four lanes to one, shared by the x86-64 sets.
use std::arch::x86_64::*;

/// `(0 + 2) + (1 + 3)`.
#[inline(always)]
pub(super) fn total(sum: __m128) -> f32 {
    // SAFETY: SSE belongs to the architecture.
    unsafe {
        let two = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}

/// [`total`] of each, by transposing while folding.
#[inline(always)]
pub(super) fn totals([a, b, c, d]: [__m128; 4]) -> [f32; 4] {
    // SAFETY: SSE belongs to the architecture.
    unsafe {
        let ab = _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
        let cd = _mm_add_ps(_mm_movelh_ps(c, d), _mm_movehl_ps(d, c));
        let sums = _mm_add_ps(_mm_shuffle_ps::<0b10_00_10_00>(ab, cd), _mm_shuffle_ps::<0b11_01_11_01>(ab, cd));
        let mut out = [0.0; 4];
        _mm_storeu_ps(out.as_mut_ptr(), sums);
        out
    }
}
