//! The loops, written once for every operation and instruction set.
//!
//! Short rows are the rule: 128 to 1536 bits are one to three registers of 512. Adding up the lanes of one row's count
//! would cost more than counting, so several rows are counted together and their counts are transposed while they are
//! added up. No register blocking over queries: three operations are done for each load, so loads are never the limit.
//!
//! No iterator adapters where registers pass through, as in `float/driver.rs`.
#![allow(clippy::needless_range_loop, reason = "see above: plain loops keep lanes in registers")]
use super::{
    lanes::{Bits, segment},
    op::{Count, Hamming, Presence},
};
use crate::{element::Binary, prefetch};

/// The pair kernel of a cell.
type Pair = unsafe fn(*const Binary, *const Binary, usize) -> f32;

/// The many kernel of a cell.
type Many = unsafe fn(*const Binary, *const Binary, usize, *const u32, usize, *mut f32);

/// Counts of a query with `R` rows over at most one segment: of the operation, and of the union where it has one.
/// There, where `SHARED`, the second count is of the row's ones alone, which is one operation less.
///
/// # Safety
/// The instruction set is available, `bytes` is at most a segment, and every pointer has that many readable bytes.
#[inline(always)]
unsafe fn counts<I: Bits, M: Count, const R: usize, const SHARED: bool>(
    query: *const u8,
    rows: [*const u8; R],
    bytes: usize,
) -> [[u32; R]; 2] {
    // SAFETY: the instruction set is available. Full registers are read while `at + BYTES <= bytes`, then the rest.
    unsafe {
        let mut first = [I::zero(); R];
        let mut second = [I::zero(); R];
        let whole = bytes / I::BYTES * I::BYTES;
        // The rest comes first, where adding to nothing costs nothing.
        if whole < bytes {
            let query_word = I::load_first(query.add(whole), bytes - whole);
            for row in 0..R {
                let row_word = I::load_first(rows[row].add(whole), bytes - whole);
                first[row] = M::step::<I>(first[row], query_word, row_word);
                if M::UNION {
                    second[row] = I::count(second[row], if SHARED { row_word } else { I::or(query_word, row_word) });
                }
            }
        }
        let mut at = 0;
        while at < whole {
            let query_word = I::load(query.add(at));
            for row in 0..R {
                let row_word = I::load(rows[row].add(at));
                first[row] = M::step::<I>(first[row], query_word, row_word);
                if M::UNION {
                    second[row] = I::count(second[row], if SHARED { row_word } else { I::or(query_word, row_word) });
                }
            }
            at += I::BYTES;
        }
        let mut totals = [[0; R]; 2];
        if M::UNION && R == 1 {
            let [intersection, union] = I::total_two(I::settle::<0>(first[0]), I::settle::<0>(second[0]));
            totals[0][0] = intersection;
            totals[1][0] = union;
            return totals;
        }
        totals[0] = settled::<I, M, R>(first);
        if M::UNION {
            totals[1] = settled::<I, M, R>(second);
        }
        totals
    }
}

/// The total of each sum.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn settled<I: Bits, M: Count, const R: usize>(mut sums: [I::Word; R]) -> [u32; R] {
    // SAFETY: passed on to the caller. The match is over a constant.
    unsafe {
        for row in 0..R {
            sums[row] = match M::LANE {
                0 => I::settle::<0>(sums[row]),
                1 => I::settle::<1>(sums[row]),
                2 => I::settle::<2>(sums[row]),
                4 => I::settle::<4>(sums[row]),
                _ => I::settle::<8>(sums[row]),
            };
        }
        I::totals(sums)
    }
}

/// The key of two vectors of any length, segment by segment.
///
/// # Safety
/// The instruction set is available, and both pointers have `bytes` readable bytes.
#[inline(always)]
pub(super) unsafe fn long<I: Bits, M: Count>(a: *const u8, b: *const u8, bytes: usize) -> f32 {
    let step = const { segment::<I>(M::LANE) };
    let (mut count, mut union) = (0, 0);
    let mut at = 0;
    while at < bytes {
        let here = step.min(bytes - at);
        // SAFETY: passed on to the caller; `at + here` is at most `bytes`.
        let [first, second] = unsafe { counts::<I, M, 1, false>(a.add(at), [b.add(at)], here) };
        count += u64::from(first[0]);
        union += u64::from(second[0]);
        at += here;
    }
    M::key_of_long(count, union, bytes)
}

/// The keys of a query with `R` rows of at most one segment.
///
/// # Safety
/// As [`counts`].
#[inline(always)]
unsafe fn keys<I: Bits, M: Count, const R: usize>(
    query: *const u8,
    rows: [*const u8; R],
    bytes: usize,
    query_ones: u32,
) -> [f32; R] {
    // SAFETY: passed on to the caller.
    let [first, second] = unsafe { counts::<I, M, R, true>(query, rows, bytes) };
    let mut keys = [0.0; R];
    for row in 0..R {
        keys[row] = M::key(first[row], (query_ones + second[row]).wrapping_sub(first[row]), bytes);
    }
    keys
}

/// Registers that are looked at between two questions whether there is a bit already.
const PRESENCE_STEP: usize = 4;

/// 1 if the operation finds a bit, else 0. No branch depends on the bits before the fifth register.
///
/// # Safety
/// The instruction set is available, and both pointers have `bytes` readable bytes.
#[inline(always)]
pub(super) unsafe fn presence<I: Bits, M: Presence>(query: *const u8, row: *const u8, bytes: usize) -> f32 {
    // SAFETY: as in `counts`.
    unsafe {
        let mut found = I::zero();
        let mut at = 0;
        while at + PRESENCE_STEP * I::BYTES < bytes {
            for i in 0..PRESENCE_STEP {
                let start = at + i * I::BYTES;
                found = I::or(found, M::word::<I>(I::load(query.add(start)), I::load(row.add(start))));
            }
            if I::any(found) {
                return 1.0;
            }
            at += PRESENCE_STEP * I::BYTES;
        }
        while at + I::BYTES <= bytes {
            found = I::or(found, M::word::<I>(I::load(query.add(at)), I::load(row.add(at))));
            at += I::BYTES;
        }
        if at < bytes {
            let count = bytes - at;
            let word = M::word::<I>(I::load_first(query.add(at), count), I::load_first(row.add(at), count));
            found = I::or(found, word);
        }
        f32::from(u8::from(I::any(found)))
    }
}

/// The key of two vectors; `long` is of the same cell.
///
/// # Safety
/// The instruction set is available, and both pointers have `bytes` readable bytes.
#[inline(always)]
pub(super) unsafe fn pair<I: Bits, M: Count>(a: *const u8, b: *const u8, bytes: usize, long: Pair) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe {
        if bytes > const { segment::<I>(M::LANE) } {
            return long(a.cast(), b.cast(), bytes);
        }
        let [first, second] = counts::<I, M, 1, false>(a, [b], bytes);
        M::key(first[0], second[0], bytes)
    }
}

/// The count of two vectors.
///
/// # Safety
/// The instruction set is available, and both pointers have `bytes` readable bytes.
#[inline(always)]
pub(super) unsafe fn count<I: Bits, M: Count>(a: *const u8, b: *const u8, bytes: usize) -> u64 {
    let step = const { segment::<I>(M::LANE) };
    let (mut total, mut at) = (0, 0);
    while at < bytes {
        let here = step.min(bytes - at);
        // SAFETY: passed on to the caller; `at + here` is at most `bytes`.
        let [[count], _] = unsafe { counts::<I, M, 1, false>(a.add(at), [b.add(at)], here) };
        total += u64::from(count);
        at += here;
    }
    total
}

/// The one bits of a vector.
///
/// # Safety
/// The instruction set is available, and the pointer has `bytes` readable bytes.
#[inline(always)]
pub(super) unsafe fn ones<I: Bits>(row: *const u8, bytes: usize) -> u64 {
    let (mut total, mut at) = (0, 0);
    while at < bytes {
        let here = I::SEGMENT.min(bytes - at);
        // SAFETY: passed on to the caller; `at + here` is at most `bytes`.
        total += u64::from(unsafe { ones_of_segment::<I>(row.add(at), here) });
        at += here;
    }
    total
}

/// The one bits of at most one segment.
///
/// # Safety
/// As [`ones`]; `bytes` is at most `I::SEGMENT`.
#[inline(always)]
unsafe fn ones_of_segment<I: Bits>(row: *const u8, bytes: usize) -> u32 {
    // SAFETY: as in `counts`.
    unsafe {
        let mut sum = I::zero();
        let mut at = 0;
        while at + I::BYTES <= bytes {
            sum = I::count(sum, I::load(row.add(at)));
            at += I::BYTES;
        }
        if at < bytes {
            sum = I::count(sum, I::load_first(row.add(at), bytes - at));
        }
        settled::<I, Hamming, 1>([sum])[0]
    }
}

/// The row at a position.
///
/// # Safety
/// `base` has the row that `ids` names there or, where it is null, the row of that number.
#[inline(always)]
unsafe fn row_at(base: *const u8, bytes: usize, ids: *const u32, position: usize) -> *const u8 {
    // SAFETY: passed on to the caller.
    unsafe {
        let row = if ids.is_null() { position } else { *ids.add(position) as usize };
        base.add(row * bytes)
    }
}

/// Where rows are taken one by one and named by id, asks at every [`prefetch::AHEAD`]th position for those that follow
/// its group, and at the first one for its group too.
///
/// # Safety
/// `ids` is null or has `count` values, and `position` is below that.
#[inline(always)]
unsafe fn ask_after(base: *const u8, bytes: usize, ids: *const u32, count: usize, position: usize) {
    if !ids.is_null() && position.is_multiple_of(prefetch::AHEAD) {
        let from = if position == 0 { 0 } else { (position + prefetch::AHEAD).min(count) };
        let to = (position + 2 * prefetch::AHEAD).min(count);
        // SAFETY: `from` to `to` are within the `count` values.
        unsafe { prefetch::rows(base, bytes, ids.add(from), to - from) };
    }
}

/// [`presence`] of `count` rows: those that `ids` names, or the first ones where it is null.
///
/// # Safety
/// The instruction set is available, `query` has `bytes` readable bytes, `base` `bytes` at each row that is asked for,
/// `ids` is null or has `count` values, and `keys` has room for `count`.
#[inline(always)]
pub(super) unsafe fn presences<I: Bits, M: Presence>(
    query: *const u8,
    base: *const u8,
    bytes: usize,
    ids: *const u32,
    count: usize,
    keys: *mut f32,
) {
    for position in 0..count {
        // SAFETY: passed on to the caller; every position is below `count`.
        unsafe {
            ask_after(base, bytes, ids, count, position);
            keys.add(position).write(presence::<I, M>(query, row_at(base, bytes, ids, position), bytes));
        }
    }
}

/// The keys of `count` rows: those that `ids` names, or the first ones where it is null. Rows named by id are asked for
/// while earlier ones are computed; consecutive rows are left to the hardware's own prefetching.
///
/// # Safety
/// The instruction set is available, `query` has `bytes` readable bytes, `base` `bytes` at each row that is asked for,
/// `ids` is null or has `count` values, `keys` has room for `count`, and `pair` is of the same cell.
#[inline(always)]
pub(super) unsafe fn many<I: Bits, M: Count, const R: usize>(
    query: *const u8,
    base: *const u8,
    bytes: usize,
    ids: *const u32,
    count: usize,
    keys_out: *mut f32,
    pair: Pair,
) {
    // SAFETY: passed on to the caller; every position asked for is below `count`.
    unsafe {
        // One by one where a row is longer than a segment, and where there are too few.
        if count < R || bytes > const { segment::<I>(M::LANE) } {
            for position in 0..count {
                ask_after(base, bytes, ids, count, position);
                let key = pair(query.cast(), row_at(base, bytes, ids, position).cast(), bytes);
                keys_out.add(position).write(key);
            }
            return;
        }
        if !ids.is_null() {
            prefetch::rows(base, bytes, ids, prefetch::AHEAD.min(count));
        }
        let query_ones = if M::UNION { ones_of_segment::<I>(query, bytes) } else { 0 };
        let mut row = 0;
        loop {
            let mut rows = [base; R];
            if ids.is_null() {
                let first = base.add(row * bytes);
                for i in 0..R {
                    rows[i] = first.add(i * bytes);
                }
            } else {
                let later = (row + prefetch::AHEAD).min(count);
                prefetch::rows(base, bytes, ids.add(later), R.min(count - later));
                for i in 0..R {
                    rows[i] = base.add(*ids.add(row + i) as usize * bytes);
                }
            }
            let block = keys::<I, M, R>(query, rows, bytes, query_ones);
            keys_out.add(row).cast::<[f32; R]>().write_unaligned(block);
            if row + R == count {
                return;
            }
            // The last block ends with the last row: rows that were in the block before have the same keys again.
            row = (row + R).min(count - R);
        }
    }
}

/// Bytes of rows that every query is run against before the next rows are read: half of a small first-level cache.
const STRIP_BYTES: usize = 16 << 10;

/// Rows in a strip at least, so that the query's own work is spread over enough of them.
const STRIP_ROWS: usize = 32;

/// The keys of every query with every row, row-major by query.
///
/// # Safety
/// What `many` needs is there: `queries` has `query_count * bytes` readable bytes, `base` `row_count * bytes`, and
/// `keys` room for `query_count * row_count`.
pub(super) unsafe fn tile(
    queries: *const Binary,
    query_count: usize,
    base: *const Binary,
    row_count: usize,
    bytes: usize,
    keys: *mut f32,
    many: Many,
) {
    let strip = (STRIP_BYTES / bytes.max(1)).max(STRIP_ROWS);
    let mut row = 0;
    while row < row_count {
        let here = strip.min(row_count - row);
        for query in 0..query_count {
            // SAFETY: passed on to the caller; queries stay below `query_count` and rows below `row_count`.
            unsafe {
                let to = keys.add(query * row_count + row);
                many(queries.add(query * bytes), base.add(row * bytes), bytes, std::ptr::null(), here, to);
            }
        }
        row += here;
    }
}
