//! One query against many rows.
#![allow(clippy::needless_range_loop, reason = "plain loops keep lanes in registers, see the driver")]
use std::mem::MaybeUninit;

use super::{BLOCK, IN_ORDER, LONE, block, keys_of};
use crate::{
    float::{Lane, arithmetic::Arithmetic},
    prefetch,
};

/// The functions of a cell over single vectors, for what a larger block leaves over.
pub(in crate::float) struct Single<E> {
    pub(in crate::float) pair: unsafe fn(*const E, *const E, usize) -> f32,
    pub(in crate::float) square: unsafe fn(*const E, usize) -> f32,
}

/// Components of a query that is made ready at most: what is kept of it is on the stack. Rows of more are computed pair
/// by pair.
const READY_MAX: usize = 4096;

/// Blocks of rows for which a query is made ready at least. Measured on Zen 5 with binary16: 15 to 0 hundredths less
/// with four blocks in the first-level cache, 6 less with fifty in the second; with two blocks it costs up to as much.
const READY_BLOCKS: usize = 4;

/// What [`Arithmetic::prepare`] may write beyond the components.
const SLACK: usize = 64;

/// Consecutive rows of more bytes than this do not lie in the first-level cache.
const FIRST_LEVEL: usize = 40 << 10;

/// Rows of fewer bytes are taken in blocks from the second-level cache: they are over before their sums are.
const FAR_ROW_BYTES: usize = 1 << 10;

/// A query made ready, whose registers lie in one cache line each.
#[repr(align(64))]
struct Ready<Q>([MaybeUninit<Q>; READY_MAX + SLACK]);

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
/// Rows in the cache are taken `R` at a time, which shares the loads of the query, as are rows named by id, which are
/// asked for while earlier ones are computed. Rows from memory ([`prefetch::is_stream`]) are taken in order, one or two
/// at a time, and every line is asked for ahead. So are `f32` rows of L2 and cosine from the second-level cache, but
/// nothing is asked for, which there would cost more than it saves. Measured on Zen 5 over memory in calls of 1024 rows
/// of 768 components, in ns a row, in order with four copies of the loop, with one, and reading alone: `f32` cosine 87,
/// 79, 74; binary16 L2 45, 39, 37; bf16 L2 46, 38, 37, at 1536 components 104, 80, 76. Asking for the first lines of
/// each page alone is worse than asking for none.
///
/// Binary16 queries are widened once for rows in order, and for [`READY_BLOCKS`] or more blocks of consecutive rows.
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
    const O: usize,
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
        let row_bytes = dim * size_of::<A::Stored>();
        let bytes = count.saturating_mul(row_bytes);
        let is_stream = ids.is_null() && bytes > FIRST_LEVEL && prefetch::is_stream(base.cast(), bytes);
        let is_far = A::IN_ORDER && ids.is_null() && bytes > FIRST_LEVEL && row_bytes >= FAR_ROW_BYTES;
        let is_in_order = (is_stream || is_far) && (!W::PREPARES || dim <= READY_MAX);
        let is_ready = W::PREPARES && dim <= READY_MAX && ids.is_null() && (is_in_order || count >= READY_BLOCKS * R);
        let (mut row, mut query_square) = (0, 0.0);
        if is_in_order && A::SQUARES && count > 1 {
            query_square = (single.square)(query, dim);
        }
        if is_ready {
            let mut ready = Ready([const { MaybeUninit::<W::Query>::uninit() }; READY_MAX + SLACK]);
            let ready = ready.0.as_mut_ptr().cast();
            W::prepare(query, dim, ready);
            if is_in_order {
                row = in_order::<W, COLUMNS, P, O>(ready, query_square, &wanted, is_stream, keys);
            } else {
                (row, query_square) = blocks::<W, COLUMNS, R, GROUP>(ready, &wanted, keys);
                row = scattered::<W, COLUMNS, R, GROUP>(ready, query_square, &wanted, row, keys);
            }
        } else if is_in_order {
            // Nothing is made ready: `W::Query` is `A::Stored`.
            row = in_order::<W, COLUMNS, P, O>(query.cast(), query_square, &wanted, is_stream, keys);
        } else {
            if ids.is_null() {
                (row, query_square) = blocks::<A, COLUMNS, R, GROUP>(query, &wanted, keys);
            }
            if A::SQUARES && row == 0 && count > 1 {
                query_square = (single.square)(query, dim);
            }
            row = scattered::<A, COLUMNS, R, GROUP>(query, query_square, &wanted, row, keys);
        }
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

/// The keys of blocks of `R` consecutive rows. Returns how many, and the square of the query, where it was needed.
///
/// # Safety
/// As [`many`].
#[inline(always)]
unsafe fn blocks<A: Arithmetic, const COLUMNS: usize, const R: usize, const GROUP: usize>(
    query: *const A::Query,
    wanted: &Wanted<A::Stored>,
    keys: *mut f32,
) -> (usize, f32) {
    let (mut row, mut query_square, mut next) = (0, 0.0, wanted.base);
    while row + R <= wanted.count {
        let mut rows = [next; R];
        for i in 1..R {
            rows[i] = rows[i - 1].wrapping_add(wanted.dim);
        }
        next = rows[R - 1].wrapping_add(wanted.dim);
        // SAFETY: passed on to the caller; every position is below `count`.
        unsafe {
            let folded = if A::SQUARES && row == 0 {
                let folded = block::<A, 1, R, COLUMNS, GROUP, LONE>([query], rows, wanted.dim, false);
                query_square = folded.query_square.total();
                folded
            } else {
                block::<A, 1, R, COLUMNS, GROUP, BLOCK>([query], rows, wanted.dim, false)
            };
            let block_keys = keys_of::<A, R>(&folded.cross[0], &folded.row_square, query_square);
            keys.add(row).cast::<[f32; R]>().write_unaligned(block_keys);
        }
        row += R;
    }
    (row, query_square)
}

/// The keys of blocks of `R` rows from position `row` on. A block that is more than half full is cheaper than its rows
/// one by one: its last row is repeated. Returns how many rows are done.
///
/// # Safety
/// As [`many`].
#[inline(always)]
unsafe fn scattered<A: Arithmetic, const COLUMNS: usize, const R: usize, const GROUP: usize>(
    query: *const A::Query,
    query_square: f32,
    wanted: &Wanted<A::Stored>,
    mut row: usize,
    keys: *mut f32,
) -> usize {
    let count = wanted.count;
    while row + R / 2 < count {
        wanted.fetch(row + prefetch::AHEAD, row + prefetch::AHEAD + R);
        let mut rows = [wanted.base; R];
        // SAFETY: passed on to the caller; every position is below `count`.
        unsafe {
            for i in 0..R {
                rows[i] = wanted.row((row + i).min(count - 1));
            }
            let folded = block::<A, 1, R, COLUMNS, GROUP, BLOCK>([query], rows, wanted.dim, false);
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

/// The keys of consecutive rows in order, `O` at a time. Returns how many. One loop, and not copies of it for several
/// rows, so that each load has its own steady stride, by which the hardware's prefetching knows it.
///
/// # Safety
/// As [`many`].
#[inline(always)]
unsafe fn in_order<A: Arithmetic, const COLUMNS: usize, const P: usize, const O: usize>(
    query: *const A::Query,
    query_square: f32,
    wanted: &Wanted<A::Stored>,
    ask: bool,
    keys: *mut f32,
) -> usize {
    let (mut row, mut next) = (0, wanted.base);
    while row + O <= wanted.count {
        let mut rows = [next; O];
        for i in 1..O {
            rows[i] = rows[i - 1].wrapping_add(wanted.dim);
        }
        next = rows[O - 1].wrapping_add(wanted.dim);
        // SAFETY: passed on to the caller; every position is below `count`.
        unsafe {
            let folded = block::<A, 1, O, COLUMNS, P, IN_ORDER>([query], rows, wanted.dim, ask);
            let order_keys = keys_of::<A, O>(&folded.cross[0], &folded.row_square, query_square);
            keys.add(row).cast::<[f32; O]>().write_unaligned(order_keys);
        }
        row += O;
    }
    row
}
