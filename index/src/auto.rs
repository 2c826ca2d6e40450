//! AUTOINDEX: chooses the index type and its parameters from the data.

use std::any::Any;
use std::io::{self, Write};

use elanus_kernels::{AnyRows, BitmapView, ElementType, Metric, TopK, Vector};

use crate::container::{Container, Kind};
use crate::flat::FlatIndex;
use crate::graph::{MAX_NODE, Shape};
use crate::hnsw::recipe::{Ground, Recipe};
use crate::hnsw::{self, HnswIndex};
use crate::ivf::{self, IvfIndex, ListShape};
use crate::{
    Blob, BuildCx, BuildError, Index, IndexFactory, MergePart, OpenCx, OpenError, Param, Scratch, Search, SearchError,
    Spec, Stats, check, no_progress,
};

/// With fewer rows the exact scan is chosen: it is as fast as a walk there.
const GRAPH_ROWS: usize = 1000;
/// From so many rows on lists are chosen where a scan of codes beats a walk at a recall of 0.99: for rows of few
/// components, which have many neighbours about as near as the nearest, of which a walk must meet most; and for rows of
/// more components as long as they are not many, since a scan grows with their number and a walk hardly does.
const LIST_ROWS: usize = 20_000;
const LIST_DIM: usize = 144;
const LIST_DIM_OF_FEW: usize = 400;
const LIST_ROWS_OF_FEW: usize = 200_000;
/// The graph that is chosen otherwise.
const RECIPE: Recipe = Recipe { shape: Shape { m: 18, ef_construction: 240 }, ground: Ground::Fitting, refine: None };

/// AUTOINDEX: an exact scan over few rows; over more a graph, or lists where the rows have few components.
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
        &[hnsw::EF, hnsw::RECALL]
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
        let inner = if rows.len() < GRAPH_ROWS {
            Inner::Flat(FlatIndex::build(spec, rows, present, cx)?)
        } else if takes_lists(spec, rows.len()) {
            let mut lists = IvfIndex::build(spec, ListShape::default(), rows, present, cx)?;
            let usable = hnsw::usable(spec.metric(), rows, present)?;
            lists.measure(rows, &usable, &BuildCx { progress: &no_progress, ..*cx })?;
            Inner::Lists(lists)
        } else {
            Inner::Graph(HnswIndex::build(spec, RECIPE, rows, present, cx)?)
        };
        Ok(Box::new(Chosen { inner }))
    }

    fn merge(
        &self,
        spec: &Spec,
        parts: &[MergePart<'_>],
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Option<Box<dyn Index>>, BuildError> {
        spec.check_build(self.name(), rows, present, MAX_NODE as usize)?;
        if rows.len() < GRAPH_ROWS || takes_lists(spec, rows.len()) {
            return Ok(None);
        }
        let merged = HnswIndex::merge(spec, RECIPE, parts, (rows, present), cx, Chosen::graph_in)?;
        Ok(merged.map(|index| Box::new(Chosen { inner: Inner::Graph(index) }) as _))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        let container = Container::read(&blob)?;
        let inner = if container.is(Kind::Flat) {
            Inner::Flat(FlatIndex::open(&container, spec)?)
        } else if container.is(Kind::Ivf) {
            Inner::Lists(IvfIndex::open(&container, spec, ListShape::default())?)
        } else {
            Inner::Graph(HnswIndex::open(&container, spec, RECIPE)?)
        };
        Ok(Box::new(Chosen { inner }))
    }
}

/// Whether lists are chosen for so many rows.
fn takes_lists(spec: &Spec, rows: usize) -> bool {
    let most = if rows <= LIST_ROWS_OF_FEW { LIST_DIM_OF_FEW } else { LIST_DIM };
    rows >= LIST_ROWS && spec.dim() <= most && ivf::supports(spec.element(), spec.metric())
}

/// The index that was chosen; its spec is AUTOINDEX's own.
#[derive(Debug)]
struct Chosen {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Flat(FlatIndex),
    Graph(HnswIndex),
    Lists(IvfIndex),
}

impl Chosen {
    /// The graph, where one was chosen for such an index.
    fn graph_in(index: &dyn Index) -> Option<&HnswIndex> {
        match &(index as &dyn Any).downcast_ref::<Self>()?.inner {
            Inner::Graph(index) => Some(index),
            Inner::Flat(_) | Inner::Lists(_) => None,
        }
    }

    fn index(&self) -> &dyn Index {
        match &self.inner {
            Inner::Flat(index) => index,
            Inner::Graph(index) => index,
            Inner::Lists(index) => index,
        }
    }
}

impl Index for Chosen {
    fn factory(&self) -> &'static dyn IndexFactory {
        self.index().factory()
    }

    fn spec(&self) -> &Spec {
        self.index().spec()
    }

    fn len(&self) -> usize {
        self.index().len()
    }

    fn footprint_bytes(&self) -> u64 {
        self.index().footprint_bytes()
    }

    fn describe(&self) -> String {
        format!("AUTOINDEX: {}", self.index().describe())
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
        match &self.inner {
            Inner::Flat(index) => index.search(rows, query, search, scratch, out),
            Inner::Graph(index) => index.search(rows, query, search, scratch, out),
            Inner::Lists(index) => index.search_as_graph(rows, query, search, scratch, out),
        }
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
        if let Inner::Flat(index) = &self.inner {
            return index.search_many(rows, queries, search, scratch, outs);
        }
        if queries.len() != outs.len() {
            return Err(SearchError::Holder { want: queries.len(), got: outs.len() });
        }
        let mut stats = Stats::default();
        for (number, out) in outs.iter_mut().enumerate() {
            stats.add(self.search(rows, queries.row(number), search, scratch, out)?);
        }
        Ok(stats)
    }

    fn is_exact(&self) -> bool {
        self.index().is_exact()
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        self.index().save(out)
    }
}

#[cfg(test)]
mod tests;
