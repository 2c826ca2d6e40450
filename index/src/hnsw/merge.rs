//! An index made from those of parts of its rows.

use elanus_kernels::{AnyRows, BitmapView, Metric};

use super::index::HnswIndex;
use super::recipe::Recipe;
use crate::graph::build::{self, Part};
use crate::graph::space::Shaped;
use crate::{BuildCx, BuildError, Index, MergePart, Spec};

/// With fewer rows a fresh build compares nearly all with all, and takes no longer.
const ROWS_MIN: usize = 2000;
/// The largest part has this share of the rows at least: the rows of all others look for neighbours one by one, which
/// takes most of the time that a fresh build takes for a row.
const LARGEST_MIN: f64 = 0.55;

/// The graph inside an index of some type, if there is one.
pub(crate) type Inside = for<'a> fn(&'a dyn Index) -> Option<&'a HnswIndex>;

impl HnswIndex {
    /// Rows of parts that have no such graph `inside` count as rows without links. Codes, and all that is measured, are
    /// made anew. `None` when a fresh build would not take much longer.
    pub(crate) fn merge(
        spec: &Spec,
        recipe: Recipe,
        parts: &[MergePart<'_>],
        (rows, present): (AnyRows<'_>, Option<BitmapView<'_>>),
        cx: &BuildCx<'_>,
        inside: Inside,
    ) -> Result<Option<Self>, BuildError> {
        let mut graphs: Vec<Part<'_>> = Vec::new();
        let mut largest = 0;
        for part in parts {
            let index = inside(part.index).filter(|index| index.is_like(spec, recipe));
            let Some((index, graph)) = index.and_then(|index| Some((index, index.graph.as_ref()?))) else { continue };
            graphs.push(Part { graph, row: part.row });
            largest = largest.max((0..index.rows as u32).filter(|row| (part.row)(*row).is_some()).count());
        }
        let pays = rows.len() >= ROWS_MIN && largest as f64 >= LARGEST_MIN * rows.len() as f64;
        // For the inner product narrow searches would find less than in a fresh graph.
        if pays && spec.metric() != Metric::Ip {
            Self::join(spec, recipe, &graphs, (rows, present), cx)
        } else {
            Ok(None)
        }
    }

    /// The same whether it pays or not; `None` where it cannot be done.
    fn join(
        spec: &Spec,
        recipe: Recipe,
        parts: &[Part<'_>],
        (rows, present): (AnyRows<'_>, Option<BitmapView<'_>>),
        cx: &BuildCx<'_>,
    ) -> Result<Option<Self>, BuildError> {
        let (index, usable) = Self::bare(spec, recipe, rows, present, cx)?;
        let nodes: Vec<u32> = usable.iter_ones().map(|i| i as u32).collect();
        let space = Shaped::new(spec.metric(), rows, nodes.iter().copied());
        let graph = build::merge(recipe.shape, &space, &nodes, parts, cx)?;
        graph.map(|graph| index.dressed(Some(graph), rows, &usable, cx)).transpose()
    }

    /// Whether its graph could be one of that recipe over rows of that spec.
    fn is_like(&self, spec: &Spec, recipe: Recipe) -> bool {
        let vectors = |spec: &Spec| (spec.element(), spec.dim(), spec.metric());
        vectors(&self.spec) == vectors(spec) && self.recipe.shape == recipe.shape
    }
}

#[cfg(test)]
mod tests;
