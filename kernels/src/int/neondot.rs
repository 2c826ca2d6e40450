//! NEON with dot products: products of sixteen bytes, added by fours to four sums.
//!
//! | instruction | Neoverse N1 | Neoverse V2 |
//! |---|---|---|
//! | `sdot`, `udot` | 3 cycles, 2 per cycle | 3, 4 per cycle |
//! | `sabd`, `uabd` | 2, 2 per cycle | 2, 4 per cycle |
//!
//! One instruction for 16 bytes of a row, so the loads decide. Either sign is taken as it is. A lane takes four
//! products of at most `255 * 255`, so it reaches `2^31` no sooner than after 8,256 instructions, 132,096 bytes; a
//! chunk ends long before.
use std::{
    arch::{aarch64::*, asm},
    marker::PhantomData,
};

use super::{
    Byte,
    kit::{Kit, table},
    neon::{common, gaps, split},
};
use crate::element::U4;

/// The intrinsics of these instructions are not stable yet.
#[inline(always)]
unsafe fn signed(mut sum: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller's duty; registers only.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sum, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

#[inline(always)]
unsafe fn unsigned(mut sum: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller's duty; registers only.
    unsafe {
        asm!(
            "udot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sum, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// Bytes, signed or not.
#[derive(Debug)]
pub(crate) struct Bytes<E>(PhantomData<E>);

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

/// Two numbers of four bits in a byte.
#[derive(Debug)]
pub(crate) struct Nibbles;

impl Kit for Nibbles {
    common!(U4);
    type Query = [uint8x16_t; 2];

    #[inline(always)]
    unsafe fn query(units: uint8x16_t) -> [uint8x16_t; 2] {
        // SAFETY: the caller's duty.
        unsafe { split(units) }
    }

    #[inline(always)]
    unsafe fn cross(sum: int32x4_t, [low, high]: [uint8x16_t; 2], row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe {
            let [row_low, row_high] = split(row);
            unsigned(unsigned(sum, low, row_low), high, row_high)
        }
    }

    #[inline(always)]
    unsafe fn square(sum: int32x4_t, row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's duty.
        unsafe { Self::cross(sum, split(row), row) }
    }

    #[inline(always)]
    unsafe fn gap([sum, bias]: [int32x4_t; 2], a: uint8x16_t, b: uint8x16_t) -> [int32x4_t; 2] {
        // SAFETY: the caller's duty.
        unsafe {
            let ([a_low, a_high], [b_low, b_high]) = (split(a), split(b));
            let (low, high) = (vabdq_u8(a_low, b_low), vabdq_u8(a_high, b_high));
            [unsigned(unsigned(sum, low, low), high, high), bias]
        }
    }
}

table! {
    kit: Kit,
    features: ["neon", "dotprod"],
    wide: 8,
    rows: 4,
    in_turn: false,
    strip: crate::int::driver::strip::<K, 4>,
}
