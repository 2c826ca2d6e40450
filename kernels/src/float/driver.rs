//! The loops, written once for every metric, element type and instruction set, and their safe border.
//!
//! Everything comes down to [`block`]: some queries against some rows, with the sums in registers. A key does not
//! depend on the block it was computed in, because each pair has its own 64 virtual lanes whatever its neighbours.
//!
//! No iterator adapters or array `map` where lanes pass through: their closures may be compiled as functions of their
//! own, without the instruction set, and then every operation is a call.
#![allow(clippy::needless_range_loop, reason = "see above: plain loops keep lanes in registers")]
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use super::{
    Float,
    lanes::{Isa, Lane, STRIDE},
};
use crate::{
    metric::{Ip, Op},
    prefetch,
};

/// The sums of a block: each query with each row, and each row with itself where the metric needs it (else 0).
struct Sums<const Q: usize, const R: usize> {
    cross: [[f32; R]; Q],
    square: [f32; R],
}

/// For each query and row, `COLUMNS` registers of sums.
type Block<L, const Q: usize, const R: usize, const COLUMNS: usize> = [[[L; COLUMNS]; R]; Q];

/// Sums `Q` queries against `R` rows, sweeping over the components once for each `GROUP` of the `COLUMNS` registers
/// that make up the virtual lanes. A sweep touches only its own columns of every stride, so the sweeps together read
/// everything once, and the rows come from the first-level cache after the first.
///
/// # Safety
/// The instruction set `I` is available, `COLUMNS * I::LANES` is [`STRIDE`], `GROUP` divides `COLUMNS`, and every
/// pointer has `dim` readable values.
#[inline(always)]
unsafe fn block<I: Isa, M: Op, E: Float, const Q: usize, const R: usize, const COLUMNS: usize, const GROUP: usize>(
    queries: [*const E; Q],
    rows: [*const E; R],
    dim: usize,
) -> Sums<Q, R> {
    const {
        assert!(COLUMNS * I::LANES == STRIDE && COLUMNS.is_multiple_of(GROUP));
    }
    // Not zeroed: clearing and copying so many registers would cost as much as a short vector.
    let mut cross = [[[const { MaybeUninit::<I::F32>::uninit() }; COLUMNS]; R]; Q];
    let mut square = [[const { MaybeUninit::<I::F32>::uninit() }; COLUMNS]; R];
    let mut first = 0;
    while first < COLUMNS {
        // SAFETY: passed on to the caller; `first + GROUP` is at most `COLUMNS`.
        let (cross_group, square_group) = unsafe { sweep::<I, M, E, Q, R, GROUP>(queries, rows, dim, first) };
        for row in 0..R {
            for column in 0..GROUP {
                for query in 0..Q {
                    cross[query][row][first + column].write(cross_group[query][row][column]);
                }
                if M::SQUARES {
                    square[row][first + column].write(square_group[row][column]);
                }
            }
        }
        first += GROUP;
    }
    let mut sums = Sums { cross: [[0.0; R]; Q], square: [0.0; R] };
    // SAFETY: the sweeps have written every column, of the squares too if they are wanted.
    unsafe {
        sums.cross = totals(&cross);
        if M::SQUARES {
            [sums.square] = totals(&[square]);
        }
    }
    sums
}

/// Sums the `GROUP` columns from `first`.
///
/// # Safety
/// The instruction set `I` is available, `(first + GROUP) * I::LANES` is at most [`STRIDE`], and every pointer has
/// `dim` readable values.
#[inline(always)]
unsafe fn sweep<I: Isa, M: Op, E: Float, const Q: usize, const R: usize, const GROUP: usize>(
    queries: [*const E; Q],
    rows: [*const E; R],
    dim: usize,
    first: usize,
) -> (Block<I::F32, Q, R, GROUP>, [[I::F32; GROUP]; R]) {
    // SAFETY: the instruction set is available. Full strides are read while `at + STRIDE <= dim`, then values from
    // `start` to `dim` at most.
    unsafe {
        let zero = I::zero();
        let mut cross = [[[zero; GROUP]; R]; Q];
        let mut square = [[zero; GROUP]; R];
        let mut at = 0;
        while at + STRIDE <= dim {
            for column in 0..GROUP {
                let start = at + (first + column) * I::LANES;
                let mut query_lanes = [zero; Q];
                for query in 0..Q {
                    query_lanes[query] = E::load::<I>(queries[query].add(start));
                }
                for row in 0..R {
                    let row_lanes = E::load::<I>(rows[row].add(start));
                    for query in 0..Q {
                        cross[query][row][column] = M::step(cross[query][row][column], query_lanes[query], row_lanes);
                    }
                    if M::SQUARES {
                        square[row][column] = square[row][column].fma(row_lanes, row_lanes);
                    }
                }
            }
            at += STRIDE;
        }
        for column in 0..GROUP {
            let start = at + (first + column) * I::LANES;
            if start >= dim {
                break;
            }
            let count = dim - start;
            let mut query_lanes = [zero; Q];
            for query in 0..Q {
                query_lanes[query] = load_up_to::<I, E>(queries[query].add(start), count);
            }
            for row in 0..R {
                let row_lanes = load_up_to::<I, E>(rows[row].add(start), count);
                for query in 0..Q {
                    cross[query][row][column] = M::step(cross[query][row][column], query_lanes[query], row_lanes);
                }
                if M::SQUARES {
                    square[row][column] = square[row][column].fma(row_lanes, row_lanes);
                }
            }
        }
        (cross, square)
    }
}

/// Loads a register of which `count` lanes, or all if there are more, are wanted.
///
/// # Safety
/// The instruction set is available and `count`, at least 1, values are readable at `from`.
#[inline(always)]
unsafe fn load_up_to<I: Isa, E: Float>(from: *const E, count: usize) -> I::F32 {
    // SAFETY: passed on to the caller.
    unsafe { if count >= I::LANES { E::load::<I>(from) } else { E::load_first::<I>(from, count) } }
}

/// The total of each set of columns, four at a time where there are four.
///
/// # Safety
/// Every column is initialised.
#[inline(always)]
unsafe fn totals<L: Lane, const COLUMNS: usize, const R: usize, const Q: usize>(
    columns: &Block<MaybeUninit<L>, Q, R, COLUMNS>,
) -> [[f32; R]; Q] {
    // SAFETY: the same layout, and every column is initialised.
    let columns = unsafe { &*std::ptr::from_ref(columns).cast::<Block<L, Q, R, COLUMNS>>() };
    let mut sums = [[0.0; R]; Q];
    let mut i = 0;
    while i + 4 <= Q * R {
        let four = L::totals([
            &columns[i / R][i % R],
            &columns[(i + 1) / R][(i + 1) % R],
            &columns[(i + 2) / R][(i + 2) % R],
            &columns[(i + 3) / R][(i + 3) % R],
        ]);
        for j in 0..4 {
            sums[(i + j) / R][(i + j) % R] = four[j];
        }
        i += 4;
    }
    while i < Q * R {
        sums[i / R][i % R] = L::total(&columns[i / R][i % R]);
        i += 1;
    }
    sums
}

/// The key of one pair.
///
/// # Safety
/// The instruction set `I` is available and both pointers have `dim` readable values.
#[inline(always)]
pub(crate) unsafe fn pair<I: Isa, M: Op, E: Float, const COLUMNS: usize, const PAIR: usize>(
    a: *const E,
    b: *const E,
    dim: usize,
) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe {
        let query_square = if M::SQUARES { square::<I, E, COLUMNS>(a, dim) } else { 0.0 };
        one::<I, M, E, COLUMNS, PAIR>(a, b, dim, query_square)
    }
}

/// The sum of the squares of a row.
///
/// # Safety
/// The instruction set `I` is available and the pointer has `dim` readable values.
#[inline(always)]
pub(crate) unsafe fn square<I: Isa, E: Float, const COLUMNS: usize>(row: *const E, dim: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { block::<I, Ip, E, 1, 1, COLUMNS, COLUMNS>([row], [row], dim).cross[0][0] }
}

/// As [`pair`], with the query's square known.
#[inline(always)]
unsafe fn one<I: Isa, M: Op, E: Float, const COLUMNS: usize, const PAIR: usize>(
    query: *const E,
    row: *const E,
    dim: usize,
    query_square: f32,
) -> f32 {
    // SAFETY: passed on to the caller.
    let sums = unsafe { block::<I, M, E, 1, 1, COLUMNS, PAIR>([query], [row], dim) };
    M::key(sums.cross[0][0], query_square, sums.square[0])
}

/// The keys of four rows, each vector of the query loaded once.
#[inline(always)]
unsafe fn four<I: Isa, M: Op, E: Float, const COLUMNS: usize, const QUAD: usize>(
    query: *const E,
    rows: [*const E; 4],
    dim: usize,
    query_square: f32,
) -> [f32; 4] {
    // SAFETY: passed on to the caller.
    let sums = unsafe { block::<I, M, E, 1, 4, COLUMNS, QUAD>([query], rows, dim) };
    let mut keys = [0.0; 4];
    for row in 0..4 {
        keys[row] = M::key(sums.cross[0][row], query_square, sums.square[row]);
    }
    keys
}

/// The keys of `count` rows: those that `ids` names, or the first ones where it is null. Rows named by id are asked for
/// while earlier ones are computed; consecutive rows are left to the hardware's own prefetching.
///
/// # Safety
/// The instruction set `I` is available, `query` has `dim` readable values, `base` `dim` at each row that is asked for,
/// `ids` is null or has `count` values, and `keys` has room for `count`.
#[inline(always)]
pub(crate) unsafe fn many<I: Isa, M: Op, E: Float, const COLUMNS: usize, const PAIR: usize, const QUAD: usize>(
    query: *const E,
    base: *const E,
    dim: usize,
    ids: *const u32,
    count: usize,
    keys: *mut f32,
) {
    // SAFETY: passed on to the caller; every position asked for is below `count`.
    unsafe {
        let row_at = |position: usize| {
            let row = if ids.is_null() { position } else { *ids.add(position) as usize };
            base.add(row * dim)
        };
        let ahead = if ids.is_null() { count } else { prefetch::AHEAD };
        if !ids.is_null() {
            for position in 0..ahead.min(count) {
                prefetch::row(row_at(position), dim);
            }
        }
        let query_square = if M::SQUARES { square::<I, E, COLUMNS>(query, dim) } else { 0.0 };
        let mut row = 0;
        while row + 4 <= count {
            let mut later = row + ahead;
            while later < count.min(row + ahead + 4) {
                prefetch::row(row_at(later), dim);
                later += 1;
            }
            let rows = [row_at(row), row_at(row + 1), row_at(row + 2), row_at(row + 3)];
            let four = four::<I, M, E, COLUMNS, QUAD>(query, rows, dim, query_square);
            keys.add(row).cast::<[f32; 4]>().write_unaligned(four);
            row += 4;
        }
        while row < count {
            keys.add(row).write(one::<I, M, E, COLUMNS, PAIR>(query, row_at(row), dim, query_square));
            row += 1;
        }
    }
}

/// Bytes of queries that are run against each four rows before the next rows are read: they should stay in the
/// second-level cache beside the rows.
const QUERY_BLOCK_BYTES: usize = 256 << 10;

/// Queries in a block at most: what is kept for each of them is on the stack.
const QUERY_BLOCK: usize = 64;

/// The keys of every query with every row, row-major by query.
///
/// # Safety
/// The instruction set `I` is available, `queries` has `query_count * dim` readable values, `base` `row_count * dim`,
/// and `keys` room for `query_count * row_count`.
#[inline(always)]
pub(crate) unsafe fn tile<
    I: Isa,
    M: Op,
    E: Float,
    const COLUMNS: usize,
    const QUAD: usize,
    const Q: usize,
    const R: usize,
    const GROUP: usize,
>(
    queries: *const E,
    query_count: usize,
    base: *const E,
    row_count: usize,
    dim: usize,
    keys: *mut f32,
) {
    let in_block = (QUERY_BLOCK_BYTES / (dim * size_of::<E>())).clamp(Q, QUERY_BLOCK) / Q * Q;
    let mut squares = [0.0; QUERY_BLOCK];
    // SAFETY: passed on to the caller; queries stay below `query_count` and rows below `row_count`.
    unsafe {
        let mut start = 0;
        while start < query_count {
            let count = in_block.min(query_count - start);
            let queries = queries.add(start * dim);
            if M::SQUARES {
                for query in 0..count {
                    squares[query] = square::<I, E, COLUMNS>(queries.add(query * dim), dim);
                }
            }
            let mut row = 0;
            while row < row_count {
                let rows_here = 4.min(row_count - row);
                // The last rows are repeated to make four, and the repeated keys dropped.
                let mut row_at = [base; 4];
                for i in 0..4 {
                    row_at[i] = base.add((row + i.min(rows_here - 1)) * dim);
                }
                let mut query = 0;
                while query + Q <= count {
                    let here = &squares[query..query + Q];
                    let fours = strip::<I, M, E, COLUMNS, Q, R, GROUP>(queries.add(query * dim), row_at, dim, here);
                    for i in 0..Q {
                        let to = keys.add((start + query + i) * row_count + row);
                        fours[i].as_ptr().copy_to_nonoverlapping(to, rows_here);
                    }
                    query += Q;
                }
                while query < count {
                    let query_at = queries.add(query * dim);
                    let four = four::<I, M, E, COLUMNS, QUAD>(query_at, row_at, dim, squares[query]);
                    four.as_ptr().copy_to_nonoverlapping(keys.add((start + query) * row_count + row), rows_here);
                    query += 1;
                }
                row += 4;
            }
            start += count;
        }
    }
}

/// The keys of `Q` queries with four rows, `R` rows at a time.
#[inline(always)]
unsafe fn strip<I: Isa, M: Op, E: Float, const COLUMNS: usize, const Q: usize, const R: usize, const GROUP: usize>(
    queries: *const E,
    rows: [*const E; 4],
    dim: usize,
    query_square: &[f32],
) -> [[f32; 4]; Q] {
    const {
        assert!(4usize.is_multiple_of(R));
    }
    let mut keys = [[0.0; 4]; Q];
    // SAFETY: passed on to the caller.
    unsafe {
        let mut query_at = [queries; Q];
        for i in 0..Q {
            query_at[i] = queries.add(i * dim);
        }
        let mut first = 0;
        while first < 4 {
            let mut row_at = [rows[0]; R];
            row_at.copy_from_slice(&rows[first..first + R]);
            let sums = block::<I, M, E, Q, R, COLUMNS, GROUP>(query_at, row_at, dim);
            for i in 0..Q {
                for j in 0..R {
                    keys[i][first + j] = M::key(sums.cross[i][j], query_square[i], sums.square[j]);
                }
            }
            first += R;
        }
    }
    keys
}
