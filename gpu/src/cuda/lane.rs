//! A stream with memory of its own on both sides: what one call works in.
//!
//! Copies run from and to pinned memory while the program goes on. What makes this safe is that the lane alone touches
//! that memory, and waits where a copy could still be under way: before it writes where one reads from, and before it
//! shows where one writes to.
#[cfg(test)]
mod tests;

use std::sync::Arc;

use elanus_kernels::backend::BackendError;

use super::args::Args;
use super::device::{Device, Memory, Pinned};
use super::driver::{Lines, StreamId};
use super::programs::Program;

/// Where parts of an arena begin on the device; all are multiples of this.
const ALIGN: u64 = 256;

/// A stream and its memory.
#[derive(Debug)]
pub(super) struct Lane {
    stream: StreamId,
    arena: Option<Memory>,
    /// Two halves that are written in turn while copies run from the other.
    outgoing: Pinned,
    half: usize,
    used: usize,
    /// Whether copies from each half may be under way.
    sending: [bool; 2],
    incoming: Pinned,
    arrived: usize,
    /// Whether anything at all may be under way.
    busy: bool,
    device: Arc<Device>,
}

/// Bytes that were asked for from the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arriving {
    at: usize,
    bytes: usize,
}

/// Divides an arena.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Plan {
    bytes: u64,
}

impl Plan {
    /// Room for `count` things of `size` bytes; returns where it begins.
    pub(super) fn room(&mut self, count: usize, size: usize) -> u64 {
        let at = self.bytes;
        let bytes = (count as u64).saturating_mul(size as u64);
        self.bytes = at.saturating_add(bytes).checked_next_multiple_of(ALIGN).unwrap_or(u64::MAX);
        at
    }

    /// Bytes in all.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Lane {
    pub(super) fn new(device: &Arc<Device>, staging_bytes: usize) -> Result<Self, BackendError> {
        let (outgoing, incoming) = (Pinned::new(device, staging_bytes)?, Pinned::new(device, staging_bytes)?);
        // Last, so that no stream is left open when there is no memory.
        let stream = device.ask(|driver| driver.open_stream())?;
        Ok(Self {
            stream,
            arena: None,
            outgoing,
            half: 0,
            used: 0,
            sending: [false; 2],
            incoming,
            arrived: 0,
            busy: false,
            device: Arc::clone(device),
        })
    }

    /// Bytes that may be on their way back at a time.
    pub(super) fn incoming_bytes(&self) -> usize {
        self.incoming.len()
    }

    /// The address of memory for a plan. What was in the arena before is gone.
    pub(super) fn arena(&mut self, plan: &Plan) -> Result<u64, BackendError> {
        if let Some(arena) = self.arena.as_ref().filter(|arena| arena.bytes() >= plan.bytes()) {
            return Ok(arena.address());
        }
        self.synchronise()?;
        // The old one goes first: there may not be room for both.
        self.arena = None;
        let bytes = plan.bytes().checked_next_power_of_two().unwrap_or(plan.bytes());
        let arena = self.arena.insert(Memory::new(&self.device, bytes)?);
        Ok(arena.address())
    }

    /// Copies `bytes` bytes to the device. `write` is called for pieces of them in order, with a buffer to fill and where
    /// in the whole it begins.
    pub(super) fn send(
        &mut self,
        to: u64,
        bytes: usize,
        mut write: impl FnMut(&mut [u8], usize),
    ) -> Result<(), BackendError> {
        let most = self.outgoing.len() / 2;
        let mut at = 0;
        while at < bytes {
            let piece = most.min(bytes - at);
            let start = self.outgoing_room(piece)?;
            // SAFETY: the room lies within the pinned memory, no copy from it is under way, and `self` is borrowed.
            let room = unsafe { std::slice::from_raw_parts_mut(self.outgoing.as_ptr().add(start), piece) };
            write(room, at);
            // While this half was written a copy ran from the other one. It ends before the next begins, so that the
            // other half is free to be written while that runs.
            if piece == most && self.sending[1 - self.half] {
                self.synchronise()?;
            }
            (self.busy, self.sending[self.half]) = (true, true);
            let (stream, from) = (self.stream, self.outgoing.as_ptr().wrapping_add(start));
            // SAFETY: the callers' plans give `to` so many bytes; the room is pinned and is not written before the
            // stream was synchronised, as `sending` says.
            self.device.ask(|driver| unsafe { driver.send(stream, from, to + at as u64, piece) })?;
            at += piece;
        }
        Ok(())
    }

    /// Where `bytes` bytes, at most a half, may be written.
    fn outgoing_room(&mut self, bytes: usize) -> Result<usize, BackendError> {
        let half = self.outgoing.len() / 2;
        if self.used + bytes > half {
            if self.sending[1 - self.half] {
                self.synchronise()?;
            }
            (self.half, self.used) = (1 - self.half, 0);
        }
        let start = self.half * half + self.used;
        self.used += bytes;
        Ok(start)
    }

    /// Copies a slice to the device.
    pub(super) fn send_bytes(&mut self, to: u64, bytes: &[u8]) -> Result<(), BackendError> {
        self.send(to, bytes.len(), |room, at| room.copy_from_slice(&bytes[at..][..room.len()]))
    }

    /// Writes a word to so many places.
    pub(super) fn fill(&mut self, at: u64, word: u32, words: u64) -> Result<(), BackendError> {
        if words == 0 {
            return Ok(());
        }
        self.busy = true;
        let stream = self.stream;
        // SAFETY: the callers' plans give so many words there, at multiples of 4.
        self.device.ask(|driver| unsafe { driver.fill(stream, at, word, words) })
    }

    /// Starts a program.
    ///
    /// # Safety
    /// The arguments are those of the program, and the memory that they point to is that of the lane, or stays until
    /// the lane was synchronised or dropped.
    pub(super) unsafe fn launch<A: Args>(
        &mut self,
        program: Program,
        grid: [u32; 2],
        args: &A,
    ) -> Result<(), BackendError> {
        self.busy = true;
        let (stream, args) = (self.stream, bytemuck::bytes_of(args));
        // SAFETY: as the caller says.
        self.device.ask(|driver| unsafe { driver.launch(stream, program.number(), grid, args) })
    }

    /// Blocks of a program that run at the same time.
    pub(super) fn resident_blocks(&self, program: Program) -> Result<u32, BackendError> {
        Ok(self.device.ask(|driver| driver.resident_blocks(program.number()))?.max(1))
    }

    /// Forgets what arrived before.
    pub(super) fn clear_incoming(&mut self) -> Result<(), BackendError> {
        if self.arrived > 0 {
            self.synchronise()?;
        }
        self.arrived = 0;
        Ok(())
    }

    /// Asks for bytes from the device.
    ///
    /// # Panics
    /// When more than [`Lane::incoming_bytes`] are asked for without [`Lane::clear_incoming`]: callers plan for it.
    pub(super) fn receive(&mut self, lines: Lines) -> Result<Arriving, BackendError> {
        // What arrives is read as words of eight bytes.
        let (at, bytes) = (self.arrived.next_multiple_of(8), lines.bytes());
        assert!(bytes <= self.incoming.len().saturating_sub(at), "more was asked for than was planned");
        self.arrived = at + bytes;
        if bytes > 0 {
            self.busy = true;
            let (stream, to) = (self.stream, self.incoming.as_ptr().wrapping_add(at));
            // SAFETY: the callers' plans have these lines; the room was checked, and is shown by `arrived` alone,
            // after the stream was synchronised.
            self.device.ask(|driver| unsafe { driver.receive(stream, lines, to) })?;
        }
        Ok(Arriving { at, bytes })
    }

    /// What arrived.
    ///
    /// # Panics
    /// When it was not waited for.
    pub(super) fn arrived(&self, arriving: Arriving) -> &[u8] {
        assert!(!self.busy && arriving.at + arriving.bytes <= self.arrived, "what was asked for was waited for");
        // SAFETY: it lies within the pinned memory, all of which was written, and no copy is under way.
        unsafe { std::slice::from_raw_parts(self.incoming.as_ptr().add(arriving.at), arriving.bytes) }
    }

    /// Waits until nothing is under way.
    pub(super) fn synchronise(&mut self) -> Result<(), BackendError> {
        if self.busy {
            let stream = self.stream;
            self.device.ask(|driver| driver.synchronise(stream))?;
            (self.busy, self.sending) = (false, [false; 2]);
        }
        Ok(())
    }

    /// Gives the device up: what came from it cannot be.
    pub(super) fn lose(&self, reason: String) -> BackendError {
        self.device.lose(reason)
    }

    /// As [`Lane::synchronise`], at the end of a call. Where even waiting fails nobody knows when memory is free again,
    /// and the device has to be given up.
    pub(super) fn settle(&mut self) {
        if let Err(error) = self.synchronise() {
            self.device.lose(error.to_string());
        }
        (self.half, self.used, self.arrived) = (0, 0, 0);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.settle();
        let stream = self.stream;
        // SAFETY: it was opened in `new` and is closed only here. Where that fails it goes with the driver.
        let _ = self.device.ask(|driver| unsafe { driver.close_stream(stream) });
    }
}
