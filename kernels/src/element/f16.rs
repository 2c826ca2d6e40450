//! Binary16: half the memory traffic of binary32, the same arithmetic after widening.
use std::fmt::{self, Debug};

use super::{Number, element};
use crate::float::{self, Float, Isa};

/// An IEEE 754 binary16 number, held as its bits.
///
/// Equality and hashing are on the bits, so `-0.0` differs from `0.0` and a NaN equals itself.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct F16(pub u16);

impl F16 {
    /// The nearest binary16, ties to even. Magnitudes of 65520 and more become infinite; a NaN stays a NaN.
    #[inline]
    pub const fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let sign = ((bits >> 16) & 0x8000) as u16;
        let magnitude = bits & 0x7fff_ffff;
        if magnitude > 0x7f80_0000 {
            // Quiet, keeping the top of the payload, as the hardware conversions do.
            return Self(sign | 0x7e00 | ((magnitude >> 13) & 0x1ff) as u16);
        }
        if magnitude >= 0x477f_f000 {
            return Self(sign | 0x7c00);
        }
        if magnitude < 0x3880_0000 {
            // Below 2^-14 the result is subnormal. Adding 0.5 aligns the value so that binary32's own rounding
            // leaves the wanted integer (the multiple of 2^-24) in the low bits of the mantissa.
            let aligned = f32::from_bits(magnitude) + 0.5;
            return Self(sign | (aligned.to_bits() - 0.5f32.to_bits()) as u16);
        }
        // Re-bias the exponent by 15 - 127, then round the 13 dropped bits to nearest, ties to even. A carry out of
        // the mantissa runs into the exponent, which is right.
        let odd = (magnitude >> 13) & 1;
        let rounded = magnitude - (112 << 23) + 0xfff + odd;
        Self(sign | (rounded >> 13) as u16)
    }

    /// The exact value as binary32.
    #[inline]
    pub const fn to_f32(self) -> f32 {
        let sign = ((self.0 & 0x8000) as u32) << 16;
        let magnitude = ((self.0 & 0x7fff) as u32) << 13;
        // Reading the bits at the wrong exponent and multiplying by 2^112 is exact and covers subnormals too.
        let finite = (f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23)).to_bits();
        // For infinity and NaN the exponent becomes all ones, and a NaN is quietened. Both ways are computed and one is
        // chosen, which leaves no branch in loops over many numbers.
        let quiet = if magnitude > 0x7c00 << 13 { 1 << 22 } else { 0 };
        let special = (magnitude + (224 << 23)) | quiet;
        let bits = if magnitude >= 0x7c00 << 13 { special } else { finite };
        f32::from_bits(sign | bits)
    }

    /// Looks at stored bits as numbers, without copying.
    pub const fn from_bits_slice(bits: &[u16]) -> &[Self] {
        // SAFETY: `F16` is `repr(transparent)` over `u16` and every bit pattern is valid.
        unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
    }

    /// The stored bits of numbers, without copying.
    pub const fn as_bits_slice(numbers: &[Self]) -> &[u16] {
        // SAFETY: `F16` is `repr(transparent)` over `u16`.
        unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
    }
}

impl Debug for F16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.to_f32(), f)
    }
}

element!(F16, F16, float::f16_versions);

impl Number for F16 {
    fn to_f32(self) -> f32 {
        self.to_f32()
    }

    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
}

impl Float for F16 {
    #[inline(always)]
    unsafe fn load<I: Isa>(from: *const Self) -> I::F32 {
        // SAFETY: the caller's duties are the same.
        unsafe { I::load_f16(from) }
    }

    #[inline(always)]
    unsafe fn load_up_to<I: Isa>(from: *const Self, count: usize) -> I::F32 {
        // SAFETY: the caller's duties are the same.
        unsafe { I::load_up_to_f16(from, count) }
    }
}
