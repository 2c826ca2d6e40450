//! Recovery: segments opened as the catalog lists them, then the log replayed onto them.
//!
//! Replay is idempotent. Inserts that a partition's `sealed_ts` covers are in segments already; deletes mark rows that
//! may be marked already; writes to what was dropped are skipped.

use crate::catalog::{CollectionRecord, Loaded, SegmentIndex, SegmentRecord};
use crate::commit::apply_write;
use crate::disk::{self, DiskMemory};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::gpu::Gpu;
use crate::inner::{Build, CollectionState, Registry, id_from};
use crate::settings::Settings;
use crate::shard::{SealedSegment, Shard};
use crate::store::Store;
use crate::ts::Oracle;
use crate::wal::{Lsn, Wal};
use crate::write_record::{self, ALL_PARTITIONS, Header, Write};
use elanus_index::{Blob, Index, IndexFactory, OpenCx, Spec};
use elanus_segment::{Schema, Sealed, Tombstones};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What the log held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replayed {
    pub(crate) last_lsn: Lsn,
}

/// What segments and their indexes are opened with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) gpu: &'a Gpu,
    pub(crate) disk: &'a Arc<DiskMemory>,
}

/// Opens every segment and builds the registry; removes objects that no record names.
pub(crate) fn registry(loaded: Loaded, settings: &Settings, opening: Opening<'_>, oracle: &Oracle) -> Result<Registry> {
    let known: HashSet<String> = loaded.segments.iter().flat_map(objects_of).map(str::to_owned).collect();
    let mut segments: BTreeMap<i64, Vec<SegmentRecord>> = BTreeMap::new();
    for record in loaded.segments {
        segments.entry(record.collection_id).or_default().push(record);
    }
    let mut registry = Registry::default();
    registry.databases.extend(loaded.databases.into_iter().map(|record| (record.id, record)));
    for record in loaded.collections {
        let own = segments.remove(&record.id).unwrap_or_default();
        let state = open_collection(record, own, settings, opening, oracle)?;
        let record = state.record();
        registry.names.insert((record.database_id, record.name.clone()), state.id);
        registry.collections.insert(state.id, state);
    }
    for alias in loaded.aliases {
        registry.aliases.insert((alias.database_id, alias.name), alias.collection_id);
    }
    // After every named object was opened: a missing one must not cost those that it was made from.
    remove_orphans(&known, opening.store)?;
    Ok(registry)
}

fn open_collection(
    record: CollectionRecord,
    segments: Vec<SegmentRecord>,
    settings: &Settings,
    opening: Opening<'_>,
    oracle: &Oracle,
) -> Result<Arc<CollectionState>> {
    record.schema.validate().map_err(|source| {
        let text = format!("the catalog's schema of collection {} is invalid", record.name);
        Error::new(ErrorKind::Corrupt, Subject::Schema, text).with_source(source)
    })?;
    let shard = Arc::new(Shard::new(Arc::new(record.schema.clone()), settings.seal_policy()));
    let mut unopened = HashMap::new();
    let mut by_partition: BTreeMap<i64, Vec<Arc<SealedSegment>>> = BTreeMap::new();
    for segment in segments {
        let opened = open_segment(&record, segment, opening, &mut unopened)?;
        by_partition.entry(opened.partition_id).or_default().push(opened);
    }
    for partition in &record.partitions {
        let sealed = by_partition.remove(&partition.id).unwrap_or_default();
        shard.add_partition(partition.id, id_from(oracle), sealed);
        shard.note_purged(partition.purged_ts);
    }
    let state = CollectionState::new(record, shard);
    state.builds.lock().extend(unopened);
    Ok(state)
}

fn open_segment(
    collection: &CollectionRecord,
    record: SegmentRecord,
    opening: Opening<'_>,
    unopened: &mut HashMap<(i64, i64), Build>,
) -> Result<Arc<SealedSegment>> {
    let store = opening.store;
    let data = open_sealed(store, &record.data, &collection.schema)?;
    if let Some(object) = &record.tombstones {
        let tombstones = Tombstones::decode(open_object(store, object)?.as_slice(), data.rows())
            .map_err(|source| corrupt(object, source))?;
        data.set_tombstones(Arc::new(tombstones)).map_err(|source| corrupt(object, source))?;
    }
    for built in &record.indexes {
        let Some(definition) = collection.indexes.iter().find(|one| one.id == built.index_id) else { continue };
        let position = collection.schema.fields.iter().position(|field| field.id == definition.field_id);
        let (Some(position), Some(factory)) = (position, elanus_index::find(&definition.index_type)) else {
            let text = format!("object {}: index type {} is not known", built.object, definition.index_type);
            return Err(Error::new(ErrorKind::Corrupt, Subject::Index, text));
        };
        let spec = crate::index_spec(factory, &collection.schema.fields[position], definition)?;
        let index = match open_index(opening, built, factory, &spec) {
            // There is less memory than there was: searches compare all rows, and whoever asks is told why.
            Err(error) if error.kind() == ErrorKind::Exhausted => {
                tracing::error!(index = definition.name, %error, "an index was not opened");
                let failure = Some(error.to_string());
                unopened.insert((record.id, definition.id), Build { failure, ..Build::default() });
                continue;
            }
            other => other?,
        };
        data.attach_index(position, Arc::from(index)).map_err(|source| corrupt(&built.object, source))?;
    }
    Ok(SealedSegment::new(data, record))
}

/// Opens the columns of a segment and checks that they are of the collection's schema.
pub(crate) fn open_sealed(store: &dyn Store, object: &str, schema: &Schema) -> Result<Sealed> {
    let sealed = Sealed::open(open_object(store, object)?).map_err(|source| corrupt(object, source))?;
    if sealed.schema().fields != schema.fields {
        let text = format!("object {object} holds another schema than its collection");
        return Err(Error::new(ErrorKind::Corrupt, Subject::Schema, text));
    }
    Ok(sealed)
}

/// Opens a built index: one that answers from its object is read from there, any other is mapped after its length and
/// checksum were compared with the catalog's.
pub(crate) fn open_index(
    opening: Opening<'_>,
    built: &SegmentIndex,
    factory: &'static dyn IndexFactory,
    spec: &Spec,
) -> Result<Box<dyn Index>> {
    let Opening { store, gpu, disk } = opening;
    if let Some(factory) = factory.on_file() {
        return disk::open(disk, store, built, factory, spec);
    }
    let blob = open_object(store, &built.object)?;
    let checksum = crc32c::crc32c(blob.as_slice());
    if blob.len() as u64 != built.size_bytes || checksum != built.checksum {
        let text = format!(
            "object {} is damaged: {} bytes with checksum {checksum:08x}, {} bytes with checksum {:08x} were written",
            built.object,
            blob.len(),
            built.size_bytes,
            built.checksum
        );
        return Err(Error::new(ErrorKind::Corrupt, Subject::Index, text));
    }
    let cx = OpenCx { device: gpu.device.as_ref() };
    factory.open(blob, spec, &cx).map_err(|source| corrupt(&built.object, source))
}

fn open_object(store: &dyn Store, object: &str) -> Result<Blob> {
    store.open(object).map_err(crate::store_error(&format!("object {object} cannot be opened")))
}

fn corrupt(object: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Corrupt, Subject::Engine, format!("object {object} is damaged")).with_source(source)
}

fn remove_orphans(known: &HashSet<String>, store: &dyn Store) -> Result<()> {
    for (object, _) in store.list("").map_err(crate::store_error("the objects cannot be listed"))? {
        if !known.contains(&object) {
            tracing::info!(object, "removing an object that no segment names");
            store.delete(&object).map_err(crate::store_error("an orphan cannot be removed"))?;
        }
    }
    Ok(())
}

/// Every object of a segment.
pub(crate) fn objects_of(record: &SegmentRecord) -> impl Iterator<Item = &str> {
    let indexes = record.indexes.iter().map(|built| built.object.as_str());
    std::iter::once(record.data.as_str()).chain(record.tombstones.as_deref()).chain(indexes)
}

/// Applies every record of the log.
pub(crate) fn replay(registry: &Registry, wal: &dyn Wal, oracle: &Oracle) -> Result<Replayed> {
    let mut outcome = Ok(());
    wal.read(wal.first(), &mut |lsn, record| {
        outcome = replay_record(registry, lsn, record, oracle);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .map_err(crate::commit::log_error)?;
    outcome.map(|()| Replayed { last_lsn: wal.next() - 1 })
}

fn replay_record(registry: &Registry, lsn: Lsn, record: &[u8], oracle: &Oracle) -> Result<()> {
    let damaged = |what: String| {
        Error::new(ErrorKind::Corrupt, Subject::Engine, format!("record {lsn} of the write-ahead log: {what}"))
    };
    let header = write_record::decode_header(record).map_err(damaged)?;
    oracle.advance_past(header.ts);
    let Some(state) = registry.collections.get(&header.collection_id) else { return Ok(()) };
    let write = write_record::decode(record, &state.schema).map_err(damaged)?;
    let Some((scope, write)) = what_is_missing(&state.record(), header, write) else { return Ok(()) };
    match apply_write(&state.shard, scope, write, header.ts, lsn) {
        Ok((_, full)) => {
            if full {
                state.shard.rotate(Some(header.partition_id), || id_from(oracle));
            }
            Ok(())
        }
        // The partition was dropped after the write.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The part of a write that segments do not hold already, and the partition it is about. What an upsert replaces is
/// looked for in every partition, as it was when it was first applied.
fn what_is_missing(record: &CollectionRecord, header: Header, write: Write) -> Option<(i64, Write)> {
    let partition = record.partitions.iter().find(|one| one.id == header.partition_id);
    let sealed = partition.is_none_or(|one| header.ts <= one.sealed_ts);
    match write {
        Write::Insert(batch) => (!sealed).then_some((header.partition_id, Write::Insert(batch))),
        Write::Upsert(keys, _) if sealed => Some((ALL_PARTITIONS, Write::Delete(keys))),
        Write::Upsert(keys, batch) => Some((header.partition_id, Write::Upsert(keys, batch))),
        Write::Delete(keys) => Some((header.partition_id, Write::Delete(keys))),
    }
}
