//! AVX-512 (F, BW, VL, DQ) without population counts: a table of the ones of each nibble, read by a byte shuffle.
//!
//! | instruction | Zen 4 | Zen 5 | Skylake-X |
//! |---|---|---|---|
//! | `vpshufb zmm` | 2 cycles, 1 per cycle (two halves) | 2, 2 per cycle | 1, 1 per cycle |
//! | `vpsadbw zmm` | 3, 1 per cycle | 3, 2 per cycle | 3, 1 per cycle |
//! | logic and `vpaddb zmm` | 1, 2 per cycle | 1, 4 per cycle | 1, 2 per cycle |
//!
//! A register of bits takes two shuffles and five other operations. Counts are kept in bytes, to which a register adds
//! at most 8, so they are emptied after 31 registers (248 of 255).
#![allow(clippy::needless_range_loop, reason = "one loop over registers")]
use std::arch::x86_64::*;

use super::lanes::{Bits, presence_table, table};

pub(super) struct Avx512;

/// The set's registers, which do not depend on how ones are counted.
macro_rules! registers {
    (
        $isa:ty,
        segment: $segment:expr,
        count: |$sum:ident, $word:ident| $count:expr,
        settle: |$counts:ident| $settle:expr
    ) => {
        impl Bits for $isa {
            type Word = __m512i;
            const BYTES: usize = 64;
            const SEGMENT: usize = $segment;

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
                // SAFETY: the caller's duty; bytes that the mask leaves out are not accessed.
                unsafe { _mm512_maskz_loadu_epi8(u64::MAX >> (64 - count), from.cast()) }
            }

            #[inline(always)]
            unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
                // SAFETY: the caller's duty.
                unsafe { _mm512_and_si512(a, b) }
            }

            #[inline(always)]
            unsafe fn or(a: __m512i, b: __m512i) -> __m512i {
                // SAFETY: the caller's duty.
                unsafe { _mm512_or_si512(a, b) }
            }

            #[inline(always)]
            unsafe fn xor(a: __m512i, b: __m512i) -> __m512i {
                // SAFETY: the caller's duty.
                unsafe { _mm512_xor_si512(a, b) }
            }

            #[inline(always)]
            unsafe fn without(a: __m512i, b: __m512i) -> __m512i {
                // SAFETY: the caller's duty.
                unsafe { _mm512_andnot_si512(b, a) }
            }

            #[inline(always)]
            unsafe fn any(word: __m512i) -> bool {
                // SAFETY: the caller's duty.
                unsafe { _mm512_test_epi64_mask(word, word) != 0 }
            }

            #[inline(always)]
            unsafe fn count($sum: __m512i, $word: __m512i) -> __m512i {
                // SAFETY: the caller's duty.
                unsafe { $count }
            }

            #[inline(always)]
            unsafe fn differ<const WIDTH: usize>(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
                // SAFETY: the caller's duty.
                unsafe { $crate::bits::avx512::differ::<WIDTH>(sum, a, b) }
            }

            #[inline(always)]
            unsafe fn settle<const LANE: usize>($counts: __m512i) -> __m512i {
                // SAFETY: the caller's duty.
                unsafe { if LANE == 0 { $settle } else { $crate::bits::avx512::settle::<LANE>($counts) } }
            }

            #[inline(always)]
            unsafe fn totals<const R: usize>(sums: [__m512i; R]) -> [u32; R] {
                // SAFETY: the caller's duty.
                unsafe { $crate::bits::avx512::totals(sums) }
            }

            #[inline(always)]
            unsafe fn total_two(first: __m512i, second: __m512i) -> [u32; 2] {
                // SAFETY: the caller's duty.
                unsafe { $crate::bits::avx512::total_two(first, second) }
            }
        }
    };
}
pub(super) use registers;

registers! {
    Avx512,
    segment: 31 * 64,
    count: |sum, word| _mm512_add_epi8(sum, ones_of_bytes(word)),
    settle: |sum| _mm512_sad_epu8(sum, _mm512_setzero_si512())
}

/// The ones of each byte.
#[inline(always)]
unsafe fn ones_of_bytes(word: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
        let nibble = _mm512_set1_epi8(15);
        let low = _mm512_shuffle_epi8(table, _mm512_and_si512(word, nibble));
        let high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16::<4>(word), nibble));
        _mm512_add_epi8(low, high)
    }
}

/// As [`Bits::differ`]. Adding the smaller of 1 and the exclusive or, without mask registers, was tried: for hashes of
/// 64 bits it took an eighth more, for others it made no difference.
#[inline(always)]
pub(super) unsafe fn differ<const WIDTH: usize>(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        match WIDTH {
            1 => _mm512_mask_sub_epi8(sum, _mm512_cmpneq_epi8_mask(a, b), sum, _mm512_set1_epi8(-1)),
            2 => _mm512_mask_sub_epi16(sum, _mm512_cmpneq_epi16_mask(a, b), sum, _mm512_set1_epi16(-1)),
            4 => _mm512_mask_sub_epi32(sum, _mm512_cmpneq_epi32_mask(a, b), sum, _mm512_set1_epi32(-1)),
            _ => _mm512_mask_sub_epi64(sum, _mm512_cmpneq_epi64_mask(a, b), sum, _mm512_set1_epi64(-1)),
        }
    }
}

/// Counts in lanes of 1 to 8 bytes into lanes of 8 bytes, of which the lower halves count.
#[inline(always)]
pub(super) unsafe fn settle<const LANE: usize>(sum: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let halves = match LANE {
            1 => return _mm512_sad_epu8(sum, _mm512_setzero_si512()),
            2 => _mm512_madd_epi16(sum, _mm512_set1_epi16(1)),
            4 => sum,
            _ => return sum,
        };
        _mm512_add_epi32(halves, _mm512_srli_epi64::<32>(halves))
    }
}

/// The totals of the lower halves of the lanes of 8 bytes.
#[inline(always)]
pub(super) unsafe fn totals<const R: usize>(sums: [__m512i; R]) -> [u32; R] {
    let mut totals = [0; R];
    // SAFETY: the caller's duty; eight rows are written where there are eight.
    unsafe {
        if R == 8 {
            let low = four_rows([sums[0], sums[1], sums[2], sums[3]]);
            let high = four_rows([sums[4], sums[5], sums[6], sums[7]]);
            // Lanes of 128 bits: low 0 + 1, low 2 + 3, high 0 + 1, high 2 + 3; then rows 0 to 3 and 4 to 7.
            let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high);
            let halves = _mm512_add_epi32(even, _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high));
            let even = _mm512_castsi512_si256(_mm512_shuffle_i32x4::<0b10_00_10_00>(halves, halves));
            let odd = _mm512_castsi512_si256(_mm512_shuffle_i32x4::<0b11_01_11_01>(halves, halves));
            _mm256_storeu_si256(totals.as_mut_ptr().cast(), _mm256_add_epi32(even, odd));
        } else {
            for row in 0..R {
                let low = _mm512_and_si512(sums[row], _mm512_set1_epi64(0xffff_ffff));
                totals[row] = _mm512_reduce_add_epi64(low) as u32;
            }
        }
    }
    totals
}

/// The totals of the lower halves of the lanes of 8 bytes of two sums.
#[inline(always)]
pub(super) unsafe fn total_two(first: __m512i, second: __m512i) -> [u32; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        let both = _mm512_mask_shuffle_epi32::<0b10_10_00_00>(first, 0xaaaa, second);
        let eight = _mm256_add_epi32(_mm512_castsi512_si256(both), _mm512_extracti64x4_epi64::<1>(both));
        let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
        let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
        [_mm_cvtsi128_si32(two) as u32, _mm_extract_epi32::<1>(two) as u32]
    }
}

/// The lower halves of the 8-byte lanes of four rows, as four rows in each 128 bits, which are left to be added.
#[inline(always)]
unsafe fn four_rows(sums: [__m512i; 4]) -> __m512i {
    const ODD: __mmask16 = 0xaaaa;
    // SAFETY: the caller's duty.
    unsafe {
        let first = _mm512_mask_shuffle_epi32::<0b10_10_00_00>(sums[0], ODD, sums[1]);
        let second = _mm512_mask_shuffle_epi32::<0b10_10_00_00>(sums[2], ODD, sums[3]);
        _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second))
    }
}

table! {
    isa: Avx512,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"],
    rows: 8
}
presence_table! {
    isa: Avx512,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"]
}
