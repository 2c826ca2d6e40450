//! AUTOINDEX: chooses the index type and its parameters from the data.

use std::io::{self, Write};

use elanus_kernels::{AnyRows, BitmapView, ElementType, Metric, TopK, Vector};

use crate::container::{Container, Kind};
use crate::flat::FlatIndex;
use crate::graph::{MAX_NODE, Shape};
use crate::hnsw::recipe::{Ground, Recipe};
use crate::hnsw::{self, HnswIndex};
use crate::{
    Blob, BuildCx, BuildError, Index, IndexFactory, OpenCx, OpenError, Param, Scratch, Search, SearchError, Spec,
    Stats, check,
};

/// With fewer rows the exact scan is chosen: it is as fast as a walk there.
const GRAPH_ROWS: usize = 1000;
/// The graph that is chosen otherwise.
const RECIPE: Recipe = Recipe { shape: Shape { m: 18, ef_construction: 240 }, ground: Ground::Fitting, refine: None };

/// AUTOINDEX: an exact scan over few rows, a graph over more.
#[derive(Clone, Copy, Debug)]
pub struct AutoIndex;

impl IndexFactory for AutoIndex {
    fn name(&self) -> &'static str {
        "AUTOINDEX"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["AUTO_INDEX"]
    }

    fn params(&self) -> &'static [Param] {
        &[hnsw::EF]
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        hnsw::HNSW.supports(element, metric)
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name(), rows, present, MAX_NODE as usize)?;
        let inner: Box<dyn Index> = if rows.len() < GRAPH_ROWS {
            Box::new(FlatIndex::build(spec, rows, present, cx)?)
        } else {
            Box::new(HnswIndex::build(spec, RECIPE, rows, present, cx)?)
        };
        Ok(Box::new(Chosen { inner }))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        let container = Container::read(&blob)?;
        let inner: Box<dyn Index> = if container.is(Kind::Flat) {
            Box::new(FlatIndex::open(&container, spec)?)
        } else {
            Box::new(HnswIndex::open(&container, spec, RECIPE)?)
        };
        Ok(Box::new(Chosen { inner }))
    }
}

/// The index that was chosen; its spec is AUTOINDEX's own.
#[derive(Debug)]
struct Chosen {
    inner: Box<dyn Index>,
}

impl Index for Chosen {
    fn factory(&self) -> &'static dyn IndexFactory {
        self.inner.factory()
    }

    fn spec(&self) -> &Spec {
        self.inner.spec()
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn footprint_bytes(&self) -> u64 {
        self.inner.footprint_bytes()
    }

    fn describe(&self) -> String {
        format!("AUTOINDEX: {}", self.inner.describe())
    }

    fn search(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        // An exact scan has no use for the width, but refuses what the graph would: the choice must not show.
        hnsw::width(search.params, search.k)?;
        self.inner.search(rows, query, search, scratch, out)
    }

    fn search_many(
        &self,
        rows: AnyRows<'_>,
        queries: AnyRows<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        outs: &mut [TopK],
    ) -> Result<Stats, SearchError> {
        hnsw::width(search.params, search.k)?;
        self.inner.search_many(rows, queries, search, scratch, outs)
    }

    fn is_exact(&self) -> bool {
        self.inner.is_exact()
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        self.inner.save(out)
    }
}

#[cfg(test)]
mod tests;
