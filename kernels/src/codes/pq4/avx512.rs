//! AVX-512 (BW), over the classic layout: a shuffle of four lanes looks up four sub-quantizers of 32 rows.
//!
//! | instruction | Skylake-X | Zen 4 | Zen 5 |
//! |---|---|---|---|
//! | `vpshufb zmm` | 1 cycle, 1 per cycle | 1 per cycle | 2, 2 per cycle |
//! | `vpaddw zmm` | 1, 2 per cycle | 2 per cycle | 2, 4 per cycle |
//! | `vpsrlw zmm` | 1, 1 per cycle | 1 per cycle | 2, 2 per cycle |
//!
//! 64 bytes of codes take 3 instructions to be cut into nibbles, 2 shuffles and 6 to be added: the even bytes, with the
//! odd ones still above them, into one sum of 16 bits and the odd ones, shifted down, into another. 11 instructions are
//! 2.75 cycles where there are four pipes. At the end 256 times the odd sum is taken off the even one, which leaves it
//! exact as it is below 2^16: a span of 256 sub-quantizers adds up to 65,280 at most, over all lanes, and is then added
//! to sums of 32 bits.
#![allow(clippy::needless_range_loop, reason = "an index runs over several arrays of registers")]
use std::arch::x86_64::*;

use super::{Lut, U16_SPAN, fetch_ahead};

/// The sums of a block for one query: even and odd bytes of rows 0 to 15, then of rows 16 to 31.
type Sums = [__m512i; 4];

/// Adds four sub-quantizers to the sums of each query.
///
/// # Safety
/// The instruction set is available, and 64 bytes are readable at `at` in each query's tables.
#[inline(always)]
unsafe fn add<const Q: usize>(sums: &mut [Sums; Q], luts: &[Lut; Q], at: usize, codes: __m512i) {
    // SAFETY: the caller's duty.
    unsafe {
        let mask = _mm512_set1_epi8(0x0f);
        let (low, high) = (_mm512_and_si512(codes, mask), _mm512_and_si512(_mm512_srli_epi16::<4>(codes), mask));
        for q in 0..Q {
            let table = _mm512_load_si512(luts[q].tables.add(at).cast());
            let found = [_mm512_shuffle_epi8(table, low), _mm512_shuffle_epi8(table, high)];
            for i in 0..2 {
                sums[q][2 * i] = _mm512_add_epi16(sums[q][2 * i], found[i]);
                sums[q][2 * i + 1] = _mm512_add_epi16(sums[q][2 * i + 1], _mm512_srli_epi16::<8>(found[i]));
            }
        }
    }
}

/// Sixteen rows: the even and the odd sums, each with its four lanes added, one after the other.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn fold(even: __m512i, odd: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let even = _mm512_sub_epi16(even, _mm512_slli_epi16::<8>(odd));
        let even = _mm256_add_epi16(_mm512_castsi512_si256(even), _mm512_extracti64x4_epi64::<1>(even));
        let odd = _mm256_add_epi16(_mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64::<1>(odd));
        let lower = _mm256_permute2x128_si256::<0x20>(even, odd);
        let upper = _mm256_permute2x128_si256::<0x31>(even, odd);
        _mm512_cvtepu16_epi32(_mm256_add_epi16(lower, upper))
    }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[inline(always)]
unsafe fn scan<const Q: usize>(luts: &[Lut; Q], codes: *const u8, m: usize, blocks: usize) {
    let block_bytes = 16 * m.next_multiple_of(2);
    // SAFETY: a block has sixteen bytes for each sub-quantizer and one to fill up, 32 bytes where it is not whole cache
    // lines, which is all that the mask lets through; the tables are filled up further and begin a cache line; there is
    // room for 32 keys for each block.
    unsafe {
        for block in 0..blocks {
            let codes = codes.add(block * block_bytes);
            let mut totals = [[_mm512_setzero_si512(); 2]; Q];
            let mut at = 0;
            while at < block_bytes {
                let end = (at + 16 * U16_SPAN).min(block_bytes);
                let mut sums = [[_mm512_setzero_si512(); 4]; Q];
                while at + 64 <= end {
                    fetch_ahead(codes.add(at), luts[0].ahead);
                    add(&mut sums, luts, at, _mm512_loadu_si512(codes.add(at).cast()));
                    at += 64;
                }
                if at < end {
                    // The codes that are not there are zero, and so are their tables.
                    add(&mut sums, luts, at, _mm512_maskz_loadu_epi32(0xff, codes.add(at).cast()));
                    at = end;
                }
                for q in 0..Q {
                    let [even, odd, next_even, next_odd] = sums[q];
                    totals[q][0] = _mm512_add_epi32(totals[q][0], fold(even, odd));
                    totals[q][1] = _mm512_add_epi32(totals[q][1], fold(next_even, next_odd));
                }
            }
            for q in 0..Q {
                for half in 0..2 {
                    let sum = _mm512_cvtepi32_ps(totals[q][half]);
                    let keys =
                        _mm512_add_ps(_mm512_set1_ps(luts[q].bias), _mm512_mul_ps(_mm512_set1_ps(luts[q].step), sum));
                    _mm512_storeu_ps(luts[q].keys.add(32 * block + 16 * half), keys);
                }
            }
        }
    }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn one(luts: &[Lut; 1], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan(luts, codes, m, blocks) }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan(luts, codes, m, blocks) }
}
