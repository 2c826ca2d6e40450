//! Growing a column: empty ones, rows copied from views, values pushed.

use super::{Batch, Column, ColumnData, ColumnView, Strings, ValuesView};
use crate::schema::{DataType, Field, Schema, Value};
use elanus_kernels::{Bitmap, F16};

impl ColumnData {
    /// No row of that type; `dim` counts for vectors only.
    pub fn empty(data_type: DataType, dim: usize) -> Self {
        match data_type {
            DataType::Bool => Self::Bool(Vec::new()),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Float => Self::Float(Vec::new()),
            DataType::Double => Self::Double(Vec::new()),
            DataType::VarChar => Self::VarChar(Strings::default()),
            DataType::Json => Self::Json(Strings::default()),
            DataType::FloatVector => Self::FloatVector { dim, data: Vec::new() },
            DataType::Float16Vector => Self::Float16Vector { dim, data: Vec::new() },
        }
    }
}

impl Column {
    /// No row of that field's type.
    pub fn empty(field: &Field) -> Self {
        Self { data: ColumnData::empty(field.data_type, field.dim as usize), validity: None }
    }

    /// Values that are all there.
    pub fn full(data: ColumnData) -> Self {
        Self { data, validity: None }
    }

    /// Bytes of the values, without allocation overhead.
    pub fn size_bytes(&self) -> usize {
        let validity = self.validity.as_ref().map_or(0, |bits| bits.len() / 8);
        let view = self.view();
        let values = match view.values {
            ValuesView::VarChar(values) | ValuesView::Json(values) => {
                values.bytes().len() + size_of_val(values.offsets())
            }
            ValuesView::FloatVector(rows) => size_of_val(rows.data()),
            ValuesView::Float16Vector(rows) => size_of_val(rows.data()),
            ValuesView::Bool(_)
            | ValuesView::Int8(_)
            | ValuesView::Int16(_)
            | ValuesView::Int32(_)
            | ValuesView::Int64(_)
            | ValuesView::Float(_)
            | ValuesView::Double(_) => view.len() * view.data_type().width().unwrap_or(0),
        };
        values + validity
    }

    /// Appends all rows of a column of the same type (and dimension).
    ///
    /// # Panics
    /// If the types differ.
    pub fn append(&mut self, from: ColumnView<'_>) {
        let before = self.len();
        match (&mut self.data, from.values) {
            (ColumnData::Bool(to), ValuesView::Bool(from)) => to.extend_from_slice(from),
            (ColumnData::Int8(to), ValuesView::Int8(from)) => to.extend_from_slice(from),
            (ColumnData::Int16(to), ValuesView::Int16(from)) => to.extend_from_slice(from),
            (ColumnData::Int32(to), ValuesView::Int32(from)) => to.extend_from_slice(from),
            (ColumnData::Int64(to), ValuesView::Int64(from)) => to.extend_from_slice(from),
            (ColumnData::Float(to), ValuesView::Float(from)) => to.extend_from_slice(from),
            (ColumnData::Double(to), ValuesView::Double(from)) => to.extend_from_slice(from),
            (ColumnData::VarChar(to), ValuesView::VarChar(from)) | (ColumnData::Json(to), ValuesView::Json(from)) => {
                (0..from.len()).for_each(|row| to.push(from.get(row)));
            }
            (ColumnData::FloatVector { data, .. }, ValuesView::FloatVector(from)) => {
                data.extend_from_slice(from.data());
            }
            (ColumnData::Float16Vector { data, .. }, ValuesView::Float16Vector(from)) => {
                data.extend_from_slice(from.data());
            }
            (to, _) => panic!("append of {} to a column of another type: {to:?}", from.data_type()),
        }
        let added = self.len() - before;
        match (&mut self.validity, from.validity) {
            (None, None) => {}
            (validity, from) => {
                let bits = validity.get_or_insert_with(|| Bitmap::full(before));
                bits.resize(before + added, true);
                if let Some(from) = from {
                    (0..added).filter(|&row| !from.get(row)).for_each(|row| bits.set(before + row, false));
                }
            }
        }
    }

    /// Appends one row of a column of the same type (and dimension).
    ///
    /// # Panics
    /// If the types differ or there is no such row.
    pub fn push_from(&mut self, from: ColumnView<'_>, row: usize) {
        match (&mut self.data, from.values) {
            (ColumnData::Bool(to), ValuesView::Bool(from)) => to.push(from[row]),
            (ColumnData::Int8(to), ValuesView::Int8(from)) => to.push(from[row]),
            (ColumnData::Int16(to), ValuesView::Int16(from)) => to.push(from[row]),
            (ColumnData::Int32(to), ValuesView::Int32(from)) => to.push(from[row]),
            (ColumnData::Int64(to), ValuesView::Int64(from)) => to.push(from[row]),
            (ColumnData::Float(to), ValuesView::Float(from)) => to.push(from[row]),
            (ColumnData::Double(to), ValuesView::Double(from)) => to.push(from[row]),
            (ColumnData::VarChar(to), ValuesView::VarChar(from)) | (ColumnData::Json(to), ValuesView::Json(from)) => {
                to.push(from.get(row));
            }
            (ColumnData::FloatVector { data, .. }, ValuesView::FloatVector(from)) => {
                data.extend_from_slice(from.row(row));
            }
            (ColumnData::Float16Vector { data, .. }, ValuesView::Float16Vector(from)) => {
                data.extend_from_slice(from.row(row));
            }
            (to, _) => panic!("push of {} to a column of another type: {to:?}", from.data_type()),
        }
        self.push_validity(from.is_valid(row));
    }

    /// Appends a row without a value.
    pub fn push_null(&mut self) {
        self.push_filler();
        self.push_validity(false);
    }

    /// Appends a scalar; `Value::Null` appends a row without a value. Returns false, and appends nothing, if the
    /// column's type cannot hold it.
    pub fn push_value(&mut self, value: &Value) -> bool {
        if matches!(value, Value::Null) {
            self.push_null();
            return true;
        }
        if !value.fits(self.data_type()) {
            return false;
        }
        match (&mut self.data, value) {
            (ColumnData::Bool(to), Value::Bool(value)) => to.push(u8::from(*value)),
            (ColumnData::Int8(to), Value::Int(value)) => to.push(*value as i8),
            (ColumnData::Int16(to), Value::Int(value)) => to.push(*value as i16),
            (ColumnData::Int32(to), Value::Int(value)) => to.push(*value as i32),
            (ColumnData::Int64(to), Value::Int(value)) => to.push(*value),
            (ColumnData::Float(to), Value::Int(value)) => to.push(*value as f32),
            (ColumnData::Float(to), Value::Float(value)) => to.push(*value as f32),
            (ColumnData::Double(to), Value::Int(value)) => to.push(*value as f64),
            (ColumnData::Double(to), Value::Float(value)) => to.push(*value),
            (ColumnData::VarChar(to), Value::String(value)) => to.push(value),
            _ => return false,
        }
        self.push_validity(true);
        true
    }

    fn push_filler(&mut self) {
        match &mut self.data {
            ColumnData::Bool(to) => to.push(0),
            ColumnData::Int8(to) => to.push(0),
            ColumnData::Int16(to) => to.push(0),
            ColumnData::Int32(to) => to.push(0),
            ColumnData::Int64(to) => to.push(0),
            ColumnData::Float(to) => to.push(0.0),
            ColumnData::Double(to) => to.push(0.0),
            ColumnData::VarChar(to) | ColumnData::Json(to) => to.push(""),
            ColumnData::FloatVector { dim, data } => data.resize(data.len() + *dim, 0.0),
            ColumnData::Float16Vector { dim, data } => data.resize(data.len() + *dim, F16::from_f32(0.0)),
        }
    }

    fn push_validity(&mut self, valid: bool) {
        let len = self.len();
        match &mut self.validity {
            Some(bits) => bits.resize(len, valid),
            None if valid => {}
            None => {
                let mut bits = Bitmap::full(len);
                bits.set(len - 1, false);
                self.validity = Some(bits);
            }
        }
    }
}

impl Batch {
    /// No row.
    pub fn empty(schema: &Schema) -> Self {
        Self { columns: schema.fields.iter().map(Column::empty).collect(), len: 0 }
    }

    /// Appends all rows of a batch of the same schema.
    pub fn append(&mut self, from: &Self) {
        for (to, from) in self.columns.iter_mut().zip(&from.columns) {
            to.append(from.view());
        }
        self.len += from.len;
    }
}
