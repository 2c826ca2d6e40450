//! AVX2 with FMA and F16C: eight lanes, 16 registers.
//!
//! | instruction | Haswell to Golden Cove | Zen 2 to Zen 5 |
//! |---|---|---|
//! | `vfmadd231ps ymm` | 4-5 cycles, 2 per cycle | 4-5, 2 per cycle |
//! | `vmovups ymm` load | 2 per cycle (Golden Cove 3) | 2 per cycle |
//! | `vcvtph2ps ymm, xmm` | 5-7, 1 per cycle | 4-5, 1 per cycle |
//! | `vmaskmovps ymm` load | 2 per cycle | 1 per cycle |
//!
//! The 64 virtual lanes are eight registers. A pair holds all eight (where squares are summed too, four of each of
//! three); four rows hold two columns each, in four sweeps; a tile two queries by four rows of one column. Eight sums
//! hide the latency, and with what is loaded they leave registers over: within a sweep none is spilled. Nothing
//! overflows before f32 itself does.
use std::arch::x86_64::*;

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

const LANES: usize = 8;

pub(super) struct Avx2;

#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct F32x8(__m256);

impl F32x8 {
    /// The components at even places of a register of bf16, and those at odd places.
    #[inline(always)]
    unsafe fn split(bits: __m256i) -> [Self; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let odd = _mm256_and_si256(bits, _mm256_set1_epi32(0xffff_0000_u32.cast_signed()));
            [Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))), Self(_mm256_castsi256_ps(odd))]
        }
    }

    #[inline(always)]
    fn fold_part<const SPLIT: bool>(columns: &[Self], part: usize) -> Self {
        let first = columns[place::<SPLIT>(2, 0, part)].add(columns[place::<SPLIT>(2, 1, part)]);
        let second = columns[place::<SPLIT>(2, 2, part)].add(columns[place::<SPLIT>(2, 3, part)]);
        first.add(second)
    }

    /// Eight lanes onto four.
    #[inline(always)]
    fn fold4(self) -> __m128 {
        // SAFETY: a value of `F32x8` proves the instruction set.
        unsafe { _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0)) }
    }
}

impl Lane for F32x8 {
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value of `F32x8` proves the instruction set.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn fold<const SPLIT: bool>(columns: &[Self]) -> Self {
        // Each sum of sixteen is a low and a high register.
        Self::fold_part::<SPLIT>(columns, 0).add(Self::fold_part::<SPLIT>(columns, 1))
    }

    #[inline(always)]
    fn total(self) -> f32 {
        super::sse::total(self.fold4())
    }

    #[inline(always)]
    fn totals([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        super::sse::totals([a.fold4(), b.fold4(), c.fold4(), d.fold4()])
    }
}

/// Read at `LANES - count`, the mask of the first `count` lanes.
static FIRST: [i32; 2 * LANES] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Isa for Avx2 {
    type F32 = F32x8;
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn zero() -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_up_to_f32(from: *const f32, count: usize) -> F32x8 {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        unsafe {
            let mask = _mm256_loadu_si256(FIRST.as_ptr().add(LANES - count.min(LANES)).cast());
            F32x8(_mm256_maskload_ps(from, mask))
        }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_up_to_f16(from: *const F16, count: usize) -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_cvtph_ps(first_u16(from.cast(), count)) })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> [F32x8; 2] {
        // SAFETY: the caller's duty.
        unsafe { F32x8::split(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_up_to_bf16(from: *const Bf16, count: usize) -> [F32x8; 2] {
        // SAFETY: the caller's duty; the second half is read only where it begins within the values.
        unsafe {
            let low = first_u16(from.cast(), count);
            let high = if count > 8 { first_u16(from.add(8).cast(), count - 8) } else { _mm_setzero_si128() };
            F32x8::split(_mm256_set_m128i(high, low))
        }
    }
}

/// The first `count` 16-bit values, eight at most, and zeros. There is no masked load of 16-bit lanes, and a copy
/// through memory would stall on the store.
///
/// # Safety
/// The instruction set is available, `count` is at least 1, and `count` values are readable at `from`.
#[inline(always)]
unsafe fn first_u16(from: *const u16, count: usize) -> __m128i {
    // SAFETY: the reads are of values `0..4`, `count - 4..count`, or single ones below `count`.
    unsafe {
        let four = |at: usize| from.add(at).cast::<u64>().read_unaligned();
        let (low, high) = match count {
            1 => (u64::from(*from), 0),
            2 => (u64::from(from.cast::<u32>().read_unaligned()), 0),
            3 => (u64::from(from.cast::<u32>().read_unaligned()) | (u64::from(*from.add(2)) << 32), 0),
            4 => (four(0), 0),
            LANES.. => return _mm_loadu_si128(from.cast()),
            _ => (four(0), four(count - 4) >> (16 * (LANES - count))),
        };
        _mm_set_epi64x(high.cast_signed(), low.cast_signed())
    }
}

cells!(["avx2", "fma", "f16c"]);

pub(super) const fn plain<M: Op, E: Float>() -> Cell<E> {
    cell::<Wide<Avx2, E, M>, Wide<Avx2, E, M, f32>, Wide<Avx2, E, Ip>, 8, 8, 8, 1, 4, 2, 2, 4, 1>()
}

pub(super) const fn squares<M: Op, E: Float>() -> Cell<E> {
    cell::<Wide<Avx2, E, M>, Wide<Avx2, E, M, f32>, Wide<Avx2, E, Ip>, 8, 4, 8, 1, 4, 1, 2, 4, 1>()
}

pub(super) const fn plain_bf16<M: Op>() -> Cell<Bf16> {
    cell::<Split<Avx2, M>, Split<Avx2, M>, Split<Avx2, Ip>, 4, 4, 4, 1, 4, 1, 2, 2, 1>()
}

pub(super) const fn squares_bf16<M: Op>() -> Cell<Bf16> {
    cell::<Split<Avx2, M>, Split<Avx2, M>, Split<Avx2, Ip>, 4, 1, 4, 1, 2, 1, 2, 1, 1>()
}
