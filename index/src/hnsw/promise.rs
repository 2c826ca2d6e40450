//! The width that a recall asks for: measured when the index is built, read by each search that names a recall.

use elanus_kernels::ElementType;

use super::index::HnswIndex;
use super::search::{exact_keys, rescore};
use crate::graph::links::Graph;
use crate::graph::stop::Stop;
use crate::graph::walk::Walk;
use crate::plan::calibrate::{self, Calibration, Truth};
use crate::tier::Keys;
use crate::tier::rows::Lent;
use crate::tier::source::{self, Source};
use crate::{BuildCx, BuildError, Scratch, SearchError, Stats};

/// Measures; `None` for small indexes and those of vectors that are not numbers.
pub(super) fn measure(
    index: &HnswIndex,
    source: &Source<'_>,
    cx: &BuildCx<'_>,
) -> Result<Option<Calibration>, BuildError> {
    let Some(graph) =
        index.graph.as_ref().filter(|_| index.nodes >= calibrate::FROM && source.rows.element() != ElementType::Binary)
    else {
        return Ok(None);
    };
    // A row of an upper level would be found from there, without the walk that a query takes.
    let is_above = |row: &u32| graph.upper.first().is_some_and(|level| level.ids.as_slice().binary_search(row).is_ok());
    let usable = source.usable.iter_ones().map(|row| row as u32);
    let rows = calibrate::samples(usable.filter(|row| !is_above(row)), cx.seed);
    let write = |row: usize, to: &mut [f32]| source.write(row, to);
    let shape = (&rows[..], source.len(), source.dim());
    let truth = Truth::of(shape, source.code_metric(), source.usable.view(), write, cx.cancel)?;
    let Some(truth) = truth else { return Err(BuildError::Cancelled) };
    // A search that is refused finds nothing, and promises nothing.
    let search = |sample: usize, ef: usize, count: usize, scratch: &mut Scratch, found: &mut Vec<u32>| {
        drop(without_itself(index, graph, source, (rows[sample], ef, count), scratch, found));
    };
    Calibration::measure(&truth, search, cx).map(Some).ok_or(BuildError::Cancelled)
}

/// What a search finds for a row of the index as if the row were not in it.
fn without_itself(
    index: &HnswIndex,
    graph: &Graph,
    source: &Source<'_>,
    (row, ef, count): (u32, usize, usize),
    scratch: &mut Scratch,
    out: &mut Vec<u32>,
) -> Result<(), SearchError> {
    let query = source.rows.row(row as usize);
    let values = source::query(source.metric, query);
    let lent = Lent::new(source.metric, source.rows, index.norms.as_slice());
    let tier: Box<dyn Keys + '_> = match &index.walked {
        Some(tier) => tier.bind(&values)?,
        None => lent.bind(query)?,
    };
    let (walk, mut stats) = (Walk { tier: &*tier }, Stats::default());
    scratch.found.clear();
    let start = walk.descend(graph, 0, scratch, &mut stats);
    let stop = Stop { without: Some(row), ..Stop::NEVER };
    walk.stopping(graph.ground(), (start, index.fit.width(ef)), stop, scratch, &mut stats);
    let Scratch { found, ids, keys, .. } = scratch;
    found.truncate(if index.walked.is_some() { index.fit.refined(count, ef) } else { count });
    if let Some(refine) = &index.refine {
        rescore(&*refine.bind(&values)?, found, ids, keys, &mut stats);
        found.sort_unstable();
        found.truncate(count);
    }
    rescore(&*exact_keys(source.metric, source.rows, query)?, found, ids, keys, &mut stats);
    found.sort_unstable();
    out.extend(found.iter().map(|candidate| candidate.node()));
    Ok(())
}
