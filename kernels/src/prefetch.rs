//! Asking for memory before it is needed: hints, which change no result.

/// Rows asked for ahead of those being computed. Measured on Zen 5 over rows far larger than the caches: 8 beats 4 by a
/// tenth where rows are short, and makes no difference where they are long.
pub(crate) const AHEAD: usize = 8;

const LINE_BYTES: usize = 64;

/// Lines of a row asked for at most; the hardware's own prefetcher has found the stream by then. Measured as above: 4
/// to 8 are best for long rows, and asking for every line of 768 or 1536 `f32` costs half as much again.
const LINES_MAX: usize = 8;

/// Asks for the first lines of the `dim` values at `row`, which need not be readable.
#[inline(always)]
pub(crate) fn row<E>(row: *const E, dim: usize) {
    let bytes = (dim * size_of::<E>()).min(LINES_MAX * LINE_BYTES);
    let mut offset = 0;
    while offset < bytes {
        line(row.cast::<u8>().wrapping_add(offset));
        offset += LINE_BYTES;
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE belongs to the architecture, and a prefetch of any address is harmless.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn line(address: *const u8) {
    // SAFETY: a prefetch of any address is harmless; it writes no register and no memory.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn line(_address: *const u8) {}
