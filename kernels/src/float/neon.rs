//! NEON: four lanes, 32 registers; part of every 64-bit Arm CPU.
//!
//! | instruction | Cortex-A72 | Neoverse N1, V1 | Apple M1 |
//! |---|---|---|---|
//! | `fmla v.4s` | 7 cycles, 1 per cycle | 4, 2 per cycle (V1: 4) | 4, 4 per cycle |
//! | `ldr q` | 1 per cycle | 2 per cycle (V1: 3) | 3 per cycle |
//! | `fcvtl v.4s, v.4h` | 7, half a cycle | 3, 1 per cycle | 3, 2 per cycle |
//!
//! The 64 virtual lanes are sixteen registers, which a pair holds all at once (where squares are summed too, eight of
//! each of three); four rows hold four columns each, in four sweeps; a tile four queries by four rows of one column.
//! With what is loaded that is 30 registers at most: within a sweep none is spilled. Nothing overflows before f32
//! itself does.
use std::arch::aarch64::*;

use super::{
    Float,
    arithmetic::{Arithmetic, Split, Wide},
    lanes::{Isa, Lane, cells, place},
};
use crate::{
    cell::Cell,
    element::{Bf16, F16},
    metric::{Ip, Op},
};

pub(super) struct Neon;

#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct F32x4(pub(super) float32x4_t);

impl F32x4 {
    /// The components at even places of a register of bf16, and those at odd places.
    #[inline(always)]
    unsafe fn split(bits: uint16x8_t) -> [Self; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let bits = vreinterpretq_u32_u16(bits);
            let odd = vandq_u32(bits, vdupq_n_u32(0xffff_0000));
            [Self(vreinterpretq_f32_u32(vshlq_n_u32::<16>(bits))), Self(vreinterpretq_f32_u32(odd))]
        }
    }

    #[inline(always)]
    fn fold_part<const SPLIT: bool>(columns: &[Self], part: usize) -> Self {
        let first = columns[place::<SPLIT>(4, 0, part)].add(columns[place::<SPLIT>(4, 1, part)]);
        let second = columns[place::<SPLIT>(4, 2, part)].add(columns[place::<SPLIT>(4, 3, part)]);
        first.add(second)
    }

    /// The total of four lanes.
    #[inline(always)]
    pub(super) fn fold1(self) -> f32 {
        // SAFETY: a value of `F32x4` proves the instruction set.
        unsafe { vpadds_f32(vadd_f32(vget_low_f32(self.0), vget_high_f32(self.0))) }
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
    fn fold<const SPLIT: bool>(columns: &[Self]) -> Self {
        // Each sum of sixteen is four registers.
        let even = Self::fold_part::<SPLIT>(columns, 0).add(Self::fold_part::<SPLIT>(columns, 2));
        even.add(Self::fold_part::<SPLIT>(columns, 1).add(Self::fold_part::<SPLIT>(columns, 3)))
    }

    #[inline(always)]
    fn total(self) -> f32 {
        self.fold1()
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
    unsafe fn load_up_to_f32(from: *const f32, count: usize) -> F32x4 {
        // SAFETY: the caller's duty; each arm reads no more than `count` values.
        unsafe {
            let zero = vdupq_n_f32(0.0);
            F32x4(match count {
                1 => vld1q_lane_f32::<0>(from, zero),
                2 => vcombine_f32(vld1_f32(from), vget_low_f32(zero)),
                3 => vld1q_lane_f32::<2>(from.add(2), vcombine_f32(vld1_f32(from), vget_low_f32(zero))),
                _ => vld1q_f32(from),
            })
        }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x4 {
        // SAFETY: the caller's duty.
        F32x4(unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast()))) })
    }

    #[inline(always)]
    unsafe fn load_up_to_f16(from: *const F16, count: usize) -> F32x4 {
        // SAFETY: the caller's duty.
        unsafe { F32x4(vcvt_f32_f16(vreinterpret_f16_u16(first4_u16(from.cast(), count)))) }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> [F32x4; 2] {
        // SAFETY: the caller's duty.
        unsafe { F32x4::split(vld1q_u16(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_up_to_bf16(from: *const Bf16, count: usize) -> [F32x4; 2] {
        // SAFETY: the caller's duty.
        unsafe { F32x4::split(first8_u16(from.cast(), count)) }
    }
}

/// The first `count` 16-bit values, four at most, and zeros.
///
/// # Safety
/// `count` is at least 1, and `count` values are readable at `from`.
#[inline(always)]
unsafe fn first4_u16(from: *const u16, count: usize) -> uint16x4_t {
    // SAFETY: the caller's duty.
    unsafe {
        if count >= 4 {
            return vld1_u16(from);
        }
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

/// The first `count` 16-bit values, eight at most, and zeros.
///
/// # Safety
/// `count` is at least 1, and `count` values are readable at `from`.
#[inline(always)]
pub(super) unsafe fn first8_u16(from: *const u16, count: usize) -> uint16x8_t {
    // SAFETY: the caller's duty; the second half is read only where it begins within the values.
    unsafe {
        let high = if count > 4 { first4_u16(from.add(4), count - 4) } else { vdup_n_u16(0) };
        vcombine_u16(first4_u16(from, count), high)
    }
}

cells!(["neon"]);

pub(super) const fn plain<M: Op, E: Float>() -> Cell<E> {
    cell::<Wide<Neon, E, M>, Wide<Neon, E, M, f32>, Wide<Neon, E, Ip>, 16, 16, 16, 1, 4, 4, 4, 4, 1>()
}

pub(super) const fn squares<M: Op, E: Float>() -> Cell<E> {
    cell::<Wide<Neon, E, M>, Wide<Neon, E, M, f32>, Wide<Neon, E, Ip>, 16, 8, 16, 1, 4, 2, 4, 4, 1>()
}

pub(super) const fn plain_bf16<M: Op>() -> Cell<Bf16> {
    cell::<Split<Neon, M>, Split<Neon, M>, Split<Neon, Ip>, 8, 8, 8, 1, 4, 2, 2, 4, 1>()
}

pub(super) const fn squares_bf16<M: Op>() -> Cell<Bf16> {
    cell::<Split<Neon, M>, Split<Neon, M>, Split<Neon, Ip>, 8, 2, 8, 1, 4, 1, 2, 3, 1>()
}
