//! The register tile, written once for every instruction set and every format of the panels.
//!
//! A panel holds its vectors side by side, one 32-bit word of each after the other: one `f32`, two bf16 or four bytes.
//! So the three formats share layout, loop and register tile, and differ in one instruction. The sums stay in registers
//! over the whole dimension: a step of a 14 x 32 tile reads 128 bytes of rows and 56 bytes of queries for 28 vector
//! multiply-adds, which is less than a quarter of what the second-level cache delivers, so the dimension need not be
//! cut.
#![allow(clippy::needless_range_loop, reason = "plain loops keep lanes in registers")]

/// What a panel word holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// Four signed bytes with one scale for each vector.
    I8,
    /// Two bf16 numbers.
    Bf16,
    /// One binary32 number.
    F32,
}

impl Format {
    /// Components in a word.
    pub(super) const fn components(self) -> usize {
        match self {
            Self::I8 => 4,
            Self::Bf16 => 2,
            Self::F32 => 1,
        }
    }
}

/// Registers of lanes, and the one instruction in which the formats differ.
pub(super) trait Simd {
    /// A register of `f32` lanes.
    type F: Copy;
    /// A register of sums.
    type Sum: Copy;
    /// A register of row words.
    type Word: Copy;
    /// Lanes in a register.
    const LANES: usize;

    /// All lanes `value`.
    ///
    /// # Safety
    /// The instruction set is available, here and below.
    unsafe fn sum(value: i32) -> Self::Sum;
    /// Row words.
    ///
    /// # Safety
    /// `LANES` words are readable.
    unsafe fn words(from: *const u32) -> Self::Word;
    /// Adds the products of one query word with row words.
    ///
    /// # Safety
    /// One word is readable at `query`.
    unsafe fn step(sum: Self::Sum, query: *const u32, rows: Self::Word) -> Self::Sum;
    /// The sums as numbers.
    ///
    /// # Safety
    /// As above.
    unsafe fn floats(sum: Self::Sum) -> Self::F;
    /// Numbers.
    ///
    /// # Safety
    /// `LANES` numbers are readable.
    unsafe fn load(from: *const f32) -> Self::F;
    /// Writes numbers.
    ///
    /// # Safety
    /// `LANES` numbers are writable.
    unsafe fn store(to: *mut f32, value: Self::F);
    /// Lane by lane.
    ///
    /// # Safety
    /// As above.
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    /// `base - factor * b`, with one rounding or two; `factor` is broadcast.
    ///
    /// # Safety
    /// One number is readable at `factor`.
    unsafe fn sub_mul(base: Self::F, factor: *const f32, b: Self::F) -> Self::F;
    /// Bit `i` is set where lane `i` is at most the broadcast limit.
    ///
    /// # Safety
    /// One number is readable at `limit`.
    unsafe fn at_most(value: Self::F, limit: *const f32) -> u32;
}

/// A panel of queries, a panel of rows, and where the results go. All arrays have one entry for each vector of the
/// panel.
#[derive(Debug)]
pub(super) struct Args {
    pub(super) query_words: *const u32,
    pub(super) row_words: *const u32,
    /// Words of one vector.
    pub(super) steps: usize,
    /// What the sums of a query begin with (bytes only).
    pub(super) query_bias: *const i32,
    pub(super) query_scale: *const f32,
    /// Bound of the query's norm, which `row_error` is multiplied with.
    pub(super) query_norm: *const f32,
    /// Bound of the query's residual norm, which `row_norm` is multiplied with.
    pub(super) query_error: *const f32,
    /// A pair whose lower bound is above its query's limit is of no interest.
    pub(super) query_limit: *const f32,
    pub(super) row_scale: *const f32,
    pub(super) row_base: *const f32,
    pub(super) row_error: *const f32,
    pub(super) row_norm: *const f32,
    /// Lower bounds without the query's own term: `QUERIES` times `ROWS`.
    pub(super) bounds: *mut f32,
    /// For each query, which rows are within the limit.
    pub(super) masks: *mut u32,
}

/// `base - scale * scale * product - norm * error - error * norm` of every pair, and which are within the limits.
/// Returns the queries that have such rows, as bits.
///
/// # Safety
/// The instruction set of `S` is available; every array of `args` has one entry for each of `QUERIES` queries or
/// `VECTORS * S::LANES` rows; the panels have `steps` words for each, padded like the arrays.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const QUERIES: usize, const VECTORS: usize>(args: &Args) -> u32 {
    const {
        assert!(VECTORS * S::LANES <= 32 && QUERIES <= 32);
    }
    // SAFETY: the caller's duty.
    unsafe {
        let mut sums = [[S::sum(0); VECTORS]; QUERIES];
        for query in 0..QUERIES {
            sums[query] = [S::sum(*args.query_bias.add(query)); VECTORS];
        }
        let (mut queries, mut rows) = (args.query_words, args.row_words);
        let mut words = [S::words(rows); VECTORS];
        for _ in 0..args.steps {
            for vector in 0..VECTORS {
                words[vector] = S::words(rows.add(vector * S::LANES));
            }
            for query in 0..QUERIES {
                for vector in 0..VECTORS {
                    sums[query][vector] = S::step(sums[query][vector], queries.add(query), words[vector]);
                }
            }
            queries = queries.add(QUERIES);
            rows = rows.add(VECTORS * S::LANES);
        }
        let mut any = 0;
        for query in 0..QUERIES {
            let mut mask = 0;
            for vector in 0..VECTORS {
                let at = vector * S::LANES;
                let product = S::mul(S::floats(sums[query][vector]), S::load(args.row_scale.add(at)));
                let mut bound = S::sub_mul(S::load(args.row_base.add(at)), args.query_scale.add(query), product);
                bound = S::sub_mul(bound, args.query_norm.add(query), S::load(args.row_error.add(at)));
                bound = S::sub_mul(bound, args.query_error.add(query), S::load(args.row_norm.add(at)));
                S::store(args.bounds.add(query * VECTORS * S::LANES + at), bound);
                mask |= S::at_most(bound, args.query_limit.add(query)) << at;
            }
            args.masks.add(query).write(mask);
            any |= u32::from(mask != 0) << query;
        }
        any
    }
}
