//! What a code is made of, and where its parts lie.
use crate::{codes::rotate::DIM_MAX, dispatch::KernelError, element::ElementType, metric::Metric};

/// Rows in a block.
pub const BLOCK: usize = 64;

/// Three factors of 4 bytes.
pub(super) const FACTORS: usize = 12;

/// Factors, the centre, and two bytes that belong to the caller.
pub(super) const TRAILER: usize = FACTORS + 4;

/// The shape of the codes of one set of vectors: metric, rotated dimension and bits a component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Codec {
    metric: Metric,
    dim: usize,
    bits: u8,
}

impl Codec {
    /// Codes of `bits` bits a component, the sign among them, for rotated vectors of `dim` values, a multiple of 64
    /// as [`crate::codes::rotate::padded`] makes it. [`Metric::Cosine`] is the inner product of vectors that the
    /// caller has normalised, queries included.
    ///
    /// # Errors
    /// When the metric is not L2, IP or COSINE.
    ///
    /// # Panics
    /// When `dim` is 0, above [`DIM_MAX`] or not a multiple of 64, or `bits` is not in 1 to 8.
    pub fn new(metric: Metric, dim: usize, bits: u8) -> Result<Self, KernelError> {
        assert!((1..=DIM_MAX).contains(&dim), "codes of dimension {dim}; allowed are 64 to {DIM_MAX}");
        assert!(dim.is_multiple_of(64), "codes of dimension {dim}, which is no multiple of 64");
        assert!((1..=8).contains(&bits), "codes of {bits} bits; allowed are 1 to 8");
        if !matches!(metric, Metric::L2 | Metric::Ip | Metric::Cosine) {
            return Err(KernelError::Unsupported { metric, element: ElementType::F32 });
        }
        Ok(Self { metric, dim, bits })
    }

    /// The metric.
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// The rotated dimension.
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// Bits a component, the sign among them.
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Bytes of one bit plane.
    pub const fn plane_bytes(&self) -> usize {
        self.dim / 8
    }

    /// Bits a component in tier 1.
    pub(super) const fn extra(&self) -> usize {
        self.bits as usize - 1
    }

    /// Bytes of a record of tier 0.
    pub const fn record_bytes(&self) -> usize {
        self.plane_bytes() + TRAILER
    }

    /// A distance between records of tier 0 that keeps them on as few cache lines as can be: [`Codec::record_bytes`]
    /// rounded up to a multiple of 64.
    pub const fn record_stride(&self) -> usize {
        self.record_bytes().next_multiple_of(64)
    }

    /// Bytes of a record of tier 1; 0 where the sign is all there is.
    pub const fn refine_bytes(&self) -> usize {
        if self.bits == 1 { 0 } else { self.extra() * self.plane_bytes() + FACTORS }
    }

    /// Bytes of a block of [`BLOCK`] rows of tier 0.
    pub const fn block_bytes(&self) -> usize {
        BLOCK * (self.plane_bytes() + FACTORS)
    }

    /// Views `bytes` as records of tier 0, of which one begins every `stride` bytes.
    ///
    /// # Panics
    /// When `stride` is below [`Codec::record_bytes`].
    pub fn records<'a>(&self, bytes: &'a [u8], stride: usize) -> Records<'a> {
        Records::new(bytes, stride, self.record_bytes())
    }

    /// Views `bytes` as records of tier 1, of which one begins every `stride` bytes.
    ///
    /// # Panics
    /// When there is no tier 1, or `stride` is below [`Codec::refine_bytes`].
    pub fn refinements<'a>(&self, bytes: &'a [u8], stride: usize) -> Records<'a> {
        assert!(self.bits > 1, "codes of one bit have no tier 1");
        Records::new(bytes, stride, self.refine_bytes())
    }

    /// Writes up to [`BLOCK`] records of tier 0, from `first` on, as one block. Places for which there is no record
    /// hold a row whose estimate is infinite.
    ///
    /// # Panics
    /// When `block` has not [`Codec::block_bytes`] bytes, or `records` are not those of this shape.
    pub fn pack_block(&self, records: Records<'_>, first: usize, block: &mut [u8]) {
        assert_eq!(block.len(), self.block_bytes(), "bytes of a block");
        assert_eq!(records.record, self.record_bytes(), "records of another shape");
        let (signs, factors) = block.split_at_mut(BLOCK * self.plane_bytes());
        for row in 0..BLOCK {
            let record = (first + row < records.len()).then(|| records.get(first + row));
            for (k, column) in signs.chunks_exact_mut(BLOCK).enumerate() {
                column[row] = record.map_or(0, |record| record[k]);
            }
            for (f, column) in factors.chunks_exact_mut(4 * BLOCK).enumerate() {
                let absent = if f == 0 { f32::INFINITY } else { 0.0 };
                let from = self.plane_bytes() + 4 * f;
                let value = record.map_or(absent.to_le_bytes(), |record| first_four(&record[from..]));
                column[4 * row..][..4].copy_from_slice(&value);
            }
        }
    }
}

/// Records of one tier within a slice of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    stride: usize,
    record: usize,
    len: usize,
}

impl<'a> Records<'a> {
    fn new(bytes: &'a [u8], stride: usize, record: usize) -> Self {
        assert!(stride >= record, "records of {record} bytes, {stride} bytes apart");
        let len = bytes.len().checked_sub(record).map_or(0, |rest| rest / stride + 1);
        Self { bytes, stride, record, len }
    }

    /// How many whole records there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes from the begin of a record to that of the next.
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Bytes of a record.
    pub(super) const fn record(&self) -> usize {
        self.record
    }

    /// All bytes.
    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Record `i`, without what lies between it and the next.
    ///
    /// # Panics
    /// When there is no such record.
    #[inline]
    pub fn get(&self, i: usize) -> &'a [u8] {
        assert!(i < self.len, "record {i} of {}", self.len);
        &self.bytes[i * self.stride..][..self.record]
    }
}

/// The first four bytes of a slice that has as many.
#[inline(always)]
pub(super) fn first_four(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// Three factors, of which the first byte is that of `bytes`.
#[inline(always)]
pub(super) fn factors(bytes: &[u8]) -> [f32; 3] {
    let bytes = &bytes[..FACTORS];
    let factor = |at: usize| f32::from_le_bytes(first_four(&bytes[at..]));
    [factor(0), factor(4), factor(8)]
}

/// The number of the centre in what follows the signs of a record of tier 0.
#[inline(always)]
pub(super) fn centre(trailer: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([trailer[FACTORS], trailer[FACTORS + 1]]))
}
