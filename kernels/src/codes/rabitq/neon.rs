//! NEON: counts by `cnt`, lookups by `tbl`, products by widening to 16 bits.
//!
//! - Rows: for 16 bytes of signs each plane takes an exclusive or, a count and two additions; bytes hold `8 * 15` for
//!   four planes at most, then pairs are widened and added. A row of 768 with 4 planes is about 110 instructions, at
//!   2 to 4 a cycle.
//! - Full codes: 16 components take four instructions for each plane and six to multiply, in 32 bits.
//! - Blocks: 16 rows of a byte take two lookups; three bytes are added before they are widened to 16 bits, as
//!   [`super::blocks`] allows.
#![expect(clippy::needless_range_loop, reason = "iterators may be compiled without the instruction set")]
use std::arch::aarch64::*;

use super::{
    blocks::{BlockKernel, Direct, Finish, Outputs, fetch_ahead, fetch_factors_ahead, finish},
    estimate::Scan,
    layout::BLOCK,
};

/// See [`super::estimate::RowsRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::rows`] asks for.
#[target_feature(enable = "neon")]
pub(super) unsafe fn rows(scan: &Scan<'_>, keys: *mut f32, errors: *mut f32) {
    // SAFETY: the caller's duty.
    unsafe {
        for i in 0..scan.count {
            let row = scan.row(i);
            scan.fetch_ahead(row, 1);
            let mut sum = vdupq_n_u32(0);
            let mut word = 0;
            while word + 2 <= scan.words {
                let signs = vld1q_u8(row.add(8 * word));
                for first in (0..scan.plane_count).step_by(4) {
                    sum = vaddq_u32(sum, counts::<false>(scan, signs, first, word));
                }
                word += 2;
            }
            if word < scan.words {
                let signs = vcombine_u8(vld1_u8(row.add(8 * word)), vdup_n_u8(0));
                for first in (0..scan.plane_count).step_by(4) {
                    sum = vaddq_u32(sum, counts::<true>(scan, signs, first, word));
                }
            }
            (*keys.add(i), *errors.add(i)) = scan.estimate(i, vaddvq_u32(sum));
        }
    }
}

/// The weighted counts of up to four planes from `first` on, against two words of signs, or one.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
unsafe fn counts<const HALF: bool>(scan: &Scan<'_>, signs: uint8x16_t, first: usize, word: usize) -> uint32x4_t {
    // SAFETY: the caller's duty.
    unsafe {
        let mut sum = vdupq_n_u8(0);
        let mut plane = scan.plane_count.min(first + 4);
        while plane > first {
            plane -= 1;
            let at = scan.planes.add(plane * scan.words + word).cast::<u8>();
            let q = if HALF { vcombine_u8(vld1_u8(at), vdup_n_u8(0)) } else { vld1q_u8(at) };
            sum = vaddq_u8(vaddq_u8(sum, sum), vcntq_u8(veorq_u8(signs, q)));
        }
        vshlq_u32(vpaddlq_u16(vpaddlq_u8(sum)), vdupq_n_s32(first as i32))
    }
}

/// See [`super::estimate::FullRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::full`] asks for.
#[target_feature(enable = "neon")]
pub(super) unsafe fn full(bytes: *const i8, words: usize, signs: *const u8, planes: *const u8, extra: usize) -> i32 {
    // SAFETY: the caller's duty; two bytes of a plane are 16 components.
    unsafe {
        let mut sum = vdupq_n_s32(0);
        for k in (0..8 * words).step_by(2) {
            // Horner's rule: a plane is -1 where its bit is set, so codes are doubled and the plane subtracted.
            let mut code = vsubq_u8(vdupq_n_u8(0), expand(signs.add(k)));
            for plane in 0..extra {
                code = vsubq_u8(vaddq_u8(code, code), expand(planes.add(plane * 8 * words + k)));
            }
            let q = vld1q_s8(bytes.add(8 * k));
            let low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(code)));
            let high = vreinterpretq_s16_u16(vmovl_high_u8(code));
            let (q_low, q_high) = (vmovl_s8(vget_low_s8(q)), vmovl_high_s8(q));
            sum = vmlal_s16(sum, vget_low_s16(low), vget_low_s16(q_low));
            sum = vmlal_high_s16(sum, low, q_low);
            sum = vmlal_s16(sum, vget_low_s16(high), vget_low_s16(q_high));
            sum = vmlal_high_s16(sum, high, q_high);
        }
        vaddvq_s32(sum)
    }
}

/// Sixteen bits as bytes, 255 where the bit is set.
///
/// # Safety
/// The features are available, and two bytes are readable at `from`.
#[inline(always)]
unsafe fn expand(from: *const u8) -> uint8x16_t {
    const EACH: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: the caller's duty.
    unsafe {
        let bits = vcombine_u8(vdup_n_u8(*from), vdup_n_u8(*from.add(1)));
        vtstq_u8(bits, vld1q_u8(EACH.as_ptr()))
    }
}

/// The scans of blocks.
pub(super) const BLOCKS: BlockKernel = BlockKernel { direct, one, four, finish: last, wide: false };

/// See [`super::blocks::DirectRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::direct`] asks for.
#[target_feature(enable = "neon")]
unsafe fn direct(job: &Direct, keys: *mut f32, errors: *mut f32) {
    for i in 0..job.count {
        // SAFETY: the caller's duty.
        unsafe {
            let mut sums = [0; BLOCK];
            fetch_factors_ahead(job.block(i).add(BLOCK * job.bytes));
            quarter_blocks(job.tables, job.bytes, job.block(i), &mut sums);
            job.finish(i, &sums, keys, errors);
        }
    }
}

/// See [`super::blocks::OneRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::one`] asks for.
#[target_feature(enable = "neon")]
unsafe fn one(tables: *const u8, bytes: usize, block: *const u8, sums: &mut [u16; BLOCK]) {
    // SAFETY: the caller's duty.
    unsafe { quarter_blocks(tables, bytes, block, sums) }
}

/// See [`super::blocks::FourRun`].
///
/// # Safety
/// As for [`one`], for each of four tables.
#[target_feature(enable = "neon")]
unsafe fn four(tables: [*const u8; 4], bytes: usize, block: *const u8, sums: &mut [[u16; BLOCK]; 4]) {
    for q in 0..4 {
        // SAFETY: the caller's duty.
        unsafe { quarter_blocks(tables[q], bytes, block, &mut sums[q]) }
    }
}

/// See [`finish`].
///
/// # Safety
/// The features are available.
#[target_feature(enable = "neon")]
unsafe fn last(job: &Finish<'_>, outputs: Outputs<'_>) {
    finish(job, outputs);
}

/// # Safety
/// As for [`one`].
#[inline(always)]
unsafe fn quarter_blocks(tables: *const u8, bytes: usize, block: *const u8, sums: &mut [u16; BLOCK]) {
    // SAFETY: the caller's duty; sums of three bytes fit a byte.
    unsafe {
        let mut low_rows = [vdupq_n_u16(0); 4];
        let mut high_rows = [vdupq_n_u16(0); 4];
        let mut k = 0;
        while k < bytes {
            let end = bytes.min(k + 3);
            let mut unit = [vdupq_n_u8(0); 4];
            while k < end {
                fetch_ahead(block.add(BLOCK * k));
                let low_table = vld1q_u8(tables.add(32 * k));
                let high_table = vld1q_u8(tables.add(32 * k + 16));
                for quarter in 0..4 {
                    let signs = vld1q_u8(block.add(BLOCK * k + 16 * quarter));
                    let low = vqtbl1q_u8(low_table, vandq_u8(signs, vdupq_n_u8(15)));
                    let high = vqtbl1q_u8(high_table, vshrq_n_u8::<4>(signs));
                    unit[quarter] = vaddq_u8(unit[quarter], vaddq_u8(low, high));
                }
                k += 1;
            }
            for quarter in 0..4 {
                low_rows[quarter] = vaddw_u8(low_rows[quarter], vget_low_u8(unit[quarter]));
                high_rows[quarter] = vaddw_high_u8(high_rows[quarter], unit[quarter]);
            }
        }
        for quarter in 0..4 {
            let to = sums.as_mut_ptr().add(16 * quarter);
            vst1q_u16(to, low_rows[quarter]);
            vst1q_u16(to.add(8), high_rows[quarter]);
        }
    }
}
