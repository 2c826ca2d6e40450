//! Index builds: each sealed segment gets every index that its collection defines.

use super::seal::{discard, object_name};
use crate::catalog::{IndexRecord, SegmentIndex};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::inner::{Build, CollectionState, Inner};
use crate::recover::open_index;
use crate::shard::SealedSegment;
use elanus_index::{BuildCx, BuildError, Index, Spec, WriteError};
use elanus_kernels::{AnyRows, BitmapView};
use elanus_segment::{Block, Sealed};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One index of one segment.
#[derive(Debug)]
pub(crate) struct Work {
    segment: Arc<SealedSegment>,
    definition: IndexRecord,
    build: Build,
}

/// The next index to build in a collection, entered among its builds.
pub(crate) fn next(inner: &Inner, state: &CollectionState) -> Option<Work> {
    if inner.jobs.is_stopping() || state.check_there().is_err() {
        return None;
    }
    let record = state.record();
    let mut builds = state.builds.lock();
    for segment in state.shard.sealed() {
        for definition in record.indexes.iter().filter(|one| !one.metric.is_empty()) {
            let key = (segment.id, definition.id);
            let built = segment.record.lock().indexes.iter().any(|one| one.index_id == definition.id);
            if built || builds.contains_key(&key) {
                continue;
            }
            let build = Build::default();
            builds.insert(key, build.clone());
            return Some(Work { segment, definition: definition.clone(), build });
        }
    }
    None
}

/// Builds it; a failure is kept for `indexes()` to report.
pub(crate) fn run(inner: &Inner, state: &CollectionState, work: &Work) {
    let key = (work.segment.id, work.definition.id);
    let result = build(inner, state, work);
    let mut builds = state.builds.lock();
    match result {
        Ok(()) => {
            builds.remove(&key);
        }
        Err(error) if error.kind() == ErrorKind::Cancelled => {
            builds.remove(&key);
        }
        Err(error) => {
            tracing::error!(index = work.definition.name, %error, "an index could not be built");
            if let Some(build) = builds.get_mut(&key) {
                build.failure = Some(error.to_string());
            }
        }
    }
}

fn build(inner: &Inner, state: &CollectionState, work: &Work) -> Result<()> {
    let segment = (&work.segment.data, work.segment.id);
    let built = build_one(inner, state, segment, &work.definition, &work.build, |make| make.build())?;
    publish(inner, state, work, built)
}

/// A saved and opened index that no record names yet.
pub(crate) struct Built {
    pub(crate) position: usize,
    pub(crate) index: Arc<dyn Index>,
    pub(crate) entry: SegmentIndex,
}

/// What an index is made of.
pub(crate) struct Make<'a> {
    pub(crate) spec: &'a Spec,
    /// Position of the field.
    pub(crate) position: usize,
    pub(crate) rows: AnyRows<'a>,
    pub(crate) present: Option<BitmapView<'a>>,
    pub(crate) cx: &'a BuildCx<'a>,
}

impl Make<'_> {
    /// Makes it of the rows alone.
    pub(crate) fn build(self) -> std::result::Result<Box<dyn Index>, BuildError> {
        self.spec.factory().build(self.spec, self.rows, self.present, self.cx)
    }
}

/// Makes an index over the rows of one segment, saves it and opens it from its object.
pub(crate) fn build_one(
    inner: &Inner,
    state: &CollectionState,
    (data, segment_id): (&Sealed, i64),
    definition: &IndexRecord,
    build: &Build,
    make: impl FnOnce(Make<'_>) -> std::result::Result<Box<dyn Index>, BuildError>,
) -> Result<Built> {
    // Closing says so before it cancels what is entered among the builds; one of the two is always seen.
    if inner.jobs.is_stopping() {
        return Err(Error::cancelled("the database is being closed"));
    }
    let position = state.schema.fields.iter().position(|field| field.id == definition.field_id);
    let position = position.ok_or_else(|| Error::internal(format!("index {} has no field", definition.name)))?;
    let factory = elanus_index::find(&definition.index_type)
        .ok_or_else(|| Error::internal(format!("index type {} is gone", definition.index_type)))?;
    let spec = crate::index_spec(factory, &state.schema.fields[position], definition)?;
    let column = data.column(position);
    let rows =
        column.vectors().ok_or_else(|| Error::internal(format!("index {} is not on vectors", definition.name)))?;
    let done = Arc::clone(&build.done);
    let progress = move |count: u64, _total: u64| done.store(count, Ordering::Relaxed);
    let seed = u64::from_le_bytes(segment_id.to_le_bytes());
    let device = inner.gpu.device.as_ref();
    let cx = BuildCx { pool: Some(&inner.builders), seed, cancel: &build.cancel, progress: &progress, device };
    let not_built = |source| {
        let kind = if build.cancel.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Internal };
        Error::new(kind, Subject::Index, format!("index {} was not built", definition.name)).with_source(source)
    };
    type Save<'a> = Box<dyn Fn(&mut dyn Write) -> std::result::Result<(), WriteError> + 'a>;
    // One for a file is written as it is built; it need not fit into memory.
    let save: Save<'_> = if let Some(file) = factory.on_file() {
        Box::new(|out| file.write(&spec, rows, column.validity, &cx, out))
    } else {
        let make_of = Make { spec: &spec, position, rows, present: column.validity, cx: &cx };
        let built = make(make_of).map_err(not_built)?;
        Box::new(move |out| Ok(built.save(out)?))
    };
    // A name of its own for each try: nothing that the catalog may name is ever written over or removed.
    let object = object_name(state.id, segment_id, &format!("index-{}-{}", definition.id, inner.next_id()));
    let (mut checksum, mut failure) = (0, None);
    let put = inner.store.put(&object, &mut |out| {
        let mut summed = Summed { out, checksum: 0 };
        match save(&mut summed) {
            Ok(()) => {}
            Err(WriteError::Io(error)) => return Err(error),
            Err(WriteError::Build(error)) => {
                failure = Some(error);
                return Err(io::Error::other("the index was not built"));
            }
        }
        checksum = summed.checksum;
        Ok(())
    });
    // What was built goes before what was saved is opened.
    drop(save);
    if let Some(source) = failure {
        return Err(not_built(source));
    }
    let size_bytes = put.map_err(crate::store_error(&format!("index {} cannot be saved", definition.name)))?;
    let entry = SegmentIndex { index_id: definition.id, object, size_bytes, checksum };
    let index = open_index(inner.opening(), &entry, factory, &spec).inspect_err(|_| discard(inner, &entry.object))?;
    Ok(Built { position, index: Arc::from(index), entry })
}

/// Sums up what is written.
struct Summed<'a> {
    out: &'a mut dyn Write,
    checksum: u32,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Records the index with its segment and lets searches use it, unless either is gone meanwhile.
fn publish(inner: &Inner, state: &CollectionState, work: &Work, built: Built) -> Result<()> {
    let _changing = state.changing.lock();
    let wanted = state.record().indexes.iter().any(|one| one.id == work.definition.id);
    let there = state.shard.sealed().iter().any(|one| one.id == work.segment.id);
    if state.check_there().is_err() || !wanted || !there || work.build.cancel.is_cancelled() {
        discard(inner, &built.entry.object);
        return Err(Error::cancelled("the index is no longer wanted"));
    }
    let mut record = work.segment.record.lock().clone();
    record.indexes.push(built.entry);
    // A commit that failed may have happened: the object stays, and the next start removes it if it did not.
    inner.catalog.commit(super::seal::put(&record))?;
    *work.segment.record.lock() = record;
    work.segment
        .data
        .attach_index(built.position, built.index)
        .map_err(|source| Error::internal("the index does not fit its segment").with_source(source))?;
    work.segment.drop_beside(Some(built.position));
    Ok(())
}
