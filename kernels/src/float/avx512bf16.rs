//! AVX-512 with BF16: inner products of bf16, 32 components an instruction, without widening.
//!
//! | instruction | Zen 4 | Zen 5 | Cooper Lake, Golden Cove |
//! |---|---|---|---|
//! | `vdpbf16ps zmm` | 6 cycles, 1 per cycle (two halves) | 6, 2 per cycle | 10, 1 per cycle |
//! | `vmovups zmm` load | 1 per cycle | 2 per cycle | 2 per cycle |
//!
//! On Zen 5 that is four times the arithmetic of widening and one load where there were one and two more instructions,
//! so rows in the cache are bound by loads. The latency asks for twelve sums; a pair, which needs two loads for each
//! product, does with six, and has four: more would make the stride and with it the tail longer, and rows have 24.
//!
//! Not the bits of the other sets: `vdpbf16ps` takes subnormal components, products and sums as zero and adds the two
//! products of a lane in an order of its own, each with a rounding of at most half a unit in the last place. The
//! products of two bf16 are exact. See [`crate::float`] for the bound. Sums overflow where those of `f32` do.
use std::{arch::x86_64::*, marker::PhantomData};

use super::{
    arithmetic::Arithmetic,
    avx512::{F32x16, first},
    lanes::{Lane, cells},
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
    type Packed = __m512i;
    type Sum = F32x16;
    type Lane = F32x16;
    const WIDTH: usize = 32;
    const SQUARES: bool = M::SQUARES;
    const HALVES: bool = true;
    const AHEAD: usize = 7 << 10;

    #[inline(always)]
    unsafe fn zero() -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const Bf16) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_up_to(from: *const Bf16, count: usize) -> __m512i {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        unsafe { _mm512_maskz_loadu_epi16(first(count), from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_query(from: *const Bf16) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn load_query_up_to(from: *const Bf16, count: usize) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { Self::load_up_to(from, count) }
    }

    #[inline(always)]
    fn step(sum: F32x16, a: __m512i, b: __m512i) -> F32x16 {
        // SAFETY: a value of `F32x16` proves the instruction set of `zero`, which is that of the cells below.
        F32x16(unsafe { _mm512_dpbf16_ps(sum.0, pairs(a), pairs(b)) })
    }

    #[inline(always)]
    fn square(sum: F32x16, a: __m512i) -> F32x16 {
        Self::step(sum, a, a)
    }

    #[inline(always)]
    fn fold(columns: &[F32x16]) -> F32x16 {
        F32x16::fold::<false>(columns)
    }

    #[inline(always)]
    fn key(sum: f32, query_square: f32, row_square: f32) -> f32 {
        M::key(sum, query_square, row_square)
    }
}

/// The same bits as pairs of bf16.
#[inline(always)]
fn pairs(bits: __m512i) -> __m512bh {
    // SAFETY: both types are 512 bits of any pattern, and of the same alignment.
    unsafe { std::ptr::from_ref(&bits).cast::<__m512bh>().read() }
}

cells!(["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512bf16"]);

pub(super) const fn plain<M: Product>() -> Cell<Bf16> {
    cell::<Pairs<M>, Pairs<M>, Pairs<Ip>, 4, 4, 4, 2, 6, 4, 4, 4, 1>()
}

pub(super) const fn squares<M: Product>() -> Cell<Bf16> {
    cell::<Pairs<M>, Pairs<M>, Pairs<Ip>, 4, 4, 4, 2, 4, 2, 4, 4, 1>()
}
