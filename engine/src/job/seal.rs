//! Sealing: growing rows become an immutable object.

use crate::catalog::{Change, SegmentRecord};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::inner::{CollectionState, Inner, id_from};
use crate::recover::open_sealed;
use crate::shard::{GrowingSegment, SealedSegment};
use crate::store::StoreError;
use crate::ts;
use elanus_segment::{Tombstones, View, seal};
use std::io;
use std::sync::Arc;

/// Writes the rows of a full segment, records it, and puts it in the place of the growing one.
///
/// Row numbers stay, so the tombstones of this moment are valid for the object; they are saved with it, and those that
/// come later stay in the log until the next checkpoint.
pub(crate) fn run(inner: &Inner, state: &CollectionState, growing: &GrowingSegment) -> Result<()> {
    // A name of its own for each try: nothing that the catalog may name is ever written over or removed.
    let object = object_name(state.id, growing.id, &format!("data-{}", inner.next_id()));
    let (view, frozen) = state.shard.freeze(growing, &inner.progress);
    let size_bytes = write_segment(inner, state, &object, &view)?;
    let written = (|| {
        let data = open_sealed(inner.store.as_ref(), &object, &state.schema)?;
        let tombstones = save_tombstones(inner, state.id, growing.id, frozen.lsn, view.tombstones())?;
        let record = SegmentRecord {
            id: growing.id,
            collection_id: state.id,
            partition_id: growing.partition_id,
            data: object.clone(),
            row_count: view.rows() as u64,
            size_bytes,
            last_ts: last_ts(&view),
            tombstones,
            deletes_ts: frozen.ts,
            indexes: Vec::new(),
        };
        Ok((data, record))
    })();
    let (data, record) = written.inspect_err(|_| discard(inner, &object))?;
    growing.beside.settle(&data.view());
    let _changing = state.changing.lock();
    if !state.shard.is_sealing(growing) {
        inner.jobs.discard(std::iter::once(record));
        return Ok(());
    }
    let committed = state.update_locked(&inner.catalog, |collection, change| {
        let partition = collection.partitions.iter_mut().find(|one| one.id == growing.partition_id);
        let partition = partition
            .ok_or_else(|| Error::not_found(Subject::Partition, "the partition was dropped while it was sealed"))?;
        partition.sealed_ts = partition.sealed_ts.max(record.last_ts);
        Ok(change.put_segment(&record))
    });
    // A commit that failed may have happened: the objects stay, and the next start removes them if it did not.
    committed?;
    state.shard.replace(growing, SealedSegment::new(data, record), (&view, frozen));
    Ok(())
}

/// Sets aside the growing rows that an index is wanted for, if writes have paused and there are enough of them.
pub(crate) fn set_idle_aside(inner: &Inner, state: &CollectionState) -> Result<()> {
    if state.record().indexes.iter().all(|one| one.metric.is_empty()) {
        return Ok(());
    }
    let paused = ts::from_ms(ts::to_ms(inner.oracle.now()).saturating_sub(inner.settings.idle_seal_ms));
    for (growing, sealing) in state.shard.growing() {
        let idle = growing.data.last_timestamp().is_some_and(|last| last < paused);
        if !sealing && idle && growing.data.len() >= inner.settings.index_rows_min {
            let shard = Arc::clone(&state.shard);
            let oracle = Arc::clone(&inner.oracle);
            let partition = growing.partition_id;
            inner.committer.run(move |_ts| shard.rotate(Some(partition), || id_from(&oracle)))?;
        }
    }
    Ok(())
}

/// Name of an object of a segment.
pub(crate) fn object_name(collection: i64, segment: i64, part: &str) -> String {
    format!("{collection}/{segment}/{part}")
}

/// Saves tombstones as an object of their own, if there are any.
pub(crate) fn save_tombstones(
    inner: &Inner,
    collection: i64,
    segment: i64,
    lsn: u64,
    tombstones: &Tombstones,
) -> Result<Option<String>> {
    if tombstones.is_empty() {
        return Ok(None);
    }
    let object = object_name(collection, segment, &format!("tombstones-{lsn}-{}", tombstones.len()));
    let bytes = tombstones.encode();
    match inner.store.put(&object, &mut |out| out.write_all(&bytes)) {
        // Tombstones only grow, in the order of the log: as many of them at that record are the same ones.
        Ok(_) | Err(StoreError::Exists { .. }) => Ok(Some(object)),
        Err(error) => Err(crate::store_error("tombstones cannot be saved")(error)),
    }
}

fn write_segment(inner: &Inner, state: &CollectionState, object: &str, view: &View) -> Result<u64> {
    let mut failure = None;
    let put = inner.store.put(object, &mut |out| match seal::write(view, &state.schema, out) {
        Ok(_) => Ok(()),
        Err(error) => {
            failure = Some(error.to_string());
            Err(io::Error::other("the segment could not be written"))
        }
    });
    match (put, failure) {
        (Ok(size), None) => Ok(size),
        (Ok(_), Some(text)) => Err(Error::new(ErrorKind::Internal, Subject::Engine, text)),
        (Err(source), text) => {
            let what = text.unwrap_or_else(|| "a segment cannot be written".to_owned());
            Err(crate::store_error(&what)(source))
        }
    }
}

/// Deletes an object that no record names.
pub(crate) fn discard(inner: &Inner, object: &str) {
    if let Err(error) = inner.store.delete(object) {
        tracing::warn!(object, %error, "an object could not be deleted");
    }
}

/// When the last row of a segment was inserted.
pub(crate) fn last_ts(view: &View) -> u64 {
    view.blocks().iter().filter_map(|block| block.timestamps().last().copied()).max().unwrap_or(0)
}

/// The change that records a segment once more.
pub(crate) fn put(record: &SegmentRecord) -> Change {
    Change::default().put_segment(record)
}
