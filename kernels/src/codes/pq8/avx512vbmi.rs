//! AVX-512 with VBMI, over tables of bytes: a table of 256 entries is four registers, in which two permutes find the
//! entries of 64 rows.
//!
//! | instruction | Ice Lake, Golden Cove | Zen 5 |
//! |---|---|---|
//! | `vpermi2b zmm` | 1 in 2 cycles | 1.6 per cycle |
//! | `vpshufb zmm`, `vpmovb2m` | 1 per cycle | 2 per cycle |
//! | `vinserti32x4 zmm` from memory | 2 per cycle | 2 per cycle |
//!
//! Rows have to be turned first, so that a register holds one sub-quantizer of 64 rows: 64 loads that insert a lane and
//! 32 shuffles for 64 rows by sixteen codes, then 12 for each 64 rows by 4. A lookup is 4 loads, 2 permutes over 128
//! entries each, a choice between them by the high bit of the code (2), and 3 instructions to add even and odd bytes to
//! sums of 16 bits. Together these are 0.13 loads and 0.25 instructions for a code, where a load from a table in memory
//! is one.
//!
//! At the end 256 times the odd sum is taken off the even one, which leaves it exact as it is below 2^16: a span of 256
//! sub-quantizers adds up to 65,280 at most, and is then added to sums of 32 bits.
#![allow(clippy::needless_range_loop, reason = "an index runs over several arrays of registers")]
use std::arch::x86_64::*;

use super::CENTROIDS;

/// Rows that are summed together.
const ROWS: usize = 64;

/// Sub-quantizers that are turned together.
const SPAN: usize = 16;

/// Sub-quantizers that sums of 16 bits hold: 256 * 255 < 2^16.
const U16_SPAN: usize = 256;

/// Sixteen codes of a row, or the first ones, as `mask` has it.
///
/// # Safety
/// The instruction set is available, and the codes are readable.
#[inline(always)]
unsafe fn load<const WHOLE: bool>(row: *const u8, mask: u16) -> __m128i {
    // SAFETY: the caller's duty.
    unsafe { if WHOLE { _mm_loadu_si128(row.cast()) } else { _mm_maskz_loadu_epi8(mask, row.cast()) } }
}

/// Turns 64 rows of sixteen codes: register `z` of the `k`th four has codes `4k` to `4k + 3` of rows `16z` to
/// `16z + 15`.
///
/// # Safety
/// The instruction set is available, and the codes that `mask` lets through are readable in each row.
#[inline(always)]
unsafe fn turn<const WHOLE: bool>(rows: &[*const u8; ROWS], at: usize, mask: u16) -> [[__m512i; 4]; SPAN / 4] {
    // SAFETY: the caller's duty.
    unsafe {
        let mut turned = [[_mm512_setzero_si512(); 4]; SPAN / 4];
        for z in 0..4 {
            // Lane l of register i has row 4l + i of these sixteen.
            let mut r = [_mm512_setzero_si512(); 4];
            for i in 0..4 {
                let row = |l: usize| load::<WHOLE>(rows[16 * z + 4 * l + i].add(at), mask);
                let first = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(row(0)), row(1));
                r[i] = _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(first, row(2)), row(3));
            }
            let (low, high) = (_mm512_unpacklo_epi32(r[0], r[1]), _mm512_unpackhi_epi32(r[0], r[1]));
            let (next_low, next_high) = (_mm512_unpacklo_epi32(r[2], r[3]), _mm512_unpackhi_epi32(r[2], r[3]));
            turned[0][z] = _mm512_unpacklo_epi64(low, next_low);
            turned[1][z] = _mm512_unpackhi_epi64(low, next_low);
            turned[2][z] = _mm512_unpacklo_epi64(high, next_high);
            turned[3][z] = _mm512_unpackhi_epi64(high, next_high);
        }
        turned
    }
}

/// Four sub-quantizers of 64 rows, a register for each: byte `16l + 4z + i` belongs to row `16z + 4l + i`.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn split(words: &[__m512i; 4]) -> [__m512i; 4] {
    // SAFETY: the caller's duty.
    unsafe {
        let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        let order = _mm512_broadcast_i32x4(order);
        let mut z = *words;
        for i in 0..4 {
            z[i] = _mm512_shuffle_epi8(z[i], order);
        }
        let (low, high) = (_mm512_unpacklo_epi32(z[0], z[1]), _mm512_unpackhi_epi32(z[0], z[1]));
        let (next_low, next_high) = (_mm512_unpacklo_epi32(z[2], z[3]), _mm512_unpackhi_epi32(z[2], z[3]));
        [
            _mm512_unpacklo_epi64(low, next_low),
            _mm512_unpackhi_epi64(low, next_low),
            _mm512_unpacklo_epi64(high, next_high),
            _mm512_unpackhi_epi64(high, next_high),
        ]
    }
}

/// The entries of 64 codes.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn look_up(table: &[u8; CENTROIDS], codes: __m512i) -> __m512i {
    // SAFETY: the caller's duty; a table is four registers.
    unsafe {
        let table = table.as_ptr().cast::<__m512i>();
        let part = |i: usize| _mm512_loadu_si512(table.add(i));
        let low = _mm512_permutex2var_epi8(part(0), codes, part(1));
        let high = _mm512_permutex2var_epi8(part(2), codes, part(3));
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high)
    }
}

/// The sums of 64 rows.
///
/// # Safety
/// The instruction set is available; each row has a byte for each table.
#[inline(always)]
unsafe fn sum(tables: &[[u8; CENTROIDS]], rows: &[*const u8; ROWS]) -> [__m512i; 4] {
    // SAFETY: the caller's duty; the mask leaves out what is beyond a row.
    unsafe {
        let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        let mut totals = [_mm512_setzero_si512(); 4];
        for (i, tables) in tables.chunks(U16_SPAN).enumerate() {
            let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            for (j, tables) in tables.chunks(SPAN).enumerate() {
                let at = i * U16_SPAN + j * SPAN;
                let turned = match tables.len() {
                    SPAN => turn::<true>(rows, at, u16::MAX),
                    some => turn::<false>(rows, at, u16::MAX >> (SPAN - some)),
                };
                for (words, tables) in turned.iter().zip(tables.chunks(4)) {
                    for (table, codes) in tables.iter().zip(split(words)) {
                        let found = look_up(table, codes);
                        even = _mm512_add_epi16(even, found);
                        odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(found));
                    }
                }
            }
            even = _mm512_sub_epi16(even, _mm512_slli_epi16::<8>(odd));
            for (half, both) in [_mm512_unpacklo_epi16(even, odd), _mm512_unpackhi_epi16(even, odd)].iter().enumerate()
            {
                // Four rows in a word of 64 bits, those of one sixteen in every second word.
                let rows = _mm512_permutexvar_epi64(order, *both);
                let (first, second) = (_mm512_castsi512_si256(rows), _mm512_extracti64x4_epi64::<1>(rows));
                totals[2 * half] = _mm512_add_epi32(totals[2 * half], _mm512_cvtepu16_epi32(first));
                totals[2 * half + 1] = _mm512_add_epi32(totals[2 * half + 1], _mm512_cvtepu16_epi32(second));
            }
        }
        totals
    }
}

/// # Safety
/// The instruction set is available, and the rest is as `RunBytes` says.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi")]
pub(super) unsafe fn scan(
    tables: &[[u8; CENTROIDS]],
    (bias, step): (f32, f32),
    codes: *const u8,
    count: usize,
    keys: *mut f32,
) {
    let width = tables.len();
    let mut first = 0;
    while first < count {
        let some = ROWS.min(count - first);
        let mut rows = [codes; ROWS];
        for i in 0..ROWS {
            // Places beyond the last row repeat it.
            // SAFETY: a row below `count`.
            rows[i] = unsafe { codes.add((first + i.min(some - 1)) * width) };
        }
        // SAFETY: each row has `width` bytes; the mask leaves out the keys beyond `count`.
        unsafe {
            let sums = sum(tables, &rows);
            for i in 0..4 {
                let scaled = _mm512_mul_ps(_mm512_set1_ps(step), _mm512_cvtepi32_ps(sums[i]));
                let mask = u64::MAX >> (ROWS - some) >> (16 * i);
                let found = _mm512_add_ps(_mm512_set1_ps(bias), scaled);
                _mm512_mask_storeu_ps(keys.wrapping_add(first + 16 * i), mask as u16, found);
            }
        }
        first += some;
    }
}
