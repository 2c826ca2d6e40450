//! AVX-512 with FP16: squared distances of binary16 in binary16. Coarse, and used only where it is asked for by name.
//!
//! | instruction | Golden Cove |
//! |---|---|
//! | `vsubph`, `vfmadd231ph zmm` | 4 cycles, 2 per cycle |
//! | `vmovdqu16 zmm` load | 2 per cycle |
//!
//! Two instructions for 32 components, where widening takes six. Widening the differences alone would save nothing: the
//! conversions are most of the work.
//!
//! The bound: a difference, its square and each addition are rounded to 11 bits, and 128 sums run in binary16, so that
//! a key of `dim` components is off by less than `(dim / 128 + 5) * 2^-11` of itself, and `dim * 2^-25` for squares
//! below `2^-14`. A difference or a sum past 65504 is infinite, and so is the key: components belong within 255 and
//! `2890 / sqrt(dim)` of each other.
#![allow(clippy::needless_range_loop, reason = "plain loops keep lanes in registers, see the driver")]
use std::arch::x86_64::*;

use super::{
    arithmetic::{Arithmetic, totals},
    avx512::{F32x16, first},
    lanes::{Lane, cells},
};
use crate::{
    cell::Cell,
    element::F16,
    metric::{Ip, L2, Op},
};

/// Squared differences.
struct Gaps;

impl Arithmetic for Gaps {
    type Stored = F16;
    type Packed = __m512h;
    type Sum = __m512h;
    const WIDTH: usize = 32;
    const SQUARES: bool = L2::SQUARES;

    #[inline(always)]
    unsafe fn zero() -> __m512h {
        // SAFETY: the caller's duty.
        unsafe { _mm512_castsi512_ph(_mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn load(from: *const F16) -> __m512h {
        // SAFETY: the caller's duty.
        unsafe { _mm512_castsi512_ph(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_up_to(from: *const F16, count: usize) -> __m512h {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        unsafe { _mm512_castsi512_ph(_mm512_maskz_loadu_epi16(first(count), from.cast())) }
    }

    #[inline(always)]
    fn step(sum: __m512h, a: __m512h, b: __m512h) -> __m512h {
        // SAFETY: the sum comes from `zero` and proves the instruction set, which is that of the cell below.
        unsafe {
            let gap = _mm512_sub_ph(a, b);
            _mm512_fmadd_ph(gap, gap, sum)
        }
    }

    #[inline(always)]
    fn square(sum: __m512h, a: __m512h) -> __m512h {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ph(a, a, sum) }
    }

    #[inline(always)]
    fn totals<const COLUMNS: usize, const N: usize>(columns: &[[__m512h; COLUMNS]; N]) -> [f32; N] {
        let mut wide = [[F32x16::from_halves(columns[0][0]); COLUMNS]; N];
        for i in 0..N {
            for column in 0..COLUMNS {
                wide[i][column] = F32x16::from_halves(columns[i][column]);
            }
        }
        totals::<F32x16, false, COLUMNS, N>(&wide)
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        L2::key(sum, query_square, row_square)
    }
}

impl F32x16 {
    /// The lower and the upper sixteen of 32 sums, widened and added.
    #[inline(always)]
    fn from_halves(sums: __m512h) -> Self {
        // SAFETY: a sum proves the instruction set, see `step`.
        unsafe {
            let bits = _mm512_castph_si512(sums);
            let low = Self(_mm512_cvtph_ps(_mm512_castsi512_si256(bits)));
            low.add(Self(_mm512_cvtph_ps(_mm512_extracti64x4_epi64::<1>(bits))))
        }
    }
}

cells!(["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512fp16"]);

/// The norm is that of the AVX-512 set, in `f32`.
pub(super) const fn l2() -> Cell<F16> {
    Cell { square: super::avx512::plain::<Ip, F16>().square, ..cell::<Gaps, Gaps, 4, 4, 4, 6, 4, 4, 4, 1>() }
}
