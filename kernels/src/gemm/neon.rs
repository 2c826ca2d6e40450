//! NEON: tiles of 8 queries by 12 rows, 24 registers of sums, three of rows, the rest for broadcast queries.
//!
//! | instruction | Cortex-A72 | Neoverse N1, V1 | Apple M1 |
//! |---|---|---|---|
//! | `fmla v.4s` | 1 per cycle | 2 per cycle (V1: 4) | 4 per cycle |
//! | `sdot v.4s` | - | 2 per cycle (V1: 4) | 4 per cycle |
//! | `ld1r v.4s` | 1 per cycle | 2 per cycle | 3 per cycle |
//!
//! A step needs eleven loads for 24 multiply-adds. Bytes are signed on both sides, and their sums stay below
//! `128 * 128 * 65536 = 2^30`.
use std::arch::{aarch64::*, asm};

use super::{pack::stamp, tile::Simd};

#[derive(Debug)]
struct F32;
#[derive(Debug)]
struct I8;

macro_rules! simd {
    ($name:ident, $sum:ty, $word:ty, [$($own:tt)*]) => {
        impl Simd for $name {
            type F = float32x4_t;
            type Sum = $sum;
            type Word = $word;
            const LANES: usize = 4;

            $($own)*

            #[inline(always)]
            unsafe fn load(from: *const f32) -> float32x4_t {
                // SAFETY: the caller's duty.
                unsafe { vld1q_f32(from) }
            }

            #[inline(always)]
            unsafe fn store(to: *mut f32, value: float32x4_t) {
                // SAFETY: the caller's duty.
                unsafe { vst1q_f32(to, value) }
            }

            #[inline(always)]
            unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
                // SAFETY: the caller's duty.
                unsafe { vmulq_f32(a, b) }
            }

            #[inline(always)]
            unsafe fn sub_mul(base: float32x4_t, factor: *const f32, b: float32x4_t) -> float32x4_t {
                // SAFETY: the caller's duty.
                unsafe { vfmsq_f32(base, b, vld1q_dup_f32(factor)) }
            }

            #[inline(always)]
            unsafe fn at_most(value: float32x4_t, limit: *const f32) -> u32 {
                const BITS: [u32; 4] = [1, 2, 4, 8];
                // SAFETY: the caller's duty.
                unsafe {
                    let within = vcleq_f32(value, vld1q_dup_f32(limit));
                    vaddvq_u32(vandq_u32(within, vld1q_u32(BITS.as_ptr())))
                }
            }
        }
    };
}

simd!(F32, float32x4_t, float32x4_t, [
    #[inline(always)]
    unsafe fn sum(value: i32) -> float32x4_t {
        // SAFETY: the caller's duty.
        unsafe { vdupq_n_f32(value as f32) }
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> float32x4_t {
        // SAFETY: the caller's duty.
        unsafe { vld1q_f32(from.cast()) }
    }

    #[inline(always)]
    unsafe fn step(sum: float32x4_t, query: *const u32, rows: float32x4_t) -> float32x4_t {
        // SAFETY: the caller's duty.
        unsafe { vfmaq_f32(sum, rows, vld1q_dup_f32(query.cast())) }
    }

    #[inline(always)]
    unsafe fn floats(sum: float32x4_t) -> float32x4_t {
        sum
    }
]);

simd!(I8, int32x4_t, int32x4_t, [
    #[inline(always)]
    unsafe fn sum(value: i32) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { vdupq_n_s32(value) }
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { vld1q_s32(from.cast()) }
    }

    #[inline(always)]
    unsafe fn step(mut sum: int32x4_t, query: *const u32, rows: int32x4_t) -> int32x4_t {
        // SAFETY: the caller's duty; the instruction touches its registers only.
        unsafe {
            let query = vld1q_dup_s32(query.cast());
            asm!(
                "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sum,
                in(vreg) rows,
                in(vreg) query,
                options(pure, nomem, nostack, preserves_flags),
            );
            sum
        }
    }

    #[inline(always)]
    unsafe fn floats(sum: int32x4_t) -> float32x4_t {
        // SAFETY: the caller's duty.
        unsafe { vcvtq_f32_s32(sum) }
    }
]);

stamp! {
    float: F32, Format::F32, 8 x 3, flip: 0,
    features: ["neon"],
}
stamp! {
    bytes: I8, Format::I8, 8 x 3, flip: 0,
    features: ["neon", "dotprod"],
}
