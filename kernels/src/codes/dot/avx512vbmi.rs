//! AVX-512 VBMI: blocks of one bit by lookup; everything else as on AVX-512 VNNI.
//!
//! | instruction | Zen 4 | Zen 5 | Ice Lake |
//! |---|---|---|---|
//! | `vpermb zmm` | 6 cycles, 1 per cycle | 5, 2 per cycle | 3, 1 per cycle |
//! | `vpdpbusd zmm` | 4, 1 per cycle (two halves) | 4, 2 per cycle | 5, 1 per cycle |
//!
//! A nibble of byte `j` of a row holds one bit of each of four components, whose sum for the query is one of sixteen.
//! Four such tables fill a register: the index is the nibble and, above it, `j`. The entries, made unsigned by taking
//! the least off, are at most 255 and add up in 32 bits (`vpdpbusd` with ones). So 64 bytes, 32 components of sixteen
//! rows, take two lookups, two products and three operations for the indexes: of 768 components 10.5 operations a row,
//! against 25.5 when each field is multiplied.
#![allow(clippy::needless_range_loop, reason = "plain loops keep values in registers")]
use std::arch::x86_64::*;

use super::{
    avx512vnni,
    driver::{AHEAD, BlockJob, Cell},
    layout::{BLOCK_ROWS, STEP_BYTES},
};
use crate::prefetch;

pub(super) const CELL: Cell = Cell { rows: avx512vnni::rows, blocks, register: 64, tables: true, signed: false };

/// Blocks at a time, with two sums each.
const COLUMNS: usize = 4;

/// One plane of blocks.
///
/// # Safety
/// See `driver::blocks`.
unsafe fn blocks(job: &BlockJob) {
    // SAFETY: the caller's duty.
    unsafe { if job.bits == 1 && !job.tables.is_null() { lookup(job) } else { avx512vnni::blocks(job) } }
}

/// A plane of one bit.
///
/// # Safety
/// As for [`blocks`], and the tables hold two registers for each step.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi")]
unsafe fn lookup(job: &BlockJob) {
    /// `a & b | c`.
    const AND_OR: i32 = 0xea;
    let ones = _mm512_set1_epi8(1);
    let nibble = _mm512_set1_epi8(0x0f);
    let table = _mm512_set1_epi32(0x3020_1000);
    let mut done = 0;
    while done < job.blocks {
        let here = (job.blocks - done).min(COLUMNS);
        // SAFETY: blocks below `blocks` are readable for `steps` steps, and so are two tables for each.
        unsafe {
            let mut from = [job.codes; COLUMNS];
            for c in 0..COLUMNS {
                from[c] = job.column(done + c.min(here - 1), STEP_BYTES);
            }
            let mut sums = [[_mm512_setzero_si512(); 2]; COLUMNS];
            for step in 0..job.steps {
                let low_table = _mm512_loadu_si512(job.tables.add(2 * step * 64).cast());
                let high_table = _mm512_loadu_si512(job.tables.add((2 * step + 1) * 64).cast());
                for c in 0..COLUMNS {
                    prefetch::row(from[c].wrapping_add(step * STEP_BYTES + AHEAD), STEP_BYTES);
                }
                for c in 0..COLUMNS {
                    let codes = _mm512_loadu_si512(from[c].add(step * STEP_BYTES).cast());
                    let low = _mm512_ternarylogic_epi32::<AND_OR>(codes, nibble, table);
                    let high = _mm512_ternarylogic_epi32::<AND_OR>(_mm512_srli_epi16::<4>(codes), nibble, table);
                    sums[c][0] = _mm512_dpbusd_epi32(sums[c][0], _mm512_permutexvar_epi8(low, low_table), ones);
                    sums[c][1] = _mm512_dpbusd_epi32(sums[c][1], _mm512_permutexvar_epi8(high, high_table), ones);
                }
            }
            for c in 0..here {
                let mut products = [0; BLOCK_ROWS];
                _mm512_storeu_si512(products.as_mut_ptr().cast(), _mm512_add_epi32(sums[c][0], sums[c][1]));
                job.put((done + c) * BLOCK_ROWS, job.bias, &products);
            }
        }
        done += here;
    }
}
