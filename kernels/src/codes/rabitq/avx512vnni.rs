//! AVX-512 with VNNI: a code of several bits, put together from its planes in byte lanes.
//!
//! For 64 components each plane is a mask and a masked addition of its weight, and then `vpdpbusd` multiplies the
//! code, unsigned, with the query's bytes, signed, and adds fours: `4 * 255 * 127` at most, and over a row `2^31` is
//! not reached up to the largest dimension. At 768 components and 4 bits that is 60 vector instructions, at up to 4 a
//! cycle on Zen 5, and 48 mask loads.
use std::arch::x86_64::*;

/// See [`super::estimate::FullRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::full`] asks for.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn full(bytes: *const i8, words: usize, signs: *const u8, planes: *const u8, extra: usize) -> i32 {
    // SAFETY: the caller's duty.
    unsafe {
        let mut sum = _mm512_setzero_si512();
        for word in 0..words {
            let ones = signs.cast::<u64>().add(word).read_unaligned();
            let mut code = _mm512_maskz_mov_epi8(ones, _mm512_set1_epi8((1u8 << extra) as i8));
            for plane in 0..extra {
                let ones = planes.cast::<u64>().add(plane * words + word).read_unaligned();
                let weight = _mm512_set1_epi8((1u8 << (extra - 1 - plane)) as i8);
                code = _mm512_mask_add_epi8(code, ones, code, weight);
            }
            sum = _mm512_dpbusd_epi32(sum, code, _mm512_loadu_si512(bytes.add(64 * word).cast()));
        }
        _mm512_reduce_add_epi32(sum)
    }
}
