//! Files read by a few threads, where the system has no queue of reads, or does not permit its use.
//!
//! The threads belong to the reader and end with it. They only wait for the device: what was read is worked on by the
//! thread that asked.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use elanus_index::read_at::{Arrival, ReadAt, ReadQueue, check_read};
use parking_lot::{Condvar, Mutex};

use crate::DirFile;

/// Threads of a reader that was not told how many: as many reads as a drive needs to be busy, and more of them cost
/// more than they bring.
pub const THREADS: usize = 8;
/// Bytes of a thread's stack.
const STACK: usize = 128 << 10;

/// A file read by threads.
pub struct Pread {
    pool: Arc<Pool>,
    len: u64,
    threads: Vec<JoinHandle<()>>,
    /// Why not by something faster.
    why: Option<String>,
}

/// A file, and the reads of it that wait for a thread.
struct Pool {
    file: Box<dyn DirFile>,
    jobs: Mutex<Jobs>,
    wake: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    is_closed: bool,
}

struct Job {
    tag: u64,
    offset: u64,
    buffer: Vec<u8>,
    reply: Arc<Reply>,
}

/// The reads of one queue that are done.
#[derive(Default)]
struct Reply {
    done: Mutex<VecDeque<Done>>,
    wake: Condvar,
}

struct Done {
    tag: u64,
    buffer: Vec<u8>,
    result: io::Result<()>,
}

impl Pread {
    /// Reads a finished file with so many threads, of its own; without any, whoever waits for a read does it.
    ///
    /// # Errors
    /// When the file's length cannot be had, or a thread cannot be started.
    pub fn new(file: Box<dyn DirFile>, threads: usize) -> io::Result<Self> {
        let len = file.len()?;
        let pool = Arc::new(Pool { file, jobs: Mutex::default(), wake: Condvar::new() });
        let mut reader = Self { pool, len, threads: Vec::with_capacity(threads), why: None };
        for number in 0..threads {
            let pool = Arc::clone(&reader.pool);
            let thread = Builder::new().name(format!("pread-{number}")).stack_size(STACK).spawn(move || pool.work());
            // On an error the threads that were started end as the reader is dropped.
            reader.threads.push(thread?);
        }
        Ok(reader)
    }

    /// Says in [`ReadAt::describe`] why files are not read in a faster way.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }
}

impl Pool {
    /// Does reads until the reader ends and none waits.
    fn work(&self) {
        loop {
            let job = {
                let mut jobs = self.jobs.lock();
                loop {
                    if let Some(job) = jobs.waiting.pop_front() {
                        break job;
                    }
                    if jobs.is_closed {
                        return;
                    }
                    self.wake.wait(&mut jobs);
                }
            };
            self.answer(job);
        }
    }

    fn answer(&self, job: Job) {
        let Job { tag, offset, mut buffer, reply } = job;
        let result = self.file.read_at(offset, &mut buffer);
        reply.done.lock().push_back(Done { tag, buffer, result });
        reply.wake.notify_one();
    }
}

impl Drop for Pread {
    fn drop(&mut self) {
        self.pool.jobs.lock().is_closed = true;
        self.pool.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Pread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pread").field("file", &self.pool.file).field("threads", &self.threads.len()).finish()
    }
}

impl ReadAt for Pread {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.pool.file.read_at(offset, buffer)
    }

    fn queue(&self, depth: usize, bytes: usize) -> io::Result<Box<dyn ReadQueue>> {
        let depth = depth.max(1);
        Ok(Box::new(Waiting {
            pool: Arc::clone(&self.pool),
            reply: Arc::default(),
            depth,
            bytes,
            in_flight: 0,
            free: vec![Vec::new(); depth],
            lent: None,
            has_threads: !self.threads.is_empty(),
        }))
    }

    fn describe(&self) -> String {
        let why = self.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("pread on {} threads{why}", self.threads.len())
    }
}

/// The reads of one searcher.
struct Waiting {
    pool: Arc<Pool>,
    reply: Arc<Reply>,
    depth: usize,
    bytes: usize,
    in_flight: usize,
    /// Buffers of reads that are not in flight.
    free: Vec<Vec<u8>>,
    /// The read that was given back last.
    lent: Option<Done>,
    has_threads: bool,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("depth", &self.depth)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

impl Waiting {
    fn take(&self) -> Done {
        let mut done = self.reply.done.lock();
        loop {
            if let Some(done) = done.pop_front() {
                return done;
            }
            self.reply.wake.wait(&mut done);
        }
    }
}

impl ReadQueue for Waiting {
    fn depth(&self) -> usize {
        self.depth
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn submit(&mut self, tag: u64, offset: u64, len: usize) -> io::Result<()> {
        check_read(self, offset, len, self.bytes)?;
        self.free.extend(self.lent.take().map(|done| done.buffer));
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.resize(len, 0);
        let job = Job { tag, offset, buffer, reply: Arc::clone(&self.reply) };
        self.in_flight += 1;
        if !self.has_threads {
            self.pool.answer(job);
            return Ok(());
        }
        let mut jobs = self.pool.jobs.lock();
        if jobs.is_closed {
            self.in_flight -= 1;
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the reader is gone"));
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.pool.wake.notify_one();
        Ok(())
    }

    fn next(&mut self) -> Option<Arrival<'_>> {
        self.free.extend(self.lent.take().map(|done| done.buffer));
        if self.in_flight == 0 {
            return None;
        }
        let Done { tag, buffer, result } = self.take();
        self.in_flight -= 1;
        let lent = self.lent.insert(Done { tag, buffer, result: Ok(()) });
        Some(Arrival { tag, bytes: result.map(|()| &*lent.buffer) })
    }
}

#[cfg(test)]
mod tests;
