//! Rows of equal length as a file stores them, before they become `f32` vectors, row numbers or labels.

#[cfg(test)]
mod tests;

use elanus_kernels::F16;

use crate::error::{Problem, ReadError};

/// Which end of a number comes first in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Lowest byte first.
    Little,
    /// Highest byte first.
    Big,
}

/// A row-major matrix that owns its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    dim: usize,
    data: Vec<T>,
}

impl<T> Matrix<T> {
    /// Takes values row after row; `None` where `dim` is zero or does not divide them.
    pub fn new(dim: usize, data: Vec<T>) -> Option<Self> {
        (dim > 0 && data.len().is_multiple_of(dim)).then_some(Self { dim, data })
    }

    /// `dim` is at least one and divides the number of values: the readers see to it.
    pub(crate) fn from_parts(dim: usize, data: Vec<T>) -> Self {
        debug_assert!(dim > 0 && data.len().is_multiple_of(dim), "{} values in rows of {dim}", data.len());
        Self { dim, data }
    }

    /// Values in a row, at least one.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows, possibly none.
    pub fn rows(&self) -> usize {
        self.data.len() / self.dim
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &[T] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }

    /// All values, row after row.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// All values, row after row.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    fn map<U>(self, f: impl Fn(T) -> U) -> Matrix<U> {
        Matrix { dim: self.dim, data: self.data.into_iter().map(f).collect() }
    }
}

/// A number type that files store.
pub trait Scalar: Copy + 'static {
    /// Bytes of one value.
    const SIZE: usize;

    /// Decodes one value from exactly [`Scalar::SIZE`] bytes.
    fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self;

    /// The matrix with its type known only at run time.
    fn wrap(matrix: Matrix<Self>) -> Values;
}

/// Lists every stored number type once: its name, its width, how its bits become a value and how a value becomes
/// an `f32` or, where it is a whole number, an `i128`.
macro_rules! scalars {
    ($($variant:ident: $ty:ty, $bits:ty, $decode:expr, $to_f32:expr, $to_int:expr;)*) => {
        $(impl Scalar for $ty {
            const SIZE: usize = size_of::<$bits>();

            fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self {
                let mut array = [0; size_of::<$bits>()];
                array.copy_from_slice(bytes);
                let bits = match order {
                    ByteOrder::Little => <$bits>::from_le_bytes(array),
                    ByteOrder::Big => <$bits>::from_be_bytes(array),
                };
                $decode(bits)
            }

            fn wrap(matrix: Matrix<Self>) -> Values {
                Values::$variant(matrix)
            }
        })*

        /// A matrix of whichever type its file stores.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Values {
            $(#[doc = concat!("Rows of `", stringify!($ty), "`.")] $variant(Matrix<$ty>),)*
        }

        impl Values {
            /// Values in a row, at least one.
            pub fn dim(&self) -> usize {
                match self { $(Self::$variant(m) => m.dim(),)* }
            }

            /// Rows, possibly none.
            pub fn rows(&self) -> usize {
                match self { $(Self::$variant(m) => m.rows(),)* }
            }

            /// Every value as the nearest `f32`.
            pub fn into_f32(self) -> Matrix<f32> {
                match self { $(Self::$variant(m) => m.map($to_f32),)* }
            }

            /// The value at a place, where the stored type is a whole number.
            fn int(&self, at: usize) -> Option<i128> {
                match self { $(Self::$variant(m) => $to_int(m.data[at]),)* }
            }
        }
    };
}

fn whole<T: Into<i128>>(value: T) -> Option<i128> {
    Some(value.into())
}

fn not_whole<T>(_: T) -> Option<i128> {
    None
}

scalars! {
    F16: F16, u16, F16, F16::to_f32, not_whole;
    F32: f32, u32, f32::from_bits, |v| v, not_whole;
    F64: f64, u64, f64::from_bits, |v| v as f32, not_whole;
    U8: u8, u8, |v| v, f32::from, whole;
    I8: i8, i8, |v| v, f32::from, whole;
    I16: i16, i16, |v| v, f32::from, whole;
    U32: u32, u32, |v| v, |v| v as f32, whole;
    I32: i32, i32, |v| v, |v| v as f32, whole;
    I64: i64, i64, |v| v, |v| v as f32, whole;
}

impl Values {
    /// The values as row numbers below `below`; `file` is named in the error.
    pub fn into_ids(self, file: &str, below: usize) -> Result<Matrix<u32>, ReadError> {
        let (dim, below) = (self.dim(), below as u64);
        let fail = |problem| ReadError { file: file.to_owned(), offset: None, problem };
        let mut ids = Vec::with_capacity(self.rows() * dim);
        for at in 0..self.rows() * dim {
            let Some(got) = self.int(at) else {
                return Err(fail(Problem::Unsupported("row numbers have to be stored as whole numbers")));
            };
            match u32::try_from(got) {
                Ok(id) if u64::from(id) < below => ids.push(id),
                Ok(_) | Err(_) => return Err(fail(Problem::Id { row: (at / dim) as u64, got, below })),
            }
        }
        Ok(Matrix::from_parts(dim, ids))
    }

    /// The values as whole numbers, one a row; `file` is named in the error.
    pub fn into_labels(self, file: &str) -> Result<Vec<i64>, ReadError> {
        let fail = |problem| ReadError { file: file.to_owned(), offset: None, problem };
        if self.dim() != 1 {
            return Err(fail(Problem::Unsupported("labels have to be one number a row")));
        }
        (0..self.rows())
            .map(|at| {
                let value = self.int(at).and_then(|value| i64::try_from(value).ok());
                value.ok_or_else(|| fail(Problem::Unsupported("labels have to be stored as whole numbers")))
            })
            .collect()
    }
}
