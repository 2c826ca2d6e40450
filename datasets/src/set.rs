//! A data set in memory: base vectors, queries, labels and exact neighbours that agree with each other.

#[cfg(test)]
mod tests;

use std::path::Path;

use elanus_kernels::{Metric, Rows};

use crate::error::DatasetError;
use crate::formats;
use crate::matrix::Matrix;
use crate::truth::{self, Truth};

/// A data set in memory.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name in the list, or the base file's name.
    pub name: String,
    /// Values in each vector.
    pub dim: usize,
    /// What "near" means in it.
    pub metric: Metric,
    /// The vectors to search, row after row.
    pub base: Vec<f32>,
    /// The vectors to search for, row after row; none of them is in the base.
    pub queries: Vec<f32>,
    /// A whole number for every base row, to filter by.
    pub labels: Option<Vec<i64>>,
    /// The exact neighbours of every query, where they came with the set or were computed.
    pub truth: Option<Truth>,
}

/// The parts of a set before they are known to agree.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) metric: Metric,
    pub(crate) base: Matrix<f32>,
    pub(crate) queries: Matrix<f32>,
    pub(crate) labels: Option<Vec<i64>>,
    pub(crate) truth: Option<Matrix<u32>>,
}

impl Parts {
    /// Checks that the parts agree and that every value is finite.
    pub(crate) fn join(self) -> Result<Set, DatasetError> {
        let Self { name, metric, base, queries, labels, truth } = self;
        let agree = |what, want: usize, got: usize| {
            let mismatch = || DatasetError::Mismatch { name: name.clone(), what, want: want as u64, got: got as u64 };
            if want == got { Ok(()) } else { Err(mismatch()) }
        };
        agree("the dimension of the queries", base.dim(), queries.dim())?;
        if let Some(labels) = &labels {
            agree("the number of labels", base.rows(), labels.len())?;
        }
        if let Some(truth) = &truth {
            agree("the number of queries with known neighbours", queries.rows(), truth.rows())?;
        }
        for (part, rows) in [("base", &base), ("queries", &queries)] {
            if let Some(at) = rows.data().iter().position(|value| !value.is_finite()) {
                let (row, position) = (at / rows.dim(), at % rows.dim());
                return Err(DatasetError::NotFinite { name, part, row, position });
            }
        }
        let truth = truth.and_then(|ids| Truth::from_ids(ids.dim(), ids.into_data()));
        Ok(Set { name, dim: base.dim(), metric, base: base.into_data(), queries: queries.into_data(), labels, truth })
    }
}

impl Set {
    /// Reads a set from the user's own files, each by the reader of its extension (see [`formats::FORMATS`]).
    ///
    /// The neighbours' file holds row numbers of the base, nearest first, one row per query.
    pub fn from_files(metric: Metric, base: &Path, queries: &Path, truth: Option<&Path>) -> Result<Self, DatasetError> {
        let name = base.file_name().unwrap_or(base.as_os_str()).to_string_lossy().into_owned();
        let base = formats::read_f32(base)?;
        let queries = formats::read_f32(queries)?;
        let truth = truth.map(|file| formats::read_ids(file, base.rows())).transpose()?;
        Parts { name, metric, base, queries, labels: None, truth }.join()
    }

    /// Rows of the base.
    pub fn len(&self) -> usize {
        self.base.len() / self.dim
    }

    /// Whether the base has no row.
    pub fn is_empty(&self) -> bool {
        self.base.is_empty()
    }

    /// Queries.
    pub fn query_count(&self) -> usize {
        self.queries.len() / self.dim
    }

    /// One base row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.base[i * self.dim..(i + 1) * self.dim]
    }

    /// One query.
    ///
    /// # Panics
    /// When there is no such query.
    pub fn query(&self, i: usize) -> &[f32] {
        &self.queries[i * self.dim..(i + 1) * self.dim]
    }

    /// The base as the kernels and indexes take it.
    pub fn base_rows(&self) -> Rows<'_, f32> {
        Rows::new(&self.base, self.dim).expect("a set is made of whole rows")
    }

    /// The queries as the kernels and indexes take them.
    pub fn query_rows(&self) -> Rows<'_, f32> {
        Rows::new(&self.queries, self.dim).expect("a set is made of whole rows")
    }

    /// Sees to it that at least `k` exact neighbours of every query are known, computing them on all cores if need be.
    ///
    /// A `cache` file is read when it is about these very vectors, and written after computing. Nothing is written
    /// without one.
    pub fn ensure_truth(&mut self, k: usize, cache: Option<&Path>) -> Result<&Truth, DatasetError> {
        let known = self.truth.take().filter(|truth| truth.k() >= k && k > 0);
        let truth = match known {
            Some(truth) => truth,
            None => {
                let threads = truth::machine_threads();
                truth::load_or_compute(cache, self.metric, self.base_rows(), self.query_rows(), k, threads)?
            }
        };
        Ok(self.truth.insert(truth))
    }
}
