//! HNSW, HNSW_SQ: a graph of near neighbours with a hierarchy above it, after Malkov and Yashunin, walked on codes.
//!
//! A walk at several hundred dimensions waits for cache lines, not for arithmetic. So it compares small codes, and only
//! the best of what it found is compared by the vectors themselves; every key in an answer is that of the vectors.

mod fit;
mod format;
mod index;
pub(crate) mod params;
pub(crate) mod recipe;
mod search;

use elanus_kernels::{AnyRows, BitmapView, ElementType, Metric};

pub(crate) use self::index::HnswIndex;
pub(crate) use self::params::EF;
use self::params::SQ_TYPE;
use self::recipe::Recipe;
pub(crate) use self::search::width;
use crate::container::Container;
use crate::graph::MAX_NODE;
use crate::{
    Blob, BuildCx, BuildError, Index, IndexFactory, OpenCx, OpenError, Param, ParamError, ParamSet, Spec, check,
};

/// HNSW; the codes that are walked on are chosen by the data.
#[derive(Clone, Copy, Debug)]
pub struct Hnsw;

/// HNSW on scalar codes or 16-bit floats that the user chooses.
#[derive(Clone, Copy, Debug)]
pub struct HnswSq;

impl IndexFactory for Hnsw {
    fn name(&self) -> &'static str {
        "HNSW"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    fn params(&self) -> &'static [Param] {
        params::HNSW
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        let is_bits = element == ElementType::Binary && matches!(metric, Metric::Hamming | Metric::Jaccard);
        is_bits || is_number(element, metric)
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name(), rows, present, MAX_NODE as usize)?;
        Ok(Box::new(HnswIndex::build(spec, Recipe::hnsw(spec.params()), rows, present, cx)?))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        Ok(Box::new(HnswIndex::open(&Container::read(&blob)?, spec, Recipe::hnsw(spec.params()))?))
    }
}

impl IndexFactory for HnswSq {
    fn name(&self) -> &'static str {
        "HNSW_SQ"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    fn params(&self) -> &'static [Param] {
        params::HNSW_SQ
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        is_number(element, metric)
    }

    fn check(&self, params: &ParamSet, _element: ElementType, _dim: usize) -> Result<(), ParamError> {
        let walked = params.get_choice(SQ_TYPE.name).unwrap_or("SQ8");
        recipe::check_refine(params, walked, recipe::bits_of(walked))
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name(), rows, present, MAX_NODE as usize)?;
        let recipe = Recipe::hnsw_sq(spec.params(), spec.element());
        Ok(Box::new(HnswIndex::build(spec, recipe, rows, present, cx)?))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        let recipe = Recipe::hnsw_sq(spec.params(), spec.element());
        Ok(Box::new(HnswIndex::open(&Container::read(&blob)?, spec, recipe)?))
    }
}

/// Whether vectors are of numbers that codes can be made of, and the metric is one of theirs.
pub(crate) fn is_number(element: ElementType, metric: Metric) -> bool {
    matches!(element, ElementType::F32 | ElementType::F16 | ElementType::Bf16 | ElementType::I8)
        && element.supports(metric)
}

#[cfg(test)]
mod tests;
