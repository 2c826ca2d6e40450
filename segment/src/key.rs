//! Primary keys: one, and lists of them.

pub(crate) mod map;

use crate::column::{ColumnView, Strings, StringsView, ValuesView};
use crate::error::{DecodeError, Fault};
use crate::read::Reader;
use crate::schema::DataType;
use std::fmt;

/// One primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRef<'a> {
    /// Of an Int64 field.
    Int(i64),
    /// Of a VarChar field.
    Str(&'a str),
}

impl fmt::Display for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(key) => write!(f, "{key}"),
            Self::Str(key) => write!(f, "{key:?}"),
        }
    }
}

/// Primary keys of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// Of an Int64 field.
    Int(Vec<i64>),
    /// Of a VarChar field.
    Str(Vec<String>),
}

impl Keys {
    /// No key; `None` if a field of that type cannot be a primary key.
    pub fn empty(data_type: DataType) -> Option<Self> {
        match data_type {
            DataType::Int64 => Some(Self::Int(Vec::new())),
            DataType::VarChar => Some(Self::Str(Vec::new())),
            DataType::Bool
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Float
            | DataType::Double
            | DataType::Json
            | DataType::FloatVector
            | DataType::Float16Vector => None,
        }
    }

    /// The values of a column; `None` if its type cannot be that of a primary key.
    pub fn from_column(column: ColumnView<'_>) -> Option<Self> {
        match KeyColumn::of(column)? {
            KeyColumn::Int(keys) => Some(Self::Int(keys.to_vec())),
            KeyColumn::Str(keys) => Some(Self::Str((0..keys.len()).map(|row| keys.get(row).to_owned()).collect())),
        }
    }

    /// Type of the field that has such keys.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Int(_) => DataType::Int64,
            Self::Str(_) => DataType::VarChar,
        }
    }

    /// Keys.
    pub fn len(&self) -> usize {
        match self {
            Self::Int(keys) => keys.len(),
            Self::Str(keys) => keys.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key at a place of the list.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn get(&self, i: usize) -> KeyRef<'_> {
        match self {
            Self::Int(keys) => KeyRef::Int(keys[i]),
            Self::Str(keys) => KeyRef::Str(&keys[i]),
        }
    }

    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = KeyRef<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Appends a key. Returns false, and appends nothing, if it is of the other type.
    pub fn push(&mut self, key: KeyRef<'_>) -> bool {
        match (self, key) {
            (Self::Int(keys), KeyRef::Int(key)) => keys.push(key),
            (Self::Str(keys), KeyRef::Str(key)) => keys.push(key.to_owned()),
            (Self::Int(_), KeyRef::Str(_)) | (Self::Str(_), KeyRef::Int(_)) => return false,
        }
        true
    }

    /// Sorts, and leaves each key once.
    pub fn sort_dedup(&mut self) {
        match self {
            Self::Int(keys) => {
                keys.sort_unstable();
                keys.dedup();
            }
            Self::Str(keys) => {
                keys.sort_unstable();
                keys.dedup();
            }
        }
    }

    /// Bytes of the keys, without allocation overhead.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Int(keys) => size_of_val(&keys[..]),
            Self::Str(keys) => keys.iter().map(|key| key.len() + size_of::<u32>()).sum(),
        }
    }

    /// Appends the bytes that [`Keys::decode`] reads: the type's wire number (u8), the count (u32), then for Int64 the
    /// values, for VarChar all lengths (u32 each) and all text.
    ///
    /// # Panics
    /// If there are more than 2^32 - 1 keys, or one is that long.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.data_type().wire_number() as u8);
        out.extend_from_slice(&u32::try_from(self.len()).expect("a list of fewer than 2^32 keys").to_le_bytes());
        match self {
            Self::Int(keys) => keys.iter().for_each(|key| out.extend_from_slice(&key.to_le_bytes())),
            Self::Str(keys) => {
                for key in keys {
                    let len = u32::try_from(key.len()).expect("a key shorter than 4 GiB");
                    out.extend_from_slice(&len.to_le_bytes());
                }
                keys.iter().for_each(|key| out.extend_from_slice(key.as_bytes()));
            }
        }
    }

    /// Reads what [`Keys::encode`] wrote; there may be nothing behind it.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, "keys");
        let number = reader.u8()?;
        let keys = Self::decode_values(&mut reader, number)?;
        reader.finish()?;
        Ok(keys)
    }

    fn decode_values(reader: &mut Reader<'_>, number: u8) -> Result<Self, DecodeError> {
        let count = reader.u32()? as usize;
        match DataType::from_wire(i32::from(number)).and_then(Self::empty) {
            Some(Self::Int(_)) => Ok(Self::Int(reader.values(count, i64::from_le_bytes)?)),
            Some(Self::Str(_)) => {
                let strings: Strings = reader.strings(count)?;
                let view: StringsView<'_> = strings.view();
                Ok(Self::Str((0..count).map(|i| view.get(i).to_owned()).collect()))
            }
            None => Err(reader.error(Fault::Type { got: i32::from(number) })),
        }
    }
}

/// The column of a primary key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyColumn<'a> {
    Int(&'a [i64]),
    Str(StringsView<'a>),
}

impl<'a> KeyColumn<'a> {
    /// `None` if no primary key is of that type.
    pub(crate) fn of(column: ColumnView<'a>) -> Option<Self> {
        match column.values {
            ValuesView::Int64(values) => Some(Self::Int(values)),
            ValuesView::VarChar(values) => Some(Self::Str(values)),
            ValuesView::Bool(_)
            | ValuesView::Int8(_)
            | ValuesView::Int16(_)
            | ValuesView::Int32(_)
            | ValuesView::Float(_)
            | ValuesView::Double(_)
            | ValuesView::Json(_)
            | ValuesView::FloatVector(_)
            | ValuesView::Float16Vector(_) => None,
        }
    }

    pub(crate) fn len(self) -> usize {
        match self {
            Self::Int(keys) => keys.len(),
            Self::Str(keys) => keys.len(),
        }
    }

    pub(crate) fn get(self, row: usize) -> KeyRef<'a> {
        match self {
            Self::Int(keys) => KeyRef::Int(keys[row]),
            Self::Str(keys) => KeyRef::Str(keys.get(row)),
        }
    }
}

#[cfg(test)]
mod tests;
