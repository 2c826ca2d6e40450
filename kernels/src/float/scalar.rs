//! Plain Rust, for any CPU: sixteen lanes in an array, with the same roundings as the vector sets.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]
#[cfg(test)]
mod tests;

use super::lanes::{Isa, Lane, table};
use crate::element::{Bf16, F16};

const LANES: usize = 16;

pub(super) struct Scalar;

#[derive(Clone, Copy, Debug)]
pub(super) struct F32x16([f32; LANES]);

/// Whether `f32::mul_add` is an instruction here; else it is a call into the C library.
const HAS_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Lane for F32x16 {
    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] += other.0[i];
        }
        self
    }

    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] -= other.0[i];
        }
        self
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        if HAS_FMA {
            return self.fma_exact(a, b);
        }
        // The product of two f32 is exact in f64, so the f64 sum is the true sum rounded once, and rounding it again
        // to f32 is wrong only if that sum lies halfway between two f32: low 29 bits 1000.. for a normal result. Those,
        // and subnormal results, whose halfway bits are elsewhere, are left to the C library.
        let mut rounded = [0.0; LANES];
        let mut doubtful = 0;
        for i in 0..LANES {
            let sum = f64::from(a.0[i]) * f64::from(b.0[i]) + f64::from(self.0[i]);
            let halfway = sum.to_bits() & 0x1fff_ffff == 0x1000_0000;
            let small = sum.abs() < f64::from(f32::MIN_POSITIVE) && sum != 0.0;
            doubtful |= u64::from(halfway | small);
            rounded[i] = sum as f32;
        }
        if doubtful == 0 { Self(rounded) } else { self.fma_exact(a, b) }
    }

    #[inline(always)]
    fn total<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> f32 {
        let mut sums = columns[0].add(columns[1]).add(columns[2].add(columns[3])).0;
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                sums[i] += sums[i + half];
            }
            half /= 2;
        }
        sums[0]
    }
}

impl F32x16 {
    #[inline(always)]
    fn fma_exact(mut self, a: Self, b: Self) -> Self {
        for i in 0..LANES {
            self.0[i] = a.0[i].mul_add(b.0[i], self.0[i]);
        }
        self
    }

    #[inline(always)]
    fn widen_bf16(numbers: [Bf16; LANES]) -> Self {
        let mut lanes = [0.0; LANES];
        for i in 0..LANES {
            lanes[i] = numbers[i].to_f32();
        }
        Self(lanes)
    }

    #[inline(always)]
    fn widen(halves: [F16; LANES]) -> Self {
        let mut lanes = [0.0; LANES];
        for i in 0..LANES {
            lanes[i] = halves[i].to_f32();
        }
        Self(lanes)
    }
}

impl Isa for Scalar {
    type F32 = F32x16;
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn zero() -> F32x16 {
        F32x16([0.0; LANES])
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_first_f32(from: *const f32, count: usize) -> F32x16 {
        let mut lanes = [0.0; LANES];
        // SAFETY: `count` is below `LANES` and that many values are readable.
        unsafe { from.copy_to_nonoverlapping(lanes.as_mut_ptr(), count) };
        F32x16(lanes)
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const F16) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16::widen(unsafe { from.cast::<[F16; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_first_f16(from: *const F16, count: usize) -> F32x16 {
        let mut lanes = [F16(0); LANES];
        // SAFETY: `count` is below `LANES` and that many values are readable.
        unsafe { from.copy_to_nonoverlapping(lanes.as_mut_ptr(), count) };
        F32x16::widen(lanes)
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> F32x16 {
        // SAFETY: the caller's duty.
        F32x16::widen_bf16(unsafe { from.cast::<[Bf16; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_first_bf16(from: *const Bf16, count: usize) -> F32x16 {
        let mut lanes = [Bf16(0); LANES];
        // SAFETY: `count` is below `LANES` and that many values are readable.
        unsafe { from.copy_to_nonoverlapping(lanes.as_mut_ptr(), count) };
        F32x16::widen_bf16(lanes)
    }
}

table! {
    isa: Scalar,
    features: [],
    columns: 4,
    plain: { pair: 1, quad: 1, tile: 4 x 4 x 1 },
    squares: { pair: 1, quad: 1, tile: 4 x 4 x 1 },
}
