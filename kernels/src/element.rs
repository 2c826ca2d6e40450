//! Element types: what one stored unit of a vector is.
mod bf16;
mod binary;
mod f16;
mod f32;
mod int;
#[cfg(test)]
mod tests;
mod u4;

use std::fmt::{self, Debug};

pub use self::{bf16::Bf16, binary::Binary, f16::F16, u4::U4};
use crate::{
    cell::Cell,
    isa::Version,
    metric::Metric,
    rows::{AnyRows, Rows, Vector},
};

/// The stored type of a vector.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ElementType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16, widened to binary32 before any arithmetic.
    F16,
    /// The upper half of binary32.
    Bf16,
    /// Signed bytes.
    I8,
    /// Unsigned bytes.
    U8,
    /// Two unsigned numbers of four bits in a byte, the first in the low half.
    U4,
    /// Eight bits in a byte, the first one lowest.
    Binary,
}

/// Every element type, in the order of [`ElementType`].
pub const ELEMENTS: &[ElementType] = &[
    ElementType::F32,
    ElementType::F16,
    ElementType::Bf16,
    ElementType::I8,
    ElementType::U8,
    ElementType::U4,
    ElementType::Binary,
];

impl ElementType {
    /// Bytes that one stored unit occupies.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::I8 | Self::U8 | Self::U4 | Self::Binary => 1,
        }
    }

    /// Components that one stored unit holds: more than one where several share a byte.
    pub const fn components(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 | Self::I8 | Self::U8 => 1,
            Self::U4 => 2,
            Self::Binary => 8,
        }
    }

    /// The short name, such as `"f32"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::U4 => "u4",
            Self::Binary => "binary",
        }
    }

    /// Whether there are kernels for `metric` over vectors of this type.
    pub fn supports(self, metric: Metric) -> bool {
        fn any<E: Element>(metric: Metric) -> bool {
            !E::versions(metric).is_empty()
        }
        match self {
            Self::F32 => any::<f32>(metric),
            Self::F16 => any::<F16>(metric),
            Self::Bf16 => any::<Bf16>(metric),
            Self::I8 => any::<i8>(metric),
            Self::U8 => any::<u8>(metric),
            Self::U4 => any::<U4>(metric),
            Self::Binary => any::<Binary>(metric),
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A unit that vectors are stored in. Sealed: the kernels must know how to load each one. Lengths and dimensions of
/// slices and [`Rows`] count units; where a unit holds several components ([`U4`], [`Binary`]), the number of components
/// is [`ElementType::components`] times that.
pub trait Element: plumbing::Stored {
    /// The type's entry in [`ELEMENTS`].
    const TYPE: ElementType;
}

/// A unit that is one number.
pub trait Number: Element {
    /// The value as `f32`; exact for every element type.
    fn to_f32(self) -> f32;

    /// The nearest value of this type, ties to even. Too large a magnitude becomes infinite, or the end of the range where
    /// there is no infinity; a NaN stays one, or becomes 0 where there is none.
    fn from_f32(value: f32) -> Self;
}

/// What the kernels need of an element type and nobody else may implement.
pub(crate) mod plumbing {
    use super::{AnyRows, Cell, Debug, Metric, Rows, Vector, Version};

    /// The kernels over the type, and conversions between the typed and the dynamically typed views.
    pub trait Stored: Copy + Send + Sync + Default + PartialEq + Debug + Sized + 'static {
        /// The kernels of each instruction set, best first; none where the metric is not defined.
        fn versions(metric: Metric) -> &'static [Version<Cell<Self>>];

        fn any_rows(rows: Rows<'_, Self>) -> AnyRows<'_>;
        fn typed_rows(rows: AnyRows<'_>) -> Option<Rows<'_, Self>>;
        fn any_vector(row: &[Self]) -> Vector<'_>;
        fn typed_vector(row: Vector<'_>) -> Option<&[Self]>;
    }
}

/// Makes `$type` the element type `$name`, whose kernels are `$versions(metric)`.
macro_rules! element {
    ($type:ty, $name:ident, $versions:path) => {
        impl crate::element::Element for $type {
            const TYPE: crate::element::ElementType = crate::element::ElementType::$name;
        }

        impl crate::element::plumbing::Stored for $type {
            // Not inlined, or every crate that makes a kernel would compile all of them again.
            #[inline(never)]
            fn versions(metric: crate::metric::Metric) -> &'static [crate::isa::Version<crate::cell::Cell<Self>>] {
                $versions(metric)
            }

            fn any_rows(rows: crate::rows::Rows<'_, Self>) -> crate::rows::AnyRows<'_> {
                crate::rows::AnyRows::$name(rows)
            }

            fn typed_rows(rows: crate::rows::AnyRows<'_>) -> Option<crate::rows::Rows<'_, Self>> {
                if let crate::rows::AnyRows::$name(rows) = rows { Some(rows) } else { None }
            }

            fn any_vector(row: &[Self]) -> crate::rows::Vector<'_> {
                crate::rows::Vector::$name(row)
            }

            fn typed_vector(row: crate::rows::Vector<'_>) -> Option<&[Self]> {
                if let crate::rows::Vector::$name(row) = row { Some(row) } else { None }
            }
        }
    };
}
use element;
