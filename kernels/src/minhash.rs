//! MinHash signatures: how many hashes of two of them are equal, and the Jaccard distance that this estimates.
//!
//! A signature is a fixed number of hashes of one width, one after another. The share of equal hashes is an unbiased
//! estimate of the Jaccard similarity of the two sets (Broder, "On the resemblance and containment of documents", 1997;
//! with hashes cut to `b` bits it is too large by about `2^-b` of the rest, Li and Koenig, "b-Bit Minwise
//! Hashing", 2010). The byte order within a hash does not matter, because hashes are only compared for equality.
//!
//! The counts are exact, and the distance is the exact ratio rounded once, so it has the same bits on every instruction
//! set. [`crate::Metric::MhJaccard`] over [`Binary`] is the same kernel for hashes of 32 bits.
#[cfg(test)]
mod tests;

use crate::{
    bits::{Signatures, signatures},
    dispatch::{self, KernelError},
    element::Binary,
    isa::{IsaInfo, Version},
    rows::Rows,
};

/// How wide the hashes of a signature are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum HashWidth {
    /// 8 bits.
    W8,
    /// 16 bits.
    W16,
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
}

impl HashWidth {
    /// Every width, narrowest first.
    pub const ALL: [Self; 4] = [Self::W8, Self::W16, Self::W32, Self::W64];

    /// The width of that many bits: 8, 16, 32 or 64.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            8 => Some(Self::W8),
            16 => Some(Self::W16),
            32 => Some(Self::W32),
            64 => Some(Self::W64),
            _ => None,
        }
    }

    /// Bytes in a hash.
    pub const fn bytes(self) -> usize {
        match self {
            Self::W8 => 1,
            Self::W16 => 2,
            Self::W32 => 4,
            Self::W64 => 8,
        }
    }

    /// The kernels, best first.
    const fn versions(self) -> &'static [Version<Signatures>] {
        match self {
            Self::W8 => signatures::<1>(),
            Self::W16 => signatures::<2>(),
            Self::W32 => signatures::<4>(),
            Self::W64 => signatures::<8>(),
        }
    }
}

/// The comparison of signatures, bound to an instruction set; free to copy.
#[derive(Clone, Copy, Debug)]
pub struct MinHash {
    width: HashWidth,
    isa: &'static IsaInfo,
    run: Signatures,
}

impl MinHash {
    /// For hashes of `width`, on the best instruction set that [`dispatch::choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used.
    pub fn new(width: HashWidth) -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?, width)
    }

    /// For hashes of `width`, on the instruction set `isa` or, if there is no code for it, on the next one below.
    ///
    /// # Errors
    /// When this machine does not have that set.
    pub fn on(isa: &'static IsaInfo, width: HashWidth) -> Result<Self, KernelError> {
        let (isa, run) = dispatch::bind(width.versions(), isa)?;
        Ok(Self { width, isa, run })
    }

    /// On each instruction set that has code of its own and that this CPU can run, best first.
    pub fn all(width: HashWidth) -> impl Iterator<Item = Self> {
        let versions = width.versions().iter();
        versions.filter_map(move |version| version.available().map(|run| Self { width, isa: version.isa, run }))
    }

    /// The instruction sets that have code of their own, best first, whether this CPU can run them or not.
    pub fn sets(width: HashWidth) -> impl Iterator<Item = &'static IsaInfo> {
        width.versions().iter().map(|version| version.isa)
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// The width of a hash.
    pub const fn width(&self) -> HashWidth {
        self.width
    }

    /// How many hashes of two signatures are equal, place by place.
    ///
    /// # Panics
    /// When the lengths in bytes differ or are not whole hashes.
    pub fn equal(&self, a: &[Binary], b: &[Binary]) -> usize {
        let hashes = self.hashes(a.len());
        assert_eq!(a.len(), b.len(), "signatures of different length");
        // SAFETY: the instruction set is available (see `Version::available`), and both slices have `a.len()` bytes.
        hashes - unsafe { (self.run.differing)(a.as_ptr(), b.as_ptr(), a.len()) } as usize
    }

    /// The Jaccard distance that two signatures estimate: the share of places at which their hashes differ; 0 for empty
    /// ones.
    ///
    /// # Panics
    /// As [`MinHash::equal`].
    #[inline]
    pub fn distance(&self, a: &[Binary], b: &[Binary]) -> f32 {
        self.hashes(a.len());
        self.run.cell.pair(a, b)
    }

    /// The distance of a query to each row, in order.
    ///
    /// # Panics
    /// When the lengths differ or are not whole hashes, or `keys` has not one place for each row.
    pub fn rows(&self, query: &[Binary], base: Rows<'_, Binary>, keys: &mut [f32]) {
        self.hashes(query.len());
        self.run.cell.rows(query, base, keys);
    }

    /// The distance of a query to each row that `ids` names, in that order.
    ///
    /// # Panics
    /// As [`MinHash::rows`], with one place for each id, and when there is no row of an id.
    pub fn gather(&self, query: &[Binary], base: Rows<'_, Binary>, ids: &[u32], keys: &mut [f32]) {
        self.hashes(query.len());
        self.run.cell.gather(query, base, ids, keys);
    }

    /// The distance of every query to every row: query `q` and row `r` at `keys[q * base.len() + r]`.
    ///
    /// # Panics
    /// As [`MinHash::rows`], with one place for each combination.
    pub fn tile(&self, queries: Rows<'_, Binary>, base: Rows<'_, Binary>, keys: &mut [f32]) {
        self.hashes(queries.dim());
        self.run.cell.tile(queries, base, keys);
    }

    /// Hashes in that many bytes.
    #[inline]
    fn hashes(&self, bytes: usize) -> usize {
        let width = self.width.bytes();
        assert!(bytes.is_multiple_of(width), "{bytes} bytes are not whole hashes of {width} bytes");
        bytes / width
    }
}
