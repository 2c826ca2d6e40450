//! AVX-512 (F, BW, VL, DQ): 64 keys against the bound for each word of the filter, then a compression in registers.
//!
//! | instruction | Zen 4 | Zen 5 | Golden Cove |
//! |---|---|---|---|
//! | `vmovups zmm` load | 1 per cycle | 2 per cycle | 2 per cycle |
//! | `vcmpps k, zmm, zmm` | 1 per cycle | 2 per cycle | 1 per cycle |
//! | `vminps zmm` | 1 per cycle | 2 per cycle | 1 per cycle |
//!
//! Sixty-four keys of which none passes are four loads, four comparisons, three joins of masks and a branch: on Zen 5
//! at least 2 cycles for the loads, 5 measured. Where one passes, one register is compressed; where more do, all four
//! are, since a branch for each is guessed wrong more often than it saves. A compression is done in a register and
//! stored whole: to memory it is microcode on Zen 4, over a hundred cycles. The room that the caller leaves takes what
//! is stored beyond. Nothing can overflow: places are below 2^31.
use std::arch::x86_64::*;

use super::Block;

/// The shift of lane pairs `(id, key)` out of two registers: the lower eight pairs, then the upper ones.
const PAIRS: [i32; 32] = {
    let mut pairs = [0; 32];
    let mut i = 0;
    while i < 16 {
        pairs[2 * i] = i as i32;
        pairs[2 * i + 1] = 16 + i as i32;
        i += 1;
    }
    pairs
};

/// As [`super::Loops::compact`].
///
/// # Safety
/// AVX-512 F, BW, VL and DQ are available; else as [`super::Loops::compact`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn compact(block: &Block, out: *mut u64) -> usize {
    // SAFETY: the caller's duty.
    unsafe { if block.lower == f32::NEG_INFINITY { run::<false>(block, out) } else { run::<true>(block, out) } }
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn run<const LOWER: bool>(block: &Block, out: *mut u64) -> usize {
    let (lower, bound) = (_mm512_set1_ps(block.lower), _mm512_set1_ps(block.bound));
    let mut passed = 0;
    let mut start = 0;
    while start < block.count {
        let left = block.count - start;
        // SAFETY: there is a word for each 64 keys.
        let word = if block.words.is_null() { u64::MAX } else { unsafe { *block.words.add(start / 64) } };
        let mut hits = 0;
        if word != 0 && left >= 64 {
            // SAFETY: 64 keys are left.
            let from = unsafe { block.keys.add(start) };
            // SAFETY: as above.
            let masks = unsafe {
                [
                    within::<LOWER>(_mm512_loadu_ps(from), lower, bound),
                    within::<LOWER>(_mm512_loadu_ps(from.add(16)), lower, bound),
                    within::<LOWER>(_mm512_loadu_ps(from.add(32)), lower, bound),
                    within::<LOWER>(_mm512_loadu_ps(from.add(48)), lower, bound),
                ]
            };
            let low = _mm512_kunpackw(u32::from(masks[1]), u32::from(masks[0]));
            let high = _mm512_kunpackw(u32::from(masks[3]), u32::from(masks[2]));
            hits = _mm512_kunpackd(u64::from(high), u64::from(low)) & word;
        } else if word != 0 {
            for lane in (0..left).step_by(16) {
                let there = first(left - lane);
                // SAFETY: lanes that the mask leaves out are not accessed.
                let keys = unsafe { _mm512_maskz_loadu_ps(there, block.keys.add(start + lane)) };
                hits |= u64::from(within::<LOWER>(keys, lower, bound) & there) << lane;
            }
            hits &= word;
        }
        let mut at = start;
        // More than one.
        if hits & hits.wrapping_sub(1) != 0 && left >= 64 {
            for _ in 0..4 {
                // SAFETY: the lanes of the mask are below the count, and no more passed than keys lie before `at`.
                passed = unsafe { append(block, at, hits as u16, out, passed) };
                hits >>= 16;
                at += 16;
            }
        }
        while hits != 0 {
            let mask = hits as u16;
            if mask != 0 {
                // SAFETY: the lanes of the mask are below the count, and no more passed than keys lie before `at`.
                passed = unsafe { append(block, at, mask, out, passed) };
            }
            hits >>= 16;
            at += 16;
        }
        start += 64;
    }
    passed
}

/// Which keys pass. A comparison with NaN fails.
#[inline]
#[target_feature(enable = "avx512f")]
fn within<const LOWER: bool>(keys: __m512, lower: __m512, bound: __m512) -> __mmask16 {
    let mask = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(keys, bound);
    if LOWER { _mm512_mask_cmp_ps_mask::<_CMP_GE_OQ>(mask, keys, lower) } else { mask }
}

/// Appends the lanes of `mask`, which is not 0, of the sixteen keys from `at`.
///
/// # Safety
/// The lanes are below the count, and `out` has room for sixteen after `passed`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn append(block: &Block, at: usize, mask: __mmask16, out: *mut u64, passed: usize) -> usize {
    // SAFETY: lanes that the mask leaves out are not accessed.
    let keys = unsafe { _mm512_maskz_loadu_ps(mask, block.keys.add(at)) };
    let own = if block.ids.is_null() {
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        _mm512_add_epi32(lanes, _mm512_set1_epi32(at as i32))
    } else {
        // SAFETY: as above.
        unsafe { _mm512_maskz_loadu_epi32(mask, block.ids.add(at).cast()) }
    };
    let ids = _mm512_add_epi32(own, _mm512_set1_epi32(block.first_id as i32));
    // The order of `pack`.
    let bits = _mm512_castps_si512(_mm512_add_ps(keys, _mm512_setzero_ps()));
    let flip = _mm512_or_si512(_mm512_srai_epi32::<31>(bits), _mm512_set1_epi32(i32::MIN));
    let keys = _mm512_maskz_compress_epi32(mask, _mm512_xor_si512(bits, flip));
    let ids = _mm512_maskz_compress_epi32(mask, ids);
    let count = mask.count_ones() as usize;
    // SAFETY: `PAIRS` holds two registers, and `out` has room for sixteen.
    unsafe {
        let low = _mm512_loadu_si512(PAIRS.as_ptr().cast());
        _mm512_storeu_si512(out.add(passed).cast(), _mm512_permutex2var_epi32(ids, low, keys));
        if count > 8 {
            let high = _mm512_loadu_si512(PAIRS.as_ptr().add(16).cast());
            _mm512_storeu_si512(out.add(passed + 8).cast(), _mm512_permutex2var_epi32(ids, high, keys));
        }
    }
    passed + count
}

/// The mask of the first `count` lanes.
#[inline(always)]
const fn first(count: usize) -> __mmask16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

/// As [`super::Loops::argmin`]: each lane keeps its least key and the step it came in, in two sets that do not wait
/// for each other.
///
/// # Safety
/// AVX-512 F, BW, VL and DQ are available; else as [`super::Loops::argmin`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn argmin(keys: *const f32, count: usize) -> usize {
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let (mut low, mut high) = (_mm512_set1_ps(f32::INFINITY), _mm512_set1_ps(f32::INFINITY));
    let (mut low_at, mut high_at) = (_mm512_set1_epi32(count as i32), _mm512_set1_epi32(count as i32));
    let mut here = lanes;
    let mut start = 0;
    while start + 32 <= count {
        // SAFETY: 32 keys are left.
        let (a, b) = unsafe { (_mm512_loadu_ps(keys.add(start)), _mm512_loadu_ps(keys.add(start + 16))) };
        low_at = _mm512_mask_mov_epi32(low_at, _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, low), here);
        // Of a NaN and a number, the second operand is returned.
        low = _mm512_min_ps(a, low);
        let next = _mm512_add_epi32(here, _mm512_set1_epi32(16));
        high_at = _mm512_mask_mov_epi32(high_at, _mm512_cmp_ps_mask::<_CMP_LT_OQ>(b, high), next);
        high = _mm512_min_ps(b, high);
        here = _mm512_add_epi32(here, _mm512_set1_epi32(32));
        start += 32;
    }
    while start < count {
        let there = first(count - start);
        // SAFETY: lanes that the mask leaves out are not accessed.
        let a = unsafe { _mm512_maskz_loadu_ps(there, keys.add(start)) };
        let less = _mm512_mask_cmp_ps_mask::<_CMP_LT_OQ>(there, a, low);
        low_at = _mm512_mask_mov_epi32(low_at, less, here);
        low = _mm512_mask_mov_ps(low, less, a);
        here = _mm512_add_epi32(here, _mm512_set1_epi32(16));
        start += 16;
    }
    let best = _mm512_set1_ps(_mm512_reduce_min_ps(_mm512_min_ps(low, high)));
    let none = _mm512_set1_epi32(count as i32);
    // Places of the least in each set. An infinite least was never below infinity, and so has no place.
    let low_at = _mm512_mask_mov_epi32(none, _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(low, best), low_at);
    let high_at = _mm512_mask_mov_epi32(none, _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(high, best), high_at);
    _mm512_reduce_min_epi32(_mm512_min_epi32(low_at, high_at)) as usize
}
