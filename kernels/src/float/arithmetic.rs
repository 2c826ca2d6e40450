//! What is summed and from which registers: the seam between the loops of [`super::driver`] and the instructions.
//!
//! Most sets do [`Wide`] or [`Split`] arithmetic, whose bits are the same everywhere. Sets with products of their own
//! (pairs of bf16, widening products of f16) implement [`Arithmetic`] in their file.
#![allow(clippy::needless_range_loop, reason = "plain loops keep lanes in registers, see the driver")]
use std::marker::PhantomData;

use super::{
    Float,
    lanes::{Isa, Lane},
};
use crate::{
    element::{Bf16, Number},
    metric::Op,
};

/// How stored values become sums and sums become a key.
///
/// A value of [`Arithmetic::Packed`] or [`Arithmetic::Sum`] proves that the instruction set is available, since only
/// unsafe functions make the first; so arithmetic on them is safe.
pub(crate) trait Arithmetic {
    /// What is stored.
    type Stored: Number;

    /// A register of stored values.
    type Packed: Copy;

    /// The running sums of one packed register.
    type Sum: Copy;

    /// Stored values in a packed register.
    const WIDTH: usize;

    /// Whether [`Arithmetic::key`] needs the squared lengths; if not, they are passed as 0.
    const SQUARES: bool;

    /// Bytes ahead that long streams of rows are asked for, 0 where the hardware's own prefetching is enough.
    const STREAM_AHEAD: usize = 0;

    /// All sums zero.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn zero() -> Self::Sum;

    /// Loads a full register.
    ///
    /// # Safety
    /// The instruction set is available and `WIDTH` values are readable at `from`.
    unsafe fn load(from: *const Self::Stored) -> Self::Packed;

    /// Loads a register of which the first `count` values, or all if there are more, are wanted, and clears the others;
    /// reads nothing beyond.
    ///
    /// # Safety
    /// The instruction set is available, `count` is at least 1, and `count` values are readable at `from`.
    unsafe fn load_up_to(from: *const Self::Stored, count: usize) -> Self::Packed;

    /// Adds the terms of two registers.
    fn step(sum: Self::Sum, a: Self::Packed, b: Self::Packed) -> Self::Sum;

    /// Adds the squares of a register.
    fn square(sum: Self::Sum, a: Self::Packed) -> Self::Sum;

    /// The total of each set of columns.
    fn totals<const COLUMNS: usize, const N: usize>(columns: &[[Self::Sum; COLUMNS]; N]) -> [f32; N];

    /// The key, from the totals.
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32;
}

/// The totals of `N` sets of lanes, four at a time where there are four.
#[inline(always)]
pub(super) fn totals<L: Lane, const SPLIT: bool, const COLUMNS: usize, const N: usize>(
    columns: &[[L; COLUMNS]; N],
) -> [f32; N] {
    let mut flat: [&[L]; N] = [&[]; N];
    for i in 0..N {
        flat[i] = &columns[i];
    }
    flat_totals::<L, SPLIT, N>(flat)
}

/// As [`totals`], where each column is two registers.
#[inline(always)]
pub(super) fn pair_totals<L: Lane, const SPLIT: bool, const COLUMNS: usize, const N: usize>(
    columns: &[[[L; 2]; COLUMNS]; N],
) -> [f32; N] {
    let mut flat: [&[L]; N] = [&[]; N];
    for i in 0..N {
        flat[i] = columns[i].as_flattened();
    }
    flat_totals::<L, SPLIT, N>(flat)
}

#[inline(always)]
fn flat_totals<L: Lane, const SPLIT: bool, const N: usize>(columns: [&[L]; N]) -> [f32; N] {
    let mut sums = [0.0; N];
    let mut i = 0;
    while i + 4 <= N {
        let four = [columns[i], columns[i + 1], columns[i + 2], columns[i + 3]];
        sums[i..i + 4].copy_from_slice(&L::totals::<SPLIT>(four));
        i += 4;
    }
    while i < N {
        sums[i] = L::total::<SPLIT>(columns[i]);
        i += 1;
    }
    sums
}

/// Every value is widened to a lane of `f32`, in order: component `i` of a stride goes into virtual lane `i`.
pub(super) struct Wide<I, E, M>(PhantomData<(I, E, M)>);

impl<I: Isa, E: Float, M: Op> Arithmetic for Wide<I, E, M> {
    type Stored = E;
    type Packed = I::F32;
    type Sum = I::F32;
    const WIDTH: usize = I::LANES;
    const SQUARES: bool = M::SQUARES;
    const STREAM_AHEAD: usize = E::STREAM_AHEAD;

    #[inline(always)]
    unsafe fn zero() -> I::F32 {
        // SAFETY: the caller's duty.
        unsafe { I::zero() }
    }

    #[inline(always)]
    unsafe fn load(from: *const E) -> I::F32 {
        // SAFETY: the caller's duty.
        unsafe { E::load::<I>(from) }
    }

    #[inline(always)]
    unsafe fn load_up_to(from: *const E, count: usize) -> I::F32 {
        // SAFETY: the caller's duty.
        unsafe { E::load_up_to::<I>(from, count) }
    }

    #[inline(always)]
    fn step(sum: I::F32, a: I::F32, b: I::F32) -> I::F32 {
        M::step(sum, a, b)
    }

    #[inline(always)]
    fn square(sum: I::F32, a: I::F32) -> I::F32 {
        sum.fma(a, a)
    }

    #[inline(always)]
    fn totals<const COLUMNS: usize, const N: usize>(columns: &[[I::F32; COLUMNS]; N]) -> [f32; N] {
        totals::<I::F32, false, COLUMNS, N>(columns)
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        M::key(sum, query_square, row_square)
    }
}

/// bf16, widened in the register: the components at even places of a register by a shift, those at odd places by a
/// mask, which is half the work of spreading them out in order. So of each 32 components the even ones go into one sum
/// of sixteen and the odd ones into the next.
pub(super) struct Split<I, M>(PhantomData<(I, M)>);

impl<I: Isa, M: Op> Arithmetic for Split<I, M> {
    type Stored = Bf16;
    type Packed = [I::F32; 2];
    type Sum = [I::F32; 2];
    const WIDTH: usize = 2 * I::LANES;
    const SQUARES: bool = M::SQUARES;
    const STREAM_AHEAD: usize = 8 << 10;

    #[inline(always)]
    unsafe fn zero() -> Self::Sum {
        // SAFETY: the caller's duty.
        unsafe { [I::zero(), I::zero()] }
    }

    #[inline(always)]
    unsafe fn load(from: *const Bf16) -> Self::Packed {
        // SAFETY: the caller's duty.
        unsafe { I::load_bf16(from) }
    }

    #[inline(always)]
    unsafe fn load_up_to(from: *const Bf16, count: usize) -> Self::Packed {
        // SAFETY: the caller's duty.
        unsafe { I::load_up_to_bf16(from, count) }
    }

    #[inline(always)]
    fn step(sum: Self::Sum, a: Self::Packed, b: Self::Packed) -> Self::Sum {
        [M::step(sum[0], a[0], b[0]), M::step(sum[1], a[1], b[1])]
    }

    #[inline(always)]
    fn square(sum: Self::Sum, a: Self::Packed) -> Self::Sum {
        [sum[0].fma(a[0], a[0]), sum[1].fma(a[1], a[1])]
    }

    #[inline(always)]
    fn totals<const COLUMNS: usize, const N: usize>(columns: &[[Self::Sum; COLUMNS]; N]) -> [f32; N] {
        pair_totals::<I::F32, true, COLUMNS, N>(columns)
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        M::key(sum, query_square, row_square)
    }
}
