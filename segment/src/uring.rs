//! Files read through `io_uring`: many reads in flight by one thread, past the page cache where the file system allows.
//!
//! Each queue is a ring of its own, used by one thread at a time. A system may have no such rings, or, as containers
//! often do, not permit them; [`Uring::open`] then fails and says so, and [`Pread`](crate::pread::Pread) reads.

mod buffers;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use elanus_index::read_at::{Arrival, PAGE, ReadAt, ReadQueue, check_read};
use io_uring::{IoUring, opcode, types};

use self::buffers::Buffers;

/// The flag by which a file is read past the page cache; none where it is not known for the architecture.
const O_DIRECT: i32 = if cfg!(target_arch = "x86_64") {
    0x4000
} else if cfg!(target_arch = "aarch64") {
    0x1_0000
} else {
    0
};

/// A file read through rings.
#[derive(Debug)]
pub struct Uring {
    files: Arc<Files>,
    len: u64,
    is_direct: bool,
}

/// A file opened twice.
#[derive(Debug)]
struct Files {
    /// By which rings read.
    ring: File,
    /// For reads that are not of whole pages, and what is left of a read that came back short.
    plain: File,
}

impl Uring {
    /// Opens a finished file, and reads a page of it to see that it works.
    ///
    /// # Errors
    /// `NotFound` if there is none; otherwise when the system has no rings or does not permit them.
    #[allow(clippy::disallowed_methods, reason = "`FsDir` opens its files by this")]
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = |flags: i32| OpenOptions::new().read(true).custom_flags(flags).open(path);
        let plain = open(0)?;
        let len = plain.metadata()?.len();
        let direct = if O_DIRECT == 0 { None } else { open(O_DIRECT).ok() };
        if let Some(ring) = direct {
            let files = Arc::new(Files { ring, plain: plain.try_clone()? });
            let reader = Self { files, len, is_direct: true };
            if reader.works().is_ok() {
                return Ok(reader);
            }
        }
        let files = Arc::new(Files { ring: plain.try_clone()?, plain });
        let reader = Self { files, len, is_direct: false };
        reader.works()?;
        Ok(reader)
    }

    /// Whether a page can be read.
    fn works(&self) -> io::Result<()> {
        let mut queue = Ring::new(Arc::clone(&self.files), 1, PAGE)?;
        if self.len < PAGE as u64 {
            return Ok(());
        }
        queue.push(0, 0, PAGE)?;
        queue.wait().map_or(Ok(()), |(_, result)| result)
    }
}

impl ReadAt for Uring {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.files.plain.read_exact_at(buffer, offset)
    }

    fn queue(&self, depth: usize, bytes: usize) -> io::Result<Box<dyn ReadQueue>> {
        Ok(Box::new(Ring::new(Arc::clone(&self.files), depth.max(1), bytes)?))
    }

    fn describe(&self) -> String {
        if self.is_direct { "io_uring past the page cache" } else { "io_uring" }.to_owned()
    }
}

/// A read in flight.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    tag: u64,
    offset: u64,
    len: usize,
}

/// The reads of one searcher.
struct Ring {
    ring: IoUring,
    files: Arc<Files>,
    buffers: Buffers,
    slots: Vec<Slot>,
    free: Vec<usize>,
    in_flight: usize,
    /// Reads that the system has not been told of.
    pushed: usize,
    /// The slot whose bytes are lent.
    lent: Option<usize>,
    /// Whether the ring failed, with reads in flight that will never be told of.
    is_broken: bool,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("depth", &self.slots.len())
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

impl Ring {
    fn new(files: Arc<Files>, depth: usize, bytes: usize) -> io::Result<Self> {
        let entries = u32::try_from(depth).unwrap_or(u32::MAX).next_power_of_two();
        let ring = IoUring::new(entries)?;
        let buffers = Buffers::new(depth, bytes.next_multiple_of(PAGE).max(PAGE))?;
        let (slots, free) = (vec![Slot::default(); depth], (0..depth).rev().collect());
        Ok(Self { ring, files, buffers, slots, free, in_flight: 0, pushed: 0, lent: None, is_broken: false })
    }

    fn push(&mut self, tag: u64, offset: u64, len: usize) -> io::Result<()> {
        self.free.extend(self.lent.take());
        let Some(slot) = self.free.pop() else { return Err(io::ErrorKind::WouldBlock.into()) };
        self.slots[slot] = Slot { tag, offset, len };
        let fd = types::Fd(self.files.ring.as_raw_fd());
        let read = opcode::Read::new(fd, self.buffers.of(slot), len as u32).offset(offset);
        let entry = read.build().user_data(slot as u64);
        // SAFETY: the slot's buffer has at least `len` bytes (`check_read` holds `len` to the size of a slot), is lent to
        // nobody, and is neither moved nor freed before the read is done: `Drop` waits for it, or leaves the memory.
        // The file is open as long as `files` lives, which is as long as the ring.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        if pushed.is_err() {
            self.free.push(slot);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.in_flight += 1;
        self.pushed += 1;
        Ok(())
    }

    /// Tells the system of new reads and waits until one is done; gives its slot. `None` when none is in flight.
    fn wait(&mut self) -> Option<(usize, io::Result<()>)> {
        if self.in_flight == 0 {
            return None;
        }
        loop {
            if self.pushed == 0 {
                let done = self.ring.completion().next();
                if let Some(done) = done {
                    self.in_flight -= 1;
                    let slot = done.user_data() as usize;
                    return Some((slot, self.finish(slot, done.result())));
                }
            }
            let want = usize::from(self.ring.completion().is_empty());
            match self.ring.submit_and_wait(want) {
                Ok(told) => self.pushed = self.pushed.saturating_sub(told),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The system has no room for more completions until some are taken.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && want == 0 => self.pushed = 0,
                Err(error) => {
                    self.is_broken = true;
                    self.in_flight = 0;
                    return Some((0, Err(error)));
                }
            }
        }
    }

    /// What became of a read, given its result: a count of bytes, or minus an error's number.
    fn finish(&mut self, slot: usize, result: i32) -> io::Result<()> {
        let Slot { offset, len, .. } = self.slots[slot];
        let count = match usize::try_from(result) {
            Ok(count) => count,
            Err(_) => {
                let error = io::Error::from_raw_os_error(-result);
                if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) {
                    return Err(error);
                }
                0
            }
        };
        if count >= len {
            return Ok(());
        }
        // SAFETY: the read into the slot is done, and nobody has its bytes.
        let rest = unsafe { &mut self.buffers.bytes_mut(slot, len)[count..] };
        self.files.plain.read_exact_at(rest, offset + count as u64)
    }
}

impl ReadQueue for Ring {
    fn depth(&self) -> usize {
        self.slots.len()
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn submit(&mut self, tag: u64, offset: u64, len: usize) -> io::Result<()> {
        check_read(self, offset, len, self.buffers.size())?;
        if self.is_broken {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the ring failed before"));
        }
        self.push(tag, offset, len)
    }

    fn next(&mut self) -> Option<Arrival<'_>> {
        self.free.extend(self.lent.take());
        let (slot, result) = self.wait()?;
        if self.is_broken {
            return Some(Arrival { tag: self.slots[slot].tag, bytes: result.map(|()| &[][..]) });
        }
        self.lent = Some(slot);
        let Slot { tag, len, .. } = self.slots[slot];
        // SAFETY: the read into the slot is done, and no other begins there while the bytes are lent: `submit` and
        // `next`, which free the slot, borrow the ring as a whole.
        let bytes = unsafe { self.buffers.bytes(slot, len) };
        Some(Arrival { tag, bytes: result.map(|()| bytes) })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        while self.wait().is_some() {}
        if self.is_broken {
            // The system may still write there.
            self.buffers.leak();
        }
    }
}

#[cfg(test)]
mod tests;
