//! Two unsigned numbers of four bits in a byte.
use super::element;
use crate::{cell::Cell, int, isa::Version, metric::Metric};

/// Two unsigned numbers of four bits, the first in the low half of the byte.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct U4(pub u8);

impl U4 {
    /// Two numbers in one unit; each is cut to its low four bits.
    pub const fn new(first: u8, second: u8) -> Self {
        Self((first & 0xf) | (second << 4))
    }

    /// The two numbers, each 0 to 15.
    pub const fn values(self) -> [u8; 2] {
        [self.0 & 0xf, self.0 >> 4]
    }

    /// Looks at stored bytes as numbers, without copying.
    pub const fn from_bytes_slice(bytes: &[u8]) -> &[Self] {
        // SAFETY: `U4` is `repr(transparent)` over `u8` and every bit pattern is valid.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }

    /// The stored bytes, without copying.
    pub const fn as_bytes_slice(units: &[Self]) -> &[u8] {
        // SAFETY: `U4` is `repr(transparent)` over `u8`.
        unsafe { std::slice::from_raw_parts(units.as_ptr().cast(), units.len()) }
    }
}

element!(U4, U4, versions);

// Never inlined, so that the kernels are compiled here and not again in every crate that names one.
#[inline(never)]
fn versions(metric: Metric) -> &'static [Version<Cell<U4>>] {
    int::versions(metric)
}
