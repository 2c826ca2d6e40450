//! Products of a query with codes in blocks of sixteen rows.
use std::ptr;

use super::{
    DotError, cell_on, cells,
    driver::{BlockJob, Cell, Place},
    layout::{self, Arrangement, Layout, Records, STEP_BYTES},
    query::{Query8, Query16},
};
use crate::{dispatch::choice, isa::IsaInfo};

/// Rows in a block.
pub const BLOCK_ROWS: usize = layout::BLOCK_ROWS;

/// Blocks of several planes that are computed before the next plane is, so that they are still in the cache.
const STRETCH: usize = 8;

/// Products of a query with codes in blocks of sixteen rows, bound to an instruction set. See [the module](super) for
/// the format. Every block is whole: rows that lack are zeros when it is packed, and have products like the others.
#[derive(Clone, Copy, Debug)]
pub struct BlockDot {
    layout: Layout,
    isa: &'static IsaInfo,
    cell: Cell,
}

impl BlockDot {
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
    /// As for [`BlockDot::new`].
    pub fn on(isa: &'static IsaInfo, dim: usize, width: u32) -> Result<Self, DotError> {
        let (isa, cell) = cell_on(isa)?;
        Ok(Self { layout: Layout::new(dim, width, Arrangement::Block)?, isa, cell })
    }

    /// The same on each instruction set that has code of its own and that this CPU can run, best first.
    ///
    /// # Errors
    /// When `width` or `dim` is out of range.
    pub fn all(dim: usize, width: u32) -> Result<impl Iterator<Item = Self>, DotError> {
        let layout = Layout::new(dim, width, Arrangement::Block)?;
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

    /// Bytes of a packed block, a multiple of 64.
    pub const fn block_bytes(&self) -> usize {
        self.layout.bytes
    }

    /// Packs up to sixteen rows, one after another in `codes`, into a block.
    ///
    /// # Panics
    /// When `codes` is not whole rows or more than sixteen, a value does not fit `width` bits, or `to` has fewer than
    /// `block_bytes` bytes.
    pub fn pack(&self, codes: &[u8], to: &mut [u8]) {
        let dim = self.layout.dim;
        assert!(codes.len().is_multiple_of(dim), "{} codes are not whole rows of {dim}", codes.len());
        assert!(codes.len() <= BLOCK_ROWS * dim, "{} rows in a block of {BLOCK_ROWS}", codes.len() / dim);
        let to = &mut to[..self.layout.bytes];
        to.fill(0);
        for (lane, row) in codes.chunks_exact(dim).enumerate() {
            self.layout.write(row, lane, to);
        }
    }

    /// Unpacks row `lane` of a block.
    ///
    /// # Panics
    /// When `lane` is not below sixteen, `codes` has not room for `dim` values or `from` has fewer than `block_bytes`
    /// bytes.
    pub fn unpack(&self, from: &[u8], lane: usize, codes: &mut [u8]) {
        assert!(lane < BLOCK_ROWS, "row {lane} of a block of {BLOCK_ROWS}");
        assert_eq!(codes.len(), self.layout.dim, "codes of another dimension");
        self.layout.read(&from[..self.layout.bytes], lane, codes);
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

    /// Takes a query in bytes, each of which stands for `scale`. Planes of one bit are scanned faster where, for all
    /// `t` and `j < 4`, the magnitudes of the bytes `16 * t + 4 * s + j` (`s` in `0..4`) add up to 255 at most, which
    /// [`BlockDot::query`] sees to.
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

    /// `out[16 * b + r] = sum_j code_j * q_j` for row `r` of block `b`, where each record begins with a packed block.
    ///
    /// # Panics
    /// When the query was made for other codes or another set, a record has fewer than `block_bytes` bytes, or `out`
    /// has not sixteen places for each.
    pub fn blocks(&self, query: &Query8, blocks: Records<'_>, out: &mut [i32]) {
        let place = blocks.place();
        assert_eq!(Some(out.len()), blocks.len().checked_mul(BLOCK_ROWS), "sixteen products for each block");
        // SAFETY: there is room for sixteen products of each block.
        unsafe { self.products(query, blocks, place, out.as_mut_ptr()) };
    }

    /// [`BlockDot::blocks`] with codes from `place`.
    ///
    /// # Safety
    /// `out` has room for sixteen products of each block.
    ///
    /// # Panics
    /// When the query was made for other codes or another set, or a record has fewer than `block_bytes` bytes.
    #[inline]
    pub(in crate::codes) unsafe fn products(&self, query: &Query8, blocks: Records<'_>, place: Place, out: *mut i32) {
        let codes = self.check(query, &blocks);
        let planes = self.layout.planes();
        let stretch = if planes.len() == 1 { blocks.len().max(1) } else { STRETCH };
        let (tables, bias) = query.tables();
        let mut first = 0;
        while first < blocks.len() {
            for (p, plane) in planes.iter().enumerate() {
                // SAFETY: the instruction set is available (see `Cell`), the plane is within its block, and `out` has
                // room for sixteen products of each.
                unsafe {
                    (self.cell.blocks)(&BlockJob {
                        bits: plane.bits,
                        codes: codes.add(first * blocks.stride() + plane.start),
                        stride: blocks.stride(),
                        steps: plane.bytes / STEP_BYTES,
                        blocks: stretch.min(blocks.len() - first),
                        place,
                        alone: planes.len() == 1,
                        query: query.plane(0),
                        sum: query.sum(),
                        tables,
                        bias,
                        shift: plane.shift,
                        add: p > 0,
                        out: out.add(first * BLOCK_ROWS),
                    });
                }
            }
            first += stretch;
        }
    }

    /// The products of all blocks with the first plane as a job: without a place for the products.
    ///
    /// # Panics
    /// As for [`BlockDot::products`].
    #[inline(always)]
    pub(in crate::codes) fn job(&self, query: &Query8, blocks: &Records<'_>, place: Place) -> BlockJob {
        let codes = self.check(query, blocks);
        let plane = &self.layout.planes()[0];
        BlockJob {
            bits: plane.bits,
            codes,
            stride: blocks.stride(),
            steps: plane.bytes / STEP_BYTES,
            blocks: blocks.len(),
            place,
            alone: true,
            query: query.plane(0),
            sum: query.sum(),
            tables: ptr::null(),
            bias: 0,
            shift: 0,
            add: false,
            out: ptr::null_mut(),
        }
    }

    /// Records are passed on where they are: a copy of what was just written field by field would be waited for.
    #[inline(always)]
    fn check(&self, query: &Query8, blocks: &Records<'_>) -> *const u8 {
        let same = query.layout.is(&self.layout) && ptr::eq(query.isa, self.isa);
        assert!(same, "a query made for {:?} on {:?}", query.layout, query.isa);
        blocks.check(self.layout.bytes)
    }
}
