//! AVX-512 with VNNI: products of 64 unsigned and 64 signed bytes, added by fours to sixteen sums.
//!
//! | instruction | Zen 4 | Zen 5 | Golden Cove |
//! |---|---|---|---|
//! | `vpdpbusd zmm` | 4 cycles, 1 per cycle (two halves) | 4, 2 per cycle | 5, 1 per cycle |
//! | `vmovdqu8 zmm` load | 1 per cycle | 2 per cycle | 2 per cycle |
//! | `vpxord zmm` | 1, 2 per cycle | 1, 4 per cycle | 1, 2 per cycle |
//!
//! Products of a query and several rows take a load, an exclusive or and a `vpdpbusd` for 64 bytes of a row: half a
//! cycle on Zen 5 by the products as by the loads, if the rows share the query's. So many as there are registers for do
//! so best, 24: measured on Zen 5 in the first-level cache, a seventh faster than eight.
//!
//! Squares of signed bytes take `vpabsb`, `vpsubb` and a `vpdpbusd`, for the magnitude of a byte is an unsigned one,
//! and minus that a signed one. With the products, that is five instructions on four ports, a cycle and a quarter. Two
//! products in place of the first two, of which one is for the bias, take a cycle and a half. Those of unsigned bytes
//! do, for whose bias there is no other place. `vpsadbw` would find the bias off the multiplier, but needs an addition
//! as well and half the ports: measured on Zen 5, nearly twice as slow. Where only two ports take vectors of this size
//! (Intel), five instructions may be more than four; that has not been measured. Differences instead of squares take
//! six instructions, and are best only for a single pair.
//!
//! `vpdpbusd` does not saturate. The four products add less than `4 * 255 * 128` to a lane, so a lane reaches
//! `2^31` no sooner than after 16,448 of them, a million bytes; a chunk ends long before.
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
unsafe fn turned(units: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe { _mm512_xor_si512(units, _mm512_set1_epi8(i8::MIN)) }
}

impl<E: Byte> Kit for Bytes<E> {
    type Unit = E;
    type Bytes = __m512i;
    type Query = __m512i;
    type Sum = __m512i;
    const STEP: usize = 64;
    const BIASED: bool = true;
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
    unsafe fn query(units: __m512i) -> __m512i {
        units
    }

    /// `(row + 128) * query` if signed, `query * (row - 128)` if not.
    #[inline(always)]
    unsafe fn cross(sum: __m512i, query: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe {
            if E::SIGNED {
                _mm512_dpbusd_epi32(sum, turned(row), query)
            } else {
                _mm512_dpbusd_epi32(sum, query, turned(row))
            }
        }
    }

    #[inline(always)]
    unsafe fn square(sum: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { Self::cross(sum, row, row) }
    }

    /// `128 * units` if signed, `units * -128` if not.
    #[inline(always)]
    unsafe fn bias(sum: __m512i, units: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe {
            let turn = _mm512_set1_epi8(i8::MIN);
            if E::SIGNED { _mm512_dpbusd_epi32(sum, turn, units) } else { _mm512_dpbusd_epi32(sum, units, turn) }
        }
    }

    /// Signed ones are taken off as products of the magnitude with minus the magnitude, either of which is one byte.
    #[inline(always)]
    unsafe fn squares([sum, less]: [__m512i; 2], row: __m512i) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            if E::SIGNED {
                let size = _mm512_abs_epi8(row);
                return [sum, _mm512_dpbusd_epi32(less, size, _mm512_sub_epi8(_mm512_setzero_si512(), size))];
            }
            [Self::square(sum, row), Self::bias(less, row)]
        }
    }

    /// The difference is one unsigned byte, so its square is that of [`Kit::square`] over such.
    #[inline(always)]
    unsafe fn gap([sum, bias]: [__m512i; 2], a: __m512i, b: __m512i) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let gap = if E::SIGNED {
                _mm512_sub_epi8(_mm512_max_epi8(a, b), _mm512_min_epi8(a, b))
            } else {
                _mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b))
            };
            [_mm512_dpbusd_epi32(sum, gap, turned(gap)), _mm512_dpbusd_epi32(bias, gap, _mm512_set1_epi8(i8::MIN))]
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

/// The low numbers, and the high ones in place: times sixteen.
#[inline(always)]
unsafe fn split(units: __m512i) -> [__m512i; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        [_mm512_and_si512(units, _mm512_set1_epi8(0x0f)), _mm512_and_si512(units, _mm512_set1_epi8(0xf0_u8 as i8))]
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
    const SHIFT: u32 = 4;

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

    /// The low numbers times sixteen, and the high ones.
    #[inline(always)]
    unsafe fn query(units: __m512i) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let [low, high] = split(units);
            [_mm512_slli_epi16::<4>(low), _mm512_srli_epi16::<4>(high)]
        }
    }

    /// The unsigned operand is the one that is times sixteen: the query's of the low numbers, the row's of the high
    /// ones.
    #[inline(always)]
    unsafe fn cross(sum: __m512i, [low, high]: [__m512i; 2], row: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe {
            let [row_low, row_high] = split(row);
            _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, low, row_low), row_high, high)
        }
    }

    #[inline(always)]
    unsafe fn square(sum: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe {
            let [low, high] = split(row);
            let high = _mm512_srli_epi16::<4>(high);
            _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, low, low), high, high)
        }
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
            let (a_high, b_high) = (_mm512_srli_epi16::<4>(a_high), _mm512_srli_epi16::<4>(b_high));
            let low = _mm512_abs_epi8(_mm512_sub_epi8(a_low, b_low));
            let high = _mm512_abs_epi8(_mm512_sub_epi8(a_high, b_high));
            let sum = _mm512_dpbusd_epi32(sum, low, low);
            [_mm512_dpbusd_epi32(sum, high, high), bias]
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
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni"],
    wide: 24,
    rows: 8,
    in_turn: true,
    strip: crate::int::driver::strip::<K, 4>,
}
