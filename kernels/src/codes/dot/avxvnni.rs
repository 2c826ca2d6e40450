//! AVX-VNNI: the steps of AVX-512 VNNI in registers half as wide.
//!
//! | instruction | Zen 5 | Golden Cove | Gracemont |
//! |---|---|---|---|
//! | `vpdpbusd ymm` | 4 cycles, 2 per cycle | 5, 2 per cycle | 5, 1 per cycle |
//! | `vpand ymm` | 1, 4 per cycle | 1, 3 per cycle | 1, 1.5 per cycle |
//!
//! With sixteen registers, fields have two sums: the lower of each two is masked where it is and the upper too, and the
//! next two are shifted down by both. The bounds are those of `avx512vnni.rs`.
#![allow(clippy::needless_range_loop, reason = "plain loops keep values in registers")]
use std::arch::x86_64::*;

use super::{
    avx2,
    driver::{Arch, stamp},
};

pub(super) struct AvxVnni;

impl Arch for AvxVnni {
    type Codes = __m256i;
    type Query = __m256i;
    type Sums = __m256i;
    const BYTES: usize = 32;
    const SIGNED: bool = false;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const u8, _count: usize) -> __m256i {
        // SAFETY: the caller's duty; the one multiple of 16 below 32 is 16.
        unsafe { avx2::load_half(from) }
    }

    #[inline(always)]
    unsafe fn query<const BITS: u32>(from: *const i8) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn query4<const BITS: u32>(from: *const i8) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn step<const BITS: u32, const FIELDS: usize>(
        sums: &mut [__m256i; FIELDS],
        codes: __m256i,
        query: &[__m256i; FIELDS],
    ) {
        // SAFETY: the caller's duty.
        unsafe {
            if BITS == 8 {
                sums[0] = _mm256_dpbusd_avx_epi32(sums[0], codes, query[0]);
                return;
            }
            for s in 0..FIELDS {
                let sum = s % 2;
                // What comes in from the byte above is masked off below.
                let down = _mm_cvtsi32_si128(((s - sum) as u32 * BITS) as i32);
                let mask = (0xff_u32 >> (8 - BITS) << (sum as u32 * BITS)) as u8 as i8;
                let field = _mm256_and_si256(_mm256_srl_epi16(codes, down), _mm256_set1_epi8(mask));
                sums[sum] = _mm256_dpbusd_avx_epi32(sums[sum], field, query[s]);
            }
        }
    }

    #[inline(always)]
    unsafe fn finish<const BITS: u32, const FIELDS: usize>(sums: &[__m256i; FIELDS]) -> __m256i {
        if BITS == 8 {
            return sums[0];
        }
        // SAFETY: the caller's duty. The sums are multiples of the field's unit, so the shift is exact.
        unsafe { _mm256_add_epi32(sums[0], _mm256_sra_epi32(sums[1], _mm_cvtsi32_si128(BITS as i32))) }
    }

    #[inline(always)]
    unsafe fn totals(four: &[__m256i; 4]) -> [i32; 4] {
        // SAFETY: the caller's duty.
        unsafe { avx2::totals(four) }
    }

    #[inline(always)]
    unsafe fn store(sums: __m256i, to: *mut i32) {
        // SAFETY: the caller's duty.
        unsafe { _mm256_storeu_si256(to.cast(), sums) }
    }
}

stamp! {
    AvxVnni,
    ["avx2", "fma", "f16c", "avxvnni"],
    rows: [8, 4, 4, 4],
    columns: [8, 4, 4, 4]
}
