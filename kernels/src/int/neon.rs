//! NEON: products of bytes in 16 bits, added by twos to four sums.
//!
//! | instruction | Cortex-A72 | Neoverse N1 | Neoverse V2 |
//! |---|---|---|---|
//! | `smull`, `umull` | 4 cycles, 1 per cycle | 4, 1 per cycle | 3, 2 per cycle |
//! | `sadalp`, `uadalp` | 4, 1 per cycle | 4, 1 per cycle | 4, 2 per cycle |
//! | `sabd`, `uabd` | 3, 2 per cycle | 2, 2 per cycle | 2, 4 per cycle |
//!
//! Four instructions for 16 bytes of a row. A product of signed bytes is at most `128 * 128` and fits in 16 signed
//! bits, one of unsigned bytes in 16 unsigned ones, and the sum of two of four bits in either. A lane takes four
//! products of at most `255 * 255` from each register, so it reaches `2^31` no sooner than after 8,256 of them,
//! 132,096 bytes; a chunk ends long before.
use std::{arch::aarch64::*, marker::PhantomData};

use super::{
    Byte,
    kit::{Kit, table},
};
use crate::element::U4;

/// Loads units for [`Kit::load_last`], in front where the register would begin before the vector, else at its end.
///
/// # Safety
/// `count` is in `1..=16`, and `before` bytes in front of `from` are readable beside `count` from there.
#[inline(always)]
pub(super) unsafe fn last(from: *const u8, count: usize, before: usize) -> uint8x16_t {
    /// 16 bytes of zeros and then 16 of ones: from `count` on, a mask of the last `count` bytes.
    static LAST: [u8; 32] = {
        let mut mask = [0; 32];
        let mut i = 16;
        while i < 32 {
            mask[i] = 0xff;
            i += 1;
        }
        mask
    };
    // SAFETY: the caller's duty; the mask is read from an offset of at most 16.
    unsafe {
        if before + count >= 16 {
            return vandq_u8(vld1q_u8(from.sub(16 - count)), vld1q_u8(LAST.as_ptr().add(count)));
        }
        let mut bytes = [0; 16];
        from.copy_to_nonoverlapping(bytes.as_mut_ptr(), count);
        vld1q_u8(bytes.as_ptr())
    }
}

/// The low numbers, and the high ones.
#[inline(always)]
pub(super) unsafe fn split(units: uint8x16_t) -> [uint8x16_t; 2] {
    // SAFETY: the caller's duty.
    unsafe { [vandq_u8(units, vdupq_n_u8(0x0f)), vshrq_n_u8::<4>(units)] }
}

/// What every kit of this architecture says in the same words.
macro_rules! common {
    ($unit:ty) => {
        type Unit = $unit;
        type Bytes = uint8x16_t;
        type Sum = int32x4_t;
        const STEP: usize = 16;
        const BIASED: bool = false;
        const DIRECT: bool = true;
        const SHIFT: u32 = 0;

        #[inline(always)]
        unsafe fn zero() -> int32x4_t {
            // SAFETY: the caller's duty.
            unsafe { vdupq_n_s32(0) }
        }

        #[inline(always)]
        unsafe fn load(from: *const u8) -> uint8x16_t {
            // SAFETY: the caller's duty.
            unsafe { vld1q_u8(from) }
        }

        #[inline(always)]
        unsafe fn load_last(from: *const u8, count: usize, before: usize) -> uint8x16_t {
            // SAFETY: the caller's duty.
            unsafe { crate::int::neon::last(from, count, before) }
        }

        #[inline(always)]
        unsafe fn bias(sum: int32x4_t, _units: uint8x16_t) -> int32x4_t {
            sum
        }

        #[inline(always)]
        unsafe fn add(a: int32x4_t, b: int32x4_t) -> int32x4_t {
            // SAFETY: the caller's duty.
            unsafe { vaddq_s32(a, b) }
        }

        #[inline(always)]
        unsafe fn sub(a: int32x4_t, b: int32x4_t) -> int32x4_t {
            // SAFETY: the caller's duty.
            unsafe { vsubq_s32(a, b) }
        }

        #[inline(always)]
        unsafe fn totals(sums: &[int32x4_t], to: &mut [i32]) {
            let mut i = 0;
            // SAFETY: the caller's duty; four places follow `i`.
            unsafe {
                while i + 4 <= sums.len() {
                    let (low, high) = (vpaddq_s32(sums[i], sums[i + 1]), vpaddq_s32(sums[i + 2], sums[i + 3]));
                    vst1q_s32(to[i..i + 4].as_mut_ptr(), vpaddq_s32(low, high));
                    i += 4;
                }
                while i < sums.len() {
                    to[i] = vaddvq_s32(sums[i]);
                    i += 1;
                }
            }
        }
    };
}
pub(super) use common;

/// Bytes, signed or not.
#[derive(Debug)]
pub(crate) struct Bytes<E>(PhantomData<E>);

#[inline(always)]
unsafe fn signed(sum: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller's duty.
    unsafe {
        let (a, b) = (vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
        let sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
        vpadalq_s16(sum, vmull_high_s8(a, b))
    }
}

#[inline(always)]
unsafe fn unsigned(sum: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller's duty.
    unsafe {
        let sum = vreinterpretq_u32_s32(sum);
        let sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(a), vget_low_u8(b)));
        vreinterpretq_s32_u32(vpadalq_u16(sum, vmull_high_u8(a, b)))
    }
}

impl<E: Byte> Kit for Bytes<E> {
    common!(E);
    type Query = uint8x16_t;

    #[inline(always)]
    unsafe fn query(units: uint8x16_t) -> uint8x16_t {
        units
    }

    #[inline(always)]
    unsafe fn cross(sum: int32x4_t, query: uint8x16_t, row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { if E::SIGNED { signed(sum, query, row) } else { unsigned(sum, query, row) } }
    }

    #[inline(always)]
    unsafe fn square(sum: int32x4_t, row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { Self::cross(sum, row, row) }
    }

    #[inline(always)]
    unsafe fn gap([sum, bias]: [int32x4_t; 2], a: uint8x16_t, b: uint8x16_t) -> [int32x4_t; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let gap = gaps::<E>(a, b);
            [unsigned(sum, gap, gap), bias]
        }
    }
}

/// The magnitudes of the differences, which fit in unsigned bytes.
#[inline(always)]
pub(super) unsafe fn gaps<E: Byte>(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
    // SAFETY: the caller's duty.
    unsafe {
        if E::SIGNED {
            vreinterpretq_u8_s8(vabdq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b)))
        } else {
            vabdq_u8(a, b)
        }
    }
}

/// Two numbers of four bits in a byte.
#[derive(Debug)]
pub(crate) struct Nibbles;

/// Adds the products, low and high ones together before they are widened.
#[inline(always)]
unsafe fn products(sum: int32x4_t, [a_low, a_high]: [uint8x16_t; 2], [b_low, b_high]: [uint8x16_t; 2]) -> int32x4_t {
    // SAFETY: the caller's duty.
    unsafe {
        let first = vmull_u8(vget_low_u8(a_low), vget_low_u8(b_low));
        let first = vmlal_u8(first, vget_low_u8(a_high), vget_low_u8(b_high));
        let second = vmlal_high_u8(vmull_high_u8(a_low, b_low), a_high, b_high);
        vreinterpretq_s32_u32(vpadalq_u16(vpadalq_u16(vreinterpretq_u32_s32(sum), first), second))
    }
}

impl Kit for Nibbles {
    common!(U4);
    type Query = [uint8x16_t; 2];

    #[inline(always)]
    unsafe fn query(units: uint8x16_t) -> [uint8x16_t; 2] {
        // SAFETY: the caller's duty.
        unsafe { split(units) }
    }

    #[inline(always)]
    unsafe fn cross(sum: int32x4_t, query: [uint8x16_t; 2], row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { products(sum, query, split(row)) }
    }

    #[inline(always)]
    unsafe fn square(sum: int32x4_t, row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { products(sum, split(row), split(row)) }
    }

    #[inline(always)]
    unsafe fn gap([sum, bias]: [int32x4_t; 2], a: uint8x16_t, b: uint8x16_t) -> [int32x4_t; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let ([a_low, a_high], [b_low, b_high]) = (split(a), split(b));
            let gaps = [vabdq_u8(a_low, b_low), vabdq_u8(a_high, b_high)];
            [products(sum, gaps, gaps), bias]
        }
    }
}

table! {
    kit: Kit,
    features: ["neon"],
    wide: 4,
    rows: 4,
    in_turn: false,
    strip: crate::int::driver::strip::<K, 4>,
}
