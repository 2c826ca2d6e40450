//! Where each component of a code lies, and views of coded rows.
use super::{DotError, MAX_DIM, driver::Place};

/// Rows that are computed together in a block.
pub(super) const BLOCK_ROWS: usize = 16;
/// Bytes that a block adds at a step.
pub(super) const STEP_BYTES: usize = 64;
/// Bytes of a row's plane that are unpacked alike.
pub(super) const GROUP_BYTES: usize = 16;

/// Some of the bits of every component.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Plane {
    /// 8, 4, 2 or 1.
    pub(super) bits: u32,
    /// What the plane is shifted by in the code.
    pub(super) shift: u32,
    /// Where it begins in a row or block, in bytes.
    pub(super) start: usize,
    /// How long it is there, in bytes.
    pub(super) bytes: usize,
}

impl Plane {
    /// Components in a byte.
    pub(super) const fn fields(&self) -> usize {
        (8 / self.bits) as usize
    }

    const fn mask(&self) -> u8 {
        (0xff_u32 >> (8 - self.bits)) as u8
    }

    /// Where the `i`-th run of components of one field is: its first byte, if those of a row are `step` bytes apart,
    /// and the lowest bit in each of its bytes.
    const fn run(&self, i: usize, step: usize) -> (usize, u32) {
        (self.start + i / self.fields() * step, (i % self.fields()) as u32 * self.bits)
    }
}

/// Which way rows are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrangement {
    Row,
    Block,
}

impl Arrangement {
    /// Bytes in a run of one field, and the distance between runs.
    const fn run(self) -> (usize, usize) {
        match self {
            Self::Row => (GROUP_BYTES, GROUP_BYTES),
            Self::Block => (STEP_BYTES / BLOCK_ROWS, STEP_BYTES),
        }
    }
}

/// The layout of codes: a dimension and a width in one of the arrangements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) dim: usize,
    pub(super) width: u32,
    pub(super) arrangement: Arrangement,
    planes: [Plane; 3],
    plane_count: usize,
    /// Bytes of a row, or of a block of sixteen.
    pub(super) bytes: usize,
}

impl Layout {
    pub(super) fn new(dim: usize, width: u32, arrangement: Arrangement) -> Result<Self, DotError> {
        if !(1..=8).contains(&width) {
            return Err(DotError::Width { width });
        }
        if dim == 0 || dim > MAX_DIM {
            return Err(DotError::Dim { dim });
        }
        let (run, step) = arrangement.run();
        let (mut planes, mut plane_count, mut bytes, mut shift) = ([Plane::default(); 3], 0, 0, 0);
        for bits in [8, 4, 2, 1] {
            if width & bits != 0 {
                let mut plane = Plane { bits, shift, start: bytes, bytes: 0 };
                plane.bytes = dim.div_ceil(run * plane.fields()) * step;
                bytes += plane.bytes;
                shift += bits;
                planes[plane_count] = plane;
                plane_count += 1;
            }
        }
        Ok(Self { dim, width, arrangement, planes, plane_count, bytes })
    }

    /// Whether these are the same codes; the planes follow from the rest.
    pub(super) const fn is(&self, other: &Self) -> bool {
        self.dim == other.dim
            && self.width == other.width
            && matches!(self.arrangement, Arrangement::Row) == matches!(other.arrangement, Arrangement::Row)
    }

    pub(super) fn planes(&self) -> &[Plane] {
        &self.planes[..self.plane_count]
    }

    /// Writes one row into its bytes, which the caller has cleared. `lane` is the row's place in its block, or 0.
    ///
    /// # Panics
    /// When a code does not fit the width.
    pub(super) fn write(&self, codes: &[u8], lane: usize, to: &mut [u8]) {
        let limit = 0xff_u8 >> (8 - self.width);
        let largest = codes.iter().copied().fold(0, u8::max);
        assert!(largest <= limit, "code {largest} does not fit {} bits", self.width);
        let (run, step) = self.arrangement.run();
        for plane in self.planes() {
            for (i, codes) in codes.chunks(run).enumerate() {
                let (byte, bit) = plane.run(i, step);
                for (to, code) in to[byte + lane * run..][..codes.len()].iter_mut().zip(codes) {
                    *to |= ((code >> plane.shift) & plane.mask()) << bit;
                }
            }
        }
    }

    /// Reads one row, undoing [`Layout::write`].
    pub(super) fn read(&self, from: &[u8], lane: usize, codes: &mut [u8]) {
        let (run, step) = self.arrangement.run();
        codes.fill(0);
        for plane in self.planes() {
            for (i, codes) in codes.chunks_mut(run).enumerate() {
                let (byte, bit) = plane.run(i, step);
                for (code, from) in codes.iter_mut().zip(&from[byte + lane * run..]) {
                    *code |= ((from >> bit) & plane.mask()) << plane.shift;
                }
            }
        }
    }
}

/// Coded rows, or blocks of them, that stand `stride` bytes apart in memory that someone else owns.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    data: &'a [u8],
    stride: usize,
    len: usize,
}

impl<'a> Records<'a> {
    /// Views `data` as `len` records whose starts are `stride` bytes apart. What lies between the end of a record and
    /// the start of the next belongs to the caller; the last record needs no full stride.
    ///
    /// # Panics
    /// When `stride` is 0, or `data` ends before the last record begins.
    #[inline]
    pub fn new(data: &'a [u8], stride: usize, len: usize) -> Self {
        assert!(stride > 0, "records that are 0 bytes apart");
        let last = len.saturating_sub(1).checked_mul(stride);
        assert!(last.is_some_and(|last| last <= data.len()), "{len} records of {stride} in {} bytes", data.len());
        Self { data, stride, len }
    }

    /// How many records there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no records.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes between the starts of two records.
    #[inline]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// All bytes, from the first record on.
    #[inline]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Where all records probably are, asked once for a scan of them.
    #[inline]
    pub(in crate::codes) fn place(&self) -> Place {
        Place::of(self.data.as_ptr(), self.len.saturating_mul(self.stride))
    }

    /// The first `bytes` bytes of record `i`.
    ///
    /// # Panics
    /// When there is no such record, or it is shorter.
    #[inline]
    pub fn record(&self, i: usize, bytes: usize) -> &'a [u8] {
        assert!(i < self.len, "record {i} of {}", self.len);
        &self.data[i * self.stride..][..bytes]
    }

    /// `len` records from record `first` on.
    ///
    /// # Panics
    /// When there are not so many.
    #[inline]
    pub fn slice(&self, first: usize, len: usize) -> Records<'a> {
        assert!(first <= self.len && len <= self.len - first, "records {first} and {len} more of {}", self.len);
        let skip = (first * self.stride).min(self.data.len());
        Records { data: &self.data[skip..], stride: self.stride, len }
    }

    /// The start of the first record, after a check that every record has `bytes` bytes.
    ///
    /// # Panics
    /// When they have not, or would overlap.
    #[inline]
    pub(super) fn check(&self, bytes: usize) -> *const u8 {
        if self.len > 0 {
            assert!(self.stride >= bytes, "records of {bytes} bytes that are {} apart", self.stride);
            let last = (self.len - 1) * self.stride;
            assert!(self.data.len() - last >= bytes, "the last record has fewer than {bytes} bytes");
        }
        self.data.as_ptr()
    }
}
