//! AVX-512 with VPOPCNTDQ: eight words of signs at a time, eight rows at a time.
//!
//! A register of signs and a plane take a load, an exclusive or, a count and an addition. At 768 components and 4
//! planes that is 24 instructions for two registers (the second with a mask), 4 doublings and 3 to add up the lanes:
//! 31 for a row at up to 4 a cycle on Zen 5, against 9 loads at 2 a cycle. Lanes count to `64 * 2^8 * D / 512`, far
//! below 2^64.
#![expect(clippy::needless_range_loop, reason = "iterators may be compiled without the instruction set")]
use std::arch::x86_64::*;

use super::estimate::Scan;

/// Rows at a time.
const ROWS: usize = 8;

/// See [`super::estimate::RowsRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::rows`] asks for.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vpopcntdq")]
pub(super) unsafe fn rows(scan: &Scan, sums: *mut u32) {
    // SAFETY: the caller's duty; eight rows from `i` on exist, or their place is taken by the last one.
    unsafe {
        let mut i = 0;
        while i < scan.count {
            let mut rows = [scan.row(i); ROWS];
            for r in 1..ROWS {
                rows[r] = scan.row((i + r).min(scan.count - 1));
            }
            let eight = counts(scan, &rows);
            let rest = scan.count - i;
            let mask = if rest < ROWS { (1 << rest) - 1 } else { 0xff };
            _mm256_mask_storeu_epi32(sums.add(i).cast(), mask, eight);
            i += ROWS;
        }
    }
}

/// # Safety
/// As for [`rows`]; all the rows are readable.
#[inline(always)]
unsafe fn counts(scan: &Scan, rows: &[*const u8; ROWS]) -> __m256i {
    // SAFETY: the caller's duty; the mask of the last register leaves out what is no word of the row.
    unsafe {
        let mut sums = [_mm512_setzero_si512(); ROWS];
        for plane in (0..scan.plane_count).rev() {
            for r in 0..ROWS {
                sums[r] = _mm512_add_epi64(sums[r], sums[r]);
            }
            let plane = scan.planes.add(plane * scan.words);
            let mut word = 0;
            while word + 8 <= scan.words {
                let q = _mm512_loadu_si512(plane.add(word).cast());
                for r in 0..ROWS {
                    let signs = _mm512_loadu_si512(rows[r].add(8 * word).cast());
                    sums[r] = _mm512_add_epi64(sums[r], _mm512_popcnt_epi64(_mm512_xor_si512(signs, q)));
                }
                word += 8;
            }
            if word < scan.words {
                let mask = (1 << (scan.words - word)) - 1;
                let q = _mm512_maskz_loadu_epi64(mask, plane.add(word).cast());
                for r in 0..ROWS {
                    let signs = _mm512_maskz_loadu_epi64(mask, rows[r].add(8 * word).cast());
                    sums[r] = _mm512_add_epi64(sums[r], _mm512_popcnt_epi64(_mm512_xor_si512(signs, q)));
                }
            }
        }
        lane_sums(&sums)
    }
}

/// The sum of the lanes of each of eight registers, in three levels of pairs.
///
/// # Safety
/// The features are available.
#[inline(always)]
unsafe fn lane_sums(sums: &[__m512i; ROWS]) -> __m256i {
    // SAFETY: the caller's duty.
    unsafe {
        let mut pairs = [sums[0]; 4];
        for i in 0..4 {
            let (a, b) = (sums[2 * i], sums[2 * i + 1]);
            pairs[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
        }
        let low = halves(pairs[0], pairs[1]);
        let high = halves(pairs[2], pairs[3]);
        _mm512_cvtepi64_epi32(halves(low, high))
    }
}

/// The sums of neighbouring quarters: two of `a`, then two of `b`.
///
/// # Safety
/// The features are available.
#[inline(always)]
unsafe fn halves(a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let even = _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b);
        _mm512_add_epi64(even, _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b))
    }
}
