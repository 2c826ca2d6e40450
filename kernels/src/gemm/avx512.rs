//! AVX-512: tiles of 14 queries by 32 rows, 28 registers of sums, two of rows, the query broadcast by the instruction.
//!
//! | instruction | Zen 4 | Zen 5 | Golden Cove |
//! |---|---|---|---|
//! | `vfmadd231ps zmm, zmm, m32{1to16}` | 1 per cycle | 2 per cycle | 2 per cycle |
//! | `vdpbf16ps zmm` | 1 per cycle | 2 per cycle | 1 per cycle |
//! | `vpdpbusd zmm` | 1 per cycle | 2 per cycle | 2 per cycle |
//!
//! A step needs 16 loads for 28 multiply-adds, so the multipliers are the limit: 32 products a cycle for `f32`, twice
//! and four times as many for bf16 and bytes where the rates above are equal. Sums of bytes
//! begin at -128 times the query's, may wrap on the way, and end within `128 * 128 * 65536 = 2^30`.
use std::arch::x86_64::*;

use super::{pack::stamp, tile::Simd};

#[derive(Debug)]
struct F32;
#[derive(Debug)]
struct Bf16;
#[derive(Debug)]
struct I8;

macro_rules! simd {
    ($name:ident, $sum:ty, $word:ty, [$($own:tt)*]) => {
        impl Simd for $name {
            type F = __m512;
            type Sum = $sum;
            type Word = $word;
            const LANES: usize = 16;

            $($own)*

            #[inline(always)]
            unsafe fn load(from: *const f32) -> __m512 {
                // SAFETY: the caller's duty.
                unsafe { _mm512_loadu_ps(from) }
            }

            #[inline(always)]
            unsafe fn store(to: *mut f32, value: __m512) {
                // SAFETY: the caller's duty.
                unsafe { _mm512_storeu_ps(to, value) }
            }

            #[inline(always)]
            unsafe fn mul(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the caller's duty.
                unsafe { _mm512_mul_ps(a, b) }
            }

            #[inline(always)]
            unsafe fn sub_mul(base: __m512, factor: *const f32, b: __m512) -> __m512 {
                // SAFETY: the caller's duty.
                unsafe { _mm512_fnmadd_ps(b, _mm512_set1_ps(*factor), base) }
            }

            #[inline(always)]
            unsafe fn at_most(value: __m512, limit: *const f32) -> u32 {
                // SAFETY: the caller's duty.
                u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(value, _mm512_set1_ps(*limit)) })
            }
        }
    };
}

simd!(F32, __m512, __m512, [
    #[inline(always)]
    unsafe fn sum(value: i32) -> __m512 {
        // SAFETY: the caller's duty.
        unsafe { _mm512_set1_ps(value as f32) }
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m512 {
        // SAFETY: the caller's duty.
        unsafe { _mm512_loadu_ps(from.cast()) }
    }

    #[inline(always)]
    unsafe fn step(sum: __m512, query: *const u32, rows: __m512) -> __m512 {
        // SAFETY: the caller's duty.
        unsafe { _mm512_fmadd_ps(rows, _mm512_set1_ps(*query.cast::<f32>()), sum) }
    }

    #[inline(always)]
    unsafe fn floats(sum: __m512) -> __m512 {
        sum
    }
]);

simd!(Bf16, __m512, __m512bh, [
    #[inline(always)]
    unsafe fn sum(value: i32) -> __m512 {
        // SAFETY: the caller's duty.
        unsafe { _mm512_set1_ps(value as f32) }
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m512bh {
        // SAFETY: the caller's duty.
        unsafe { from.cast::<__m512bh>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn step(sum: __m512, query: *const u32, rows: __m512bh) -> __m512 {
        // SAFETY: the caller's duty; both types are 512 bits of which every pattern is valid.
        unsafe {
            let query = _mm512_set1_epi32(query.cast::<i32>().read());
            _mm512_dpbf16_ps(sum, rows, (&raw const query).cast::<__m512bh>().read())
        }
    }

    #[inline(always)]
    unsafe fn floats(sum: __m512) -> __m512 {
        sum
    }
]);

simd!(I8, __m512i, __m512i, [
    #[inline(always)]
    unsafe fn sum(value: i32) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn step(sum: __m512i, query: *const u32, rows: __m512i) -> __m512i {
        // SAFETY: the caller's duty. Rows are the unsigned factor, so that the signed one can be broadcast.
        unsafe { _mm512_dpbusd_epi32(sum, rows, _mm512_set1_epi32(query.cast::<i32>().read())) }
    }

    #[inline(always)]
    unsafe fn floats(sum: __m512i) -> __m512 {
        // SAFETY: the caller's duty.
        unsafe { _mm512_cvtepi32_ps(sum) }
    }
]);

stamp! {
    float: F32, Format::F32, 14 x 2, flip: 0,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"],
}
stamp! {
    bf16: Bf16, Format::Bf16, 14 x 2, flip: 0,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512bf16"],
}
stamp! {
    bytes: I8, Format::I8, 14 x 2, flip: 0x8080_8080,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni"],
}
