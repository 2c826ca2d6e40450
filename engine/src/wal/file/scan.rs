//! Reads the records of one log file in order and tells a torn tail from damage.

use std::io;

use elanus_segment::dir::DirFile;

use super::super::Lsn;
use super::super::record::{HEADER_BYTES, Header, lsn_of};

/// How much is read at a time, in bytes.
const CHUNK_BYTES: u64 = 256 << 10;

/// Walks over the records between two offsets of a file.
pub(super) struct Scanner<'a> {
    window: Window<'a>,
    salt: u32,
    /// Where the next record begins.
    pub(super) offset: u64,
    /// The number it must have.
    pub(super) next: Lsn,
    /// The first record of the group that the last record belonged to; 0 before the first one.
    group: Lsn,
}

/// What stands at the scanner's place.
pub(super) enum Step<'b> {
    /// A sound record, now passed.
    Record(Lsn, &'b [u8]),
    /// The end of the file; the number that the next record would have.
    End(Lsn),
    /// Bytes that are no sound record; the scanner stays before them.
    Bad(Bad),
}

/// Why bytes are no sound record.
pub(super) struct Bad {
    pub(super) what: String,
    /// Where a following record could begin; `None` if an unfinished write cannot be the reason.
    resume: Option<u64>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(file: &'a dyn DirFile, salt: u32, start: u64, end: u64, first: Lsn) -> Self {
        let window = Window { file, end, at: start, bytes: Vec::new() };
        Self { window, salt, offset: start, next: first, group: 0 }
    }

    /// Looks at the next record.
    pub(super) fn step(&mut self) -> io::Result<Step<'_>> {
        let left = self.window.end - self.offset;
        if left == 0 {
            return Ok(Step::End(self.next));
        }
        if left < HEADER_BYTES as u64 {
            return Ok(bad(format!("{left} bytes are too few for a record"), Some(self.window.end)));
        }
        let Some(header) = Header::decode(self.salt, &self.window.header(self.offset)?) else {
            return Ok(bad("the header of a record fails its checksum".to_owned(), Some(self.offset + 1)));
        };
        let follows = header.position == 0 || header.group() == self.group;
        if header.lsn != self.next || !follows {
            return Ok(bad(format!("record {} stands where record {} belongs", header.lsn, self.next), None));
        }
        // The length is covered by the header's checksum and by the file's length before anything is allocated.
        let end = self.offset + HEADER_BYTES as u64 + u64::from(header.len);
        if end > self.window.end {
            let what = format!("record {} of {} bytes passes the end of the file", header.lsn, header.len);
            return Ok(bad(what, Some(self.window.end)));
        }
        let payload = self.window.view(self.offset + HEADER_BYTES as u64, u64::from(header.len))?;
        if !header.matches(self.salt, payload) {
            return Ok(bad(format!("the payload of record {} fails its checksum", header.lsn), Some(end)));
        }
        self.offset = end;
        self.next = header.lsn + 1;
        self.group = header.group();
        Ok(Step::Record(header.lsn, payload))
    }

    /// Whether bytes that are no record may be what an unfinished append left: none of a later append follow them.
    pub(super) fn is_torn_tail(&mut self, bad: &Bad) -> io::Result<bool> {
        let Some(resume) = bad.resume else { return Ok(false) };
        let mut at = resume;
        while at + HEADER_BYTES as u64 <= self.window.end {
            let bytes = self.window.header(at)?;
            // Cheap test first: as many records as the bytes in between can hold, at the most.
            let ahead = lsn_of(&bytes).wrapping_sub(self.next);
            if ahead > 0 && ahead <= (at - self.offset) / HEADER_BYTES as u64 + 1 {
                let later = Header::decode(self.salt, &bytes).is_some_and(|header| header.group() > self.next);
                if later {
                    return Ok(false);
                }
            }
            at += 1;
        }
        Ok(true)
    }
}

fn bad<'b>(what: String, resume: Option<u64>) -> Step<'b> {
    Step::Bad(Bad { what, resume })
}

/// A part of a file held in memory, moved forward as it is asked for.
struct Window<'a> {
    file: &'a dyn DirFile,
    end: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes of a header; the caller has checked that they end before the end.
    fn header(&mut self, offset: u64) -> io::Result<[u8; HEADER_BYTES]> {
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(self.view(offset, HEADER_BYTES as u64)?);
        Ok(header)
    }

    /// `len` bytes from `offset`; the caller has checked that they end before the end.
    fn view(&mut self, offset: u64, len: u64) -> io::Result<&[u8]> {
        if offset < self.at || offset + len > self.at + self.bytes.len() as u64 {
            let fetch = len.max(CHUNK_BYTES).min(self.end - offset);
            let fetch = usize::try_from(fetch).map_err(|_too_long| io::ErrorKind::OutOfMemory)?;
            self.bytes.resize(fetch, 0);
            self.at = offset;
            if let Err(error) = self.file.read_at(offset, &mut self.bytes) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let start = (offset - self.at) as usize;
        Ok(&self.bytes[start..start + len as usize])
    }
}
