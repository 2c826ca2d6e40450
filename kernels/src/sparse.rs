//! Sparse vectors: inner products of two, and of one prepared query with many rows.
//!
//! A sparse vector is its nonzero components, in ascending order of their indices; a component that is not listed is 0.
//! The only metric is the inner product, whose key is minus it ([`crate::Metric::Ip`]).
//!
//! The product of two `f32` is exact in `f64`; the products of the indices that both vectors have are added in `f64`,
//! in ascending order of the indices, from 0, and the sum is rounded once to `f32`. So a key has the same bits on every
//! instruction set, from every method, and with either vector as the query. Values are finite, which is checked once,
//! negative ones and explicit zeros are allowed; a sum beyond `f32` is infinite, and a key is never NaN.
mod plain;
mod query;
mod rows;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::{error::Error, fmt};

pub use self::{query::SparseQuery, rows::SparseRows};
use crate::{
    dispatch::{self, KernelError},
    isa::{IsaInfo, Version, versions},
};

/// A sparse vector whose components were checked once.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SparseVector<'a> {
    indices: &'a [u32],
    values: &'a [f32],
}

/// Why components are not a sparse vector, or vectors not rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SparseError {
    /// There is not one value for each index.
    Lengths {
        /// How many indices there are.
        indices: usize,
        /// How many values.
        values: usize,
    },
    /// An index is not above the one before it in its vector.
    Order {
        /// The place of the index.
        position: usize,
    },
    /// A value is infinite or NaN.
    NotFinite {
        /// The place of the value.
        position: usize,
    },
    /// An offset descends, the first one is not 0, or the last one is not the number of components.
    Offset {
        /// The place of the offset.
        position: usize,
    },
}

impl fmt::Display for SparseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths { indices, values } => write!(f, "{indices} indices and {values} values"),
            Self::Order { position } => write!(f, "index at {position} is not above the one before it"),
            Self::NotFinite { position } => write!(f, "value at {position} is not finite"),
            Self::Offset { position } => write!(f, "offset at {position} does not divide the components into rows"),
        }
    }
}

impl Error for SparseError {}

impl<'a> SparseVector<'a> {
    /// Views components as a vector; none are the zero vector.
    ///
    /// # Errors
    /// When there is not one value for each index, the indices do not ascend strictly, or a value is not finite.
    pub fn new(indices: &'a [u32], values: &'a [f32]) -> Result<Self, SparseError> {
        check(indices, values)?;
        if let Some(position) = descent(indices) {
            return Err(SparseError::Order { position });
        }
        Ok(Self { indices, values })
    }

    /// The indices, ascending.
    pub const fn indices(&self) -> &'a [u32] {
        self.indices
    }

    /// The values, each at the place of its index.
    pub const fn values(&self) -> &'a [f32] {
        self.values
    }

    /// How many components are listed.
    pub const fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether none is listed.
    pub const fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// Checks what does not depend on where a vector begins.
fn check(indices: &[u32], values: &[f32]) -> Result<(), SparseError> {
    if indices.len() != values.len() {
        return Err(SparseError::Lengths { indices: indices.len(), values: values.len() });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(SparseError::NotFinite { position }),
        None => Ok(()),
    }
}

/// The place of the first index that is not above the one before it.
fn descent(indices: &[u32]) -> Option<usize> {
    Some(indices.windows(2).position(|pair| pair[0] >= pair[1])? + 1)
}

/// How an instruction set multiplies two vectors.
#[derive(Clone, Copy, Debug)]
struct Product {
    /// The sum of the products; needs the instruction set.
    run: unsafe fn(SparseVector<'_>, SparseVector<'_>) -> f64,
    /// Times as many components as the other vector from which on the longer one is searched and not walked through.
    /// The crossings were measured on Zen 5, with 8 to 64 components on the shorter side.
    gallop: usize,
}

const VERSIONS: &[Version<Product>] = versions![
    x86 AVX2 => Product { run: avx2::product, gallop: 64 },
    any SCALAR => Product { run: plain::product, gallop: 8 },
];

/// The inner product of two sparse vectors, bound to an instruction set; free to copy.
#[derive(Clone, Copy, Debug)]
pub struct SparseIp {
    isa: &'static IsaInfo,
    run: Product,
}

impl SparseIp {
    /// On the best instruction set that [`dispatch::choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used.
    pub fn new() -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?)
    }

    /// On the instruction set `isa` or, if there is no code for it, on the next one below.
    ///
    /// # Errors
    /// When this machine does not have that set.
    pub fn on(isa: &'static IsaInfo) -> Result<Self, KernelError> {
        let (isa, run) = dispatch::bind(VERSIONS, isa)?;
        Ok(Self { isa, run })
    }

    /// On each instruction set that has code of its own and that this CPU can run, best first.
    pub fn all() -> impl Iterator<Item = Self> {
        VERSIONS.iter().filter_map(|version| version.available().map(|run| Self { isa: version.isa, run }))
    }

    /// The instruction sets that have code of their own, best first, whether this CPU can run them or not.
    pub fn sets() -> impl Iterator<Item = &'static IsaInfo> {
        VERSIONS.iter().map(|version| version.isa)
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// The key of two vectors: minus their inner product, 0 where they have no index in common.
    pub fn pair(&self, a: SparseVector<'_>, b: SparseVector<'_>) -> f32 {
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let sum = if short.len().saturating_mul(self.run.gallop) <= long.len() {
            plain::gallop(short, long)
        } else {
            // SAFETY: the instruction set is available (see `Version::available`).
            unsafe { (self.run.run)(short, long) }
        };
        key(sum)
    }
}

/// The key of a sum of products; a sum of 0 has the key 0 and not -0.
#[inline(always)]
fn key(sum: f64) -> f32 {
    0.0 - sum as f32
}
