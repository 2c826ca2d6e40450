//! AVX2 and FMA: eight lanes; 64 values are eight registers.
//!
//! The three distances within a register take a shuffle and a multiply-add by 1 or -1 each (exact, so it rounds as
//! the sum does). At 768 that is about 2.2 thousand sums at 2 a cycle. Nothing overflows that does not overflow in
//! the norm.
use std::arch::x86_64::*;

use super::driver::{self, Lane};

#[derive(Clone, Copy)]
struct F32x8(__m256);

impl Lane for F32x8 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's duty.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn flip(self, factor: f32, signs: u64) -> Self {
        // SAFETY: the caller's duty.
        unsafe {
            // Bit i of the word becomes the sign of lane i.
            let shifts = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
            let bits = _mm256_sllv_epi32(_mm256_set1_epi32(signs as i32), shifts);
            let signs = _mm256_and_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(-0.0));
            Self(_mm256_xor_ps(_mm256_mul_ps(self.0, _mm256_set1_ps(factor)), signs))
        }
    }

    #[inline(always)]
    unsafe fn inner(self) -> Self {
        // SAFETY: the caller's duty.
        unsafe {
            let x = self.0;
            let signs = _mm256_setr_ps(1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0);
            let x = _mm256_fmadd_ps(x, signs, _mm256_permute_ps::<0b10_11_00_01>(x));
            let signs = _mm256_setr_ps(1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0);
            let x = _mm256_fmadd_ps(x, signs, _mm256_permute_ps::<0b01_00_11_10>(x));
            let signs = _mm256_setr_ps(1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0);
            Self(_mm256_fmadd_ps(x, signs, _mm256_permute2f128_ps::<0x01>(x, x)))
        }
    }
}

/// See [`super::Run`].
///
/// # Safety
/// The features are available, and what [`driver::forward`] asks for.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn forward(signs: *const u64, data: *mut f32, padded: usize) {
    // SAFETY: the caller's duty.
    unsafe { driver::forward::<F32x8, 8>(signs, data, padded) }
}
