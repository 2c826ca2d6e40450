//! What is counted, and the key that the counts give; no instruction set.
use super::lanes::Bits;

/// An operation on two vectors of bits.
pub(crate) trait Count: 'static {
    /// Whether there are two counts: of the two vectors' intersection and of their union.
    const UNION: bool;

    /// Bytes in the lanes that [`Count::step`] counts in; 0 for those of [`Bits::count`].
    const LANE: usize;

    /// Adds a register of query and row to the running counts; of the union where there is one, its intersection.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn step<I: Bits>(sum: I::Word, query: I::Word, row: I::Word) -> I::Word;

    /// The key from counts below 2^24, which `f32` holds exactly, over `bytes` bytes.
    fn key(count: u32, union: u32, bytes: usize) -> f32;

    /// The same key from counts of any size.
    fn key_of_long(count: u64, union: u64, bytes: usize) -> f32;
}

/// An operation of which only the presence of a bit matters, so that the rest need not be looked at after the first.
pub(crate) trait Presence: 'static {
    /// The bits whose presence matters.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn word<I: Bits>(query: I::Word, row: I::Word) -> I::Word;
}

/// One bits of the exclusive or.
pub(crate) struct Hamming;

/// Both bit counts, as a distance.
pub(crate) struct Jaccard;

/// Both bit counts, as a similarity.
pub(crate) struct Tanimoto;

/// Whether the row has a one that the query has not.
pub(crate) struct Subset;

/// Whether the query has a one that the row has not.
pub(crate) struct Superset;

/// Lanes of `WIDTH` bytes that are not equal.
pub(crate) struct Differ<const WIDTH: usize>;

impl Count for Hamming {
    const UNION: bool = false;
    const LANE: usize = 0;

    #[inline(always)]
    unsafe fn step<I: Bits>(sum: I::Word, query: I::Word, row: I::Word) -> I::Word {
        // SAFETY: passed on to the caller.
        unsafe { I::count(sum, I::xor(query, row)) }
    }

    #[inline(always)]
    fn key(count: u32, _union: u32, _bytes: usize) -> f32 {
        // By way of `i32`, whose conversion every set has.
        count as i32 as f32
    }

    #[inline(always)]
    fn key_of_long(count: u64, _union: u64, _bytes: usize) -> f32 {
        count as f32
    }
}

/// The two metrics on intersection and union differ in the key alone.
macro_rules! of_intersection {
    ($op:ty, $count:ident, $union:ident => $ratio:expr) => {
        impl Count for $op {
            const UNION: bool = true;
            const LANE: usize = 0;

            #[inline(always)]
            unsafe fn step<I: Bits>(sum: I::Word, query: I::Word, row: I::Word) -> I::Word {
                // SAFETY: passed on to the caller.
                unsafe { I::count(sum, I::and(query, row)) }
            }

            #[inline(always)]
            fn key($count: u32, $union: u32, _bytes: usize) -> f32 {
                // Two empty sets are taken as two equal sets of one, so that there is no branch. The counts are exact
                // in `f32`, and so is their difference; the division rounds.
                let empty = i32::from($union == 0);
                let ($count, $union) = (($count as i32 + empty) as f32, ($union as i32 + empty) as f32);
                $ratio
            }

            #[inline(always)]
            fn key_of_long($count: u64, $union: u64, _bytes: usize) -> f32 {
                let empty = u64::from($union == 0);
                let ($count, $union) = (($count + empty) as f64, ($union + empty) as f64);
                ($ratio) as f32
            }
        }
    };
}

of_intersection!(Jaccard, count, union => (union - count) / union);
of_intersection!(Tanimoto, count, union => 0.0 - count / union);

impl Presence for Subset {
    #[inline(always)]
    unsafe fn word<I: Bits>(query: I::Word, row: I::Word) -> I::Word {
        // SAFETY: passed on to the caller.
        unsafe { I::without(row, query) }
    }
}

impl Presence for Superset {
    #[inline(always)]
    unsafe fn word<I: Bits>(query: I::Word, row: I::Word) -> I::Word {
        // SAFETY: passed on to the caller.
        unsafe { I::without(query, row) }
    }
}

impl<const WIDTH: usize> Count for Differ<WIDTH> {
    const UNION: bool = false;
    const LANE: usize = WIDTH;

    #[inline(always)]
    unsafe fn step<I: Bits>(sum: I::Word, query: I::Word, row: I::Word) -> I::Word {
        // SAFETY: passed on to the caller.
        unsafe { I::differ::<WIDTH>(sum, query, row) }
    }

    #[inline(always)]
    fn key(count: u32, _union: u32, bytes: usize) -> f32 {
        // No hashes differ in none, and 0 / 1 is 0.
        count as i32 as f32 / bytes.div_ceil(WIDTH).max(1) as f32
    }

    #[inline(always)]
    fn key_of_long(count: u64, _union: u64, bytes: usize) -> f32 {
        (count as f64 / bytes.div_ceil(WIDTH) as f64) as f32
    }
}
