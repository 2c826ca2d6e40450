//! Numbers that are either owned, after a build, or used in place in a blob, after an open.

use bytemuck::Pod;

use crate::Blob;

/// A slice of numbers, owned or mapped.
pub(crate) enum Array<T> {
    Owned(Vec<T>),
    /// The length is a multiple of the number's size and the bytes are aligned to it: [`Array::map`] saw to that.
    Mapped(Blob),
}

impl<T: Pod> Array<T> {
    /// Views a blob; `None` when its length or alignment does not allow it.
    pub(crate) fn map(blob: Blob) -> Option<Self> {
        let fits = bytemuck::try_cast_slice::<u8, T>(blob.as_slice()).is_ok();
        fits.then_some(Self::Mapped(blob))
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::Owned(values) => values,
            Self::Mapped(blob) => bytemuck::cast_slice(blob.as_slice()),
        }
    }

    /// The numbers for change; mapped ones are copied first.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<T> {
        if let Self::Mapped(blob) = self {
            *self = Self::Owned(bytemuck::cast_slice(blob.as_slice()).to_vec());
        }
        match self {
            Self::Owned(values) => values,
            Self::Mapped(_) => unreachable!("mapped numbers were copied above"),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self.as_slice())
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.as_bytes().len() as u64
    }
}

impl<T> std::fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Owned(values) => write!(f, "Owned({} numbers)", values.len()),
            Self::Mapped(blob) => write!(f, "Mapped({} bytes)", blob.len()),
        }
    }
}
