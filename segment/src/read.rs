//! Reading untrusted bytes: every step is checked against what is left, and nothing is allocated before it is.

use crate::column::Strings;
use crate::error::{DecodeError, Fault};

/// A place in bytes that somebody else wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    what: String,
}

impl<'a> Reader<'a> {
    /// At the beginning; errors will name `what`.
    pub(crate) fn new(bytes: &'a [u8], what: &str) -> Self {
        Self { bytes, at: 0, what: what.to_owned() }
    }

    /// Errors will name something else from now on.
    pub(crate) fn now_in(&mut self, what: &str) {
        what.clone_into(&mut self.what);
    }

    pub(crate) fn error(&self, fault: Fault) -> DecodeError {
        DecodeError { what: self.what.clone(), offset: self.at, fault }
    }

    /// The next `count` items of `width` bytes.
    pub(crate) fn take(&mut self, count: usize, width: usize) -> Result<&'a [u8], DecodeError> {
        let left = self.bytes.len() - self.at;
        match count.checked_mul(width) {
            Some(len) if len <= left => {
                let part = &self.bytes[self.at..self.at + len];
                self.at += len;
                Ok(part)
            }
            Some(_) | None => Err(self.error(Fault::Short { want: count as u64, width, left })),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, 1)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Fixed-width numbers.
    pub(crate) fn values<T, const N: usize>(
        &mut self,
        count: usize,
        from: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, DecodeError> {
        let (chunks, _) = self.take(count, N)?.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| from(*chunk)).collect())
    }

    /// Lengths, then text.
    pub(crate) fn strings(&mut self, count: usize) -> Result<Strings, DecodeError> {
        let lengths = self.take(count, size_of::<u32>())?;
        let mut offsets = Vec::with_capacity(count + 1);
        let mut end = 0_u64;
        offsets.push(end);
        for length in lengths.as_chunks::<4>().0 {
            end += u64::from(u32::from_le_bytes(*length));
            offsets.push(end);
        }
        // A sum that does not fit is more than is left.
        let text = self.take(usize::try_from(end).unwrap_or(usize::MAX), 1)?;
        Strings::from_parts(offsets, text.to_vec()).ok_or_else(|| self.error(Fault::Utf8))
    }

    /// There may be nothing left.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(self.error(Fault::Trailing { left })),
        }
    }
}
