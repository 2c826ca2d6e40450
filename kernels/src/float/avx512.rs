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

use super::lanes::{Isa, Lane, table};
use crate::element::{Bf16, F16};

pub(super) struct Avx512;

#[derive(Clone, Copy, Debug)]
pub(super) struct F32x16(__m512);

impl F32x16 {
    #[inline(always)]
    unsafe fn widen_bf16(bits: __m256i) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits))) })
    }

    /// Four sums of sixteen into eight lanes.
    #[inline(always)]
    fn fold8<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> __m256 {
        let sum = columns[0].add(columns[1]).add(columns[2].add(columns[3])).0;
        // SAFETY: a value of `F32x16` proves the instruction set.
        unsafe { _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps::<1>(sum)) }
    }

    #[inline(always)]
    fn fold4<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> __m128 {
        let sum = Self::fold8(columns);
        // SAFETY: as above.
        unsafe { _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum)) }
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
    fn total<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> f32 {
        super::sse::total(Self::fold4(columns))
    }

    #[inline(always)]
    fn totals<const COLUMNS: usize>(four: [&[Self; COLUMNS]; 4]) -> [f32; 4] {
        let [a, b, c, d] = four;
        super::sse::totals([Self::fold4(a), Self::fold4(b), Self::fold4(c), Self::fold4(d)])
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
    unsafe fn load_first_f32(from: *const f32, count: usize) -> F32x16 {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        F32x16(unsafe { _mm512_maskz_loadu_ps(first(count), from) })
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_first_f16(from: *const F16, count: usize) -> F32x16 {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        F32x16(unsafe { _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(count), from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> F32x16 {
        // SAFETY: the caller's duty.
        unsafe { F32x16::widen_bf16(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_first_bf16(from: *const Bf16, count: usize) -> F32x16 {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        unsafe { F32x16::widen_bf16(_mm256_maskz_loadu_epi16(first(count), from.cast())) }
    }
}

/// The mask of the first `count` lanes.
#[inline(always)]
const fn first(count: usize) -> __mmask16 {
    (1 << count) - 1
}

table! {
    isa: Avx512,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"],
    columns: 4,
    plain: { pair: 4, quad: 4, tile: 4 x 4 x 1 },
    squares: { pair: 4, quad: 2, tile: 4 x 4 x 1 },
}
