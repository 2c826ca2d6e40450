//! Products of a query with codes that lie row by row.
use std::{mem::MaybeUninit, ptr};

use super::{
    DotError, cell_on, cells,
    driver::{Cell, ROWS_MAX, RowJob},
    layout::{Arrangement, Layout, Records},
    query::{Query8, Query16},
};
use crate::{dispatch::choice, isa::IsaInfo, prefetch};

/// Rows that are computed at a time, a multiple of `ROWS_MAX`.
const BATCH: usize = 64;

/// Rows in sequence of fewer bytes than this are likely to be in the second-level cache and are not asked for ahead.
const CACHED_BYTES: usize = 512 << 10;

/// Rows that are computed at a time where ids name them, and that are asked for meanwhile. Measured on Zen 5 out of the
/// caches: 16 against 8 gains a quarter for rows of one bit, a tenth for rows of four, and nothing where rows are long.
const FETCH_ROWS: usize = 16;

/// Bytes of a row that are asked for at most. Of a row of 576 bytes it is worth a third to ask for all; from about 1
/// KiB on the CPU's own prefetcher does as well.
const FETCH_BYTES: usize = 1024;

/// Products of a query with codes that lie row by row, bound to an instruction set. See [the module](super) for the
/// format.
///
/// ```
/// use elanus_kernels::codes::dot::{Records, RowDot};
///
/// let dot = RowDot::new(3, 4)?;
/// let mut data = vec![0; 2 * dot.code_bytes()];
/// dot.pack(&[1, 2, 15], &mut data);
/// dot.pack(&[0, 7, 1], &mut data[dot.code_bytes()..]);
/// let query = dot.query(&[127.0, -3.0, 10.0])?;
/// let mut products = [0; 2];
/// dot.rows(&query, Records::new(&data, dot.code_bytes(), 2), &mut products);
/// assert_eq!((products, query.scale()), ([271, -11], 1.0));
/// # Ok::<(), elanus_kernels::codes::dot::DotError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RowDot {
    layout: Layout,
    isa: &'static IsaInfo,
    cell: Cell,
}

impl RowDot {
    /// Products of codes of `dim` components of `width` bits, on the best instruction set that
    /// [`choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used, `width` is not in `1..=8` or `dim` not in `1..=MAX_DIM`.
    pub fn new(dim: usize, width: u32) -> Result<Self, DotError> {
        Self::on(choice().map_err(DotError::from)?, dim, width)
    }

    /// The same on the set `isa`, or the next one below it that has code of its own.
    ///
    /// # Errors
    /// As for [`RowDot::new`].
    pub fn on(isa: &'static IsaInfo, dim: usize, width: u32) -> Result<Self, DotError> {
        let (isa, cell) = cell_on(isa)?;
        Ok(Self { layout: Layout::new(dim, width, Arrangement::Row)?, isa, cell })
    }

    /// The same on each instruction set that has code of its own and that this CPU can run, best first.
    ///
    /// # Errors
    /// When `width` or `dim` is out of range.
    pub fn all(dim: usize, width: u32) -> Result<impl Iterator<Item = Self>, DotError> {
        let layout = Layout::new(dim, width, Arrangement::Row)?;
        Ok(cells().map(move |(isa, cell)| Self { layout, isa, cell }))
    }

    /// Components of a code.
    pub const fn dim(&self) -> usize {
        self.layout.dim
    }

    /// Bits of a component.
    pub const fn width(&self) -> u32 {
        self.layout.width
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// Bytes of a packed row, a multiple of 16.
    pub const fn code_bytes(&self) -> usize {
        self.layout.bytes
    }

    /// Packs a row.
    ///
    /// # Panics
    /// When `codes` has not `dim` values, one does not fit `width` bits, or `to` has fewer than `code_bytes` bytes.
    pub fn pack(&self, codes: &[u8], to: &mut [u8]) {
        assert_eq!(codes.len(), self.layout.dim, "codes of another dimension");
        let to = &mut to[..self.layout.bytes];
        to.fill(0);
        self.layout.write(codes, 0, to);
    }

    /// Unpacks a row.
    ///
    /// # Panics
    /// When `codes` has not room for `dim` values or `from` has fewer than `code_bytes` bytes.
    pub fn unpack(&self, from: &[u8], codes: &mut [u8]) {
        assert_eq!(codes.len(), self.layout.dim, "codes of another dimension");
        self.layout.read(&from[..self.layout.bytes], 0, codes);
    }

    /// Rounds a query to bytes.
    ///
    /// # Errors
    /// When a component is NaN or infinite.
    ///
    /// # Panics
    /// When the dimensions differ.
    pub fn query(&self, query: &[f32]) -> Result<Query8, DotError> {
        Query8::new(self.layout, self.isa, &self.cell, query)
    }

    /// Takes a query in bytes, each of which stands for `scale`.
    ///
    /// # Panics
    /// When a byte is -128 or the dimensions differ.
    pub fn query_bytes(&self, query: &[i8], scale: f32) -> Query8 {
        Query8::from_bytes(self.layout, self.isa, &self.cell, query, scale)
    }

    /// Rounds a query to two halves in bytes.
    ///
    /// # Errors
    /// When a component is NaN or infinite.
    ///
    /// # Panics
    /// When the dimensions differ.
    pub fn query_wide(&self, query: &[f32]) -> Result<Query16, DotError> {
        Query16::new(self.layout, self.isa, &self.cell, query)
    }

    /// `out[i] = sum_j code_ij * q_j` for each record, whose packed row stands at its beginning.
    ///
    /// # Panics
    /// When the query was made for other codes or another set, a record has fewer than `code_bytes` bytes, or `out` has
    /// not one place for each.
    pub fn rows(&self, query: &Query8, records: Records<'_>, out: &mut [i32]) {
        assert_eq!(out.len(), records.len(), "one product for each record");
        let codes = self.check(query, records);
        // SAFETY: all records are within the data, and `out` has room for them.
        unsafe { self.run(query, codes, records.stride(), None, out) };
    }

    /// `out[i] = sum_j code_ij * q_j` for each record that `ids` names, in that order. Later records are prefetched
    /// while earlier ones are computed.
    ///
    /// # Panics
    /// As for [`RowDot::rows`], and when there is no record of some id.
    pub fn gather(&self, query: &Query8, records: Records<'_>, ids: &[u32], out: &mut [i32]) {
        assert_eq!(out.len(), ids.len(), "one product for each id");
        if let Some(largest) = ids.iter().copied().reduce(u32::max) {
            assert!((largest as usize) < records.len(), "record {largest} of {}", records.len());
        }
        let codes = self.check(query, records);
        // SAFETY: every id names a record, those are within the data, and `out` has room for one product each.
        unsafe { self.run(query, codes, records.stride(), Some(ids), out) };
    }

    fn check(&self, query: &Query8, records: Records<'_>) -> *const u8 {
        let same = query.layout.is(&self.layout) && ptr::eq(query.isa, self.isa);
        assert!(same, "a query made for {:?} on {:?}", query.layout, query.isa);
        records.check(self.layout.bytes)
    }

    /// The products of some rows, a batch at a time: all planes of a batch while it is in the cache.
    ///
    /// # Safety
    /// The records that are named, or the first `out.len()` where none are, are readable.
    unsafe fn run(&self, query: &Query8, codes: *const u8, stride: usize, ids: Option<&[u32]>, out: &mut [i32]) {
        let batch = if ids.is_some() { FETCH_ROWS } else { BATCH };
        // With what follows the codes, where there is something.
        let fetched = stride.min(self.layout.bytes + 64).min(FETCH_BYTES);
        let ahead = ids.is_none() && out.len().saturating_mul(stride) >= CACHED_BYTES;
        let mut rows: Addresses = [const { MaybeUninit::uninit() }; BATCH];
        for (i, out) in out.chunks_mut(batch).enumerate() {
            let first = i * batch;
            let mut last = codes;
            if let Some(ids) = ids {
                for (r, (row, &id)) in rows.iter_mut().zip(&ids[first..first + out.len()]).enumerate() {
                    last = *row.write(codes.wrapping_add(id as usize * stride));
                    if i == 0 && r >= ROWS_MAX {
                        fetch(last, fetched);
                    }
                }
                for &id in ids[first + out.len()..].iter().take(FETCH_ROWS) {
                    fetch(codes.wrapping_add(id as usize * stride), fetched);
                }
            } else {
                for (r, row) in rows[..out.len()].iter_mut().enumerate() {
                    last = *row.write(codes.wrapping_add((first + r) * stride));
                }
            }
            // The last stands in for those that the last group lacks.
            for row in &mut rows[out.len()..out.len().next_multiple_of(ROWS_MAX)] {
                row.write(last);
            }
            // SAFETY: the rows are readable.
            unsafe { self.batch(query, &rows, ahead, out) };
        }
    }

    /// # Safety
    /// The first `out.len()` rows are written and readable, and the next up to a multiple of `ROWS_MAX`.
    unsafe fn batch(&self, query: &Query8, rows: &Addresses, ahead: bool, out: &mut [i32]) {
        for (p, plane) in self.layout.planes().iter().enumerate() {
            let mut job = RowJob {
                bits: plane.bits,
                start: plane.start,
                bytes: plane.bytes,
                rows: rows.as_ptr().cast(),
                count: out.len(),
                ahead,
                query: query.plane(p),
                out: out.as_mut_ptr(),
            };
            let missing = if self.cell.signed && plane.bits == 8 { query.sum().wrapping_mul(128) } else { 0 };
            if p == 0 && missing == 0 && out.len().is_multiple_of(ROWS_MAX) {
                // SAFETY: the instruction set is available (see `Cell`), the plane is within its row, and there is
                // room.
                unsafe { (self.cell.rows)(&job) };
                continue;
            }
            let mut products = [0; BATCH];
            job.out = products.as_mut_ptr();
            // SAFETY: as above.
            unsafe { (self.cell.rows)(&job) };
            for (out, product) in out.iter_mut().zip(&products) {
                let product = product.wrapping_add(missing) << plane.shift;
                *out = if p == 0 { product } else { out.wrapping_add(product) };
            }
        }
    }
}

/// Where the rows of a batch begin. Not cleared, which would cost as much as a short row.
type Addresses = [MaybeUninit<*const u8>; BATCH];

/// Asks for a row.
fn fetch(row: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        prefetch::row(row.wrapping_add(line), 1);
    }
}
