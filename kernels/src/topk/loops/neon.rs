//! NEON: sixteen keys against the bound at a time; what passes is taken one by one, as there is no compression.
//!
//! | instruction | Cortex-A72 | Neoverse N1, V1 | Apple M1 |
//! |---|---|---|---|
//! | `fcmge v.4s` | 1 per cycle | 2 per cycle (V1: 4) | 4 per cycle |
//! | `ldr q` | 1 per cycle | 2 per cycle (V1: 3) | 3 per cycle |
//! | `umaxv s, v.4s` | 6 cycles | 3 to 5 cycles | 3 cycles |
//!
//! Sixteen keys of which none passes are four loads, eight comparisons, seven unions, one maximum and a test: 4 cycles
//! for the comparisons on Neoverse N1. Nothing can overflow: places are below 2^31.
use std::arch::aarch64::*;

use super::{Block, scalar};

/// As [`super::Loops::compact`].
///
/// # Safety
/// NEON is available; else as [`super::Loops::compact`].
#[target_feature(enable = "neon")]
pub(super) unsafe fn compact(block: &Block, out: *mut u64) -> usize {
    let (lower, bound) = (vdupq_n_f32(block.lower), vdupq_n_f32(block.bound));
    let mut passed = 0;
    let mut start = 0;
    while start + 16 <= block.count {
        // SAFETY: sixteen keys are left.
        let hits = unsafe {
            let from = block.keys.add(start);
            let low = vorrq_u32(within(vld1q_f32(from), lower, bound), within(vld1q_f32(from.add(4)), lower, bound));
            let high =
                vorrq_u32(within(vld1q_f32(from.add(8)), lower, bound), within(vld1q_f32(from.add(12)), lower, bound));
            vmaxvq_u32(vorrq_u32(low, high))
        };
        if hits != 0 {
            // SAFETY: within the block; no more passed than keys lie before.
            passed = unsafe { scalar::span(block, start, start + 16, out, passed) };
        }
        start += 16;
    }
    // SAFETY: as above.
    unsafe { scalar::span(block, start, block.count, out, passed) }
}

/// Which keys pass. A comparison with NaN fails.
#[inline]
#[target_feature(enable = "neon")]
fn within(keys: float32x4_t, lower: float32x4_t, bound: float32x4_t) -> uint32x4_t {
    vandq_u32(vcleq_f32(keys, bound), vcgeq_f32(keys, lower))
}

/// As [`super::Loops::argmin`]: each lane keeps its least key and the place it came from, in two sets that do not wait
/// for each other.
///
/// # Safety
/// NEON is available; else as [`super::Loops::argmin`].
#[target_feature(enable = "neon")]
pub(super) unsafe fn argmin(keys: *const f32, count: usize) -> usize {
    const LANES: [u32; 4] = [0, 1, 2, 3];
    // SAFETY: four values are readable.
    let mut here = unsafe { vld1q_u32(LANES.as_ptr()) };
    let none = vdupq_n_u32(count as u32);
    let (mut low, mut high) = (vdupq_n_f32(f32::INFINITY), vdupq_n_f32(f32::INFINITY));
    let (mut low_at, mut high_at) = (none, none);
    let mut start = 0;
    while start + 8 <= count {
        // SAFETY: eight keys are left.
        let (a, b) = unsafe { (vld1q_f32(keys.add(start)), vld1q_f32(keys.add(start + 4))) };
        // A comparison with NaN fails, and keeps what there was.
        let less = vcltq_f32(a, low);
        low_at = vbslq_u32(less, here, low_at);
        low = vbslq_f32(less, a, low);
        let less = vcltq_f32(b, high);
        high_at = vbslq_u32(less, vaddq_u32(here, vdupq_n_u32(4)), high_at);
        high = vbslq_f32(less, b, high);
        here = vaddq_u32(here, vdupq_n_u32(8));
        start += 8;
    }
    let mut least = vminvq_f32(vminq_f32(low, high));
    let all = vdupq_n_f32(least);
    // Places of the least in each set. An infinite least was never below infinity, and so has no place.
    let low_at = vbslq_u32(vceqq_f32(low, all), low_at, none);
    let high_at = vbslq_u32(vceqq_f32(high, all), high_at, none);
    let mut place = vminvq_u32(vminq_u32(low_at, high_at)) as usize;
    for i in start..count {
        // SAFETY: `i` is below the count.
        let key = unsafe { *keys.add(i) };
        if key < least {
            (least, place) = (key, i);
        }
    }
    place
}
