//! Asking for memory before it is needed: hints, which change no result.
use std::cell::Cell;

/// Rows asked for ahead of those being computed. Measured on Zen 5 over rows far larger than the caches: where rows are
/// short (256 to 512 bytes), 24 take a fifth to a third less time than 8; where they are long it makes no difference.
pub(crate) const AHEAD: usize = 24;

/// Bytes of a cache line.
pub(crate) const LINE_BYTES: usize = 64;

/// Lines of a row asked for at most; the hardware's own prefetcher has found the stream by then. Measured as above: 8
/// are best or within a hundredth of it, and asking for every line of 768 or 1536 `f32` costs a quarter to two thirds
/// more.
const LINES_MAX: usize = 8;

/// Asks for the first lines of the `dim` values at `row`, which need not be readable.
#[inline]
pub(crate) fn row<E>(row: *const E, dim: usize) {
    bytes(row.cast(), dim * size_of::<E>());
}

/// Asks for the first lines of the rows that `ids` names in a matrix of `row_bytes` each that begins at `base`, which
/// need not be readable. One function for all types and sets: it is called once for a block of rows.
///
/// # Safety
/// `ids` has `count` readable values.
#[inline(never)]
pub(crate) unsafe fn rows(base: *const u8, row_bytes: usize, ids: *const u32, count: usize) {
    for i in 0..count {
        // SAFETY: the caller's duty.
        let id = unsafe { *ids.add(i) } as usize;
        bytes(base.wrapping_add(id * row_bytes), row_bytes);
    }
}

/// Asks for the first lines of `count` bytes.
#[inline]
fn bytes(from: *const u8, count: usize) {
    let mut offset = 0;
    while offset < count.min(LINES_MAX * LINE_BYTES) {
        line(from.wrapping_add(offset));
        offset += LINE_BYTES;
    }
}

/// Asks for every line of `count` bytes, which need not be readable.
#[inline(always)]
pub(crate) fn lines(from: *const u8, count: usize) {
    let mut offset = 0;
    while offset < count {
        line(from.wrapping_add(offset));
        offset += LINE_BYTES;
    }
}

/// A run of more bytes than this comes from beyond the second-level cache.
const STREAM_BYTES: usize = 1 << 20;

/// Calls that begin so many bytes after the last one ended continue its run: what is between was filtered out.
const GAP_BYTES: usize = 256 << 10;

thread_local! {
    /// Where the last run of rows ended, and how many bytes it had.
    static RUN: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Whether a call over `bytes` consecutive bytes at `base` belongs to a run through memory. A scan calls for a few
/// hundred rows at a time, of which each call might be in the cache; so the run of calls before counts, each of which
/// began where the last one ended. Several queries over the same rows make no run, and find them in the cache.
#[inline(never)]
pub(crate) fn is_stream(base: *const u8, bytes: usize) -> bool {
    RUN.with(|run| {
        let (end, before) = run.get();
        let before = if base.addr().wrapping_sub(end) <= GAP_BYTES { before } else { 0 };
        let bytes_so_far = before.saturating_add(bytes);
        run.set((base.addr().saturating_add(bytes), bytes_so_far));
        bytes_so_far > STREAM_BYTES
    })
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE belongs to the architecture, and a prefetch of any address is harmless.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) fn line(address: *const u8) {
    // SAFETY: a prefetch of any address is harmless; it writes no register and no memory.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub(crate) fn line(_address: *const u8) {}

#[cfg(test)]
mod tests {
    use super::{GAP_BYTES, STREAM_BYTES, is_stream};

    #[test]
    fn calls_that_follow_one_another_become_a_stream() {
        let base = std::ptr::without_provenance::<u8>(1 << 30);
        let part = STREAM_BYTES / 4;
        let streams: Vec<bool> = (0..6).map(|i| is_stream(base.wrapping_add(i * part), part)).collect();
        assert_eq!(streams, [false, false, false, false, true, true]);
        // A gap of filtered rows, and then the same rows once more.
        assert!(is_stream(base.wrapping_add(6 * part + GAP_BYTES), part));
        assert!(!is_stream(base.wrapping_add(6 * part + GAP_BYTES), part));
        assert!(!is_stream(base.wrapping_add(8 * part + 2 * GAP_BYTES + 1), part), "too far ahead");
        assert!(is_stream(base, STREAM_BYTES + 1));
        assert!(is_stream(base.wrapping_add(64), usize::MAX));
        assert!(!is_stream(base, part));
    }
}
