//! The vocabulary of bit registers that each instruction set implements.

/// Registers of bits, and running counts kept in registers of the same size.
///
/// Every function needs the instruction set to be available. Counts are kept in lanes whose size is the set's own
/// choice for bits, and the compared lane's for [`Bits::differ`]; they hold what [`segment`] bytes can give them, after
/// which [`Bits::settle`] and [`Bits::totals`] empty them.
pub(crate) trait Bits: 'static {
    /// A register.
    type Word: Copy;

    /// Bytes in a register.
    const BYTES: usize;

    /// Bytes of a vector whose one bits may be counted before the counts are emptied: a multiple of `BYTES`, at most
    /// [`SEGMENT_MAX`].
    const SEGMENT: usize;

    /// No bits.
    unsafe fn zero() -> Self::Word;

    /// Loads a register; `BYTES` bytes are readable.
    unsafe fn load(from: *const u8) -> Self::Word;

    /// Loads the first `count` bytes, in `1..BYTES`, and clears the others; reads nothing beyond.
    unsafe fn load_first(from: *const u8, count: usize) -> Self::Word;

    /// `a & b`.
    unsafe fn and(a: Self::Word, b: Self::Word) -> Self::Word;

    /// `a | b`.
    unsafe fn or(a: Self::Word, b: Self::Word) -> Self::Word;

    /// `a ^ b`.
    unsafe fn xor(a: Self::Word, b: Self::Word) -> Self::Word;

    /// `a & !b`.
    unsafe fn without(a: Self::Word, b: Self::Word) -> Self::Word;

    /// Whether any bit is set.
    unsafe fn any(word: Self::Word) -> bool;

    /// Adds the number of one bits of `word`.
    unsafe fn count(sum: Self::Word, word: Self::Word) -> Self::Word;

    /// Adds one for each lane of `WIDTH` bytes (1, 2, 4 or 8) in which `a` and `b` differ, to the count in that lane.
    unsafe fn differ<const WIDTH: usize>(sum: Self::Word, a: Self::Word, b: Self::Word) -> Self::Word;

    /// Brings counts in lanes of `LANE` bytes (0: those of [`Bits::count`]) into the form that [`Bits::totals`] takes.
    unsafe fn settle<const LANE: usize>(sum: Self::Word) -> Self::Word;

    /// The total of each settled sum.
    unsafe fn totals<const R: usize>(sums: [Self::Word; R]) -> [u32; R];

    /// The totals of two settled sums of [`Bits::count`].
    #[inline(always)]
    unsafe fn total_two(first: Self::Word, second: Self::Word) -> [u32; 2] {
        // SAFETY: the caller's duty.
        unsafe { Self::totals([first, second]) }
    }
}

/// Bytes in a segment at most, so that no count passes 2^24, which `f32` holds exactly.
pub(crate) const SEGMENT_MAX: usize = 1 << 21;

/// Bytes of a vector that may be counted in lanes of `lane` bytes before the counts are emptied.
pub(crate) const fn segment<I: Bits>(lane: usize) -> usize {
    let limit = match lane {
        0 => I::SEGMENT,
        1 => u8::MAX as usize * I::BYTES,
        // Signed, since the sums of pairs of 16 bits are.
        2 => i16::MAX as usize * I::BYTES,
        _ => SEGMENT_MAX,
    };
    if limit < SEGMENT_MAX { limit } else { SEGMENT_MAX }
}

/// Compiles the driver's loops over counts for one instruction set; `$rows` rows share their totals.
macro_rules! table {
    (isa: $isa:ty, features: [$($feature:tt),*], rows: $rows:literal) => {
        /// The kernels of an operation.
        pub(super) const fn cell<M: crate::bits::op::Count>() -> crate::cell::Cell<crate::element::Binary> {
            crate::cell::Cell { pair: pair::<M>, many: many::<M>, tile: tile::<M>, square }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn pair<M: crate::bits::op::Count>(
            a: *const crate::element::Binary,
            b: *const crate::element::Binary,
            bytes: usize,
        ) -> f32 {
            // SAFETY: the features are those of this function; the pointers are the caller's duty.
            unsafe { crate::bits::driver::pair::<$isa, M>(a.cast(), b.cast(), bytes, long::<M>) }
        }

        #[cold]
        #[inline(never)]
        $(#[target_feature(enable = $feature)])*
        unsafe fn long<M: crate::bits::op::Count>(
            a: *const crate::element::Binary,
            b: *const crate::element::Binary,
            bytes: usize,
        ) -> f32 {
            // SAFETY: as above.
            unsafe { crate::bits::driver::long::<$isa, M>(a.cast(), b.cast(), bytes) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn square(row: *const crate::element::Binary, bytes: usize) -> f32 {
            // SAFETY: as above.
            unsafe { crate::bits::driver::ones::<$isa>(row.cast(), bytes) as f32 }
        }

        /// The count of an operation that has one.
        $(#[target_feature(enable = $feature)])*
        #[allow(dead_code, reason = "not every set has kernels of its own over signatures")]
        pub(super) unsafe fn count<M: crate::bits::op::Count>(
            a: *const crate::element::Binary,
            b: *const crate::element::Binary,
            bytes: usize,
        ) -> u64 {
            // SAFETY: as above.
            unsafe { crate::bits::driver::count::<$isa, M>(a.cast(), b.cast(), bytes) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn many<M: crate::bits::op::Count>(
            query: *const crate::element::Binary,
            base: *const crate::element::Binary,
            bytes: usize,
            ids: *const u32,
            count: usize,
            keys: *mut f32,
        ) {
            // SAFETY: as above; `pair` takes what this function takes.
            unsafe {
                let (query, base) = (query.cast(), base.cast());
                crate::bits::driver::many::<$isa, M, $rows>(query, base, bytes, ids, count, keys, pair::<M>);
            }
        }

        unsafe fn tile<M: crate::bits::op::Count>(
            queries: *const crate::element::Binary,
            query_count: usize,
            base: *const crate::element::Binary,
            row_count: usize,
            bytes: usize,
            keys: *mut f32,
        ) {
            // SAFETY: `many` needs the instruction set, which is the caller's duty as it is of this function's cell.
            unsafe { crate::bits::driver::tile(queries, query_count, base, row_count, bytes, keys, many::<M>) }
        }
    };
}
pub(crate) use table;

/// Compiles the driver's loops over the presence of a bit for one instruction set, beside those of [`table`].
macro_rules! presence_table {
    (isa: $isa:ty, features: [$($feature:tt),*]) => {
        /// The kernels of an operation of which only the presence of a bit matters.
        pub(super) const fn presence_cell<M: crate::bits::op::Presence>() -> crate::cell::Cell<crate::element::Binary> {
            crate::cell::Cell { pair: presence::<M>, many: presences::<M>, tile: presence_tile::<M>, square }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn presence<M: crate::bits::op::Presence>(
            a: *const crate::element::Binary,
            b: *const crate::element::Binary,
            bytes: usize,
        ) -> f32 {
            // SAFETY: the features are those of this function; the pointers are the caller's duty.
            unsafe { crate::bits::driver::presence::<$isa, M>(a.cast(), b.cast(), bytes) }
        }

        $(#[target_feature(enable = $feature)])*
        unsafe fn presences<M: crate::bits::op::Presence>(
            query: *const crate::element::Binary,
            base: *const crate::element::Binary,
            bytes: usize,
            ids: *const u32,
            count: usize,
            keys: *mut f32,
        ) {
            // SAFETY: as above.
            unsafe { crate::bits::driver::presences::<$isa, M>(query.cast(), base.cast(), bytes, ids, count, keys) }
        }

        unsafe fn presence_tile<M: crate::bits::op::Presence>(
            queries: *const crate::element::Binary,
            query_count: usize,
            base: *const crate::element::Binary,
            row_count: usize,
            bytes: usize,
            keys: *mut f32,
        ) {
            // SAFETY: `presences` needs the instruction set, which is the caller's duty as it is of this function's
            // cell.
            unsafe { crate::bits::driver::tile(queries, query_count, base, row_count, bytes, keys, presences::<M>) }
        }
    };
}
pub(crate) use presence_table;
