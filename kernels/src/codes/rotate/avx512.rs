//! AVX-512 (F, DQ): sixteen lanes; 64 values are four registers.
//!
//! The four distances within a register take a shuffle and a multiply-add by 1 or -1 each (exact, so it rounds as the
//! sum does); the others a sum and a difference for two registers. At 768 that is about 1.1 thousand sums and 0.5
//! thousand shuffles, at 2 each a cycle on Zen 5, beside 0.9 thousand loads and stores; Zen 4 does half of it.
//! Nothing overflows that does not overflow in the norm: factors are applied before the sums.
use std::arch::x86_64::*;

use super::driver::{self, Lane};

#[derive(Clone, Copy)]
struct F32x16(__m512);

/// 1 in the lanes whose bit is clear in `$bits`, -1 in the others.
macro_rules! signs {
    ($bits:literal) => {
        _mm512_mask_blend_ps($bits, _mm512_set1_ps(1.0), _mm512_set1_ps(-1.0))
    };
}

impl Lane for F32x16 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's duty.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn flip(self, factor: f32, signs: u64) -> Self {
        // SAFETY: the caller's duty.
        unsafe {
            let scaled = _mm512_mul_ps(self.0, _mm512_set1_ps(factor));
            Self(_mm512_mask_xor_ps(scaled, signs as u16, scaled, _mm512_set1_ps(-0.0)))
        }
    }

    #[inline(always)]
    unsafe fn inner(self) -> Self {
        // SAFETY: the caller's duty.
        unsafe {
            let x = self.0;
            let x = _mm512_fmadd_ps(x, signs!(0xaaaa), _mm512_permute_ps::<0b10_11_00_01>(x));
            let x = _mm512_fmadd_ps(x, signs!(0xcccc), _mm512_permute_ps::<0b01_00_11_10>(x));
            let x = _mm512_fmadd_ps(x, signs!(0xf0f0), _mm512_shuffle_f32x4::<0b10_11_00_01>(x, x));
            Self(_mm512_fmadd_ps(x, signs!(0xff00), _mm512_shuffle_f32x4::<0b01_00_11_10>(x, x)))
        }
    }
}

/// See [`super::Run`].
///
/// # Safety
/// The features are available, and what [`driver::forward`] asks for.
#[target_feature(enable = "avx2,fma,avx512f,avx512dq")]
pub(super) unsafe fn forward(signs: *const u64, data: *mut f32, padded: usize) {
    // SAFETY: the caller's duty.
    unsafe { driver::forward::<F32x16, 4>(signs, data, padded) }
}
