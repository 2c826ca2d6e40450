//! Nearest-neighbour indexes over borrowed rows: exact scan and hierarchical graph, with no input or output of their
//! own.
//!
//! An index never owns vectors. The caller lends the same contiguous rows at build and at every search, together with
//! threads, cancellation and progress; saved bytes go to a writer and come back as a [`Blob`]. Every index type is one
//! [`IndexFactory`] in the ordered list [`INDEXES`]: its parameters, their ranges and its name are data there. A
//! [`GrowingIndex`] is another thing: it owns rows that come and go while it is searched.
//!
//! ```
//! use elanus_index::{BuildCx, Cancel, KeyRange, Scratch, Search, Spec, Stage, find, no_progress, parse};
//! use elanus_kernels::{AnyRows, ElementType, Metric, Rows, TopK, Vector};
//!
//! let data: Vec<f32> = (0..2000).map(|i| (i as f32).sin()).collect();
//! let rows = AnyRows::F32(Rows::new(&data, 4)?);
//! let hnsw = find("HNSW").expect("it is in the list");
//! let given = vec![("M".to_owned(), "16".to_owned())];
//! let spec = Spec::new(hnsw, ElementType::F32, 4, Metric::L2, given)?;
//! let cancel = Cancel::new();
//! let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &no_progress, device: None };
//! let index = hnsw.build(&spec, rows, None, &cx)?;
//!
//! let params = parse(hnsw.params(), Stage::Search, &[("ef".to_owned(), "32".to_owned())])?;
//! let search = Search { k: 3, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
//! let mut nearest = TopK::new(3);
//! index.search(rows, Vector::F32(&data[40..44]), &search, &mut Scratch::new(), &mut nearest)?;
//! assert_eq!(nearest.into_sorted()[0].id, 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("saved indexes are little-endian and are used in place, so a big-endian target cannot open them");

mod array;
mod auto;
mod blob;
mod cancel;
mod check;
mod container;
pub mod diskann;
mod error;
mod factory;
pub mod flat;
pub mod gpu;
mod graph;
mod growing;
mod hnsw;
mod index;
mod ivf;
mod kmeans;
mod pages;
mod par;
mod param;
mod plan;
pub mod read_at;
mod scratch;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tier;

pub use auto::AutoIndex;
pub use blob::Blob;
pub use cancel::Cancel;
pub use diskann::{Aisaq, DiskIndex, Diskann, WriteError};
pub use elanus_kernels::KeyRange;
pub use error::{BuildError, OpenError, ParamError, SearchError, SpecError};
pub use factory::{BuildCx, FileFactory, INDEXES, IndexFactory, MergePart, OpenCx, Spec, find, no_progress};
pub use flat::Flat;
pub use gpu::GpuBruteForce;
pub use growing::{GrowingIndex, GrowingLimits, SharedRows};
pub use hnsw::{HNSW, HNSW_PQ, HNSW_PRQ, HNSW_SQ, HnswType};
pub use index::{Index, Search, Stats};
pub use param::{Param, ParamKind, ParamSet, Stage, Value, parse};
pub use scratch::Scratch;
