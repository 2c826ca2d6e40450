//! Products of a query with codes that lie row by row.
use std::ptr;

use super::{
    DotError, cell_on, cells,
    driver::{Cell, Place, ROWS_MAX, RowJob},
    layout::{Arrangement, Layout, Records},
    query::{Query8, Query16},
};
use crate::{dispatch::choice, isa::IsaInfo, prefetch};

/// Rows of several planes that are computed at a time, a multiple of `ROWS_MAX`.
const BATCH: usize = 64;

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
        // SAFETY: there is.
        unsafe { self.products(query, records, records.place(), out.as_mut_ptr()) };
    }

    /// [`RowDot::rows`] with codes from `place`.
    ///
    /// # Safety
    /// `out` has room for a product of each record.
    ///
    /// # Panics
    /// As there.
    #[inline]
    pub(in crate::codes) unsafe fn products(&self, query: &Query8, records: Records<'_>, place: Place, out: *mut i32) {
        let codes = self.check(query, &records);
        // SAFETY: all records are within the data, and `out` has room for them.
        unsafe { self.run(query, codes, records.stride(), place, records.len(), out) };
    }

    /// `out[i] = sum_j code_ij * q_j` for each record that `ids` names, in that order. Later records are prefetched
    /// while earlier ones are computed.
    ///
    /// # Panics
    /// As for [`RowDot::rows`], and when there is no record of some id.
    pub fn gather(&self, query: &Query8, records: Records<'_>, ids: &[u32], out: &mut [i32]) {
        assert_eq!(out.len(), ids.len(), "one product for each id");
        // SAFETY: there is.
        unsafe { self.picked(query, records, ids, out.as_mut_ptr()) };
    }

    /// [`RowDot::gather`].
    ///
    /// # Safety
    /// `out` has room for a product of each id.
    ///
    /// # Panics
    /// As there.
    pub(in crate::codes) unsafe fn picked(&self, query: &Query8, records: Records<'_>, ids: &[u32], out: *mut i32) {
        if let Some(largest) = ids.iter().copied().reduce(u32::max) {
            assert!((largest as usize) < records.len(), "record {largest} of {}", records.len());
        }
        let codes = self.check(query, &records);
        // SAFETY: every id names a record, those are within the data, and `out` has room for one product each.
        unsafe { self.pick(query, codes, records.stride(), ids, out) };
    }

    /// The products of the first `count` records with the first plane as a job: without a place for the products.
    ///
    /// # Panics
    /// As for [`RowDot::products`], and when there are not so many.
    #[inline(always)]
    pub(in crate::codes) fn job(&self, query: &Query8, records: &Records<'_>, count: usize, place: Place) -> RowJob {
        assert!(count <= records.len(), "{count} of {} records", records.len());
        let base = self.check(query, records);
        let plane = &self.layout.planes()[0];
        RowJob {
            bits: plane.bits,
            start: 0,
            bytes: plane.bytes,
            rows: ptr::null(),
            base,
            stride: records.stride(),
            count,
            place,
            first: true,
            query: query.plane(0),
            out: ptr::null_mut(),
        }
    }

    /// Records are passed on where they are: a copy of what was just written field by field would be waited for.
    #[inline(always)]
    fn check(&self, query: &Query8, records: &Records<'_>) -> *const u8 {
        let same = query.layout.is(&self.layout) && ptr::eq(query.isa, self.isa);
        assert!(same, "a query made for {:?} on {:?}", query.layout, query.isa);
        records.check(self.layout.bytes)
    }

    /// The products of `count` consecutive rows.
    ///
    /// # Safety
    /// They are readable, and `out` has room for them.
    #[inline]
    unsafe fn run(&self, query: &Query8, codes: *const u8, stride: usize, place: Place, count: usize, out: *mut i32) {
        // Several planes of a batch while it is in the cache; one plane in one go.
        let whole = count / ROWS_MAX * ROWS_MAX;
        let batch = if self.layout.planes().len() == 1 && !self.lacks() { whole } else { BATCH };
        let mut done = 0;
        while done < count {
            let here = (count - done).min(if done < whole { batch } else { BATCH });
            let base = codes.wrapping_add(done * stride);
            let rows = Rows { named: ptr::null(), base, stride, place, count: here };
            // SAFETY: the rows are readable, and there is room.
            unsafe { self.batch(query, &rows, out.add(done)) };
            done += here;
        }
    }

    /// The products of rows that ids name.
    ///
    /// # Safety
    /// Every id names a record that is readable, and `out` has room for them.
    unsafe fn pick(&self, query: &Query8, codes: *const u8, stride: usize, ids: &[u32], out: *mut i32) {
        // With what follows the codes, where there is something.
        let fetched = stride.min(self.layout.bytes + 64).min(FETCH_BYTES);
        let mut rows = [codes; FETCH_ROWS];
        for (i, here) in ids.chunks(FETCH_ROWS).enumerate() {
            for (r, (row, &id)) in rows.iter_mut().zip(here).enumerate() {
                *row = codes.wrapping_add(id as usize * stride);
                if i == 0 && r >= ROWS_MAX {
                    fetch(*row, fetched);
                }
            }
            for &id in ids[i * FETCH_ROWS + here.len()..].iter().take(FETCH_ROWS) {
                fetch(codes.wrapping_add(id as usize * stride), fetched);
            }
            let rows = Rows { named: rows.as_ptr(), base: codes, stride, place: Place::Near, count: here.len() };
            // SAFETY: the rows are readable, and there is room.
            unsafe { self.batch(query, &rows, out.add(i * FETCH_ROWS)) };
        }
    }

    /// Whether products in rows lack 128 times the sum of the query.
    #[inline]
    fn lacks(&self) -> bool {
        self.cell.signed && self.layout.width == 8
    }

    /// # Safety
    /// The rows are readable, and `out` has room for them.
    ///
    /// # Panics
    /// When there are more than [`BATCH`] rows, and not a multiple of [`ROWS_MAX`] of one plane that lacks nothing.
    #[inline]
    unsafe fn batch(&self, query: &Query8, rows: &Rows, out: *mut i32) {
        let missing = if self.lacks() { query.sum().wrapping_mul(128) } else { 0 };
        for (p, plane) in self.layout.planes().iter().enumerate() {
            let mut job = RowJob {
                bits: plane.bits,
                start: plane.start,
                bytes: plane.bytes,
                rows: rows.named,
                base: rows.base,
                stride: rows.stride,
                count: rows.count,
                place: rows.place,
                first: p == 0,
                query: query.plane(p),
                out,
            };
            if p == 0 && missing == 0 && rows.count.is_multiple_of(ROWS_MAX) {
                // SAFETY: the instruction set is available (see `Cell`), the plane is within its row, and there is
                // room.
                unsafe { (self.cell.rows)(&job) };
                continue;
            }
            let mut products = [0; BATCH];
            job.out = products[..rows.count.next_multiple_of(ROWS_MAX)].as_mut_ptr();
            // SAFETY: as above.
            unsafe { (self.cell.rows)(&job) };
            for (i, product) in products[..rows.count].iter().enumerate() {
                let product = product.wrapping_add(missing) << plane.shift;
                // SAFETY: there is room, and what is read was written for the plane before.
                unsafe {
                    let before = if p == 0 { 0 } else { *out.add(i) };
                    out.add(i).write(before.wrapping_add(product));
                }
            }
        }
    }
}

/// Where some rows are; see [`RowJob`].
struct Rows {
    named: *const *const u8,
    base: *const u8,
    stride: usize,
    place: Place,
    count: usize,
}

/// Asks for a row.
fn fetch(row: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        prefetch::row(row.wrapping_add(line), 1);
    }
}
