//! The vocabulary of lanes that each instruction set implements.
//!
//! Every set works on 64 virtual lanes, four sums of sixteen, cut into as many registers ("columns") as it needs, and
//! adds them up in one fixed order. So a key has the same bits on every machine.
use crate::element::{Bf16, F16};

/// A register of `f32` lanes. Having one proves that its instruction set is available, since only the unsafe functions
/// of [`Isa`] make the first; so arithmetic on it is safe.
pub(crate) trait Lane: Copy {
    /// Lane by lane.
    fn add(self, other: Self) -> Self;

    /// Lane by lane.
    fn sub(self, other: Self) -> Self;

    /// `self + a * b`, rounded once.
    fn fma(self, a: Self, b: Self) -> Self;

    /// Folds the 64 virtual lanes, `64 / LANES` registers, onto the lanes of one: the four sums of sixteen are added as
    /// `(0 + 1) + (2 + 3)`, and the sixteen are folded in halves, 8 onto 8, 4 onto 4, as far as it takes. [`place`]
    /// says which register is where. A set whose register is a whole sum also folds the first or the last two sums
    /// alone.
    fn fold<const SPLIT: bool>(columns: &[Self]) -> Self;

    /// Folds on to one lane, 8 onto 8, 4 onto 4, 2 onto 2, 1 onto 1.
    fn total(self) -> f32;

    /// Four totals, for sets that can share the last folds.
    #[inline(always)]
    fn totals([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        [a.total(), b.total(), c.total(), d.total()]
    }
}

/// Where the register of part `part` of the sum of sixteen `sum` is, each sum having `parts` of them: one after
/// another, or, where even and odd components are split, those of two sums in turns.
#[inline(always)]
pub(super) const fn place<const SPLIT: bool>(parts: usize, sum: usize, part: usize) -> usize {
    if SPLIT { 2 * (parts * (sum / 2) + part) + sum % 2 } else { parts * sum + part }
}

/// How an instruction set loads numbers into lanes.
pub(crate) trait Isa {
    /// Its register of `f32` lanes: `LANES` values of `f32` and nothing else.
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

    /// Loads a register of which the first `count` lanes, or all if there are more, are wanted, and clears the others;
    /// reads nothing beyond.
    ///
    /// # Safety
    /// The instruction set is available, `count` is at least 1, and `count` values are readable at `from`.
    unsafe fn load_up_to_f32(from: *const f32, count: usize) -> Self::F32;

    /// Loads and widens a full register.
    ///
    /// # Safety
    /// As [`Isa::load_f32`].
    unsafe fn load_f16(from: *const F16) -> Self::F32;

    /// Loads as [`Isa::load_up_to_f32`] and widens.
    ///
    /// # Safety
    /// As [`Isa::load_up_to_f32`].
    unsafe fn load_up_to_f16(from: *const F16, count: usize) -> Self::F32;

    /// Loads `2 * LANES` values and widens those at even and at odd places.
    ///
    /// # Safety
    /// The instruction set is available and `2 * LANES` values are readable at `from`.
    unsafe fn load_bf16(from: *const Bf16) -> [Self::F32; 2];

    /// Loads the first `count` of `2 * LANES` values, or all if there are more, and widens as [`Isa::load_bf16`].
    ///
    /// # Safety
    /// As [`Isa::load_up_to_f32`].
    unsafe fn load_up_to_bf16(from: *const Bf16, count: usize) -> [Self::F32; 2];
}

/// How many sums the loops of a cell keep in registers. `C` columns (packed registers) make a stride; a pair, or rows in
/// order, `O` (1 or 2) at a time, sum `P` of them in one sweep over the components, `R` rows at a time sum `G`, a tile of
/// `TQ` queries by `TR` rows sums `TG`.
macro_rules! cells {
    ([$($feature:tt),*]) => {
        /// The cell of the arithmetic `A`; `W` is the same with the query made ready, for rows in order, `S` the inner
        /// product over the same columns, `SP` of them in one sweep.
        pub(super) const fn cell<
            A: Arithmetic<Query = <A as Arithmetic>::Stored>,
            W: Arithmetic<Stored = A::Stored>,
            S: Arithmetic<Stored = A::Stored, Query = A::Stored>,
            const C: usize,
            const P: usize,
            const SP: usize,
            const O: usize,
            const R: usize,
            const G: usize,
            const TQ: usize,
            const TR: usize,
            const TG: usize,
        >() -> crate::cell::Cell<A::Stored> {
            crate::cell::Cell {
                pair: pair::<A, C, P>,
                many: many::<A, W, S, C, P, SP, O, R, G>,
                tile: tile::<A, W, S, C, P, SP, O, R, G, TQ, TR, TG>,
                square: square::<S, C, SP>,
            }
        }

        $(#[target_feature(enable = $feature)])*
        #[inline(never)]
        unsafe fn pair<A: Arithmetic<Query = <A as Arithmetic>::Stored>, const C: usize, const P: usize>(
            a: *const A::Stored,
            b: *const A::Stored,
            dim: usize,
        ) -> f32 {
            // SAFETY: the features are those of this function; the pointers are the caller's duty.
            unsafe { crate::float::driver::pair::<A, C, P>(a, b, dim) }
        }

        /// The inner product of a row with itself; the key is its negative.
        unsafe fn square<S: Arithmetic<Query = <S as Arithmetic>::Stored>, const C: usize, const SP: usize>(
            row: *const S::Stored,
            dim: usize,
        ) -> f32 {
            // SAFETY: passed on to the caller.
            0.0 - unsafe { pair::<S, C, SP>(row, row, dim) }
        }

        $(#[target_feature(enable = $feature)])*
        #[inline(never)]
        unsafe fn many<
            A: Arithmetic<Query = <A as Arithmetic>::Stored>,
            W: Arithmetic<Stored = A::Stored>,
            S: Arithmetic<Stored = A::Stored, Query = A::Stored>,
            const C: usize,
            const P: usize,
            const SP: usize,
            const O: usize,
            const R: usize,
            const G: usize,
        >(
            query: *const A::Stored,
            base: *const A::Stored,
            dim: usize,
            ids: *const u32,
            count: usize,
            keys: *mut f32,
        ) {
            let single = crate::float::driver::Single { pair: pair::<A, C, P>, square: square::<S, C, SP> };
            // SAFETY: as for a pair.
            unsafe { crate::float::driver::many::<A, W, C, P, O, R, G>(query, base, dim, ids, count, keys, single) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn tile<
            A: Arithmetic<Query = <A as Arithmetic>::Stored>,
            W: Arithmetic<Stored = A::Stored>,
            S: Arithmetic<Stored = A::Stored, Query = A::Stored>,
            const C: usize,
            const P: usize,
            const SP: usize,
            const O: usize,
            const R: usize,
            const G: usize,
            const TQ: usize,
            const TR: usize,
            const TG: usize,
        >(
            queries: *const A::Stored,
            query_count: usize,
            base: *const A::Stored,
            row_count: usize,
            dim: usize,
            keys: *mut f32,
        ) {
            let rest = crate::float::driver::Rest { many: many::<A, W, S, C, P, SP, O, R, G>, square: square::<S, C, SP> };
            // SAFETY: as for a pair.
            unsafe {
                crate::float::driver::tile::<A, C, TQ, TR, TG>(
                    queries, query_count, base, row_count, dim, keys, rest,
                )
            }
        }
    };
}
pub(crate) use cells;
