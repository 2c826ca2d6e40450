//! AVX2: a table of the ones of each nibble, read by a byte shuffle.
//!
//! | instruction | Zen 3 to 5 | Haswell to Golden Cove |
//! |---|---|---|
//! | `vpshufb ymm` | 1 cycle, 2 per cycle | 1, 1 to 2 per cycle |
//! | `vpsadbw ymm` | 3, 2 per cycle | 5, 1 per cycle |
//! | logic and `vpaddb ymm` | 1, 4 per cycle | 1, 3 per cycle |
//!
//! A register of bits takes two shuffles and five other operations. Counts are kept in bytes, to which a register adds
//! at most 8, so they are emptied after 31 registers (248 of 255).
#![allow(clippy::needless_range_loop, reason = "one loop over registers")]
use std::arch::x86_64::*;

use super::lanes::{Bits, presence_table, table};

pub(super) struct Avx2;

impl Bits for Avx2 {
    type Word = __m256i;
    const BYTES: usize = 32;
    const SEGMENT: usize = 31 * 32;

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
    unsafe fn load_first(from: *const u8, count: usize) -> __m256i {
        // SAFETY: the caller's duty; lanes of 4 bytes that the mask leaves out are not accessed, and the bytes after
        // the whole lanes are read one by one.
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let whole = _mm256_set1_epi32((count / 4) as i32);
            let lanes = _mm256_maskload_epi32(from.cast(), _mm256_cmpgt_epi32(whole, lane));
            if count.is_multiple_of(4) {
                return lanes;
            }
            let mut rest = 0;
            for i in count / 4 * 4..count {
                rest |= u32::from(*from.add(i)) << (8 * (i % 4));
            }
            let rest = _mm256_and_si256(_mm256_set1_epi32(rest as i32), _mm256_cmpeq_epi32(whole, lane));
            _mm256_or_si256(lanes, rest)
        }
    }

    #[inline(always)]
    unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_and_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn or(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn xor(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_xor_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn without(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_andnot_si256(b, a) }
    }

    #[inline(always)]
    unsafe fn any(word: __m256i) -> bool {
        // SAFETY: the caller's duty.
        unsafe { _mm256_testz_si256(word, word) == 0 }
    }

    #[inline(always)]
    unsafe fn count(sum: __m256i, word: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
            let nibble = _mm256_set1_epi8(15);
            let low = _mm256_shuffle_epi8(table, _mm256_and_si256(word, nibble));
            let high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(word), nibble));
            _mm256_add_epi8(sum, _mm256_add_epi8(low, high))
        }
    }

    #[inline(always)]
    unsafe fn differ<const WIDTH: usize>(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's duty. A comparison gives -1 where it holds.
        unsafe {
            match WIDTH {
                1 => _mm256_add_epi8(sum, _mm256_add_epi8(_mm256_cmpeq_epi8(a, b), _mm256_set1_epi8(1))),
                2 => _mm256_add_epi16(sum, _mm256_add_epi16(_mm256_cmpeq_epi16(a, b), _mm256_set1_epi16(1))),
                4 => _mm256_add_epi32(sum, _mm256_add_epi32(_mm256_cmpeq_epi32(a, b), _mm256_set1_epi32(1))),
                _ => _mm256_add_epi64(sum, _mm256_add_epi64(_mm256_cmpeq_epi64(a, b), _mm256_set1_epi64x(1))),
            }
        }
    }

    /// Into lanes of 8 bytes, of which the lower halves count.
    #[inline(always)]
    unsafe fn settle<const LANE: usize>(sum: __m256i) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe {
            let halves = match LANE {
                0 | 1 => return _mm256_sad_epu8(sum, _mm256_setzero_si256()),
                2 => _mm256_madd_epi16(sum, _mm256_set1_epi16(1)),
                4 => sum,
                _ => return sum,
            };
            _mm256_add_epi32(halves, _mm256_srli_epi64::<32>(halves))
        }
    }

    #[inline(always)]
    unsafe fn totals<const R: usize>(sums: [__m256i; R]) -> [u32; R] {
        let mut totals = [0; R];
        // SAFETY: the caller's duty; four rows are written where there are four.
        unsafe {
            if R == 4 {
                let first = _mm256_blend_epi32::<0b1010_1010>(sums[0], _mm256_slli_epi64::<32>(sums[1]));
                let second = _mm256_blend_epi32::<0b1010_1010>(sums[2], _mm256_slli_epi64::<32>(sums[3]));
                let low = _mm256_unpacklo_epi64(first, second);
                let halves = _mm256_add_epi32(low, _mm256_unpackhi_epi64(first, second));
                let high = _mm256_extracti128_si256::<1>(halves);
                let four = _mm_add_epi32(_mm256_castsi256_si128(halves), high);
                _mm_storeu_si128(totals.as_mut_ptr().cast(), four);
            } else {
                for row in 0..R {
                    let halves = _mm256_extracti128_si256::<1>(sums[row]);
                    let halves = _mm_add_epi32(_mm256_castsi256_si128(sums[row]), halves);
                    let sum = _mm_add_epi32(halves, _mm_unpackhi_epi64(halves, halves));
                    totals[row] = _mm_cvtsi128_si32(sum) as u32;
                }
            }
        }
        totals
    }

    #[inline(always)]
    unsafe fn total_two(first: __m256i, second: __m256i) -> [u32; 2] {
        // SAFETY: the caller's duty. Counts of bits have clear upper halves.
        unsafe {
            let both = _mm256_or_si256(first, _mm256_slli_epi64::<32>(second));
            let four = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both));
            let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
            [_mm_cvtsi128_si32(two) as u32, _mm_extract_epi32::<1>(two) as u32]
        }
    }
}

table! { isa: Avx2, features: ["avx2", "fma", "f16c"], rows: 4 }
presence_table! { isa: Avx2, features: ["avx2", "fma", "f16c"] }
