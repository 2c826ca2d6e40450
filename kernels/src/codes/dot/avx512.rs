//! AVX-512 without VNNI (Skylake-X): the steps of AVX2 in registers twice as wide; see `avx2.rs` for the bounds.
//!
//! | instruction | Skylake-X | Zen 4 | Zen 5 |
//! |---|---|---|---|
//! | `vpmaddubsw`, `vpmaddwd zmm` | 5 cycles, 1 per cycle | 3, 1 per cycle (two halves) | 3, 2 per cycle |
//! | `vpandd`, `vpaddd zmm` | 1, 2 per cycle | 1, 2 per cycle | 1, 4 per cycle |
//!
//! A register of 8-bit codes takes two ANDs or shifts, two products and two additions; one of fewer bits an AND, a
//! product and mostly a shift for each field, and one more product and addition.
#![allow(clippy::needless_range_loop, reason = "plain loops keep values in registers")]
use std::arch::x86_64::*;

use super::{
    avx2,
    driver::{Arch, stamp},
};

pub(super) struct Avx512;

/// Loads the first `count` bytes, a multiple of 16 below 64.
///
/// # Safety
/// They are readable.
#[inline(always)]
pub(super) unsafe fn load_first(from: *const u8, count: usize) -> __m512i {
    // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
    unsafe { _mm512_maskz_loadu_epi32(((1_u32 << (count / 4)) - 1) as __mmask16, from.cast()) }
}

/// The totals of four registers.
#[inline(always)]
pub(super) unsafe fn totals(four: &[__m512i; 4]) -> [i32; 4] {
    // SAFETY: the caller's duty.
    unsafe {
        let [a, b, c, d] = *four;
        // In each quarter: a, b, a, b and c, d, c, d; then a, b, c, d.
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        avx2::quarters(_mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64::<1>(abcd)))
    }
}

impl Arch for Avx512 {
    type Codes = __m512i;
    type Query = [__m512i; 2];
    type Sums = __m512i;
    const BYTES: usize = 64;
    const SIGNED: bool = false;

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
    unsafe fn load_first(from: *const u8, count: usize) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { load_first(from, count) }
    }

    #[inline(always)]
    unsafe fn query<const BITS: u32>(from: *const i8) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe { halves::<BITS>(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn query4<const BITS: u32>(from: *const i8) -> [__m512i; 2] {
        // SAFETY: the caller's duty.
        unsafe { halves::<BITS>(_mm512_set1_epi32(from.cast::<i32>().read_unaligned())) }
    }

    #[inline(always)]
    unsafe fn step<const BITS: u32, const FIELDS: usize>(
        sums: &mut [__m512i; FIELDS],
        codes: __m512i,
        query: &[[__m512i; 2]; FIELDS],
    ) {
        // SAFETY: the caller's duty.
        unsafe {
            let sum = if BITS == 8 {
                let even = _mm512_madd_epi16(_mm512_and_si512(codes, _mm512_set1_epi16(0xff)), query[0][0]);
                _mm512_add_epi32(even, _mm512_madd_epi16(_mm512_srli_epi16::<8>(codes), query[0][1]))
            } else {
                let mask = _mm512_set1_epi8((0xff_u32 >> (8 - BITS)) as i8);
                let mut pairs = _mm512_maddubs_epi16(_mm512_and_si512(codes, mask), query[0][0]);
                for s in 1..FIELDS {
                    let shifted = _mm512_srl_epi16(codes, _mm_cvtsi32_si128((s as u32 * BITS) as i32));
                    let field = _mm512_maddubs_epi16(_mm512_and_si512(shifted, mask), query[s][0]);
                    pairs = _mm512_add_epi16(pairs, field);
                }
                _mm512_madd_epi16(pairs, _mm512_set1_epi16(1))
            };
            sums[0] = _mm512_add_epi32(sums[0], sum);
        }
    }

    #[inline(always)]
    unsafe fn finish<const BITS: u32, const FIELDS: usize>(sums: &[__m512i; FIELDS]) -> __m512i {
        sums[0]
    }

    #[inline(always)]
    unsafe fn totals(four: &[__m512i; 4]) -> [i32; 4] {
        // SAFETY: the caller's duty.
        unsafe { totals(four) }
    }

    #[inline(always)]
    unsafe fn store(sums: __m512i, to: *mut i32) {
        // SAFETY: the caller's duty.
        unsafe { _mm512_storeu_si512(to.cast(), sums) }
    }
}

/// For codes of 8 bits the even and the odd bytes in 16 bits, else the bytes as they are.
#[inline(always)]
unsafe fn halves<const BITS: u32>(bytes: __m512i) -> [__m512i; 2] {
    if BITS < 8 {
        return [bytes; 2];
    }
    // SAFETY: the caller's duty.
    unsafe { [_mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(bytes)), _mm512_srai_epi16::<8>(bytes)] }
}

stamp! {
    Avx512,
    ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"],
    rows: [4, 4, 4, 4],
    columns: [4, 4, 4, 4]
}
