//! AVX2: products of bytes by `vpmaddubsw` where they cannot saturate, else of 16-bit words.
//!
//! | instruction | Zen 2, 3, 4 | Zen 5 | Skylake |
//! |---|---|---|---|
//! | `vpmaddubsw`, `vpmaddwd ymm` | 3 cycles, 2 per cycle | 3, 2 per cycle | 5, 2 per cycle |
//! | `vpand`, `vpaddd ymm` | 1, 3 to 4 per cycle | 1, 4 per cycle | 1, 3 per cycle |
//!
//! A pair of products of a field of 4 bits is at most `2 * 15 * 127`, and the fields of a byte together at most
//! `2 * 15 * 127 * 2 = 7620`, of 2 bits `2 * 3 * 127 * 4` and of 1 bit `2 * 127 * 8`: all fit `i16`, so one `vpmaddwd`
//! with ones widens them at the end. Codes of 8 bits would saturate (`2 * 255 * 127`), so even and odd bytes are
//! multiplied in 16 bits; the pairs fit `i32`, and the sum of both is a row's four bytes.
#![allow(clippy::needless_range_loop, reason = "plain loops keep values in registers")]
use std::arch::x86_64::*;

use super::driver::{Arch, stamp};

pub(super) struct Avx2;

/// The totals of four registers.
#[inline(always)]
pub(super) unsafe fn totals(four: &[__m256i; 4]) -> [i32; 4] {
    // SAFETY: the caller's duty.
    unsafe {
        let ab = _mm256_hadd_epi32(four[0], four[1]);
        let cd = _mm256_hadd_epi32(four[2], four[3]);
        quarters(_mm256_hadd_epi32(ab, cd))
    }
}

/// Adds the halves of a register.
#[inline(always)]
pub(super) unsafe fn quarters(sums: __m256i) -> [i32; 4] {
    let mut totals = [0; 4];
    // SAFETY: the caller's duty; the array has room for the register.
    unsafe {
        let total = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        _mm_storeu_si128(totals.as_mut_ptr().cast(), total);
    }
    totals
}

/// Loads 16 bytes and clears as many.
///
/// # Safety
/// They are readable.
#[inline(always)]
pub(super) unsafe fn load_half(from: *const u8) -> __m256i {
    // SAFETY: the caller's duty.
    unsafe { _mm256_zextsi128_si256(_mm_loadu_si128(from.cast())) }
}

impl Arch for Avx2 {
    type Codes = __m256i;
    type Query = [__m256i; 2];
    type Sums = __m256i;
    const BYTES: usize = 32;
    const SIGNED: bool = false;

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
    unsafe fn load_first(from: *const u8, _count: usize) -> __m256i {
        // SAFETY: the caller's duty; the one multiple of 16 below 32 is 16.
        unsafe { load_half(from) }
    }

    #[inline(always)]
    unsafe fn query<const BITS: u32>(from: *const i8) -> [__m256i; 2] {
        // SAFETY: the caller's duty.
        unsafe { halves::<BITS>(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn query4<const BITS: u32>(from: *const i8) -> [__m256i; 2] {
        // SAFETY: the caller's duty.
        unsafe { halves::<BITS>(_mm256_set1_epi32(from.cast::<i32>().read_unaligned())) }
    }

    #[inline(always)]
    unsafe fn step<const BITS: u32, const FIELDS: usize>(
        sums: &mut [__m256i; FIELDS],
        codes: __m256i,
        query: &[[__m256i; 2]; FIELDS],
    ) {
        // SAFETY: the caller's duty.
        unsafe {
            let sum = if BITS == 8 {
                let even = _mm256_madd_epi16(_mm256_and_si256(codes, _mm256_set1_epi16(0xff)), query[0][0]);
                _mm256_add_epi32(even, _mm256_madd_epi16(_mm256_srli_epi16::<8>(codes), query[0][1]))
            } else {
                let mask = _mm256_set1_epi8((0xff_u32 >> (8 - BITS)) as i8);
                let mut pairs = _mm256_maddubs_epi16(_mm256_and_si256(codes, mask), query[0][0]);
                for s in 1..FIELDS {
                    let shifted = _mm256_srl_epi16(codes, _mm_cvtsi32_si128((s as u32 * BITS) as i32));
                    let field = _mm256_maddubs_epi16(_mm256_and_si256(shifted, mask), query[s][0]);
                    pairs = _mm256_add_epi16(pairs, field);
                }
                _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
            };
            sums[0] = _mm256_add_epi32(sums[0], sum);
        }
    }

    #[inline(always)]
    unsafe fn finish<const BITS: u32, const FIELDS: usize>(sums: &[__m256i; FIELDS]) -> __m256i {
        sums[0]
    }

    #[inline(always)]
    unsafe fn totals(four: &[__m256i; 4]) -> [i32; 4] {
        // SAFETY: the caller's duty.
        unsafe { totals(four) }
    }

    #[inline(always)]
    unsafe fn store(sums: __m256i, to: *mut i32) {
        // SAFETY: the caller's duty.
        unsafe { _mm256_storeu_si256(to.cast(), sums) }
    }
}

/// For codes of 8 bits the even and the odd bytes in 16 bits, else the bytes as they are.
#[inline(always)]
unsafe fn halves<const BITS: u32>(bytes: __m256i) -> [__m256i; 2] {
    if BITS < 8 {
        return [bytes; 2];
    }
    // SAFETY: the caller's duty.
    unsafe { [_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes)), _mm256_srai_epi16::<8>(bytes)] }
}

stamp! {
    Avx2,
    ["avx2", "fma", "f16c"],
    rows: [4, 4, 4, 4],
    columns: [4, 4, 4, 4]
}
