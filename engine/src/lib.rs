//! Elanus, an embeddable vector database: collections of rows with vectors, searched exactly or approximately.
//!
//! A [`Db`] is opened on a directory (or in memory) and shared between threads. Writes are durable when they return;
//! reads see every write that was acknowledged before they began.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod beside;
mod catalog;
mod collection;
mod commit;
mod db;
mod disk;
mod error;
mod inner;
mod job;
mod read;
mod recover;
mod settings;
mod shard;
mod validate;
mod write_record;

pub mod env;
pub mod expr;
pub mod gpu;
pub mod meta;
pub mod store;
pub mod testing;
pub mod ts;
pub mod wal;

pub use catalog::{ConsistencyLevel, DEFAULT_DATABASE, DEFAULT_PARTITION};
pub use collection::{
    Collection, CollectionInfo, Delete, Deleted, Flushed, IndexInfo, IndexState, Insert, LoadState, PartitionInfo,
    SegmentInfo, SegmentState, Written,
};
pub use db::{CreateCollection, DatabaseInfo, Db, DbBuilder, EngineMetrics};
pub use elanus_index::{Cancel, INDEXES};
pub use elanus_kernels::{Bitmap, F16, Metric};
pub use elanus_segment::schema::is_valid_name;
pub use elanus_segment::{
    Batch, Column, ColumnData, ColumnView, DATA_TYPES, DataType, Field, KeyRef, Keys, Schema, SchemaError, Strings,
    StringsView, Value, ValuesView,
};
pub use error::{Error, ErrorKind, Result, Subject};
pub use expr::{TemplateValue, Templates};
pub use gpu::GpuMetrics;
pub use job::CompactionInfo;
pub use read::{
    HybridRequest, IteratorPage, OutputField, Queries, QueryRequest, QueryResult, Ranker, ReadAt, SearchRequest,
    SearchResult,
};
pub use settings::Settings;

use catalog::IndexRecord;
use elanus_index::{IndexFactory, Spec};
use elanus_kernels::ElementType;
use store::StoreError;

/// The specification of an index definition on a field, checked.
fn index_spec(factory: &'static dyn IndexFactory, field: &Field, definition: &IndexRecord) -> Result<Spec> {
    let element = if field.data_type == DataType::Float16Vector { ElementType::F16 } else { ElementType::F32 };
    let fits = |metric: &Metric| element.supports(*metric);
    let metric = Metric::parse(&definition.metric).filter(fits).ok_or_else(|| {
        let known: Vec<_> = elanus_kernels::METRICS.iter().filter(|m| fits(m)).map(|metric| metric.name()).collect();
        let text = format!("metric type {} is not supported, known are {}", definition.metric, known.join(", "));
        Error::invalid(Subject::IndexParameter, text)
    })?;
    let own = definition.params.iter().filter(|(key, _)| key != "index_type" && key != "metric_type").cloned();
    Spec::new(factory, element, field.dim as usize, metric, own.collect()).map_err(|source| {
        Error::invalid(Subject::IndexParameter, format!("invalid index on field {}", field.name)).with_source(source)
    })
}

/// Tells what of the store failed.
fn store_error(what: &str) -> impl FnOnce(StoreError) -> Error {
    let what = what.to_owned();
    move |source| Error::new(source.kind(), Subject::Disk, what).with_source(source)
}

/// Compiles the example of the front page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontPage;
