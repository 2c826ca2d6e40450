//! The loops over components, written once for every metric, element type and instruction set.
//!
//! Everything comes down to [`block`], one query against some rows, and [`strip`], four queries against four rows.
//! Both run over at most [`CHUNK`](super::kit::CHUNK) units, within which 32-bit sums hold. Longer vectors are cut in
//! [`super::tile`].
//!
//! Plain loops over counters throughout: iterator adapters, array `map` and even ranges are functions with closures of
//! their own, which may be compiled without the instruction set, and which the compiler is slow to take apart.
use super::{
    finish,
    kit::Kit,
    ops::{Exact, Gap, Op, Squares, Three},
};
use crate::{metric::Metric, prefetch};

/// How far ahead of several rows memory is asked for, in bytes, so that all of the next ones are on their way.
const AHEAD: usize = 8192;

/// How far ahead of a single row memory is asked for, in bytes. Measured on Zen 5 out of the caches with AVX-512:
/// squares run at 97 % of the rate of reading with this, at 95 % with 2 KiB less or more, and at two thirds without.
const ROW_AHEAD: usize = 4096;

/// Rows of no more bytes than this are likely to be in the first-level cache.
pub(super) const CACHED_BYTES: usize = 40 << 10;

/// The sums of at most [`CHUNK`](super::kit::CHUNK) units, of which `UNROLL` registers at once go into sums of their
/// own, as lanes that are yet to be added up. If `ahead`, as many lines are asked for as are read, in the order of
/// their addresses; then the rows follow each other.
///
/// # Safety
/// The instruction set is available, and `query` and each row have `dim` readable values.
#[inline(always)]
pub(super) unsafe fn lanes<K: Kit, O: Op<K, OUT>, const OUT: usize, const R: usize, const UNROLL: usize>(
    query: *const u8,
    rows: [*const u8; R],
    dim: usize,
    ahead: bool,
) -> [[K::Sum; R]; OUT] {
    // SAFETY: the instruction set is available; whole registers are loaded while they end by `dim`, then the rest of
    // one at most, which has the `at` values before it.
    unsafe {
        let mut sums = [[O::zero(); UNROLL]; R];
        let mut at = 0;
        while at + UNROLL * K::STEP <= dim {
            let mut i = 0;
            while i < UNROLL {
                let units = O::query(K::load(query.add(at + i * K::STEP)));
                let mut row = 0;
                while row < R {
                    if ahead && ((i * R + row) * K::STEP).is_multiple_of(prefetch::LINE_BYTES) {
                        let further = if R == 1 { ROW_AHEAD } else { AHEAD };
                        prefetch::line(rows[0].wrapping_add(at * R + (i * R + row) * K::STEP + further));
                    }
                    sums[row][i] = O::step(sums[row][i], units, K::load(rows[row].add(at + i * K::STEP)));
                    row += 1;
                }
                i += 1;
            }
            at += UNROLL * K::STEP;
        }
        let mut i = 0;
        while i + 1 < UNROLL && at + K::STEP <= dim {
            let units = O::query(K::load(query.add(at)));
            let mut row = 0;
            while row < R {
                sums[row][i] = O::step(sums[row][i], units, K::load(rows[row].add(at)));
                row += 1;
            }
            at += K::STEP;
            i += 1;
        }
        if at < dim {
            let units = O::query(K::load_last(query.add(at), dim - at, at));
            let mut row = 0;
            while row < R {
                let last = K::load_last(rows[row].add(at), dim - at, at);
                sums[row][UNROLL - 1] = O::step(sums[row][UNROLL - 1], units, last);
                row += 1;
            }
        }
        join::<K, O, OUT, R, UNROLL>(sums)
    }
}

/// Adds up the registers of each row.
#[inline(always)]
unsafe fn join<K: Kit, O: Op<K, OUT>, const OUT: usize, const R: usize, const UNROLL: usize>(
    sums: [[O::Sums; UNROLL]; R],
) -> [[K::Sum; R]; OUT] {
    // SAFETY: the caller's duty.
    unsafe {
        let mut lanes = [[K::zero(); R]; OUT];
        let mut row = 0;
        while row < R {
            let mut all = sums[row][0];
            let mut i = 1;
            while i < UNROLL {
                all = O::join(all, sums[row][i]);
                i += 1;
            }
            let outputs = O::outputs(all);
            i = 0;
            while i < OUT {
                lanes[i][row] = outputs[i];
                i += 1;
            }
            row += 1;
        }
        lanes
    }
}

/// Adds up lanes.
#[inline(always)]
pub(super) unsafe fn totals<K: Kit, const OUT: usize, const R: usize>(lanes: [[K::Sum; R]; OUT]) -> [[i32; R]; OUT] {
    let mut totals = [[0; R]; OUT];
    // SAFETY: the caller's duty.
    unsafe { K::totals(lanes.as_flattened(), totals.as_flattened_mut()) }
    totals
}

/// The totals of [`lanes`].
///
/// # Safety
/// As [`lanes`].
#[inline(always)]
pub(super) unsafe fn block<K: Kit, O: Op<K, OUT>, const OUT: usize, const R: usize, const UNROLL: usize>(
    query: *const u8,
    rows: [*const u8; R],
    dim: usize,
) -> [[i32; R]; OUT] {
    // SAFETY: passed on to the caller.
    unsafe { totals::<K, OUT, R>(lanes::<K, O, OUT, R, UNROLL>(query, rows, dim, false)) }
}

/// [`block`], in `f64`.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn sums<K: Kit, O: Op<K, OUT>, const OUT: usize, const R: usize, const UNROLL: usize>(
    query: *const u8,
    rows: [*const u8; R],
    dim: usize,
) -> [[f64; R]; OUT] {
    // SAFETY: passed on to the caller.
    let totals = unsafe { block::<K, O, OUT, R, UNROLL>(query, rows, dim) };
    let mut sums = [[0.0; R]; OUT];
    let mut i = 0;
    while i < OUT {
        // A power of two, so that this is exact.
        let unit = if i == 0 { 1.0 / f64::from(1 << O::SHIFT) } else { 1.0 };
        let mut row = 0;
        while row < R {
            sums[i][row] = f64::from(totals[i][row]) * unit;
            row += 1;
        }
        i += 1;
    }
    sums
}

/// The key of one pair of at most [`CHUNK`](super::kit::CHUNK) units.
///
/// # Safety
/// The instruction set is available and both pointers have `dim` readable values.
#[inline(always)]
pub(super) unsafe fn pair<K: Kit>(metric: Metric, a: *const u8, b: *const u8, dim: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe {
        if matches!(metric, Metric::L2) {
            let [[gap]] = sums::<K, Gap, 1, 1, 4>(a, [b], dim);
            gap as f32
        } else if matches!(metric, Metric::Cosine) {
            let [[cross], [a_square], [b_square]] = sums::<K, Three, 3, 1, 2>(a, [b], dim);
            finish::key(metric, cross, finish::side(metric, a_square), finish::side(metric, b_square))
        } else {
            let [[cross], _] = sums::<K, Exact, 2, 1, 4>(a, [b], dim);
            finish::ip(cross)
        }
    }
}

/// The sum of the squares of at most [`CHUNK`](super::kit::CHUNK) units, and the bias.
///
/// # Safety
/// The instruction set is available and the pointer has `dim` readable values.
#[inline(always)]
pub(super) unsafe fn squares<K: Kit>(row: *const u8, dim: usize) -> [i32; 2] {
    // SAFETY: passed on to the caller.
    let [[square], [bias]] = unsafe { block::<K, Squares, 2, 1, 4>(row, [row], dim) };
    [square, bias]
}

/// The rows that a query is compared with: those that `ids` names, or the first ones where it is null.
pub(super) struct Targets {
    pub(super) base: *const u8,
    pub(super) dim: usize,
    pub(super) ids: *const u32,
    pub(super) count: usize,
}

impl Targets {
    /// `R` rows from `first`; the last one is repeated where there are fewer.
    ///
    /// # Safety
    /// `first` is below `count`, and there are such rows.
    #[inline(always)]
    pub(super) unsafe fn group<const R: usize>(&self, first: usize) -> [*const u8; R] {
        // SAFETY: the caller's duty.
        unsafe {
            if self.ids.is_null() && self.count - first >= R {
                return self.successive::<R>(first);
            }
            let mut rows = [self.base; R];
            self.look_up(first, &mut rows);
            rows
        }
    }

    /// `R` rows from `first`, each of which follows the one before.
    ///
    /// # Safety
    /// There are so many rows, and no ids.
    #[inline(always)]
    pub(super) unsafe fn successive<const R: usize>(&self, first: usize) -> [*const u8; R] {
        let mut rows = [self.base; R];
        // SAFETY: the caller's duty.
        unsafe {
            // From row to row, and not by a product for each.
            rows[0] = self.base.add(first * self.dim);
            let mut i = 1;
            while i < R {
                rows[i] = rows[i - 1].add(self.dim);
                i += 1;
            }
        }
        rows
    }

    /// The rows from `first`, while later ones are asked for if they are named by id; consecutive rows are left to
    /// the hardware's own prefetching. A function of its own, in plain code: where it is inlined into wide registers,
    /// products of addresses become vector code, which is slower, and each loop holds copies of the prefetches.
    ///
    /// # Safety
    /// `first` is below `count`, and there are such rows.
    #[inline(never)]
    unsafe fn look_up(&self, first: usize, rows: &mut [*const u8]) {
        // SAFETY: the caller's duty; positions are below `count`.
        unsafe {
            if !self.ids.is_null() {
                let start = if first == 0 { 0 } else { first + prefetch::AHEAD };
                for position in start..(first + prefetch::AHEAD + rows.len()).min(self.count) {
                    prefetch::row(self.base.add(*self.ids.add(position) as usize * self.dim), self.dim);
                }
            }
            for (i, to) in rows.iter_mut().enumerate() {
                let position = (first + i).min(self.count - 1);
                let row = if self.ids.is_null() { position } else { *self.ids.add(position) as usize };
                *to = self.base.add(row * self.dim);
            }
        }
    }
}

/// The sums of at most [`CHUNK`](super::kit::CHUNK) units of four queries, `dim` units apart, with four rows, `Q`
/// queries at a time.
///
/// # Safety
/// The instruction set is available, and there are `here` readable values of each query and row.
#[inline(always)]
pub(super) unsafe fn strip<K: Kit, const Q: usize>(
    queries: *const u8,
    dim: usize,
    rows: [*const u8; 4],
    here: usize,
) -> [[i32; 4]; 4] {
    let mut sums = [[0; 4]; 4];
    let mut first = 0;
    while first < 4 {
        // SAFETY: passed on to the caller.
        let part = unsafe { strip_part::<K, Q>(queries.add(first * dim), dim, rows, here) };
        sums[first..first + Q].copy_from_slice(&part);
        first += Q;
    }
    sums
}

/// [`strip`], of `Q` queries.
///
/// # Safety
/// As [`strip`].
#[inline(always)]
unsafe fn strip_part<K: Kit, const Q: usize>(
    queries: *const u8,
    dim: usize,
    [a, b, c, d]: [*const u8; 4],
    here: usize,
) -> [[i32; 4]; Q] {
    // SAFETY: passed on to the caller; as in `block`.
    unsafe {
        let mut sums = [[K::zero(); 4]; Q];
        let mut at = 0;
        while at + K::STEP <= here {
            let units = [K::load(a.add(at)), K::load(b.add(at)), K::load(c.add(at)), K::load(d.add(at))];
            let mut query = 0;
            while query < Q {
                let prepared = K::query(K::load(queries.add(query * dim + at)));
                sums[query] = four::<K>(sums[query], prepared, units);
                query += 1;
            }
            at += K::STEP;
        }
        if at < here {
            let count = here - at;
            let units = [
                K::load_last(a.add(at), count, at),
                K::load_last(b.add(at), count, at),
                K::load_last(c.add(at), count, at),
                K::load_last(d.add(at), count, at),
            ];
            let mut query = 0;
            while query < Q {
                let prepared = K::query(K::load_last(queries.add(query * dim + at), count, at));
                sums[query] = four::<K>(sums[query], prepared, units);
                query += 1;
            }
        }
        let mut totals = [[0; 4]; Q];
        K::totals(sums.as_flattened(), totals.as_flattened_mut());
        totals
    }
}

/// Adds the products of a query with four rows.
#[inline(always)]
unsafe fn four<K: Kit>([a, b, c, d]: [K::Sum; 4], query: K::Query, rows: [K::Bytes; 4]) -> [K::Sum; 4] {
    // SAFETY: the caller's duty.
    unsafe {
        [
            K::cross(a, query, rows[0]),
            K::cross(b, query, rows[1]),
            K::cross(c, query, rows[2]),
            K::cross(d, query, rows[3]),
        ]
    }
}
