//! AVX2 with FMA and F16C: eight lanes, 16 registers.
//!
//! | instruction | Haswell to Golden Cove | Zen 2 to Zen 5 |
//! |---|---|---|
//! | `vfmadd231ps ymm` | 4-5 cycles, 2 per cycle | 4-5, 2 per cycle |
//! | `vmovups ymm` load | 2 per cycle (Golden Cove 3) | 2 per cycle |
//! | `vcvtph2ps ymm, xmm` | 5-7, 1 per cycle | 4-5, 1 per cycle |
//! | `vmaskmovps ymm` load | 2 per cycle | 1 per cycle |
//!
//! The 64 virtual lanes are eight registers. A pair holds all eight; four rows hold two columns each, in four sweeps; a
//! tile three queries by four rows of one column. Nothing overflows before f32 itself does.
use std::arch::x86_64::*;

use super::lanes::{Isa, Lane, table};
use crate::element::{Bf16, F16};

const LANES: usize = 8;

pub(super) struct Avx2;

#[derive(Clone, Copy, Debug)]
pub(super) struct F32x8(__m256);

impl F32x8 {
    #[inline(always)]
    unsafe fn widen_bf16(bits: __m128i) -> Self {
        // SAFETY: the caller's duty.
        Self(unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits))) })
    }

    #[inline(always)]
    fn fold4<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> __m128 {
        // Each sum of sixteen is a low and a high register.
        let low = columns[0].add(columns[2]).add(columns[4].add(columns[6]));
        let high = columns[1].add(columns[3]).add(columns[5].add(columns[7]));
        let sum = low.add(high).0;
        // SAFETY: a value of `F32x8` proves the instruction set.
        unsafe { _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum)) }
    }
}

impl Lane for F32x8 {
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value of `F32x8` proves the instruction set.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn total<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> f32 {
        super::sse::total(Self::fold4(columns))
    }

    #[inline(always)]
    fn totals<const COLUMNS: usize>(four: [&[Self; COLUMNS]; 4]) -> [f32; 4] {
        let [a, b, c, d] = four;
        super::sse::totals([Self::fold4(a), Self::fold4(b), Self::fold4(c), Self::fold4(d)])
    }
}

/// Read at `LANES - count`, the mask of the first `count` lanes.
static FIRST: [i32; 2 * LANES] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Isa for Avx2 {
    type F32 = F32x8;
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn zero() -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_first_f32(from: *const f32, count: usize) -> F32x8 {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed, and `count` is below `LANES`.
        unsafe {
            let mask = _mm256_loadu_si256(FIRST.as_ptr().add(LANES - count).cast());
            F32x8(_mm256_maskload_ps(from, mask))
        }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_first_f16(from: *const F16, count: usize) -> F32x8 {
        // SAFETY: the caller's duty.
        F32x8(unsafe { _mm256_cvtph_ps(first_u16(from.cast(), count)) })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> F32x8 {
        // SAFETY: the caller's duty.
        unsafe { F32x8::widen_bf16(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_first_bf16(from: *const Bf16, count: usize) -> F32x8 {
        // SAFETY: the caller's duty.
        unsafe { F32x8::widen_bf16(first_u16(from.cast(), count)) }
    }
}

/// The first `count` 16-bit values, and zeros. There is no masked load of 16-bit lanes, and a copy through memory would
/// stall on the store.
///
/// # Safety
/// The instruction set is available, `count` is in `1..LANES`, and `count` values are readable at `from`.
#[inline(always)]
unsafe fn first_u16(from: *const u16, count: usize) -> __m128i {
    // SAFETY: the reads are of values `0..4`, `count - 4..count`, or single ones below `count`.
    unsafe {
        let four = |at: usize| from.add(at).cast::<u64>().read_unaligned();
        let (low, high) = match count {
            1 => (u64::from(*from), 0),
            2 => (u64::from(from.cast::<u32>().read_unaligned()), 0),
            3 => (u64::from(from.cast::<u32>().read_unaligned()) | (u64::from(*from.add(2)) << 32), 0),
            4 => (four(0), 0),
            _ => (four(0), four(count - 4) >> (16 * (LANES - count))),
        };
        _mm_set_epi64x(high.cast_signed(), low.cast_signed())
    }
}

table! {
    isa: Avx2,
    features: ["avx2", "fma", "f16c"],
    columns: 8,
    plain: { pair: 8, quad: 2, tile: 3 x 4 x 1 },
    squares: { pair: 4, quad: 1, tile: 2 x 4 x 1 },
}
