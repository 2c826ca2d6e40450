//! The vectors of a run: loaded, in the wanted element type, with true neighbours.

use elanus_datasets::{DatasetError, Set};
use elanus_kernels::{AnyRows, Bf16, ElementType, F16, Metric, Number, Rows};

use crate::args::Args;

/// Base and queries in a shorter type than that of the set.
#[derive(Debug)]
enum Rounded {
    F16(Vec<F16>, Vec<F16>),
    Bf16(Vec<Bf16>, Vec<Bf16>),
}

/// The element types that a set of f32 can be measured in.
pub(crate) const ELEMENTS: &[ElementType] = &[ElementType::F32, ElementType::F16, ElementType::Bf16];

/// A data set in the element type under test. True neighbours are those of the vectors as loaded.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) set: Set,
    rounded: Option<Rounded>,
    query_count: usize,
}

impl Data {
    pub(crate) fn load(args: &Args) -> Result<Self, DatasetError> {
        let set = args.source.load(args.k)?;
        let rounded = match args.element {
            ElementType::F16 => Some(Rounded::F16(round(&set.base), round(&set.queries))),
            ElementType::Bf16 => Some(Rounded::Bf16(round(&set.base), round(&set.queries))),
            // The command line takes no others.
            ElementType::F32 | ElementType::I8 | ElementType::U8 | ElementType::U4 | ElementType::Binary => None,
        };
        let query_count = args.query_count.unwrap_or(usize::MAX).min(set.query_count());
        Ok(Self { set, rounded, query_count })
    }

    pub(crate) fn metric(&self) -> Metric {
        self.set.metric
    }

    pub(crate) fn base(&self) -> AnyRows<'_> {
        match &self.rounded {
            None => AnyRows::F32(self.set.base_rows()),
            Some(Rounded::F16(base, _)) => self.rows(base),
            Some(Rounded::Bf16(base, _)) => self.rows(base),
        }
    }

    pub(crate) fn queries(&self) -> AnyRows<'_> {
        let all = match &self.rounded {
            None => AnyRows::F32(self.set.query_rows()),
            Some(Rounded::F16(_, queries)) => self.rows(queries),
            Some(Rounded::Bf16(_, queries)) => self.rows(queries),
        };
        all.slice(0..self.query_count)
    }

    fn rows<'a, E: Number>(&self, values: &'a [E]) -> AnyRows<'a> {
        Rows::new(values, self.set.dim).expect("as many values as in the set").into()
    }

    /// The share of the `k` true neighbours of a query that were found.
    pub(crate) fn recall(&self, query: usize, k: usize, found: &[u32]) -> f64 {
        self.set.truth.as_ref().map_or(0.0, |truth| truth.recall(query, k, found))
    }
}

fn round<E: Number>(values: &[f32]) -> Vec<E> {
    values.iter().map(|value| E::from_f32(*value)).collect()
}
