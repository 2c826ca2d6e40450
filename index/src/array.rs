//! Numbers that are either owned, after a build, or used in place in a blob, after an open.

use std::sync::Arc;

use bytemuck::Pod;

use crate::Blob;
use crate::pages::Pages;

/// A slice of numbers, owned or mapped.
pub(crate) enum Array<T> {
    Owned(Vec<T>),
    /// The length is a multiple of the number's size and the bytes are aligned to it: [`Array::map`] saw to that, or they
    /// came from numbers.
    Mapped(Blob),
}

impl<T: Pod> Array<T> {
    /// Views a blob; `None` when its length or alignment does not allow it.
    pub(crate) fn map(blob: Blob) -> Option<Self> {
        let fits = bytemuck::try_cast_slice::<u8, T>(blob.as_slice()).is_ok();
        fits.then_some(Self::Mapped(blob))
    }

    /// The same numbers where reading them here and there is fastest: many are moved to large pages.
    pub(crate) fn for_random_reads(self) -> Self {
        let Self::Owned(values) = &self else { return self };
        let Some(mut pages) = Pages::zeros(size_of_val(values.as_slice())) else { return self };
        pages.bytes_mut().copy_from_slice(bytemuck::cast_slice(values));
        Self::Mapped(Blob::from_owner(Arc::new(pages)))
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

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Bytes that begin at a cache line, so that records of whole lines are read with the fewest loads.
pub(crate) enum Lines {
    /// The bytes from `start` on, the first that begins a line; a vector's bytes stay where they are when it moves.
    Owned {
        buffer: Vec<u8>,
        start: usize,
    },
    Pages(Pages),
    Mapped(Blob),
}

impl Lines {
    /// Zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        if let Some(pages) = Pages::zeros(len) {
            return Self::Pages(pages);
        }
        let mut buffer = vec![0; len + LINE - 1];
        let start = buffer.as_ptr().align_offset(LINE).min(LINE - 1);
        buffer.truncate(start + len);
        Self::Owned { buffer, start }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Owned { buffer, start } => &buffer[*start..],
            Self::Pages(pages) => pages.as_ref(),
            Self::Mapped(blob) => blob.as_slice(),
        }
    }

    /// The bytes for change; none where they are mapped.
    pub(crate) fn owned_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Owned { buffer, start } => &mut buffer[*start..],
            Self::Pages(pages) => pages.bytes_mut(),
            Self::Mapped(_) => &mut [],
        }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lines({} bytes)", self.as_bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_the_same_wherever_they_are_moved() {
        for count in [0, 5, 3 << 20] {
            let values: Vec<u32> = (0..count).collect();
            let mut array = Array::Owned(values.clone()).for_random_reads().for_random_reads();
            assert_eq!(array.as_slice(), values);
            array.to_mut().push(1);
            assert_eq!(array.as_slice().len(), values.len() + 1);
        }
    }

    #[test]
    fn lines_begin_at_a_line_and_can_be_written() {
        for len in [0, 1, 1000, 5 << 20] {
            let mut lines = Lines::zeros(len);
            assert_eq!((lines.as_bytes().len(), lines.as_bytes().as_ptr().align_offset(LINE)), (len, 0));
            lines.owned_mut().fill(3);
            assert!(lines.as_bytes().iter().all(|byte| *byte == 3));
        }
    }
}
