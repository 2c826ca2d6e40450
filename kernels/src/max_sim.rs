//! MAX_SIM over lists of vectors, the late interaction of ColBERT (Khattab and Zaharia, 2020, section 3.3): for each
//! vector of the query the best match among the vectors of a row's list, summed over the query's vectors.
//!
//! The key of a list is the sum, over the query's vectors, of the smallest key that the metric gives with any vector of
//! the list. For similarities (IP, COSINE, TANIMOTO) that is minus the sum of the largest similarities; for distances
//! it is the sum of the smallest distances, and for L2 of the smallest squared distances. [`crate::Metric::score`]
//! makes the score from it, as for single vectors.
//!
//! The smallest keys are added in `f64`, in the order of the query's vectors, and the sum is rounded once to `f32`; so
//! the result has the same bits on every instruction set on which the metric's kernel has.
//!
//! * A query without vectors has the key 0 with every list.
//! * A list without vectors is infinitely far from every other query.
//! * A NaN key is never the smallest; a query vector that has only NaN keys makes the list infinitely far.
//! * A list that one query vector finds infinitely far is so, even where another finds it infinitely near: no key is
//!   NaN.
#[cfg(test)]
mod tests;

use crate::{
    dispatch::{Kernel, KernelError},
    element::Element,
    isa::IsaInfo,
    metric::Metric,
    rows::Rows,
};

/// Query vectors in a block.
const QUERIES: usize = 32;

/// Vectors of lists in a block.
const ROWS: usize = 64;

/// Lists that share a block at most.
const LISTS: usize = 64;

/// Keys compared side by side.
const LANES: usize = 16;

/// MAX_SIM by a metric over an element type; free to copy. It works in 8 KiB on the stack, whatever the lists' lengths.
#[derive(Clone, Copy, Debug)]
pub struct MaxSim<E: Element> {
    kernel: Kernel<E>,
}

impl<E: Element> MaxSim<E> {
    /// By `metric`, on the best instruction set that [`crate::dispatch::choice`] allows.
    ///
    /// # Errors
    /// As [`Kernel::new`].
    pub fn new(metric: Metric) -> Result<Self, KernelError> {
        Kernel::new(metric).map(Self::of)
    }

    /// By `metric`, on the instruction set `isa` or, if it has no kernel, on the next one below.
    ///
    /// # Errors
    /// As [`Kernel::on`].
    pub fn on(isa: &'static IsaInfo, metric: Metric) -> Result<Self, KernelError> {
        Kernel::on(isa, metric).map(Self::of)
    }

    /// By a kernel that is there already.
    pub const fn of(kernel: Kernel<E>) -> Self {
        Self { kernel }
    }

    /// On each instruction set that has a kernel of its own and that this CPU can run, best first.
    pub fn all(metric: Metric) -> impl Iterator<Item = Self> {
        Kernel::all(metric).map(Self::of)
    }

    /// The kernel of the single vectors.
    pub const fn kernel(&self) -> &Kernel<E> {
        &self.kernel
    }

    /// The key of a query, whose vectors are the rows of `queries`, with one list of vectors.
    ///
    /// # Panics
    /// When the dimensions differ.
    pub fn pair(&self, queries: Rows<'_, E>, list: Rows<'_, E>) -> f32 {
        assert_eq!(queries.dim(), list.dim(), "query and list of different dimension");
        self.list(queries, list, &mut [0.0; QUERIES * ROWS])
    }

    /// The key of a query with each list, in order. List `i` is the rows `offsets[i]..offsets[i + 1]` of `base`.
    ///
    /// # Panics
    /// When the dimensions differ, `offsets` has not one entry more than `keys`, descends, or passes the rows.
    pub fn rows(&self, queries: Rows<'_, E>, base: Rows<'_, E>, offsets: &[u32], keys: &mut [f32]) {
        assert_eq!(queries.dim(), base.dim(), "query and lists of different dimension");
        assert_eq!(offsets.len(), keys.len() + 1, "one key for each list, and one offset more");
        assert!(offsets.is_sorted(), "offsets of lists descend");
        let mut block = [0.0; QUERIES * ROWS];
        let mut first = 0;
        while first < keys.len() {
            let mut end = first + 1;
            while end < keys.len() && end - first < LISTS && (offsets[end + 1] - offsets[first]) as usize <= ROWS {
                end += 1;
            }
            let lists = base.slice(offsets[first] as usize..offsets[end] as usize);
            if end == first + 1 {
                keys[first] = self.list(queries, lists, &mut block);
            } else {
                self.lists(queries, lists, &offsets[first..=end], &mut keys[first..end], &mut block);
            }
            first = end;
        }
    }

    /// The key of a query with each list that `ids` names, in that order; `offsets` as for [`MaxSim::rows`]. The next
    /// list is asked for while one is computed.
    ///
    /// # Panics
    /// When the dimensions differ, `keys` has not one place for each id, there is no list of an id, or its offsets
    /// descend or pass the rows.
    pub fn gather(&self, queries: Rows<'_, E>, base: Rows<'_, E>, offsets: &[u32], ids: &[u32], keys: &mut [f32]) {
        assert_eq!(queries.dim(), base.dim(), "query and lists of different dimension");
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        let lists = offsets.len().saturating_sub(1);
        if let Some(largest) = ids.iter().copied().reduce(u32::max) {
            assert!((largest as usize) < lists, "list {largest} of {lists}");
        }
        let mut block = [0.0; QUERIES * ROWS];
        for (i, (id, key)) in ids.iter().zip(keys).enumerate() {
            if let Some(next) = ids.get(i + 1) {
                self.kernel.prefetch(base, offsets[*next as usize]);
            }
            let id = *id as usize;
            let list = base.slice(offsets[id] as usize..offsets[id + 1] as usize);
            *key = self.list(queries, list, &mut block);
        }
    }

    /// The key of one list, block by block.
    fn list(&self, queries: Rows<'_, E>, list: Rows<'_, E>, block: &mut [f32; QUERIES * ROWS]) -> f32 {
        let mut sum = 0.0;
        for first in (0..queries.len()).step_by(QUERIES) {
            let some = queries.slice(first..queries.len().min(first + QUERIES));
            let mut nearest = [f32::INFINITY; QUERIES];
            for row in (0..list.len()).step_by(ROWS) {
                let rows = list.slice(row..list.len().min(row + ROWS));
                let keys = &mut block[..some.len() * rows.len()];
                self.kernel.tile(some, rows, keys);
                for (nearest, keys) in nearest.iter_mut().zip(keys.chunks_exact(rows.len())) {
                    *nearest = nearer(*nearest, smallest(keys));
                }
            }
            for nearest in &nearest[..some.len()] {
                sum = add(sum, *nearest);
            }
        }
        sum as f32
    }

    /// The keys of several lists whose vectors, the rows of `base`, fit one block.
    fn lists(
        &self,
        queries: Rows<'_, E>,
        base: Rows<'_, E>,
        offsets: &[u32],
        keys_out: &mut [f32],
        block: &mut [f32; QUERIES * ROWS],
    ) {
        let mut sums = [0.0; LISTS];
        for first in (0..queries.len()).step_by(QUERIES) {
            let some = queries.slice(first..queries.len().min(first + QUERIES));
            let keys = &mut block[..some.len() * base.len()];
            self.kernel.tile(some, base, keys);
            for query in 0..some.len() {
                let keys = &keys[query * base.len()..][..base.len()];
                for (sum, ends) in sums.iter_mut().zip(offsets.windows(2)) {
                    let (start, end) = ((ends[0] - offsets[0]) as usize, (ends[1] - offsets[0]) as usize);
                    *sum = add(*sum, smallest(&keys[start..end]));
                }
            }
        }
        for (key, sum) in keys_out.iter_mut().zip(sums) {
            *key = sum as f32;
        }
    }
}

/// The sum with one more nearest key. Once a key is infinite the sum stays so, whatever keys of minus infinity there
/// are; a sum of finite keys is never infinite in `f64`.
#[inline(always)]
fn add(sum: f64, nearest: f32) -> f64 {
    if sum == f64::INFINITY || nearest == f32::INFINITY { f64::INFINITY } else { sum + f64::from(nearest) }
}

/// The smaller of two; `a` where `b` is NaN.
#[inline(always)]
fn nearer(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

/// The smallest key that is a number; infinity where there is none.
#[inline]
fn smallest(keys: &[f32]) -> f32 {
    // Side by side, so that it becomes vector code: the order of comparisons does not change a minimum.
    let mut lanes = [f32::INFINITY; LANES];
    let (chunks, rest) = keys.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, key) in lanes.iter_mut().zip(chunk) {
            *lane = nearer(*lane, *key);
        }
    }
    let rest = rest.iter().fold(f32::INFINITY, |least, key| nearer(least, *key));
    lanes.into_iter().fold(rest, nearer)
}
