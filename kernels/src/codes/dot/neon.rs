//! NEON without dot products: products of bytes in 16 bits, added in pairs.
//!
//! | instruction | Cortex-A72 | Neoverse N1 | Apple M1 |
//! |---|---|---|---|
//! | `smull(2) v.8h` | 4 cycles, 1 per cycle | 4, 1 per cycle | 3, 4 per cycle |
//! | `addp v.8h` | 3, 1 per cycle | 2, 2 per cycle | 3, 4 per cycle |
//! | `sadalp v.4s` | 4, 1 per cycle | 4, 1 per cycle | 3, 4 per cycle |
//!
//! Codes of 8 bits are taken as `code - 128`, so that both sides are signed: a pair is at most `2 * 128 * 127 = 32512`
//! and fits `i16`. What is missing, 128 times the sum of the query, is added in the end. Fields of fewer bits are
//! shifted down and masked. Sixteen products take two multiplications and two additions.
#![allow(clippy::needless_range_loop, reason = "plain loops keep values in registers")]
use std::{arch::aarch64::*, marker::PhantomData};

use super::driver::{Arch, stamp};

/// Products of sixteen signed bytes.
pub(super) trait Dot {
    /// Adds four products to each lane.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn dot(sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t;
}

/// The loops' primitives over some way to multiply.
pub(super) struct Neon<D>(PhantomData<D>);

pub(super) struct Pairs;

impl Dot for Pairs {
    #[inline(always)]
    unsafe fn dot(sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe {
            let low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
            let high = vmull_high_s8(a, b);
            vpadalq_s16(sums, vpaddq_s16(low, high))
        }
    }
}

/// Each byte shifted down.
#[inline(always)]
unsafe fn down(codes: uint8x16_t, bits: u32) -> uint8x16_t {
    // SAFETY: the caller's duty.
    unsafe {
        match bits {
            0 => codes,
            1 => vshrq_n_u8::<1>(codes),
            2 => vshrq_n_u8::<2>(codes),
            3 => vshrq_n_u8::<3>(codes),
            4 => vshrq_n_u8::<4>(codes),
            5 => vshrq_n_u8::<5>(codes),
            6 => vshrq_n_u8::<6>(codes),
            _ => vshrq_n_u8::<7>(codes),
        }
    }
}

impl<D: Dot> Arch for Neon<D> {
    type Codes = uint8x16_t;
    type Query = int8x16_t;
    type Sums = int32x4_t;
    const BYTES: usize = 16;
    const SIGNED: bool = true;

    #[inline(always)]
    unsafe fn zero() -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const u8, _count: usize) -> uint8x16_t {
        // Never called: no multiple of 16 is below 16.
        // SAFETY: the caller's duty.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn query<const BITS: u32>(from: *const i8) -> int8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vld1q_s8(from) }
    }

    #[inline(always)]
    unsafe fn query4<const BITS: u32>(from: *const i8) -> int8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vreinterpretq_s8_s32(vdupq_n_s32(from.cast::<i32>().read_unaligned())) }
    }

    #[inline(always)]
    unsafe fn step<const BITS: u32, const FIELDS: usize>(
        sums: &mut [int32x4_t; FIELDS],
        codes: uint8x16_t,
        query: &[int8x16_t; FIELDS],
    ) {
        // SAFETY: the caller's duty.
        unsafe {
            if BITS == 8 {
                let signed = vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(0x80)));
                sums[0] = D::dot(sums[0], signed, query[0]);
                return;
            }
            for s in 0..FIELDS {
                let mut field = down(codes, s as u32 * BITS);
                if s + 1 < FIELDS {
                    field = vandq_u8(field, vdupq_n_u8((0xff_u32 >> (8 - BITS)) as u8));
                }
                sums[0] = D::dot(sums[0], vreinterpretq_s8_u8(field), query[s]);
            }
        }
    }

    #[inline(always)]
    unsafe fn finish<const BITS: u32, const FIELDS: usize>(sums: &[int32x4_t; FIELDS]) -> int32x4_t {
        sums[0]
    }

    #[inline(always)]
    unsafe fn totals(four: &[int32x4_t; 4]) -> [i32; 4] {
        let mut totals = [0; 4];
        // SAFETY: the caller's duty; the array has room for the register.
        unsafe {
            let (ab, cd) = (vpaddq_s32(four[0], four[1]), vpaddq_s32(four[2], four[3]));
            vst1q_s32(totals.as_mut_ptr(), vpaddq_s32(ab, cd));
        }
        totals
    }

    #[inline(always)]
    unsafe fn store(sums: int32x4_t, to: *mut i32) {
        // SAFETY: the caller's duty.
        unsafe { vst1q_s32(to, sums) }
    }
}

stamp! {
    Neon<Pairs>,
    ["neon"],
    rows: [4, 4, 4, 4],
    columns: [4, 4, 4, 4]
}
