//! Aliases: second names of collections.

use super::Db;
use crate::catalog::{AliasRecord, Change};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::inner::check_name;

impl Db {
    /// Gives a collection a second name.
    ///
    /// # Errors
    /// A bad name, one that a collection or another alias has, or `NotFound`.
    pub fn create_alias(&self, database: &str, alias: &str, collection: &str) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        check_name(Subject::Alias, "alias", alias)?;
        let _naming = inner.naming.lock();
        let record = self.alias_record(database, alias, collection)?;
        let key = (record.database_id, alias.to_owned());
        {
            let registry = inner.registry.read();
            if registry.names.contains_key(&key) {
                let text = format!("alias {alias} is the name of a collection");
                return Err(Error::new(ErrorKind::Conflict, Subject::Alias, text));
            }
            match registry.aliases.get(&key) {
                Some(id) if *id == record.collection_id => return Ok(()),
                Some(_) => {
                    let text = format!("alias {alias} is taken by another collection: alter it instead");
                    return Err(Error::exists(Subject::Alias, text));
                }
                None => {}
            }
        }
        self.save_alias(record)
    }

    /// Takes an alias away; one that is not there is no error.
    ///
    /// # Errors
    /// `NotFound` for the database.
    pub fn drop_alias(&self, database: &str, alias: &str) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        let _naming = inner.naming.lock();
        let database_id = inner.registry.read().database(database)?.id;
        let key = (database_id, alias.to_owned());
        let Some(collection_id) = inner.registry.read().aliases.get(&key).copied() else { return Ok(()) };
        let record = AliasRecord { database_id, name: alias.to_owned(), collection_id };
        inner.catalog.commit(Change::default().delete_alias(&record))?;
        inner.registry.write().aliases.remove(&key);
        Ok(())
    }

    /// Points an alias to another collection.
    ///
    /// # Errors
    /// `NotFound` for the alias or the collection.
    pub fn alter_alias(&self, database: &str, alias: &str, collection: &str) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        let _naming = inner.naming.lock();
        let record = self.alias_record(database, alias, collection)?;
        if !inner.registry.read().aliases.contains_key(&(record.database_id, alias.to_owned())) {
            return Err(alias_not_found(alias));
        }
        self.save_alias(record)
    }

    /// Name of the collection that an alias stands for.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn describe_alias(&self, database: &str, alias: &str) -> Result<String> {
        let registry = self.inner.registry.read();
        let database_id = registry.database(database)?.id;
        let id = registry.aliases.get(&(database_id, alias.to_owned())).ok_or_else(|| alias_not_found(alias))?;
        let state = registry.collections.get(id).ok_or_else(|| alias_not_found(alias))?;
        Ok(state.record().name.clone())
    }

    /// Aliases of a database, or of one collection in it, with the names of their collections.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn list_aliases(&self, database: &str, collection: Option<&str>) -> Result<Vec<(String, String)>> {
        let registry = self.inner.registry.read();
        let database_id = registry.database(database)?.id;
        let wanted = match collection {
            Some(name) => Some(registry.collection(database, name)?.id),
            None => None,
        };
        let hits = registry
            .aliases
            .iter()
            .filter(|((owner, _), id)| *owner == database_id && wanted.is_none_or(|wanted| wanted == **id));
        let named = hits.filter_map(|((_, alias), id)| {
            registry.collections.get(id).map(|state| (alias.clone(), state.record().name.clone()))
        });
        Ok(named.collect())
    }

    fn alias_record(&self, database: &str, alias: &str, collection: &str) -> Result<AliasRecord> {
        let registry = self.inner.registry.read();
        let database_id = registry.database(database)?.id;
        let collection_id = registry.collection(database, collection)?.id;
        Ok(AliasRecord { database_id, name: alias.to_owned(), collection_id })
    }

    fn save_alias(&self, record: AliasRecord) -> Result<()> {
        let inner = &self.inner;
        inner.catalog.commit(Change::default().put_alias(&record))?;
        inner.registry.write().aliases.insert((record.database_id, record.name), record.collection_id);
        Ok(())
    }
}

fn alias_not_found(alias: &str) -> Error {
    Error::not_found(Subject::Alias, format!("alias not found: {alias}"))
}
