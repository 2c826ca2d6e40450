//! Checking a sealed file: after this, no byte of it can make a reader panic or leave its bounds.

use super::{Part, SealedFile};
use crate::block::Block;
use crate::column::StringsView;
use crate::error::{OpenError, Problem};
use crate::format::{ENTRY_BYTES, Entry, HEADER_BYTES, Kind, NO_FIELD, Outline, check_zeros, row_bytes};
use crate::map::{ALIGNMENT, aligned};
use crate::schema::{DataType, Field, Schema};
use elanus_index::Blob;
use std::sync::Arc;

/// Sections are taken in the order in which they must stand.
struct Sections {
    blob: Blob,
    outline: Outline,
    /// Place in the table of the next one.
    next: usize,
    /// Where the last one ended.
    end: u64,
}

/// A checked section.
struct Section {
    name: String,
    offset: u64,
    blob: Blob,
}

impl Section {
    fn error(&self, place: usize, problem: Problem) -> OpenError {
        OpenError { section: self.name.clone(), offset: self.offset + place as u64, problem }
    }

    /// As numbers; alignment was checked with the section, wholeness with its length.
    fn numbers<T: bytemuck::AnyBitPattern>(&self) -> &[T] {
        super::numbers(&self.blob)
    }
}

impl Sections {
    fn read(blob: Blob) -> Result<Self, OpenError> {
        let outline = Outline::read(blob.as_slice())?;
        Ok(Self { blob, outline, next: 0, end: HEADER_BYTES as u64 })
    }

    /// Whether the next section is that one.
    fn is_next(&self, kind: Kind, field: u32) -> bool {
        self.outline.entries.get(self.next).is_some_and(|entry| entry.kind == kind as u32 && entry.field == field)
    }

    /// Takes the next section, which must be that one and, unless `len` is `None`, have that length.
    fn take(&mut self, kind: Kind, field: Option<(u32, &Field)>, len: Option<u64>) -> Result<Section, OpenError> {
        let (number, field) = field.map_or((NO_FIELD, None), |(number, field)| (number, Some(field)));
        let name = kind.name_in(field);
        let line = self.outline.table_offset + (self.next * ENTRY_BYTES) as u64;
        let fail = |offset, problem| Err(OpenError { section: name.clone(), offset, problem });
        if !self.is_next(kind, number) {
            return fail(line, Problem::Missing);
        }
        let Entry { offset, len: got, checksum: stored, .. } = self.outline.entries[self.next];
        // Together with the zeros this leaves one place for each section: none can overlap another or leave the file.
        if offset != self.end.next_multiple_of(kind.alignment(field)) {
            return fail(line + 8, Problem::Value { name: "offset", got: offset });
        }
        let end = offset.checked_add(got).filter(|&end| end <= self.outline.table_offset);
        let Some(end) = end else {
            return fail(line + 16, Problem::Value { name: "length", got });
        };
        if let Some(want) = len
            && want != got
        {
            return fail(line + 16, Problem::Length { want, got });
        }
        check_zeros(&self.blob.as_slice()[self.end as usize..offset as usize], &name, self.end)?;
        let blob = self.blob.slice(offset as usize..end as usize);
        let computed = crc32c::crc32c(blob.as_slice());
        if stored != computed {
            return fail(offset, Problem::Checksum { stored, computed });
        }
        self.next += 1;
        self.end = end;
        Ok(Section { name, offset, blob })
    }

    /// There may be no further section, and nothing but zeros before the table.
    fn finish(&self) -> Result<(), OpenError> {
        let table = self.outline.table_offset;
        let line = table + (self.next * ENTRY_BYTES) as u64;
        if self.next != self.outline.entries.len() {
            return Err(OpenError { section: "table".into(), offset: line, problem: Problem::Unexpected });
        }
        if table != self.end.next_multiple_of(ALIGNMENT as u64) {
            let problem = Problem::Value { name: "table offset", got: table };
            return Err(OpenError { section: "footer".into(), offset: line + 16, problem });
        }
        check_zeros(&self.blob.as_slice()[self.end as usize..table as usize], "table", self.end)
    }
}

pub(super) fn open(blob: Blob) -> Result<SealedFile, OpenError> {
    let blob = if blob.is_aligned(ALIGNMENT) { blob } else { aligned(blob.as_slice()) };
    let size_bytes = blob.len() as u64;
    let mut sections = Sections::read(blob)?;
    let rows = sections.outline.rows;
    let schema = read_schema(&mut sections)?;
    let mut columns = Vec::with_capacity(schema.fields.len());
    for (number, field) in (0..).zip(&schema.fields) {
        columns.push(read_column(&mut sections, number, field)?);
    }
    let timestamps = sections.take(Kind::Timestamps, None, Some(rows * 8))?;
    let times: &[u64] = timestamps.numbers();
    if let Some(row) = times.windows(2).position(|pair| pair[0] > pair[1]) {
        return Err(timestamps.error((row + 1) * 8, Problem::Order { row: row + 1 }));
    }
    let order = sections.take(Kind::Keys, None, Some(rows * 4))?;
    sections.finish()?;
    let primary = schema.primary_position();
    let timestamps = timestamps.blob;
    let file = SealedFile {
        schema: Arc::new(schema),
        rows: rows as usize,
        columns,
        timestamps,
        order: order.blob.clone(),
        primary,
        size_bytes,
    };
    check_order(&file, &order)?;
    Ok(file)
}

fn read_schema(sections: &mut Sections) -> Result<Schema, OpenError> {
    let section = sections.take(Kind::Schema, None, None)?;
    let broken = |error: String| section.error(0, Problem::Schema(error));
    let schema: Schema = serde_json::from_slice(section.blob.as_slice()).map_err(|error| broken(error.to_string()))?;
    schema.validate().map_err(|error| broken(error.to_string()))?;
    let fields = sections.outline.fields;
    if schema.fields.len() != fields as usize {
        let problem = Problem::Value { name: "field count", got: fields.into() };
        return Err(OpenError { section: "header".into(), offset: 12, problem });
    }
    Ok(schema)
}

fn read_column(sections: &mut Sections, number: u32, field: &Field) -> Result<Part, OpenError> {
    let rows = sections.outline.rows;
    let of = Some((number, field));
    let (values, text) = match row_bytes(field) {
        Some(width) => (sections.take(Kind::Values, of, Some(rows * width))?, None),
        None => {
            let offsets = sections.take(Kind::Offsets, of, Some((rows + 1) * 8))?;
            let text = sections.take(Kind::Text, of, None)?;
            if StringsView::new(offsets.numbers(), text.blob.as_slice()).is_none() {
                return Err(text.error(0, Problem::Strings));
            }
            (offsets, Some(text.blob))
        }
    };
    if field.data_type == DataType::Bool
        && let Some(row) = values.blob.as_slice().iter().position(|&byte| byte > 1)
    {
        return Err(values.error(row, Problem::Bool { row }));
    }
    let validity = match sections.is_next(Kind::Validity, number) {
        false => None,
        true => Some(read_validity(sections, number, field)?),
    };
    Ok(Part { values: values.blob, text, validity })
}

fn read_validity(sections: &mut Sections, number: u32, field: &Field) -> Result<Blob, OpenError> {
    let rows = sections.outline.rows;
    let section = sections.take(Kind::Validity, Some((number, field)), Some(rows.div_ceil(64) * 8))?;
    if !field.nullable {
        return Err(section.error(0, Problem::Unexpected));
    }
    let unused = match rows % 64 {
        0 => 0,
        used => u64::MAX << used,
    };
    match section.numbers::<u64>().last() {
        Some(&last) if last & unused != 0 => {
            let place = section.blob.len() - 8;
            Err(section.error(place, Problem::Value { name: "word of validity behind the last row", got: last }))
        }
        Some(_) | None => Ok(section.blob),
    }
}

/// The rows by key: strictly ascending pairs of (key, row) with rows in range are a permutation, in key order.
fn check_order(file: &SealedFile, section: &Section) -> Result<(), OpenError> {
    let order: &[u32] = section.numbers();
    if let Some(place) = order.iter().position(|&row| row as usize >= file.len()) {
        return Err(section.error(place * 4, Problem::Value { name: "row", got: order[place].into() }));
    }
    let keys = file.key_column();
    let pair = |row: u32| (keys.get(row as usize), row);
    match order.windows(2).position(|two| pair(two[0]) >= pair(two[1])) {
        None => Ok(()),
        Some(place) => Err(section.error((place + 1) * 4, Problem::Order { row: place + 1 })),
    }
}
