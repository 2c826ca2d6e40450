//! The columns that a read returns of the rows it found.

use crate::error::{Error, Result, Subject};
use crate::shard::Pinned;
use elanus_segment::{Column, Field, Keys, Schema, ValuesView};

/// A row of a pinned segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RowAt {
    pub(crate) segment: u32,
    pub(crate) row: u32,
}

/// One returned column.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputField {
    /// The field, or a made-up one for `count(*)`.
    pub field: Field,
    /// One value for each returned row, a filler where there is none.
    pub column: Column,
}

/// Fields that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Positions in the schema, in its order.
    pub(crate) positions: Vec<usize>,
    /// Keys of the dynamic field that were asked for by name; empty with the dynamic field wanted: all.
    pub(crate) dynamic_keys: Vec<String>,
}

impl Wanted {
    /// Resolves names: fields, `*` for all of them, dynamic keys.
    pub(crate) fn resolve(schema: &Schema, names: &[String]) -> Result<Self> {
        let mut positions = Vec::new();
        let mut dynamic_keys = Vec::new();
        let mut whole_dynamic = false;
        for name in names {
            if name == "*" {
                positions.extend(0..schema.fields.len());
                whole_dynamic = true;
            } else if let Some(position) = schema.position(name) {
                whole_dynamic |= schema.fields[position].is_dynamic;
                positions.push(position);
            } else if let Some(position) = schema.dynamic_position() {
                positions.push(position);
                dynamic_keys.push(name.clone());
            } else {
                return Err(Error::not_found(Subject::Field, format!("field {name} not exist: it cannot be returned")));
            }
        }
        positions.sort_unstable();
        positions.dedup();
        if whole_dynamic {
            dynamic_keys.clear();
        }
        Ok(Self { positions, dynamic_keys })
    }
}

/// Copies the wanted columns of rows, in the order of the rows.
///
/// # Errors
/// If there are more bytes than `bytes_max`.
pub(crate) fn columns(
    schema: &Schema,
    segments: &[Pinned],
    rows: &[RowAt],
    positions: &[usize],
    bytes_max: usize,
) -> Result<Vec<OutputField>> {
    let mut bytes = positions.iter().map(|&position| fixed_width(&schema.fields[position])).sum::<usize>();
    bytes = bytes.saturating_mul(rows.len());
    let mut fields = Vec::with_capacity(positions.len());
    for &position in positions {
        let field = &schema.fields[position];
        let mut column = Column::empty(field);
        for at in rows {
            let (block, row) = segments[at.segment as usize].view.block_of(at.row);
            let view = block.column(position);
            if let ValuesView::VarChar(texts) | ValuesView::Json(texts) = view.values {
                bytes += texts.get_bytes(row).len();
            }
            if bytes > bytes_max {
                let text =
                    format!("the result of {} rows has more than {bytes_max} bytes: set a lower limit", rows.len());
                return Err(Error::invalid(Subject::Request, text));
            }
            column.push_from(view, row);
        }
        fields.push(OutputField { field: field.clone(), column });
    }
    Ok(fields)
}

/// Bytes of a row that do not depend on its value.
fn fixed_width(field: &Field) -> usize {
    field.data_type.width().unwrap_or(8) * (field.dim as usize).max(1)
}

/// The primary keys of rows, in their order.
pub(crate) fn keys(schema: &Schema, segments: &[Pinned], rows: &[RowAt]) -> Result<Keys> {
    let position = schema.primary_position();
    let mut column = Column::empty(&schema.fields[position]);
    for at in rows {
        let (block, row) = segments[at.segment as usize].view.block_of(at.row);
        column.push_from(block.column(position), row);
    }
    Keys::from_column(column.view()).ok_or_else(|| Error::internal("the primary key has no key type"))
}
