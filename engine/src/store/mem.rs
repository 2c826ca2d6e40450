//! Objects in memory, for databases that need not survive their process.

use std::collections::BTreeMap;
use std::ops::Bound;

use elanus_index::Blob;
use parking_lot::Mutex;

use super::{Fill, Store, StoreError, check_name, folders_of, io_error};

/// Objects that live as long as this value.
#[derive(Debug, Default)]
pub struct MemStore {
    objects: Mutex<BTreeMap<String, Blob>>,
}

/// Refuses a name that an object has or that could not be a path beside the others.
fn refuse_taken(objects: &BTreeMap<String, Blob>, name: &str) -> Result<(), StoreError> {
    let inner = format!("{name}/");
    let below = objects.range(inner.clone()..).next().map(|(other, _)| other).filter(|other| other.starts_with(&inner));
    let above = std::iter::once(name).chain(folders_of(name)).find(|&other| objects.contains_key(other));
    match below.map(String::as_str).or(above) {
        Some(other) => Err(StoreError::Exists { name: other.to_owned() }),
        None => Ok(()),
    }
}

impl Store for MemStore {
    fn put(&self, name: &str, fill: &mut Fill<'_>) -> Result<u64, StoreError> {
        check_name(name)?;
        refuse_taken(&self.objects.lock(), name)?;
        let mut bytes = Vec::new();
        fill(&mut bytes).map_err(io_error("write", name))?;
        let len = bytes.len() as u64;
        let mut objects = self.objects.lock();
        refuse_taken(&objects, name)?;
        objects.insert(name.to_owned(), Blob::from_vec(bytes));
        Ok(len)
    }

    fn open(&self, name: &str) -> Result<Blob, StoreError> {
        check_name(name)?;
        let found = self.objects.lock().get(name).cloned();
        found.ok_or_else(|| StoreError::NotFound { name: name.to_owned() })
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let objects = self.objects.lock();
        let from = objects.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let found = from.take_while(|(name, _)| name.starts_with(prefix));
        Ok(found.map(|(name, blob)| (name.clone(), blob.len() as u64)).collect())
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        check_name(name)?;
        self.objects.lock().remove(name);
        Ok(())
    }
}
