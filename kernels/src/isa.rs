//! Instruction sets: the list of them, and the choice of one version of a function among several.
//!
//! A set is a bundle of CPU features under one name. A kernel that has code of its own for some sets lists its
//! [`Version`]s, best first; [`pick`] takes the first one that this CPU can run. So the choice is made for each kernel
//! by itself: a kernel without code for the best set falls back to the next, and not to the plainest.
#[cfg(test)]
mod tests;

use std::{fmt, ptr};

use crate::facts::{self, Facts};

/// One instruction set as a user may name it.
pub struct IsaInfo {
    name: &'static str,
    summary: &'static str,
    available: fn() -> bool,
    /// Never chosen unless it is named.
    by_request: bool,
}

macro_rules! sets {
    ($($(#[$($doc:tt)*])* $set:ident = $name:literal, $summary:literal, $arch:literal, $detect:ident [$($feature:tt),*] $(, $by_request:ident)?;)*) => {
        $(
            $(#[$($doc)*])*
            pub(crate) static $set: IsaInfo = IsaInfo {
                name: $name,
                summary: $summary,
                available: {
                    #[cfg(target_arch = $arch)]
                    fn available() -> bool {
                        true $(&& std::arch::$detect!($feature))*
                    }
                    #[cfg(not(target_arch = $arch))]
                    const fn available() -> bool {
                        false
                    }
                    available
                },
                by_request: sets!(@flag $($by_request)?),
            };
        )*
    };
    (@flag) => { false };
    (@flag by_request) => { true };
}

sets! {
    /// Half-precision arithmetic. Its results are coarser than those of the other sets, so it has to be named.
    AVX512FP16 = "avx512fp16", "x86-64 with AVX-512 F, BW, VL, DQ and FP16", "x86_64", is_x86_feature_detected
        ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512fp16"], by_request;
    /// Products of bf16 pairs.
    AVX512BF16 = "avx512bf16", "x86-64 with AVX-512 F, BW, VL, DQ and BF16", "x86_64", is_x86_feature_detected
        ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512bf16"];
    /// Byte permutes over a whole register, beside byte dot products.
    AVX512VBMI = "avx512vbmi", "x86-64 with AVX-512 F, BW, VL, DQ, VNNI and VBMI", "x86_64", is_x86_feature_detected
        ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni", "avx512vbmi"];
    /// Population counts of words.
    AVX512VPOPCNTDQ = "avx512vpopcntdq", "x86-64 with AVX-512 F, BW, VL, DQ and VPOPCNTDQ", "x86_64", is_x86_feature_detected
        ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vpopcntdq"];
    /// Byte dot products.
    AVX512VNNI = "avx512vnni", "x86-64 with AVX-512 F, BW, VL, DQ and VNNI", "x86_64", is_x86_feature_detected
        ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni"];
    /// The AVX-512 that every server CPU with AVX-512 has.
    AVX512 = "avx512", "x86-64 with AVX-512 F, BW, VL and DQ", "x86_64", is_x86_feature_detected
        ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "avx512f", "avx512bw", "avx512vl", "avx512dq"];
    /// Byte dot products in 256-bit registers.
    AVXVNNI = "avxvnni", "x86-64 with AVX2, FMA, F16C and AVX-VNNI", "x86_64", is_x86_feature_detected
        ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "avxvnni"];
    /// Every x86-64 server since 2013 (AMD 2015).
    AVX2 = "avx2", "x86-64 with AVX2, FMA and F16C", "x86_64", is_x86_feature_detected ["avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt"];
    /// Products of bf16 pairs.
    NEONBF16 = "neonbf16", "64-bit Arm with BF16", "aarch64", is_aarch64_feature_detected ["neon", "bf16"];
    /// Byte matrix products.
    NEONI8MM = "neoni8mm", "64-bit Arm with I8MM and dot products", "aarch64", is_aarch64_feature_detected
        ["neon", "dotprod", "i8mm"];
    /// Byte dot products.
    NEONDOT = "neondot", "64-bit Arm with dot products", "aarch64", is_aarch64_feature_detected ["neon", "dotprod"];
    /// Half-precision products added to single-precision sums.
    NEONFHM = "neonfhm", "64-bit Arm with FP16 and FHM", "aarch64", is_aarch64_feature_detected ["neon", "fp16", "fhm"];
    /// Every 64-bit Arm CPU.
    NEON = "neon", "64-bit Arm with Advanced SIMD", "aarch64", is_aarch64_feature_detected ["neon"];
}

/// Plain Rust.
pub(crate) static SCALAR: IsaInfo =
    IsaInfo { name: "scalar", summary: "any CPU", available: || true, by_request: false };

/// The instruction sets, best first. The last one is always available.
pub static ISAS: &[&IsaInfo] = &[
    &AVX512FP16,
    &AVX512BF16,
    &AVX512VBMI,
    &AVX512VPOPCNTDQ,
    &AVX512VNNI,
    &AVX512,
    &AVXVNNI,
    &AVX2,
    &NEONBF16,
    &NEONI8MM,
    &NEONDOT,
    &NEONFHM,
    &NEON,
    &SCALAR,
];

impl IsaInfo {
    /// The name that `ELANUS_ISA` takes.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it needs, in a few words.
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// Whether this CPU, and this build, can run it.
    pub fn is_available(&self) -> bool {
        (self.available)()
    }

    /// Whether it is used only when it is named.
    pub const fn by_request(&self) -> bool {
        self.by_request
    }

    /// The place in [`ISAS`]; smaller is better.
    fn rank(&self) -> usize {
        ISAS.iter().position(|isa| ptr::eq(*isa, self)).unwrap_or(ISAS.len())
    }
}

impl fmt::Debug for IsaInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A function in the version for one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Version<F> {
    pub(crate) isa: &'static IsaInfo,
    /// The code, in a build for the set's architecture.
    pub(crate) run: Option<F>,
    /// Taken by itself only where 512-bit registers are not worked on in halves.
    pub(crate) whole: bool,
}

/// The versions of a function, best first: `versions![x86 AVX2 => avx2::dot, arm NEON => neon::dot, any SCALAR => plain::dot]`.
/// The word before the set is the architecture that has the code; `(whole)` after the set marks a version that is passed over where
/// 512-bit registers are worked on in halves, because the next one is as fast there or faster.
macro_rules! versions {
    ($($arch:ident $isa:ident $(($whole:ident))? => $run:expr),* $(,)?) => {
        const {
            &[$(crate::isa::Version {
                isa: &crate::isa::$isa,
                run: crate::isa::$arch!($run),
                whole: crate::isa::versions!(@whole $($whole)?),
            }),*]
        }
    };
    (@whole) => { false };
    (@whole whole) => { true };
}
pub(crate) use versions;

#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    ($run:expr) => {
        Some($run)
    };
}
#[cfg(not(target_arch = "x86_64"))]
macro_rules! x86 {
    ($run:expr) => {
        None
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! arm {
    ($run:expr) => {
        Some($run)
    };
}
#[cfg(not(target_arch = "aarch64"))]
macro_rules! arm {
    ($run:expr) => {
        None
    };
}
macro_rules! any {
    ($run:expr) => {
        Some($run)
    };
}
pub(crate) use {any, arm, x86};

impl<F: Copy> Version<F> {
    /// The code, when this CPU can run it. The only way to reach it, hence the proof that calling it is sound.
    pub(crate) fn available(&self) -> Option<F> {
        self.run.filter(|_| self.isa.is_available())
    }
}

/// The first version that this CPU can run and that is not above `limit` in [`ISAS`].
pub(crate) fn pick<F: Copy>(versions: &[Version<F>], limit: &'static IsaInfo) -> Option<(&'static IsaInfo, F)> {
    pick_for(facts::get(), versions, limit)
}

/// [`pick`] on a CPU of which these facts hold.
fn pick_for<F: Copy>(facts: Facts, versions: &[Version<F>], limit: &'static IsaInfo) -> Option<(&'static IsaInfo, F)> {
    let rank = limit.rank();
    versions.iter().find_map(|version| {
        let named = ptr::eq(version.isa, limit);
        let passed_over = version.whole && facts.split_512 && !named;
        let allowed = version.isa.rank() >= rank && !passed_over;
        version.available().filter(|_| allowed).map(|run| (version.isa, run))
    })
}
