//! Plain Rust, for any CPU: words of 64 bits. The oracle of the other sets.
#![allow(clippy::needless_range_loop, reason = "one loop over registers")]
use super::lanes::{Bits, SEGMENT_MAX, presence_table, table};

pub(super) struct Scalar;

impl Bits for Scalar {
    type Word = u64;
    const BYTES: usize = 8;
    const SEGMENT: usize = SEGMENT_MAX;

    #[inline(always)]
    unsafe fn zero() -> u64 {
        0
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> u64 {
        // SAFETY: the caller's duty.
        u64::from_le_bytes(unsafe { from.cast::<[u8; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const u8, count: usize) -> u64 {
        let mut word = 0;
        for i in 0..count {
            // SAFETY: `count` bytes are readable.
            word |= u64::from(unsafe { *from.add(i) }) << (8 * i);
        }
        word
    }

    #[inline(always)]
    unsafe fn and(a: u64, b: u64) -> u64 {
        a & b
    }

    #[inline(always)]
    unsafe fn or(a: u64, b: u64) -> u64 {
        a | b
    }

    #[inline(always)]
    unsafe fn xor(a: u64, b: u64) -> u64 {
        a ^ b
    }

    #[inline(always)]
    unsafe fn without(a: u64, b: u64) -> u64 {
        a & !b
    }

    #[inline(always)]
    unsafe fn any(word: u64) -> bool {
        word != 0
    }

    #[inline(always)]
    unsafe fn count(sum: u64, word: u64) -> u64 {
        sum + u64::from(word.count_ones())
    }

    /// The sum is of all lanes together.
    #[inline(always)]
    unsafe fn differ<const WIDTH: usize>(sum: u64, a: u64, b: u64) -> u64 {
        let highest = const {
            assert!(WIDTH.is_power_of_two() && WIDTH <= 8);
            (u64::MAX / (u64::MAX >> (64 - 8 * WIDTH))) << (8 * WIDTH - 1)
        };
        let bits = a ^ b;
        // A lane's highest bit is set if any other bit was, by the carry out of adding ones to them, or if it was
        // itself.
        let carried = (bits & !highest) + !highest;
        sum + u64::from(((carried | bits) & highest).count_ones())
    }

    #[inline(always)]
    unsafe fn settle<const LANE: usize>(sum: u64) -> u64 {
        sum
    }

    #[inline(always)]
    unsafe fn totals<const R: usize>(sums: [u64; R]) -> [u32; R] {
        let mut totals = [0; R];
        for row in 0..R {
            totals[row] = sums[row] as u32;
        }
        totals
    }
}

table! { isa: Scalar, features: [], rows: 4 }
presence_table! { isa: Scalar, features: [] }
