//! Plain Rust: a comparison of a block without a branch, which becomes vector code, then one key at a time.
//!
//! Nothing can overflow: a block has fewer keys than a `usize` counts.
use super::{super::neighbor::pack, Block};

/// Keys compared together.
const STEP: usize = 32;

/// As [`super::Loops::compact`].
///
/// # Safety
/// As [`super::Loops::compact`].
pub(super) unsafe fn compact(block: &Block, out: *mut u64) -> usize {
    let mut passed = 0;
    let mut start = 0;
    // SAFETY: the caller's duty.
    let keys = unsafe { std::slice::from_raw_parts(block.keys, block.count) };
    for chunk in keys.chunks(STEP) {
        let hits = chunk.iter().fold(0u32, |hits, key| hits + u32::from(*key <= block.bound));
        if hits > 0 {
            // SAFETY: the span is within the block, and no more passed than keys lie before it.
            passed = unsafe { span(block, start, start + chunk.len(), out, passed) };
        }
        start += chunk.len();
    }
    passed
}

/// Appends what passes of the keys from `start` to `end` to the `passed` there are, and returns how many there are
/// then.
///
/// # Safety
/// `end` is not above the count, `passed` not above `start`, and `out` has room for the count.
#[inline(always)]
pub(super) unsafe fn span(block: &Block, start: usize, end: usize, out: *mut u64, mut passed: usize) -> usize {
    for i in start..end {
        // SAFETY: `i` is below the count, and `passed` is not above `i`.
        unsafe {
            let key = *block.keys.add(i);
            // Always written, and counted if it passed: no branch to guess wrong.
            *out.add(passed) = pack(key, block.id(i));
            passed += usize::from((key >= block.lower) & (key <= block.bound) & block.keeps(i));
        }
    }
    passed
}

/// As [`super::Loops::argmin`].
///
/// # Safety
/// As [`super::Loops::argmin`].
pub(super) unsafe fn argmin(keys: *const f32, count: usize) -> usize {
    // SAFETY: the caller's duty.
    let keys = unsafe { std::slice::from_raw_parts(keys, count) };
    // Lanes that do not wait for each other; a comparison with NaN keeps what there was.
    let (chunks, rest) = keys.as_chunks::<8>();
    let mut lanes = [f32::INFINITY; 8];
    for chunk in chunks {
        for (lane, key) in lanes.iter_mut().zip(chunk) {
            *lane = if *key < *lane { *key } else { *lane };
        }
    }
    let least = lanes.iter().chain(rest).fold(f32::INFINITY, |least, key| if *key < least { *key } else { least });
    if least == f32::INFINITY {
        return count;
    }
    for (step, chunk) in keys.chunks(STEP).enumerate() {
        if chunk.iter().fold(0u32, |hits, key| hits + u32::from(*key == least)) > 0 {
            return step * STEP + chunk.iter().position(|key| *key == least).unwrap_or(0);
        }
    }
    count
}
