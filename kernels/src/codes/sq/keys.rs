//! From integer products and factors to keys: one loop over groups of sixteen rows, compiled for each register size.
//!
//! The operations are the same in each, none is fused, and so are the bits of the keys. Sixteen rows take a load of
//! products, one or three of factors, a conversion, five to seven operations and a store, with AVX-512 one instruction
//! each: where a product of 768 components takes 96, next to nothing, as long as nothing is cleared or copied on the
//! way, and nothing is loaded that was just stored in other pieces or across two lines. So products go through a buffer
//! of whole lines that is never cleared, and the factors of blocks are read where they are stored.
#![allow(clippy::needless_range_loop, reason = "one index into many arrays")]
use std::mem::MaybeUninit;

use super::SqRange;
#[cfg(target_arch = "x86_64")]
use super::avx512vnni;
use crate::{
    codes::dot::{BLOCK_ROWS, BlockJob, RowJob},
    isa::{Version, versions},
};

/// Bytes of one factor of sixteen rows.
pub(super) const FACTOR_BYTES: usize = 4 * BLOCK_ROWS;

/// Groups of sixteen rows whose products are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    /// How many.
    pub(super) groups: usize,
    /// For each row the product,
    pub(super) high: *const i32,
    /// for each row the product with the lower half of a wide query; else null.
    pub(super) low: *const i32,
    /// The factors of the first group as a block holds them: those of all sixteen rows, factor by factor.
    pub(super) factors: *const u8,
    /// From one group's factors to the next one's, in bytes.
    pub(super) stride: usize,
    /// Where the keys go.
    pub(super) keys: *mut f32,
    /// The grid of all rows, where there is one; else `min` and `step` stand before the square.
    pub(super) range: Option<SqRange>,
}

/// What the query contributes; see the formulas in [`super`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What a unit of the products with the (upper half of the) query stands for, and with the lower half.
    pub(super) high_scale: f32,
    pub(super) low_scale: f32,
    /// `h * (sum(v) - s * sum(q8))`.
    pub(super) middle: f32,
    /// `sum(v)`.
    pub(super) sum: f32,
    /// The key is `constant + square_weight * square + product_weight * <v, r^>`,
    pub(super) constant: f32,
    pub(super) square_weight: f32,
    pub(super) product_weight: f32,
    /// and for COSINE that over the root of the square, cut to -1 and 1.
    pub(super) cosine: bool,
}

/// Rows whose products are computed before their keys are, so that both are still in the first-level cache.
pub(super) const STRETCH: usize = 128;

/// Products of a stretch. They are not cleared, which would take as long as some short rows.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Products([MaybeUninit<i32>; STRETCH]);

impl Products {
    pub(super) const NONE: Self = Self([MaybeUninit::uninit(); STRETCH]);

    /// Room for [`STRETCH`] products.
    pub(super) fn as_mut_ptr(&mut self) -> *mut i32 {
        self.0.as_mut_ptr().cast()
    }

    /// Completes the last group of `count` products.
    pub(super) fn pad(&mut self, count: usize) {
        self.0[count..count.next_multiple_of(BLOCK_ROWS)].fill(MaybeUninit::new(0));
    }
}

/// The loop for an instruction set, which is available where this is at hand.
pub(super) type KeyLoop = unsafe fn(&Terms, &Job);

/// The loops, best first.
pub(super) static LOOPS: &[Version<KeyLoop>] = versions![
    x86 AVX512 => avx512,
    x86 AVX2 => avx2,
    any SCALAR => scalar,
];

/// Where the factors of groups of sixteen rows are, and where their keys go.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only AVX-512 VNNI has keys in one go"))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed {
    /// The factors of the first block or row.
    pub(super) factors: *const u8,
    /// From one block's or row's factors to the next one's, in bytes.
    pub(super) stride: usize,
    /// Where the keys go.
    pub(super) keys: *mut f32,
    /// The grid of all rows, where there is one.
    pub(super) range: Option<SqRange>,
}

/// From codes of one plane of 8 or 4 bits and a narrow query to keys in one go. The instruction set is available where
/// this is at hand, and the codes and queries are arranged for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub(super) blocks: unsafe fn(&BlockJob, &Terms, &Keyed),
    /// Of a multiple of sixteen rows.
    pub(super) rows: unsafe fn(&RowJob, &Terms, &Keyed),
}

/// Whatever the instruction set, if it has any; best first.
pub(super) static WHOLES: &[Version<Option<Whole>>] = versions![
    x86 AVX512VNNI => Some(Whole { blocks: avx512vnni::blocks, rows: avx512vnni::rows }),
    any SCALAR => None,
];

/// Sixteen factors.
///
/// # Safety
/// There are as many at `from`.
#[inline(always)]
unsafe fn factor(from: *const u8) -> [f32; BLOCK_ROWS] {
    // SAFETY: the caller's duty; bytes have no alignment.
    let bytes = unsafe { *from.cast::<[[u8; 4]; BLOCK_ROWS]>() };
    let mut factors = [0.0; BLOCK_ROWS];
    for i in 0..BLOCK_ROWS {
        factors[i] = f32::from_le_bytes(bytes[i]);
    }
    factors
}

/// # Safety
/// All that `job` names can be read, and the keys written.
#[inline(always)]
unsafe fn body(terms: &Terms, job: &Job) {
    for group in 0..job.groups {
        let first = group * BLOCK_ROWS;
        // SAFETY: the caller's duty.
        let (high, low, [min, step, square]) = unsafe {
            let high = *job.high.add(first).cast::<[i32; BLOCK_ROWS]>();
            let low = if job.low.is_null() { [0; BLOCK_ROWS] } else { *job.low.add(first).cast::<[i32; BLOCK_ROWS]>() };
            let from = job.factors.add(group * job.stride);
            let factors = match job.range {
                Some(range) => [[range.min; BLOCK_ROWS], [range.step; BLOCK_ROWS], factor(from)],
                None => [factor(from), factor(from.add(FACTOR_BYTES)), factor(from.add(2 * FACTOR_BYTES))],
            };
            (high, low, factors)
        };
        let mut keys = [0.0; BLOCK_ROWS];
        for i in 0..BLOCK_ROWS {
            let product = terms.high_scale * high[i] as f32 + terms.low_scale * low[i] as f32;
            let inner = min[i] * terms.sum + step[i] * (product + terms.middle);
            keys[i] = terms.constant + terms.square_weight * square[i] + terms.product_weight * inner;
        }
        if terms.cosine {
            for i in 0..BLOCK_ROWS {
                let cosine = (keys[i] / square[i].sqrt()).clamp(-1.0, 1.0);
                keys[i] = if square[i] > 0.0 { cosine } else { 0.0 };
            }
        }
        // SAFETY: the caller's duty.
        unsafe { job.keys.add(first).cast::<[f32; BLOCK_ROWS]>().write(keys) };
    }
}

/// # Safety
/// As for [`body`].
unsafe fn scalar(terms: &Terms, job: &Job) {
    // SAFETY: the caller's duty.
    unsafe { body(terms, job) }
}

/// # Safety
/// As for [`body`], and AVX2 is available.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(terms: &Terms, job: &Job) {
    // SAFETY: the caller's duty.
    unsafe { body(terms, job) }
}

/// # Safety
/// As for [`body`], and AVX-512 F, BW, VL and DQ are available.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn avx512(terms: &Terms, job: &Job) {
    // SAFETY: the caller's duty.
    unsafe { body(terms, job) }
}
