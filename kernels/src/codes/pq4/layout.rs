//! The layouts of 4-bit codes, and the ways between them.
use std::{ops::Range, ptr};

use super::{BLOCK, MAX_M, VECTOR_MAJOR};
use crate::{
    dispatch::{self, KernelError},
    isa,
    rows::ShapeError,
};

/// Sub-quantizers that are moved together: the group of the vector-major layout.
const GROUP: usize = 8;

/// The codes of 32 rows by eight sub-quantizers, one in a byte: sub-quantizer `s` of row `r` at `s * BLOCK + r`.
type Tile = [u8; GROUP * BLOCK];

/// How the codes of a block lie; the [module](super) describes each layout byte by byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Layout {
    /// Sixteen bytes for each sub-quantizer, as in faiss.
    Classic,
    /// Four bytes side by side for each row and eight sub-quantizers.
    VectorMajor,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 2] = [Self::Classic, Self::VectorMajor];

    /// The layout that is scanned faster on the instruction set that [`dispatch::choice`] allows: vector-major where
    /// bytes can be permuted over a whole register of 64, classic elsewhere.
    ///
    /// # Errors
    /// When that set cannot be used.
    pub fn preferred() -> Result<Self, KernelError> {
        let limit = dispatch::choice()?;
        Ok(match isa::pick(VECTOR_MAJOR, limit) {
            Some((isa, _)) if ptr::eq(isa, &isa::AVX512VBMI) => Self::VectorMajor,
            Some(_) | None => Self::Classic,
        })
    }

    /// The name, such as `"classic"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::VectorMajor => "vector-major",
        }
    }

    /// Bytes of a block of [`BLOCK`] rows with `m` sub-quantizers.
    ///
    /// # Panics
    /// When `m` is above [`MAX_M`].
    pub const fn block_bytes(self, m: usize) -> usize {
        assert!(m <= MAX_M, "more sub-quantizers than MAX_M");
        self.padded(m) * BLOCK / 2
    }

    /// Bytes of the blocks for `rows` rows with `m` sub-quantizers.
    ///
    /// # Panics
    /// When `m` is above [`MAX_M`], or the bytes are more than there are addresses.
    pub const fn packed_bytes(self, m: usize, rows: usize) -> usize {
        let bytes = rows.div_ceil(BLOCK).checked_mul(self.block_bytes(m));
        bytes.expect("more packed codes than there are addresses")
    }

    /// Sub-quantizers that a block has room for.
    const fn padded(self, m: usize) -> usize {
        match self {
            Self::Classic => m.next_multiple_of(2),
            Self::VectorMajor => m.next_multiple_of(GROUP),
        }
    }

    /// The byte of a block that has the code of sub-quantizer `s` for row `r < BLOCK`, and by how much it is shifted
    /// there.
    const fn place(self, s: usize, r: usize) -> (usize, u32) {
        match self {
            // The inverse of `p`: rows 0 to 7 have the even bytes, rows 8 to 15 the odd ones.
            Self::Classic => (16 * s + 2 * (r % 8) + r / 8 % 2, 4 * (r / 16) as u32),
            Self::VectorMajor => {
                let (group, s) = (s / GROUP, s % GROUP);
                (128 * group + 4 * r + s % 4, 4 * (s / 4) as u32)
            }
        }
    }

    /// The place of the block of row `row` in the packed codes of `m` sub-quantizers, after a check that it is there.
    fn block(self, m: usize, row: usize, packed: usize) -> Range<usize> {
        assert!(0 < m && m <= MAX_M, "{m} sub-quantizers where 1 to {MAX_M} are allowed");
        let (index, size) = (row / BLOCK, self.block_bytes(m));
        assert!(index < packed / size, "row {row} of {} blocks of {BLOCK}", packed / size);
        index * size..(index + 1) * size
    }

    /// Reads the group of sub-quantizers from `first` on out of a block; what the block has no room for is zero.
    fn load(self, block: &[u8], first: usize, tile: &mut Tile) {
        tile.fill(0);
        let count = (block.len() * 2 / BLOCK - first).min(GROUP);
        match self {
            Self::Classic => {
                let codes = block[16 * first..][..16 * count].as_chunks::<16>().0;
                for (codes, to) in codes.iter().zip(tile.as_chunks_mut::<BLOCK>().0) {
                    for i in 0..8 {
                        let (even, odd) = (codes[2 * i], codes[2 * i + 1]);
                        (to[i], to[i + 8], to[i + 16], to[i + 24]) = (even & 15, odd & 15, even >> 4, odd >> 4);
                    }
                }
            }
            Self::VectorMajor => {
                let codes = block[16 * first..][..128].as_chunks::<4>().0;
                for (r, codes) in codes.iter().enumerate() {
                    for j in 0..4 {
                        tile[j * BLOCK + r] = codes[j] & 15;
                        tile[(j + 4) * BLOCK + r] = codes[j] >> 4;
                    }
                }
            }
        }
    }

    /// Writes what [`Layout::load`] reads.
    fn store(self, tile: &Tile, first: usize, block: &mut [u8]) {
        let count = (block.len() * 2 / BLOCK - first).min(GROUP);
        match self {
            Self::Classic => {
                let codes = block[16 * first..][..16 * count].as_chunks_mut::<16>().0;
                for (codes, from) in codes.iter_mut().zip(tile.as_chunks::<BLOCK>().0) {
                    for i in 0..8 {
                        codes[2 * i] = from[i] | from[i + 16] << 4;
                        codes[2 * i + 1] = from[i + 8] | from[i + 24] << 4;
                    }
                }
            }
            Self::VectorMajor => {
                let codes = block[16 * first..][..128].as_chunks_mut::<4>().0;
                for (r, codes) in codes.iter_mut().enumerate() {
                    for j in 0..4 {
                        codes[j] = tile[j * BLOCK + r] | tile[(j + 4) * BLOCK + r] << 4;
                    }
                }
            }
        }
    }
}

/// Packed codes whose shape was checked once.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    layout: Layout,
    m: usize,
    rows: usize,
    bytes: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Views `bytes` as `rows` rows of `m` sub-quantizers.
    ///
    /// # Errors
    /// [`ShapeError::ZeroDim`] when `m` is 0, [`ShapeError::Ragged`] when these are not [`Layout::packed_bytes`] bytes.
    ///
    /// # Panics
    /// When `m` is above [`MAX_M`].
    pub const fn new(layout: Layout, m: usize, rows: usize, bytes: &'a [u8]) -> Result<Self, ShapeError> {
        assert!(m <= MAX_M, "more sub-quantizers than MAX_M");
        if m == 0 {
            return Err(ShapeError::ZeroDim);
        }
        let block = layout.block_bytes(m);
        match block.checked_mul(rows.div_ceil(BLOCK)) {
            Some(len) if len == bytes.len() => Ok(Self { layout, m, rows, bytes }),
            Some(_) | None => Err(ShapeError::Ragged { len: bytes.len(), dim: block }),
        }
    }

    /// How the codes lie.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// How many sub-quantizers there are.
    pub const fn m(&self) -> usize {
        self.m
    }

    /// How many rows there are.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// All blocks.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Bytes of a row of codes with `m` sub-quantizers.
pub const fn row_bytes(m: usize) -> usize {
    m.div_ceil(2)
}

/// The number of rows in `rows` and a check that `packed` is of their size.
fn row_count(layout: Layout, m: usize, rows: usize, packed: usize) -> usize {
    assert!(0 < m && m <= MAX_M, "{m} sub-quantizers where 1 to {MAX_M} are allowed");
    let count = rows / row_bytes(m);
    assert_eq!(count * row_bytes(m), rows, "{rows} bytes are not whole rows of {m} codes");
    assert_eq!(packed, layout.packed_bytes(m, count), "packed codes of another size than those of {count} rows");
    count
}

/// Packs row codes into blocks; the rest of the last block becomes zero.
///
/// # Panics
/// When `rows` are not whole rows, `packed` is not of [`Layout::packed_bytes`] bytes, or `m` is 0 or above [`MAX_M`].
pub fn pack(layout: Layout, m: usize, rows: &[u8], packed: &mut [u8]) {
    row_count(layout, m, rows.len(), packed.len());
    let width = row_bytes(m);
    let mut tile = [0; GROUP * BLOCK];
    for (rows, block) in rows.chunks(BLOCK * width).zip(packed.chunks_exact_mut(layout.block_bytes(m))) {
        for first in (0..m).step_by(GROUP) {
            let count = (m - first).min(GROUP);
            tile.fill(0);
            for (r, row) in rows.chunks_exact(width).enumerate() {
                for (i, byte) in row[first / 2..][..count.div_ceil(2)].iter().enumerate() {
                    tile[2 * i * BLOCK + r] = byte & 15;
                    tile[(2 * i + 1) * BLOCK + r] = byte >> 4;
                }
            }
            tile[count * BLOCK..].fill(0);
            layout.store(&tile, first, block);
        }
    }
}

/// Unpacks blocks into row codes.
///
/// # Panics
/// As [`pack`] does.
pub fn unpack(layout: Layout, m: usize, packed: &[u8], rows: &mut [u8]) {
    row_count(layout, m, rows.len(), packed.len());
    let width = row_bytes(m);
    let mut tile = [0; GROUP * BLOCK];
    for (rows, block) in rows.chunks_mut(BLOCK * width).zip(packed.chunks_exact(layout.block_bytes(m))) {
        for first in (0..m).step_by(GROUP) {
            let count = (m - first).min(GROUP);
            layout.load(block, first, &mut tile);
            tile[count * BLOCK..].fill(0);
            for (r, row) in rows.chunks_exact_mut(width).enumerate() {
                for (i, byte) in row[first / 2..][..count.div_ceil(2)].iter_mut().enumerate() {
                    *byte = tile[2 * i * BLOCK + r] | tile[(2 * i + 1) * BLOCK + r] << 4;
                }
            }
        }
    }
}

/// Brings packed codes of `m` sub-quantizers from one layout into another. Sub-quantizers and rows that only fill up
/// become zero.
///
/// # Panics
/// When `packed` is not whole blocks, `out` is not of as many, or `m` is 0 or above [`MAX_M`].
pub fn relayout(m: usize, (from, packed): (Layout, &[u8]), (to, out): (Layout, &mut [u8])) {
    let rows = packed.len() / from.block_bytes(m.max(1)) * BLOCK;
    assert_eq!(packed.len(), from.packed_bytes(m, rows), "not whole blocks of {m} sub-quantizers");
    row_count(to, m, rows * row_bytes(m), out.len());
    let mut tile = [0; GROUP * BLOCK];
    for (block, out) in packed.chunks_exact(from.block_bytes(m)).zip(out.chunks_exact_mut(to.block_bytes(m))) {
        for first in (0..m).step_by(GROUP) {
            from.load(block, first, &mut tile);
            tile[(m - first).min(GROUP) * BLOCK..].fill(0);
            to.store(&tile, first, out);
        }
    }
}

/// Writes the codes of one row into the blocks.
///
/// # Panics
/// When `codes` is not one row, there is no block for row `row`, or `m` is 0 or above [`MAX_M`].
pub fn write_row(layout: Layout, m: usize, packed: &mut [u8], row: usize, codes: &[u8]) {
    let block = layout.block(m, row, packed.len());
    assert_eq!(codes.len(), row_bytes(m), "one row of {m} codes");
    let block = &mut packed[block];
    for s in 0..m {
        let (byte, shift) = layout.place(s, row % BLOCK);
        let code = codes[s / 2] >> (4 * (s % 2)) & 15;
        block[byte] = block[byte] & !(15 << shift) | code << shift;
    }
}

/// Reads the codes of one row out of the blocks.
///
/// # Panics
/// As [`write_row`] does.
pub fn read_row(layout: Layout, m: usize, packed: &[u8], row: usize, codes: &mut [u8]) {
    let block = &packed[layout.block(m, row, packed.len())];
    assert_eq!(codes.len(), row_bytes(m), "one row of {m} codes");
    codes.fill(0);
    for s in 0..m {
        let (byte, shift) = layout.place(s, row % BLOCK);
        codes[s / 2] |= (block[byte] >> shift & 15) << (4 * (s % 2));
    }
}
