//! From a primary key to the rows of a growing segment that have it.

use super::{KeyColumn, KeyRef};
use std::collections::HashMap;

/// Rows by key; rows are only ever added, in ascending order, so that a reader of an older state may use it too.
#[derive(Debug)]
pub(crate) struct KeyMap {
    newest: Newest,
    /// The next older row with the same key. Most keys have one row, which has no entry here.
    older: HashMap<u32, u32>,
    text_bytes: usize,
}

#[derive(Debug)]
enum Newest {
    Int(HashMap<i64, u32>),
    Str(HashMap<Box<str>, u32>),
}

impl KeyMap {
    /// For keys of an Int64 field, else of a VarChar field.
    pub(crate) fn new(is_int: bool) -> Self {
        let newest = if is_int { Newest::Int(HashMap::new()) } else { Newest::Str(HashMap::new()) };
        Self { newest, older: HashMap::new(), text_bytes: 0 }
    }

    /// Adds some rows of a column whose first row has the id `start`.
    pub(crate) fn add(&mut self, keys: KeyColumn<'_>, rows: std::ops::Range<usize>, start: u32) {
        for row in rows {
            let id = start + row as u32;
            let older = match (&mut self.newest, keys) {
                (Newest::Int(newest), KeyColumn::Int(keys)) => newest.insert(keys[row], id),
                (Newest::Str(newest), KeyColumn::Str(keys)) => match newest.get_mut(keys.get(row)) {
                    Some(newest) => Some(std::mem::replace(newest, id)),
                    None => {
                        let key = keys.get(row);
                        self.text_bytes += key.len();
                        newest.insert(key.into(), id)
                    }
                },
                (Newest::Int(_), KeyColumn::Str(_)) | (Newest::Str(_), KeyColumn::Int(_)) => {
                    unreachable!("the segment checked the type of the key column")
                }
            };
            if let Some(older) = older {
                self.older.insert(id, older);
            }
        }
    }

    /// The rows with that key, newest first.
    pub(crate) fn rows(&self, key: KeyRef<'_>) -> impl Iterator<Item = u32> + '_ {
        let newest = match (&self.newest, key) {
            (Newest::Int(newest), KeyRef::Int(key)) => newest.get(&key),
            (Newest::Str(newest), KeyRef::Str(key)) => newest.get(key),
            (Newest::Int(_), KeyRef::Str(_)) | (Newest::Str(_), KeyRef::Int(_)) => None,
        };
        std::iter::successors(newest.copied(), |row| self.older.get(row).copied())
    }

    /// Bytes in memory, about.
    pub(crate) fn size_bytes(&self) -> usize {
        // One control byte for each slot, and slots for a load of at most 7/8.
        let table = |slots: usize, width: usize| slots * 8 / 7 * (width + 1);
        let newest = match &self.newest {
            Newest::Int(newest) => table(newest.capacity(), size_of::<(i64, u32)>()),
            Newest::Str(newest) => table(newest.capacity(), size_of::<(Box<str>, u32)>()),
        };
        newest + self.text_bytes + table(self.older.capacity(), size_of::<(u32, u32)>())
    }
}
