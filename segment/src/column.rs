//! Columns: owned values of one field, the borrowed view that every reader works on, and batches of them.
//!
//! A row without a value keeps a filler (zero, empty) in the data and a clear bit in `validity`, so that row numbers
//! index every column directly, vectors included.

mod build;
mod strings;

pub use strings::{Strings, StringsView};

use crate::schema::{DataType, Field, Schema};
use elanus_kernels::{AnyRows, Bitmap, BitmapView, F16, Rows};

/// Owned values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Bool, one byte each: 0 or 1.
    Bool(Vec<u8>),
    /// Int8.
    Int8(Vec<i8>),
    /// Int16.
    Int16(Vec<i16>),
    /// Int32.
    Int32(Vec<i32>),
    /// Int64.
    Int64(Vec<i64>),
    /// Float.
    Float(Vec<f32>),
    /// Double.
    Double(Vec<f64>),
    /// VarChar, UTF-8.
    VarChar(Strings),
    /// JSON text, UTF-8.
    Json(Strings),
    /// FloatVector, row after row.
    FloatVector {
        /// Components of a row.
        dim: usize,
        /// Rows x dim components.
        data: Vec<f32>,
    },
    /// Float16Vector, row after row.
    Float16Vector {
        /// Components of a row.
        dim: usize,
        /// Rows x dim components.
        data: Vec<F16>,
    },
}

/// Owned column: values and which of them are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Values, with a filler where there is none.
    pub data: ColumnData,
    /// Set bits mark rows that have a value; `None`: all have one.
    pub validity: Option<Bitmap>,
}

/// Borrowed values of one column, in memory or in a mapped file.
#[derive(Debug, Clone, Copy)]
pub enum ValuesView<'a> {
    /// Bool, one byte each: 0 or 1.
    Bool(&'a [u8]),
    /// Int8.
    Int8(&'a [i8]),
    /// Int16.
    Int16(&'a [i16]),
    /// Int32.
    Int32(&'a [i32]),
    /// Int64.
    Int64(&'a [i64]),
    /// Float.
    Float(&'a [f32]),
    /// Double.
    Double(&'a [f64]),
    /// VarChar.
    VarChar(StringsView<'a>),
    /// JSON text.
    Json(StringsView<'a>),
    /// FloatVector.
    FloatVector(Rows<'a, f32>),
    /// Float16Vector.
    Float16Vector(Rows<'a, F16>),
}

/// Borrowed column.
#[derive(Debug, Clone, Copy)]
pub struct ColumnView<'a> {
    /// Values, with a filler where there is none.
    pub values: ValuesView<'a>,
    /// Set bits mark rows that have a value; `None`: all have one.
    pub validity: Option<BitmapView<'a>>,
}

impl<'a> ColumnView<'a> {
    /// Rows in the column.
    pub fn len(&self) -> usize {
        match self.values {
            ValuesView::Bool(values) => values.len(),
            ValuesView::Int8(values) => values.len(),
            ValuesView::Int16(values) => values.len(),
            ValuesView::Int32(values) => values.len(),
            ValuesView::Int64(values) => values.len(),
            ValuesView::Float(values) => values.len(),
            ValuesView::Double(values) => values.len(),
            ValuesView::VarChar(values) | ValuesView::Json(values) => values.len(),
            ValuesView::FloatVector(rows) => rows.len(),
            ValuesView::Float16Vector(rows) => rows.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether that row has a value.
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| bits.get(row))
    }

    /// The vectors, if this is a vector column.
    pub fn vectors(&self) -> Option<AnyRows<'a>> {
        match self.values {
            ValuesView::FloatVector(rows) => Some(AnyRows::F32(rows)),
            ValuesView::Float16Vector(rows) => Some(AnyRows::F16(rows)),
            ValuesView::Bool(_)
            | ValuesView::Int8(_)
            | ValuesView::Int16(_)
            | ValuesView::Int32(_)
            | ValuesView::Int64(_)
            | ValuesView::Float(_)
            | ValuesView::Double(_)
            | ValuesView::VarChar(_)
            | ValuesView::Json(_) => None,
        }
    }

    /// Type of the values.
    pub fn data_type(&self) -> DataType {
        match self.values {
            ValuesView::Bool(_) => DataType::Bool,
            ValuesView::Int8(_) => DataType::Int8,
            ValuesView::Int16(_) => DataType::Int16,
            ValuesView::Int32(_) => DataType::Int32,
            ValuesView::Int64(_) => DataType::Int64,
            ValuesView::Float(_) => DataType::Float,
            ValuesView::Double(_) => DataType::Double,
            ValuesView::VarChar(_) => DataType::VarChar,
            ValuesView::Json(_) => DataType::Json,
            ValuesView::FloatVector(_) => DataType::FloatVector,
            ValuesView::Float16Vector(_) => DataType::Float16Vector,
        }
    }
}

impl Column {
    /// The borrowed view.
    pub fn view(&self) -> ColumnView<'_> {
        let values = match &self.data {
            ColumnData::Bool(values) => ValuesView::Bool(values),
            ColumnData::Int8(values) => ValuesView::Int8(values),
            ColumnData::Int16(values) => ValuesView::Int16(values),
            ColumnData::Int32(values) => ValuesView::Int32(values),
            ColumnData::Int64(values) => ValuesView::Int64(values),
            ColumnData::Float(values) => ValuesView::Float(values),
            ColumnData::Double(values) => ValuesView::Double(values),
            ColumnData::VarChar(values) => ValuesView::VarChar(values.view()),
            ColumnData::Json(values) => ValuesView::Json(values.view()),
            ColumnData::FloatVector { dim, data } => {
                ValuesView::FloatVector(Rows::new(data, *dim).expect("a column holds whole rows"))
            }
            ColumnData::Float16Vector { dim, data } => {
                ValuesView::Float16Vector(Rows::new(data, *dim).expect("a column holds whole rows"))
            }
        };
        ColumnView { values, validity: self.validity.as_ref().map(Bitmap::view) }
    }

    /// Rows in the column.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Type of the values.
    pub fn data_type(&self) -> DataType {
        self.view().data_type()
    }
}

/// Rows as columns, in the order of a schema's fields; every column has the same length.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    columns: Vec<Column>,
    len: usize,
}

impl Batch {
    /// Columns of equal length, one for each field.
    ///
    /// # Errors
    /// The field whose column is missing, of another type, dimension or length, or has a NULL that it may not have.
    pub fn new(schema: &Schema, columns: Vec<Column>) -> Result<Self, BatchError> {
        if columns.len() != schema.fields.len() {
            return Err(BatchError::ColumnCount { want: schema.fields.len(), got: columns.len() });
        }
        let len = columns.first().map_or(0, Column::len);
        for (field, column) in schema.fields.iter().zip(&columns) {
            check_column(field, column, len)?;
        }
        Ok(Self { columns, len })
    }

    /// The columns, in the order of the schema's fields.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the values, without allocation overhead.
    pub fn size_bytes(&self) -> usize {
        self.columns.iter().map(Column::size_bytes).sum()
    }
}

/// Why columns are no batch of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchError {
    /// Another number of columns than the schema has fields.
    ColumnCount {
        /// Fields of the schema.
        want: usize,
        /// Columns given.
        got: usize,
    },
    /// A column of another type or dimension than its field.
    Type {
        /// Name of the field.
        field: String,
        /// Its type.
        want: DataType,
        /// Type of the column.
        got: DataType,
    },
    /// A vector column of another dimension.
    Dim {
        /// Name of the field.
        field: String,
        /// Its dimension.
        want: usize,
        /// Dimension of the column.
        got: usize,
    },
    /// A column of another length than the first.
    Length {
        /// Name of the field.
        field: String,
        /// Rows of the first column.
        want: usize,
        /// Rows of this one.
        got: usize,
    },
    /// A NULL in a field that is not nullable.
    Null {
        /// Name of the field.
        field: String,
    },
}

impl std::fmt::Display for BatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ColumnCount { want, got } => write!(f, "{got} columns for {want} fields"),
            Self::Type { field, want, got } => write!(f, "field {field} is {want}, its column is {got}"),
            Self::Dim { field, want, got } => write!(f, "field {field} has dim {want}, its column has dim {got}"),
            Self::Length { field, want, got } => write!(f, "field {field} has {got} rows, others have {want}"),
            Self::Null { field } => write!(f, "field {field} is not nullable and has no value in some row"),
        }
    }
}

impl std::error::Error for BatchError {}

fn check_column(field: &Field, column: &Column, len: usize) -> Result<(), BatchError> {
    let name = || field.name.clone();
    let view = column.view();
    if view.data_type() != field.data_type {
        return Err(BatchError::Type { field: name(), want: field.data_type, got: view.data_type() });
    }
    if let Some(rows) = view.vectors()
        && rows.dim() != field.dim as usize
    {
        return Err(BatchError::Dim { field: name(), want: field.dim as usize, got: rows.dim() });
    }
    let bits = column.validity.as_ref().map_or(len, Bitmap::len);
    if view.len() != len || bits != len {
        return Err(BatchError::Length { field: name(), want: len, got: if bits == len { view.len() } else { bits } });
    }
    match &column.validity {
        Some(validity) if !field.nullable && validity.count_ones() != len => Err(BatchError::Null { field: name() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
