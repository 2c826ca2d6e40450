//! HNSW, HNSW_SQ, HNSW_PQ, HNSW_PRQ: a graph of near neighbours with a hierarchy above it, after Malkov and Yashunin, walked on codes.
//!
//! A walk at several hundred dimensions waits for cache lines, not for arithmetic. So it compares small codes, and only
//! the best of what it found is compared by the vectors themselves; every key in an answer is that of the vectors.

mod fit;
mod format;
mod index;
mod merge;
pub(crate) mod params;
mod promise;
pub(crate) mod recipe;
mod search;

use std::any::Any;

use elanus_kernels::{AnyRows, BitmapView, ElementType, Metric};

pub(crate) use self::index::{HnswIndex, usable};
pub(crate) use self::params::{EF, RECALL};
use self::recipe::Recipe;
pub(crate) use self::search::{Width, width};
use crate::container::Container;
use crate::graph::MAX_NODE;
use crate::{
    Blob, BuildCx, BuildError, Index, IndexFactory, MergePart, OpenCx, OpenError, Param, ParamError, ParamSet, Spec,
    check,
};

/// One of the HNSW types: they differ in what the walk compares.
#[derive(Debug)]
pub struct HnswType {
    name: &'static str,
    params: &'static [Param],
    takes_bits: bool,
    recipe: fn(&ParamSet, ElementType, usize) -> Recipe,
    check: fn(&ParamSet, usize) -> Result<(), ParamError>,
}

/// HNSW; the codes that are walked on are chosen by the data.
pub static HNSW: HnswType =
    HnswType { name: "HNSW", params: params::HNSW, takes_bits: true, recipe: recipe::hnsw, check: recipe::any };

/// HNSW on scalar codes or 16-bit floats that the user chooses.
pub static HNSW_SQ: HnswType = HnswType {
    name: "HNSW_SQ",
    params: params::HNSW_SQ,
    takes_bits: false,
    recipe: recipe::hnsw_sq,
    check: recipe::check_sq,
};

/// HNSW on product codes.
pub static HNSW_PQ: HnswType = HnswType {
    name: "HNSW_PQ",
    params: params::HNSW_PQ,
    takes_bits: false,
    recipe: recipe::hnsw_pq,
    check: recipe::check_pq,
};

/// HNSW on product codes of several levels.
pub static HNSW_PRQ: HnswType = HnswType {
    name: "HNSW_PRQ",
    params: params::HNSW_PRQ,
    takes_bits: false,
    recipe: recipe::hnsw_prq,
    check: recipe::check_prq,
};

impl HnswType {
    fn recipe(&self, spec: &Spec) -> Recipe {
        (self.recipe)(spec.params(), spec.element(), spec.dim())
    }
}

impl IndexFactory for HnswType {
    fn name(&self) -> &'static str {
        self.name
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    fn params(&self) -> &'static [Param] {
        self.params
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        let is_bits = element == ElementType::Binary && matches!(metric, Metric::Hamming | Metric::Jaccard);
        (self.takes_bits && is_bits) || is_number(element, metric)
    }

    fn check(&self, params: &ParamSet, _element: ElementType, dim: usize) -> Result<(), ParamError> {
        (self.check)(params, dim)
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name, rows, present, MAX_NODE as usize)?;
        Ok(Box::new(HnswIndex::build(spec, self.recipe(spec), rows, present, cx)?))
    }

    fn merge(
        &self,
        spec: &Spec,
        parts: &[MergePart<'_>],
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Option<Box<dyn Index>>, BuildError> {
        spec.check_build(self.name, rows, present, MAX_NODE as usize)?;
        let merged = HnswIndex::merge(spec, self.recipe(spec), parts, (rows, present), cx, |index| {
            (index as &dyn Any).downcast_ref()
        })?;
        Ok(merged.map(|index| Box::new(index) as _))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name)?;
        Ok(Box::new(HnswIndex::open(&Container::read(&blob)?, spec, self.recipe(spec))?))
    }
}

/// Whether vectors are of numbers that codes can be made of, and the metric is one of theirs.
pub(crate) fn is_number(element: ElementType, metric: Metric) -> bool {
    matches!(element, ElementType::F32 | ElementType::F16 | ElementType::Bf16 | ElementType::I8)
        && element.supports(metric)
}

#[cfg(test)]
mod tests;
