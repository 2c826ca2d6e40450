//! NEON: population counts of bytes.
//!
//! | instruction | Neoverse N1 | Neoverse V1, V2 | Apple M1 |
//! |---|---|---|---|
//! | `cnt` | 2 cycles, 2 per cycle | 2, 4 per cycle | 2, 4 per cycle |
//! | logic and `add` | 2, 2 per cycle | 2, 4 per cycle | 2, 4 per cycle |
//! | `uaddlp` | 2, 1 per cycle | 2, 2 per cycle | 3, 4 per cycle |
//!
//! Three operations for a register of 16 bytes. Counts are kept in bytes, to which a register adds at most 8, so they
//! are emptied after 31 registers (248 of 255).
#![allow(clippy::needless_range_loop, reason = "one loop over registers")]
use std::arch::aarch64::*;

use super::lanes::{Bits, presence_table, table};

pub(super) struct Neon;

impl Bits for Neon {
    type Word = uint8x16_t;
    const BYTES: usize = 16;
    const SEGMENT: usize = 31 * 16;

    #[inline(always)]
    unsafe fn zero() -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const u8, count: usize) -> uint8x16_t {
        let mut bytes = [0; 16];
        // SAFETY: the caller's duty; `count` is below 16.
        unsafe {
            from.copy_to_nonoverlapping(bytes.as_mut_ptr(), count);
            vld1q_u8(bytes.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn and(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vandq_u8(a, b) }
    }

    #[inline(always)]
    unsafe fn or(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vorrq_u8(a, b) }
    }

    #[inline(always)]
    unsafe fn xor(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { veorq_u8(a, b) }
    }

    #[inline(always)]
    unsafe fn without(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vbicq_u8(a, b) }
    }

    #[inline(always)]
    unsafe fn any(word: uint8x16_t) -> bool {
        // SAFETY: the caller's duty.
        unsafe { vmaxvq_u32(vreinterpretq_u32_u8(word)) != 0 }
    }

    #[inline(always)]
    unsafe fn count(sum: uint8x16_t, word: uint8x16_t) -> uint8x16_t {
        // SAFETY: the caller's duty.
        unsafe { vaddq_u8(sum, vcntq_u8(word)) }
    }

    #[inline(always)]
    unsafe fn differ<const WIDTH: usize>(sum: uint8x16_t, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the caller's duty. A comparison gives all ones, which are -1, where it holds; its complement where
        // not.
        unsafe {
            match WIDTH {
                1 => vsubq_u8(sum, vmvnq_u8(vceqq_u8(a, b))),
                2 => {
                    let equal = vceqq_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b));
                    vreinterpretq_u8_u16(vsubq_u16(vreinterpretq_u16_u8(sum), vmvnq_u16(equal)))
                }
                4 => {
                    let equal = vceqq_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b));
                    vreinterpretq_u8_u32(vsubq_u32(vreinterpretq_u32_u8(sum), vmvnq_u32(equal)))
                }
                _ => {
                    let equal = vceqq_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b));
                    let differing = vmvnq_u8(vreinterpretq_u8_u64(equal));
                    vreinterpretq_u8_u64(vsubq_u64(vreinterpretq_u64_u8(sum), vreinterpretq_u64_u8(differing)))
                }
            }
        }
    }

    /// Into lanes of 4 bytes.
    #[inline(always)]
    unsafe fn settle<const LANE: usize>(sum: uint8x16_t) -> uint8x16_t {
        // SAFETY: the caller's duty. The upper halves of lanes of 8 bytes are 0, since a segment fills no more than the
        // lower.
        unsafe {
            match LANE {
                0 | 1 => vreinterpretq_u8_u32(vpaddlq_u16(vpaddlq_u8(sum))),
                2 => vreinterpretq_u8_u32(vpaddlq_u16(vreinterpretq_u16_u8(sum))),
                _ => sum,
            }
        }
    }

    #[inline(always)]
    unsafe fn totals<const R: usize>(sums: [uint8x16_t; R]) -> [u32; R] {
        let mut totals = [0; R];
        // SAFETY: the caller's duty; four rows are written where there are four.
        unsafe {
            if R == 4 {
                let first = vpaddq_u32(vreinterpretq_u32_u8(sums[0]), vreinterpretq_u32_u8(sums[1]));
                let second = vpaddq_u32(vreinterpretq_u32_u8(sums[2]), vreinterpretq_u32_u8(sums[3]));
                vst1q_u32(totals.as_mut_ptr(), vpaddq_u32(first, second));
            } else {
                for row in 0..R {
                    totals[row] = vaddvq_u32(vreinterpretq_u32_u8(sums[row]));
                }
            }
        }
        totals
    }
}

table! { isa: Neon, features: ["neon"], rows: 4 }
presence_table! { isa: Neon, features: ["neon"] }
