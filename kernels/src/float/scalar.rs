//! Plain Rust, for any CPU: sixteen lanes in an array, with the same roundings as the vector sets.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]
#[cfg(test)]
mod tests;

use super::{
    Float,
    arithmetic::{Arithmetic, Split, Wide},
    driver,
    lanes::{Isa, Lane},
};
use crate::{
    cell::Cell,
    element::{Bf16, F16},
    metric::{Ip, Op},
};

const LANES: usize = 16;

pub(super) struct Scalar;

#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct F32x16([f32; LANES]);

/// Whether `f32::mul_add` is an instruction here; else it is a call into the C library.
const HAS_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Lane for F32x16 {
    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] += other.0[i];
        }
        self
    }

    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] -= other.0[i];
        }
        self
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        if HAS_FMA {
            return self.fma_exact(a, b);
        }
        // The product of two f32 is exact in f64, so the f64 sum is the true sum rounded once, and rounding it again
        // to f32 is wrong only if that sum lies halfway between two f32: low 29 bits 1000.. for a normal result. Those,
        // and subnormal results, whose halfway bits are elsewhere, are left to the C library.
        let mut rounded = [0.0; LANES];
        let mut doubtful = 0;
        for i in 0..LANES {
            let sum = f64::from(a.0[i]) * f64::from(b.0[i]) + f64::from(self.0[i]);
            let halfway = sum.to_bits() & 0x1fff_ffff == 0x1000_0000;
            let small = sum.abs() < f64::from(f32::MIN_POSITIVE) && sum != 0.0;
            doubtful |= u64::from(halfway | small);
            rounded[i] = sum as f32;
        }
        if doubtful == 0 { Self(rounded) } else { self.fma_exact(a, b) }
    }

    #[inline(always)]
    fn fold<const SPLIT: bool>(columns: &[Self]) -> Self {
        let first = columns[0].add(columns[1]);
        if columns.len() == 2 { first } else { first.add(columns[2].add(columns[3])) }
    }

    #[inline(always)]
    fn total(self) -> f32 {
        let mut sums = self.0;
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                sums[i] += sums[i + half];
            }
            half /= 2;
        }
        sums[0]
    }
}

impl F32x16 {
    #[inline(always)]
    fn fma_exact(mut self, a: Self, b: Self) -> Self {
        for i in 0..LANES {
            self.0[i] = a.0[i].mul_add(b.0[i], self.0[i]);
        }
        self
    }

    #[inline(always)]
    fn split(numbers: [Bf16; 2 * LANES]) -> [Self; 2] {
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        for i in 0..LANES {
            (even[i], odd[i]) = (numbers[2 * i].to_f32(), numbers[2 * i + 1].to_f32());
        }
        [Self(even), Self(odd)]
    }

    #[inline(always)]
    fn widen(halves: [F16; LANES]) -> Self {
        let mut lanes = [0.0; LANES];
        for i in 0..LANES {
            lanes[i] = halves[i].to_f32();
        }
        Self(lanes)
    }
}

impl Isa for Scalar {
    type F32 = F32x16;
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn zero() -> F32x16 {
        F32x16([0.0; LANES])
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_up_to_f32(from: *const f32, count: usize) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { up_to(from, count) })
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16::widen(unsafe { from.cast::<[F16; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_up_to_f16(from: *const F16, count: usize) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16::widen(unsafe { up_to(from, count) })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> [F32x16; 2] {
        // SAFETY: the caller's duty.
        F32x16::split(unsafe { from.cast::<[Bf16; 2 * LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_up_to_bf16(from: *const Bf16, count: usize) -> [F32x16; 2] {
        // SAFETY: the caller's duty.
        F32x16::split(unsafe { up_to(from, count) })
    }
}

/// The first `count` values, `N` at most, and zeros.
///
/// # Safety
/// `count` values are readable at `from`.
#[inline(always)]
unsafe fn up_to<T: Copy + Default, const N: usize>(from: *const T, count: usize) -> [T; N] {
    let mut values = [T::default(); N];
    // SAFETY: the caller's duty.
    unsafe { from.copy_to_nonoverlapping(values.as_mut_ptr(), count.min(N)) };
    values
}

/// The cell of the arithmetic `A` of `C` columns, one at a time; `S` is the inner product over the same columns. Blocks
/// of rows would win nothing: the emulated multiply-add is far slower than the loads that they save.
const fn cell<
    A: Arithmetic<Query = <A as Arithmetic>::Stored>,
    S: Arithmetic<Stored = A::Stored, Query = A::Stored>,
    const C: usize,
>() -> Cell<A::Stored> {
    Cell { pair: pair::<A, C>, many: many::<A, S, C>, tile: tile::<A, S, C>, square: square::<S, C> }
}

pub(super) const fn plain<M: Op, E: Float>() -> Cell<E> {
    cell::<Wide<Scalar, E, M>, Wide<Scalar, E, Ip>, 4>()
}

pub(super) const fn plain_bf16<M: Op>() -> Cell<Bf16> {
    cell::<Split<Scalar, M>, Split<Scalar, Ip>, 2>()
}

#[inline(never)]
unsafe fn pair<A: Arithmetic<Query = <A as Arithmetic>::Stored>, const C: usize>(
    a: *const A::Stored,
    b: *const A::Stored,
    dim: usize,
) -> f32 {
    // SAFETY: the caller's duty.
    unsafe { driver::pair::<A, C, 1>(a, b, dim) }
}

unsafe fn square<S: Arithmetic<Query = <S as Arithmetic>::Stored>, const C: usize>(
    row: *const S::Stored,
    dim: usize,
) -> f32 {
    // SAFETY: the caller's duty.
    0.0 - unsafe { pair::<S, C>(row, row, dim) }
}

unsafe fn many<
    A: Arithmetic<Query = <A as Arithmetic>::Stored>,
    S: Arithmetic<Stored = A::Stored, Query = A::Stored>,
    const C: usize,
>(
    query: *const A::Stored,
    base: *const A::Stored,
    dim: usize,
    ids: *const u32,
    count: usize,
    keys: *mut f32,
) {
    // SAFETY: the caller's duty; `i` is below `count`.
    unsafe {
        let query_square = if A::SQUARES && count > 0 { square::<S, C>(query, dim) } else { 0.0 };
        for i in 0..count {
            let row = base.add(dim * if ids.is_null() { i } else { *ids.add(i) as usize });
            let key = if A::SQUARES {
                driver::row::<A, C, 1>(query, query_square, row, dim)
            } else {
                pair::<A, C>(query, row, dim)
            };
            keys.add(i).write(key);
        }
    }
}

unsafe fn tile<
    A: Arithmetic<Query = <A as Arithmetic>::Stored>,
    S: Arithmetic<Stored = A::Stored, Query = A::Stored>,
    const C: usize,
>(
    queries: *const A::Stored,
    query_count: usize,
    base: *const A::Stored,
    row_count: usize,
    dim: usize,
    keys: *mut f32,
) {
    for query in 0..query_count {
        // SAFETY: the caller's duty; `query` is below `query_count`.
        unsafe {
            let to = keys.add(query * row_count);
            many::<A, S, C>(queries.add(query * dim), base, dim, std::ptr::null(), row_count, to);
        }
    }
}
