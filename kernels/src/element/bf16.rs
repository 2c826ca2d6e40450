//! bf16: the upper half of binary32; its range, and eight bits of precision.
use std::fmt::{self, Debug};

use super::{Number, element};
use crate::float;

/// A bf16 number, held as its bits.
///
/// Equality and hashing are on the bits, so `-0.0` differs from `0.0` and a NaN equals itself.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bf16(pub u16);

impl Bf16 {
    /// The nearest bf16, ties to even; a NaN stays a NaN.
    #[inline]
    pub const fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        if bits & 0x7fff_ffff > 0x7f80_0000 {
            // Quiet, and never rounded up to an infinity.
            return Self((bits >> 16) as u16 | 0x40);
        }
        let odd = (bits >> 16) & 1;
        Self(((bits + 0x7fff + odd) >> 16) as u16)
    }

    /// The exact value as binary32.
    #[inline]
    pub const fn to_f32(self) -> f32 {
        f32::from_bits((self.0 as u32) << 16)
    }

    /// Looks at stored bits as numbers, without copying.
    pub const fn from_bits_slice(bits: &[u16]) -> &[Self] {
        // SAFETY: `Bf16` is `repr(transparent)` over `u16` and every bit pattern is valid.
        unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
    }

    /// The stored bits of numbers, without copying.
    pub const fn as_bits_slice(numbers: &[Self]) -> &[u16] {
        // SAFETY: `Bf16` is `repr(transparent)` over `u16`.
        unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
    }
}

impl Debug for Bf16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.to_f32(), f)
    }
}

element!(Bf16, Bf16, float::bf16_versions);

impl Number for Bf16 {
    fn to_f32(self) -> f32 {
        self.to_f32()
    }

    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
}
