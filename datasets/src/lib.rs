//! Vector data sets for tests, benchmarks and demonstrations: a list of them by name, readers for the usual file
//! formats, seeded recipes for made-up ones, and exact nearest neighbours to judge an index by.
//!
//! One real set is carried in the program, so nothing has to be downloaded:
//!
//! ```
//! let set = elanus_datasets::load("fashion-mnist-10k")?;
//! assert_eq!((set.len(), set.dim, set.query_count()), (10_000, 784, 500));
//!
//! let truth = set.truth.as_ref().expect("it comes with exact neighbours");
//! let found = truth.ids(0)[..10].to_vec();
//! assert_eq!(truth.recall(0, 10, &found), 1.0);
//! # Ok::<(), elanus_datasets::DatasetError>(())
//! ```
//!
//! [`DATASETS`] lists the others with their licences and the way to install each; [`Set::from_files`] takes the
//! user's own files.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod bin_file;
mod error;
mod file;
pub mod formats;
mod glove;
#[cfg(test)]
mod hostile;
pub mod idx;
mod list;
mod matrix;
pub mod npy;
mod set;
pub mod synth;
pub mod truth;
pub mod vecs;

pub use error::{DatasetError, Problem, ReadError};
pub use file::{Input, MAX_DIM};
pub use list::{BUNDLE_QUERIES, BUNDLE_TRUTH_K, DATASETS, Dataset, Places, find, load};
pub use matrix::{ByteOrder, Matrix, Scalar, Values};
pub use set::Set;
pub use truth::{Truth, TruthError};
