//! The classes and functions that Python sees.

use std::collections::BTreeMap;
use std::path::PathBuf;

use elanus_index::ParamSet;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::buffers::{Matrix, Target, bits_of};
use crate::built::{self, Batch, Built, Failure};

/// The names of the index types that can be built.
#[pyfunction]
pub(crate) fn kinds() -> Vec<&'static str> {
    built::kinds()
}

/// Builds an index over a copy of the rows, an array of float32 with a row for each vector. The copy is of the element
/// type: f32, f16 or bf16.
#[pyfunction]
#[pyo3(signature = (kind, rows, metric="L2", params=None, threads=1, seed=1, element="f32"))]
#[expect(clippy::too_many_arguments, reason = "the arguments of the call in Python")]
pub(crate) fn build(
    py: Python<'_>,
    kind: &str,
    rows: &Bound<'_, PyAny>,
    metric: &str,
    params: Option<BTreeMap<String, String>>,
    threads: usize,
    seed: u64,
    element: &str,
) -> PyResult<Index> {
    let rows = Matrix::of("rows", rows)?;
    let spec = built::spec(kind, element, rows.dim, metric, pairs(params)).map_err(refused)?;
    let rows = rows.to_vec(py)?;
    let built = py.detach(|| Built::build(&spec, rows, threads, seed)).map_err(refused)?;
    Ok(Index { built })
}

/// Opens an index that was saved; kind, rows, metric, params and element must be those of its build.
#[pyfunction]
#[pyo3(signature = (kind, rows, path, metric="L2", params=None, element="f32"))]
pub(crate) fn open(
    py: Python<'_>,
    kind: &str,
    rows: &Bound<'_, PyAny>,
    path: PathBuf,
    metric: &str,
    params: Option<BTreeMap<String, String>>,
    element: &str,
) -> PyResult<Index> {
    let rows = Matrix::of("rows", rows)?;
    let spec = built::spec(kind, element, rows.dim, metric, pairs(params)).map_err(refused)?;
    let rows = rows.to_vec(py)?;
    let built = py.detach(|| Built::open(&spec, rows, &path)).map_err(refused)?;
    Ok(Index { built })
}

/// Search parameters, read once for many searches.
#[pyclass(frozen)]
pub(crate) struct SearchParams {
    params: ParamSet,
}

/// Rows that may be found, read once for many searches.
#[pyclass(frozen)]
pub(crate) struct Filter {
    words: Vec<u64>,
}

/// A built index with its rows.
#[pyclass(frozen)]
pub(crate) struct Index {
    built: Built,
}

#[pymethods]
impl Index {
    /// Reads search parameters.
    #[pyo3(signature = (params=None))]
    fn params(&self, params: Option<BTreeMap<String, String>>) -> PyResult<SearchParams> {
        let params = self.built.search_params(&pairs(params)).map_err(refused)?;
        Ok(SearchParams { params })
    }

    /// Reads which rows may be found: bytes with one bit for each row, the first row's the lowest of the first byte, as
    /// `numpy.packbits(mask, bitorder="little")` gives them.
    fn filter(&self, py: Python<'_>, bits: &Bound<'_, PyAny>) -> PyResult<Filter> {
        Ok(Filter { words: bits_of(py, bits, self.built.len())? })
    }

    /// Writes the ids (uint32) and keys (float32; the smaller, the nearer) of the k nearest rows of each query, nearest
    /// first. Where fewer rows are found the id is 4294967295 and the key infinite. Only rows of the filter, one of this
    /// index, are found. The queries may not be written to during the call.
    #[pyo3(signature = (queries, k, params, threads, ids_out, keys_out, filter=None))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of the call in Python")]
    fn search(
        &self,
        py: Python<'_>,
        queries: &Bound<'_, PyAny>,
        k: usize,
        params: &SearchParams,
        threads: usize,
        ids_out: &Bound<'_, PyAny>,
        keys_out: &Bound<'_, PyAny>,
        filter: Option<&Filter>,
    ) -> PyResult<()> {
        let queries = Matrix::of("queries", queries)?;
        let ids_out = Target::<u32>::of("ids_out", ids_out, queries.rows, k)?;
        let keys_out = Target::<f32>::of("keys_out", keys_out, queries.rows, k)?;
        let mut ids = vec![0; queries.rows * k];
        let mut keys = vec![0.0; queries.rows * k];
        py.detach(|| {
            let (ids, keys) = (&mut ids[..], &mut keys[..]);
            let filter = filter.map(|filter| &filter.words[..]);
            let batch = Batch { queries: queries.values(), dim: queries.dim, k, filter, ids, keys };
            self.built.search(batch, &params.params, threads)
        })
        .map_err(refused)?;
        ids_out.write(py, &ids)?;
        keys_out.write(py, &keys)
    }

    /// Writes the index, without its rows, to a file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.built.save(&path)).map_err(refused)
    }

    /// Bytes that the index keeps, without the rows.
    fn memory_bytes(&self) -> u64 {
        self.built.index_bytes()
    }

    /// Bytes of the rows.
    fn rows_bytes(&self) -> u64 {
        self.built.rows_bytes()
    }

    /// One line on the index: its type, its parameters and what it chose.
    fn describe(&self) -> String {
        self.built.describe()
    }

    fn __len__(&self) -> usize {
        self.built.len()
    }
}

fn pairs(params: Option<BTreeMap<String, String>>) -> Vec<(String, String)> {
    params.unwrap_or_default().into_iter().collect()
}

/// An error with all its causes.
fn refused(error: Failure) -> PyErr {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    PyValueError::new_err(text)
}
