//! Integer products of packed codes with a query in bytes: `sum_j code_j * q_j`, exactly, for codes of 1 to 8 bits.
//!
//! A code is a row of `dim` unsigned integers of `width` bits, and the query one of signed bytes ([`Query8`], or twice
//! that in [`Query16`]). Scalar quantizers, RaBitQ and everything else that is linear in its codes needs no more than
//! this product and a few factors for each row.
//!
//! # Planes
//! A width is cut into planes of 8, 4, 2 or 1 bits, the widest first and in the lowest bits:
//! `code = sum_p plane_p << shift_p`.
//!
//! | width | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
//! |---|---|---|---|---|---|---|---|---|
//! | planes (bits `<<` shift) | 1 | 2 | 2, `1 << 2` | 4 | 4, `1 << 4` | 4, `2 << 4` | 4, `2 << 4`, `1 << 6` | 8 |
//!
//! A byte of a plane of `b` bits holds `8 / b` components, its *fields*; field `s` is in bits `b * s ..`. What follows
//! is a format that reaches disk. Padding holds zeros when it is written and is multiplied by zeros when it is read.
//!
//! # Rows ([`RowDot`])
//! The planes of a row follow each other. A plane is a sequence of groups of 16 bytes, and field `s` of byte `i` of
//! group `g` is component `16 * (g * 8 / b + s) + i`, so unpacking is a shift and an AND whatever the register size.
//!
//! | plane | components in a group | byte `i` of the group, from the lowest bits |
//! |---|---|---|
//! | 8 bits | 16 | `i` |
//! | 4 bits | 32 | `i`, `16 + i` |
//! | 2 bits | 64 | `i`, `16 + i`, `32 + i`, `48 + i` |
//! | 1 bit | 128 | `i`, `16 + i`, .. `112 + i` |
//!
//! Rows stand `stride` bytes apart, so that factors may follow each. A stride and a start that are multiples of 64 are
//! best.
//!
//! # Blocks ([`BlockDot`])
//! Sixteen rows are interleaved so that a scan needs no horizontal sums. The planes of a block follow each other. A
//! plane is a sequence of steps of 64 bytes, four for each of the sixteen rows in order, and field `s` of byte `j` of a
//! row in step `t` is component `4 * (t * 8 / b + s) + j`.
//!
//! | plane | components in a step | byte `j` of a row in the step, from the lowest bits |
//! |---|---|---|
//! | 8 bits | 4 | `j` |
//! | 4 bits | 8 | `j`, `4 + j` |
//! | 2 bits | 16 | `j`, `4 + j`, `8 + j`, `12 + j` |
//! | 1 bit | 32 | `j`, `4 + j`, .. `28 + j` |
//!
//! # Overflow
//! With at most [`MAX_DIM`] components, `255 * 127 * 65536 < 2^31`, so no product leaves `i32`, nor any partial sum.
mod block;
mod driver;
mod layout;
mod query;
mod row;
mod scalar;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vbmi;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512vnni;
#[cfg(target_arch = "x86_64")]
mod avxvnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neondot;

use std::{error::Error, fmt};

pub use self::{
    block::{BLOCK_ROWS, BlockDot},
    layout::Records,
    query::{Query8, Query16},
    row::RowDot,
};
use crate::{
    dispatch::{IsaError, KernelError},
    isa::{self, IsaInfo, Version, versions},
};
use driver::Cell;
pub(super) use driver::{BlockJob, Place, RowJob};
pub(super) use query::{largest, sum};

/// The most components that a code may have.
pub const MAX_DIM: usize = 1 << 16;

/// Why codes of a shape, or a query for them, cannot be had.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum DotError {
    /// No kernel could be chosen.
    Kernel(KernelError),
    /// The width is not in `1..=8`.
    Width {
        /// What was asked for.
        width: u32,
    },
    /// The dimension is not in `1..=MAX_DIM`.
    Dim {
        /// What was asked for.
        dim: usize,
    },
    /// A component of a query is NaN or infinite.
    NotFinite {
        /// Which one.
        position: usize,
    },
}

impl fmt::Display for DotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(_) => f.write_str("no kernel for packed codes could be chosen"),
            Self::Width { width } => write!(f, "codes of {width} bits where 1 to 8 are allowed"),
            Self::Dim { dim } => write!(f, "codes of dimension {dim} where 1 to {MAX_DIM} are allowed"),
            Self::NotFinite { position } => write!(f, "component {position} of the query is not finite"),
        }
    }
}

impl Error for DotError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Kernel(error) => Some(error),
            Self::Width { .. } | Self::Dim { .. } | Self::NotFinite { .. } => None,
        }
    }
}

impl From<KernelError> for DotError {
    fn from(error: KernelError) -> Self {
        Self::Kernel(error)
    }
}

impl From<IsaError> for DotError {
    fn from(error: IsaError) -> Self {
        Self::Kernel(error.into())
    }
}

/// The kernels, best first.
static CELLS: &[Version<Cell>] = versions![
    x86 AVX512VBMI => avx512vbmi::CELL,
    x86 AVX512VNNI => avx512vnni::CELL,
    x86 AVX512 (whole) => avx512::CELL,
    x86 AVXVNNI => avxvnni::CELL,
    x86 AVX2 => avx2::CELL,
    arm NEONDOT => neondot::CELL,
    arm NEON => neon::CELL,
    any SCALAR => scalar::CELL,
];

/// The kernels of `isa`, or of the next set below it that has some.
fn cell_on(isa: &'static IsaInfo) -> Result<(&'static IsaInfo, Cell), DotError> {
    if !isa.is_available() {
        return Err(IsaError::Unavailable { name: isa.name(), needs: isa.summary() }.into());
    }
    let chosen = isa::pick(CELLS, isa);
    Ok(chosen.expect("the scalar set is always available"))
}

/// The kernels of every set that this CPU can run, best first.
fn cells() -> impl Iterator<Item = (&'static IsaInfo, Cell)> {
    CELLS.iter().filter_map(|version| version.available().map(|cell| (version.isa, cell)))
}
