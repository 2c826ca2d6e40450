//! What all handles of one database share.

use crate::catalog::{AliasRecord, Catalog, Change, CollectionRecord, DatabaseRecord};
use crate::commit::{Committer, Progress};
use crate::disk::DiskMemory;
use crate::error::{Error, Result, Subject};
use crate::gpu::Gpu;
use crate::job::Jobs;
use crate::recover::Opening;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::store::Store;
use crate::ts::Oracle;
use crate::wal::Wal;
use elanus_index::Cancel;
use elanus_segment::Schema;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One collection: its record and its segments.
#[derive(Debug)]
pub(crate) struct CollectionState {
    pub(crate) id: i64,
    pub(crate) schema: Arc<Schema>,
    pub(crate) shard: Arc<Shard>,
    record: RwLock<Arc<CollectionRecord>>,
    /// Held while the record, or the set of its saved segments, changes.
    pub(crate) changing: Mutex<()>,
    pub(crate) dropped: AtomicBool,
    pub(crate) builds: Mutex<HashMap<(i64, i64), Build>>,
}

/// An index build that runs or failed, by segment and index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Build {
    pub(crate) cancel: Cancel,
    /// Rows done.
    pub(crate) done: Arc<AtomicU64>,
    /// Why it failed; it is not tried again until the next start.
    pub(crate) failure: Option<String>,
}

/// Names and records in memory; the catalog holds the same.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) databases: BTreeMap<i64, DatabaseRecord>,
    pub(crate) collections: BTreeMap<i64, Arc<CollectionState>>,
    /// (database, collection name) to collection.
    pub(crate) names: HashMap<(i64, String), i64>,
    /// (database, alias) to collection.
    pub(crate) aliases: BTreeMap<(i64, String), i64>,
}

/// What all handles of one database share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) catalog: Catalog,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) wal: Arc<dyn Wal>,
    pub(crate) committer: Committer,
    pub(crate) registry: RwLock<Registry>,
    /// Held while names are given, changed or taken away.
    pub(crate) naming: Mutex<()>,
    pub(crate) searchers: rayon::ThreadPool,
    pub(crate) builders: rayon::ThreadPool,
    pub(crate) gpu: Gpu,
    pub(crate) disk: Arc<DiskMemory>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) closed: AtomicBool,
    /// Keeps other processes out; taken when the database is closed.
    pub(crate) lock: Mutex<Option<DirLock>>,
}

/// The lock of a data directory, held until dropped.
pub(crate) struct DirLock(pub(crate) Box<dyn Send + Sync>);

impl std::fmt::Debug for DirLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _held = &self.0;
        f.write_str("DirLock")
    }
}

impl CollectionState {
    pub(crate) fn new(record: CollectionRecord, shard: Arc<Shard>) -> Arc<Self> {
        Arc::new(Self {
            id: record.id,
            schema: Arc::new(record.schema.clone()),
            shard,
            record: RwLock::new(Arc::new(record)),
            changing: Mutex::new(()),
            dropped: AtomicBool::new(false),
            builds: Mutex::new(HashMap::new()),
        })
    }

    /// The record of this moment.
    pub(crate) fn record(&self) -> Arc<CollectionRecord> {
        Arc::clone(&self.record.read())
    }

    /// Changes the record durably: `edit` sees a copy and may add to the change that is committed with it.
    pub(crate) fn update(
        &self,
        catalog: &Catalog,
        edit: impl FnOnce(&mut CollectionRecord, Change) -> Result<Change>,
    ) -> Result<()> {
        let _changing = self.changing.lock();
        self.update_locked(catalog, edit)
    }

    /// The same for a caller that holds `changing`.
    pub(crate) fn update_locked(
        &self,
        catalog: &Catalog,
        edit: impl FnOnce(&mut CollectionRecord, Change) -> Result<Change>,
    ) -> Result<()> {
        self.check_there()?;
        let mut record = (*self.record()).clone();
        let change = edit(&mut record, Change::default())?;
        catalog.commit(change.put_collection(&record))?;
        *self.record.write() = Arc::new(record);
        Ok(())
    }

    /// Refuses a collection that was dropped.
    pub(crate) fn check_there(&self) -> Result<()> {
        if self.dropped.load(Ordering::SeqCst) {
            return Err(Error::not_found(
                Subject::Collection,
                format!("can't find collection: {} was dropped", self.record().name),
            ));
        }
        Ok(())
    }

    /// Stops the builds of an index, or all of them.
    pub(crate) fn cancel_builds(&self, index_id: Option<i64>) {
        if index_id.is_none() {
            self.shard.stop_growing(None);
        }
        self.builds.lock().retain(|(_, index), build| {
            let hit = index_id.is_none_or(|wanted| wanted == *index);
            if hit {
                build.cancel.cancel();
            }
            !hit
        });
    }
}

impl Registry {
    /// The database of that name; an empty name is the default one.
    pub(crate) fn database(&self, name: &str) -> Result<&DatabaseRecord> {
        let name = if name.is_empty() { crate::catalog::DEFAULT_DATABASE } else { name };
        self.databases
            .values()
            .find(|database| database.name == name)
            .ok_or_else(|| Error::not_found(Subject::Database, format!("database not found: {name}")))
    }

    /// The collection of that name or alias.
    pub(crate) fn collection(&self, database: &str, name: &str) -> Result<Arc<CollectionState>> {
        let database_id = self.database(database)?.id;
        let key = (database_id, name.to_owned());
        let id = self.names.get(&key).or_else(|| self.aliases.get(&key));
        id.and_then(|id| self.collections.get(id)).cloned().ok_or_else(|| {
            Error::not_found(
                Subject::Collection,
                format!("can't find collection: {name} in database {}", name_of(database)),
            )
        })
    }

    /// The aliases of a collection, as records.
    pub(crate) fn aliases_of(&self, collection_id: i64) -> Vec<AliasRecord> {
        let hits = self.aliases.iter().filter(|(_, id)| **id == collection_id);
        hits.map(|((database_id, name), _)| AliasRecord {
            database_id: *database_id,
            name: name.clone(),
            collection_id,
        })
        .collect()
    }
}

impl Inner {
    /// Refuses calls on a closed database.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::unavailable("the database is closed")) } else { Ok(()) }
    }

    /// What indexes are opened with.
    pub(crate) fn opening(&self) -> Opening<'_> {
        Opening { store: self.store.as_ref(), gpu: &self.gpu, disk: &self.disk }
    }

    /// A fresh identifier; timestamps serve, as they are never given twice.
    pub(crate) fn next_id(&self) -> i64 {
        id_from(&self.oracle)
    }
}

/// A fresh identifier.
pub(crate) fn id_from(oracle: &Oracle) -> i64 {
    i64::try_from(oracle.next()).expect("hybrid timestamps stay below 2^63 until the year 3084")
}

fn name_of(database: &str) -> &str {
    if database.is_empty() { crate::catalog::DEFAULT_DATABASE } else { database }
}

/// Refuses names that Milvus refuses.
pub(crate) fn check_name(subject: Subject, what: &str, name: &str) -> Result<()> {
    if elanus_segment::schema::is_valid_name(name) {
        return Ok(());
    }
    let text = format!(
        "invalid {what} name {name:?}: letters, digits and underscores, not beginning with a digit, at most 255 characters"
    );
    Err(Error::invalid(subject, text))
}

/// Sets and deletes properties; a key that is set twice keeps the later value.
pub(crate) fn edit_properties(properties: &mut Vec<(String, String)>, set: Vec<(String, String)>, delete: &[String]) {
    for (key, value) in set {
        properties.retain(|(known, _)| *known != key);
        properties.push((key, value));
    }
    properties.retain(|(key, _)| !delete.contains(key));
}
