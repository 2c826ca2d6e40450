//! One query against many rows.
#![allow(clippy::needless_range_loop, reason = "plain loops keep lanes in registers, see the driver")]
use std::mem::MaybeUninit;

use super::{BLOCK, STREAM, block, keys_of};
use crate::{float::arithmetic::Arithmetic, prefetch};

/// The functions of a cell over single vectors, for what a larger block leaves over.
pub(in crate::float) struct Single<E> {
    pub(in crate::float) pair: unsafe fn(*const E, *const E, usize) -> f32,
    pub(in crate::float) square: unsafe fn(*const E, usize) -> f32,
}

/// Components of a query that is made ready at most: what is kept of it is on the stack. Rows of more are computed pair
/// by pair.
const READY_MAX: usize = 4096;

/// What [`Arithmetic::prepare`] may write beyond the components.
const SLACK: usize = 64;

/// Consecutive rows of more bytes than this do not lie in the first-level cache.
const FIRST_LEVEL: usize = 40 << 10;

/// Rows of fewer bytes are taken in blocks from the second-level cache: they are over before their sums are.
const FAR_ROW_BYTES: usize = 1 << 10;

/// Rows whose sums are folded together where rows are taken one at a time.
const FOUR: usize = 4;

/// The rows of a call: those that `ids` names, or the first ones where it is null.
struct Wanted<E> {
    base: *const E,
    dim: usize,
    ids: *const u32,
    count: usize,
}

impl<E> Wanted<E> {
    /// The row at a position.
    ///
    /// # Safety
    /// The position is below `count`, and the row exists.
    #[inline(always)]
    unsafe fn row(&self, position: usize) -> *const E {
        // SAFETY: the caller's duty.
        unsafe {
            let row = if self.ids.is_null() { position } else { *self.ids.add(position) as usize };
            self.base.add(row * self.dim)
        }
    }

    /// Asks for the rows at positions from `from` to `to` that there are, where they are named by id.
    #[inline(always)]
    fn fetch(&self, from: usize, to: usize) {
        let (from, to) = (from.min(self.count), to.min(self.count));
        if !self.ids.is_null() && from < to {
            // SAFETY: there are `count` ids.
            unsafe { prefetch::rows(self.base.cast(), self.dim * size_of::<E>(), self.ids.add(from), to - from) };
        }
    }
}

/// The keys of `count` rows: those that `ids` names, or the first ones where it is null.
///
/// Rows in the first-level cache are taken `R` at a time, which shares the loads of the query, as are rows named by id,
/// which are asked for while earlier ones are computed. Rows from memory ([`prefetch::is_stream`]) are taken one at a
/// time: several streams at once confuse the hardware's prefetching. Cosines of `f32` gain by that from the second
/// level too. Binary16 queries are widened once for a stream. Measured on Zen 5 over memory in calls of 256 rows, in ns
/// a row, in blocks, one at a time, and reading alone: `f32` L2 of 96 components 25, 13, 10, of 200 components 27, 24,
/// 19, of 768 components 90, 82, 80; cosine of 128 components 46, 18, 13, of 768 components 120, 85, 80; binary16 L2 of
/// 768 components 60, 47, 37. Asking ahead in the cache would lose as much.
///
/// # Safety
/// The instruction set of `A` and of `single` is available, `query` has `dim` readable values, `base` `dim` at each row
/// that is asked for, `ids` is null or has `count` values, and `keys` has room for `count`.
#[inline(always)]
pub(in crate::float) unsafe fn many<
    A: Arithmetic<Query = <A as Arithmetic>::Stored>,
    W: Arithmetic<Stored = A::Stored>,
    const COLUMNS: usize,
    const P: usize,
    const R: usize,
    const GROUP: usize,
>(
    query: *const A::Stored,
    base: *const A::Stored,
    dim: usize,
    ids: *const u32,
    count: usize,
    keys: *mut f32,
    single: Single<A::Stored>,
) {
    let wanted = Wanted { base, dim, ids, count };
    wanted.fetch(0, prefetch::AHEAD);
    // SAFETY: passed on to the caller; every position asked for is below `count`.
    unsafe {
        let query_square = if A::SQUARES && count > 1 { (single.square)(query, dim) } else { 0.0 };
        let row_bytes = dim * size_of::<A::Stored>();
        let bytes = count.saturating_mul(row_bytes);
        let is_stream = ids.is_null() && bytes > FIRST_LEVEL && prefetch::is_stream(base.cast(), bytes);
        let is_far = A::IN_ORDER && ids.is_null() && bytes > FIRST_LEVEL && row_bytes >= FAR_ROW_BYTES;
        let mut row = if !(is_stream || is_far) || (W::PREPARES && dim > READY_MAX) {
            blocks::<A, COLUMNS, R, GROUP>(query, query_square, &wanted, keys)
        } else if W::PREPARES {
            let mut ready = [const { MaybeUninit::<W::Query>::uninit() }; READY_MAX + SLACK];
            let ready = ready.as_mut_ptr().cast();
            W::prepare(query, dim, ready);
            in_order::<W, COLUMNS, P>(ready, query_square, &wanted, keys)
        } else {
            // Nothing is made ready: `W::Query` is `A::Stored`.
            in_order::<W, COLUMNS, P>(query.cast(), query_square, &wanted, keys)
        };
        while row < count {
            let key = if A::SQUARES && count > 1 {
                super::row::<A, COLUMNS, P>(query, query_square, wanted.row(row), dim)
            } else {
                (single.pair)(query, wanted.row(row), dim)
            };
            keys.add(row).write(key);
            row += 1;
        }
    }
}

/// The keys of blocks of `R` rows. A block that is more than half full is cheaper than its rows one by one: its last
/// row is repeated. Returns how many rows are done.
///
/// # Safety
/// As [`many`].
#[inline(always)]
unsafe fn blocks<A: Arithmetic, const COLUMNS: usize, const R: usize, const GROUP: usize>(
    query: *const A::Query,
    query_square: f32,
    wanted: &Wanted<A::Stored>,
    keys: *mut f32,
) -> usize {
    let (mut row, count) = (0, wanted.count);
    while row + R / 2 < count {
        wanted.fetch(row + prefetch::AHEAD, row + prefetch::AHEAD + R);
        let mut rows = [wanted.base; R];
        // SAFETY: passed on to the caller; every position is below `count`.
        unsafe {
            for i in 0..R {
                rows[i] = wanted.row((row + i).min(count - 1));
            }
            let folded = block::<A, 1, R, COLUMNS, GROUP, BLOCK>([query], rows, wanted.dim);
            let block_keys = keys_of::<A, R>(&folded.cross[0], &folded.row_square, query_square);
            if row + R <= count {
                keys.add(row).cast::<[f32; R]>().write_unaligned(block_keys);
            } else {
                block_keys.as_ptr().copy_to_nonoverlapping(keys.add(row), count - row);
            }
        }
        row += R;
    }
    row.min(count)
}

/// The keys of as many rows as make fours, one after another but for the last folds. Returns how many.
///
/// # Safety
/// As [`many`].
#[inline(always)]
unsafe fn in_order<A: Arithmetic, const COLUMNS: usize, const P: usize>(
    query: *const A::Query,
    query_square: f32,
    wanted: &Wanted<A::Stored>,
    keys: *mut f32,
) -> usize {
    let dim = wanted.dim;
    let mut row = 0;
    while row + FOUR <= wanted.count {
        // SAFETY: passed on to the caller; every position is below `count`.
        unsafe {
            let at = wanted.base.add(row * dim);
            // Written out, so that each has a loop of its own: a loop around them would keep the lanes on the stack.
            let a = block::<A, 1, 1, COLUMNS, P, STREAM>([query], [at], dim);
            let b = block::<A, 1, 1, COLUMNS, P, STREAM>([query], [at.add(dim)], dim);
            let c = block::<A, 1, 1, COLUMNS, P, STREAM>([query], [at.add(2 * dim)], dim);
            let d = block::<A, 1, 1, COLUMNS, P, STREAM>([query], [at.add(3 * dim)], dim);
            let cross = [a.cross[0][0], b.cross[0][0], c.cross[0][0], d.cross[0][0]];
            let row_square = [a.row_square[0], b.row_square[0], c.row_square[0], d.row_square[0]];
            let four = keys_of::<A, FOUR>(&cross, &row_square, query_square);
            keys.add(row).cast::<[f32; FOUR]>().write_unaligned(four);
        }
        row += FOUR;
    }
    row
}
