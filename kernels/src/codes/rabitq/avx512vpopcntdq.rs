//! AVX-512 with VPOPCNTDQ: eight words of signs at a time, eight rows at a time.
//!
//! A register of signs and a plane take an exclusive or with a load, a count and an addition. At 768 components and 4
//! planes that is 24 instructions for two registers (the second one of half the size), 4 doublings, 3 to add up the
//! lanes and 5 for the estimate, which is made for eight rows together: 36 for a row at up to 4 a cycle on Zen 5, so 9
//! cycles; measured are 11.8. Lanes count to `64 * 2^8 * D / 512`, far below 2^64.
#![expect(clippy::needless_range_loop, reason = "iterators may be compiled without the instruction set")]
use std::arch::x86_64::*;

use super::estimate::Scan;

/// Rows at a time.
const ROWS: usize = 8;

/// See [`super::estimate::RowsRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::rows`] asks for.
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw,avx512vpopcntdq")]
pub(super) unsafe fn rows(scan: &Scan<'_>, keys: *mut f32, errors: *mut f32) {
    // SAFETY: the caller's duty; eight rows from `i` on exist, or their place is taken by the last one.
    unsafe {
        let mut i = 0;
        while i < scan.count {
            let mut rows = [scan.row(i); ROWS];
            let whole = i + ROWS <= scan.count;
            for r in 1..ROWS {
                rows[r] = scan.row(if whole { i + r } else { (i + r).min(scan.count - 1) });
            }
            scan.fetch_ahead(rows[0], ROWS);
            let sums = counts(scan, &rows);
            let (key, error) = estimates(scan, &rows, sums);
            if whole {
                _mm256_storeu_ps(keys.add(i), key);
                _mm256_storeu_ps(errors.add(i), error);
            } else {
                let mask = (1 << (scan.count - i)) - 1;
                _mm256_mask_storeu_ps(keys.add(i), mask, key);
                _mm256_mask_storeu_ps(errors.add(i), mask, error);
            }
            i += ROWS;
        }
    }
}

/// Keys and errors of eight rows, given their sums, as [`Scan::estimate`] makes them.
///
/// # Safety
/// As for [`rows`]; the trailers of all the rows are readable.
#[inline(always)]
unsafe fn estimates(scan: &Scan<'_>, rows: &[*const u8; ROWS], sums: __m256i) -> (__m256, __m256) {
    // SAFETY: the caller's duty.
    unsafe {
        // Four words of each row, transposed: `f_add`, `f_rescale`, `f_error`, and the centre below what is the
        // caller's. Row `i` and row `i + 4` share a register, which leaves the rows in order.
        let mut trailers = [_mm256_setzero_ps(); 4];
        for i in 0..4 {
            let low = _mm256_castps128_ps256(_mm_loadu_ps(rows[i].add(8 * scan.words).cast()));
            trailers[i] = _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(rows[i + 4].add(8 * scan.words).cast()));
        }
        let [a, b, c, d] = trailers;
        let pairs = [
            _mm256_castps_pd(_mm256_unpacklo_ps(a, b)),
            _mm256_castps_pd(_mm256_unpacklo_ps(c, d)),
            _mm256_castps_pd(_mm256_unpackhi_ps(a, b)),
            _mm256_castps_pd(_mm256_unpackhi_ps(c, d)),
        ];
        let f_add = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[0], pairs[1]));
        let f_rescale = _mm256_castpd_ps(_mm256_unpackhi_pd(pairs[0], pairs[1]));
        let f_error = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[2], pairs[3]));
        let centres = _mm256_castpd_si256(_mm256_unpackhi_pd(pairs[2], pairs[3]));
        let (add, bound) = terms(scan, rows, _mm256_and_si256(centres, _mm256_set1_epi32(0xffff)));

        let product = _mm256_sub_epi32(_mm256_set1_epi32(scan.most), _mm256_add_epi32(sums, sums));
        let product = _mm256_mul_ps(_mm256_set1_ps(scan.scale), _mm256_cvtepi32_ps(product));
        let key = _mm256_add_ps(_mm256_add_ps(f_add, add), _mm256_mul_ps(f_rescale, product));
        (key, _mm256_mul_ps(f_error, bound))
    }
}

/// `add` and `bound` of the terms of eight centres, which are those of `rows`.
///
/// # Safety
/// As for [`estimates`].
#[inline(always)]
unsafe fn terms(scan: &Scan<'_>, rows: &[*const u8; ROWS], centres: __m256i) -> (__m256, __m256) {
    // SAFETY: the caller's duty.
    unsafe {
        let first = _mm256_broadcastd_epi32(_mm256_castsi256_si128(centres));
        if _mm256_cmpneq_epi32_mask(centres, first) == 0 {
            let term = scan.term(rows[0]);
            return (_mm256_set1_ps(term.add), _mm256_set1_ps(term.bound));
        }
        // `add` and `bound` are the first half of a term; as above, rows `i` and `i + 4` share a register.
        let mut both = [_mm256_setzero_ps(); 4];
        for i in 0..4 {
            let low = _mm256_castps128_ps256(_mm_loadu_ps((&raw const *scan.term(rows[i])).cast()));
            both[i] = _mm256_insertf128_ps::<1>(low, _mm_loadu_ps((&raw const *scan.term(rows[i + 4])).cast()));
        }
        let two = _mm256_castps_pd(_mm256_unpacklo_ps(both[0], both[1]));
        let next = _mm256_castps_pd(_mm256_unpacklo_ps(both[2], both[3]));
        (_mm256_castpd_ps(_mm256_unpacklo_pd(two, next)), _mm256_castpd_ps(_mm256_unpackhi_pd(two, next)))
    }
}

/// The sums of eight rows.
///
/// # Safety
/// As for [`rows`]; all the rows are readable.
#[inline(always)]
unsafe fn counts(scan: &Scan<'_>, rows: &[*const u8; ROWS]) -> __m256i {
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
            let rest = scan.words - word;
            if rest == 4 {
                // Half a register needs no mask, which would be an instruction more.
                let q = _mm256_loadu_si256(plane.add(word).cast());
                for r in 0..ROWS {
                    let signs = _mm256_loadu_si256(rows[r].add(8 * word).cast());
                    let count = _mm256_popcnt_epi64(_mm256_xor_si256(signs, q));
                    sums[r] = _mm512_add_epi64(sums[r], _mm512_zextsi256_si512(count));
                }
            } else if rest > 0 {
                let mask = (1 << rest) - 1;
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
