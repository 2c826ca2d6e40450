//! AVX-VNNI: products of 32 unsigned and 32 signed bytes, added by fours to eight sums.
//!
//! | instruction | Zen 5 | Golden Cove | Gracemont |
//! |---|---|---|---|
//! | `vpdpbusd ymm` | 4 cycles, 2 per cycle | 5, 2 per cycle | 5, 1 per cycle |
//! | `vmovdqu ymm` load | 2 per cycle | 3 per cycle | 2 per cycle |
//!
//! The loops are those of AVX-512 with VNNI, in registers of half the size and without masked loads. A lane reaches
//! `2^31` no sooner than after 16,448 products of four, half a million bytes; a chunk ends long before.
use std::{arch::x86_64::*, marker::PhantomData};

use super::{
    Byte,
    kit::{Kit, table},
    x86,
};
use crate::element::U4;

/// Bytes, signed or not.
#[derive(Debug)]
pub(crate) struct Bytes<E>(PhantomData<E>);

/// The bytes with the upper bit turned over: signed ones plus 128, unsigned ones minus 128.
#[inline(always)]
unsafe fn turned(units: __m256i) -> __m256i {
    // SAFETY: the caller's duty.
    unsafe { _mm256_xor_si256(units, _mm256_set1_epi8(i8::MIN)) }
}

impl<E: Byte> Kit for Bytes<E> {
    type Unit = E;
    type Bytes = __m256i;
    type Query = __m256i;
    type Sum = __m256i;
    const STEP: usize = 32;
    const BIASED: bool = true;
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
    unsafe fn query(units: __m256i) -> __m256i {
        units
    }

    /// `(row + 128) * query` if signed, `query * (row - 128)` if not.
    #[inline(always)]
    unsafe fn cross(sum: __m256i, query: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe {
            if E::SIGNED {
                _mm256_dpbusd_avx_epi32(sum, turned(row), query)
            } else {
                _mm256_dpbusd_avx_epi32(sum, query, turned(row))
            }
        }
    }

    #[inline(always)]
    unsafe fn square(sum: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { Self::cross(sum, row, row) }
    }

    /// `128 * units` if signed, `units * -128` if not.
    #[inline(always)]
    unsafe fn bias(sum: __m256i, units: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe {
            let turn = _mm256_set1_epi8(i8::MIN);
            if E::SIGNED {
                _mm256_dpbusd_avx_epi32(sum, turn, units)
            } else {
                _mm256_dpbusd_avx_epi32(sum, units, turn)
            }
        }
    }

    /// The difference is one unsigned byte, so its square is that of [`Kit::square`] over such.
    #[inline(always)]
    unsafe fn gap([sum, bias]: [__m256i; 2], a: __m256i, b: __m256i) -> [__m256i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let gap = if E::SIGNED {
                _mm256_sub_epi8(_mm256_max_epi8(a, b), _mm256_min_epi8(a, b))
            } else {
                _mm256_sub_epi8(_mm256_max_epu8(a, b), _mm256_min_epu8(a, b))
            };
            [
                _mm256_dpbusd_avx_epi32(sum, gap, turned(gap)),
                _mm256_dpbusd_avx_epi32(bias, gap, _mm256_set1_epi8(i8::MIN)),
            ]
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

/// The low numbers, and the high ones in place: times sixteen.
#[inline(always)]
unsafe fn split(units: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        [_mm256_and_si256(units, _mm256_set1_epi8(0x0f)), _mm256_and_si256(units, _mm256_set1_epi8(0xf0_u8 as i8))]
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
    const SHIFT: u32 = 4;

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

    /// The low numbers times sixteen, and the high ones.
    #[inline(always)]
    unsafe fn query(units: __m256i) -> [__m256i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let [low, high] = split(units);
            [_mm256_slli_epi16::<4>(low), _mm256_srli_epi16::<4>(high)]
        }
    }

    /// The unsigned operand is the one that is times sixteen: the query's of the low numbers, the row's of the high
    /// ones.
    #[inline(always)]
    unsafe fn cross(sum: __m256i, [low, high]: [__m256i; 2], row: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe {
            let [row_low, row_high] = split(row);
            _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(sum, low, row_low), row_high, high)
        }
    }

    #[inline(always)]
    unsafe fn square(sum: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe {
            let [low, high] = split(row);
            let high = _mm256_srli_epi16::<4>(high);
            _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(sum, low, low), high, high)
        }
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
            let (a_high, b_high) = (_mm256_srli_epi16::<4>(a_high), _mm256_srli_epi16::<4>(b_high));
            let low = _mm256_abs_epi8(_mm256_sub_epi8(a_low, b_low));
            let high = _mm256_abs_epi8(_mm256_sub_epi8(a_high, b_high));
            let sum = _mm256_dpbusd_avx_epi32(sum, low, low);
            [_mm256_dpbusd_avx_epi32(sum, high, high), bias]
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
    features: ["avx2", "fma", "f16c", "avxvnni"],
    wide: 4,
    rows: 4,
    in_turn: false,
    strip: crate::int::driver::strip::<K, 2>,
}
