//! The loops over rows and over blocks, written once for every instruction set and plane.
//!
//! Loops take a few rows at a time, so that each register of the query is loaded once for all of them and there are
//! enough independent sums to hide the latency of the products. Where fewer rows are left, the last one stands in for
//! those that lack: it is computed again, which takes no longer than a loop of its own would.
//!
//! No iterator adapters or array `map` where registers pass through: their closures may be compiled as functions of
//! their own, without the instruction set, and then every operation is a call.
#![allow(clippy::needless_range_loop, reason = "see above: plain loops keep values in registers")]
use super::layout::{BLOCK_ROWS, STEP_BYTES};
use crate::prefetch;

/// How far ahead memory is asked for where codes are in sequence, in bytes. Short rows side by side defeat the CPU's
/// own prefetcher: measured on Zen 5 out of the caches, asking is 1.3 times as fast for blocks of one bit and 1.15
/// times for rows of four, but 0.85 times for rows of eight and slower for blocks of four and more.
pub(super) const AHEAD: usize = 6144;

/// The most rows that are computed together.
pub(super) const ROWS_MAX: usize = 8;

/// Where the codes of a call come from, which decides how many rows are read side by side: the more there are, the
/// fewer loads of the query, but from beyond the first-level cache the CPU's own prefetcher follows one stream best.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::codes) enum Place {
    /// The first-level cache, or one row here and one there.
    Near,
    /// The caches beyond.
    Cached,
    /// Memory.
    Memory,
}

impl Place {
    /// Where `bytes` consecutive bytes that begin at `base` probably are. Asked once for a call.
    pub(in crate::codes) fn of(base: *const u8, bytes: usize) -> Self {
        /// More than this is not in the first-level cache, together with the query and the keys.
        const NEAR_BYTES: usize = 40 << 10;
        if bytes <= NEAR_BYTES {
            Self::Near
        } else if prefetch::is_stream(base, bytes) {
            Self::Memory
        } else {
            Self::Cached
        }
    }
}

/// The kernels of one instruction set. The set is available wherever a cell is at hand, because only
/// [`crate::isa::Version::available`] hands cells out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// One plane of rows.
    pub(super) rows: unsafe fn(&RowJob),
    /// One plane of blocks.
    pub(super) blocks: unsafe fn(&BlockJob),
    /// Bytes of codes that are loaded at once in rows, which decides the order of the query.
    pub(super) register: usize,
    /// Whether blocks of one-bit planes are looked up in tables where the query has them.
    pub(super) tables: bool,
    /// Whether codes of eight bits are taken as `code - 128` in rows, so that 128 times the sum of the query is
    /// missing.
    pub(super) signed: bool,
}

/// A query against one plane of some rows.
#[derive(Clone, Copy, Debug)]
pub(in crate::codes) struct RowJob {
    /// Bits of the plane: 8, 4, 2 or 1.
    pub(in crate::codes) bits: u32,
    /// Where the plane begins in a row.
    pub(in crate::codes) start: usize,
    /// Bytes of the plane in a row, a multiple of 16.
    pub(in crate::codes) bytes: usize,
    /// Where the rows are: named one by one, or null where they follow each other.
    pub(in crate::codes) rows: *const *const u8,
    /// Else the first row,
    pub(in crate::codes) base: *const u8,
    /// and bytes from one to the next.
    pub(in crate::codes) stride: usize,
    /// Rows.
    pub(in crate::codes) count: usize,
    /// What the rows are read from.
    pub(in crate::codes) place: Place,
    /// Whether this plane is the first, which asks for what is ahead of whole rows.
    pub(in crate::codes) first: bool,
    /// The query's bytes for this plane.
    pub(in crate::codes) query: *const i8,
    /// Room for products, `count` up to a multiple of [`ROWS_MAX`].
    pub(in crate::codes) out: *mut i32,
}

impl RowJob {
    /// Where row `i` begins; the last one stands in for those that lack.
    ///
    /// # Safety
    /// There is a row.
    #[inline(always)]
    pub(in crate::codes) unsafe fn row(&self, i: usize) -> *const u8 {
        let i = i.min(self.count - 1);
        // SAFETY: the caller's duty.
        unsafe { if self.rows.is_null() { self.base.add(i * self.stride) } else { *self.rows.add(i) } }
    }
}

/// A query against one plane of some blocks.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only AVX-512 VBMI looks up in tables"))]
#[derive(Clone, Copy, Debug)]
pub(in crate::codes) struct BlockJob {
    /// Bits of the plane: 8, 4, 2 or 1.
    pub(in crate::codes) bits: u32,
    /// The plane of the first block.
    pub(in crate::codes) codes: *const u8,
    /// Bytes between blocks.
    pub(in crate::codes) stride: usize,
    /// Steps of 64 bytes in a block's plane.
    pub(in crate::codes) steps: usize,
    /// Blocks.
    pub(in crate::codes) blocks: usize,
    /// Where they are.
    pub(in crate::codes) place: Place,
    /// Whether this is their only plane, so that they are read from start to end.
    pub(in crate::codes) alone: bool,
    /// The query's bytes in the order of the components.
    pub(in crate::codes) query: *const i8,
    /// The sum of the query's bytes.
    pub(in crate::codes) sum: i32,
    /// Two lookup tables for every step, or null.
    pub(in crate::codes) tables: *const u8,
    /// What to add to the sum of the entries.
    pub(in crate::codes) bias: i32,
    /// What the products are shifted by.
    pub(in crate::codes) shift: u32,
    /// Whether to add to `out` in place of writing it.
    pub(in crate::codes) add: bool,
    /// Sixteen products for each block.
    pub(in crate::codes) out: *mut i32,
}

impl BlockJob {
    /// Where register `column` of the blocks begins: a block is `64 / width` of them.
    ///
    /// # Safety
    /// There is such a register.
    #[inline(always)]
    pub(in crate::codes) unsafe fn column(&self, column: usize, width: usize) -> *const u8 {
        let parts = STEP_BYTES / width;
        // SAFETY: the caller's duty.
        unsafe { self.codes.add(column / parts * self.stride + column % parts * width) }
    }

    /// Delivers the products of some rows from row `first` on for this plane, of which each lacks `offset`.
    ///
    /// # Safety
    /// `out` has room for them.
    #[inline(always)]
    pub(in crate::codes) unsafe fn put(&self, first: usize, offset: i32, products: &[i32]) {
        for i in 0..products.len() {
            // SAFETY: the caller's duty.
            unsafe {
                let to = self.out.add(first + i);
                let before = if self.add { *to } else { 0 };
                *to = before.wrapping_add(products[i].wrapping_add(offset) << self.shift);
            }
        }
    }
}

/// What an instruction set says of itself.
pub(super) trait Arch {
    /// A register of codes.
    type Codes: Copy;
    /// A register of the query, in the form in which products take it.
    type Query: Copy;
    /// A register of sums in `i32`.
    type Sums: Copy;
    /// Bytes in a register of codes.
    const BYTES: usize;
    /// Codes of eight bits are taken as `code - 128`, so 128 times the sum of the query is missing.
    const SIGNED: bool;

    /// Sums of nothing.
    ///
    /// # Safety
    /// Here and below: the instruction set is available, and what is said to be loaded can be.
    unsafe fn zero() -> Self::Sums;

    /// Loads a register of codes.
    unsafe fn load(from: *const u8) -> Self::Codes;

    /// Loads the first `count` bytes, a multiple of 16 in `1..BYTES`, and clears the others.
    unsafe fn load_first(from: *const u8, count: usize) -> Self::Codes;

    /// Loads `BYTES` bytes of a query.
    unsafe fn query<const BITS: u32>(from: *const i8) -> Self::Query;

    /// Loads four bytes of a query into every four.
    unsafe fn query4<const BITS: u32>(from: *const i8) -> Self::Query;

    /// Adds the products of each field with its part of the query: four bytes go to one sum. Which of the sums a
    /// product goes to, and what it counts for there, is between this and [`Arch::finish`].
    unsafe fn step<const BITS: u32, const FIELDS: usize>(
        sums: &mut [Self::Sums; FIELDS],
        codes: Self::Codes,
        query: &[Self::Query; FIELDS],
    );

    /// The sums as one register.
    unsafe fn finish<const BITS: u32, const FIELDS: usize>(sums: &[Self::Sums; FIELDS]) -> Self::Sums;

    /// The total of each of four registers.
    unsafe fn totals(four: &[Self::Sums; 4]) -> [i32; 4];

    /// Writes `BYTES / 4` sums.
    unsafe fn store(sums: Self::Sums, to: *mut i32);
}

/// Loads the query's registers for the fields of one register of codes in rows.
#[inline(always)]
unsafe fn queries<A: Arch, const BITS: u32, const FIELDS: usize>(from: *const i8) -> [A::Query; FIELDS] {
    // SAFETY: the caller's duty: `FIELDS * BYTES` bytes.
    unsafe {
        let mut queries = [A::query::<BITS>(from); FIELDS];
        for s in 1..FIELDS {
            queries[s] = A::query::<BITS>(from.add(s * A::BYTES));
        }
        queries
    }
}

/// One plane of `ROWS` rows (a multiple of 4) from row `first` on.
///
/// # Safety
/// The instruction set is available, the rows are readable, the query holds `FIELDS` registers for each register of
/// codes, whole or not, and there is room for `ROWS` products.
#[inline(always)]
unsafe fn group<A: Arch, const BITS: u32, const FIELDS: usize, const ROWS: usize>(job: &RowJob, first: usize) {
    const { assert!(BITS as usize * FIELDS == 8 && ROWS.is_multiple_of(4)) }
    let (full, tail) = (job.bytes / A::BYTES, job.bytes % A::BYTES);
    let ahead = job.place == Place::Memory;
    let mut rows = [job.query.cast(); ROWS];
    let mut query = job.query;
    // SAFETY: the caller's duty; the tail is shorter than a register and what is left of the row.
    unsafe {
        for r in 0..ROWS {
            rows[r] = job.row(first + r).add(job.start);
        }
        let mut sums = [[A::zero(); FIELDS]; ROWS];
        for register in 0..full {
            let parts = queries::<A, BITS, FIELDS>(query);
            query = query.add(FIELDS * A::BYTES);
            if BITS <= 4 && ahead {
                for r in 0..ROWS {
                    prefetch::row(rows[r].wrapping_add(register * A::BYTES + AHEAD), A::BYTES);
                }
            }
            for r in 0..ROWS {
                A::step::<BITS, FIELDS>(&mut sums[r], A::load(rows[r].add(register * A::BYTES)), &parts);
            }
        }
        if tail > 0 {
            let parts = queries::<A, BITS, FIELDS>(query);
            for r in 0..ROWS {
                let codes = A::load_first(rows[r].add(full * A::BYTES), tail);
                A::step::<BITS, FIELDS>(&mut sums[r], codes, &parts);
            }
        }
        for quad in 0..ROWS / 4 {
            let mut four = [A::zero(); 4];
            for r in 0..4 {
                four[r] = A::finish::<BITS, FIELDS>(&sums[4 * quad + r]);
            }
            job.out.add(first + 4 * quad).cast::<[i32; 4]>().write_unaligned(A::totals(&four));
        }
    }
}

/// One plane of rows, `ROWS` (4 or 8) at a time.
///
/// # Safety
/// The instruction set is available and `job` describes readable codes and query and writable products.
#[inline(always)]
pub(super) unsafe fn rows<A: Arch, const BITS: u32, const FIELDS: usize, const ROWS: usize>(job: &RowJob) {
    const { assert!(ROWS_MAX.is_multiple_of(ROWS)) }
    let mut done = 0;
    while done < job.count {
        // SAFETY: the caller's duty; room for products goes up to a multiple of `ROWS`.
        unsafe { group::<A, BITS, FIELDS, ROWS>(job, done) };
        done += ROWS;
    }
}

/// One plane of blocks, `COLUMNS` registers at a time.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
pub(super) unsafe fn blocks<A: Arch, const BITS: u32, const FIELDS: usize, const COLUMNS: usize>(job: &BlockJob) {
    const { assert!(BITS as usize * FIELDS == 8 && STEP_BYTES.is_multiple_of(A::BYTES)) }
    let lanes = A::BYTES / 4;
    let columns = job.blocks * (STEP_BYTES / A::BYTES);
    let offset = if A::SIGNED && BITS == 8 { job.sum.wrapping_mul(128) } else { 0 };
    let mut done = 0;
    while done < columns {
        let here = (columns - done).min(COLUMNS);
        // SAFETY: columns below `columns` are readable for `steps` steps, and the query holds four bytes for each field
        // of each step.
        unsafe {
            let mut from = [job.codes; COLUMNS];
            for c in 0..COLUMNS {
                from[c] = job.column(done + c.min(here - 1), A::BYTES);
            }
            let mut sums = [[A::zero(); FIELDS]; COLUMNS];
            for step in 0..job.steps {
                let query = job.query.add(step * FIELDS * 4);
                let mut parts = [A::query4::<BITS>(query); FIELDS];
                for s in 1..FIELDS {
                    parts[s] = A::query4::<BITS>(query.add(s * 4));
                }
                if BITS == 1 {
                    for c in 0..COLUMNS {
                        prefetch::row(from[c].wrapping_add(step * STEP_BYTES + AHEAD), A::BYTES);
                    }
                }
                for c in 0..COLUMNS {
                    A::step::<BITS, FIELDS>(&mut sums[c], A::load(from[c].add(step * STEP_BYTES)), &parts);
                }
            }
            for c in 0..here {
                let mut products = [0; BLOCK_ROWS];
                A::store(A::finish::<BITS, FIELDS>(&sums[c]), products.as_mut_ptr());
                job.put((done + c) * lanes, offset, &products[..lanes]);
            }
        }
        done += here;
    }
}

/// Stamps the loops with an instruction set enabled. Rows and columns are for planes of 8, 4, 2 and 1 bits.
macro_rules! stamp {
    (
        $arch:ty, [$($feature:literal),*], rows: [$r8:literal, $r4:literal, $r2:literal, $r1:literal],
        columns: [$c8:literal, $c4:literal, $c2:literal, $c1:literal]
    ) => {
        /// One plane of rows.
        ///
        /// # Safety
        /// See `driver::rows`.
        #[target_feature($(enable = $feature),*)]
        pub(super) unsafe fn rows(job: &crate::codes::dot::driver::RowJob) {
            use crate::codes::dot::driver;
            // SAFETY: the caller's duty.
            unsafe {
                match job.bits {
                    8 => driver::rows::<$arch, 8, 1, $r8>(job),
                    4 => driver::rows::<$arch, 4, 2, $r4>(job),
                    2 => driver::rows::<$arch, 2, 4, $r2>(job),
                    _ => driver::rows::<$arch, 1, 8, $r1>(job),
                }
            }
        }

        /// One plane of blocks.
        ///
        /// # Safety
        /// See `driver::blocks`.
        #[target_feature($(enable = $feature),*)]
        pub(super) unsafe fn blocks(job: &crate::codes::dot::driver::BlockJob) {
            use crate::codes::dot::driver;
            // SAFETY: the caller's duty.
            unsafe {
                match job.bits {
                    8 => driver::blocks::<$arch, 8, 1, $c8>(job),
                    4 => driver::blocks::<$arch, 4, 2, $c4>(job),
                    2 => driver::blocks::<$arch, 2, 4, $c2>(job),
                    _ => driver::blocks::<$arch, 1, 8, $c1>(job),
                }
            }
        }

        pub(super) const CELL: crate::codes::dot::driver::Cell = crate::codes::dot::driver::Cell {
            rows,
            blocks,
            register: <$arch as crate::codes::dot::driver::Arch>::BYTES,
            tables: false,
            signed: <$arch as crate::codes::dot::driver::Arch>::SIGNED,
        };
    };
}
pub(super) use stamp;
