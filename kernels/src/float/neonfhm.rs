//! NEON with FP16 and FHM: products of binary16 added to sums of binary32, without widening first.
//!
//! | instruction | Neoverse N1 | Neoverse V1, V2 | Apple M1 |
//! |---|---|---|---|
//! | `fmlal v.4s, v.4h` | 5 cycles, 2 per cycle | 4-5, 4 per cycle | 4, 4 per cycle |
//! | `ldr q` | 2 per cycle | 3 per cycle | 3 per cycle |
//!
//! `fmlal` multiplies exactly and rounds once, as widening (which is exact) and a fused multiply-add do, so the bits
//! are those of the other sets; it saves the conversions, half of the work. A load brings two columns of the sixteen,
//! and each is one instruction; it is written as assembly because its intrinsic is not inlined into code that is
//! compiled for several sets. Nothing overflows before `f32` itself does.
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
    element::F16,
    metric::{Ip, Product},
};

/// Products of binary16, with the key of `M`.
pub(super) struct Products<M>(PhantomData<M>);

impl<M: Product> Arithmetic for Products<M> {
    type Stored = F16;
    type Query = F16;
    type Packed = uint16x8_t;
    type Sum = [F32x4; 2];
    type Lane = F32x4;
    const WIDTH: usize = 8;
    const SQUARES: bool = M::SQUARES;
    const AHEAD: usize = 0;

    #[inline(always)]
    unsafe fn zero() -> [F32x4; 2] {
        // SAFETY: the caller's duty.
        unsafe { [F32x4(vdupq_n_f32(0.0)), F32x4(vdupq_n_f32(0.0))] }
    }

    #[inline(always)]
    unsafe fn load(from: *const F16) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { vld1q_u16(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_up_to(from: *const F16, count: usize) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { first8_u16(from.cast(), count) }
    }

    #[inline(always)]
    unsafe fn load_query(from: *const F16) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn load_query_up_to(from: *const F16, count: usize) -> uint16x8_t {
        // SAFETY: the caller's duty.
        unsafe { Self::load_up_to(from, count) }
    }

    #[inline(always)]
    fn step(sum: [F32x4; 2], a: uint16x8_t, b: uint16x8_t) -> [F32x4; 2] {
        let (mut low, mut high) = (sum[0].0, sum[1].0);
        // SAFETY: a value of `F32x4` proves the instruction set of `zero`, which is that of the cells below; the
        // instructions read and write the named registers alone.
        unsafe {
            asm!(
                "fmlal {low:v}.4s, {a:v}.4h, {b:v}.4h",
                "fmlal2 {high:v}.4s, {a:v}.4h, {b:v}.4h",
                low = inout(vreg) low,
                high = inout(vreg) high,
                a = in(vreg) a,
                b = in(vreg) b,
                options(pure, nomem, nostack),
            );
        }
        [F32x4(low), F32x4(high)]
    }

    #[inline(always)]
    fn square(sum: [F32x4; 2], a: uint16x8_t) -> [F32x4; 2] {
        Self::step(sum, a, a)
    }

    #[inline(always)]
    fn fold(columns: &[[F32x4; 2]]) -> F32x4 {
        F32x4::fold::<false>(columns.as_flattened())
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        M::key(sum, query_square, row_square)
    }
}

cells!(["neon", "fp16", "fhm"]);

pub(super) const fn plain<M: Product>() -> Cell<F16> {
    cell::<Products<M>, Products<M>, Products<Ip>, 8, 8, 8, 1, 4, 2, 3, 4, 1>()
}

pub(super) const fn squares<M: Product>() -> Cell<F16> {
    cell::<Products<M>, Products<M>, Products<Ip>, 8, 4, 8, 1, 4, 1, 2, 4, 1>()
}
