//! NEON: a table lookup finds one sub-quantizer of 16 rows.
//!
//! | instruction | Cortex-A72 | Neoverse N1 | Apple M1 |
//! |---|---|---|---|
//! | `tbl v.16b`, one register | 2 per cycle | 2 per cycle | 4 per cycle |
//! | `uaddw v.8h` | 2 per cycle | 2 per cycle | 4 per cycle |
//!
//! Sixteen bytes of classic codes take 2 instructions to be cut into nibbles, 2 lookups and 4 additions of bytes to
//! sums of 16 bits, which therefore need no correction. 64 bytes of the vector-major layout are pulled apart by one
//! `ld4`, after which the rows are in order. Two queries share the nibbles.
//!
//! A span of 256 sub-quantizers adds up to 65,280 at most, which 16 bits hold, and is then added to sums of 32 bits.
#![allow(clippy::needless_range_loop, reason = "an index runs over several arrays of registers")]
use std::arch::aarch64::*;

use super::{Lut, U16_SPAN, fetch_ahead};

/// The sums of a block for one query: the lower and upper bytes of a register for rows 0 to 15, then for rows 16 to 31.
type Sums = [uint16x8_t; 4];

/// Adds what `table` has for the sixteen rows of `indexes`.
///
/// # Safety
/// NEON is available.
#[inline(always)]
unsafe fn look_up(sums: &mut Sums, half: usize, table: uint8x16_t, indexes: uint8x16_t) {
    // SAFETY: the caller's duty.
    unsafe {
        let found = vqtbl1q_u8(table, indexes);
        sums[2 * half] = vaddw_u8(sums[2 * half], vget_low_u8(found));
        sums[2 * half + 1] = vaddw_high_u8(sums[2 * half + 1], found);
    }
}

/// Adds one sub-quantizer, sixteen bytes of the classic layout.
///
/// # Safety
/// NEON is available, and sixteen bytes are readable at `codes` and at `at` in each query's tables.
#[inline(always)]
unsafe fn add_classic<const Q: usize>(sums: &mut [Sums; Q], luts: &[Lut; Q], at: usize, codes: *const u8) {
    // SAFETY: the caller's duty.
    unsafe {
        let codes = vld1q_u8(codes);
        let (low, high) = (vandq_u8(codes, vdupq_n_u8(0x0f)), vshrq_n_u8::<4>(codes));
        for q in 0..Q {
            let table = vld1q_u8(luts[q].tables.add(at));
            look_up(&mut sums[q], 0, table, low);
            look_up(&mut sums[q], 1, table, high);
        }
    }
}

/// Adds eight sub-quantizers, 128 bytes of the vector-major layout.
///
/// # Safety
/// NEON is available, and 128 bytes are readable at `codes` and at `at` in each query's tables.
#[inline(always)]
unsafe fn add_vector_major<const Q: usize>(sums: &mut [Sums; Q], luts: &[Lut; Q], at: usize, codes: *const u8) {
    // SAFETY: the caller's duty.
    unsafe {
        for half in 0..2 {
            let bytes = vld4q_u8(codes.add(64 * half));
            let bytes = [bytes.0, bytes.1, bytes.2, bytes.3];
            for j in 0..4 {
                let (low, high) = (vandq_u8(bytes[j], vdupq_n_u8(0x0f)), vshrq_n_u8::<4>(bytes[j]));
                for q in 0..Q {
                    let tables = luts[q].tables.add(at + 16 * j);
                    look_up(&mut sums[q], half, vld1q_u8(tables), low);
                    look_up(&mut sums[q], half, vld1q_u8(tables.add(64)), high);
                }
            }
        }
    }
}

/// The scan; `VECTOR_MAJOR` is the layout.
///
/// # Safety
/// NEON is available, and the rest is as `Run` says.
#[inline(always)]
unsafe fn scan<const Q: usize, const VECTOR_MAJOR: bool>(luts: &[Lut; Q], codes: *const u8, m: usize, blocks: usize) {
    let filled = if VECTOR_MAJOR { 8 } else { 2 };
    let block_bytes = 16 * m.next_multiple_of(filled);
    // SAFETY: a block has sixteen bytes for each sub-quantizer, filled up to a multiple of `filled`; the tables are
    // filled up to a multiple of 8; there is room for 32 keys for each block.
    unsafe {
        for block in 0..blocks {
            let codes = codes.add(block * block_bytes);
            let mut totals = [[vdupq_n_u32(0); 8]; Q];
            let mut at = 0;
            while at < block_bytes {
                let end = (at + 16 * U16_SPAN).min(block_bytes);
                let mut sums = [[vdupq_n_u16(0); 4]; Q];
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
                            at += 16;
                        }
                    }
                }
                for q in 0..Q {
                    for half in 0..2 {
                        let (a, b) = (sums[q][2 * half], sums[q][2 * half + 1]);
                        // Classic bytes are rows 0, 8, 1, 9 ..: the even ones are the first eight rows.
                        let rows = if VECTOR_MAJOR { [a, b] } else { [vuzp1q_u16(a, b), vuzp2q_u16(a, b)] };
                        for i in 0..2 {
                            let to = 4 * half + 2 * i;
                            totals[q][to] = vaddw_u16(totals[q][to], vget_low_u16(rows[i]));
                            totals[q][to + 1] = vaddw_high_u16(totals[q][to + 1], rows[i]);
                        }
                    }
                }
            }
            for q in 0..Q {
                for i in 0..8 {
                    let scaled = vmulq_f32(vdupq_n_f32(luts[q].step), vcvtq_f32_u32(totals[q][i]));
                    let keys = vaddq_f32(vdupq_n_f32(luts[q].bias), scaled);
                    vst1q_f32(luts[q].keys.add(32 * block + 4 * i), keys);
                }
            }
        }
    }
}

/// # Safety
/// NEON is available, and the rest is as `Run` says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn classic_one(luts: &[Lut; 1], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan::<1, false>(luts, codes, m, blocks) }
}

/// # Safety
/// NEON is available, and the rest is as `Run` says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn classic_four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    for two in luts.as_chunks::<2>().0 {
        // SAFETY: the caller's duty.
        unsafe { scan::<2, false>(two, codes, m, blocks) }
    }
}

/// # Safety
/// NEON is available, and the rest is as `Run` says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn vector_major_one(luts: &[Lut; 1], codes: *const u8, m: usize, blocks: usize) {
    // SAFETY: the caller's duty.
    unsafe { scan::<1, true>(luts, codes, m, blocks) }
}

/// # Safety
/// NEON is available, and the rest is as `Run` says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn vector_major_four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    for two in luts.as_chunks::<2>().0 {
        // SAFETY: the caller's duty.
        unsafe { scan::<2, true>(two, codes, m, blocks) }
    }
}
