//! AVX2: tiles of 6 queries by 16 rows, twelve registers of sums, two of rows, one for the broadcast query.
//!
//! | instruction | Haswell to Skylake | Zen 3 to 5 | Golden Cove |
//! |---|---|---|---|
//! | `vfmadd231ps ymm` | 2 per cycle | 2 per cycle | 2 per cycle |
//! | `vbroadcastss ymm, m32` | 2 per cycle | 2 per cycle (Zen 5: 3) | 3 per cycle |
//! | `vpdpbusd ymm` | - | 2 per cycle | 2 per cycle |
//!
//! A step needs eight loads for twelve multiply-adds, so both stay busy. Sums of bytes begin at -128
//! times the query's, may wrap on the way, and end within `128 * 128 * 65536 = 2^30`.
use std::arch::x86_64::*;

use super::{pack::stamp, tile::Simd};

#[derive(Debug)]
struct F32;
#[derive(Debug)]
struct I8;

macro_rules! simd {
    ($name:ident, $sum:ty, $word:ty, [$($own:tt)*]) => {
        impl Simd for $name {
            type F = __m256;
            type Sum = $sum;
            type Word = $word;
            const LANES: usize = 8;

            $($own)*

            #[inline(always)]
            unsafe fn load(from: *const f32) -> __m256 {
                // SAFETY: the caller's duty.
                unsafe { _mm256_loadu_ps(from) }
            }

            #[inline(always)]
            unsafe fn store(to: *mut f32, value: __m256) {
                // SAFETY: the caller's duty.
                unsafe { _mm256_storeu_ps(to, value) }
            }

            #[inline(always)]
            unsafe fn mul(a: __m256, b: __m256) -> __m256 {
                // SAFETY: the caller's duty.
                unsafe { _mm256_mul_ps(a, b) }
            }

            #[inline(always)]
            unsafe fn sub_mul(base: __m256, factor: *const f32, b: __m256) -> __m256 {
                // SAFETY: the caller's duty.
                unsafe { _mm256_fnmadd_ps(b, _mm256_set1_ps(*factor), base) }
            }

            #[inline(always)]
            unsafe fn at_most(value: __m256, limit: *const f32) -> u32 {
                // SAFETY: the caller's duty.
                unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(value, _mm256_set1_ps(*limit))) as u32 }
            }
        }
    };
}

simd!(F32, __m256, __m256, [
    #[inline(always)]
    unsafe fn sum(value: i32) -> __m256 {
        // SAFETY: the caller's duty.
        unsafe { _mm256_set1_ps(value as f32) }
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m256 {
        // SAFETY: the caller's duty.
        unsafe { _mm256_loadu_ps(from.cast()) }
    }

    #[inline(always)]
    unsafe fn step(sum: __m256, query: *const u32, rows: __m256) -> __m256 {
        // SAFETY: the caller's duty.
        unsafe { _mm256_fmadd_ps(rows, _mm256_set1_ps(*query.cast::<f32>()), sum) }
    }

    #[inline(always)]
    unsafe fn floats(sum: __m256) -> __m256 {
        sum
    }
]);

simd!(I8, __m256i, __m256i, [
    #[inline(always)]
    unsafe fn sum(value: i32) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m256i {
        // SAFETY: the caller's duty.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn step(sum: __m256i, query: *const u32, rows: __m256i) -> __m256i {
        // SAFETY: the caller's duty. Rows are the unsigned factor, so that the signed one can be broadcast.
        unsafe { _mm256_dpbusd_avx_epi32(sum, rows, _mm256_set1_epi32(query.cast::<i32>().read())) }
    }

    #[inline(always)]
    unsafe fn floats(sum: __m256i) -> __m256 {
        // SAFETY: the caller's duty.
        unsafe { _mm256_cvtepi32_ps(sum) }
    }
]);

stamp! {
    float: F32, Format::F32, 6 x 2, flip: 0,
    features: ["avx2", "fma", "f16c"],
}
stamp! {
    bytes: I8, Format::I8, 6 x 2, flip: 0x8080_8080,
    features: ["avx2", "fma", "f16c", "avxvnni"],
}
