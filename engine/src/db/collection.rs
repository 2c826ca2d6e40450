//! Collections: making, naming, finding and dropping them.

use super::Db;
use crate::catalog::{Change, CollectionRecord, ConsistencyLevel, DEFAULT_PARTITION, PartitionRecord};
use crate::collection::Collection;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::inner::{CollectionState, check_name};
use crate::shard::Shard;
use elanus_segment::Schema;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a new collection is to be.
#[derive(Debug, Clone)]
pub struct CreateCollection {
    /// Name.
    pub name: String,
    /// Fields.
    pub schema: Schema,
    /// Consistency of reads that ask for none.
    pub consistency: ConsistencyLevel,
    /// Shards as asked for; one process has one, the number is kept and reported.
    pub shard_count: u32,
    /// Properties as set.
    pub properties: Vec<(String, String)>,
}

impl CreateCollection {
    /// A collection with defaults: Bounded, one shard, no property.
    pub fn new(name: impl Into<String>, schema: Schema) -> Self {
        Self {
            name: name.into(),
            schema,
            consistency: ConsistencyLevel::Bounded,
            shard_count: 1,
            properties: Vec::new(),
        }
    }
}

impl Db {
    /// Makes a collection. One of the same name and schema is returned as it is.
    ///
    /// # Errors
    /// A bad name, a schema that breaks a rule, a name that is taken, too many collections.
    pub fn create_collection(&self, database: &str, request: CreateCollection) -> Result<Collection> {
        let inner = &self.inner;
        inner.check_open()?;
        check_name(Subject::Collection, "collection", &request.name)?;
        if !(1..=16).contains(&request.shard_count) {
            let text = format!("{} shards, 1 to 16 are allowed", request.shard_count);
            return Err(Error::invalid(Subject::Parameter, text));
        }
        request
            .schema
            .validate()
            .map_err(|source| Error::invalid(Subject::Schema, "invalid schema").with_source(source))?;
        let _naming = inner.naming.lock();
        let database_id = {
            let registry = inner.registry.read();
            let database_id = registry.database(database)?.id;
            if let Some(known) = self.known_twin(database, &request)? {
                return Ok(known);
            }
            if registry.collections.len() >= inner.settings.collections_max {
                let text = format!("{} collections, no more are allowed", registry.collections.len());
                return Err(Error::new(ErrorKind::Exhausted, Subject::Collection, text));
            }
            database_id
        };
        let ts = inner.oracle.next();
        let partition = PartitionRecord {
            id: inner.next_id(),
            name: DEFAULT_PARTITION.to_owned(),
            created_ts: ts,
            sealed_ts: 0,
            purged_ts: 0,
        };
        let record = CollectionRecord {
            id: inner.next_id(),
            database_id,
            name: request.name,
            schema: request.schema,
            consistency: request.consistency,
            shard_count: request.shard_count,
            properties: request.properties,
            created_ts: ts,
            update_ts: ts,
            partitions: vec![partition],
            indexes: Vec::new(),
            loaded: None,
        };
        inner.catalog.commit(Change::default().put_collection(&record))?;
        let shard = Arc::new(Shard::new(Arc::new(record.schema.clone()), inner.settings.seal_policy()));
        shard.add_partition(record.partitions[0].id, inner.next_id(), Vec::new());
        let state = CollectionState::new(record, shard);
        let mut registry = inner.registry.write();
        registry.names.insert((database_id, state.record().name.clone()), state.id);
        registry.collections.insert(state.id, Arc::clone(&state));
        Ok(Collection::new(self.clone(), state))
    }

    /// Drops a collection with its data, indexes and aliases; one that is not there is no error.
    ///
    /// # Errors
    /// An alias is refused: it must be dropped as such.
    pub fn drop_collection(&self, database: &str, name: &str) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        let _naming = inner.naming.lock();
        let database_id = inner.registry.read().database(database)?.id;
        let key = (database_id, name.to_owned());
        if inner.registry.read().aliases.contains_key(&key) {
            let text = format!("cannot drop collection {name}: it is an alias");
            return Err(Error::invalid(Subject::Alias, text));
        }
        let Ok(state) = inner.registry.read().collection(database, name) else { return Ok(()) };
        let _changing = state.changing.lock();
        let aliases = inner.registry.read().aliases_of(state.id);
        let segments = state.shard.sealed();
        let mut change = Change::default().delete_collection(state.id);
        for alias in &aliases {
            change = change.delete_alias(alias);
        }
        for segment in &segments {
            change = change.delete_segment(&segment.record.lock());
        }
        inner.catalog.commit(change)?;
        state.dropped.store(true, Ordering::SeqCst);
        state.cancel_builds(None);
        let mut registry = inner.registry.write();
        registry.names.remove(&key);
        aliases.into_iter().for_each(|alias| {
            registry.aliases.remove(&(alias.database_id, alias.name));
        });
        registry.collections.remove(&state.id);
        drop(registry);
        inner.jobs.discard(segments.iter().map(|segment| segment.record.lock().clone()));
        Ok(())
    }

    /// Gives a collection another name, and moves it to another database if `new_database` is not empty.
    ///
    /// # Errors
    /// `NotFound`, a bad name, a name that is taken; with aliases it cannot move.
    pub fn rename_collection(&self, database: &str, old: &str, new_database: &str, new: &str) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        check_name(Subject::Collection, "collection", new)?;
        let _naming = inner.naming.lock();
        let (state, old_key, new_key) = {
            let registry = inner.registry.read();
            let old_id = registry.database(database)?.id;
            let new_id = if new_database.is_empty() { old_id } else { registry.database(new_database)?.id };
            let old_key = (old_id, old.to_owned());
            let new_key = (new_id, new.to_owned());
            let state = registry.collection(database, old)?;
            if !registry.names.contains_key(&old_key) {
                return Err(Error::invalid(Subject::Alias, format!("cannot rename {old}: it is an alias")));
            }
            if registry.names.contains_key(&new_key) || registry.aliases.contains_key(&new_key) {
                let text = format!("the name {new} is taken by a collection or an alias");
                return Err(Error::exists(Subject::Collection, text));
            }
            if new_id != old_id && !registry.aliases_of(state.id).is_empty() {
                let text = format!("collection {old} has aliases: drop them before it moves to another database");
                return Err(Error::new(ErrorKind::Conflict, Subject::Alias, text));
            }
            (state, old_key, new_key)
        };
        state.update(&inner.catalog, |record, change| {
            record.name = new.to_owned();
            record.database_id = new_key.0;
            Ok(change)
        })?;
        let mut registry = inner.registry.write();
        registry.names.remove(&old_key);
        registry.names.insert(new_key, state.id);
        Ok(())
    }

    /// Every collection of a database, by age.
    ///
    /// # Errors
    /// `NotFound` for the database.
    pub fn list_collections(&self, database: &str) -> Result<Vec<Collection>> {
        self.inner.check_open()?;
        let registry = self.inner.registry.read();
        let database_id = registry.database(database)?.id;
        let hits = registry.collections.values().filter(|state| state.record().database_id == database_id);
        Ok(hits.map(|state| Collection::new(self.clone(), Arc::clone(state))).collect())
    }

    /// The collection of that name or alias.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn collection(&self, database: &str, name: &str) -> Result<Collection> {
        self.inner.check_open()?;
        let state = self.inner.registry.read().collection(database, name)?;
        Ok(Collection::new(self.clone(), state))
    }

    /// The collection with that identifier.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn collection_by_id(&self, id: i64) -> Result<Collection> {
        self.inner.check_open()?;
        let state = self.inner.registry.read().collections.get(&id).cloned();
        let state =
            state.ok_or_else(|| Error::not_found(Subject::Collection, format!("can't find collection: id {id}")))?;
        Ok(Collection::new(self.clone(), state))
    }

    /// A collection of that name: the same one again if the schema is the same, an error otherwise.
    fn known_twin(&self, database: &str, request: &CreateCollection) -> Result<Option<Collection>> {
        let registry = self.inner.registry.read();
        let database_id = registry.database(database)?.id;
        let key = (database_id, request.name.clone());
        if registry.aliases.contains_key(&key) {
            let text = format!("the name {} is an alias", request.name);
            return Err(Error::new(ErrorKind::Conflict, Subject::Alias, text));
        }
        let Some(state) = registry.names.get(&key).and_then(|id| registry.collections.get(id)) else { return Ok(None) };
        if state.record().schema == request.schema {
            return Ok(Some(Collection::new(self.clone(), Arc::clone(state))));
        }
        let text = format!("collection {} exists with other fields or properties", request.name);
        Err(Error::exists(Subject::Collection, text))
    }
}
