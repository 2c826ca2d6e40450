//! Element types: what one stored number of a vector is, and how it becomes lanes.
mod f16;
mod f32;
#[cfg(test)]
mod tests;

use std::fmt::{self, Debug};

pub use self::f16::F16;
use crate::{
    driver::Cells,
    isa::{Isa, Table},
    rows::{AnyRows, Rows, Vector},
};

/// The stored type of one vector component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ElementType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16, widened to binary32 before any arithmetic.
    F16,
}

/// Every element type, in the order of [`ElementType`].
pub const ELEMENTS: &[ElementType] = &[ElementType::F32, ElementType::F16];

impl ElementType {
    /// Bytes that one component occupies.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// The short name: `"f32"` or `"f16"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A number that vectors are stored as. Sealed: the kernels must know how to load each one.
pub trait Element: plumbing::Stored {
    /// The type's entry in [`ELEMENTS`].
    const TYPE: ElementType;

    /// The value as `f32`; exact for every element type.
    fn to_f32(self) -> f32;

    /// The nearest value of this type, ties to even; too large a magnitude becomes infinite.
    fn from_f32(value: f32) -> Self;
}

/// What the kernels need of an element type and nobody else may implement.
pub(crate) mod plumbing {
    use super::{AnyRows, Cells, Debug, Isa, Rows, Table, Vector};

    /// How the type becomes lanes, and conversions between the typed and the dynamically typed views.
    pub trait Stored: Copy + Send + Sync + Default + Debug + Sized + 'static {
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

        /// This type's share of an instruction set's table.
        fn cells(table: &'static Table) -> &'static Cells<Self>;

        fn any_rows(rows: Rows<'_, Self>) -> AnyRows<'_>;
        fn typed_rows(rows: AnyRows<'_>) -> Option<Rows<'_, Self>>;
        fn any_vector(row: &[Self]) -> Vector<'_>;
        fn typed_vector(row: Vector<'_>) -> Option<&[Self]>;
    }
}
