//! Kernels over packed bits and over words that are compared for equality: Hamming, Jaccard, Tanimoto, sub- and
//! superstructure of binary vectors, and the share of hashes in which two MinHash signatures differ.
//!
//! All of them count: one bits of some logical function of two vectors, or places at which they differ. The counts are
//! exact, and a key is rounded once from them, so every set gives the same bits: for vectors of up to 2^24 bits a key
//! is the exact number, or the exact ratio of two counts, rounded to `f32`. (Longer ones round the ratio to `f64`
//! first, also the same on every set.)
//!
//! `MHJACCARD` takes the bytes as little-endian words of 32 bits; where they are not whole words, the rest counts as
//! one more word, padded with zeros.
mod driver;
mod lanes;
mod op;
mod scalar;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vpopcntdq;
#[cfg(target_arch = "aarch64")]
mod neon;

pub(crate) use self::op::Differ;
use self::op::{Count, Hamming, Jaccard, Subset, Superset, Tanimoto};
use crate::{
    cell::Cell,
    element::Binary,
    isa::{Version, versions},
    metric::Metric,
};

/// The cells of the operation `$op` on each set: `$first`, then those that every operation has, made by `$cell`.
macro_rules! cells {
    ($cell:ident, $op:ty, [$($first:tt)*]) => {
        versions![
            $($first)*
            x86 AVX512 => avx512::$cell::<$op>(),
            x86 AVX2 => avx2::$cell::<$op>(),
            arm NEON => neon::$cell::<$op>(),
            any SCALAR => scalar::$cell::<$op>(),
        ]
    };
    (ones of $op:ty) => {
        cells!(cell, $op, [x86 AVX512VPOPCNTDQ => avx512vpopcntdq::cell::<$op>(),])
    };
}

/// The kernels over binary vectors.
pub(crate) const fn versions(metric: Metric) -> &'static [Version<Cell<Binary>>] {
    match metric {
        Metric::Hamming => cells!(ones of Hamming),
        Metric::Jaccard => cells!(ones of Jaccard),
        Metric::Tanimoto => cells!(ones of Tanimoto),
        // These count no ones, so population counts are no help.
        Metric::Substructure => cells!(presence_cell, Subset, []),
        Metric::Superstructure => cells!(presence_cell, Superset, []),
        Metric::MhJaccard => cells!(cell, Differ<4>, []),
        Metric::L2 | Metric::Ip | Metric::Cosine => &[],
    }
}

/// Kernels over signatures: the cell of the share of hashes that differ, and their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signatures {
    pub(crate) cell: Cell<Binary>,
    /// `(a, b, bytes)`; as the functions of a [`Cell`], it needs the instruction set.
    pub(crate) differing: unsafe fn(*const Binary, *const Binary, usize) -> u64,
}

/// The kernels over signatures of hashes of `WIDTH` bytes.
pub(crate) const fn signatures<const WIDTH: usize>() -> &'static [Version<Signatures>]
where
    Differ<WIDTH>: Count,
{
    versions![
        x86 AVX512 => Signatures { cell: avx512::cell::<Differ<WIDTH>>(), differing: avx512::count::<Differ<WIDTH>> },
        x86 AVX2 => Signatures { cell: avx2::cell::<Differ<WIDTH>>(), differing: avx2::count::<Differ<WIDTH>> },
        arm NEON => Signatures { cell: neon::cell::<Differ<WIDTH>>(), differing: neon::count::<Differ<WIDTH>> },
        any SCALAR => Signatures { cell: scalar::cell::<Differ<WIDTH>>(), differing: scalar::count::<Differ<WIDTH>> },
    ]
}
