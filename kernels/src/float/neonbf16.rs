//! NEON with BF16: inner products of bf16, eight components an instruction, without widening.
//!
//! | instruction | Neoverse N2 | Neoverse V1, V2 |
//! |---|---|---|
//! | `bfdot v.4s, v.8h` | 5 cycles, 2 per cycle | 5, 2 (V1) or 4 (V2) per cycle |
//! | `ldr q` | 2 per cycle | 3 per cycle |
//!
//! A stride is eight registers of eight components; a pair sums all of them at once. `bfdot` is written as assembly
//! because its intrinsic is not stable.
//!
//! Not the bits of the other sets: `bfdot` takes subnormal components, products and sums as zero, and rounds its
//! additions to odd, by less than a whole unit in the last place each, unless the CPU has and uses EBF16. The products
//! of two bf16 are exact. See [`crate::float`] for the bound. Sums overflow where those of `f32` do.
#![allow(clippy::needless_range_loop, reason = "plain loops keep lanes in registers, see the driver")]
use std::{
    arch::{aarch64::*, asm},
    marker::PhantomData,
};

use super::{
    arithmetic::Arithmetic,
    lanes::{Lane, cells},
    neon::{F32x4, first8_u16},
};
use crate::{
    cell::Cell,
    element::Bf16,
    metric::{Ip, Product},
};

/// Products of pairs of bf16, with the key of `M`.
pub(super) struct Pairs<M>(PhantomData<M>);

impl<M: Product> Arithmetic for Pairs<M> {
    type Stored = Bf16;
    type Query = Bf16;
    type Packed = uint16x8_t;
    type Sum = F32x4;
    type Lane = F32x4;
    const WIDTH: usize = 8;
    const SQUARES: bool = M::SQUARES;
    const AHEAD: usize = 0;

    #[inline(always)]
    unsafe fn zero() -> F32x4 {
        // SAFETY: the caller's duty.
        F32x4(unsafe { vdupq_n_f32(0.0) })
    }

    #[inline(always)]
    unsafe fn load(from: *const Bf16) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { vld1q_u16(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_up_to(from: *const Bf16, count: usize) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { first8_u16(from.cast(), count) }
    }

    #[inline(always)]
    unsafe fn load_query(from: *const Bf16) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn load_query_up_to(from: *const Bf16, count: usize) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { Self::load_up_to(from, count) }
    }

    #[inline(always)]
    fn step(sum: F32x4, a: uint16x8_t, b: uint16x8_t) -> F32x4 {
        let mut out = sum.0;
        // SAFETY: a value of `F32x4` proves the instruction set of `zero`, which is that of the cells below; the
        // instruction reads and writes the named registers alone.
        unsafe {
            asm!(
                "bfdot {out:v}.4s, {a:v}.8h, {b:v}.8h",
                out = inout(vreg) out,
                a = in(vreg) a,
                b = in(vreg) b,
                options(pure, nomem, nostack),
            );
        }
        F32x4(out)
    }

    #[inline(always)]
    fn square(sum: F32x4, a: uint16x8_t) -> F32x4 {
        Self::step(sum, a, a)
    }

    #[inline(always)]
    fn fold(columns: &[F32x4]) -> F32x4 {
        let first = columns[0].add(columns[1]).add(columns[2].add(columns[3]));
        first.add(columns[4].add(columns[5]).add(columns[6].add(columns[7])))
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        M::key(sum, query_square, row_square)
    }
}

cells!(["neon", "bf16"]);

pub(super) const fn plain<M: Product>() -> Cell<Bf16> {
    cell::<Pairs<M>, Pairs<M>, Pairs<Ip>, 8, 8, 8, 1, 4, 4, 4, 4, 1>()
}

pub(super) const fn squares<M: Product>() -> Cell<Bf16> {
    cell::<Pairs<M>, Pairs<M>, Pairs<Ip>, 8, 8, 8, 1, 4, 2, 4, 4, 1>()
}
