//! AVX-512 (F, BW, VL, DQ): sixteen lanes, 32 registers, masked loads for the tail.
//!
//! | instruction | Zen 4 | Zen 5 | Golden Cove |
//! |---|---|---|---|
//! | `vfmadd231ps zmm` | 4 cycles, 1 per cycle (two halves) | 4, 2 per cycle | 4, 2 per cycle |
//! | `vmovups zmm` load | 1 per cycle | 2 per cycle | 2 per cycle |
//! | `vcvtph2ps zmm, ymm` | 5, 1 per cycle | 5, 1 per cycle | 7, 1 per cycle |
//!
//! A pair needs two loads for each multiply-add, so four sums hide the latency. Four rows need five loads for four, and
//! sixteen sums are more than enough. Nothing overflows before f32 itself does.
use std::arch::x86_64::*;

use super::{
    Float,
    arithmetic::{Arithmetic, Split, Wide},
    lanes::{Isa, Lane, cells},
};
use crate::{
    cell::Cell,
    element::{Bf16, F16},
    metric::{Ip, Op},
};

pub(super) struct Avx512;

#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct F32x16(pub(super) __m512);

impl F32x16 {
    /// The components at even places of a register of bf16, and those at odd places.
    #[inline(always)]
    unsafe fn split(bits: __m512i) -> [Self; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let odd = _mm512_and_si512(bits, _mm512_set1_epi32(0xffff_0000_u32.cast_signed()));
            [Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))), Self(_mm512_castsi512_ps(odd))]
        }
    }

    /// The total of sixteen lanes.
    #[inline(always)]
    fn fold1(self) -> f32 {
        // SAFETY: a value of `F32x16` proves the instruction set.
        unsafe {
            let eight = _mm256_add_ps(_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0));
            super::sse::total(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight)))
        }
    }

    /// The halves of two registers, added: eight lanes of each.
    #[inline(always)]
    fn fold8(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(self.0, other.0);
            Self(_mm512_add_ps(low, _mm512_shuffle_f32x4::<0b11_10_11_10>(self.0, other.0)))
        }
    }

    /// The totals of four registers, by transposing while folding.
    #[inline(always)]
    fn fold4([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        let (ab, cd) = (a.fold8(b).0, c.fold8(d).0);
        // SAFETY: as above.
        unsafe {
            let low = _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd);
            let four = _mm512_add_ps(low, _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd));
            let two = _mm512_add_ps(four, _mm512_permute_ps::<0b01_00_11_10>(four));
            let one = _mm512_add_ps(two, _mm512_permute_ps::<0b10_11_00_01>(two));
            let mut out = [0.0; 4];
            _mm_storeu_ps(out.as_mut_ptr(), _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, one)));
            out
        }
    }
}

impl Lane for F32x16 {
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value of `F32x16` proves the instruction set.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn fold<const SPLIT: bool>(columns: &[Self]) -> Self {
        // One register is a whole sum, so that splitting changes no place, and half of the sums are half of the total.
        let first = columns[0].add(columns[1]);
        if columns.len() == 2 { first } else { first.add(columns[2].add(columns[3])) }
    }

    #[inline(always)]
    fn total(self) -> f32 {
        self.fold1()
    }

    #[inline(always)]
    fn totals(four: [Self; 4]) -> [f32; 4] {
        Self::fold4(four)
    }
}

impl Isa for Avx512 {
    type F32 = F32x16;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_up_to_f32(from: *const f32, count: usize) -> F32x16 {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        F32x16(unsafe { _mm512_maskz_loadu_ps(first(count) as __mmask16, from) })
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_up_to_f16(from: *const F16, count: usize) -> F32x16 {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        F32x16(unsafe { _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(count) as __mmask16, from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> [F32x16; 2] {
        // SAFETY: the caller's duty.
        unsafe { F32x16::split(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_up_to_bf16(from: *const Bf16, count: usize) -> [F32x16; 2] {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        unsafe { F32x16::split(_mm512_maskz_loadu_epi16(first(count), from.cast())) }
    }
}

/// The mask of the first `count` lanes, of all if there are fewer.
#[inline(always)]
pub(super) fn first(count: usize) -> __mmask32 {
    u32::MAX >> (32 - count.min(32))
}

cells!(["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"]);

pub(super) const fn plain<M: Op, E: Float>() -> Cell<E> {
    cell::<Wide<Avx512, E, M>, Wide<Avx512, E, M, f32>, Wide<Avx512, E, Ip>, 4, 4, 4, 2, 6, 4, 4, 4, 1>()
}

pub(super) const fn squares<M: Op, E: Float, const R: usize>() -> Cell<E> {
    cell::<Wide<Avx512, E, M>, Wide<Avx512, E, M, f32>, Wide<Avx512, E, Ip>, 4, 4, 4, 2, R, 2, 4, 4, 1>()
}

pub(super) const fn plain_bf16<M: Op>() -> Cell<Bf16> {
    cell::<Split<Avx512, M>, Split<Avx512, M>, Split<Avx512, Ip>, 2, 2, 2, 2, 6, 2, 2, 4, 1>()
}

pub(super) const fn squares_bf16<M: Op>() -> Cell<Bf16> {
    cell::<Split<Avx512, M>, Split<Avx512, M>, Split<Avx512, Ip>, 2, 2, 2, 2, 4, 1, 2, 4, 1>()
}
