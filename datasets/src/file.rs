//! The one door to the file system: bounded reading of plain and gzip files, and whole-file writing.
#![allow(clippy::disallowed_methods, reason = "this crate reads files of the user, outside any database folder")]

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Problem, ReadError};
use crate::matrix::{ByteOrder, Matrix, Scalar};

/// The largest number of values in a row that the readers accept.
pub const MAX_DIM: u64 = 1 << 16;

/// The longest match of deflate gives 258 bytes for two bits at the least, so no stream grows by more (RFC 1951).
const INFLATE_MOST: u64 = 1032;

const BLOCK_BYTES: usize = 1 << 16;

/// A file, or bytes in memory, read once from front to back, with the offset kept for error messages.
///
/// Gzip is recognised by its first two bytes and unpacked on the way.
pub struct Input<'a> {
    file: String,
    source: Box<dyn BufRead + 'a>,
    offset: u64,
    /// No more bytes than this come out of the source; exactly this many where `exact`.
    most: u64,
    exact: bool,
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("file", &self.file).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Input<'static> {
    /// Opens a regular file.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = path.display().to_string();
        let fail = |problem| ReadError { file: path.display().to_string(), offset: None, problem };
        // A pipe would block in `open`, so the kind is asked for first.
        let about = fs::metadata(path).map_err(|error| fail(Problem::Io(error)))?;
        if !about.is_file() {
            return Err(fail(Problem::NotAFile));
        }
        let opened = fs::File::open(path).map_err(|error| fail(Problem::Io(error)))?;
        Input::sniff(file, BufReader::with_capacity(BLOCK_BYTES, opened), about.len())
    }
}

impl<'a> Input<'a> {
    /// Reads from memory; `name` stands for the file in error messages.
    pub fn bytes(name: &str, bytes: &'a [u8]) -> Result<Self, ReadError> {
        Self::sniff(name.to_owned(), bytes, bytes.len() as u64)
    }

    fn sniff(file: String, mut source: impl BufRead + 'a, len: u64) -> Result<Self, ReadError> {
        let packed = match source.fill_buf() {
            Ok(start) => start.starts_with(&[0x1f, 0x8b]),
            Err(error) => return Err(ReadError { file, offset: None, problem: Problem::Io(error) }),
        };
        if packed {
            let source = Box::new(BufReader::with_capacity(BLOCK_BYTES, MultiGzDecoder::new(source)));
            return Ok(Self { file, source, offset: 0, most: len.saturating_mul(INFLATE_MOST), exact: false });
        }
        Ok(Self { file, source: Box::new(source), offset: 0, most: len, exact: true })
    }

    /// The name that error messages give.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// An error at the present offset.
    pub(crate) fn fail(&self, problem: Problem) -> ReadError {
        ReadError { file: self.file.clone(), offset: Some(self.offset), problem }
    }

    /// No more bytes than this are left.
    pub(crate) fn room(&self) -> u64 {
        self.most.saturating_sub(self.offset)
    }

    /// How many rows of `row_bytes` are left at most: a capacity where the length is known, else nothing.
    pub(crate) fn rows_left(&self, row_bytes: u64) -> u64 {
        if self.exact { self.room() / row_bytes } else { 0 }
    }

    /// Fills `buf`, or says how many bytes were missing.
    pub(crate) fn fill(&mut self, buf: &mut [u8]) -> Result<(), ReadError> {
        let mut done = 0;
        while done < buf.len() {
            match self.source.read(&mut buf[done..]) {
                Ok(0) => return Err(self.fail(Problem::Truncated { want: (buf.len() - done) as u64 })),
                Ok(n) => {
                    done += n;
                    self.offset += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error, (buf.len() - done) as u64)),
            }
        }
        Ok(())
    }

    /// A compressed stream that is cut off reports an early end where a plain file just ends.
    fn broken(&self, error: io::Error, want: u64) -> ReadError {
        let problem =
            if error.kind() == io::ErrorKind::UnexpectedEof { Problem::Truncated { want } } else { Problem::Io(error) };
        self.fail(problem)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether every byte was read; of a compressed file this also checks the checksum.
    pub(crate) fn at_end(&mut self) -> Result<bool, ReadError> {
        loop {
            match self.source.fill_buf() {
                Ok(rest) => return Ok(rest.is_empty()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error, 1)),
            }
        }
    }

    /// Demands that nothing follows.
    pub(crate) fn finish(&mut self) -> Result<(), ReadError> {
        if self.at_end()? { Ok(()) } else { Err(self.fail(Problem::Trailing)) }
    }

    /// Refuses a dimension of zero, below zero or above [`MAX_DIM`].
    pub(crate) fn check_dim(&self, dim: i128) -> Result<u64, ReadError> {
        match u64::try_from(dim) {
            Ok(dim) if (1..=MAX_DIM).contains(&dim) => Ok(dim),
            Ok(_) | Err(_) => Err(self.fail(Problem::Dim { got: dim, max: MAX_DIM })),
        }
    }

    /// Reads `rows` rows of `dim` values and nothing after them.
    ///
    /// Memory follows what the file can hold, never what its header promises.
    pub(crate) fn rows<T: Scalar>(&mut self, rows: u64, dim: u64, order: ByteOrder) -> Result<Matrix<T>, ReadError> {
        let dim = self.check_dim(i128::from(dim))?;
        let values = rows.checked_mul(dim).ok_or_else(|| self.fail(Problem::Overflow { rows, dim }))?;
        let want = values.checked_mul(T::SIZE as u64).ok_or_else(|| self.fail(Problem::Overflow { rows, dim }))?;
        if want > self.room() {
            return Err(self.fail(Problem::Promise { want, room: self.room() }));
        }
        let count = usize::try_from(values).map_err(|_| self.fail(Problem::Memory { bytes: want }))?;
        let mut data = Vec::new();
        if self.exact {
            data.try_reserve_exact(count).map_err(|_| self.fail(Problem::Memory { bytes: want }))?;
        }
        self.values(&mut data, count, order)?;
        self.finish()?;
        Ok(Matrix::from_parts(dim as usize, data))
    }

    /// Appends `count` values to `out`.
    pub(crate) fn values<T: Scalar>(
        &mut self,
        out: &mut Vec<T>,
        count: usize,
        order: ByteOrder,
    ) -> Result<(), ReadError> {
        let mut block = vec![0; BLOCK_BYTES.min(count.saturating_mul(T::SIZE))];
        let mut left = count;
        while left > 0 {
            let n = left.min(block.len() / T::SIZE);
            let bytes = &mut block[..n * T::SIZE];
            self.fill(bytes)?;
            out.try_reserve(n).map_err(|_| self.fail(Problem::Memory { bytes: count as u64 * T::SIZE as u64 }))?;
            out.extend(bytes.chunks_exact(T::SIZE).map(|value| T::from_bytes(value, order)));
            left -= n;
        }
        Ok(())
    }

    /// Reads to the end, as text of at most `most` bytes.
    pub(crate) fn text(&mut self, most: u64) -> Result<String, ReadError> {
        let mut bytes = Vec::new();
        while !self.at_end()? {
            let block = match self.source.fill_buf() {
                Ok(block) => block,
                Err(error) => return Err(self.broken(error, 1)),
            };
            let n = block.len();
            if bytes.len() as u64 + n as u64 > most {
                return Err(self.fail(Problem::TooLong { most }));
            }
            bytes.extend_from_slice(block);
            self.source.consume(n);
            self.offset += n as u64;
        }
        String::from_utf8(bytes).map_err(|error| {
            let offset = Some(error.utf8_error().valid_up_to() as u64);
            ReadError { file: self.file.clone(), offset, problem: Problem::Syntax { want: "UTF-8 text" } }
        })
    }

    /// The rest as a stream, for a parser that keeps its own place.
    pub(crate) fn stream(&mut self) -> &mut (dyn BufRead + 'a) {
        &mut *self.source
    }
}

/// Whether a regular file is there.
pub(crate) fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file())
}

/// Writes a file whole: a reader sees the old bytes or the new ones, never a part.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ReadError> {
    let fail = |error| ReadError { file: path.display().to_string(), offset: None, problem: Problem::Io(error) };
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let written = fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // The first error is the one worth telling.
        let _ = fs::remove_file(&part);
    }
    written.map_err(fail)
}
