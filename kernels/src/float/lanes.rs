//! The vocabulary of lanes that each instruction set implements.
//!
//! Every set works on 64 virtual lanes, four sums of sixteen, cut into as many registers ("columns") as it needs, and
//! adds them up in one fixed order. So a key has the same bits on every machine.
use crate::element::{Bf16, F16};

/// Virtual lanes: components that go into separate sums.
pub(crate) const STRIDE: usize = 64;

/// A register of `f32` lanes. Having one proves that its instruction set is available, since only the unsafe functions
/// of [`Isa`] make the first; so arithmetic on it is safe.
pub(crate) trait Lane: Copy {
    /// Lane by lane.
    fn add(self, other: Self) -> Self;

    /// Lane by lane.
    fn sub(self, other: Self) -> Self;

    /// `self + a * b`, rounded once.
    fn fma(self, a: Self, b: Self) -> Self;

    /// The sum of all 64 virtual lanes: the four sums of sixteen are added as `(0 + 1) + (2 + 3)`, and the sixteen are
    /// folded in halves, 8 onto 8, 4 onto 4, 2 onto 2, 1 onto 1.
    fn total<const COLUMNS: usize>(columns: &[Self; COLUMNS]) -> f32;

    /// Four totals, for sets that can share the last folds.
    #[inline(always)]
    fn totals<const COLUMNS: usize>(four: [&[Self; COLUMNS]; 4]) -> [f32; 4] {
        let [a, b, c, d] = four;
        [Self::total(a), Self::total(b), Self::total(c), Self::total(d)]
    }
}

/// How an instruction set loads numbers into lanes.
pub(crate) trait Isa {
    /// Its register of `f32` lanes.
    type F32: Lane;

    /// Lanes in [`Isa::F32`]; divides 16.
    const LANES: usize;

    /// All lanes zero.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn zero() -> Self::F32;

    /// Loads a full register.
    ///
    /// # Safety
    /// The instruction set is available and `LANES` values are readable at `from`.
    unsafe fn load_f32(from: *const f32) -> Self::F32;

    /// Loads the first `count` lanes and clears the others; reads nothing beyond.
    ///
    /// # Safety
    /// The instruction set is available, `count` is in `1..LANES`, and `count` values are readable at `from`.
    unsafe fn load_first_f32(from: *const f32, count: usize) -> Self::F32;

    /// Loads and widens a full register.
    ///
    /// # Safety
    /// As [`Isa::load_f32`].
    unsafe fn load_f16(from: *const F16) -> Self::F32;

    /// Loads and widens the first `count` lanes and clears the others; reads nothing beyond.
    ///
    /// # Safety
    /// As [`Isa::load_first_f32`].
    unsafe fn load_first_f16(from: *const F16, count: usize) -> Self::F32;

    /// Loads and widens a full register.
    ///
    /// # Safety
    /// As [`Isa::load_f32`].
    unsafe fn load_bf16(from: *const Bf16) -> Self::F32;

    /// Loads and widens the first `count` lanes and clears the others; reads nothing beyond.
    ///
    /// # Safety
    /// As [`Isa::load_first_f32`].
    unsafe fn load_first_bf16(from: *const Bf16, count: usize) -> Self::F32;
}

/// Compiles the driver's loops for one instruction set, for every metric and element type.
///
/// `columns` is [`STRIDE`] over the lanes of a register. The groups say how many columns are summed in one sweep over
/// the components, so that the sums stay in registers: a pair holds `pair` sums, four rows `4 * quad`, and a
/// tile of queries x rows x columns their product; where squares are summed too there is one more for each row and
/// column.
macro_rules! table {
    (
        isa: $isa:ty,
        features: [$($feature:tt),*],
        columns: $columns:literal,
        plain: { pair: $pair:literal, quad: $quad:literal, tile: $queries:literal x $rows:literal x $tile:literal },
        squares: { pair: $pair_sq:literal, quad: $quad_sq:literal, tile: $queries_sq:literal x $rows_sq:literal x $tile_sq:literal },
    ) => {
        pub(super) const fn plain<M: crate::metric::Op, E: crate::float::Float>() -> crate::cell::Cell<E> {
            crate::cell::Cell {
                pair: pair::<M, E, $pair>,
                many: many::<M, E, $pair, $quad>,
                tile: tile::<M, E, $quad, $queries, $rows, $tile>,
                square: square::<E>,
            }
        }

        pub(super) const fn squares<M: crate::metric::Op, E: crate::float::Float>() -> crate::cell::Cell<E> {
            crate::cell::Cell {
                pair: pair::<M, E, $pair_sq>,
                many: many::<M, E, $pair_sq, $quad_sq>,
                tile: tile::<M, E, $quad_sq, $queries_sq, $rows_sq, $tile_sq>,
                square: square::<E>,
            }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn pair<M: crate::metric::Op, E: crate::float::Float, const PAIR: usize>(
            a: *const E,
            b: *const E,
            dim: usize,
        ) -> f32 {
            // SAFETY: the features are those of this function; the pointers are the caller's duty.
            unsafe { crate::float::driver::pair::<$isa, M, E, $columns, PAIR>(a, b, dim) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn square<E: crate::float::Float>(row: *const E, dim: usize) -> f32 {
            // SAFETY: as above.
            unsafe { crate::float::driver::square::<$isa, E, $columns>(row, dim) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn many<M: crate::metric::Op, E: crate::float::Float, const PAIR: usize, const QUAD: usize>(
            query: *const E,
            base: *const E,
            dim: usize,
            ids: *const u32,
            count: usize,
            keys: *mut f32,
        ) {
            // SAFETY: as above.
            unsafe { crate::float::driver::many::<$isa, M, E, $columns, PAIR, QUAD>(query, base, dim, ids, count, keys) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn tile<
            M: crate::metric::Op,
            E: crate::float::Float,
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
            // SAFETY: as above.
            unsafe {
                crate::float::driver::tile::<$isa, M, E, $columns, QUAD, Q, R, GROUP>(
                    queries, query_count, base, row_count, dim, keys,
                )
            }
        }
    };
}
pub(crate) use table;
