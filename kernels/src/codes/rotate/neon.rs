//! NEON: four lanes; 64 values are sixteen of the 32 registers.
//!
//! The two distances within a register take a shuffle and a multiply-add by 1 or -1 each (exact, so it rounds as the
//! sum does). At 768 that is about 4.4 thousand sums, at 4 a cycle on Neoverse V1 and 2 on N1. Nothing overflows that
//! does not overflow in the norm.
use std::arch::aarch64::*;

use super::driver::{self, Lane};

#[derive(Clone, Copy)]
struct F32x4(float32x4_t);

impl Lane for F32x4 {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { vld1q_f32(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's duty.
        unsafe { vst1q_f32(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { vsubq_f32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn flip(self, factor: f32, signs: u64) -> Self {
        const SHIFTS: [i32; 4] = [31, 30, 29, 28];
        // SAFETY: the caller's duty.
        unsafe {
            // Bit i of the word becomes the sign of lane i.
            let bits = vshlq_u32(vdupq_n_u32(signs as u32), vld1q_s32(SHIFTS.as_ptr()));
            let signs = vandq_u32(bits, vdupq_n_u32(1 << 31));
            Self(vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(vmulq_n_f32(self.0, factor)), signs)))
        }
    }

    #[inline(always)]
    unsafe fn inner(self) -> Self {
        const ODD: [f32; 4] = [1.0, -1.0, 1.0, -1.0];
        const HIGH: [f32; 4] = [1.0, 1.0, -1.0, -1.0];
        // SAFETY: the caller's duty.
        unsafe {
            let x = vfmaq_f32(vrev64q_f32(self.0), self.0, vld1q_f32(ODD.as_ptr()));
            Self(vfmaq_f32(vextq_f32::<2>(x, x), x, vld1q_f32(HIGH.as_ptr())))
        }
    }
}

/// See [`super::Run`].
///
/// # Safety
/// The features are available, and what [`driver::forward`] asks for.
#[target_feature(enable = "neon")]
pub(super) unsafe fn forward(signs: *const u64, data: *mut f32, padded: usize) {
    // SAFETY: the caller's duty.
    unsafe { driver::forward::<F32x4, 16>(signs, data, padded) }
}
