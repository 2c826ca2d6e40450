//! NEON: four lanes, 32 registers; part of every 64-bit Arm CPU.
//!
//! | instruction | Cortex-A72 | Neoverse N1, V1 | Apple M1 |
//! |---|---|---|---|
//! | `fmla v.4s` | 7 cycles, 1 per cycle | 4, 2 per cycle (V1: 4) | 4, 4 per cycle |
//! | `ldr q` | 1 per cycle | 2 per cycle (V1: 3) | 3 per cycle |
//! | `fcvtl v.4s, v.4h` | 7, half a cycle | 3, 1 per cycle | 3, 2 per cycle |
//!
//! The 64 virtual lanes are sixteen registers, which a pair holds all at once; four rows hold four columns each, in four
//! sweeps; a tile four queries by four rows of one column. Nothing overflows before f32 itself does.
use std::arch::aarch64::*;

use super::lanes::{Isa, Lane, table};
use crate::element::{Bf16, F16};

pub(super) struct Neon;

#[derive(Clone, Copy, Debug)]
pub(super) struct F32x4(float32x4_t);

impl F32x4 {
    #[inline(always)]
    unsafe fn widen_bf16(bits: uint16x4_t) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(bits)) })
    }

    #[inline(always)]
    fn fold4<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> Self {
        // Each sum of sixteen is four registers.
        let first = columns[0].add(columns[4]).add(columns[8].add(columns[12]));
        let second = columns[1].add(columns[5]).add(columns[9].add(columns[13]));
        let third = columns[2].add(columns[6]).add(columns[10].add(columns[14]));
        let fourth = columns[3].add(columns[7]).add(columns[11].add(columns[15]));
        first.add(third).add(second.add(fourth))
    }
}

impl Lane for F32x4 {
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value of `F32x4` proves the instruction set.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vsubq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vfmaq_f32(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn total<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> f32 {
        let sum = Self::fold4(columns).0;
        // SAFETY: as above.
        unsafe { vpadds_f32(vadd_f32(vget_low_f32(sum), vget_high_f32(sum))) }
    }
}

impl Isa for Neon {
    type F32 = F32x4;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> F32x4 {
        // SAFETY: the caller's duty.
        F32x4(unsafe { vdupq_n_f32(0.0) })
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> F32x4 {
        // SAFETY: the caller's duty.
        F32x4(unsafe { vld1q_f32(from) })
    }

    #[inline(always)]
    unsafe fn load_first_f32(from: *const f32, count: usize) -> F32x4 {
        // SAFETY: the caller's duty; each arm reads `count` values.
        unsafe {
            let zero = vdupq_n_f32(0.0);
            F32x4(match count {
                1 => vld1q_lane_f32::<0>(from, zero),
                2 => vcombine_f32(vld1_f32(from), vget_low_f32(zero)),
                _ => vld1q_lane_f32::<2>(from.add(2), vcombine_f32(vld1_f32(from), vget_low_f32(zero))),
            })
        }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x4 {
        // SAFETY: the caller's duty.
        F32x4(unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast()))) })
    }

    #[inline(always)]
    unsafe fn load_first_f16(from: *const F16, count: usize) -> F32x4 {
        // SAFETY: the caller's duty; each arm reads `count` values.
        unsafe { F32x4(vcvt_f32_f16(vreinterpret_f16_u16(first_u16(from.cast(), count)))) }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> F32x4 {
        // SAFETY: the caller's duty.
        unsafe { F32x4::widen_bf16(vld1_u16(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_first_bf16(from: *const Bf16, count: usize) -> F32x4 {
        // SAFETY: the caller's duty.
        unsafe { F32x4::widen_bf16(first_u16(from.cast(), count)) }
    }
}

/// The first `count` 16-bit values, and zeros.
///
/// # Safety
/// `count` is in `1..LANES`, and `count` values are readable at `from`.
#[inline(always)]
unsafe fn first_u16(from: *const u16, count: usize) -> uint16x4_t {
    // SAFETY: the caller's duty.
    unsafe {
        let mut lanes = vld1_lane_u16::<0>(from, vdup_n_u16(0));
        if count > 1 {
            lanes = vld1_lane_u16::<1>(from.add(1), lanes);
        }
        if count > 2 {
            lanes = vld1_lane_u16::<2>(from.add(2), lanes);
        }
        lanes
    }
}

table! {
    isa: Neon,
    features: ["neon"],
    columns: 16,
    plain: { pair: 16, quad: 4, tile: 4 x 4 x 1 },
    squares: { pair: 8, quad: 2, tile: 4 x 4 x 1 },
}
