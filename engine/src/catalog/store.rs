//! Reading and writing the catalog's records in `Meta`.

use super::record::{AliasRecord, CollectionRecord, DatabaseRecord, SegmentRecord};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::meta::{Check, Meta, MetaError, Op};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

const FORMAT_KEY: &str = "format";
/// Number of the log record after the last one that was known to be durable.
const LOG_END_KEY: &str = "log_end";
/// Version of the records; a greater one is refused by name.
const FORMAT_VERSION: u32 = 1;

/// Everything in the catalog.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) databases: Vec<DatabaseRecord>,
    pub(crate) collections: Vec<CollectionRecord>,
    pub(crate) aliases: Vec<AliasRecord>,
    pub(crate) segments: Vec<SegmentRecord>,
}

/// Changes that are made together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Change {
    ops: Vec<Op>,
}

/// The records' door to `Meta`.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    meta: Arc<dyn Meta>,
}

fn database_key(id: i64) -> String {
    format!("database/{id}")
}

fn collection_key(id: i64) -> String {
    format!("collection/{id}")
}

fn alias_key(database_id: i64, name: &str) -> String {
    format!("alias/{database_id}/{name}")
}

fn segment_key(collection_id: i64, id: i64) -> String {
    format!("segment/{collection_id}/{id}")
}

impl Change {
    pub(crate) fn put_database(self, record: &DatabaseRecord) -> Self {
        self.put(database_key(record.id), record)
    }

    pub(crate) fn delete_database(self, id: i64) -> Self {
        self.delete(database_key(id))
    }

    pub(crate) fn put_collection(self, record: &CollectionRecord) -> Self {
        self.put(collection_key(record.id), record)
    }

    pub(crate) fn delete_collection(self, id: i64) -> Self {
        self.delete(collection_key(id))
    }

    pub(crate) fn put_alias(self, record: &AliasRecord) -> Self {
        self.put(alias_key(record.database_id, &record.name), record)
    }

    pub(crate) fn delete_alias(self, record: &AliasRecord) -> Self {
        self.delete(alias_key(record.database_id, &record.name))
    }

    pub(crate) fn put_segment(self, record: &SegmentRecord) -> Self {
        self.put(segment_key(record.collection_id, record.id), record)
    }

    pub(crate) fn delete_segment(self, record: &SegmentRecord) -> Self {
        self.delete(segment_key(record.collection_id, record.id))
    }

    fn put<T: Serialize>(mut self, key: String, record: &T) -> Self {
        let value = serde_json::to_vec(record).expect("records are plain data");
        self.ops.push(Op::Put { key, value });
        self
    }

    fn delete(mut self, key: String) -> Self {
        self.ops.push(Op::Delete { key });
        self
    }
}

impl Catalog {
    /// Checks the format version, or writes it if the catalog is empty.
    pub(crate) fn open(meta: Arc<dyn Meta>) -> Result<Self> {
        let catalog = Self { meta };
        match catalog.meta.get(FORMAT_KEY).map_err(meta_error)? {
            None => {
                let value = FORMAT_VERSION.to_string().into_bytes();
                let op = Op::Put { key: FORMAT_KEY.into(), value };
                catalog.meta.commit(&[Check::Absent { key: FORMAT_KEY.into() }], &[op]).map_err(meta_error)?;
            }
            Some(value) => {
                let version = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<u32>().ok());
                if version != Some(FORMAT_VERSION) {
                    let text = format!(
                        "the catalog has format {}, this version reads format {FORMAT_VERSION}",
                        String::from_utf8_lossy(&value)
                    );
                    return Err(Error::new(ErrorKind::Corrupt, Subject::Engine, text));
                }
            }
        }
        Ok(catalog)
    }

    /// The log reaches at least up to this record; a log that ends before it was damaged.
    pub(crate) fn log_end(&self) -> Result<u64> {
        let Some(value) = self.meta.get(LOG_END_KEY).map_err(meta_error)? else { return Ok(0) };
        let number = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, Subject::Engine, format!("catalog record {LOG_END_KEY} cannot be read"))
        })
    }

    /// Notes how far the log reaches for sure.
    pub(crate) fn note_log_end(&self, next: u64) -> Result<()> {
        let op = Op::Put { key: LOG_END_KEY.into(), value: next.to_string().into_bytes() };
        self.meta.commit(&[], &[op]).map_err(meta_error)?;
        Ok(())
    }

    /// Ends all use of the catalog.
    pub(crate) fn close(&self) {
        self.meta.close();
    }

    /// Reads every record.
    pub(crate) fn load(&self) -> Result<Loaded> {
        Ok(Loaded {
            databases: self.scan("database/")?,
            collections: self.scan("collection/")?,
            aliases: self.scan("alias/")?,
            segments: self.scan("segment/")?,
        })
    }

    /// Makes a change durable.
    pub(crate) fn commit(&self, change: Change) -> Result<()> {
        self.meta.commit(&[], &change.ops).map_err(meta_error)?;
        Ok(())
    }

    fn scan<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<T>> {
        let records = self.meta.scan(prefix).map_err(meta_error)?;
        records
            .iter()
            .map(|(key, value)| {
                serde_json::from_slice(value).map_err(|source| {
                    Error::new(ErrorKind::Corrupt, Subject::Engine, format!("catalog record {key} cannot be read"))
                        .with_source(source)
                })
            })
            .collect()
    }
}

fn meta_error(source: MetaError) -> Error {
    let kind = source.kind();
    Error::new(kind, Subject::Engine, "the catalog failed").with_source(source)
}
