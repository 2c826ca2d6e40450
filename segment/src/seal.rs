//! Writing a sealed file from rows wherever they are, column by column and from front to back.

mod sections;

use crate::block::Block;
use crate::column::{ColumnView, ValuesView};
use crate::error::SealError;
use crate::format::Kind;
use crate::key::KeyColumn;
use crate::schema::{DataType, Field, Schema};
use crate::view::View;
use elanus_kernels::{Bitmap, F16};
use sections::Sections;
use std::io::Write;
use std::sync::Arc;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealStats {
    /// Rows.
    pub rows: usize,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// When the first row was inserted.
    pub first_timestamp: Option<u64>,
    /// When the last row was inserted.
    pub last_timestamp: Option<u64>,
}

/// Writes all rows of a view, deleted ones too, so that row ids stay what they are. Deletes are not in the file: hand
/// the tombstones of the segment to [`Sealed::set_tombstones`](crate::Sealed::set_tombstones).
///
/// Besides the rows this needs up to 24 bytes of memory for each.
///
/// # Errors
/// Those of the writer; if the rows are not of that schema.
pub fn write(view: &View, schema: &Schema, out: &mut dyn Write) -> Result<SealStats, SealError> {
    let blocks = view.blocks();
    let runs = (0..).zip(blocks).map(|(block, rows)| Run { block, start: 0, len: rows.len() as u32 }).collect();
    Source { blocks: blocks.to_vec(), runs }.write(schema, out)
}

/// Consecutive rows of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) block: u32,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// The rows to write: runs of blocks, one after the other.
pub(crate) struct Source {
    pub(crate) blocks: Vec<Arc<dyn Block>>,
    pub(crate) runs: Vec<Run>,
}

/// One column of a source.
struct SourceColumn<'a> {
    parts: Vec<ColumnView<'a>>,
    runs: &'a [Run],
}

impl Source {
    /// Writes the file.
    pub(crate) fn write(&self, schema: &Schema, out: &mut dyn Write) -> Result<SealStats, SealError> {
        let rows: u64 = self.runs.iter().map(|run| u64::from(run.len)).sum();
        let max = u64::from(u32::MAX);
        if rows > max {
            return Err(SealError::Rows { count: rows, max });
        }
        // Refused before the first byte.
        for (position, field) in schema.fields.iter().enumerate() {
            self.column(position).check(field)?;
        }
        let mut sections = Sections::begin(out, rows, schema.fields.len() as u32)?;
        sections.whole(Kind::Schema, None, &serde_json::to_vec(schema).map_err(std::io::Error::from)?)?;
        for (number, field) in (0..).zip(&schema.fields) {
            self.column(number as usize).write(number, field, &mut sections)?;
        }
        sections.start(Kind::Timestamps, None)?;
        for run in &self.runs {
            sections.put(bytemuck::cast_slice(self.timestamps(run)))?;
        }
        sections.whole(Kind::Keys, None, bytemuck::cast_slice(&self.order(schema)))?;
        let mut times = self.runs.iter().filter(|run| run.len > 0).map(|run| self.timestamps(run));
        let (first, last) = (times.clone().next(), times.next_back());
        let size_bytes = sections.finish()?;
        Ok(SealStats {
            rows: rows as usize,
            size_bytes,
            first_timestamp: first.and_then(|times| times.first().copied()),
            last_timestamp: last.and_then(|times| times.last().copied()),
        })
    }

    fn timestamps(&self, run: &Run) -> &[u64] {
        &self.blocks[run.block as usize].timestamps()[run.start as usize..][..run.len as usize]
    }

    fn column(&self, position: usize) -> SourceColumn<'_> {
        SourceColumn { parts: self.blocks.iter().map(|block| block.column(position)).collect(), runs: &self.runs }
    }

    /// The rows by (primary key, row).
    fn order(&self, schema: &Schema) -> Vec<u32> {
        let column = self.column(schema.primary_position());
        let places = || column.runs.iter().flat_map(|run| (0..run.len).map(|i| (run.block, (run.start + i) as usize)));
        let keys = |block: u32| KeyColumn::of(column.parts[block as usize]);
        // The types of the columns were checked before.
        if schema.primary().data_type == DataType::Int64 {
            sorted(places().map(|(block, row)| match keys(block) {
                Some(KeyColumn::Int(keys)) => keys[row],
                Some(KeyColumn::Str(_)) | None => unreachable!("an Int64 key is in an Int64 column"),
            }))
        } else {
            sorted(places().map(|(block, row)| match keys(block) {
                Some(KeyColumn::Str(keys)) => keys.get(row),
                Some(KeyColumn::Int(_)) | None => unreachable!("a VarChar key is in a VarChar column"),
            }))
        }
    }
}

/// Places of the keys, by (key, place).
fn sorted<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<u32> {
    let mut pairs: Vec<(K, u32)> = keys.zip(0..).collect();
    // Keys that the database made are in order already.
    if !pairs.is_sorted() {
        pairs.sort_unstable();
    }
    pairs.into_iter().map(|(_, place)| place).collect()
}

impl SourceColumn<'_> {
    fn check(&self, field: &Field) -> Result<(), SealError> {
        for part in &self.parts {
            let got = part.data_type();
            if got != field.data_type {
                return Err(SealError::Column { field: field.name.clone(), want: field.data_type, got });
            }
            if let Some(rows) = part.vectors()
                && rows.dim() != field.dim as usize
            {
                return Err(SealError::Dim { field: field.name.clone(), want: field.dim as usize, got: rows.dim() });
            }
        }
        Ok(())
    }

    /// The runs with the part of the column that each is of.
    fn runs(&self) -> impl Iterator<Item = (&ColumnView<'_>, std::ops::Range<usize>)> {
        self.runs.iter().map(|run| {
            let start = run.start as usize;
            (&self.parts[run.block as usize], start..start + run.len as usize)
        })
    }

    fn write(&self, number: u32, field: &Field, sections: &mut Sections<'_>) -> Result<(), SealError> {
        let of = Some((number, field));
        if field.data_type.width().is_some() {
            sections.start(Kind::Values, of)?;
            for (part, rows) in self.runs() {
                sections.put(fixed_bytes(&part.values, rows))?;
            }
        } else {
            self.write_strings(of, sections)?;
        }
        match self.validity() {
            Some(bits) => sections.whole(Kind::Validity, of, bytemuck::cast_slice(bits.words())),
            None => Ok(()),
        }
    }

    fn write_strings(&self, of: Option<(u32, &Field)>, sections: &mut Sections<'_>) -> Result<(), SealError> {
        let texts = || self.runs().filter_map(|(part, rows)| Some((strings(&part.values)?, rows)));
        sections.start(Kind::Offsets, of)?;
        let mut end = 0_u64;
        sections.put(&end.to_le_bytes())?;
        for (text, rows) in texts() {
            for two in text.offsets()[rows.start..=rows.end].windows(2) {
                end += two[1] - two[0];
                sections.put(&end.to_le_bytes())?;
            }
        }
        sections.start(Kind::Text, of)?;
        for (text, rows) in texts() {
            let (start, end) = (text.offsets()[rows.start], text.offsets()[rows.end]);
            sections.put(&text.bytes()[start as usize..end as usize])?;
        }
        Ok(())
    }

    /// Which rows have a value; `None` if all have.
    fn validity(&self) -> Option<Bitmap> {
        self.parts.iter().find(|part| part.validity.is_some())?;
        let mut bits = Bitmap::full(self.runs.iter().map(|run| run.len as usize).sum());
        let mut is_whole = true;
        let mut place = 0;
        for (part, rows) in self.runs() {
            for row in rows {
                if !part.is_valid(row) {
                    bits.set(place, false);
                    is_whole = false;
                }
                place += 1;
            }
        }
        (!is_whole).then_some(bits)
    }
}

fn strings<'a>(values: &ValuesView<'a>) -> Option<crate::column::StringsView<'a>> {
    match values {
        ValuesView::VarChar(strings) | ValuesView::Json(strings) => Some(*strings),
        ValuesView::Bool(_)
        | ValuesView::Int8(_)
        | ValuesView::Int16(_)
        | ValuesView::Int32(_)
        | ValuesView::Int64(_)
        | ValuesView::Float(_)
        | ValuesView::Double(_)
        | ValuesView::FloatVector(_)
        | ValuesView::Float16Vector(_) => None,
    }
}

/// Bytes of some rows of fixed width; none of strings.
fn fixed_bytes<'a>(values: &ValuesView<'a>, rows: std::ops::Range<usize>) -> &'a [u8] {
    match values {
        ValuesView::Bool(values) => &values[rows],
        ValuesView::Int8(values) => bytemuck::cast_slice(&values[rows]),
        ValuesView::Int16(values) => bytemuck::cast_slice(&values[rows]),
        ValuesView::Int32(values) => bytemuck::cast_slice(&values[rows]),
        ValuesView::Int64(values) => bytemuck::cast_slice(&values[rows]),
        ValuesView::Float(values) => bytemuck::cast_slice(&values[rows]),
        ValuesView::Double(values) => bytemuck::cast_slice(&values[rows]),
        ValuesView::FloatVector(vectors) => bytemuck::cast_slice(vectors.slice(rows).data()),
        ValuesView::Float16Vector(vectors) => bytemuck::cast_slice(F16::as_bits_slice(vectors.slice(rows).data())),
        ValuesView::VarChar(_) | ValuesView::Json(_) => &[],
    }
}

#[cfg(test)]
mod tests;
