//! Databases: namespaces of collections.

use super::Db;
use crate::catalog::{Change, DEFAULT_DATABASE, DatabaseRecord};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::inner::{check_name, edit_properties};

/// What is known of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// Identifier.
    pub id: i64,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created_ts: u64,
    /// Properties as set.
    pub properties: Vec<(String, String)>,
}

impl From<&DatabaseRecord> for DatabaseInfo {
    fn from(record: &DatabaseRecord) -> Self {
        Self {
            id: record.id,
            name: record.name.clone(),
            created_ts: record.created_ts,
            properties: record.properties.clone(),
        }
    }
}

impl Db {
    /// Makes a database.
    ///
    /// # Errors
    /// A bad or taken name, too many databases.
    pub fn create_database(&self, name: &str, properties: Vec<(String, String)>) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        check_name(Subject::Database, "database", name)?;
        let _naming = inner.naming.lock();
        {
            let registry = inner.registry.read();
            if registry.database(name).is_ok() {
                return Err(Error::exists(Subject::Database, format!("database already exists: {name}")));
            }
            if registry.databases.len() >= inner.settings.databases_max {
                let text = format!("{} databases, no more are allowed", registry.databases.len());
                return Err(Error::new(ErrorKind::Exhausted, Subject::Database, text));
            }
        }
        let ts = inner.oracle.next();
        let record = DatabaseRecord { id: inner.next_id(), name: name.to_owned(), created_ts: ts, properties };
        inner.catalog.commit(Change::default().put_database(&record))?;
        inner.registry.write().databases.insert(record.id, record);
        Ok(())
    }

    /// Drops an empty database.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it has collections; the default database stays.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        let _naming = inner.naming.lock();
        let id = {
            let registry = inner.registry.read();
            let record = registry.database(name)?;
            if record.name == DEFAULT_DATABASE {
                return Err(Error::invalid(Subject::Database, "the default database cannot be dropped"));
            }
            if registry.names.keys().any(|(database_id, _)| *database_id == record.id) {
                let text = format!("database {name} is not empty: drop its collections first");
                return Err(Error::new(ErrorKind::Conflict, Subject::Database, text));
            }
            record.id
        };
        inner.catalog.commit(Change::default().delete_database(id))?;
        inner.registry.write().databases.remove(&id);
        Ok(())
    }

    /// Every database, by age.
    pub fn list_databases(&self) -> Vec<DatabaseInfo> {
        self.inner.registry.read().databases.values().map(DatabaseInfo::from).collect()
    }

    /// One database; an empty name is the default one.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn describe_database(&self, name: &str) -> Result<DatabaseInfo> {
        self.inner.registry.read().database(name).map(DatabaseInfo::from)
    }

    /// Sets and deletes properties of a database.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn alter_database(&self, name: &str, set: Vec<(String, String)>, delete: &[String]) -> Result<()> {
        let inner = &self.inner;
        inner.check_open()?;
        let _naming = inner.naming.lock();
        let mut record = inner.registry.read().database(name)?.clone();
        edit_properties(&mut record.properties, set, delete);
        inner.catalog.commit(Change::default().put_database(&record))?;
        inner.registry.write().databases.insert(record.id, record);
        Ok(())
    }
}
