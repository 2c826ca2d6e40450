//! AVX2: 32 keys against the bound at a time; what passes is moved together by a permutation out of a table.
//!
//! | instruction | Zen 3 to 5 | Skylake | Golden Cove |
//! |---|---|---|---|
//! | `vcmpps ymm, m256` | 2 per cycle | 2 per cycle | 2 per cycle |
//! | `vmovmskps` | 1 per cycle | 1 per cycle | 1 per cycle |
//! | `vpermd ymm` | 1 per cycle or more | 1 per cycle | 1 per cycle |
//!
//! Thirty-two keys of which none passes are four loads, four comparisons, three unions and one test: 2 cycles for the
//! comparisons, and somewhat more for the rest. Where one passes, all four registers are compressed, since a branch
//! for each is guessed wrong more often than it saves. Nothing can overflow: places are below 2^31.
use std::arch::x86_64::*;

use super::{Block, scalar};

/// For each mask of four pairs, the permutation that moves the pairs named to the front, in order.
const FRONT: [[u32; 8]; 16] = {
    let mut table = [[0; 8]; 16];
    let mut mask = 0;
    while mask < 16 {
        let (mut lane, mut to) = (0, 0);
        while lane < 4 {
            if mask >> lane & 1 == 1 {
                table[mask][2 * to] = 2 * lane;
                table[mask][2 * to + 1] = 2 * lane + 1;
                to += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// How many bits each mask of four has.
const ONES: [u8; 16] = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];

/// As [`super::Loops::compact`].
///
/// # Safety
/// AVX2, FMA and F16C are available; else as [`super::Loops::compact`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn compact(block: &Block, out: *mut u64) -> usize {
    // SAFETY: the caller's duty.
    unsafe { if block.lower == f32::NEG_INFINITY { run::<false>(block, out) } else { run::<true>(block, out) } }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run<const LOWER: bool>(block: &Block, out: *mut u64) -> usize {
    let (lower, bound) = (_mm256_set1_ps(block.lower), _mm256_set1_ps(block.bound));
    let mut passed = 0;
    let mut start = 0;
    while start + 8 <= block.count {
        if start + 32 <= block.count {
            // SAFETY: 32 keys are left.
            let any = unsafe {
                let from = block.keys.add(start);
                let low = _mm256_or_ps(
                    within::<LOWER>(_mm256_loadu_ps(from), lower, bound),
                    within::<LOWER>(_mm256_loadu_ps(from.add(8)), lower, bound),
                );
                let high = _mm256_or_ps(
                    within::<LOWER>(_mm256_loadu_ps(from.add(16)), lower, bound),
                    within::<LOWER>(_mm256_loadu_ps(from.add(24)), lower, bound),
                );
                _mm256_movemask_ps(_mm256_or_ps(low, high))
            };
            if any == 0 {
                start += 32;
                continue;
            }
        }
        let end = (block.count - start).min(32) & !7;
        for at in (start..start + end).step_by(8) {
            // SAFETY: eight keys are left, and there is a word for each 64 keys.
            let mask = unsafe {
                let kept = if block.words.is_null() { u64::MAX } else { *block.words.add(at / 64) >> (at % 64) };
                let hits = within::<LOWER>(_mm256_loadu_ps(block.keys.add(at)), lower, bound);
                _mm256_movemask_ps(hits) as usize & kept as usize & 255
            };
            // SAFETY: eight keys are left, and no more passed than keys lie before `at`.
            passed = unsafe { append(block, at, mask, out, passed) };
        }
        start += end;
    }
    // SAFETY: within the block; no more passed than keys lie before.
    unsafe { scalar::span(block, start, block.count, out, passed) }
}

/// Which keys pass. A comparison with NaN fails.
#[inline]
#[target_feature(enable = "avx2")]
fn within<const LOWER: bool>(keys: __m256, lower: __m256, bound: __m256) -> __m256 {
    let hits = _mm256_cmp_ps::<_CMP_LE_OQ>(keys, bound);
    if LOWER { _mm256_and_ps(hits, _mm256_cmp_ps::<_CMP_GE_OQ>(keys, lower)) } else { hits }
}

/// Appends the lanes of `mask` of the eight keys from `at`.
///
/// # Safety
/// There are eight keys from `at`, and `out` has room for eight after `passed`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn append(block: &Block, at: usize, mask: usize, out: *mut u64, passed: usize) -> usize {
    // SAFETY: eight keys, and ids where there are any, are readable.
    let (keys, own) = unsafe {
        let keys = _mm256_loadu_ps(block.keys.add(at));
        if block.ids.is_null() {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            (keys, _mm256_add_epi32(lanes, _mm256_set1_epi32(at as i32)))
        } else {
            (keys, _mm256_loadu_si256(block.ids.add(at).cast()))
        }
    };
    let ids = _mm256_add_epi32(own, _mm256_set1_epi32(block.first_id as i32));
    // The order of `pack`.
    let bits = _mm256_castps_si256(_mm256_add_ps(keys, _mm256_setzero_ps()));
    let flip = _mm256_or_si256(_mm256_srai_epi32::<31>(bits), _mm256_set1_epi32(i32::MIN));
    let keys = _mm256_xor_si256(bits, flip);
    let (low, high) = (mask & 15, mask >> 4);
    // SAFETY: the table has a line for every mask of four, and `out` has room for four twice.
    unsafe {
        store_four(_mm256_castsi256_si128(keys), _mm256_castsi256_si128(ids), low, out.add(passed));
        let middle = passed + usize::from(ONES[low]);
        let (keys, ids) = (_mm256_extracti128_si256::<1>(keys), _mm256_extracti128_si256::<1>(ids));
        store_four(keys, ids, high, out.add(middle));
        middle + usize::from(ONES[high])
    }
}

/// Stores the pairs that `mask` names, and others after them up to four.
///
/// # Safety
/// `mask` is below 16, and four places are writable at `out`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_four(keys: __m128i, ids: __m128i, mask: usize, out: *mut u64) {
    let pairs = _mm256_or_si256(_mm256_slli_epi64::<32>(_mm256_cvtepu32_epi64(keys)), _mm256_cvtepu32_epi64(ids));
    // SAFETY: the caller's duty.
    unsafe {
        let front = _mm256_loadu_si256(FRONT[mask].as_ptr().cast());
        _mm256_storeu_si256(out.cast(), _mm256_permutevar8x32_epi32(pairs, front));
    }
}

/// As [`super::Loops::argmin`]: each lane keeps its least key and the place it came from, in two sets that do not wait
/// for each other.
///
/// # Safety
/// AVX2, FMA and F16C are available; else as [`super::Loops::argmin`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn argmin(keys: *const f32, count: usize) -> usize {
    let mut here = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let none = _mm256_set1_epi32(count as i32);
    let (mut low, mut high) = (_mm256_set1_ps(f32::INFINITY), _mm256_set1_ps(f32::INFINITY));
    let (mut low_at, mut high_at) = (none, none);
    let mut start = 0;
    while start + 16 <= count {
        // SAFETY: sixteen keys are left.
        let (a, b) = unsafe { (_mm256_loadu_ps(keys.add(start)), _mm256_loadu_ps(keys.add(start + 8))) };
        low_at = choose(_mm256_cmp_ps::<_CMP_LT_OQ>(a, low), here, low_at);
        // Of a NaN and a number, the second operand is returned.
        low = _mm256_min_ps(a, low);
        let next = _mm256_add_epi32(here, _mm256_set1_epi32(8));
        high_at = choose(_mm256_cmp_ps::<_CMP_LT_OQ>(b, high), next, high_at);
        high = _mm256_min_ps(b, high);
        here = _mm256_add_epi32(here, _mm256_set1_epi32(16));
        start += 16;
    }
    let best = _mm256_min_ps(low, high);
    let best = _mm_min_ps(_mm256_castps256_ps128(best), _mm256_extractf128_ps::<1>(best));
    let best = _mm_min_ps(best, _mm_movehl_ps(best, best));
    let best = _mm_min_ss(best, _mm_movehdup_ps(best));
    let all = _mm256_set1_ps(_mm_cvtss_f32(best));
    // Places of the least in each set. An infinite least was never below infinity, and so has no place.
    let low_at = choose(_mm256_cmp_ps::<_CMP_EQ_OQ>(low, all), low_at, none);
    let high_at = choose(_mm256_cmp_ps::<_CMP_EQ_OQ>(high, all), high_at, none);
    let place = _mm256_min_epi32(low_at, high_at);
    let place = _mm_min_epi32(_mm256_castsi256_si128(place), _mm256_extracti128_si256::<1>(place));
    let place = _mm_min_epi32(place, _mm_shuffle_epi32::<0b01_00_11_10>(place));
    let place = _mm_min_epi32(place, _mm_shuffle_epi32::<0b10_11_00_01>(place));
    let (mut least, mut place) = (_mm_cvtss_f32(best), _mm_cvtsi128_si32(place) as usize);
    for i in start..count {
        // SAFETY: `i` is below the count.
        let key = unsafe { *keys.add(i) };
        if key < least {
            (least, place) = (key, i);
        }
    }
    place
}

/// `yes` in the lanes that are set, else `no`.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(set: __m256, yes: __m256i, no: __m256i) -> __m256i {
    _mm256_blendv_epi8(no, yes, _mm256_castps_si256(set))
}
