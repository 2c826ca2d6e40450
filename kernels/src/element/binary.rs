//! Eight bits in a byte.
use super::element;
use crate::bits;

/// Eight components of a binary vector, the first one in the lowest bit.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Binary(pub u8);

impl Binary {
    /// Looks at stored bytes as units of a binary vector, without copying.
    pub const fn from_bytes_slice(bytes: &[u8]) -> &[Self] {
        // SAFETY: `Binary` is `repr(transparent)` over `u8` and every bit pattern is valid.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }

    /// The stored bytes, without copying.
    pub const fn as_bytes_slice(units: &[Self]) -> &[u8] {
        // SAFETY: `Binary` is `repr(transparent)` over `u8`.
        unsafe { std::slice::from_raw_parts(units.as_ptr().cast(), units.len()) }
    }
}

element!(Binary, Binary, bits::versions);
