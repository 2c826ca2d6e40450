//! AVX2: counts and lookups by `vpshufb`, products by widening to 16 bits.
//!
//! - Rows: for 32 bytes of signs each plane takes 8 instructions (an exclusive or, two nibble lookups, sums), so
//!   about 100 for a row of 768 with 4 planes. Bytes hold `8 * 15` for four planes at most, then `vpsadbw` widens
//!   them.
//! - Full codes: 32 components take four instructions for each plane and five to multiply: pairs of `255 * 127` in 32
//!   bits.
//! - Blocks: 32 rows of a byte take two lookups; three bytes are added before they are widened to 16 bits, as
//!   [`super::blocks`] allows.
#![expect(clippy::needless_range_loop, reason = "iterators may be compiled without the instruction set")]
use std::arch::x86_64::*;

use super::{
    blocks::{BlockKernel, Direct, Finish, Outputs, fetch_ahead, fetch_factors_ahead, finish},
    estimate::Scan,
    layout::BLOCK,
};

/// See [`super::estimate::RowsRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::rows`] asks for.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn rows(scan: &Scan<'_>, keys: *mut f32, errors: *mut f32) {
    // SAFETY: the caller's duty.
    unsafe {
        for i in 0..scan.count {
            scan.fetch_ahead(scan.row(i), 1);
            (*keys.add(i), *errors.add(i)) = scan.estimate(i, row_sum(scan, scan.row(i)));
        }
    }
}

/// # Safety
/// As for [`rows`]; `row` is one of them.
#[inline(always)]
unsafe fn row_sum(scan: &Scan<'_>, row: *const u8) -> u32 {
    // SAFETY: the caller's duty.
    unsafe {
        let mut sum = _mm256_setzero_si256();
        let mut word = 0;
        while word + 4 <= scan.words {
            let signs = _mm256_loadu_si256(row.add(8 * word).cast());
            for plane in 0..scan.plane_count.div_ceil(4) {
                sum = _mm256_add_epi64(sum, counts::<false>(scan, signs, 4 * plane, word, signs));
            }
            word += 4;
        }
        if word < scan.words {
            let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
            let mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x((scan.words - word) as i64), lanes);
            let signs = _mm256_maskload_epi64(row.add(8 * word).cast(), mask);
            for plane in 0..scan.plane_count.div_ceil(4) {
                sum = _mm256_add_epi64(sum, counts::<true>(scan, signs, 4 * plane, word, mask));
            }
        }
        let two = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        (_mm_cvtsi128_si64(two) + _mm_extract_epi64::<1>(two)) as u32
    }
}

/// The weighted counts of up to four planes from `first` on, against four words of signs. `mask` tells which words of
/// the planes exist, if some do not.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
unsafe fn counts<const MASKED: bool>(
    scan: &Scan<'_>,
    signs: __m256i,
    first: usize,
    word: usize,
    mask: __m256i,
) -> __m256i {
    // SAFETY: the caller's duty.
    unsafe {
        let low = _mm256_set1_epi8(15);
        let ones = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
        let mut sum = _mm256_setzero_si256();
        let mut plane = scan.plane_count.min(first + 4);
        while plane > first {
            plane -= 1;
            let at = scan.planes.add(plane * scan.words + word);
            let q = if MASKED { _mm256_maskload_epi64(at.cast(), mask) } else { _mm256_loadu_si256(at.cast()) };
            let differ = _mm256_xor_si256(signs, q);
            let lows = _mm256_shuffle_epi8(ones, _mm256_and_si256(differ, low));
            let highs = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16::<4>(differ), low));
            sum = _mm256_add_epi8(_mm256_add_epi8(sum, sum), _mm256_add_epi8(lows, highs));
        }
        let wide = _mm256_sad_epu8(sum, _mm256_setzero_si256());
        _mm256_sll_epi64(wide, _mm_cvtsi64_si128(first as i64))
    }
}

/// See [`super::estimate::FullRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::full`] asks for.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn full(bytes: *const i8, words: usize, signs: *const u8, planes: *const u8, extra: usize) -> i32 {
    // SAFETY: the caller's duty; four bytes of a plane are 32 components.
    unsafe {
        let mut sum = _mm256_setzero_si256();
        for k in (0..8 * words).step_by(4) {
            // Horner's rule: a plane is -1 where its bit is set, so codes are doubled and the plane subtracted.
            let mut code = _mm256_sub_epi8(_mm256_setzero_si256(), expand(signs.add(k)));
            for plane in 0..extra {
                code = _mm256_sub_epi8(_mm256_add_epi8(code, code), expand(planes.add(plane * 8 * words + k)));
            }
            let q = _mm256_loadu_si256(bytes.add(8 * k).cast());
            let low = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(code));
            let high = _mm256_cvtepu8_epi16(_mm256_extracti128_si256::<1>(code));
            let q_low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(q));
            let q_high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(q));
            let both = _mm256_add_epi32(_mm256_madd_epi16(low, q_low), _mm256_madd_epi16(high, q_high));
            sum = _mm256_add_epi32(sum, both);
        }
        let four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
    }
}

/// Thirty-two bits as bytes, -1 where the bit is set.
///
/// # Safety
/// The features are available, and four bytes are readable at `from`.
#[inline(always)]
unsafe fn expand(from: *const u8) -> __m256i {
    // SAFETY: the caller's duty.
    unsafe {
        let bits = _mm256_set1_epi32(from.cast::<i32>().read_unaligned());
        let spread = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
        let each = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(bits, spread), each), each)
    }
}

/// The scans of blocks.
pub(super) const BLOCKS: BlockKernel = BlockKernel { direct, one, four, finish: last, wide: false };

/// See [`super::blocks::DirectRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::direct`] asks for.
#[target_feature(enable = "avx2")]
unsafe fn direct(job: &Direct, keys: *mut f32, errors: *mut f32) {
    for i in 0..job.count {
        // SAFETY: the caller's duty.
        unsafe {
            let mut sums = [0; BLOCK];
            fetch_factors_ahead(job.block(i).add(BLOCK * job.bytes));
            half_blocks(job.tables, job.bytes, job.block(i), &mut sums);
            job.finish(i, &sums, keys, errors);
        }
    }
}

/// See [`super::blocks::OneRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::one`] asks for.
#[target_feature(enable = "avx2")]
unsafe fn one(tables: *const u8, bytes: usize, block: *const u8, sums: &mut [u16; BLOCK]) {
    // SAFETY: the caller's duty.
    unsafe { half_blocks(tables, bytes, block, sums) }
}

/// See [`super::blocks::FourRun`].
///
/// # Safety
/// As for [`one`], for each of four tables.
#[target_feature(enable = "avx2")]
unsafe fn four(tables: [*const u8; 4], bytes: usize, block: *const u8, sums: &mut [[u16; BLOCK]; 4]) {
    for q in 0..4 {
        // SAFETY: the caller's duty.
        unsafe { half_blocks(tables[q], bytes, block, &mut sums[q]) }
    }
}

/// See [`finish`].
///
/// # Safety
/// The features are available.
#[target_feature(enable = "avx2")]
unsafe fn last(job: &Finish<'_>, outputs: Outputs<'_>) {
    finish(job, outputs);
}

/// # Safety
/// As for [`one`].
#[inline(always)]
unsafe fn half_blocks(tables: *const u8, bytes: usize, block: *const u8, sums: &mut [u16; BLOCK]) {
    // SAFETY: the caller's duty; sums of three bytes fit a byte.
    unsafe {
        // For each half of the block, sums of all rows, modulo 2^16, spoilt in the even rows by 256 times the odd ones,
        // and of the odd rows.
        let mut all = [_mm256_setzero_si256(); 2];
        let mut odd = [_mm256_setzero_si256(); 2];
        let mut k = 0;
        while k < bytes {
            let end = bytes.min(k + 3);
            let mut unit = [_mm256_setzero_si256(); 2];
            while k < end {
                fetch_ahead(block.add(BLOCK * k));
                let low_table = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables.add(32 * k).cast()));
                let high_table = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables.add(32 * k + 16).cast()));
                let mask = _mm256_set1_epi8(15);
                for half in 0..2 {
                    let signs = _mm256_loadu_si256(block.add(BLOCK * k + 32 * half).cast());
                    let low = _mm256_shuffle_epi8(low_table, _mm256_and_si256(signs, mask));
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(signs), mask);
                    let high = _mm256_shuffle_epi8(high_table, high);
                    unit[half] = _mm256_add_epi8(unit[half], _mm256_add_epi8(low, high));
                }
                k += 1;
            }
            for half in 0..2 {
                all[half] = _mm256_add_epi16(all[half], unit[half]);
                odd[half] = _mm256_add_epi16(odd[half], _mm256_srli_epi16::<8>(unit[half]));
            }
        }
        let to = sums.as_mut_ptr();
        for half in 0..2 {
            let even = _mm256_sub_epi16(all[half], _mm256_slli_epi16::<8>(odd[half]));
            let low = _mm256_unpacklo_epi16(even, odd[half]);
            let high = _mm256_unpackhi_epi16(even, odd[half]);
            _mm256_storeu_si256(to.add(32 * half).cast(), _mm256_permute2x128_si256::<0x20>(low, high));
            _mm256_storeu_si256(to.add(32 * half + 16).cast(), _mm256_permute2x128_si256::<0x31>(low, high));
        }
    }
}
