//! AVX-512 without VNNI: bytes widened to 16 bits, products added by twos to sixteen sums.
//!
//! | instruction | Zen 4 | Zen 5 | Skylake, server |
//! |---|---|---|---|
//! | `vpmovsxbw zmm, m256` | 1 per cycle | 1 per cycle | 1 per cycle |
//! | `vpmaddwd zmm` | 3 cycles, 1 per cycle | 3, 2 per cycle | 5, 1 or 2 per cycle |
//! | `vpaddd zmm` | 1, 2 per cycle | 1, 4 per cycle | 1, 2 per cycle |
//!
//! Three instructions for 32 bytes of a row, of which the widening is the bottleneck. `vpmaddubsw` would need no
//! widening but saturates at two products of whole bytes; those of four bits it holds with room to spare. Two
//! products are at most `2 * 255 * 255`, so a lane reaches `2^31` no sooner than after 16,512 of them, half a million
//! bytes; a chunk ends long before.
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
    unsafe fn widen(units: __m256i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { if E::SIGNED { _mm512_cvtepi8_epi16(units) } else { _mm512_cvtepu8_epi16(units) } }
    }
}

impl<E: Byte> Kit for Bytes<E> {
    type Unit = E;
    type Bytes = __m256i;
    type Query = __m512i;
    type Sum = __m512i;
    const STEP: usize = 32;
    const BIASED: bool = false;
    const DIRECT: bool = true;
    const SHIFT: u32 = 0;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_last(from: *const u8, count: usize, _before: usize) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_maskz_loadu_epi8(u32::MAX >> (32 - count), from.cast()) }
    }

    #[inline(always)]
    unsafe fn query(units: __m256i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { Self::widen(units) }
    }

    #[inline(always)]
    unsafe fn cross(sum: __m512i, query: __m512i, row: __m256i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_add_epi32(sum, _mm512_madd_epi16(query, Self::widen(row))) }
    }

    #[inline(always)]
    unsafe fn square(sum: __m512i, row: __m256i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { Self::cross(sum, Self::widen(row), row) }
    }

    #[inline(always)]
    unsafe fn bias(sum: __m512i, _units: __m256i) -> __m512i {
        sum
    }

    #[inline(always)]
    unsafe fn gap([sum, bias]: [__m512i; 2], a: __m256i, b: __m256i) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let gap = _mm512_sub_epi16(Self::widen(a), Self::widen(b));
            [_mm512_add_epi32(sum, _mm512_madd_epi16(gap, gap)), bias]
        }
    }

    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn totals(sums: &[__m512i], to: &mut [i32]) {
        // SAFETY: the caller's duty.
        unsafe { x86::totals512(sums, to) }
    }
}

/// Two numbers of four bits in a byte, which fit either operand of a product.
#[derive(Debug)]
pub(crate) struct Nibbles;

/// The low numbers, and the high ones.
#[inline(always)]
unsafe fn split(units: __m512i) -> [__m512i; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        let low = _mm512_set1_epi8(0x0f);
        [_mm512_and_si512(units, low), _mm512_and_si512(_mm512_srli_epi16::<4>(units), low)]
    }
}

/// Adds the products. Sums of two are 450 at most, so those of four are far from the end of 16 bits.
#[inline(always)]
unsafe fn products(sum: __m512i, [a_low, a_high]: [__m512i; 2], [b_low, b_high]: [__m512i; 2]) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let four = _mm512_add_epi16(_mm512_maddubs_epi16(a_low, b_low), _mm512_maddubs_epi16(a_high, b_high));
        _mm512_add_epi32(sum, _mm512_madd_epi16(four, _mm512_set1_epi16(1)))
    }
}

impl Kit for Nibbles {
    type Unit = U4;
    type Bytes = __m512i;
    type Query = [__m512i; 2];
    type Sum = __m512i;
    const STEP: usize = 64;
    const BIASED: bool = false;
    const DIRECT: bool = false;
    const SHIFT: u32 = 0;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_last(from: *const u8, count: usize, _before: usize) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_maskz_loadu_epi8(u64::MAX >> (64 - count), from.cast()) }
    }

    #[inline(always)]
    unsafe fn query(units: __m512i) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe { split(units) }
    }

    #[inline(always)]
    unsafe fn cross(sum: __m512i, query: [__m512i; 2], row: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { products(sum, query, split(row)) }
    }

    #[inline(always)]
    unsafe fn square(sum: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { products(sum, split(row), split(row)) }
    }

    #[inline(always)]
    unsafe fn bias(sum: __m512i, _units: __m512i) -> __m512i {
        sum
    }

    #[inline(always)]
    unsafe fn gap([sum, bias]: [__m512i; 2], a: __m512i, b: __m512i) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let ([a_low, a_high], [b_low, b_high]) = (split(a), split(b));
            let low = _mm512_abs_epi8(_mm512_sub_epi8(a_low, b_low));
            let high = _mm512_abs_epi8(_mm512_sub_epi8(a_high, b_high));
            [products(sum, [low, high], [low, high]), bias]
        }
    }

    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn totals(sums: &[__m512i], to: &mut [i32]) {
        // SAFETY: the caller's duty.
        unsafe { x86::totals512(sums, to) }
    }
}

table! {
    kit: Kit,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"],
    wide: 8,
    rows: 8,
    in_turn: true,
    strip: crate::int::driver::strip::<K, 4>,
}
