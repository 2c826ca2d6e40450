//! A driver whose device is the host: memory is the host's, and programs are run by whoever is handed in.
//!
//! It is stricter than a card. Nothing of a stream happens before somebody waits for it, so that memory which is written
//! too early or read too soon shows; copies are checked against what was allocated; and memory that is given back while
//! work refers to it is an error.
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::fmt;
use std::ptr::NonNull;

use elanus_shaders::cuda::{ENTRIES, Entry};
use parking_lot::Mutex;

use super::{Driver, Facts, Fault, Lines, StreamId};

/// What addresses are multiples of.
const ALIGN: usize = 256;

/// What fresh memory holds: no number that a program could take for its own, and as `f32` a tiny one below 0.
const POISON: u8 = 0xA5;

/// Runs a program: its entry, the grid, the arguments (aligned to eight bytes), and what memory there is.
pub(in crate::cuda) type Run =
    Box<dyn Fn(&'static Entry, [u32; 2], &[u64], &dyn Fn(u64, u64) -> bool) -> Result<(), String> + Send + Sync>;

/// Memory by where it begins, with its bytes.
type Blocks = BTreeMap<u64, u64>;

/// Something that waits to be done.
#[derive(Debug)]
enum Work {
    Send { from: u64, to: u64, bytes: u64 },
    Receive { from: Lines, to: u64 },
    Fill { at: u64, word: u32, words: u64 },
    Launch { entry: usize, grid: [u32; 2], args: Vec<u64> },
}

impl Work {
    /// Whether it may look at memory in the block at `start`.
    fn touches(&self, start: u64, bytes: u64) -> bool {
        let within = |at: u64| (start..start + bytes).contains(&at);
        match self {
            Self::Send { from, to, .. } => within(*from) || within(*to),
            Self::Receive { from, to } => within(from.from) || within(*to),
            Self::Fill { at, .. } => within(*at),
            Self::Launch { args, .. } => args.iter().any(|word| within(*word)),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    memory: Blocks,
    pinned: Blocks,
    streams: BTreeMap<StreamId, Vec<Work>>,
    opened: usize,
}

/// The host as a device.
pub(in crate::cuda) struct Host {
    facts: Facts,
    run: Run,
    state: Mutex<State>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Whether so many bytes lie within one block.
fn holds(blocks: &Blocks, at: u64, bytes: u64) -> bool {
    let block = blocks.range(..=at).next_back();
    block.is_some_and(|(start, size)| at.checked_add(bytes).is_some_and(|end| end <= start + size))
}

fn layout(bytes: u64) -> Option<Layout> {
    Layout::from_size_align(usize::try_from(bytes).ok()?.max(1), ALIGN).ok()
}

/// A pointer to memory whose address was exposed.
fn pointer(address: u64) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

fn claim(blocks: &mut Blocks, bytes: u64) -> Option<NonNull<u8>> {
    let layout = layout(bytes)?;
    // SAFETY: the layout has at least one byte.
    let memory = NonNull::new(unsafe { alloc(layout) })?;
    // SAFETY: fresh memory of that size.
    unsafe { memory.as_ptr().write_bytes(POISON, layout.size()) };
    blocks.insert(memory.as_ptr().expose_provenance() as u64, layout.size() as u64);
    Some(memory)
}

/// Gives the block at `start` back.
fn release(blocks: &mut Blocks, start: u64) -> bool {
    let Some(layout) = blocks.remove(&start).and_then(layout) else { return false };
    // SAFETY: it was allocated by `claim` with this layout, and is in the list no more.
    unsafe { dealloc(pointer(start), layout) };
    true
}

impl Host {
    pub(in crate::cuda) fn new(memory_bytes: u64, run: Run) -> Self {
        let facts = Facts {
            name: "emulated".to_owned(),
            driver: "none".to_owned(),
            memory_bytes,
            generation: (8, 0),
            multiprocessors: 2,
        };
        Self { facts, run, state: Mutex::default() }
    }

    /// Notes work for later.
    fn later(&self, stream: StreamId, there: impl FnOnce(&State) -> bool, work: Work) -> Result<(), Fault> {
        let mut state = self.state.lock();
        if !there(&state) {
            return Err(Fault::Lost(format!("outside of memory: {work:?}")));
        }
        let Some(stream) = state.streams.get_mut(&stream) else { return Err(Fault::Lost("no such stream".to_owned())) };
        stream.push(work);
        Ok(())
    }

    fn idle(&self, start: u64, blocks: impl FnOnce(&State) -> &Blocks) -> Result<(), Fault> {
        let state = self.state.lock();
        let Some(bytes) = blocks(&state).get(&start) else {
            return Err(Fault::Lost(format!("nothing begins at {start}")));
        };
        match state.streams.values().flatten().find(|work| work.touches(start, *bytes)) {
            Some(work) => Err(Fault::Lost(format!("memory is given back before {work:?}"))),
            None => Ok(()),
        }
    }

    fn perform(&self, work: &Work) -> Result<(), Fault> {
        match work {
            Work::Send { from, to, bytes } => {
                // SAFETY: both ends were checked, and are not given back while this waits.
                unsafe { std::ptr::copy(pointer(*from), pointer(*to), *bytes as usize) };
            }
            Work::Receive { from, to } => {
                for line in 0..from.height {
                    let (at, to) = (from.from + line as u64 * from.pitch, *to + (line * from.width) as u64);
                    // SAFETY: as above.
                    unsafe { std::ptr::copy(pointer(at), pointer(to), from.width) };
                }
            }
            Work::Fill { at, word, words } => {
                for i in 0..*words {
                    // SAFETY: as above.
                    unsafe { pointer(at + i * 4).cast::<u32>().write(*word) };
                }
            }
            Work::Launch { entry, grid, args } => {
                let there = |at: u64, bytes: u64| holds(&self.state.lock().memory, at, bytes);
                let entry = &ENTRIES[*entry];
                (self.run)(entry, *grid, args, &there)
                    .map_err(|error| Fault::Lost(format!("{}: {error}", entry.name)))?;
            }
        }
        Ok(())
    }
}

impl Driver for Host {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn free_bytes(&self) -> Result<u64, Fault> {
        let used: u64 = self.state.lock().memory.values().sum();
        Ok(self.facts.memory_bytes.saturating_sub(used))
    }

    fn allocate(&self, bytes: u64) -> Result<u64, Fault> {
        let none = || Fault::Memory(format!("{bytes} bytes, where {} are all", self.facts.memory_bytes));
        let mut state = self.state.lock();
        let used: u64 = state.memory.values().sum();
        if used.checked_add(bytes).is_none_or(|bytes| bytes > self.facts.memory_bytes) {
            return Err(none());
        }
        claim(&mut state.memory, bytes).map(|memory| memory.as_ptr().expose_provenance() as u64).ok_or_else(none)
    }

    unsafe fn free(&self, address: u64) -> Result<(), Fault> {
        self.idle(address, |state| &state.memory)?;
        release(&mut self.state.lock().memory, address);
        Ok(())
    }

    fn pin(&self, bytes: usize) -> Result<NonNull<u8>, Fault> {
        let none = || Fault::Memory(format!("{bytes} bytes of pinned memory"));
        claim(&mut self.state.lock().pinned, bytes as u64).ok_or_else(none)
    }

    unsafe fn unpin(&self, memory: NonNull<u8>) -> Result<(), Fault> {
        let start = memory.as_ptr().expose_provenance() as u64;
        self.idle(start, |state| &state.pinned)?;
        release(&mut self.state.lock().pinned, start);
        Ok(())
    }

    fn open_stream(&self) -> Result<StreamId, Fault> {
        let mut state = self.state.lock();
        state.opened += 1;
        let stream = StreamId(state.opened);
        state.streams.insert(stream, Vec::new());
        Ok(stream)
    }

    unsafe fn close_stream(&self, stream: StreamId) -> Result<(), Fault> {
        match self.state.lock().streams.remove(&stream) {
            Some(work) if work.is_empty() => Ok(()),
            Some(_) => Err(Fault::Lost("a stream is closed before its work is done".to_owned())),
            None => Err(Fault::Lost("no such stream".to_owned())),
        }
    }

    unsafe fn send(&self, stream: StreamId, from: *const u8, to: u64, bytes: usize) -> Result<(), Fault> {
        let (from, bytes) = (from.expose_provenance() as u64, bytes as u64);
        let there = |state: &State| holds(&state.pinned, from, bytes) && holds(&state.memory, to, bytes);
        self.later(stream, there, Work::Send { from, to, bytes })
    }

    unsafe fn receive(&self, stream: StreamId, lines: Lines, to: *mut u8) -> Result<(), Fault> {
        let to = to.expose_provenance() as u64;
        let last = lines.height.saturating_sub(1) as u64 * lines.pitch + lines.width as u64;
        let there = |state: &State| {
            holds(&state.pinned, to, lines.bytes() as u64)
                && holds(&state.memory, lines.from, last)
                && lines.pitch >= lines.width as u64
        };
        self.later(stream, there, Work::Receive { from: lines, to })
    }

    unsafe fn fill(&self, stream: StreamId, at: u64, word: u32, words: u64) -> Result<(), Fault> {
        let there = |state: &State| at.is_multiple_of(4) && holds(&state.memory, at, words * 4);
        self.later(stream, there, Work::Fill { at, word, words })
    }

    unsafe fn launch(&self, stream: StreamId, entry: usize, grid: [u32; 2], args: &[u8]) -> Result<(), Fault> {
        let whole = |_: &State| entry < ENTRIES.len() && !grid.contains(&0) && grid[1] <= 65_535;
        let args = args.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect();
        self.later(stream, whole, Work::Launch { entry, grid, args })
    }

    fn synchronise(&self, stream: StreamId) -> Result<(), Fault> {
        let work = self.state.lock().streams.get_mut(&stream).map(std::mem::take);
        let work = work.ok_or_else(|| Fault::Lost("no such stream".to_owned()))?;
        work.iter().try_for_each(|work| self.perform(work))
    }

    fn resident_blocks(&self, _: usize) -> Result<u32, Fault> {
        Ok(4)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let mut state = std::mem::take(&mut *self.state.lock());
        let State { memory, pinned, .. } = &mut state;
        for blocks in [memory, pinned] {
            while let Some(start) = blocks.keys().next().copied() {
                release(blocks, start);
            }
        }
    }
}
