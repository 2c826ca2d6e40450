//! What is summed over the components of a query and a row, in terms of a [`Kit`].
use super::kit::Kit;

/// What a block sums for each row.
///
/// # Safety of every function
/// The instruction set of the kit is available.
pub(super) trait Op<K: Kit, const OUT: usize> {
    type Query: Copy;
    type Sums: Copy;

    /// The first output is times two to this power.
    const SHIFT: u32 = K::SHIFT;

    /// The sums before the first step.
    unsafe fn zero() -> Self::Sums;
    /// What the steps of several rows share.
    unsafe fn query(units: K::Bytes) -> Self::Query;

    /// Adds a register of the query and one of the row.
    unsafe fn step(sums: Self::Sums, query: Self::Query, row: K::Bytes) -> Self::Sums;

    /// The sums of either.
    unsafe fn join(a: Self::Sums, b: Self::Sums) -> Self::Sums;

    /// What is wanted of the sums, with the biases taken off.
    unsafe fn outputs(sums: Self::Sums) -> [K::Sum; OUT];
}

/// Writes the parts of an [`Op`] that follow from the number of its sums.
macro_rules! sums {
    ($count:literal) => {
        type Sums = [K::Sum; $count];

        #[inline(always)]
        unsafe fn zero() -> Self::Sums {
            // SAFETY: the caller's duty.
            unsafe { [K::zero(); $count] }
        }

        #[inline(always)]
        unsafe fn join(mut a: Self::Sums, b: Self::Sums) -> Self::Sums {
            let mut i = 0;
            while i < $count {
                // SAFETY: the caller's duty.
                a[i] = unsafe { K::add(a[i], b[i]) };
                i += 1;
            }
            a
        }
    };
}

/// The products, with the query's bias.
pub(super) struct Dot;

impl<K: Kit> Op<K, 1> for Dot {
    type Query = K::Query;
    sums!(1);

    #[inline(always)]
    unsafe fn query(units: K::Bytes) -> K::Query {
        // SAFETY: the caller's duty.
        unsafe { K::query(units) }
    }

    #[inline(always)]
    unsafe fn step([cross]: [K::Sum; 1], query: K::Query, row: K::Bytes) -> [K::Sum; 1] {
        // SAFETY: the caller's duty.
        unsafe { [K::cross(cross, query, row)] }
    }

    #[inline(always)]
    unsafe fn outputs(sums: [K::Sum; 1]) -> [K::Sum; 1] {
        sums
    }
}

/// The bias of a vector; the row is the same vector.
pub(super) struct Bias;

impl<K: Kit> Op<K, 1> for Bias {
    type Query = ();
    const SHIFT: u32 = 0;
    sums!(1);

    #[inline(always)]
    unsafe fn query(_units: K::Bytes) {}

    #[inline(always)]
    unsafe fn step([bias]: [K::Sum; 1], (): (), row: K::Bytes) -> [K::Sum; 1] {
        // SAFETY: the caller's duty.
        unsafe { [K::bias(bias, row)] }
    }

    #[inline(always)]
    unsafe fn outputs(sums: [K::Sum; 1]) -> [K::Sum; 1] {
        sums
    }
}

/// The products, with the query's bias, and the squares of the row.
pub(super) struct Both;

impl<K: Kit> Op<K, 2> for Both {
    type Query = K::Query;
    sums!(3);

    #[inline(always)]
    unsafe fn query(units: K::Bytes) -> K::Query {
        // SAFETY: the caller's duty.
        unsafe { K::query(units) }
    }

    #[inline(always)]
    unsafe fn step([cross, square, bias]: [K::Sum; 3], query: K::Query, row: K::Bytes) -> [K::Sum; 3] {
        // SAFETY: the caller's duty.
        unsafe {
            let [square, bias] = K::squares([square, bias], row);
            [K::cross(cross, query, row), square, bias]
        }
    }

    #[inline(always)]
    unsafe fn outputs([cross, square, bias]: [K::Sum; 3]) -> [K::Sum; 2] {
        // SAFETY: the caller's duty.
        unsafe { [cross, K::sub(square, bias)] }
    }
}

/// The products, and the query's bias.
pub(super) struct Exact;

impl<K: Kit> Op<K, 2> for Exact {
    type Query = K::Bytes;
    sums!(2);

    #[inline(always)]
    unsafe fn query(units: K::Bytes) -> K::Bytes {
        units
    }

    #[inline(always)]
    unsafe fn step([cross, bias]: [K::Sum; 2], query: K::Bytes, row: K::Bytes) -> [K::Sum; 2] {
        // SAFETY: the caller's duty.
        unsafe { [K::cross(cross, K::query(query), row), K::bias(bias, query)] }
    }

    #[inline(always)]
    unsafe fn outputs([cross, bias]: [K::Sum; 2]) -> [K::Sum; 2] {
        // SAFETY: the caller's duty.
        unsafe { [K::sub(cross, bias), bias] }
    }
}

/// The squares of a vector, and its bias; the row is the same vector.
pub(super) struct Squares;

impl<K: Kit> Op<K, 2> for Squares {
    type Query = ();
    const SHIFT: u32 = 0;
    sums!(2);

    #[inline(always)]
    unsafe fn query(_units: K::Bytes) {}

    #[inline(always)]
    unsafe fn step([square, bias]: [K::Sum; 2], (): (), row: K::Bytes) -> [K::Sum; 2] {
        // SAFETY: the caller's duty.
        unsafe { [K::square(square, row), K::bias(bias, row)] }
    }

    #[inline(always)]
    unsafe fn outputs([square, bias]: [K::Sum; 2]) -> [K::Sum; 2] {
        // SAFETY: the caller's duty.
        unsafe { [K::sub(square, bias), bias] }
    }
}

/// The squares of the differences.
pub(super) struct Gap;

impl<K: Kit> Op<K, 1> for Gap {
    type Query = K::Bytes;
    const SHIFT: u32 = 0;
    sums!(2);

    #[inline(always)]
    unsafe fn query(units: K::Bytes) -> K::Bytes {
        units
    }

    #[inline(always)]
    unsafe fn step(sums: [K::Sum; 2], query: K::Bytes, row: K::Bytes) -> [K::Sum; 2] {
        // SAFETY: the caller's duty.
        unsafe { K::gap(sums, query, row) }
    }

    #[inline(always)]
    unsafe fn outputs([gap, bias]: [K::Sum; 2]) -> [K::Sum; 1] {
        // SAFETY: the caller's duty.
        unsafe { [K::sub(gap, bias)] }
    }
}

/// The products, the squares of the query and those of the row.
pub(super) struct Three;

impl<K: Kit> Op<K, 3> for Three {
    type Query = K::Bytes;
    sums!(5);

    #[inline(always)]
    unsafe fn query(units: K::Bytes) -> K::Bytes {
        units
    }

    #[inline(always)]
    unsafe fn step([cross, a, a_bias, b, b_bias]: [K::Sum; 5], query: K::Bytes, row: K::Bytes) -> [K::Sum; 5] {
        // SAFETY: the caller's duty.
        unsafe {
            let cross = K::cross(cross, K::query(query), row);
            [cross, K::square(a, query), K::bias(a_bias, query), K::square(b, row), K::bias(b_bias, row)]
        }
    }

    #[inline(always)]
    unsafe fn outputs([cross, a, a_bias, b, b_bias]: [K::Sum; 5]) -> [K::Sum; 3] {
        // SAFETY: the caller's duty.
        unsafe { [K::sub(cross, a_bias), K::sub(a, a_bias), K::sub(b, b_bias)] }
    }
}
