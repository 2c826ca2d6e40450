//! A built graph index: the graph, the tiers that it is walked on, what it answers about itself.

use std::io::{self, Write};

use elanus_kernels::{AnyRows, Bitmap, BitmapView, Element, Kernel, Metric, Number, Rows, TopK, Vector, with_element};

use super::fit::{self, Fit};
use super::format;
use super::promise;
use super::recipe::{Ground, Recipe};
use crate::array::Array;
use crate::graph::links::Graph;
use crate::graph::space::Shaped;
use crate::graph::{Shape, build};
use crate::plan::calibrate::Calibration;
use crate::tier::rows::inverse;
use crate::tier::source::Source;
use crate::tier::{self, Tier};
use crate::{BuildCx, BuildError, Index, IndexFactory, Scratch, Search, SearchError, Spec, Stats, check, no_progress};

/// A built graph.
#[derive(Debug)]
pub(crate) struct HnswIndex {
    pub(super) spec: Spec,
    pub(super) recipe: Recipe,
    pub(super) rows: usize,
    /// Rows that are in the graph.
    pub(super) nodes: usize,
    /// Which they are, unless all are.
    pub(super) present: Option<Array<u64>>,
    /// Inverse norms of the rows where cosines are walked on over the rows, else empty.
    pub(super) norms: Array<f32>,
    /// `None` when there are no nodes.
    pub(super) graph: Option<Graph>,
    /// What a walk compares; `None` for the rows.
    pub(super) walked: Option<Box<dyn Tier>>,
    /// What puts candidates in order before the rows are asked.
    pub(super) refine: Option<Box<dyn Tier>>,
    pub(super) fit: Fit,
    /// Which widths find how much; `None` where that was not measured.
    pub(super) promise: Option<Calibration>,
}

impl HnswIndex {
    /// The spec may be of another factory that chose this index and its recipe.
    pub(crate) fn build(
        spec: &Spec,
        recipe: Recipe,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Self, BuildError> {
        let (index, usable) = Self::bare(spec, recipe, rows, present, cx)?;
        let nodes: Vec<u32> = usable.iter_ones().map(|i| i as u32).collect();
        let space = Shaped::new(spec.metric(), rows, nodes.iter().copied());
        let graph = build::build(recipe.shape, &space, &nodes, cx)?;
        index.dressed(graph, rows, &usable, cx)
    }

    /// An index without a graph yet, and the rows that are to be its nodes.
    pub(super) fn bare(
        spec: &Spec,
        recipe: Recipe,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<(Self, Bitmap), BuildError> {
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        (cx.progress)(0, rows.len() as u64);
        let usable = usable(spec.metric(), rows, present)?;
        let nodes = usable.count_ones();
        let index = Self {
            spec: spec.clone(),
            recipe,
            rows: rows.len(),
            nodes,
            present: (nodes < rows.len()).then(|| Array::Owned(usable.words().to_vec())),
            norms: Array::Owned(norms(spec.metric(), rows, &usable)?),
            graph: None,
            walked: None,
            refine: None,
            fit: Fit::EXACT,
            promise: None,
        };
        Ok((index, usable))
    }

    /// The index with its graph, and all that is measured on that.
    pub(super) fn dressed(
        mut self,
        graph: Option<Graph>,
        rows: AnyRows<'_>,
        usable: &Bitmap,
        cx: &BuildCx<'_>,
    ) -> Result<Self, BuildError> {
        self.graph = graph.map(Graph::for_walks);
        let source = Source { metric: self.spec.metric(), rows, usable };
        // What follows is a small part of the work, and would count from zero again.
        let (told, cx) = (cx, &BuildCx { progress: &no_progress, ..*cx });
        (self.walked, self.fit) = fit::choose(&self, self.recipe.ground, &source, cx)?;
        if let Some(code) = self.recipe.refine.filter(|_| self.walked.is_some()) {
            self.refine = tier::build(code, &source, cx)?;
        }
        if self.walked.is_some() {
            self.norms = Array::Owned(Vec::new());
        }
        self.promise = promise::measure(&self, &source, cx)?;
        (told.progress)(self.rows as u64, self.rows as u64);
        Ok(self)
    }

    /// Which rows are in the graph; `None` when all are.
    pub(super) fn present(&self) -> Option<BitmapView<'_>> {
        self.present.as_ref().map(|words| BitmapView::new(words.as_slice(), self.rows))
    }
}

/// Rows that have a place among neighbours: keys of a row that is not finite are NaN or infinite.
pub(crate) fn usable(metric: Metric, rows: AnyRows<'_>, present: Option<BitmapView<'_>>) -> Result<Bitmap, BuildError> {
    fn finite<E: Number>(metric: Metric, rows: Rows<'_, E>, i: usize, kernel: &Kernel<E>) -> bool {
        check::all_finite(rows.row(i)) && (metric != Metric::Cosine || kernel.norm(rows.row(i)).is_finite())
    }
    let is_present = |i: usize| present.is_none_or(|bits| bits.get(i));
    macro_rules! floats {
        ($rows:expr) => {{
            let kernel = Kernel::new(metric)?;
            Bitmap::from_fn($rows.len(), |i| is_present(i) && finite(metric, $rows, i, &kernel))
        }};
    }
    Ok(match rows {
        AnyRows::F32(rows) => floats!(rows),
        AnyRows::F16(rows) => floats!(rows),
        AnyRows::Bf16(rows) => floats!(rows),
        AnyRows::I8(_) | AnyRows::U8(_) | AnyRows::U4(_) | AnyRows::Binary(_) => {
            Bitmap::from_fn(rows.len(), is_present)
        }
    })
}

/// Inverse norms for cosine, 0 where a row is not in the graph.
fn norms(metric: Metric, rows: AnyRows<'_>, usable: &Bitmap) -> Result<Vec<f32>, BuildError> {
    if metric != Metric::Cosine {
        return Ok(Vec::new());
    }
    fn each<E: Element>(metric: Metric, rows: Rows<'_, E>, usable: &Bitmap) -> Result<Vec<f32>, BuildError> {
        let kernel = Kernel::<E>::new(metric)?;
        let norm = |i: usize| if usable.get(i) { inverse(kernel.norm(rows.row(i))) } else { 0.0 };
        Ok((0..rows.len()).map(norm).collect())
    }
    with_element!(AnyRows, rows, rows => each(metric, rows, usable))
}

impl Index for HnswIndex {
    fn factory(&self) -> &'static dyn IndexFactory {
        self.spec.factory()
    }

    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn footprint_bytes(&self) -> u64 {
        let graph = self.graph.as_ref().map_or(0, |graph| {
            let upper: u64 = graph.upper.iter().map(|level| level.ids.size_bytes() + level.links.size_bytes()).sum();
            graph.base.size_bytes() + upper
        });
        let tiers = self.walked.iter().chain(&self.refine).map(|tier| tier.size_bytes()).sum::<u64>();
        graph + tiers + self.norms.size_bytes() + self.present.as_ref().map_or(0, Array::size_bytes)
    }

    fn describe(&self) -> String {
        let Shape { m, ef_construction } = self.recipe.shape;
        let levels = self.graph.as_ref().map_or(0, |graph| graph.upper.len() + 1);
        let (rows, nodes) = (self.rows, self.nodes);
        let walked = match (&self.walked, self.recipe.ground) {
            (Some(tier), _) => tier.describe(),
            (None, Ground::Codes(_)) if nodes > 0 => "vectors, since no codes can be made of them".to_owned(),
            (None, _) => "vectors".to_owned(),
        };
        let refine = self.refine.as_ref().map_or(String::new(), |tier| format!(", refined by {}", tier.describe()));
        format!(
            "HNSW with M {m}, efConstruction {ef_construction} over {nodes} of {rows} rows on {levels} levels, \
             walked on {walked}{refine}"
        )
    }

    fn search(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        check::search(&self.spec, self.rows, rows, query, search, out)?;
        self.search_checked(rows, query, search, scratch, out)
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        format::save(self, out)
    }
}
