//! Asking for memory before it is needed: hints, which change no result.

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
#[inline(never)]
pub(crate) fn lines(from: *const u8, count: usize) {
    let mut offset = 0;
    while offset < count {
        line(from.wrapping_add(offset));
        offset += LINE_BYTES;
    }
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
