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

    /// What the query is given as.
    type Query: Copy;

    /// A register of values.
    type Packed: Copy;

    /// The running sums of one packed register.
    type Sum: Copy;

    /// The 64 lanes of a sum, folded onto those of one register.
    type Lane: Lane;

    /// Values in a packed register.
    const WIDTH: usize;

    /// Whether [`Arithmetic::key`] needs the squared lengths; if not, they are passed as 0.
    const SQUARES: bool;

    /// Whether the query has to be made ready by [`Arithmetic::prepare`].
    const PREPARES: bool = false;

    /// Whether consecutive rows from the second-level cache are best taken in order too, see [`super::driver::many`].
    const IN_ORDER: bool = false;

    /// Whether half of the columns may be folded alone, and the two halves added.
    const HALVES: bool = false;

    /// Bytes ahead that a stream of rows is asked for, 0 where the hardware's own prefetching is enough. Measured on Zen
    /// 5 with two rows of binary16 or bf16 at a time: 6 to 10 KiB are best at 768 components, 7 to 8 KiB at 1536.
    const AHEAD: usize;

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

    /// As [`Arithmetic::load`], of the query.
    ///
    /// # Safety
    /// The same.
    unsafe fn load_query(from: *const Self::Query) -> Self::Packed;

    /// As [`Arithmetic::load_up_to`], of the query.
    ///
    /// # Safety
    /// The same.
    unsafe fn load_query_up_to(from: *const Self::Query, count: usize) -> Self::Packed;

    /// Makes a query ready, where [`Arithmetic::PREPARES`] asks for it.
    ///
    /// # Safety
    /// The instruction set is available, `dim` values are readable at `from`, and as many, rounded up to a multiple of
    /// `WIDTH`, may be written at `to`.
    #[inline(always)]
    unsafe fn prepare(_from: *const Self::Stored, _dim: usize, _to: *mut Self::Query) {}

    /// Adds the terms of two registers.
    fn step(sum: Self::Sum, a: Self::Packed, b: Self::Packed) -> Self::Sum;

    /// Adds the squares of a register.
    fn square(sum: Self::Sum, a: Self::Packed) -> Self::Sum;

    /// Folds the sums of all columns onto the lanes of one register.
    fn fold(columns: &[Self::Sum]) -> Self::Lane;

    /// The key, from the totals.
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32;
}

/// The total of each register, four at a time where there are four.
#[inline(always)]
pub(super) fn totals<L: Lane, const N: usize>(folded: &[L; N]) -> [f32; N] {
    let mut sums = [0.0; N];
    let mut i = 0;
    while i + 4 <= N {
        let four = [folded[i], folded[i + 1], folded[i + 2], folded[i + 3]];
        sums[i..i + 4].copy_from_slice(&L::totals(four));
        i += 4;
    }
    if N - i > 1 {
        // The last one is repeated: four at once are cheaper than two alone.
        let last = folded[N - 1];
        sums[i..].copy_from_slice(&L::totals([folded[i], folded[i + 1], last, last])[..N - i]);
    } else if i < N {
        sums[i] = folded[i].total();
    }
    sums
}

/// [`totals`] of two sets; where each is a pair, they make four.
#[inline(always)]
pub(super) fn totals_of_two<L: Lane, const N: usize>(a: &[L; N], b: &[L; N]) -> [[f32; N]; 2] {
    if N != 2 {
        return [totals(a), totals(b)];
    }
    let mut sums = [[0.0; N]; 2];
    [sums[0][0], sums[0][1], sums[1][0], sums[1][1]] = L::totals([a[0], a[1], b[0], b[1]]);
    sums
}

/// Every value is widened to a lane of `f32`, in order: component `i` of a stride goes into virtual lane `i`. The query
/// is given as `T`: as stored, or as `f32` to widen it once for many rows.
pub(super) struct Wide<I, E, M, T = E>(PhantomData<(I, E, M, T)>);

impl<I: Isa, E: Float, M: Op, T: Float> Arithmetic for Wide<I, E, M, T> {
    type Stored = E;
    type Query = T;
    type Packed = I::F32;
    type Sum = I::F32;
    type Lane = I::F32;
    const WIDTH: usize = I::LANES;
    const SQUARES: bool = M::SQUARES;
    const PREPARES: bool = size_of::<T>() != size_of::<E>();
    // A load is a whole line, of which there is enough to do while the next one comes.
    const IN_ORDER: bool = M::STEPS > 1 && I::LANES * size_of::<E>() == 64;
    const HALVES: bool = I::LANES == 16;
    const AHEAD: usize = if Self::HALVES || size_of::<E>() == 2 { 7 << 10 } else { 4 << 10 };

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
    unsafe fn load_query(from: *const T) -> I::F32 {
        // SAFETY: the caller's duty.
        unsafe { T::load::<I>(from) }
    }

    #[inline(always)]
    unsafe fn load_query_up_to(from: *const T, count: usize) -> I::F32 {
        // SAFETY: the caller's duty.
        unsafe { T::load_up_to::<I>(from, count) }
    }

    #[inline(always)]
    unsafe fn prepare(from: *const E, dim: usize, to: *mut T) {
        let mut at = 0;
        while at < dim {
            // SAFETY: `at` is below `dim`, and a register more may be written; `T` is `f32`, see `PREPARES`.
            unsafe {
                let whole = at + I::LANES <= dim;
                let from = from.add(at);
                let lanes = if whole { E::load::<I>(from) } else { E::load_up_to::<I>(from, dim - at) };
                to.add(at).cast::<I::F32>().write_unaligned(lanes);
            }
            at += I::LANES;
        }
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
    fn fold(columns: &[I::F32]) -> I::F32 {
        I::F32::fold::<false>(columns)
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
    type Query = Bf16;
    type Packed = [I::F32; 2];
    type Sum = [I::F32; 2];
    type Lane = I::F32;
    const WIDTH: usize = 2 * I::LANES;
    const SQUARES: bool = M::SQUARES;
    const HALVES: bool = I::LANES == 16;
    const AHEAD: usize = if Self::HALVES { 7 << 10 } else { 4 << 10 };

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
    unsafe fn load_query(from: *const Bf16) -> Self::Packed {
        // SAFETY: the caller's duty.
        unsafe { I::load_bf16(from) }
    }

    #[inline(always)]
    unsafe fn load_query_up_to(from: *const Bf16, count: usize) -> Self::Packed {
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
    fn fold(columns: &[Self::Sum]) -> I::F32 {
        I::F32::fold::<true>(columns.as_flattened())
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        M::key(sum, query_square, row_square)
    }
}
