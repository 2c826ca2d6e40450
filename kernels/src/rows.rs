//! Borrowed row-major matrices of vectors whose shape was checked once.
#[cfg(test)]
mod tests;

use std::{error::Error, fmt, ops::Range};

use crate::element::{Bf16, Binary, Element, ElementType, F16, U4};

/// Rows of equal length, one after another with no padding.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, E> {
    data: &'a [E],
    dim: usize,
    len: usize,
}

/// Why a slice is not a matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShapeError {
    /// The dimension was zero.
    ZeroDim,
    /// The number of values is not a multiple of the dimension.
    Ragged {
        /// How many values there were.
        len: usize,
        /// How many make a row.
        dim: usize,
    },
    /// A row would pass `isize::MAX` bytes, more than any memory holds.
    TooWide {
        /// How many values make a row.
        dim: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroDim => f.write_str("dimension 0 where at least 1 is needed"),
            Self::Ragged { len, dim } => write!(f, "{len} values are not whole rows of dimension {dim}"),
            Self::TooWide { dim } => write!(f, "a row of dimension {dim} is larger than any memory"),
        }
    }
}

impl Error for ShapeError {}

impl<'a, E> Rows<'a, E> {
    /// Views `data` as rows of `dim` values each; no data is no rows.
    ///
    /// # Errors
    /// When `dim` is 0, the data are not whole rows, or a row would pass `isize::MAX` bytes, which only rows that are
    /// not there can.
    pub const fn new(data: &'a [E], dim: usize) -> Result<Self, ShapeError> {
        if dim == 0 {
            return Err(ShapeError::ZeroDim);
        }
        // So that no kernel's product of a dimension and a size wraps, even where there are no rows.
        match dim.checked_mul(size_of::<E>()) {
            Some(bytes) if bytes <= isize::MAX as usize => {}
            Some(_) | None => return Err(ShapeError::TooWide { dim }),
        }
        if !data.len().is_multiple_of(dim) {
            return Err(ShapeError::Ragged { len: data.len(), dim });
        }
        Ok(Self { data, dim, len: data.len() / dim })
    }

    /// How many rows there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many values make a row; never 0.
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// All values, row after row.
    pub const fn data(&self) -> &'a [E] {
        self.data
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &'a [E] {
        assert!(i < self.len, "row {i} of {}", self.len);
        &self.data[i * self.dim..][..self.dim]
    }

    /// The rows in `range`.
    ///
    /// # Panics
    /// When the range is not within the rows.
    pub fn slice(&self, range: Range<usize>) -> Rows<'a, E> {
        assert!(range.start <= range.end && range.end <= self.len, "rows {range:?} of {}", self.len);
        let len = range.end - range.start;
        Rows { data: &self.data[range.start * self.dim..][..len * self.dim], dim: self.dim, len }
    }

    /// Each row in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'a, E> {
        self.data.chunks_exact(self.dim)
    }
}

/// Runs `$body` with `$rows` bound to the typed rows in `$any`, an [`AnyRows`] or a [`Vector`].
#[macro_export]
macro_rules! with_element {
    ($kind:ident, $any:expr, $rows:ident => $body:expr) => {
        match $any {
            $crate::$kind::F32($rows) => $body,
            $crate::$kind::F16($rows) => $body,
            $crate::$kind::Bf16($rows) => $body,
            $crate::$kind::I8($rows) => $body,
            $crate::$kind::U8($rows) => $body,
            $crate::$kind::U4($rows) => $body,
            $crate::$kind::Binary($rows) => $body,
        }
    };
}

/// Rows of an element type known at run time.
#[derive(Clone, Copy, Debug)]
pub enum AnyRows<'a> {
    /// Binary32 rows.
    F32(Rows<'a, f32>),
    /// Binary16 rows.
    F16(Rows<'a, F16>),
    /// bf16 rows.
    Bf16(Rows<'a, Bf16>),
    /// Signed byte rows.
    I8(Rows<'a, i8>),
    /// Unsigned byte rows.
    U8(Rows<'a, u8>),
    /// Four-bit rows.
    U4(Rows<'a, U4>),
    /// Binary rows.
    Binary(Rows<'a, Binary>),
}

impl<'a> AnyRows<'a> {
    /// How many rows there are.
    pub const fn len(&self) -> usize {
        with_element!(AnyRows, self, rows => rows.len())
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many stored units make a row; never 0.
    pub const fn dim(&self) -> usize {
        with_element!(AnyRows, self, rows => rows.dim())
    }

    /// The type of the values.
    pub const fn element(&self) -> ElementType {
        match self {
            Self::F32(_) => ElementType::F32,
            Self::F16(_) => ElementType::F16,
            Self::Bf16(_) => ElementType::Bf16,
            Self::I8(_) => ElementType::I8,
            Self::U8(_) => ElementType::U8,
            Self::U4(_) => ElementType::U4,
            Self::Binary(_) => ElementType::Binary,
        }
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, i: usize) -> Vector<'a> {
        with_element!(AnyRows, self, rows => rows.row(i).into())
    }

    /// The rows in `range`.
    ///
    /// # Panics
    /// When the range is not within the rows.
    pub fn slice(&self, range: Range<usize>) -> AnyRows<'a> {
        with_element!(AnyRows, self, rows => rows.slice(range).into())
    }

    /// The rows as rows of `E`, or `None` when they hold another type.
    pub fn typed<E: Element>(self) -> Option<Rows<'a, E>> {
        E::typed_rows(self)
    }
}

impl<'a, E: Element> From<Rows<'a, E>> for AnyRows<'a> {
    fn from(rows: Rows<'a, E>) -> Self {
        E::any_rows(rows)
    }
}

/// One vector of an element type known at run time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Vector<'a> {
    /// A binary32 vector.
    F32(&'a [f32]),
    /// A binary16 vector.
    F16(&'a [F16]),
    /// A bf16 vector.
    Bf16(&'a [Bf16]),
    /// A signed byte vector.
    I8(&'a [i8]),
    /// An unsigned byte vector.
    U8(&'a [u8]),
    /// A four-bit vector.
    U4(&'a [U4]),
    /// A binary vector.
    Binary(&'a [Binary]),
}

impl<'a> Vector<'a> {
    /// The type of the values.
    pub const fn element(&self) -> ElementType {
        match self {
            Self::F32(_) => ElementType::F32,
            Self::F16(_) => ElementType::F16,
            Self::Bf16(_) => ElementType::Bf16,
            Self::I8(_) => ElementType::I8,
            Self::U8(_) => ElementType::U8,
            Self::U4(_) => ElementType::U4,
            Self::Binary(_) => ElementType::Binary,
        }
    }

    /// How many stored units there are.
    pub const fn dim(&self) -> usize {
        with_element!(Vector, self, row => row.len())
    }

    /// The vector as a slice of `E`, or `None` when it holds another type.
    pub fn typed<E: Element>(self) -> Option<&'a [E]> {
        E::typed_vector(self)
    }
}

impl<'a, E: Element> From<&'a [E]> for Vector<'a> {
    fn from(row: &'a [E]) -> Self {
        E::any_vector(row)
    }
}
