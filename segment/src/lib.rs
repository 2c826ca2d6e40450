//! Segments of a vector database: schema and columns, growing data, sealed files, keys and tombstones.
//!
//! A segment owns bytes and knows their shape; it knows nothing of collections, logs or networks.
#![deny(missing_docs)]

#[cfg(target_endian = "big")]
compile_error!("sealed files are little-endian and are used in place, so a big-endian target cannot open them");

pub mod block;
pub mod codec;
pub mod column;
pub mod dir;
pub mod error;
pub mod format;
pub mod growing;
pub mod key;
pub mod map;
pub mod merge;
pub mod pread;
mod read;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod seal;
pub mod sealed;
pub mod testing;
pub mod tombstone;
#[cfg(all(feature = "uring", target_os = "linux"))]
pub mod uring;
pub mod view;

pub use block::Block;
pub use column::{Batch, BatchError, Column, ColumnData, ColumnView, Strings, StringsView, ValuesView};
pub use dir::{CrashDir, Dir, DirFile, FsDir, MemDir};
pub use error::{AttachError, DecodeError, Fault, OpenError, Problem, SealError};
pub use growing::Growing;
pub use key::{KeyRef, Keys};
pub use merge::Merged;
pub use schema::{DATA_TYPES, DataType, Field, Schema, SchemaError, Value};
pub use seal::SealStats;
pub use sealed::Sealed;
pub use tombstone::Tombstones;
pub use view::View;
