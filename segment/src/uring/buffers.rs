//! Memory into which the system reads: slots of whole pages, at the beginning of pages.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;

use elanus_index::read_at::PAGE;

/// Slots of one size in one piece of memory.
///
/// Bytes of a slot are reached by pointer alone, so that no reference to one slot covers another, into which the
/// system may be writing.
pub(super) struct Buffers {
    base: NonNull<u8>,
    layout: Layout,
    size: usize,
    is_leaked: bool,
}

// SAFETY: the memory is owned, and reached through `&self` only by functions whose callers answer for it.
unsafe impl Send for Buffers {}

impl Buffers {
    /// `count` slots of `size` bytes, zeros at first; neither is 0.
    pub(super) fn new(count: usize, size: usize) -> io::Result<Self> {
        let bytes = count.checked_mul(size).filter(|bytes| *bytes > 0);
        let layout = bytes.and_then(|bytes| Layout::from_size_align(bytes, PAGE).ok());
        let layout = layout.ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the layout's size is not 0.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, layout, size, is_leaked: false })
    }

    /// Bytes of a slot.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Where a slot begins.
    pub(super) fn of(&self, slot: usize) -> *mut u8 {
        assert!((slot + 1) * self.size <= self.layout.size(), "a slot that there is");
        // SAFETY: the slot lies within the memory.
        unsafe { self.base.as_ptr().add(slot * self.size) }
    }

    /// The first bytes of a slot.
    ///
    /// # Safety
    /// Nobody writes to the slot while the bytes are borrowed.
    pub(super) unsafe fn bytes(&self, slot: usize, len: usize) -> &[u8] {
        assert!(len <= self.size, "no more bytes than a slot has");
        // SAFETY: they lie within the slot and were written, with zeros at least; the rest is the caller's duty.
        unsafe { std::slice::from_raw_parts(self.of(slot), len) }
    }

    /// The first bytes of a slot, to be written.
    ///
    /// # Safety
    /// Nobody else writes to the slot, or reads it, while the bytes are borrowed.
    pub(super) unsafe fn bytes_mut(&mut self, slot: usize, len: usize) -> &mut [u8] {
        assert!(len <= self.size, "no more bytes than a slot has");
        // SAFETY: as for `bytes`.
        unsafe { std::slice::from_raw_parts_mut(self.of(slot), len) }
    }

    /// Leaves the memory to whoever may still write to it, for good.
    pub(super) fn leak(&mut self) {
        self.is_leaked = true;
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if !self.is_leaked {
            // SAFETY: it was allocated with this layout and is freed once.
            unsafe { dealloc(self.base.as_ptr(), self.layout) }
        }
    }
}
