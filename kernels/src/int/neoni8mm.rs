//! NEON with byte matrix products: the dot products' loops, and tiles of two rows by two.
//!
//! | instruction | Neoverse V1 | Neoverse V2 |
//! |---|---|---|
//! | `smmla`, `ummla` | 3 cycles, 2 per cycle | 3, 4 per cycle |
//! | `zip1`, `zip2` | 2, 2 per cycle | 2, 4 per cycle |
//!
//! An instruction multiplies eight bytes of two queries with eight of two rows: twice the products of a dot product,
//! after a zip of each operand that four queries and four rows share. A lane takes eight products of at most `255 *
//! 255`, so it reaches `2^31` no sooner than after 4,128 instructions, 33,024 bytes; a chunk of 32,768 ends before.
use std::arch::{aarch64::*, asm};

pub(crate) use super::neondot::{Bytes, Nibbles};
use super::{
    Int,
    kit::{Kit, table},
    neon::split,
};

/// `sum + a * b`, of two rows of eight by two columns of eight; signed or unsigned.
#[inline(always)]
unsafe fn product<E: Int>(mut sum: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller's duty; registers only.
    unsafe {
        if E::SIGNED {
            asm!(
                "smmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sum, in(vreg) a, in(vreg) b,
                options(pure, nomem, nostack, preserves_flags)
            );
        } else {
            asm!(
                "ummla {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sum, in(vreg) a, in(vreg) b,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
    }
    sum
}

/// Eight bytes of two vectors beside each other, the first eight and the last.
#[inline(always)]
unsafe fn zip(a: uint8x16_t, b: uint8x16_t) -> [uint8x16_t; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        let (a, b) = (vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b));
        [vreinterpretq_u8_u64(vzip1q_u64(a, b)), vreinterpretq_u8_u64(vzip2q_u64(a, b))]
    }
}

/// Sums of two queries with two rows, in the order of a matrix.
type Square = int32x4_t;

/// Adds the products of sixteen bytes of four queries and four rows.
#[inline(always)]
unsafe fn step<E: Int>(
    mut sums: [[Square; 2]; 2],
    queries: [uint8x16_t; 4],
    rows: [uint8x16_t; 4],
) -> [[Square; 2]; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        let queries = [zip(queries[0], queries[1]), zip(queries[2], queries[3])];
        let rows = [zip(rows[0], rows[1]), zip(rows[2], rows[3])];
        for i in 0..2 {
            for j in 0..2 {
                sums[i][j] = product::<E>(sums[i][j], queries[i][0], rows[j][0]);
                sums[i][j] = product::<E>(sums[i][j], queries[i][1], rows[j][1]);
            }
        }
    }
    sums
}

/// [`step`], of the low numbers and then of the high ones where a byte has two.
#[inline(always)]
unsafe fn add<E: Int>(mut sums: [[Square; 2]; 2], queries: [uint8x16_t; 4], rows: [uint8x16_t; 4]) -> [[Square; 2]; 2] {
    // SAFETY: the caller's duty.
    unsafe {
        if E::TYPE.components() == 1 {
            return step::<E>(sums, queries, rows);
        }
        let [a, b, c, d] = [split(queries[0]), split(queries[1]), split(queries[2]), split(queries[3])];
        let [w, x, y, z] = [split(rows[0]), split(rows[1]), split(rows[2]), split(rows[3])];
        for half in 0..2 {
            let (queries, rows) = ([a[half], b[half], c[half], d[half]], [w[half], x[half], y[half], z[half]]);
            sums = step::<E>(sums, queries, rows);
        }
    }
    sums
}

/// The sums of at most a chunk of units of four queries, `dim` units apart, with four rows.
///
/// # Safety
/// The instruction set is available, and there are `here` readable values of each query and row.
#[inline(always)]
unsafe fn matrix<K: Kit<Bytes = uint8x16_t>>(
    queries: *const u8,
    dim: usize,
    rows: [*const u8; 4],
    here: usize,
) -> [[i32; 4]; 4] {
    let mut totals = [[0; 4]; 4];
    // SAFETY: passed on to the caller; whole registers are loaded while they end by `here`, then the rest of one at
    // most, which has the `at` values before it.
    unsafe {
        let queries = [queries, queries.add(dim), queries.add(2 * dim), queries.add(3 * dim)];
        let mut sums = [[vdupq_n_s32(0); 2]; 2];
        let (mut query_units, mut row_units) = ([vdupq_n_u8(0); 4], [vdupq_n_u8(0); 4]);
        let mut at = 0;
        while at + K::STEP <= here {
            let mut i = 0;
            while i < 4 {
                (query_units[i], row_units[i]) = (K::load(queries[i].add(at)), K::load(rows[i].add(at)));
                i += 1;
            }
            sums = add::<K::Unit>(sums, query_units, row_units);
            at += K::STEP;
        }
        if at < here {
            let mut i = 0;
            while i < 4 {
                query_units[i] = K::load_last(queries[i].add(at), here - at, at);
                row_units[i] = K::load_last(rows[i].add(at), here - at, at);
                i += 1;
            }
            sums = add::<K::Unit>(sums, query_units, row_units);
        }
        let mut i = 0;
        while i < 16 {
            let mut lanes = [0; 4];
            vst1q_s32(lanes.as_mut_ptr(), sums[i / 8][i % 4 / 2]);
            totals[i / 4][i % 4] = lanes[i / 4 % 2 * 2 + i % 2];
            i += 1;
        }
    }
    totals
}

table! {
    kit: Kit<Bytes = uint8x16_t>,
    features: ["neon", "dotprod", "i8mm"],
    wide: 8,
    rows: 4,
    in_turn: false,
    strip: matrix::<K>,
}
