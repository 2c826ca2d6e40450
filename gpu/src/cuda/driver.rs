//! What the backend asks of a driver: memory, copies, streams and launches. All that is above is the same for a card
//! and for programs that are run on the host.
#[cfg(any(test, feature = "testing"))]
pub(super) mod emulated;
#[cfg(any(test, feature = "testing"))]
pub(super) mod faulty;
#[cfg(any(test, feature = "testing"))]
pub(super) mod plain;
pub(super) mod real;

use std::fmt::Debug;
use std::ptr::NonNull;

/// Why a driver did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The call was refused; others may succeed.
    Refused(String),
    /// There is no memory for it; later there may be.
    Memory(String),
    /// No call will succeed again.
    Lost(String),
}

impl Fault {
    /// What the driver said.
    pub(super) fn reason(self) -> String {
        let (Self::Refused(reason) | Self::Memory(reason) | Self::Lost(reason)) = self;
        reason
    }
}

/// What a device is.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Facts {
    /// What its maker calls it.
    pub(super) name: String,
    /// The driver and its version.
    pub(super) driver: String,
    /// All of its memory.
    pub(super) memory_bytes: u64,
    /// Its generation: the major and the minor number of what it can compute.
    pub(super) generation: (i32, i32),
    /// How many multiprocessors it has.
    pub(super) multiprocessors: u32,
}

/// An order of copies and launches, each of which begins when the one before has ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct StreamId(pub(super) usize);

/// A device and the way to it. Addresses are the device's; sizes are in bytes. Calls may come from all threads.
pub(super) trait Driver: Send + Sync + Debug {
    /// What the device is.
    fn facts(&self) -> &Facts;

    /// How much of its memory is free.
    fn free_bytes(&self) -> Result<u64, Fault>;

    /// Memory of the device, aligned to 256 bytes, holding anything.
    fn allocate(&self, bytes: u64) -> Result<u64, Fault>;

    /// Gives memory back.
    ///
    /// # Safety
    /// It is from [`Driver::allocate`], has not been given back, and no work that uses it is under way.
    unsafe fn free(&self, address: u64) -> Result<(), Fault>;

    /// Memory of the host that copies may run from and to while the program goes on; it holds zeros or anything else
    /// that was written there.
    fn pin(&self, bytes: usize) -> Result<NonNull<u8>, Fault>;

    /// Gives pinned memory back.
    ///
    /// # Safety
    /// As for [`Driver::free`], of [`Driver::pin`].
    unsafe fn unpin(&self, memory: NonNull<u8>) -> Result<(), Fault>;

    /// Begins a stream.
    fn open_stream(&self) -> Result<StreamId, Fault>;

    /// Ends a stream.
    ///
    /// # Safety
    /// It is from [`Driver::open_stream`] and has not been closed.
    unsafe fn close_stream(&self, stream: StreamId) -> Result<(), Fault>;

    /// Copies to the device.
    ///
    /// # Safety
    /// Both ends hold so many bytes, `from` is pinned, and until the stream is synchronised nothing writes to it.
    unsafe fn send(&self, stream: StreamId, from: *const u8, to: u64, bytes: usize) -> Result<(), Fault>;

    /// Copies `height` lines of `width` bytes from the device, where a line begins every `pitch` bytes, to the host,
    /// where they lie one after another.
    ///
    /// # Safety
    /// Both ends hold so many bytes, `to` is pinned, and until the stream is synchronised nothing looks at it.
    unsafe fn receive(&self, stream: StreamId, from: Lines, to: *mut u8) -> Result<(), Fault>;

    /// Writes a word to `words` places.
    ///
    /// # Safety
    /// So many words lie at `at`, which is a multiple of 4.
    unsafe fn fill(&self, stream: StreamId, at: u64, word: u32, words: u64) -> Result<(), Fault>;

    /// Runs the program of this number in [`elanus_shaders::cuda::ENTRIES`].
    ///
    /// # Safety
    /// The arguments are those of the program, and what they point to stays until the stream is synchronised.
    unsafe fn launch(&self, stream: StreamId, entry: usize, grid: [u32; 2], args: &[u8]) -> Result<(), Fault>;

    /// Waits until a stream has nothing more to do.
    fn synchronise(&self, stream: StreamId) -> Result<(), Fault>;

    /// Blocks of a program that the device runs at the same time; at least 1.
    fn resident_blocks(&self, entry: usize) -> Result<u32, Fault>;
}

/// Lines of bytes in a device's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lines {
    pub(super) from: u64,
    pub(super) pitch: u64,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Lines {
    /// One piece.
    pub(super) fn piece(from: u64, width: usize) -> Self {
        Self { from, pitch: width as u64, width, height: 1 }
    }

    /// Bytes in all.
    pub(super) fn bytes(&self) -> usize {
        self.width * self.height
    }
}
