//! Batches as bytes, for the log.
//!
//! All numbers are little-endian. Version (u8), rows (u32), columns (u16); then each column: wire number of its type
//! (u8), dimension (u32, 0 unless it has vectors), 1 if a validity follows, else 0 (u8), the validity in words (u64),
//! the values. Strings are all lengths (u32 each), then all text.

use crate::column::{Batch, BatchError, Column, ColumnData, StringsView, ValuesView};
use crate::error::{DecodeError, Fault};
use crate::read::Reader;
use crate::schema::{DataType, Field, Schema};
use elanus_kernels::{Bitmap, F16};

const VERSION: u8 = 1;

/// Appends the bytes of a batch.
///
/// # Panics
/// If the batch has more than 2^32 - 1 rows or 2^16 - 1 columns, or a string of 4 GiB.
pub fn encode(batch: &Batch, out: &mut Vec<u8>) {
    out.reserve(batch.size_bytes() + 64);
    out.push(VERSION);
    out.extend_from_slice(&u32::try_from(batch.len()).expect("a batch of fewer than 2^32 rows").to_le_bytes());
    let columns = u16::try_from(batch.columns().len()).expect("a batch of fewer than 2^16 columns");
    out.extend_from_slice(&columns.to_le_bytes());
    batch.columns().iter().for_each(|column| encode_column(column, out));
}

fn encode_column(column: &Column, out: &mut Vec<u8>) {
    let view = column.view();
    out.push(view.data_type().wire_number() as u8);
    let dim = view.vectors().map_or(0, |rows| rows.dim());
    out.extend_from_slice(&u32::try_from(dim).expect("a dimension below 2^32").to_le_bytes());
    out.push(u8::from(column.validity.is_some()));
    if let Some(bits) = &column.validity {
        out.extend_from_slice(bytemuck::cast_slice(bits.words()));
    }
    match view.values {
        ValuesView::Bool(values) => out.extend_from_slice(values),
        ValuesView::Int8(values) => out.extend_from_slice(bytemuck::cast_slice(values)),
        ValuesView::Int16(values) => out.extend_from_slice(bytemuck::cast_slice(values)),
        ValuesView::Int32(values) => out.extend_from_slice(bytemuck::cast_slice(values)),
        ValuesView::Int64(values) => out.extend_from_slice(bytemuck::cast_slice(values)),
        ValuesView::Float(values) => out.extend_from_slice(bytemuck::cast_slice(values)),
        ValuesView::Double(values) => out.extend_from_slice(bytemuck::cast_slice(values)),
        ValuesView::VarChar(values) | ValuesView::Json(values) => encode_strings(values, out),
        ValuesView::FloatVector(rows) => out.extend_from_slice(bytemuck::cast_slice(rows.data())),
        ValuesView::Float16Vector(rows) => {
            out.extend_from_slice(bytemuck::cast_slice(F16::as_bits_slice(rows.data())));
        }
    }
}

fn encode_strings(strings: StringsView<'_>, out: &mut Vec<u8>) {
    for two in strings.offsets().windows(2) {
        let len = u32::try_from(two[1] - two[0]).expect("a string shorter than 4 GiB");
        out.extend_from_slice(&len.to_le_bytes());
    }
    out.extend_from_slice(strings.bytes());
}

/// Reads a batch of that schema; there may be nothing behind it.
///
/// # Errors
/// What is wrong, in which field and at which byte.
pub fn decode(bytes: &[u8], schema: &Schema) -> Result<Batch, DecodeError> {
    let mut reader = Reader::new(bytes, "batch");
    let version = reader.u8()?;
    if version != VERSION {
        return Err(reader.error(Fault::Version { got: version, want: VERSION }));
    }
    let rows = reader.u32()? as usize;
    let count = usize::from(reader.u16()?);
    if count != schema.fields.len() {
        let error = BatchError::ColumnCount { want: schema.fields.len(), got: count };
        return Err(reader.error(Fault::Batch(error)));
    }
    let mut columns = Vec::with_capacity(count);
    for field in &schema.fields {
        reader.now_in(&field.name);
        columns.push(decode_column(&mut reader, field, rows)?);
    }
    reader.now_in("batch");
    reader.finish()?;
    Batch::new(schema, columns).map_err(|error| reader.error(Fault::Batch(error)))
}

fn decode_column(reader: &mut Reader<'_>, field: &Field, rows: usize) -> Result<Column, DecodeError> {
    let number = i32::from(reader.u8()?);
    if number != field.data_type.wire_number() {
        return Err(reader.error(Fault::Type { got: number }));
    }
    let dim = reader.u32()?;
    if dim != field.dim {
        let error = BatchError::Dim { field: field.name.clone(), want: field.dim as usize, got: dim as usize };
        return Err(reader.error(Fault::Batch(error)));
    }
    let validity = match reader.u8()? {
        0 => None,
        1 => Some(Bitmap::from_words(reader.values(rows.div_ceil(64), u64::from_le_bytes)?, rows)),
        got => return Err(reader.error(Fault::Flag { got })),
    };
    let data = decode_values(reader, field, rows)?;
    Ok(Column { data, validity })
}

fn decode_values(reader: &mut Reader<'_>, field: &Field, rows: usize) -> Result<ColumnData, DecodeError> {
    let dim = field.dim as usize;
    // Rows below 2^32 and dimensions below 2^16: the product fits.
    Ok(match field.data_type {
        DataType::Bool => {
            let values = reader.take(rows, 1)?;
            match values.iter().find(|&&value| value > 1) {
                Some(&got) => return Err(reader.error(Fault::Flag { got })),
                None => ColumnData::Bool(values.to_vec()),
            }
        }
        DataType::Int8 => ColumnData::Int8(reader.values(rows, i8::from_le_bytes)?),
        DataType::Int16 => ColumnData::Int16(reader.values(rows, i16::from_le_bytes)?),
        DataType::Int32 => ColumnData::Int32(reader.values(rows, i32::from_le_bytes)?),
        DataType::Int64 => ColumnData::Int64(reader.values(rows, i64::from_le_bytes)?),
        DataType::Float => ColumnData::Float(reader.values(rows, f32::from_le_bytes)?),
        DataType::Double => ColumnData::Double(reader.values(rows, f64::from_le_bytes)?),
        DataType::VarChar => ColumnData::VarChar(reader.strings(rows)?),
        DataType::Json => ColumnData::Json(reader.strings(rows)?),
        DataType::FloatVector => ColumnData::FloatVector { dim, data: reader.values(rows * dim, f32::from_le_bytes)? },
        DataType::Float16Vector => {
            let from = |bytes| F16(u16::from_le_bytes(bytes));
            ColumnData::Float16Vector { dim, data: reader.values(rows * dim, from)? }
        }
    })
}

#[cfg(test)]
mod tests;
