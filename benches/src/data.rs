//! The vectors of a run: loaded, in the wanted element type, with true neighbours.

use elanus_datasets::{DatasetError, Set};
use elanus_kernels::{AnyRows, Element, ElementType, F16, Metric, Rows};

use crate::args::Args;

/// A data set in the element type under test. True neighbours are those of the vectors as loaded.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) set: Set,
    halves: Option<(Vec<F16>, Vec<F16>)>,
    query_count: usize,
}

impl Data {
    pub(crate) fn load(args: &Args) -> Result<Self, DatasetError> {
        let mut set = match (&args.dataset, &args.base, &args.queries) {
            (Some(name), _, _) => elanus_datasets::load(name)?,
            (None, Some(base), Some(queries)) => Set::from_files(args.metric, base, queries, args.truth.as_deref())?,
            (None, _, _) => unreachable!("the command line asks for a data set or for both files"),
        };
        set.ensure_truth(args.k, args.truth_cache.as_deref())?;
        let halves = match args.element {
            ElementType::F32 => None,
            ElementType::F16 => Some((halve(&set.base), halve(&set.queries))),
        };
        let query_count = args.query_count.unwrap_or(usize::MAX).min(set.query_count());
        Ok(Self { set, halves, query_count })
    }

    pub(crate) fn metric(&self) -> Metric {
        self.set.metric
    }

    pub(crate) fn base(&self) -> AnyRows<'_> {
        match &self.halves {
            None => AnyRows::F32(self.set.base_rows()),
            Some((base, _)) => AnyRows::F16(Rows::new(base, self.set.dim).expect("as many values as in the set")),
        }
    }

    pub(crate) fn queries(&self) -> AnyRows<'_> {
        let all = match &self.halves {
            None => AnyRows::F32(self.set.query_rows()),
            Some((_, queries)) => AnyRows::F16(Rows::new(queries, self.set.dim).expect("as many values as in the set")),
        };
        all.slice(0..self.query_count)
    }

    /// The share of the `k` true neighbours of a query that were found.
    pub(crate) fn recall(&self, query: usize, k: usize, found: &[u32]) -> f64 {
        self.set.truth.as_ref().map_or(0.0, |truth| truth.recall(query, k, found))
    }
}

fn halve(values: &[f32]) -> Vec<F16> {
    values.iter().map(|value| <F16 as Element>::from_f32(*value)).collect()
}
