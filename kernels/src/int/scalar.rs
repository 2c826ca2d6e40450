//! Plain Rust, for any CPU: the definitions, which every other set is compared with.
use super::{
    Int,
    finish::{self, Finish},
    kit::CHUNK,
};
use crate::{cell::Cell, metric::Metric};

pub(super) const fn cell<E: Int, M: Finish>() -> Cell<E> {
    Cell { pair: pair::<E, M>, many: many::<E, M>, tile: tile::<E, M>, square: square::<E> }
}

/// The sum of `term` over all components. Terms are below `255 * 255` in magnitude, and a chunk of them fits in 32
/// bits.
#[inline(always)]
fn sum<E: Int>(a: &[E], b: &[E], term: impl Fn(i32, i32) -> i32) -> i64 {
    let mut total = 0;
    for (a, b) in a.chunks(CHUNK).zip(b.chunks(CHUNK)) {
        let mut part = 0;
        for (a, b) in a.iter().zip(b) {
            let ([a, a_next], [b, b_next]) = (a.parts(), b.parts());
            part += term(a, b) + term(a_next, b_next);
        }
        total += i64::from(part);
    }
    total
}

fn product<E: Int>(a: &[E], b: &[E]) -> f64 {
    sum(a, b, |a, b| a * b) as f64
}

fn gap<E: Int>(a: &[E], b: &[E]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b)) as f64
}

/// The side of a vector, where it is needed.
fn side<E: Int, M: Finish>(a: &[E]) -> f64 {
    if matches!(M::METRIC, Metric::Cosine) { finish::side(Metric::Cosine, product(a, a)) } else { 0.0 }
}

/// The key, from the [`side`] of the query.
fn key<E: Int, M: Finish>(query: &[E], row: &[E], query_side: f64) -> f32 {
    if matches!(M::METRIC, Metric::L2) {
        return gap(query, row) as f32;
    }
    finish::key(M::METRIC, product(query, row), query_side, side::<E, M>(row))
}

/// # Safety
/// Both pointers have `dim` readable values.
unsafe fn pair<E: Int, M: Finish>(a: *const E, b: *const E, dim: usize) -> f32 {
    // SAFETY: the caller's duty.
    let (a, b) = unsafe { (std::slice::from_raw_parts(a, dim), std::slice::from_raw_parts(b, dim)) };
    key::<E, M>(a, b, side::<E, M>(a))
}

/// # Safety
/// The pointer has `dim` readable values.
unsafe fn square<E: Int>(row: *const E, dim: usize) -> f32 {
    // SAFETY: the caller's duty.
    let row = unsafe { std::slice::from_raw_parts(row, dim) };
    product(row, row) as f32
}

/// # Safety
/// `query` has `dim` readable values, `base` `dim` at each row that is asked for, `ids` is null or has `count`
/// values, and `keys` has room for `count`.
unsafe fn many<E: Int, M: Finish>(
    query: *const E,
    base: *const E,
    dim: usize,
    ids: *const u32,
    count: usize,
    keys: *mut f32,
) {
    // SAFETY: the caller's duty; every position is below `count`.
    unsafe {
        let query = std::slice::from_raw_parts(query, dim);
        let side = side::<E, M>(query);
        for position in 0..count {
            let row = if ids.is_null() { position } else { *ids.add(position) as usize };
            let row = std::slice::from_raw_parts(base.add(row * dim), dim);
            keys.add(position).write(key::<E, M>(query, row, side));
        }
    }
}

/// # Safety
/// `queries` has `query_count * dim` readable values, `base` `row_count * dim`, and `keys` room for
/// `query_count * row_count`.
unsafe fn tile<E: Int, M: Finish>(
    queries: *const E,
    query_count: usize,
    base: *const E,
    row_count: usize,
    dim: usize,
    keys: *mut f32,
) {
    for query in 0..query_count {
        // SAFETY: the caller's duty; queries stay below `query_count`.
        unsafe {
            let to = keys.add(query * row_count);
            many::<E, M>(queries.add(query * dim), base, dim, std::ptr::null(), row_count, to);
        }
    }
}
