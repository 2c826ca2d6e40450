//! NEON with dot products: four products of bytes a lane in one instruction.
//!
//! | instruction | Neoverse N1 | Neoverse V1 | Apple M1 |
//! |---|---|---|---|
//! | `sdot v.4s` | 3 cycles (1 from sum to sum), 2 per cycle | 3 (1), 4 per cycle | 3, 4 per cycle |
//! | `and`, `ushr v.16b` | 1, 2 per cycle | 1, 4 (2) per cycle | 2, 4 per cycle |
//!
//! Codes of 8 bits are taken as `code - 128`, see `neon.rs`. The mixed `usdot` would spare that exclusive or, one of
//! three instructions, but asks for I8MM.
use std::arch::{aarch64::int8x16_t, aarch64::int32x4_t, asm};

use super::{
    driver::stamp,
    neon::{Dot, Neon},
};

pub(super) struct Sdot;

impl Dot for Sdot {
    #[inline(always)]
    unsafe fn dot(sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        let mut sums = sums;
        // SAFETY: the instruction set is the caller's duty; registers only.
        unsafe {
            asm!(
                "sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b",
                sums = inout(vreg) sums,
                a = in(vreg) a,
                b = in(vreg) b,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sums
    }
}

stamp! {
    Neon<Sdot>,
    ["neon", "dotprod"],
    rows: [8, 8, 4, 4],
    columns: [8, 8, 4, 4]
}
