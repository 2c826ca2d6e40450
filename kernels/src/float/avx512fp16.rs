//! AVX-512 with FP16: squared distances of binary16 whose differences are rounded to binary16. Used only where it is
//! asked for by name.
//!
//! | instruction | Golden Cove |
//! |---|---|
//! | `vsubph zmm` | 4 cycles, 2 per cycle |
//! | `vcvtph2ps zmm, ymm` | 7, 1 per cycle |
//! | `vmovdqu16 zmm` load | 2 per cycle |
//!
//! One subtraction and two conversions for 32 components, where widening first takes four conversions and two
//! subtractions, or two of each with a query that is ready. Squares are summed in `f32`, in the order of all sets.
//!
//! The bound: rounding a difference to 11 bits changes its square by less than `2^-10 + 2^-22` of itself, beside what
//! all sets round. Differences below `2^-14` are exact, and one past 65504 is infinite, and so is the key.
use std::arch::x86_64::*;

use super::{
    arithmetic::Arithmetic,
    avx512::{Avx512, F32x16, first},
    lanes::{Isa, Lane, cells},
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
    type Query = F16;
    type Packed = __m512h;
    type Sum = [F32x16; 2];
    type Lane = F32x16;
    const WIDTH: usize = 32;
    const SQUARES: bool = L2::SQUARES;
    const HALVES: bool = true;
    const AHEAD: usize = 7 << 10;

    #[inline(always)]
    unsafe fn zero() -> [F32x16; 2] {
        // SAFETY: the caller's duty.
        unsafe { [Avx512::zero(), Avx512::zero()] }
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
    unsafe fn load_query(from: *const F16) -> __m512h {
        // SAFETY: the caller's duty.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn load_query_up_to(from: *const F16, count: usize) -> __m512h {
        // SAFETY: the caller's duty.
        unsafe { Self::load_up_to(from, count) }
    }

    #[inline(always)]
    fn step(sum: [F32x16; 2], a: __m512h, b: __m512h) -> [F32x16; 2] {
        // SAFETY: the sum comes from `zero`; its set and that of `a` are those of the cell below.
        let [low, high] = halves(unsafe { _mm512_sub_ph(a, b) });
        [sum[0].fma(low, low), sum[1].fma(high, high)]
    }

    #[inline(always)]
    fn square(sum: [F32x16; 2], a: __m512h) -> [F32x16; 2] {
        let [low, high] = halves(a);
        [sum[0].fma(low, low), sum[1].fma(high, high)]
    }

    #[inline(always)]
    fn fold(columns: &[[F32x16; 2]]) -> F32x16 {
        F32x16::fold::<false>(columns.as_flattened())
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        L2::key(sum, query_square, row_square)
    }
}

/// The lower and the upper sixteen, widened.
#[inline(always)]
fn halves(packed: __m512h) -> [F32x16; 2] {
    // SAFETY: only loads, which need the instruction set, make a packed register.
    unsafe {
        let bits = _mm512_castph_si512(packed);
        let high = _mm512_extracti64x4_epi64::<1>(bits);
        [F32x16(_mm512_cvtph_ps(_mm512_castsi512_si256(bits))), F32x16(_mm512_cvtph_ps(high))]
    }
}

cells!(["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512fp16"]);

/// The norm is that of the AVX-512 set, whose squares are exact.
pub(super) const fn l2() -> Cell<F16> {
    Cell { square: super::avx512::plain::<Ip, F16>().square, ..cell::<Gaps, Gaps, Gaps, 2, 2, 2, 2, 6, 2, 2, 4, 1>() }
}
