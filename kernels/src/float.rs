//! Kernels over numbers that become lanes of `f32`: L2, inner product and cosine.
//!
//! Every set works on 64 virtual lanes, four sums of sixteen, cut into as many registers ("columns") as it needs, and
//! adds them up in one fixed order. So a key has the same bits on every machine.
pub(crate) mod driver;
mod lanes;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod sse;

pub(crate) use self::lanes::{Isa, Lane};
use crate::{
    cell::Cell,
    element::{Bf16, Number},
    isa::{Version, versions},
    metric::{Cosine, Ip, L2, Metric},
};

/// A number that is loaded into lanes of `f32`.
pub(crate) trait Float: Number {
    /// Loads a full register of lanes.
    ///
    /// # Safety
    /// The instruction set is available and `I::LANES` values are readable at `from`.
    unsafe fn load<I: Isa>(from: *const Self) -> I::F32;

    /// Loads the first `count` lanes and clears the others.
    ///
    /// # Safety
    /// The instruction set is available, `count` is in `1..I::LANES`, and `count` values are readable at `from`.
    unsafe fn load_first<I: Isa>(from: *const Self, count: usize) -> I::F32;
}

/// The kernels over `E`.
pub(crate) const fn versions<E: Float>(metric: Metric) -> &'static [Version<Cell<E>>] {
    match metric {
        Metric::L2 => versions![
            x86 AVX512 => avx512::plain::<L2, E>(),
            x86 AVX2 => avx2::plain::<L2, E>(),
            arm NEON => neon::plain::<L2, E>(),
            any SCALAR => scalar::plain::<L2, E>(),
        ],
        Metric::Ip => versions![
            x86 AVX512 => avx512::plain::<Ip, E>(),
            x86 AVX2 => avx2::plain::<Ip, E>(),
            arm NEON => neon::plain::<Ip, E>(),
            any SCALAR => scalar::plain::<Ip, E>(),
        ],
        Metric::Cosine => versions![
            x86 AVX512 => avx512::squares::<Cosine, E>(),
            x86 AVX2 => avx2::squares::<Cosine, E>(),
            arm NEON => neon::squares::<Cosine, E>(),
            any SCALAR => scalar::squares::<Cosine, E>(),
        ],
        Metric::Hamming
        | Metric::Jaccard
        | Metric::Tanimoto
        | Metric::Substructure
        | Metric::Superstructure
        | Metric::MhJaccard => &[],
    }
}

/// The kernels over bf16.
pub(crate) const fn bf16_versions(metric: Metric) -> &'static [Version<Cell<Bf16>>] {
    versions::<Bf16>(metric)
}
