//! A sealed segment: an immutable file used in place, with the deletes and indexes that came since.

mod open;

use crate::block::Block;
use crate::column::{ColumnView, StringsView, ValuesView};
use crate::error::{AttachError, OpenError};
use crate::key::{KeyColumn, KeyRef, Keys};
use crate::schema::{DataType, Field, Schema};
use crate::tombstone::Tombstones;
use crate::view::{KeyRows, View};
use elanus_index::{Blob, Index};
use elanus_kernels::{BitmapView, F16, Rows};
use parking_lot::{Mutex, RwLock};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A sealed file, and what is not in it: deletes and indexes.
#[derive(Debug)]
pub struct Sealed {
    file: Arc<SealedFile>,
    writer: Mutex<()>,
    published: RwLock<View>,
}

/// The checked bytes.
#[derive(Debug)]
struct SealedFile {
    schema: Arc<Schema>,
    rows: usize,
    columns: Vec<Part>,
    timestamps: Blob,
    /// Rows by (primary key, row).
    order: Blob,
    primary: usize,
    size_bytes: u64,
}

/// The sections of one column.
#[derive(Debug)]
struct Part {
    /// Values of fixed width, or offsets into `text`.
    values: Blob,
    text: Option<Blob>,
    validity: Option<Blob>,
}

impl Sealed {
    /// Checks a sealed file and uses its bytes in place; they are copied once if they do not begin at a multiple of 64
    /// in memory.
    ///
    /// # Errors
    /// What is wrong with the file, in which section and at which byte.
    pub fn open(blob: Blob) -> Result<Self, OpenError> {
        let file = Arc::new(open::open(blob)?);
        let view = View {
            blocks: Arc::new(vec![Arc::clone(&file) as Arc<dyn Block>]),
            rows: file.rows,
            tombstones: Arc::default(),
            indexes: Arc::new(vec![None; file.schema.fields.len()]),
            keys: Arc::clone(&file) as Arc<dyn KeyRows>,
        };
        Ok(Self { file, writer: Mutex::default(), published: RwLock::new(view) })
    }

    /// The schema of the rows, as it was when the file was written.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.file.schema
    }

    /// Rows, deleted ones included.
    pub fn rows(&self) -> usize {
        self.file.rows
    }

    /// Bytes of the file.
    pub fn size_bytes(&self) -> u64 {
        self.file.size_bytes
    }

    /// The state of now.
    pub fn view(&self) -> View {
        self.published.read().clone()
    }

    /// The newest row with that primary key that a read at that time sees.
    pub fn lookup(&self, key: KeyRef<'_>, ts: u64) -> Option<u32> {
        self.view().lookup_newest(key, ts)
    }

    /// Marks rows with one of the keys that were inserted before that time, and are not deleted yet, as deleted at it.
    /// Returns how many. Keys of another type than the primary key's match no row.
    pub fn delete(&self, keys: &Keys, ts: u64) -> usize {
        let _writer = self.writer.lock();
        let (tombstones, count) = self.view().after_delete(keys, ts);
        if count > 0 {
            self.published.write().tombstones = tombstones;
        }
        count
    }

    /// Puts these deletes in the place of all others.
    ///
    /// # Errors
    /// If one is of a row that there is not.
    pub fn set_tombstones(&self, tombstones: Arc<Tombstones>) -> Result<(), AttachError> {
        let got = tombstones.last_row().map_or(0, |row| row as usize + 1);
        if got > self.file.rows {
            return Err(AttachError::Rows { want: self.file.rows, got });
        }
        let _writer = self.writer.lock();
        self.published.write().tombstones = tombstones;
        Ok(())
    }

    /// Makes later views use that index for the field at that position of the schema.
    ///
    /// # Errors
    /// If it was built over other rows than those of the field.
    pub fn attach_index(&self, position: usize, index: Arc<dyn Index>) -> Result<(), AttachError> {
        let fields = &self.file.schema.fields;
        let rows = match fields.get(position) {
            Some(field) if field.data_type.is_vector() => self.file.column(position).vectors(),
            Some(_) | None => None,
        };
        let rows = rows.ok_or(AttachError::NoVectors { position })?;
        if index.len() != self.file.rows {
            return Err(AttachError::Rows { want: self.file.rows, got: index.len() });
        }
        if index.spec().element() != rows.element() {
            return Err(AttachError::Element { want: rows.element(), got: index.spec().element() });
        }
        if index.spec().dim() != rows.dim() {
            return Err(AttachError::Dim { want: rows.dim(), got: index.spec().dim() });
        }
        let _writer = self.writer.lock();
        Arc::make_mut(&mut self.published.write().indexes)[position] = Some(index);
        Ok(())
    }

    /// Makes later views do without an index of that field; returns the one there was.
    pub fn detach_index(&self, position: usize) -> Option<Arc<dyn Index>> {
        let _writer = self.writer.lock();
        Arc::make_mut(&mut self.published.write().indexes).get_mut(position)?.take()
    }
}

impl Block for Sealed {
    fn start(&self) -> u32 {
        self.file.start()
    }

    fn timestamps(&self) -> &[u64] {
        self.file.timestamps()
    }

    fn column(&self, position: usize) -> ColumnView<'_> {
        self.file.column(position)
    }
}

/// Bytes as numbers. `open` saw that they are whole and aligned.
fn numbers<T: bytemuck::AnyBitPattern>(blob: &Blob) -> &[T] {
    bytemuck::cast_slice(blob.as_slice())
}

impl Part {
    fn values(&self, field: &Field) -> ValuesView<'_> {
        let blob = &self.values;
        let dim = field.dim as usize;
        let whole = "the length of the section was checked";
        match field.data_type {
            DataType::Bool => ValuesView::Bool(blob.as_slice()),
            DataType::Int8 => ValuesView::Int8(numbers(blob)),
            DataType::Int16 => ValuesView::Int16(numbers(blob)),
            DataType::Int32 => ValuesView::Int32(numbers(blob)),
            DataType::Int64 => ValuesView::Int64(numbers(blob)),
            DataType::Float => ValuesView::Float(numbers(blob)),
            DataType::Double => ValuesView::Double(numbers(blob)),
            DataType::VarChar => ValuesView::VarChar(self.strings()),
            DataType::Json => ValuesView::Json(self.strings()),
            DataType::FloatVector => ValuesView::FloatVector(Rows::new(numbers(blob), dim).expect(whole)),
            DataType::Float16Vector => {
                ValuesView::Float16Vector(Rows::new(F16::from_bits_slice(numbers(blob)), dim).expect(whole))
            }
        }
    }

    fn strings(&self) -> StringsView<'_> {
        let text = self.text.as_ref().map_or(&[][..], Blob::as_slice);
        StringsView::checked_before(numbers(&self.values), text)
    }
}

impl Block for SealedFile {
    fn start(&self) -> u32 {
        0
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn timestamps(&self) -> &[u64] {
        numbers(&self.timestamps)
    }

    fn column(&self, position: usize) -> ColumnView<'_> {
        let part = &self.columns[position];
        let validity = part.validity.as_ref().map(|words| BitmapView::new(numbers(words), self.rows));
        ColumnView { values: part.values(&self.schema.fields[position]), validity }
    }
}

impl SealedFile {
    fn key_column(&self) -> KeyColumn<'_> {
        KeyColumn::of(self.column(self.primary)).expect("a validated schema has a key that can be one")
    }
}

impl KeyRows for SealedFile {
    fn visit(&self, key: KeyRef<'_>, visit: &mut dyn FnMut(u32) -> ControlFlow<()>) {
        let keys = self.key_column();
        if !matches!((keys, key), (KeyColumn::Int(_), KeyRef::Int(_)) | (KeyColumn::Str(_), KeyRef::Str(_))) {
            return;
        }
        let order: &[u32] = numbers(&self.order);
        let end = order.partition_point(|&row| keys.get(row as usize) <= key);
        for &row in order[..end].iter().rev() {
            if keys.get(row as usize) != key || visit(row).is_break() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
