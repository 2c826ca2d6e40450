//! HNSW: a graph of near neighbours with a hierarchy above it, after Malkov and Yashunin.

mod format;
mod search;

use elanus_kernels::{
    AnyRows, Bitmap, BitmapView, ElementType, F16, Kernel, KernelError, Metric, Number, Rows, TopK, Vector,
};
use std::io::{self, Write};

use crate::array::Array;
use crate::check;
use crate::container::Container;
use crate::graph::links::Graph;
use crate::graph::scorer::Scorer;
use crate::graph::{MAX_NODE, Shape, build};
use crate::tier::rows::inverse;
use crate::{
    Blob, BuildCx, BuildError, Index, IndexFactory, OpenCx, OpenError, Param, ParamKind, ParamSet, Scratch, Search,
    SearchError, Spec, Stage, Stats,
};

/// The search parameter of every index that may be a graph inside.
pub(crate) const EF: Param = Param {
    name: "ef",
    aliases: &[],
    kind: ParamKind::Int { min: 1, max: 32_768, default: None },
    stage: Stage::Search,
    doc: "Candidates kept during a search, at least k; more find more of the true neighbours and take longer. \
          When not given: k, but at least 64.",
};
/// The width of a search that says nothing of it, unless it wants more rows than that.
const EF_DEFAULT: usize = 64;

const PARAMS: &[Param] = &[
    Param {
        name: "M",
        aliases: &["m"],
        kind: ParamKind::Int { min: 2, max: 2048, default: Some(30) },
        stage: Stage::Build,
        doc: "Links of a node on each upper level at most; twice as many on the lowest.",
    },
    Param {
        name: "efConstruction",
        aliases: &["ef_construction"],
        kind: ParamKind::Int { min: 1, max: i32::MAX as i64, default: Some(360) },
        stage: Stage::Build,
        doc: "Candidates kept while the neighbours of a new node are searched.",
    },
    EF,
];

/// HNSW over full vectors.
#[derive(Clone, Copy, Debug)]
pub struct Hnsw;

impl IndexFactory for Hnsw {
    fn name(&self) -> &'static str {
        "HNSW"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    fn params(&self) -> &'static [Param] {
        PARAMS
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16) && element.supports(metric)
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name(), rows, present, MAX_NODE as usize)?;
        Ok(Box::new(HnswIndex::build(spec, shape(spec.params()), rows, present, cx)?))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        Ok(Box::new(HnswIndex::open(&Container::read(&blob)?, spec, shape(spec.params()))?))
    }
}

/// The shape that parsed parameters ask for; both have defaults, so the alternatives are never taken.
fn shape(params: &ParamSet) -> Shape {
    let get = |name, or: i64| params.get_int(name).unwrap_or(or) as usize;
    Shape { m: get("M", 30), ef_construction: get("efConstruction", 360) }
}

/// The beam width that search parameters ask for.
pub(crate) fn width(params: &ParamSet, k: usize) -> Result<usize, SearchError> {
    match params.get_int(EF.name) {
        Some(ef) if (ef as usize) < k => Err(SearchError::BelowK { name: EF.name, value: ef as usize, k }),
        Some(ef) => Ok(ef as usize),
        None => Ok(k.max(EF_DEFAULT)),
    }
}

/// A built graph.
#[derive(Debug)]
pub(crate) struct HnswIndex {
    spec: Spec,
    shape: Shape,
    rows: usize,
    /// Rows that are in the graph.
    nodes: usize,
    /// Which they are, unless all are.
    present: Option<Array<u64>>,
    /// Inverse norms of the rows for cosine, else empty.
    norms: Array<f32>,
    /// `None` when there are no nodes.
    graph: Option<Graph>,
}

impl HnswIndex {
    /// The spec may be of another factory that chose this index and its shape.
    pub(crate) fn build(
        spec: &Spec,
        shape: Shape,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Self, BuildError> {
        match rows {
            AnyRows::F32(rows) => Self::build_typed(spec, shape, rows, present, cx),
            AnyRows::F16(rows) => Self::build_typed(spec, shape, rows, present, cx),
            AnyRows::Bf16(_) | AnyRows::I8(_) | AnyRows::U8(_) | AnyRows::U4(_) | AnyRows::Binary(_) => {
                Err(KernelError::Unsupported { metric: spec.metric(), element: rows.element() }.into())
            }
        }
    }

    fn build_typed<E: Number>(
        spec: &Spec,
        shape: Shape,
        rows: Rows<'_, E>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Self, BuildError> {
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        (cx.progress)(0, rows.len() as u64);
        let kernel = Kernel::<E>::new(spec.metric())?;
        let beside = spec.metric() == Metric::Cosine;
        let mut norms: Vec<f32> = rows.iter().filter(|_| beside).map(|row| kernel.norm(row)).collect();
        // A row that is not finite has no place among neighbours: its keys are NaN or infinite.
        let usable = Bitmap::from_fn(rows.len(), |i| {
            present.is_none_or(|bits| bits.get(i))
                && check::all_finite(rows.row(i))
                && norms.get(i).is_none_or(|norm| norm.is_finite())
        });
        // Where a row is not in the graph its norm is never used, but is saved: it must be a number.
        norms.iter_mut().enumerate().for_each(|(i, norm)| {
            *norm = if usable.get(i) { inverse(*norm) } else { 0.0 };
        });
        let nodes = usable.count_ones();
        let scorer = Scorer::new(spec.metric(), rows, &norms)?;
        let graph = build::build(shape, scorer, usable.iter_ones().map(|i| i as u32), cx)?;
        (cx.progress)(rows.len() as u64, rows.len() as u64);
        let present = (nodes < rows.len()).then(|| Array::Owned(usable.words().to_vec()));
        let spec = spec.clone();
        Ok(Self { spec, shape, rows: rows.len(), nodes, present, norms: Array::Owned(norms), graph })
    }
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
        graph + self.norms.size_bytes() + self.present.as_ref().map_or(0, Array::size_bytes)
    }

    fn describe(&self) -> String {
        let Shape { m, ef_construction } = self.shape;
        let levels = self.graph.as_ref().map_or(0, |graph| graph.upper.len() + 1);
        format!(
            "HNSW with M {m}, efConstruction {ef_construction} over {} of {} rows on {levels} levels",
            self.nodes, self.rows
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
        if let (Some(rows), Some(query)) = (rows.typed::<f32>(), query.typed()) {
            return self.search_typed(rows, query, search, scratch, out);
        }
        if let (Some(rows), Some(query)) = (rows.typed::<F16>(), query.typed()) {
            return self.search_typed(rows, query, search, scratch, out);
        }
        Err(SearchError::Element { want: self.spec.element(), got: query.element() })
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        format::save(self, out)
    }
}

#[cfg(test)]
mod tests;
