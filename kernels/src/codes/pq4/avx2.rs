//! AVX2: a shuffle of two lanes looks up two sub-quantizers of 16 rows.
//!
//! | instruction | Haswell | Zen 3 | Zen 5 |
//! |---|---|---|---|
//! | `vpshufb ymm` | 1 per cycle | 2 per cycle | 2 per cycle |
//! | `vpaddw ymm` | 2 per cycle | 4 per cycle | 4 per cycle |
//! | `vpsrlw ymm` | 1 per cycle | 2 per cycle | 2 per cycle |
//!
//! 32 bytes of classic codes take 3 instructions to be cut into nibbles, 2 shuffles and 6 to be added: the even bytes,
//! with the odd ones still above them, into one sum of 16 bits and the odd ones, shifted down, into another. 11
//! instructions are 2.75 cycles where there are four pipes, for 32 rows by 2 sub-quantizers. Sixteen registers hold the
//! sums of two queries. 64 bytes of the vector-major layout are first brought into the order of the classic one, by 6
//! shuffles.
//!
//! At the end 256 times the odd sum is taken off the even one, which leaves it exact as it is below 2^16: a span of 256
//! sub-quantizers adds up to 65,280 at most, over both lanes, and is then added to sums of 32 bits.
#![allow(clippy::needless_range_loop, reason = "an index runs over several arrays of registers")]
use std::arch::x86_64::*;

use super::{Lut, U16_SPAN, fetch_ahead};

/// The sums of a block for one query: even and odd bytes of rows 0 to 15, then of rows 16 to 31.
type Sums = [__m256i; 4];

/// Adds what `table` has for the sixteen rows by two sub-quantizers of `indexes`.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn look_up(sums: &mut Sums, half: usize, table: __m256i, indexes: __m256i) {
    // SAFETY: the caller's duty.
    unsafe {
        let found = _mm256_shuffle_epi8(table, indexes);
        sums[2 * half] = _mm256_add_epi16(sums[2 * half], found);
        sums[2 * half + 1] = _mm256_add_epi16(sums[2 * half + 1], _mm256_srli_epi16::<8>(found));
    }
}

/// The low and the high nibbles.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn nibbles(codes: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        let mask = _mm256_set1_epi8(0x0f);
        [_mm256_and_si256(codes, mask), _mm256_and_si256(_mm256_srli_epi16::<4>(codes), mask)]
    }
}

/// Adds two sub-quantizers, 32 bytes of the classic layout.
///
/// # Safety
/// The instruction set is available, and 32 bytes are readable at `codes` and at `at` in each query's tables.
#[inline(always)]
unsafe fn add_classic<const Q: usize>(sums: &mut [Sums; Q], luts: &[Lut; Q], at: usize, codes: *const u8) {
    // SAFETY: the caller's duty.
    unsafe {
        let [low, high] = nibbles(_mm256_loadu_si256(codes.cast()));
        for q in 0..Q {
            let table = _mm256_load_si256(luts[q].tables.add(at).cast());
            look_up(&mut sums[q], 0, table, low);
            look_up(&mut sums[q], 1, table, high);
        }
    }
}

/// Adds eight sub-quantizers, 128 bytes of the vector-major layout.
///
/// # Safety
/// The instruction set is available, and 128 bytes are readable at `codes` and at `at` in each query's tables.
#[inline(always)]
unsafe fn add_vector_major<const Q: usize>(sums: &mut [Sums; Q], luts: &[Lut; Q], at: usize, codes: *const u8) {
    // SAFETY: the caller's duty.
    unsafe {
        let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        let order = _mm256_broadcastsi128_si256(order);
        for half in 0..2 {
            let codes = codes.add(64 * half).cast::<__m256i>();
            // Four rows a lane, byte 0 of each, then byte 1 ..: rows 0 to 7 and rows 8 to 15.
            let first = _mm256_shuffle_epi8(_mm256_loadu_si256(codes), order);
            let second = _mm256_shuffle_epi8(_mm256_loadu_si256(codes.add(1)), order);
            // Rows 0, 8, 1, 9 .. of byte 0 (2) in the first lane and of byte 1 (3) in the second one.
            let bytes = [_mm256_unpacklo_epi8(first, second), _mm256_unpackhi_epi8(first, second)];
            for pair in 0..2 {
                let [low, high] = nibbles(_mm256_permute4x64_epi64::<0b11_01_10_00>(bytes[pair]));
                for q in 0..Q {
                    let tables = luts[q].tables.add(at + 32 * pair).cast::<__m256i>();
                    look_up(&mut sums[q], half, _mm256_load_si256(tables), low);
                    look_up(&mut sums[q], half, _mm256_load_si256(tables.add(2)), high);
                }
            }
        }
    }
}

/// Eight rows each: the even and the odd sums with their lanes added.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn fold(even: __m256i, odd: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        let even = _mm256_sub_epi16(even, _mm256_slli_epi16::<8>(odd));
        let lower = _mm256_permute2x128_si256::<0x20>(even, odd);
        let upper = _mm256_permute2x128_si256::<0x31>(even, odd);
        let sum = _mm256_add_epi16(lower, upper);
        let odd = _mm256_extracti128_si256::<1>(sum);
        [_mm256_cvtepu16_epi32(_mm256_castsi256_si128(sum)), _mm256_cvtepu16_epi32(odd)]
    }
}

/// The scan; `VECTOR_MAJOR` is the layout.
///
/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[inline(always)]
unsafe fn scan<const Q: usize, const VECTOR_MAJOR: bool>(luts: &[Lut; Q], codes: *const u8, m: usize, blocks: usize) {
    let filled = if VECTOR_MAJOR { 8 } else { 2 };
    let block_bytes = 16 * m.next_multiple_of(filled);
    // SAFETY: a block has sixteen bytes for each sub-quantizer, filled up to a multiple of `filled`; the tables are
    // filled up to a multiple of 8 and begin a cache line; there is room for 32 keys for each block.
    unsafe {
        for block in 0..blocks {
            let codes = codes.add(block * block_bytes);
            let mut totals = [[_mm256_setzero_si256(); 4]; Q];
            let mut at = 0;
            while at < block_bytes {
                let end = (at + 16 * U16_SPAN).min(block_bytes);
                let mut sums = [[_mm256_setzero_si256(); 4]; Q];
                while at < end {
                    if VECTOR_MAJOR {
                        fetch_ahead(codes.add(at), luts[0].ahead);
                        fetch_ahead(codes.add(at + 64), luts[0].ahead);
                        add_vector_major(&mut sums, luts, at, codes.add(at));
                        at += 128;
                    } else {
                        fetch_ahead(codes.add(at), luts[0].ahead);
                        let line = (at + 64).min(end);
                        while at < line {
                            add_classic(&mut sums, luts, at, codes.add(at));
                            at += 32;
                        }
                    }
                }
                for q in 0..Q {
                    for half in 0..2 {
                        let [first, second] = fold(sums[q][2 * half], sums[q][2 * half + 1]);
                        totals[q][2 * half] = _mm256_add_epi32(totals[q][2 * half], first);
                        totals[q][2 * half + 1] = _mm256_add_epi32(totals[q][2 * half + 1], second);
                    }
                }
            }
            for q in 0..Q {
                for i in 0..4 {
                    let sum = _mm256_cvtepi32_ps(totals[q][i]);
                    let keys =
                        _mm256_add_ps(_mm256_set1_ps(luts[q].bias), _mm256_mul_ps(_mm256_set1_ps(luts[q].step), sum));
                    _mm256_storeu_ps(luts[q].keys.add(32 * block + 8 * i), keys);
                }
            }
        }
    }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn classic_one(luts: &[Lut; 1], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan::<1, false>(luts, codes, m, blocks) }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn classic_four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    for two in luts.as_chunks::<2>().0 {
        // SAFETY: the caller's duty.
        unsafe { scan::<2, false>(two, codes, m, blocks) }
    }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn vector_major_one(luts: &[Lut; 1], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan::<1, true>(luts, codes, m, blocks) }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn vector_major_four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    for two in luts.as_chunks::<2>().0 {
        // SAFETY: the caller's duty.
        unsafe { scan::<2, true>(two, codes, m, blocks) }
    }
}
