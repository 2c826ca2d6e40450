//! Plain Rust, for any CPU. The oracle of the other sets.
use super::{
    SparseVector,
    query::{Candidates, Scan, Table, scan_table},
};

/// The sum of the products, by merging. The two places wait for each other's loads and comparisons, about 8 cycles a
/// step; a branch on equality, which is rare and at random, would cost more.
///
/// # Safety
/// None; the signature is that of the other sets.
pub(super) unsafe fn product(a: SparseVector<'_>, b: SparseVector<'_>) -> f64 {
    merge_onto(0.0, a, b)
}

/// The sum of the products, added to those of smaller indices.
#[inline]
pub(super) fn merge_onto(mut sum: f64, a: SparseVector<'_>, b: SparseVector<'_>) -> f64 {
    let (mut at_a, mut at_b) = (0, 0);
    while let (Some(index_a), Some(index_b)) = (a.indices.get(at_a), b.indices.get(at_b)) {
        let product = f64::from(a.values[at_a]) * f64::from(b.values[at_b]);
        // Adding 0 changes no sum, since none is -0.
        sum += if index_a == index_b { product } else { 0.0 };
        at_a += usize::from(index_a <= index_b);
        at_b += usize::from(index_b <= index_a);
    }
    sum
}

/// The sum of the products where `long` is much longer: each index of `short` is searched from where the one before was
/// found, in steps that double (Bentley and Yao, "An almost optimal algorithm for unbounded searching", 1976).
pub(super) fn gallop(short: SparseVector<'_>, long: SparseVector<'_>) -> f64 {
    let mut rest = long;
    let mut sum = 0.0;
    for (index, value) in short.indices.iter().zip(short.values) {
        let mut bound = 1;
        while bound < rest.len() && rest.indices[bound] < *index {
            bound *= 2;
        }
        // Everything before `bound / 2` is smaller, and what is at `bound` is not.
        let end = rest.len().min(bound + 1);
        let found = bound / 2 + rest.indices[bound / 2..end].partition_point(|other| other < index);
        rest = SparseVector { indices: &rest.indices[found..], values: &rest.values[found..] };
        match rest.indices.first() {
            Some(other) if other == index => sum += f64::from(*value) * f64::from(rest.values[0]),
            Some(_) => {}
            None => break,
        }
    }
    sum
}

pub(super) struct Plain;

impl Scan for Plain {
    /// A byte of the filter for each component: every component is written down, and kept if the byte says so. About
    /// five operations each, without a branch.
    #[inline(always)]
    unsafe fn filter(table: &Table, indices: &[u32], place: u32, row: u32, to: &mut Candidates) {
        debug_assert!(to.places.len() - to.count >= indices.len(), "room for every component");
        let mut count = to.count;
        for (i, index) in indices.iter().enumerate() {
            // SAFETY: a filter's byte is at most 1, so no more are kept than there are indices, for which there is
            // room.
            unsafe {
                *to.places.get_unchecked_mut(count) = place + i as u32;
                *to.rows.get_unchecked_mut(count) = row;
            }
            count += usize::from(table.byte(*index));
        }
        to.count = count;
    }
}

scan_table! { scan: Plain, features: [] }
