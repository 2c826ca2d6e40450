//! Product quantization as a tier: each part of a row is one of the centroids of a codebook, or the sum of one from
//! each of several.
//!
//! A row is cut into `m` parts of `dim / m` components. With one level (PQ: Jegou, Douze and Schmid, "Product
//! Quantization for Nearest Neighbor Search", 2011) each part is the nearest of up to `2^nbits` centroids. With `nrq`
//! levels (PRQ, the product residual quantizer of faiss) each level has centroids of its own for what the levels before
//! it left over ([`super::prq`]). A row thus has `m * nrq` codes of `nbits` bits; code `level * m + part` comes at that
//! place.
//!
//! Over fewer rows than `2^nbits` each row is a centroid of its own, so that its codes lose nothing: no number of rows
//! is too small, and there are as many centroids as rows.
//!
//! Keys are of the decoded rows, which for IP and COSINE have their own lengths back ([`beside`]). With codes of up to
//! 8 bits they are sums of table entries, one for each byte of a row ([`keys`]); with wider ones, where the tables of a
//! query would cost more than the rows that a walk compares, rows are decoded and compared as vectors.
//!
//! | section | numbers | what |
//! |---|---|---|
//! | code parameters | 6 of 8 bytes | 16; m; nrq; nbits; centroids of a codebook; low and step of the rests ([`beside`]) as f32 in one, or 0 |
//! | code tables | nrq by m by centroids by dim / m of 4 bytes | the centroids as f32 |
//! | codes | a record for each row | codes as [`pack`] lays them out, then 3 bytes of what is [`beside`] them if there is such a thing |

mod beside;
pub(in crate::tier) mod book;
mod format;
mod keys;
mod pack;
mod train;

use std::fmt;

use elanus_kernels::codes::pq8::Codebooks;
use elanus_kernels::{KernelError, Metric};

use self::beside::{Beside, Grid};
use self::book::padded;
use super::source::Source;
use super::{Code, Keys, Tier};
use crate::array::Array;
use crate::container::Part;
use crate::{BuildCx, BuildError, SearchError};

/// What the first of the code parameters says of this tier.
pub(super) const NUMBER: u64 = 16;

/// Levels at most.
pub(crate) const MAX_LEVELS: usize = 16;

/// Bits of a code at most.
pub(crate) const MAX_BITS: u32 = 24;

/// Bits of a code up to which keys come from tables.
const TABLE_BITS: u32 = 8;

/// Which product quantizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PqKind {
    /// Parts of a row; they divide the dimension.
    pub(crate) m: usize,
    /// Levels: 1 for PQ, 1 to [`MAX_LEVELS`] for PRQ.
    pub(crate) nrq: usize,
    /// Bits of a code, 1 to [`MAX_BITS`].
    pub(crate) nbits: u32,
}

impl PqKind {
    /// Whether rows of that dimension can be coded so.
    pub(crate) fn fits(self, dim: usize) -> bool {
        self.m > 0
            && dim > 0
            && dim.is_multiple_of(self.m)
            && (1..=MAX_LEVELS).contains(&self.nrq)
            && (1..=MAX_BITS).contains(&self.nbits)
    }

    /// Codes of a row.
    fn fields(self) -> usize {
        self.m * self.nrq
    }

    /// Whether keys are sums of table entries.
    fn has_tables(self) -> bool {
        self.nbits <= TABLE_BITS
    }

    /// What a row keeps behind its codes.
    fn beside(self, metric: Metric) -> Beside {
        if metric != Metric::L2 {
            Beside::Scale
        } else if self.nrq > 1 && self.has_tables() {
            Beside::Rest
        } else {
            Beside::Nothing
        }
    }

    /// Bytes of a row.
    fn row_bytes(self, metric: Metric) -> usize {
        pack::row_bytes(self) + if self.beside(metric) == Beside::Nothing { 0 } else { beside::BYTES }
    }
}

impl fmt::Display for PqKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { m, nrq, nbits } = self;
        match nrq {
            1 => write!(f, "PQ{m}x{nbits}"),
            _ => write!(f, "PRQ{m}x{nrq}x{nbits}"),
        }
    }
}

/// All rows in product codes.
pub(crate) struct PqTier {
    kind: PqKind,
    /// L2 or IP.
    metric: Metric,
    dim: usize,
    rows: usize,
    /// Of each codebook, 1 to `2^nbits`.
    centroids: usize,
    numbers: [u64; 6],
    /// `nrq` by `m` by `centroids` by `dim / m`.
    values: Array<f32>,
    codes: Array<u8>,
    /// Where the rests begin and what they are multiples of.
    rests: Grid,
    /// The codebooks of each level where keys come from tables, else none.
    levels: Vec<Codebooks>,
}

impl PqTier {
    /// Trains codebooks on a sample and encodes all rows. `None` when the rows cannot be cut into so many parts, or
    /// there are none.
    ///
    /// The codebooks and codes depend on the rows and the seed alone. `cx.progress` is told rows done and rows in all,
    /// of which training counts as half.
    ///
    /// # Errors
    /// When the build is cancelled or no kernel can be had.
    pub(crate) fn build(kind: PqKind, source: &Source<'_>, cx: &BuildCx<'_>) -> Result<Option<Self>, BuildError> {
        if !kind.fits(source.dim()) || source.usable.count_ones() == 0 {
            return Ok(None);
        }
        let (centroids, values) = train::train(kind, source, cx)?;
        let codes = train::encode(kind, source, &values, centroids, cx)?;
        let (values, codes) = (Array::Owned(values), Array::Owned(codes));
        let shape = (source.code_metric(), source.dim(), source.len());
        let mut tier = Self::new(kind, shape, centroids, (values, codes), Grid::default())?;
        beside::keep(&mut tier, source, cx)?;
        tier.codes = tier.codes.for_random_reads();
        (cx.progress)(source.len() as u64, source.len() as u64);
        Ok(Some(tier))
    }

    fn new(
        kind: PqKind,
        (metric, dim, rows): (Metric, usize, usize),
        centroids: usize,
        (values, codes): (Array<f32>, Array<u8>),
        rests: Grid,
    ) -> Result<Self, KernelError> {
        let dsub = dim / kind.m;
        let level = |values: &[f32]| {
            let (places, values) = padded(values, centroids, dsub);
            Codebooks::new(&values, kind.m, places, dsub)
        };
        let levels = if kind.has_tables() {
            values.as_slice().chunks_exact(dim * centroids).map(level).collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        let mut tier = Self { kind, metric, dim, rows, centroids, numbers: [0; 6], values, codes, rests, levels };
        tier.numbers = tier.count();
        Ok(tier)
    }

    /// The code parameters.
    fn count(&self) -> [u64; 6] {
        let PqKind { m, nrq, nbits } = self.kind;
        [NUMBER, m as u64, nrq as u64, u64::from(nbits), self.centroids as u64, self.rests.number()]
    }

    /// Bytes of a row of codes.
    fn row_bytes(&self) -> usize {
        self.kind.row_bytes(self.metric)
    }

    /// The codes of a row.
    fn row(&self, id: usize) -> &[u8] {
        &self.codes.as_slice()[id * self.row_bytes()..][..self.row_bytes()]
    }

    /// Adds the centroids that a row names on one level to `to`, which has a place for each component. A code above
    /// those that are written counts as the last one.
    fn add_level(&self, level: usize, row: &[u8], to: &mut [f32]) {
        let PqKind { m, .. } = self.kind;
        let (dsub, values) = (self.dim / m, self.values.as_slice());
        for (part, to) in to.chunks_exact_mut(dsub).enumerate() {
            let code = pack::read(self.kind, row, level * m + part).min(self.centroids - 1);
            let centroid = &values[((level * m + part) * self.centroids + code) * dsub..][..dsub];
            for (to, value) in to.iter_mut().zip(centroid) {
                *to += value;
            }
        }
    }

    /// Writes the decoded row to `to`.
    fn decode(&self, id: usize, to: &mut [f32]) {
        to.fill(0.0);
        (0..self.kind.nrq).for_each(|level| self.add_level(level, self.row(id), to));
    }
}

impl Tier for PqTier {
    fn code(&self) -> Code {
        Code::Pq(self.kind)
    }

    fn describe(&self) -> String {
        self.kind.to_string()
    }

    fn size_bytes(&self) -> u64 {
        let held: usize = self.levels.iter().map(|books| 2 * 4 * books.m() * books.k() * books.dsub()).sum();
        self.codes.size_bytes() + self.values.size_bytes() + held as u64
    }

    fn bind<'a>(&'a self, query: &'a [f32]) -> Result<Box<dyn Keys + 'a>, SearchError> {
        if query.len() != self.dim {
            return Err(SearchError::Dim { want: self.dim, got: query.len() });
        }
        if self.kind.has_tables() {
            Ok(Box::new(keys::Tables::new(self, query)?))
        } else {
            Ok(Box::new(keys::Decoded::new(self, query)?))
        }
    }

    fn parts(&self, role: u32) -> Vec<Part<'_>> {
        format::parts(self, role)
    }
}

impl fmt::Debug for PqTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, rows, centroids, .. } = self;
        write!(f, "{kind} of {rows} rows, {} bytes each, {centroids} centroids a codebook", self.row_bytes())
    }
}

#[cfg(test)]
mod tests;
