//! Shared immutable bytes that are sliced and viewed as numbers without copying.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

type Owner = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Immutable bytes with shared ownership: a buffer or a mapped file, or a part of one.
#[derive(Clone)]
pub struct Blob {
    owner: Owner,
    range: Range<usize>,
}

/// Bytes copied into words because their vector was not aligned to them.
struct Aligned {
    words: Vec<u64>,
    len: usize,
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

impl Blob {
    /// Owns `bytes`. They are copied only if they do not begin at a multiple of eight, so that a view of a whole
    /// buffer as numbers never fails for its alignment.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        if bytes.as_ptr().align_offset(align_of::<u64>()) == 0 {
            return Self::from_owner(Arc::new(bytes));
        }
        let len = bytes.len();
        let mut words = vec![0_u64; len.div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..len].copy_from_slice(&bytes);
        Self::from_owner(Arc::new(Aligned { words, len }))
    }

    /// Shares what `owner` owns, such as a mapped file. Its bytes must not change or move while it lives.
    pub fn from_owner(owner: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Self {
        let len = (*owner).as_ref().len();
        Self { owner, range: 0..len }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &(*self.owner).as_ref()[self.range.clone()]
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// A part of the bytes, which keeps the whole alive.
    ///
    /// # Panics
    /// When the range leaves the bytes, as slicing does.
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len(), "range {range:?} of {} bytes", self.len());
        let start = self.range.start + range.start;
        Self { owner: Arc::clone(&self.owner), range: start..start + range.len() }
    }

    /// Whether the bytes begin at a multiple of `align` in memory.
    pub fn is_aligned(&self, align: usize) -> bool {
        align.is_power_of_two() && self.as_slice().as_ptr().align_offset(align) == 0
    }

    /// The bytes as little-endian 32-bit numbers; `None` when length or alignment does not allow it.
    pub fn as_u32s(&self) -> Option<&[u32]> {
        bytemuck::try_cast_slice(self.as_slice()).ok()
    }

    /// The bytes as little-endian 64-bit numbers; `None` when length or alignment does not allow it.
    pub fn as_u64s(&self) -> Option<&[u64]> {
        bytemuck::try_cast_slice(self.as_slice()).ok()
    }

    /// The bytes as little-endian 16-bit numbers; `None` when length or alignment does not allow it.
    pub fn as_u16s(&self) -> Option<&[u16]> {
        bytemuck::try_cast_slice(self.as_slice()).ok()
    }

    /// The bytes as little-endian floats; `None` when length or alignment does not allow it.
    pub fn as_f32s(&self) -> Option<&[f32]> {
        bytemuck::try_cast_slice(self.as_slice()).ok()
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from_vec(bytes)
    }
}

#[cfg(test)]
mod tests;
