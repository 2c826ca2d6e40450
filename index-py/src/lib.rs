//! The indexes of `elanus-index` as the Python module `elanus_index`, for measurements beside other libraries.
//!
//! ```python
//! import numpy, elanus_index
//! rows = numpy.random.default_rng(1).random((10_000, 64), dtype=numpy.float32)
//! index = elanus_index.build("HNSW", rows, metric="L2", params={"M": "16"}, threads=2)
//! ids, keys = numpy.empty((1, 10), numpy.uint32), numpy.empty((1, 10), numpy.float32)
//! index.search(rows[:1], 10, index.params({"ef": "64"}), 1, ids, keys)
//! ```
//!
//! Rows, queries and results pass by the buffer protocol, so no package but Python itself is needed to build or load the
//! module. The interpreter's lock is released while an index is built, saved, opened or searched.
#![deny(missing_docs)]

mod buffers;
mod built;
mod index;

use pyo3::prelude::*;

/// Vector indexes of Elanus over rows of float32.
#[pymodule]
#[pyo3(name = "elanus_index")]
mod module {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::index::{Filter, Index, SearchParams, build, kinds, open};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
