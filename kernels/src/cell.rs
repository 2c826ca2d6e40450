//! A cell: the kernels of one metric over one element type for one instruction set, and their safe border.
use crate::{element::Element, rows::Rows};

/// Function pointers that need the instruction set they were compiled for, which is available because only
/// [`crate::isa::Version::available`] hands a cell out. `dim` counts stored units.
#[derive(Clone, Copy, Debug)]
pub struct Cell<E> {
    /// The key of two vectors: `(a, b, dim)`.
    pub(crate) pair: unsafe fn(*const E, *const E, usize) -> f32,
    /// `(query, base, dim, ids, count, keys)`: the keys of `count` rows of `base`, those that `ids` names or, where that is
    /// null, the first ones.
    pub(crate) many: unsafe fn(*const E, *const E, usize, *const u32, usize, *mut f32),
    /// `(queries, query_count, base, row_count, dim, keys)`: the keys of each query with each row, row-major by query.
    pub(crate) tile: unsafe fn(*const E, usize, *const E, usize, usize, *mut f32),
    /// The sum of the squares of the components: `(row, dim)`.
    pub(crate) square: unsafe fn(*const E, usize) -> f32,
}

impl<E: Element> Cell<E> {
    #[inline]
    pub(crate) fn pair(&self, a: &[E], b: &[E]) -> f32 {
        assert_eq!(a.len(), b.len(), "vectors of different dimension");
        // SAFETY: the instruction set is available (see `Cell`), and both slices have `a.len()` values.
        unsafe { (self.pair)(a.as_ptr(), b.as_ptr(), a.len()) }
    }

    #[inline]
    pub(crate) fn rows(&self, query: &[E], base: Rows<'_, E>, keys: &mut [f32]) {
        assert_eq!(query.len(), base.dim(), "query and rows of different dimension");
        assert_eq!(keys.len(), base.len(), "one key for each row");
        let (query, rows) = (query.as_ptr(), base.data().as_ptr());
        // SAFETY: the instruction set is available; `base` holds `len * dim` values and `keys` room for `len`.
        unsafe { (self.many)(query, rows, base.dim(), std::ptr::null(), base.len(), keys.as_mut_ptr()) }
    }

    #[inline]
    pub(crate) fn gather(&self, query: &[E], base: Rows<'_, E>, ids: &[u32], keys: &mut [f32]) {
        assert_eq!(query.len(), base.dim(), "query and rows of different dimension");
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        if let Some(largest) = ids.iter().copied().reduce(u32::max) {
            assert!((largest as usize) < base.len(), "row {largest} of {}", base.len());
        }
        let (query, rows) = (query.as_ptr(), base.data().as_ptr());
        // SAFETY: the instruction set is available; each id was checked, and `keys` has room for one key each.
        unsafe { (self.many)(query, rows, base.dim(), ids.as_ptr(), ids.len(), keys.as_mut_ptr()) }
    }

    #[inline]
    pub(crate) fn tile(&self, queries: Rows<'_, E>, base: Rows<'_, E>, keys: &mut [f32]) {
        assert_eq!(queries.dim(), base.dim(), "queries and rows of different dimension");
        assert_eq!(Some(keys.len()), queries.len().checked_mul(base.len()), "one key for each query and row");
        let (query, row) = (queries.data().as_ptr(), base.data().as_ptr());
        // SAFETY: the instruction set is available; both matrices hold `len * dim` values, `keys` the product of rows.
        unsafe { (self.tile)(query, queries.len(), row, base.len(), base.dim(), keys.as_mut_ptr()) }
    }

    /// The square of the Euclidean norm.
    pub(crate) fn square(&self, row: &[E]) -> f32 {
        // SAFETY: the instruction set is available (see `Cell`), and pointer and length are those of a slice.
        unsafe { (self.square)(row.as_ptr(), row.len()) }
    }
}
