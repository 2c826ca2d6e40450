//! Kernels over integers: L2, inner product and cosine of signed bytes, unsigned bytes and pairs of four bits.
//!
//! Sums are exact integers at any length, and a key is such an integer rounded to `f32` once; a cosine is made from them
//! in `f64`, in one order, and rounded at the end. So a key has the same bits on every machine, whatever the order of the additions.
mod driver;
mod finish;
mod kit;
mod many;
mod ops;
mod scalar;
#[cfg(test)]
mod tests;
mod tile;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
#[cfg(target_arch = "x86_64")]
mod avxvnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neondot;
#[cfg(target_arch = "aarch64")]
mod neoni8mm;
#[cfg(target_arch = "x86_64")]
mod x86;

use self::{finish::Finish, kit::Kit};
use crate::{
    cell::Cell,
    element::{Element, U4},
    isa::{Version, versions},
    metric::{Cosine, Ip, L2, Metric},
};

/// A stored unit of one or two integers.
pub(crate) trait Int: Element {
    /// Whether the integers may be negative.
    const SIGNED: bool;

    /// The integers of a unit; the second is 0 where there is only one.
    fn parts(self) -> [i32; 2];

    #[cfg(target_arch = "x86_64")]
    type Avx2: Kit<Unit = Self>;
    #[cfg(target_arch = "x86_64")]
    type AvxVnni: Kit<Unit = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx512: Kit<Unit = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx512Vnni: Kit<Unit = Self>;
    #[cfg(target_arch = "aarch64")]
    type Neon: Kit<Unit = Self>;
    #[cfg(target_arch = "aarch64")]
    type NeonDot: Kit<Unit = Self>;
    #[cfg(target_arch = "aarch64")]
    type NeonI8mm: Kit<Unit = Self, Bytes = std::arch::aarch64::uint8x16_t>;
}

/// A unit that is one integer.
pub(crate) trait Byte: Int {}

impl Byte for i8 {}

impl Byte for u8 {}

/// Names the kits of a type in the module of each set.
macro_rules! kits {
    ($kit:ident $(, $byte:ty)?) => {
        #[cfg(target_arch = "x86_64")]
        type Avx2 = avx2::$kit$(<$byte>)?;
        #[cfg(target_arch = "x86_64")]
        type AvxVnni = avxvnni::$kit$(<$byte>)?;
        #[cfg(target_arch = "x86_64")]
        type Avx512 = avx512::$kit$(<$byte>)?;
        #[cfg(target_arch = "x86_64")]
        type Avx512Vnni = avx512vnni::$kit$(<$byte>)?;
        #[cfg(target_arch = "aarch64")]
        type Neon = neon::$kit$(<$byte>)?;
        #[cfg(target_arch = "aarch64")]
        type NeonDot = neondot::$kit$(<$byte>)?;
        #[cfg(target_arch = "aarch64")]
        type NeonI8mm = neoni8mm::$kit$(<$byte>)?;
    };
}

impl Int for i8 {
    const SIGNED: bool = true;
    kits!(Bytes, i8);

    #[inline(always)]
    fn parts(self) -> [i32; 2] {
        [i32::from(self), 0]
    }
}

impl Int for u8 {
    const SIGNED: bool = false;
    kits!(Bytes, u8);

    #[inline(always)]
    fn parts(self) -> [i32; 2] {
        [i32::from(self), 0]
    }
}

impl Int for U4 {
    const SIGNED: bool = false;
    kits!(Nibbles);

    #[inline(always)]
    fn parts(self) -> [i32; 2] {
        self.values().map(i32::from)
    }
}

/// The kernels over `E`.
pub(crate) const fn versions<E: Int>(metric: Metric) -> &'static [Version<Cell<E>>] {
    match metric {
        Metric::L2 => of::<E, L2>(),
        Metric::Ip => of::<E, Ip>(),
        Metric::Cosine => of::<E, Cosine>(),
        Metric::Hamming
        | Metric::Jaccard
        | Metric::Tanimoto
        | Metric::Substructure
        | Metric::Superstructure
        | Metric::MhJaccard => &[],
    }
}

const fn of<E: Int, M: Finish>() -> &'static [Version<Cell<E>>] {
    versions![
        x86 AVX512VNNI => avx512vnni::cell::<E::Avx512Vnni, M>(),
        x86 AVX512 => avx512::cell::<E::Avx512, M>(),
        x86 AVXVNNI => avxvnni::cell::<E::AvxVnni, M>(),
        x86 AVX2 => avx2::cell::<E::Avx2, M>(),
        arm NEONI8MM => neoni8mm::cell::<E::NeonI8mm, M>(),
        arm NEONDOT => neondot::cell::<E::NeonDot, M>(),
        arm NEON => neon::cell::<E::Neon, M>(),
        any SCALAR => scalar::cell::<E, M>(),
    ]
}
