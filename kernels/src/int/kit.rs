//! What each instruction set says about each element type: how units are loaded, multiplied and added up.
use crate::int::Int;

/// Units that are summed before the lanes are added up and widened to `f64`. The magnitudes of so many terms fit in 31
/// bits together, whatever the values, so no lane and no total wraps: the largest terms are squares of unsigned bytes,
/// `255 * 255 * 32768 < 2^31`, then products of an unsigned and a signed byte, `255 * 128 * 32768`, and those of two
/// pairs of four bits times sixteen, `16 * 450 * 32768`.
pub(crate) const CHUNK: usize = 1 << 15;

/// The operations of one instruction set over one element type.
///
/// A set may have no product of two such numbers, only one of an unsigned and a signed byte. Then it shifts the one
/// operand by 128 and its sums are too large by a *bias*, which depends on the query alone for [`Kit::cross`] and on
/// the row alone for [`Kit::square`].
///
/// # Safety of every function
/// The instruction set is available, and pointers are readable as said.
pub(crate) trait Kit: 'static {
    type Unit: Int;

    /// A register of units as they are stored.
    type Bytes: Copy;

    /// A query's units, prepared for several rows.
    type Query: Copy;

    /// A register of 32-bit sums.
    type Sum: Copy;

    /// Units in a register.
    const STEP: usize;

    /// Whether there is a bias; if not, [`Kit::bias`] adds nothing.
    const BIASED: bool;

    /// Whether L2 of a query with several rows takes [`Kit::gap`] and not products and squares.
    const DIRECT: bool;

    /// [`Kit::cross`] sums products times two to this power.
    const SHIFT: u32;

    unsafe fn zero() -> Self::Sum;

    /// Loads [`Kit::STEP`] units.
    unsafe fn load(from: *const u8) -> Self::Bytes;

    /// Loads `count` units, between 1 and [`Kit::STEP`] of them, and clears the rest of the register. The place of a
    /// unit depends only on `count` and `before`, the units in front of `from` that are readable as well.
    unsafe fn load_last(from: *const u8, count: usize, before: usize) -> Self::Bytes;

    unsafe fn query(units: Self::Bytes) -> Self::Query;

    /// Adds the products, times two to the power [`Kit::SHIFT`], and the query's bias.
    unsafe fn cross(sum: Self::Sum, query: Self::Query, row: Self::Bytes) -> Self::Sum;

    /// Adds the squares, and the row's bias.
    unsafe fn square(sum: Self::Sum, row: Self::Bytes) -> Self::Sum;

    /// Adds the bias.
    unsafe fn bias(sum: Self::Sum, units: Self::Bytes) -> Self::Sum;

    /// Adds the squares, as a sum and what is too much in it.
    #[inline(always)]
    unsafe fn squares([sum, bias]: [Self::Sum; 2], row: Self::Bytes) -> [Self::Sum; 2] {
        // SAFETY: the caller's duty.
        unsafe { [Self::square(sum, row), Self::bias(bias, row)] }
    }

    /// Adds the squares of the differences, as a sum and what is too much in it.
    unsafe fn gap(sums: [Self::Sum; 2], a: Self::Bytes, b: Self::Bytes) -> [Self::Sum; 2];

    unsafe fn add(a: Self::Sum, b: Self::Sum) -> Self::Sum;

    unsafe fn sub(a: Self::Sum, b: Self::Sum) -> Self::Sum;

    /// The total of each, at equal places of `to`.
    unsafe fn totals(sums: &[Self::Sum], to: &mut [i32]);
}

/// Compiles the driver's loops for one instruction set, generic over its kits.
///
/// `wide` and `rows` are the rows of a query that are summed at once: `wide` only of products, and of more registers
/// than `rows`, or of as many if there are none to spare. With `in_turn`, rows beyond the caches are summed one by
/// one. `strip` sums four queries with four rows.
macro_rules! table {
    (
        kit: $kit:path,
        features: [$($feature:tt),*],
        wide: $wide:literal,
        rows: $rows:literal,
        in_turn: $in_turn:literal,
        strip: $strip:path,
    ) => {
        pub(super) const fn cell<K: $kit, M: crate::int::finish::Finish>() -> crate::cell::Cell<K::Unit> {
            crate::cell::Cell { pair: pair::<K, M>, many: rows::<K, M>, tile: tile::<K, M>, square: square::<K> }
        }

        const fn parts<K: $kit, M: crate::int::finish::Finish>() -> crate::int::tile::Parts {
            crate::int::tile::Parts {
                squares: squares::<K>,
                strip: strip::<K>,
                many: many::<K, M>,
                unit: 1.0 / (1u32 << K::SHIFT) as f64,
                biased: K::BIASED,
                direct: K::DIRECT,
            }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn pair<K: $kit, M: crate::int::finish::Finish>(
            a: *const K::Unit,
            b: *const K::Unit,
            dim: usize,
        ) -> f32 {
            let (a, b) = (a.cast(), b.cast());
            // SAFETY: the features are those of this function; the pointers are the caller's duty.
            unsafe {
                if dim > crate::int::kit::CHUNK {
                    return parts::<K, M>().pair_long(M::METRIC, a, b, dim);
                }
                crate::int::driver::pair::<K>(M::METRIC, a, b, dim)
            }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn squares<K: $kit>(row: *const u8, units: usize) -> [i32; 2] {
            // SAFETY: as above.
            unsafe { crate::int::driver::squares::<K>(row, units) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn strip<K: $kit>(queries: *const u8, dim: usize, rows: [*const u8; 4], units: usize) -> [[i32; 4]; 4] {
            // SAFETY: as above.
            unsafe { $strip(queries, dim, rows, units) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn many<K: $kit, M: crate::int::finish::Finish>(
            query: *const u8,
            of_query: [f64; 2],
            to: &crate::int::driver::Targets,
            keys: *mut f32,
        ) {
            // SAFETY: as above.
            unsafe { crate::int::many::many::<K, $wide, $rows, $in_turn>(M::METRIC, query, of_query, to, keys) }
        }

        unsafe fn square<K: $kit>(row: *const K::Unit, dim: usize) -> f32 {
            // SAFETY: the set is available to whoever has the cell; the pointers are the caller's duty.
            unsafe { parts::<K, crate::metric::L2>().squares(row.cast(), dim)[0] as f32 }
        }

        unsafe fn rows<K: $kit, M: crate::int::finish::Finish>(
            query: *const K::Unit,
            base: *const K::Unit,
            dim: usize,
            ids: *const u32,
            count: usize,
            keys: *mut f32,
        ) {
            let to = crate::int::driver::Targets { base: base.cast(), dim, ids, count };
            // SAFETY: as above.
            unsafe { parts::<K, M>().many(M::METRIC, query.cast(), &to, keys) }
        }

        unsafe fn tile<K: $kit, M: crate::int::finish::Finish>(
            queries: *const K::Unit,
            query_count: usize,
            base: *const K::Unit,
            row_count: usize,
            dim: usize,
            keys: *mut f32,
        ) {
            let (queries, base) = ((queries.cast(), query_count), (base.cast(), row_count));
            // SAFETY: as above.
            unsafe { crate::int::tile::tile(&const { parts::<K, M>() }, M::METRIC, queries, base, dim, keys) }
        }
    };
}
pub(crate) use table;
