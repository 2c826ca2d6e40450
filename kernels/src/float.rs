//! Kernels over numbers that become lanes of `f32`: L2, inner product and cosine.
//!
//! # Order
//! Component `i` of `f32` and binary16 vectors goes into virtual lane `i % 64`. Of bf16, whose even and odd components
//! are widened apart, each 32 components go into 32 lanes, first the even ones. A lane adds its terms in order, each
//! with one rounding: `a * b` for the product, `(a - b)^2` for L2, whose difference is rounded before. Binary16 and
//! bf16 are widened first, which is exact. The 64 lanes are four sums of sixteen, added as `(0 + 1) + (2 + 3)` lane by
//! lane, and the sixteen are folded in halves, 8 onto 8, 4 onto 4, 2 onto 2, 1 onto 1. Every set cuts the 64 lanes into
//! as many registers ("columns") as it needs, so a key has the same bits on every machine and from every method. A
//! vector that ends within a stride adds zeros.
//!
//! Three sets have products of their own and bits of their own, the same from every method: AVX512BF16 and NEONBF16 for
//! the product and the cosine of bf16, and AVX512FP16, which has to be asked for, for L2 of binary16.
//!
//! # Bounds
//! With `u = 2^-24` and `d` components (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1), the key
//! is within `n u S + t` of the exact key of the stored components, where `S` is the sum of `|a_i b_i|` for the
//! product, the exact key for L2, and `sum |a_i b_i| / (|a| |b|) + 2` for the cosine:
//!
//! | cells | n | t, not for the cosine |
//! |---|---|---|
//! | all that share their bits | `d / 64 + 12` | `(d + 1) 2^-149` |
//! | AVX512BF16, NEONBF16 | `d / 16 + 16` | `(2 d + 64) 2^-126`, and products with subnormal components |
//! | AVX512FP16 | `d / 64 + 12 + 2^14 + 2^3` | `(d + 1) 2^-149`; a difference past 65504 is infinite |
//!
//! VDPBF16PS rounds to nearest, as if `n` were `d / 64 + 12`; BFDOT rounds to odd, twice in an instruction. Both take
//! subnormal components, products and sums as zero. The bounds hold while no sum overflows; a cosine also needs squares
//! within the range, components of about 1e-19 to 1e18.
//!
//! # Choice
//! No cell is passed over on CPUs that work on 512-bit registers in halves (Zen 4). A pair of `f32` is bound by loads
//! there and AVX2 is as fast; but with 32 registers, rows take seven loads for six multiply-adds instead of five for
//! four and one sweep instead of four, tiles half as many sweeps, and the tail one masked load. The cell is chosen as a
//! whole.
mod arithmetic;
mod driver;
mod lanes;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512bf16;
#[cfg(target_arch = "x86_64")]
mod avx512fp16;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neonbf16;
#[cfg(target_arch = "aarch64")]
mod neonfhm;
#[cfg(target_arch = "x86_64")]
mod sse;

pub(crate) use self::lanes::{Isa, Lane};
use crate::{
    cell::Cell,
    element::{Bf16, F16, Number},
    isa::{Version, versions},
    metric::{Cosine, Ip, L2, Metric},
};

/// A number of which a register of lanes of `f32` is loaded in order.
pub(crate) trait Float: Number {
    /// Loads a full register of lanes.
    ///
    /// # Safety
    /// The instruction set is available and `I::LANES` values are readable at `from`.
    unsafe fn load<I: Isa>(from: *const Self) -> I::F32;

    /// Loads the first `count` lanes, or all if there are more, and clears the others.
    ///
    /// # Safety
    /// The instruction set is available, `count` is at least 1, and `count` values are readable at `from`.
    unsafe fn load_up_to<I: Isa>(from: *const Self, count: usize) -> I::F32;
}

/// The versions of the kernels over one type. They are statics, so that the code is compiled in this crate: a function
/// as small as [`Table::of`] is compiled in every crate that calls it, with all that it names.
struct Table<E: 'static> {
    l2: &'static [Version<Cell<E>>],
    ip: &'static [Version<Cell<E>>],
    cosine: &'static [Version<Cell<E>>],
}

impl<E> Table<E> {
    const fn of(&self, metric: Metric) -> &'static [Version<Cell<E>>] {
        match metric {
            Metric::L2 => self.l2,
            Metric::Ip => self.ip,
            Metric::Cosine => self.cosine,
            Metric::Hamming
            | Metric::Jaccard
            | Metric::Tanimoto
            | Metric::Substructure
            | Metric::Superstructure
            | Metric::MhJaccard => &[],
        }
    }
}

static F32_TABLE: Table<f32> = Table {
    l2: versions![
        x86 AVX512 => avx512::plain::<L2, f32>(),
        x86 AVX2 => avx2::plain::<L2, f32>(),
        arm NEON => neon::plain::<L2, f32>(),
        any SCALAR => scalar::plain::<L2, f32>(),
    ],
    ip: versions![
        x86 AVX512 => avx512::plain::<Ip, f32>(),
        x86 AVX2 => avx2::plain::<Ip, f32>(),
        arm NEON => neon::plain::<Ip, f32>(),
        any SCALAR => scalar::plain::<Ip, f32>(),
    ],
    cosine: versions![
        x86 AVX512 => avx512::squares::<Cosine, f32, 4>(),
        x86 AVX2 => avx2::squares::<Cosine, f32>(),
        arm NEON => neon::squares::<Cosine, f32>(),
        any SCALAR => scalar::plain::<Cosine, f32>(),
    ],
};

static F16_TABLE: Table<F16> = Table {
    l2: versions![
        x86 AVX512FP16 => avx512fp16::l2(),
        x86 AVX512 => avx512::plain::<L2, F16>(),
        x86 AVX2 => avx2::plain::<L2, F16>(),
        arm NEON => neon::plain::<L2, F16>(),
        any SCALAR => scalar::plain::<L2, F16>(),
    ],
    ip: versions![
        x86 AVX512 => avx512::plain::<Ip, F16>(),
        x86 AVX2 => avx2::plain::<Ip, F16>(),
        arm NEONFHM => neonfhm::plain::<Ip>(),
        arm NEON => neon::plain::<Ip, F16>(),
        any SCALAR => scalar::plain::<Ip, F16>(),
    ],
    cosine: versions![
        x86 AVX512 => avx512::squares::<Cosine, F16, 6>(),
        x86 AVX2 => avx2::squares::<Cosine, F16>(),
        arm NEONFHM => neonfhm::squares::<Cosine>(),
        arm NEON => neon::squares::<Cosine, F16>(),
        any SCALAR => scalar::plain::<Cosine, F16>(),
    ],
};

static BF16_TABLE: Table<Bf16> = Table {
    l2: versions![
        x86 AVX512 => avx512::plain_bf16::<L2>(),
        x86 AVX2 => avx2::plain_bf16::<L2>(),
        arm NEON => neon::plain_bf16::<L2>(),
        any SCALAR => scalar::plain_bf16::<L2>(),
    ],
    ip: versions![
        x86 AVX512BF16 => avx512bf16::plain::<Ip>(),
        x86 AVX512 => avx512::plain_bf16::<Ip>(),
        x86 AVX2 => avx2::plain_bf16::<Ip>(),
        arm NEONBF16 => neonbf16::plain::<Ip>(),
        arm NEON => neon::plain_bf16::<Ip>(),
        any SCALAR => scalar::plain_bf16::<Ip>(),
    ],
    cosine: versions![
        x86 AVX512BF16 => avx512bf16::squares::<Cosine>(),
        x86 AVX512 => avx512::squares_bf16::<Cosine>(),
        x86 AVX2 => avx2::squares_bf16::<Cosine>(),
        arm NEONBF16 => neonbf16::squares::<Cosine>(),
        arm NEON => neon::squares_bf16::<Cosine>(),
        any SCALAR => scalar::plain_bf16::<Cosine>(),
    ],
};

/// The kernels over binary32.
pub(crate) const fn f32_versions(metric: Metric) -> &'static [Version<Cell<f32>>] {
    F32_TABLE.of(metric)
}

/// The kernels over binary16.
pub(crate) const fn f16_versions(metric: Metric) -> &'static [Version<Cell<F16>>] {
    F16_TABLE.of(metric)
}

/// The kernels over bf16.
pub(crate) const fn bf16_versions(metric: Metric) -> &'static [Version<Cell<Bf16>>] {
    BF16_TABLE.of(metric)
}
