//! AVX-512 with VBMI and VNNI, over the vector-major layout: a permute looks up 64 bytes in four tables at once, and a
//! byte dot product with ones adds the four of a row.
//!
//! | instruction | Ice Lake, Golden Cove | Zen 4 | Zen 5 |
//! |---|---|---|---|
//! | `vpermb zmm` | 3 cycles, 1 per cycle | 1 per cycle | 5, 2 per cycle |
//! | `vpdpbusd zmm` | 5, 1 per cycle (server: 2) | 1 per cycle | 4, 2 per cycle |
//! | `vpternlogd zmm` | 1, 2 per cycle | 2 per cycle | 2, 3 per cycle |
//! | `vpsrlw zmm` | 1, 1 per cycle | 1 per cycle | 2, 2 per cycle |
//!
//! 64 bytes are the codes of 16 rows by 8 sub-quantizers and take one shift, two `vpternlogd` (mask the nibble and put
//! the number of the table above it, in one), two permutes and two dot products: 7 instructions, which is 1.75 cycles
//! where there are four pipes for them; Zen 5, which does only two of these three kinds at a time, comes to 2.05. Both
//! halves of a block share the two loads of tables. Each half keeps a sum for the low and one for the high nibbles,
//! twice over for a single query, so that eight chains hide the latency of the dot product.
//!
//! A lane of 32 bits grows by at most 4 * 255 a step: it holds more than four million sub-quantizers.
#![allow(clippy::needless_range_loop, reason = "an index runs over several arrays of registers")]
use std::arch::x86_64::*;

use super::{Lut, fetch_ahead};

/// The sums of a block for one query: low and high nibbles of rows 0 to 15, then of rows 16 to 31.
type Sums = [__m512i; 4];

/// Adds eight sub-quantizers to the sums of each query.
///
/// # Safety
/// The instruction set is available, and 128 bytes are readable at `codes` and at `at` in each query's tables.
#[inline(always)]
unsafe fn add<const Q: usize>(sums: &mut [Sums; Q], luts: &[Lut; Q], at: usize, codes: *const u8) {
    // The value of (mask & nibble) | table, by the bits of nibble, mask and table.
    const AND_OR: i32 = 0xea;
    // SAFETY: the caller's duty.
    unsafe {
        let (mask, ones) = (_mm512_set1_epi8(0x0f), _mm512_set1_epi8(1));
        let table = _mm512_set1_epi32(0x3020_1000);
        let mut indexes = [ones; 4];
        for half in 0..2 {
            fetch_ahead(codes.add(64 * half), luts[0].ahead);
            let bytes = _mm512_loadu_si512(codes.add(64 * half).cast());
            indexes[2 * half] = _mm512_ternarylogic_epi32::<AND_OR>(bytes, mask, table);
            indexes[2 * half + 1] = _mm512_ternarylogic_epi32::<AND_OR>(_mm512_srli_epi16::<4>(bytes), mask, table);
        }
        for q in 0..Q {
            let low = _mm512_load_si512(luts[q].tables.add(at).cast());
            let high = _mm512_load_si512(luts[q].tables.add(at + 64).cast());
            for i in 0..4 {
                let found = _mm512_permutexvar_epi8(indexes[i], if i % 2 == 0 { low } else { high });
                sums[q][i] = _mm512_dpbusd_epi32(sums[q][i], found, ones);
            }
        }
    }
}

/// The scan, with `U` steps at a time that have sums of their own.
///
/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[inline(always)]
unsafe fn scan<const Q: usize, const U: usize>(luts: &[Lut; Q], codes: *const u8, m: usize, blocks: usize) {
    let block_bytes = 128 * m.div_ceil(8);
    // SAFETY: a block has 128 bytes for each eight sub-quantizers, and so have the tables, which begin a cache line;
    // there is room for 32 keys for each block.
    unsafe {
        for block in 0..blocks {
            let codes = codes.add(block * block_bytes);
            let mut sums = [[[_mm512_setzero_si512(); 4]; Q]; U];
            let mut at = 0;
            while at + 128 * U <= block_bytes {
                for u in 0..U {
                    add(&mut sums[u], luts, at + 128 * u, codes.add(at + 128 * u));
                }
                at += 128 * U;
            }
            while at < block_bytes {
                add(&mut sums[0], luts, at, codes.add(at));
                at += 128;
            }
            for q in 0..Q {
                for half in 0..2 {
                    let mut sum = _mm512_setzero_si512();
                    for u in 0..U {
                        let both = _mm512_add_epi32(sums[u][q][2 * half], sums[u][q][2 * half + 1]);
                        sum = _mm512_add_epi32(sum, both);
                    }
                    let scaled = _mm512_mul_ps(_mm512_set1_ps(luts[q].step), _mm512_cvtepi32_ps(sum));
                    let keys = _mm512_add_ps(_mm512_set1_ps(luts[q].bias), scaled);
                    _mm512_storeu_ps(luts[q].keys.add(32 * block + 16 * half), keys);
                }
            }
        }
    }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi")]
pub(super) unsafe fn one(luts: &[Lut; 1], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan::<1, 2>(luts, codes, m, blocks) }
}

/// # Safety
/// The instruction set is available, and the rest is as `Run` says.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi")]
pub(super) unsafe fn four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan::<4, 1>(luts, codes, m, blocks) }
}
