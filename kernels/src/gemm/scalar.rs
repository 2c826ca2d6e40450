//! Plain Rust, for any CPU: tiles of 4 queries by 8 rows, in arrays that the compiler keeps in what registers there are
//! (eight of four lanes on x86-64). Nothing overflows before f32 itself does.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]
use super::{pack::stamp, tile::Simd};

const LANES: usize = 4;

#[derive(Debug)]
struct F32;

impl Simd for F32 {
    type F = [f32; LANES];
    type Sum = [f32; LANES];
    type Word = [f32; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn sum(value: i32) -> [f32; LANES] {
        [value as f32; LANES]
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> [f32; LANES] {
        // SAFETY: the caller's duty.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn step(mut sum: [f32; LANES], query: *const u32, rows: [f32; LANES]) -> [f32; LANES] {
        // SAFETY: the caller's duty.
        let query = unsafe { *query.cast::<f32>() };
        for i in 0..LANES {
            sum[i] += query * rows[i];
        }
        sum
    }

    #[inline(always)]
    unsafe fn floats(sum: [f32; LANES]) -> [f32; LANES] {
        sum
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; LANES] {
        // SAFETY: the caller's duty.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; LANES]) {
        // SAFETY: the caller's duty.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(value) }
    }

    #[inline(always)]
    unsafe fn mul(mut a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        for i in 0..LANES {
            a[i] *= b[i];
        }
        a
    }

    #[inline(always)]
    unsafe fn sub_mul(mut base: [f32; LANES], factor: *const f32, b: [f32; LANES]) -> [f32; LANES] {
        // SAFETY: the caller's duty.
        let factor = unsafe { *factor };
        for i in 0..LANES {
            base[i] -= factor * b[i];
        }
        base
    }

    #[inline(always)]
    unsafe fn at_most(value: [f32; LANES], limit: *const f32) -> u32 {
        // SAFETY: the caller's duty.
        let limit = unsafe { *limit };
        let mut mask = 0;
        for i in 0..LANES {
            mask |= u32::from(value[i] <= limit) << i;
        }
        mask
    }
}

stamp! {
    float: F32, Format::F32, 4 x 2, flip: 0,
    features: [],
}
