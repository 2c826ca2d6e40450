//! The loops, written once for every arithmetic, and their safe border.
//!
//! Everything comes down to [`block`]: some queries against some rows, with the sums in registers. A key does not
//! depend on the block it was computed in, because each pair has its own virtual lanes whatever its neighbours.
//!
//! No iterator adapters or array `map` where lanes pass through: their closures may be compiled as functions of their
//! own, without the instruction set, and then every operation is a call.
#![allow(clippy::needless_range_loop, reason = "see above: plain loops keep lanes in registers")]
mod rows;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

pub(super) use self::rows::{Single, many};
use super::{
    arithmetic::{Arithmetic, totals, totals_of_two},
    lanes::Lane,
};
use crate::prefetch;

/// Nothing but the keys is wanted.
const BLOCK: u8 = 0;

/// The square of a lone query is wanted too.
const LONE: u8 = 1;

/// The rows are consecutive, and what follows them may be asked for.
const IN_ORDER: u8 = 2;

/// Bytes of a page of memory at least.
const PAGE_BYTES: usize = 4 << 10;

/// Asks for what lies ahead of `R` consecutive rows, in the order of addresses: as many lines as `count` components of
/// each row have, of which `at` are done. Where a page begins, also for a line of the next page, whose address then is
/// translated before all its lines wait for that.
#[inline(always)]
fn ask_for<A: Arithmetic, const R: usize>(rows: *const A::Stored, at: usize, count: usize) {
    let (done, bytes) = (at * R * size_of::<A::Stored>(), count * R * size_of::<A::Stored>());
    let from = rows.cast::<u8>().wrapping_add(A::AHEAD + done);
    prefetch::lines(from, bytes);
    if from.addr() & (PAGE_BYTES - 1) < bytes {
        prefetch::line(from.wrapping_add(PAGE_BYTES));
    }
}

/// The folded sums of a block: each query with each row, and each row and a lone query with itself where the metric
/// needs it (else whatever).
#[derive(Clone, Copy)]
struct Folded<L, const Q: usize, const R: usize> {
    cross: [[L; R]; Q],
    row_square: [L; R],
    query_square: L,
}

impl<L: Lane, const Q: usize, const R: usize> Folded<L, Q, R> {
    /// Lane by lane.
    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for row in 0..R {
            for query in 0..Q {
                self.cross[query][row] = self.cross[query][row].add(other.cross[query][row]);
            }
            self.row_square[row] = self.row_square[row].add(other.row_square[row]);
        }
        self.query_square = self.query_square.add(other.query_square);
        self
    }
}

/// For each query and row, `COLUMNS` sums.
type Block<S, const Q: usize, const R: usize, const COLUMNS: usize> = [[[S; COLUMNS]; R]; Q];

/// The sums of `GROUP` columns of a block.
struct Swept<S, const Q: usize, const R: usize, const GROUP: usize> {
    cross: Block<S, Q, R, GROUP>,
    row_square: [[S; GROUP]; R],
    query_square: [S; GROUP],
}

/// Sums `Q` queries against `R` rows, sweeping over the components once for each `GROUP` of the `COLUMNS` packed
/// registers that make up a stride. A sweep touches only its own columns of every stride, so the sweeps together read
/// everything once. `KIND` is one of [`BLOCK`], [`LONE`] and [`IN_ORDER`]; with the last, `ask` is whether to ask for
/// what lies [`Arithmetic::AHEAD`].
///
/// # Safety
/// The instruction set of `A` is available, and every pointer has `dim` readable values.
#[inline(always)]
unsafe fn block<
    A: Arithmetic,
    const Q: usize,
    const R: usize,
    const COLUMNS: usize,
    const GROUP: usize,
    const KIND: u8,
>(
    queries: [*const A::Query; Q],
    rows: [*const A::Stored; R],
    dim: usize,
    ask: bool,
) -> Folded<A::Lane, Q, R> {
    const {
        assert!(COLUMNS.is_multiple_of(GROUP) && (COLUMNS * A::WIDTH).is_multiple_of(64));
    }
    if GROUP == COLUMNS {
        // SAFETY: passed on to the caller.
        let swept = unsafe { sweep::<A, Q, R, COLUMNS, GROUP, KIND>(queries, rows, dim, ask, 0) };
        return fold::<A, Q, R, GROUP, KIND>(&swept.cross, &swept.row_square, &swept.query_square);
    }
    if A::HALVES && COLUMNS == 2 * GROUP {
        // Half of the columns of a pair fold onto one register, so that less is kept while the other half is summed.
        // SAFETY: passed on to the caller.
        unsafe {
            let swept = sweep::<A, Q, R, COLUMNS, GROUP, KIND>(queries, rows, dim, ask, 0);
            let first = fold::<A, Q, R, GROUP, KIND>(&swept.cross, &swept.row_square, &swept.query_square);
            let swept = sweep::<A, Q, R, COLUMNS, GROUP, KIND>(queries, rows, dim, ask, GROUP);
            let second = fold::<A, Q, R, GROUP, KIND>(&swept.cross, &swept.row_square, &swept.query_square);
            return first.add(second);
        }
    }
    // Not zeroed: clearing and copying so many registers would cost as much as a short vector.
    let mut cross = [[[const { MaybeUninit::<A::Sum>::uninit() }; COLUMNS]; R]; Q];
    let mut row_square = [[const { MaybeUninit::<A::Sum>::uninit() }; COLUMNS]; R];
    let mut query_square = [const { MaybeUninit::<A::Sum>::uninit() }; COLUMNS];
    let mut first = 0;
    while first < COLUMNS {
        // SAFETY: passed on to the caller; `first + GROUP` is at most `COLUMNS`.
        let swept = unsafe { sweep::<A, Q, R, COLUMNS, GROUP, KIND>(queries, rows, dim, ask, first) };
        for column in 0..GROUP {
            for row in 0..R {
                for query in 0..Q {
                    cross[query][row][first + column].write(swept.cross[query][row][column]);
                }
                row_square[row][first + column].write(swept.row_square[row][column]);
            }
            query_square[first + column].write(swept.query_square[column]);
        }
        first += GROUP;
    }
    // SAFETY: the sweeps have written every column; `MaybeUninit` has the layout of what it holds.
    unsafe {
        let cross = &*(&raw const cross).cast::<Block<A::Sum, Q, R, COLUMNS>>();
        let row_square = &*(&raw const row_square).cast::<[[A::Sum; COLUMNS]; R]>();
        let query_square = &*(&raw const query_square).cast::<[A::Sum; COLUMNS]>();
        fold::<A, Q, R, COLUMNS, KIND>(cross, row_square, query_square)
    }
}

/// Folds the sums of all columns.
#[inline(always)]
fn fold<A: Arithmetic, const Q: usize, const R: usize, const COLUMNS: usize, const KIND: u8>(
    cross: &Block<A::Sum, Q, R, COLUMNS>,
    row_square: &[[A::Sum; COLUMNS]; R],
    query_square: &[A::Sum; COLUMNS],
) -> Folded<A::Lane, Q, R> {
    let one = A::fold(&cross[0][0]);
    let mut folded = Folded { cross: [[one; R]; Q], row_square: [one; R], query_square: one };
    for row in 0..R {
        for query in 0..Q {
            folded.cross[query][row] = A::fold(&cross[query][row]);
        }
        if A::SQUARES {
            folded.row_square[row] = A::fold(&row_square[row]);
        }
    }
    if A::SQUARES && KIND == LONE {
        folded.query_square = A::fold(query_square);
    }
    folded
}

/// The keys of one query with `R` rows.
#[inline(always)]
fn keys_of<A: Arithmetic, const R: usize>(
    cross: &[A::Lane; R],
    row_square: &[A::Lane; R],
    query_square: f32,
) -> [f32; R] {
    let [sums, squares] = if A::SQUARES { totals_of_two(cross, row_square) } else { [totals(cross), [0.0; R]] };
    let mut keys = [0.0; R];
    for i in 0..R {
        keys[i] = A::key(sums[i], query_square, squares[i]);
    }
    keys
}

/// Sums the `GROUP` columns from `first`.
///
/// # Safety
/// The instruction set of `A` is available, `first + GROUP` is at most `COLUMNS`, and every pointer has `dim` readable
/// values.
#[inline(always)]
unsafe fn sweep<
    A: Arithmetic,
    const Q: usize,
    const R: usize,
    const COLUMNS: usize,
    const GROUP: usize,
    const KIND: u8,
>(
    queries: [*const A::Query; Q],
    rows: [*const A::Stored; R],
    dim: usize,
    ask: bool,
    first: usize,
) -> Swept<A::Sum, Q, R, GROUP> {
    let stride = COLUMNS * A::WIDTH;
    // SAFETY: the instruction set is available. Full strides are read while `at + stride <= dim`, then values from
    // `start` to `dim` at most.
    unsafe {
        let zero = A::zero();
        let mut swept =
            Swept { cross: [[[zero; GROUP]; R]; Q], row_square: [[zero; GROUP]; R], query_square: [zero; GROUP] };
        let mut at = 0;
        let whole = dim / stride * stride;
        while at < whole {
            if KIND == IN_ORDER && ask && first == 0 && A::AHEAD > 0 {
                ask_for::<A, R>(rows[0], at, stride);
            }
            for column in 0..GROUP {
                let start = at + (first + column) * A::WIDTH;
                let mut packed = [A::load_query(queries[0].add(start)); Q];
                for query in 1..Q {
                    packed[query] = A::load_query(queries[query].add(start));
                }
                for row in 0..R {
                    step::<A, Q, R, GROUP, KIND>(&mut swept, packed, row, column, A::load(rows[row].add(start)));
                }
            }
            at += stride;
        }
        if KIND == IN_ORDER && ask && first == 0 && A::AHEAD > 0 && at < dim {
            ask_for::<A, R>(rows[0], at, dim - at);
        }
        for column in 0..GROUP {
            let start = at + (first + column) * A::WIDTH;
            if start >= dim {
                break;
            }
            let count = dim - start;
            let mut packed = [A::load_query_up_to(queries[0].add(start), count); Q];
            for query in 1..Q {
                packed[query] = A::load_query_up_to(queries[query].add(start), count);
            }
            for row in 0..R {
                step::<A, Q, R, GROUP, KIND>(
                    &mut swept,
                    packed,
                    row,
                    column,
                    A::load_up_to(rows[row].add(start), count),
                );
            }
        }
        swept
    }
}

/// Adds the terms of one packed register of each query and one row.
#[inline(always)]
fn step<A: Arithmetic, const Q: usize, const R: usize, const GROUP: usize, const KIND: u8>(
    swept: &mut Swept<A::Sum, Q, R, GROUP>,
    queries: [A::Packed; Q],
    row: usize,
    column: usize,
    packed: A::Packed,
) {
    for query in 0..Q {
        swept.cross[query][row][column] = A::step(swept.cross[query][row][column], queries[query], packed);
    }
    if A::SQUARES {
        swept.row_square[row][column] = A::square(swept.row_square[row][column], packed);
        if KIND == LONE && row == 0 {
            swept.query_square[column] = A::square(swept.query_square[column], queries[0]);
        }
    }
}

/// The key of one pair.
///
/// # Safety
/// The instruction set of `A` is available and both pointers have `dim` readable values.
#[inline(always)]
pub(super) unsafe fn pair<
    A: Arithmetic<Query = <A as Arithmetic>::Stored>,
    const COLUMNS: usize,
    const GROUP: usize,
>(
    a: *const A::Stored,
    b: *const A::Stored,
    dim: usize,
) -> f32 {
    // SAFETY: passed on to the caller.
    let folded = unsafe { block::<A, 1, 1, COLUMNS, GROUP, LONE>([a], [b], dim, false) };
    let cross = folded.cross[0][0];
    if A::SQUARES {
        // Three totals in the time of one; the fourth is not used.
        let [sum, a_square, b_square, _] =
            A::Lane::totals([cross, folded.query_square, folded.row_square[0], folded.row_square[0]]);
        return A::key(sum, a_square, b_square);
    }
    A::key(cross.total(), 0.0, 0.0)
}

/// The key of a query, whose square is known, with one row.
///
/// # Safety
/// The instruction set of `A` is available and both pointers have `dim` readable values.
#[inline(always)]
pub(super) unsafe fn row<A: Arithmetic, const COLUMNS: usize, const GROUP: usize>(
    query: *const A::Query,
    query_square: f32,
    row: *const A::Stored,
    dim: usize,
) -> f32 {
    // SAFETY: passed on to the caller.
    let folded = unsafe { block::<A, 1, 1, COLUMNS, GROUP, BLOCK>([query], [row], dim, false) };
    let [key] = keys_of::<A, 1>(&folded.cross[0], &folded.row_square, query_square);
    key
}

/// Bytes of queries that are run against each few rows before the next rows are read: they should stay in the
/// second-level cache beside the rows.
const QUERY_BLOCK_BYTES: usize = 256 << 10;

/// Queries in a block at most: what is kept for each of them is on the stack.
const QUERY_BLOCK: usize = 64;

/// The functions of a cell that a tile needs beside its own loop.
pub(super) struct Rest<E> {
    pub(super) many: unsafe fn(*const E, *const E, usize, *const u32, usize, *mut f32),
    pub(super) square: unsafe fn(*const E, usize) -> f32,
}

/// The keys of every query with every row, row-major by query; queries that fill no tile run over the rows one by one.
///
/// # Safety
/// The instruction set of `A` and of `rest` is available, `queries` has `query_count * dim` readable values, `base`
/// `row_count * dim`, and `keys` room for `query_count * row_count`.
#[inline(always)]
pub(super) unsafe fn tile<
    A: Arithmetic<Query = <A as Arithmetic>::Stored>,
    const COLUMNS: usize,
    const Q: usize,
    const R: usize,
    const GROUP: usize,
>(
    queries: *const A::Stored,
    query_count: usize,
    base: *const A::Stored,
    row_count: usize,
    dim: usize,
    keys: *mut f32,
    rest: Rest<A::Stored>,
) {
    let in_block = (QUERY_BLOCK_BYTES / (dim * size_of::<A::Stored>())).clamp(Q, QUERY_BLOCK) / Q * Q;
    let mut squares = [0.0; QUERY_BLOCK];
    let whole = query_count / Q * Q;
    // SAFETY: passed on to the caller; queries stay below `query_count` and rows below `row_count`.
    unsafe {
        let mut start = 0;
        while start < whole {
            let count = in_block.min(whole - start);
            if A::SQUARES {
                for query in 0..count {
                    squares[query] = (rest.square)(queries.add((start + query) * dim), dim);
                }
            }
            let mut row = 0;
            while row < row_count {
                // The last row is repeated to fill the tile, and the repeated keys dropped.
                let rows_here = R.min(row_count - row);
                let mut row_at = [base; R];
                for i in 0..R {
                    row_at[i] = base.add((row + i.min(rows_here - 1)) * dim);
                }
                let mut query = 0;
                while query < count {
                    let mut query_at = [queries; Q];
                    for i in 0..Q {
                        query_at[i] = queries.add((start + query + i) * dim);
                    }
                    let folded = block::<A, Q, R, COLUMNS, GROUP, BLOCK>(query_at, row_at, dim, false);
                    for i in 0..Q {
                        let row_keys = keys_of::<A, R>(&folded.cross[i], &folded.row_square, squares[query + i]);
                        let to = keys.add((start + query + i) * row_count + row);
                        row_keys.as_ptr().copy_to_nonoverlapping(to, rows_here);
                    }
                    query += Q;
                }
                row += R;
            }
            start += count;
        }
        for query in whole..query_count {
            let to = keys.add(query * row_count);
            (rest.many)(queries.add(query * dim), base, dim, std::ptr::null(), row_count, to);
        }
    }
}
