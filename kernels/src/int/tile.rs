//! What surrounds the loops over components, compiled once for all sets and types: tiles, and sums over whole vectors.
//! A unit is a byte, whatever it holds, and so they are bytes here.
use super::{driver::Targets, finish, kit::CHUNK};
use crate::metric::Metric;

/// Sums of four queries with four rows.
type Strip = unsafe fn(*const u8, usize, [*const u8; 4], usize) -> [[i32; 4]; 4];

/// The compiled functions of a set and type, for vectors of units.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// The sum of the squares of at most [`CHUNK`] units, and the bias.
    pub(super) squares: unsafe fn(*const u8, usize) -> [i32; 2],
    /// The sums of four queries with four rows: `(queries, units from one to the next, rows, units)`.
    pub(super) strip: Strip,
    /// The keys of a query with some rows of at most [`CHUNK`] units, from its side and bias.
    pub(super) many: unsafe fn(*const u8, [f64; 2], &Targets, *mut f32),
    /// The sums of products are times this.
    pub(super) unit: f64,
    /// Whether a query has a bias.
    pub(super) biased: bool,
    /// Whether L2 with several rows needs nothing of the query.
    pub(super) direct: bool,
}

impl Parts {
    /// The sum of the squares, and the bias.
    ///
    /// # Safety
    /// The instruction set of these parts is available, here and below, and `row` has `dim` readable values.
    pub(super) unsafe fn squares(&self, row: *const u8, dim: usize) -> [f64; 2] {
        let mut sums = [0.0; 2];
        let mut at = 0;
        while at < dim {
            let here = CHUNK.min(dim - at);
            // SAFETY: the caller's duty.
            let [square, bias] = unsafe { (self.squares)(row.add(at), here) };
            sums = [sums[0] + f64::from(square), sums[1] + f64::from(bias)];
            at += here;
        }
        sums
    }

    /// The side and the bias of a query.
    ///
    /// # Safety
    /// `query` has `dim` readable values.
    unsafe fn of_query(&self, metric: Metric, query: *const u8, dim: usize) -> [f64; 2] {
        // SAFETY: the caller's duty.
        let [square, bias] = unsafe { self.squares(query, dim) };
        [finish::side(metric, square), bias]
    }

    /// The keys of a query with some rows.
    ///
    /// # Safety
    /// `query` has `dim` readable values, as has each of the rows, and `keys` has room for `count`.
    pub(super) unsafe fn many(&self, metric: Metric, query: *const u8, to: &Targets, keys: *mut f32) {
        let unneeded = matches!(metric, Metric::Ip) || (matches!(metric, Metric::L2) && self.direct);
        if to.count == 0 {
            return;
        }
        // SAFETY: the caller's duty.
        unsafe {
            if to.dim > CHUNK {
                return self.many_long(metric, query, to, keys);
            }
            let of_query = if unneeded { [0.0; 2] } else { self.of_query(metric, query, to.dim) };
            (self.many)(query, of_query, to, keys);
        }
    }

    /// [`Parts::many`] for vectors of more than a chunk, which hardly anybody has: exact, in no hurry, and without
    /// code of its own for each set. One query takes the place of four.
    ///
    /// # Safety
    /// As [`Parts::many`].
    #[cold]
    unsafe fn many_long(&self, metric: Metric, query: *const u8, to: &Targets, keys: *mut f32) {
        // SAFETY: the caller's duty.
        let [side, bias] = unsafe { self.of_query(metric, query, to.dim) };
        for first in (0..to.count).step_by(4) {
            let first = first.min(to.count.saturating_sub(4));
            // SAFETY: the caller's duty; `first` is below `count`, and the last of its four rows too if there are four.
            unsafe {
                let rows = to.group::<4>(first);
                let [cross, ..] = self.strip(query, 0, rows, to.dim);
                let squares = rows.map(|row| self.squares(row, to.dim)[0]);
                let four = finish::four(metric, cross, bias, side, finish::sides(metric, squares));
                four.as_ptr().copy_to_nonoverlapping(keys.add(first), 4.min(to.count - first));
            }
        }
    }

    /// The key of a pair of more than a chunk.
    ///
    /// # Safety
    /// Both pointers have `dim` readable values.
    #[cold]
    pub(super) unsafe fn pair_long(&self, metric: Metric, a: *const u8, b: *const u8, dim: usize) -> f32 {
        let mut key = 0.0;
        let to = Targets { base: b, dim, ids: std::ptr::null(), count: 1 };
        // SAFETY: the caller's duty.
        unsafe { self.many(metric, a, &to, &raw mut key) };
        key
    }

    /// The sums of four queries, `stride` units apart, with four rows.
    ///
    /// # Safety
    /// There are `dim` readable values of each query and row.
    unsafe fn strip(&self, queries: *const u8, stride: usize, mut rows: [*const u8; 4], dim: usize) -> [[f64; 4]; 4] {
        let mut sums = [[0.0; 4]; 4];
        let mut at = 0;
        loop {
            let here = CHUNK.min(dim - at);
            // SAFETY: the caller's duty.
            let part = unsafe { (self.strip)(queries.add(at), stride, rows, here) };
            for i in 0..4 {
                for j in 0..4 {
                    sums[i][j] += f64::from(part[i][j]);
                }
                rows[i] = rows[i].wrapping_add(here);
            }
            at += here;
            if at == dim {
                break;
            }
        }
        if self.unit < 1.0 {
            for sum in sums.as_flattened_mut() {
                *sum *= self.unit;
            }
        }
        sums
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
/// The instruction set is available, `queries` has `query_count * dim` readable values, `base` `row_count * dim`, and
/// `keys` room for `query_count * row_count`.
pub(super) unsafe fn tile(
    parts: &Parts,
    metric: Metric,
    (queries, query_count): (*const u8, usize),
    (base, row_count): (*const u8, usize),
    dim: usize,
    keys: *mut f32,
) {
    let in_block = (QUERY_BLOCK_BYTES / dim).clamp(4, QUERY_BLOCK) / 4 * 4;
    let in_strips = if row_count < 4 { 0 } else { query_count / 4 * 4 };
    // SAFETY: passed on to the caller; queries stay below `query_count`.
    unsafe {
        let mut start = 0;
        while start < in_strips {
            let count = in_block.min(in_strips - start);
            let to = keys.add(start * row_count);
            block(parts, metric, (queries.add(start * dim), count), (base, row_count), dim, to);
            start += count;
        }
        for query in in_strips..query_count {
            let to = Targets { base, dim, ids: std::ptr::null(), count: row_count };
            parts.many(metric, queries.add(query * dim), &to, keys.add(query * row_count));
        }
    }
}

/// [`tile`], of at most [`QUERY_BLOCK`] queries, a multiple of four, and four rows or more.
///
/// # Safety
/// As [`tile`].
unsafe fn block(
    parts: &Parts,
    metric: Metric,
    (queries, query_count): (*const u8, usize),
    (base, row_count): (*const u8, usize),
    dim: usize,
    keys: *mut f32,
) {
    let squares = !matches!(metric, Metric::Ip);
    let mut of_query = [[0.0; 2]; QUERY_BLOCK];
    // SAFETY: passed on to the caller; queries stay below `query_count` and rows below `row_count`.
    unsafe {
        if squares || parts.biased {
            for (query, of_query) in of_query[..query_count].iter_mut().enumerate() {
                *of_query = parts.of_query(metric, queries.add(query * dim), dim);
            }
        }
        for first in (0..row_count).step_by(4) {
            // The last four rows end at the last one, and may begin among those before.
            let first = first.min(row_count - 4);
            let (mut row_at, mut row_side) = ([base; 4], [0.0; 4]);
            for i in 0..4 {
                row_at[i] = base.add((first + i) * dim);
                if squares {
                    row_side[i] = finish::side(metric, parts.squares(row_at[i], dim)[0]);
                }
            }
            for query in (0..query_count).step_by(4) {
                let sums = parts.strip(queries.add(query * dim), dim, row_at, dim);
                for i in 0..4 {
                    let [side, bias] = of_query[query + i];
                    let four = finish::four(metric, sums[i], bias, side, row_side);
                    keys.add((query + i) * row_count + first).cast::<[f32; 4]>().write_unaligned(four);
                }
            }
        }
    }
}
