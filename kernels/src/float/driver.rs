//! The loops, written once for every arithmetic, and their safe border.
//!
//! Everything comes down to [`block`]: some queries against some rows, with the sums in registers. A key does not
//! depend on the block it was computed in, because each pair has its own virtual lanes whatever its neighbours.
//!
//! No iterator adapters or array `map` where lanes pass through: their closures may be compiled as functions of their
//! own, without the instruction set, and then every operation is a call.
#![allow(clippy::needless_range_loop, reason = "see above: plain loops keep lanes in registers")]
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use super::arithmetic::Arithmetic;
use crate::prefetch;

/// The sums of a block: each query with each row, and each row and a lone query with itself where the metric needs it
/// (else 0).
struct Sums<const Q: usize, const R: usize> {
    cross: [[f32; R]; Q],
    row_square: [f32; R],
    query_square: f32,
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
/// everything once.
///
/// # Safety
/// The instruction set of `A` is available, and every pointer has `dim` readable values.
#[inline(always)]
unsafe fn block<A: Arithmetic, const Q: usize, const R: usize, const COLUMNS: usize, const GROUP: usize>(
    queries: [*const A::Stored; Q],
    rows: [*const A::Stored; R],
    dim: usize,
) -> Sums<Q, R> {
    const {
        assert!(COLUMNS.is_multiple_of(GROUP) && (COLUMNS * A::WIDTH).is_multiple_of(64));
    }
    // Not zeroed: clearing and copying so many registers would cost as much as a short vector.
    let mut cross = [[[const { MaybeUninit::<A::Sum>::uninit() }; COLUMNS]; R]; Q];
    let mut row_square = [[const { MaybeUninit::<A::Sum>::uninit() }; COLUMNS]; R];
    let mut query_square = [const { MaybeUninit::<A::Sum>::uninit() }; COLUMNS];
    let mut first = 0;
    while first < COLUMNS {
        // SAFETY: passed on to the caller; `first + GROUP` is at most `COLUMNS`.
        let swept = unsafe { sweep::<A, Q, R, COLUMNS, GROUP>(queries, rows, dim, first) };
        for column in 0..GROUP {
            for row in 0..R {
                for query in 0..Q {
                    cross[query][row][first + column].write(swept.cross[query][row][column]);
                }
                if A::SQUARES {
                    row_square[row][first + column].write(swept.row_square[row][column]);
                }
            }
            if A::SQUARES && Q * R == 1 {
                query_square[first + column].write(swept.query_square[column]);
            }
        }
        first += GROUP;
    }
    let mut sums = Sums { cross: [[0.0; R]; Q], row_square: [0.0; R], query_square: 0.0 };
    // SAFETY: the sweeps have written every column of what is read.
    unsafe {
        if A::SQUARES && Q * R == 1 {
            // Three totals in the time of one; the fourth is not used.
            let four = [cross[0][0], row_square[0], query_square, query_square];
            [sums.cross[0][0], sums.row_square[0], sums.query_square, _] = A::totals(written(&four));
            return sums;
        }
        for query in 0..Q {
            sums.cross[query] = A::totals(written(&cross[query]));
        }
        if A::SQUARES {
            sums.row_square = A::totals(written(&row_square));
        }
    }
    sums
}

/// Sums that have all been written.
///
/// # Safety
/// They have.
#[inline(always)]
unsafe fn written<S, const COLUMNS: usize, const N: usize>(
    sums: &[[MaybeUninit<S>; COLUMNS]; N],
) -> &[[S; COLUMNS]; N] {
    // SAFETY: `MaybeUninit` has the layout of what it holds, and the caller has written it.
    unsafe { &*std::ptr::from_ref(sums).cast() }
}

/// Sums the `GROUP` columns from `first`.
///
/// # Safety
/// The instruction set of `A` is available, `first + GROUP` is at most `COLUMNS`, and every pointer has `dim` readable
/// values.
#[inline(always)]
unsafe fn sweep<A: Arithmetic, const Q: usize, const R: usize, const COLUMNS: usize, const GROUP: usize>(
    queries: [*const A::Stored; Q],
    rows: [*const A::Stored; R],
    dim: usize,
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
        while at + stride <= dim {
            for column in 0..GROUP {
                let start = at + (first + column) * A::WIDTH;
                let mut packed = [A::load(queries[0].add(start)); Q];
                for query in 1..Q {
                    packed[query] = A::load(queries[query].add(start));
                }
                for row in 0..R {
                    step::<A, Q, R, GROUP>(&mut swept, packed, row, column, A::load(rows[row].add(start)));
                }
            }
            at += stride;
        }
        for column in 0..GROUP {
            let start = at + (first + column) * A::WIDTH;
            if start >= dim {
                break;
            }
            let count = dim - start;
            let mut packed = [A::load_up_to(queries[0].add(start), count); Q];
            for query in 1..Q {
                packed[query] = A::load_up_to(queries[query].add(start), count);
            }
            for row in 0..R {
                step::<A, Q, R, GROUP>(&mut swept, packed, row, column, A::load_up_to(rows[row].add(start), count));
            }
        }
        swept
    }
}

/// Adds the terms of one packed register of each query and one row.
#[inline(always)]
fn step<A: Arithmetic, const Q: usize, const R: usize, const GROUP: usize>(
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
        if Q * R == 1 {
            swept.query_square[column] = A::square(swept.query_square[column], queries[0]);
        }
    }
}

/// The key of one pair.
///
/// # Safety
/// The instruction set of `A` is available and both pointers have `dim` readable values.
#[inline(always)]
pub(super) unsafe fn pair<A: Arithmetic, const COLUMNS: usize, const GROUP: usize>(
    a: *const A::Stored,
    b: *const A::Stored,
    dim: usize,
) -> f32 {
    // SAFETY: passed on to the caller.
    let sums = unsafe { block::<A, 1, 1, COLUMNS, GROUP>([a], [b], dim) };
    A::key(sums.cross[0][0], sums.query_square, sums.row_square[0])
}

/// The functions of a cell over single vectors, for what a larger block leaves over.
pub(super) struct Single<E> {
    pub(super) pair: unsafe fn(*const E, *const E, usize) -> f32,
    pub(super) square: unsafe fn(*const E, usize) -> f32,
}

/// Consecutive rows of more bytes than this come from beyond the second-level cache. Several streams at once confuse
/// the hardware's prefetching, and memory delivers less than a pair can take: so rows of at least [`LONG_ROW_BYTES`]
/// are taken one after another, and for blocks of shorter ones every line is asked for. Measured on Zen 5 with `f32`,
/// in ns a row: 768 components 90 in blocks, 79 one by one, 78 for reading alone; 128 components 22 in blocks, 15 one
/// by one or with requests, 13 for reading alone. In the cache the requests would double the time.
const STREAM_BYTES: usize = 1 << 20;

/// See [`STREAM_BYTES`].
const LONG_ROW_BYTES: usize = 1 << 10;

/// Bytes by which the requests of a stream of blocks are ahead.
const BLOCKS_AHEAD: usize = 4 << 10;

/// The keys of consecutive rows one after another, asking for what lies `ahead` bytes further, unless that is 0.
///
/// # Safety
/// The instruction set of `pair` is available, `query` has `dim` readable values, `base` `dim * count`, and `keys` room
/// for `count`.
#[inline(never)]
unsafe fn stream<E>(
    query: *const E,
    base: *const E,
    dim: usize,
    count: usize,
    keys: *mut f32,
    pair: unsafe fn(*const E, *const E, usize) -> f32,
    ahead: usize,
) {
    for position in 0..count {
        // SAFETY: passed on to the caller; `position` is below `count`.
        unsafe {
            let row = base.add(position * dim);
            if ahead > 0 {
                prefetch::lines(row.cast::<u8>().wrapping_add(ahead), dim * size_of::<E>());
            }
            keys.add(position).write(pair(query, row, dim));
        }
    }
}

/// The keys of `count` rows: those that `ids` names, or the first ones where it is null. Rows named by id are asked for
/// while earlier ones are computed; for consecutive rows see [`STREAM_BYTES`].
///
/// # Safety
/// The instruction set of `A` and of `single` is available, `query` has `dim` readable values, `base` `dim` at each row
/// that is asked for, `ids` is null or has `count` values, and `keys` has room for `count`.
#[inline(always)]
pub(super) unsafe fn many<A: Arithmetic, const COLUMNS: usize, const R: usize, const GROUP: usize>(
    query: *const A::Stored,
    base: *const A::Stored,
    dim: usize,
    ids: *const u32,
    count: usize,
    keys: *mut f32,
    single: Single<A::Stored>,
) {
    // SAFETY: passed on to the caller; every position asked for is below `count`.
    unsafe {
        let row_at = |position: usize| {
            let row = if ids.is_null() { position } else { *ids.add(position) as usize };
            base.add(row * dim)
        };
        let fetch = |from: usize, to: usize| {
            let (from, to) = (from.min(count), to.min(count));
            if !ids.is_null() && from < to {
                prefetch::rows(base.cast(), dim * size_of::<A::Stored>(), ids.add(from), to - from);
            }
        };
        fetch(0, prefetch::AHEAD);
        let row_bytes = dim * size_of::<A::Stored>();
        let is_stream = ids.is_null() && count > STREAM_BYTES / row_bytes.max(1);
        if is_stream && row_bytes >= LONG_ROW_BYTES {
            return stream(query, base, dim, count, keys, single.pair, A::STREAM_AHEAD);
        }
        let query_square = if A::SQUARES && count > R / 2 { (single.square)(query, dim) } else { 0.0 };
        let mut row = 0;
        // A block that is more than half full is cheaper than its rows one by one: its last row is repeated.
        while row + R / 2 < count {
            fetch(row + prefetch::AHEAD, row + prefetch::AHEAD + R);
            let mut rows = [base; R];
            for i in 0..R {
                rows[i] = row_at((row + i).min(count - 1));
            }
            if is_stream {
                prefetch::lines(rows[0].cast::<u8>().wrapping_add(BLOCKS_AHEAD), R * row_bytes);
            }
            let sums = block::<A, 1, R, COLUMNS, GROUP>([query], rows, dim);
            let mut block_keys = [0.0; R];
            for i in 0..R {
                block_keys[i] = A::key(sums.cross[0][i], query_square, sums.row_square[i]);
            }
            if row + R <= count {
                keys.add(row).cast::<[f32; R]>().write_unaligned(block_keys);
            } else {
                block_keys.as_ptr().copy_to_nonoverlapping(keys.add(row), count - row);
            }
            row += R;
        }
        while row < count {
            keys.add(row).write((single.pair)(query, row_at(row), dim));
            row += 1;
        }
    }
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
pub(super) unsafe fn tile<A: Arithmetic, const COLUMNS: usize, const Q: usize, const R: usize, const GROUP: usize>(
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
                    let sums = block::<A, Q, R, COLUMNS, GROUP>(query_at, row_at, dim);
                    for i in 0..Q {
                        let mut row_keys = [0.0; R];
                        for j in 0..R {
                            row_keys[j] = A::key(sums.cross[i][j], squares[query + i], sums.row_square[j]);
                        }
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
