//! AVX2: bytes widened to 16 bits, products added by twos to eight sums.
//!
//! | instruction | Zen 4 | Zen 5 | Skylake |
//! |---|---|---|---|
//! | `vpmovsxbw ymm, m128` | 2 per cycle | 2 per cycle | 1 per cycle |
//! | `vpmaddwd ymm` | 3 cycles, 2 per cycle | 3, 2 per cycle | 5, 2 per cycle |
//! | `vpaddd ymm` | 1, 4 per cycle | 1, 4 per cycle | 1, 3 per cycle |
//!
//! Three instructions for 16 bytes of a row. `vpmaddubsw` would need no widening but saturates at two products of
//! whole bytes; those of four bits it holds with room to spare. Two products are at most `2 * 255 * 255`, so a lane
//! reaches `2^31` no sooner than after 16,512 of them, a quarter of a million bytes; a chunk ends long before.
use std::{arch::x86_64::*, marker::PhantomData};

use super::{
    Byte,
    kit::{Kit, table},
    x86,
};
use crate::element::U4;

/// Bytes, signed or not, widened to 16 bits.
#[derive(Debug)]
pub(crate) struct Bytes<E>(PhantomData<E>);

impl<E: Byte> Bytes<E> {
    #[inline(always)]
    unsafe fn widen(units: __m128i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { if E::SIGNED { _mm256_cvtepi8_epi16(units) } else { _mm256_cvtepu8_epi16(units) } }
    }
}

impl<E: Byte> Kit for Bytes<E> {
    type Unit = E;
    type Bytes = __m128i;
    type Query = __m256i;
    type Sum = __m256i;
    const STEP: usize = 16;
    const BIASED: bool = false;
    const DIRECT: bool = true;
    const SHIFT: u32 = 0;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m128i {
        // SAFETY: the caller's duty.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_last(from: *const u8, count: usize, before: usize) -> __m128i {
        // SAFETY: the caller's duty.
        unsafe { x86::last16(from, count, before) }
    }

    #[inline(always)]
    unsafe fn query(units: __m128i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { Self::widen(units) }
    }

    #[inline(always)]
    unsafe fn cross(sum: __m256i, query: __m256i, row: __m128i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(query, Self::widen(row))) }
    }

    #[inline(always)]
    unsafe fn square(sum: __m256i, row: __m128i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { Self::cross(sum, Self::widen(row), row) }
    }

    #[inline(always)]
    unsafe fn bias(sum: __m256i, _units: __m128i) -> __m256i {
        sum
    }

    #[inline(always)]
    unsafe fn gap([sum, bias]: [__m256i; 2], a: __m128i, b: __m128i) -> [__m256i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let gap = _mm256_sub_epi16(Self::widen(a), Self::widen(b));
            [_mm256_add_epi32(sum, _mm256_madd_epi16(gap, gap)), bias]
        }
    }

    #[inline(always)]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn totals(sums: &[__m256i], to: &mut [i32]) {
        // SAFETY: the caller's duty.
        unsafe { x86::totals256(sums, to) }
    }
}

/// Two numbers of four bits in a byte, which fit either operand of a product.
#[derive(Debug)]
pub(crate) struct Nibbles;

/// The low numbers, and the high ones.
#[inline(always)]
unsafe fn split(units: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        let low = _mm256_set1_epi8(0x0f);
        [_mm256_and_si256(units, low), _mm256_and_si256(_mm256_srli_epi16::<4>(units), low)]
    }
}

/// Adds the products. Sums of two are 450 at most, so those of four are far from the end of 16 bits.
#[inline(always)]
unsafe fn products(sum: __m256i, [a_low, a_high]: [__m256i; 2], [b_low, b_high]: [__m256i; 2]) -> __m256i {
    // SAFETY: the caller's duty.
    unsafe {
        let four = _mm256_add_epi16(_mm256_maddubs_epi16(a_low, b_low), _mm256_maddubs_epi16(a_high, b_high));
        _mm256_add_epi32(sum, _mm256_madd_epi16(four, _mm256_set1_epi16(1)))
    }
}

impl Kit for Nibbles {
    type Unit = U4;
    type Bytes = __m256i;
    type Query = [__m256i; 2];
    type Sum = __m256i;
    const STEP: usize = 32;
    const BIASED: bool = false;
    const DIRECT: bool = false;
    const SHIFT: u32 = 0;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_last(from: *const u8, count: usize, before: usize) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { x86::last32(from, count, before) }
    }

    #[inline(always)]
    unsafe fn query(units: __m256i) -> [__m256i; 2] {
        // SAFETY: the caller's duty.
        unsafe { split(units) }
    }

    #[inline(always)]
    unsafe fn cross(sum: __m256i, query: [__m256i; 2], row: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { products(sum, query, split(row)) }
    }

    #[inline(always)]
    unsafe fn square(sum: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { products(sum, split(row), split(row)) }
    }

    #[inline(always)]
    unsafe fn bias(sum: __m256i, _units: __m256i) -> __m256i {
        sum
    }

    #[inline(always)]
    unsafe fn gap([sum, bias]: [__m256i; 2], a: __m256i, b: __m256i) -> [__m256i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let ([a_low, a_high], [b_low, b_high]) = (split(a), split(b));
            let low = _mm256_abs_epi8(_mm256_sub_epi8(a_low, b_low));
            let high = _mm256_abs_epi8(_mm256_sub_epi8(a_high, b_high));
            [products(sum, [low, high], [low, high]), bias]
        }
    }

    #[inline(always)]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn totals(sums: &[__m256i], to: &mut [i32]) {
        // SAFETY: the caller's duty.
        unsafe { x86::totals256(sums, to) }
    }
}

table! {
    kit: Kit,
    features: ["avx2", "fma", "f16c"],
    wide: 4,
    rows: 4,
    in_turn: false,
    strip: crate::int::driver::strip::<K, 2>,
}
