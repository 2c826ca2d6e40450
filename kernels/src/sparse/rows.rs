//! Many sparse vectors, one after another.
use super::{SparseError, SparseVector, check, descent};

/// Sparse vectors in the layout of compressed sparse rows, checked once: row `i` has the components
/// `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SparseRows<'a> {
    pub(super) offsets: &'a [u32],
    pub(super) indices: &'a [u32],
    pub(super) values: &'a [f32],
}

impl<'a> SparseRows<'a> {
    /// Views components as rows. `offsets` has one entry more than there are rows, begins with 0 and ends with the
    /// number of components.
    ///
    /// # Errors
    /// When the offsets are not like that, there is not one value for each index, the indices of a row do not ascend
    /// strictly, or a value is not finite.
    pub fn new(offsets: &'a [u32], indices: &'a [u32], values: &'a [f32]) -> Result<Self, SparseError> {
        check(indices, values)?;
        let end = offsets.len().saturating_sub(1);
        if offsets.first() != Some(&0) {
            return Err(SparseError::Offset { position: 0 });
        }
        if let Some(position) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(SparseError::Offset { position: position + 1 });
        }
        if offsets[end] as usize != indices.len() {
            return Err(SparseError::Offset { position: end });
        }
        for row in offsets.windows(2) {
            let start = row[0] as usize;
            if let Some(position) = descent(&indices[start..row[1] as usize]) {
                return Err(SparseError::Order { position: start + position });
            }
        }
        Ok(Self { offsets, indices, values })
    }

    /// How many rows there are.
    pub const fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn row(&self, i: usize) -> SparseVector<'a> {
        assert!(i < self.len(), "row {i} of {}", self.len());
        let (start, end) = (self.offsets[i] as usize, self.offsets[i + 1] as usize);
        SparseVector { indices: &self.indices[start..end], values: &self.values[start..end] }
    }
}
