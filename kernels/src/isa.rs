//! Instruction sets: the vocabulary of lanes that each one implements, and the list of them.
//!
//! Every set works on 64 virtual lanes, four sums of sixteen, cut into as many registers ("columns") as it needs, and
//! adds them up in one fixed order. So a key has the same bits on every machine.
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod sse;

use std::fmt;

use crate::{driver::Cells, element::F16};

/// Virtual lanes: components that go into separate sums.
pub(crate) const STRIDE: usize = 64;

/// A register of `f32` lanes. Having one proves that its instruction set is available, since only the unsafe functions
/// of [`Isa`] make the first; so arithmetic on it is safe.
pub trait Lane: Copy {
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
pub trait Isa {
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
}

/// Every kernel of an instruction set.
#[derive(Debug)]
pub struct Table {
    pub(crate) f32: Cells<f32>,
    pub(crate) f16: Cells<F16>,
}

/// One instruction set as a user may name it.
pub struct IsaInfo {
    name: &'static str,
    summary: &'static str,
    available: fn() -> bool,
    table: Option<&'static Table>,
}

/// The instruction sets, best first. The last one is always available.
pub static ISAS: &[&IsaInfo] = &[&AVX512, &AVX2, &NEON, &SCALAR];

#[cfg(target_arch = "aarch64")]
use self::neon::INFO as NEON;
use self::scalar::INFO as SCALAR;
#[cfg(target_arch = "x86_64")]
use self::{avx2::INFO as AVX2, avx512::INFO as AVX512};

#[cfg(not(target_arch = "x86_64"))]
static AVX512: IsaInfo = IsaInfo::absent("avx512", "an x86-64 build");
#[cfg(not(target_arch = "x86_64"))]
static AVX2: IsaInfo = IsaInfo::absent("avx2", "an x86-64 build");
#[cfg(not(target_arch = "aarch64"))]
static NEON: IsaInfo = IsaInfo::absent("neon", "a 64-bit Arm build");

impl IsaInfo {
    /// A set that this build has no code for.
    const fn absent(name: &'static str, summary: &'static str) -> Self {
        Self { name, summary, available: || false, table: None }
    }

    /// The name that `ELANUS_ISA` takes.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it needs, in a few words.
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// Whether this CPU, and this build, can run it.
    pub fn is_available(&self) -> bool {
        self.table().is_some()
    }

    /// The kernels, when this CPU can run them. The only way to reach a cell, hence the proof that calling it is sound.
    pub(crate) fn table(&self) -> Option<&'static Table> {
        self.table.filter(|_| (self.available)())
    }
}

impl fmt::Debug for IsaInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
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
        name: $name:literal,
        summary: $summary:literal,
        detect: $detect:ident,
        features: [$($feature:tt),*],
        columns: $columns:literal,
        plain: { pair: $pair:literal, quad: $quad:literal, tile: $queries:literal x $rows:literal x $tile:literal },
        squares: { pair: $pair_sq:literal, quad: $quad_sq:literal, tile: $queries_sq:literal x $rows_sq:literal x $tile_sq:literal },
    ) => {
        pub(super) static INFO: crate::isa::IsaInfo =
            crate::isa::IsaInfo { name: $name, summary: $summary, available, table: Some(&TABLE) };

        static TABLE: crate::isa::Table = crate::isa::Table { f32: cells(), f16: cells() };

        fn available() -> bool {
            true $(&& std::arch::$detect!($feature))*
        }

        const fn cells<E: crate::element::Element>() -> crate::driver::Cells<E> {
            use crate::{driver::{Cell, Cells}, metric::{Cosine, Ip, L2}};
            Cells {
                l2: Cell {
                    pair: pair::<L2, E, $pair>,
                    rows: rows::<L2, E, $pair, $quad>,
                    gather: gather::<L2, E, $pair, $quad>,
                    tile: tile::<L2, E, $quad, $queries, $rows, $tile>,
                },
                ip: Cell {
                    pair: pair::<Ip, E, $pair>,
                    rows: rows::<Ip, E, $pair, $quad>,
                    gather: gather::<Ip, E, $pair, $quad>,
                    tile: tile::<Ip, E, $quad, $queries, $rows, $tile>,
                },
                cosine: Cell {
                    pair: pair::<Cosine, E, $pair_sq>,
                    rows: rows::<Cosine, E, $pair_sq, $quad_sq>,
                    gather: gather::<Cosine, E, $pair_sq, $quad_sq>,
                    tile: tile::<Cosine, E, $quad_sq, $queries_sq, $rows_sq, $tile_sq>,
                },
                square: square::<E>,
            }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn pair<M: crate::metric::Op, E: crate::element::Element, const PAIR: usize>(
            a: *const E,
            b: *const E,
            dim: usize,
        ) -> f32 {
            // SAFETY: the features are those of this function; the pointers are the caller's duty.
            unsafe { crate::driver::pair::<$isa, M, E, $columns, PAIR>(a, b, dim) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn square<E: crate::element::Element>(row: *const E, dim: usize) -> f32 {
            // SAFETY: as above.
            unsafe { crate::driver::square::<$isa, E, $columns>(row, dim) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn rows<M: crate::metric::Op, E: crate::element::Element, const PAIR: usize, const QUAD: usize>(
            query: *const E,
            base: *const E,
            dim: usize,
            count: usize,
            keys: *mut f32,
        ) {
            // SAFETY: as above.
            unsafe { crate::driver::rows::<$isa, M, E, $columns, PAIR, QUAD>(query, base, dim, count, keys) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn gather<M: crate::metric::Op, E: crate::element::Element, const PAIR: usize, const QUAD: usize>(
            query: *const E,
            base: *const E,
            dim: usize,
            ids: &[u32],
            keys: *mut f32,
        ) {
            // SAFETY: as above.
            unsafe { crate::driver::gather::<$isa, M, E, $columns, PAIR, QUAD>(query, base, dim, ids, keys) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn tile<
            M: crate::metric::Op,
            E: crate::element::Element,
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
                crate::driver::tile::<$isa, M, E, $columns, QUAD, Q, R, GROUP>(
                    queries, query_count, base, row_count, dim, keys,
                )
            }
        }
    };
}
pub(crate) use table;
