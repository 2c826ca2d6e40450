//! Index definitions of a collection and how far they are built.

use super::Collection;
use crate::catalog::{IndexRecord, SegmentIndex, SegmentRecord};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::inner::check_name;
use elanus_segment::{DataType, Field};
use std::sync::atomic::Ordering;

/// How far an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// Some sealed segment has none yet.
    InProgress,
    /// Every sealed segment has one.
    Finished,
    /// A build failed.
    Failed,
}

/// What is known of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexInfo {
    /// Identifier.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Field it is on.
    pub field: String,
    /// Every parameter as given, with `index_type` and `metric_type`.
    pub params: Vec<(String, String)>,
    /// How far it is.
    pub state: IndexState,
    /// Rows of the collection.
    pub total_rows: u64,
    /// Rows that the index covers; growing rows are searched exactly and count as covered.
    pub indexed_rows: u64,
    /// Rows that wait for it.
    pub pending_rows: u64,
    /// Why a build failed.
    pub failure: String,
    /// Where it is searched, for a type that is made for a device.
    pub device: Option<String>,
}

const INDEX_TYPE: &str = "index_type";
const METRIC_TYPE: &str = "metric_type";

impl Collection {
    /// Defines an index on a field; it is built in the background. The same definition again is no error.
    ///
    /// `params` holds `index_type` (AUTOINDEX if missing), `metric_type` (the default metric if missing) and the
    /// build parameters of the type. An empty name stands for the field's.
    ///
    /// # Errors
    /// An unknown field, type, metric or parameter, each by name; another index on the field.
    pub fn create_index(&self, field: &str, name: &str, params: Vec<(String, String)>) -> Result<()> {
        self.check()?;
        let inner = self.inner();
        let schema = &self.state.schema;
        let field = schema.field(field).ok_or_else(|| {
            Error::not_found(
                Subject::Field,
                format!("field not found: {field} in collection {}", self.state.record().name),
            )
        })?;
        let name = if name.is_empty() { field.name.as_str() } else { name };
        if name != field.name {
            check_name(Subject::Index, "index", name)?;
        }
        let definition = define(field, name, params, inner.next_id(), inner.oracle.next())?;
        let record = self.state.record();
        if let Some(known) = record.indexes.iter().find(|one| one.field_id == field.id || one.name == name) {
            let same = known.field_id == field.id
                && known.name == name
                && known.index_type == definition.index_type
                && known.metric == definition.metric
                && sorted(&known.params) == sorted(&definition.params);
            if same {
                return Ok(());
            }
            let text = if known.field_id == field.id {
                format!(
                    "field {} has the index {} already: at most one distinct index is allowed per field",
                    field.name, known.name
                )
            } else {
                format!("an index named {name} exists on another field")
            };
            return Err(Error::exists(Subject::Index, text));
        }
        self.state.update(&inner.catalog, |record, change| {
            if record.indexes.iter().any(|one| one.field_id == definition.field_id || one.name == definition.name) {
                return Err(Error::exists(
                    Subject::Index,
                    format!("an index on field {} was made meanwhile", field.name),
                ));
            }
            record.indexes.push(definition);
            Ok(change)
        })?;
        // Rows in memory are searched exactly; enough of them are worth sealing so that the index serves them too.
        self.rotate_if_larger_than(inner.settings.index_rows_min)?;
        inner.jobs.wake();
        Ok(())
    }

    /// Drops an index by its name or its field's; one that is not there is no error.
    ///
    /// # Errors
    /// `Conflict` while the collection is loaded.
    pub fn drop_index(&self, name: &str) -> Result<()> {
        self.check()?;
        let inner = self.inner();
        let _changing = self.state.changing.lock();
        let record = self.state.record();
        let field_id = self.state.schema.field(name).map(|field| field.id);
        let hit = record.indexes.iter().find(|one| one.name == name || Some(one.field_id) == field_id);
        let Some(definition) = hit.cloned() else { return Ok(()) };
        if record.loaded.is_some() && !definition.metric.is_empty() {
            let text =
                format!("index {} cannot be dropped while the collection is loaded: release it first", definition.name);
            return Err(Error::new(ErrorKind::Conflict, Subject::Index, text));
        }
        let position = self.state.schema.fields.iter().position(|field| field.id == definition.field_id);
        let segments = self.state.shard.sealed();
        let without = |record: &SegmentRecord| {
            let (gone, kept): (Vec<SegmentIndex>, Vec<SegmentIndex>) =
                record.indexes.iter().cloned().partition(|one| one.index_id == definition.id);
            (SegmentRecord { indexes: kept, ..record.clone() }, gone)
        };
        self.state.update_locked(&inner.catalog, |record, mut change| {
            record.indexes.retain(|one| one.id != definition.id);
            for segment in &segments {
                change = change.put_segment(&without(&segment.record.lock()).0);
            }
            Ok(change)
        })?;
        // After the record, so that no build of it begins again.
        self.state.cancel_builds(Some(definition.id));
        let mut objects = Vec::new();
        for segment in &segments {
            let mut saved = segment.record.lock();
            let (kept, gone) = without(&saved);
            *saved = kept;
            objects.extend(gone.into_iter().map(|built| built.object));
            if let Some(position) = position {
                segment.data.detach_index(position);
                segment.drop_beside(Some(position));
            }
        }
        for (growing, _) in self.state.shard.growing() {
            growing.beside.drop_index(position);
        }
        for object in objects {
            if let Err(error) = inner.store.delete(&object) {
                tracing::warn!(object, %error, "an object could not be deleted; the next start removes it");
            }
        }
        Ok(())
    }

    /// Every index.
    pub fn indexes(&self) -> Vec<IndexInfo> {
        let record = self.state.record();
        record.indexes.iter().map(|definition| self.index_info(definition)).collect()
    }

    fn index_info(&self, definition: &IndexRecord) -> IndexInfo {
        let builds = self.state.builds.lock();
        let mut pending = 0;
        let mut failure = String::new();
        let mut waiting = false;
        let ts = self.inner().progress.applied_ts.load(Ordering::SeqCst);
        let total: u64 = self.state.shard.pin(&[], false).iter().map(|one| one.view.count_visible(ts) as u64).sum();
        for segment in self.state.shard.sealed() {
            let saved = segment.record.lock();
            let build = builds.get(&(segment.id, definition.id));
            // One that is saved but could not be opened is among the builds.
            let is_saved = saved.indexes.iter().any(|one| one.index_id == definition.id);
            if definition.metric.is_empty() || (is_saved && build.is_none()) {
                continue;
            }
            waiting = true;
            let done = build.map_or(0, |build| {
                if let Some(text) = &build.failure {
                    failure.clone_from(text);
                }
                build.done.load(Ordering::Relaxed)
            });
            pending += saved.row_count.saturating_sub(done);
        }
        // Rows set aside get their index when they are sealed; saying so keeps `flush` and `create_index` in order.
        let sealing = self.state.shard.growing().iter().any(|(_, sealing)| *sealing) && !definition.metric.is_empty();
        let state = match (failure.is_empty(), waiting || sealing) {
            (false, _) => IndexState::Failed,
            (true, true) => IndexState::InProgress,
            (true, false) => IndexState::Finished,
        };
        let field = self.state.schema.fields.iter().find(|field| field.id == definition.field_id);
        let factory = elanus_index::find(&definition.index_type).filter(|_| !definition.metric.is_empty());
        IndexInfo {
            id: definition.id,
            name: definition.name.clone(),
            field: field.map_or_else(String::new, |field| field.name.clone()),
            params: definition.params.clone(),
            state,
            total_rows: total,
            indexed_rows: total.saturating_sub(pending),
            pending_rows: pending.min(total),
            failure,
            device: factory.filter(|one| one.takes_device()).map(|_| self.inner().gpu.standing()),
        }
    }
}

fn sorted(params: &[(String, String)]) -> Vec<&(String, String)> {
    let mut list: Vec<_> = params.iter().collect();
    list.sort();
    list
}

fn define(field: &Field, name: &str, mut params: Vec<(String, String)>, id: i64, ts: u64) -> Result<IndexRecord> {
    let take = |key: &str| params.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
    let index_type = take(INDEX_TYPE).filter(|value| !value.is_empty()).unwrap_or_else(|| "AUTOINDEX".to_owned());
    let metric = take(METRIC_TYPE).filter(|value| !value.is_empty());
    let mut definition = IndexRecord {
        id,
        name: name.to_owned(),
        field_id: field.id,
        index_type: index_type.to_uppercase(),
        metric: String::new(),
        params: Vec::new(),
        created_ts: ts,
    };
    params.retain(|(key, _)| key != INDEX_TYPE && key != METRIC_TYPE);
    if !field.data_type.is_vector() {
        check_scalar(field, &definition.index_type, &index_type)?;
        if let Some((key, _)) = params.first() {
            let text = format!("index type {index_type} on field {} has no parameter {key} here", field.name);
            return Err(Error::invalid(Subject::IndexParameter, text));
        }
        definition.params = vec![(INDEX_TYPE.to_owned(), index_type)];
        return Ok(definition);
    }
    let factory = elanus_index::find(&definition.index_type).ok_or_else(|| {
        let known: Vec<_> = elanus_index::INDEXES.iter().map(|factory| factory.name()).collect();
        let text = format!("index type {index_type} is not supported, known are {}", known.join(", "));
        Error::unsupported(Subject::Index, text)
    })?;
    definition.index_type = factory.name().to_owned();
    definition.metric = metric.unwrap_or_else(|| "COSINE".to_owned()).to_uppercase();
    definition.params = params;
    crate::index_spec(factory, field, &definition)?;
    definition.params.push((INDEX_TYPE.to_owned(), definition.index_type.clone()));
    definition.params.push((METRIC_TYPE.to_owned(), definition.metric.clone()));
    Ok(definition)
}

/// Whether an index type may stand on a field.
type Fits = fn(&Field) -> bool;

/// Scalar index types with what they may stand on. Filters scan columns, so a definition is kept and reported, and there
/// is nothing to build.
const SCALAR_TYPES: &[(&str, Fits)] = &[
    ("AUTOINDEX", |_| true),
    ("INVERTED", |field| field.data_type != DataType::Json),
    ("STL_SORT", |field| field.data_type.is_number() || field.data_type == DataType::VarChar),
    ("BITMAP", |field| {
        let discrete = field.data_type.is_integer() || matches!(field.data_type, DataType::Bool | DataType::VarChar);
        discrete && !field.primary_key
    }),
    ("TRIE", |field| field.data_type == DataType::VarChar),
];

fn check_scalar(field: &Field, index_type: &str, given: &str) -> Result<()> {
    match SCALAR_TYPES.iter().find(|(name, _)| *name == index_type) {
        Some((_, fits)) if fits(field) => Ok(()),
        Some(_) => {
            let text = format!("index type {given} does not fit field {} of type {}", field.name, field.data_type);
            Err(Error::invalid(Subject::Index, text))
        }
        None => {
            let known: Vec<_> = SCALAR_TYPES.iter().map(|(name, _)| *name).collect();
            let text = format!(
                "index type {given} on field {} of type {} is not supported, known are {}",
                field.name,
                field.data_type,
                known.join(", ")
            );
            Err(Error::unsupported(Subject::Index, text))
        }
    }
}
