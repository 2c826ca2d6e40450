//! Lists searched with the parameters of a graph: a width, or a recall for which the width was measured at the build.

use elanus_kernels::{AnyRows, Bitmap, KeyRange, TopK, Vector};

use super::IvfIndex;
use super::search::Effort;
use crate::hnsw::{Width, width};
use crate::plan::calibrate::{self, Calibration, Truth};
use crate::tier::source::Source;
use crate::{BuildCx, BuildError, ParamSet, Scratch, Search, SearchError, Stats};

impl IvfIndex {
    /// Searches with `ef` or `recall` among the parameters, as a graph is searched.
    ///
    /// # Errors
    /// As for a graph.
    pub(crate) fn search_as_graph(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        let width = match width(search.params, search.k)? {
            Width::Of(width) => Some(width),
            Width::For(recall) => self.promise.as_ref().and_then(|promise| promise.width(recall as f32, search.k)),
        };
        let effort = width.map_or(Effort::ALL, |width| Effort::like(width, self.list_count(), search.k));
        self.search_by(effort, rows, query, search, scratch, out)
    }

    /// Measures which widths find how much.
    ///
    /// # Errors
    /// When the build is cancelled or no kernel can be had.
    pub(crate) fn measure(&mut self, rows: AnyRows<'_>, usable: &Bitmap, cx: &BuildCx<'_>) -> Result<(), BuildError> {
        if self.nodes < calibrate::FROM {
            return Ok(());
        }
        let source = Source { metric: self.spec.metric(), rows, usable };
        let sampled = calibrate::samples(usable.iter_ones().map(|row| row as u32), cx.seed);
        let shape = (&sampled[..], rows.len(), rows.dim());
        let write = |row: usize, to: &mut [f32]| source.write(row, to);
        let truth = Truth::of(shape, source.code_metric(), usable.view(), write, cx.cancel)?;
        let Some(truth) = truth else { return Err(BuildError::Cancelled) };
        let params = ParamSet::empty();
        let search = |sample: usize, width: usize, count: usize, scratch: &mut Scratch, found: &mut Vec<u32>| {
            // One more, since each row finds itself.
            let (own, k) = (sampled[sample], count + 1);
            let asked = Search { k, params: &params, filter: None, range: KeyRange::ALL, cancel: cx.cancel };
            let (effort, mut out) = (Effort::like(width, self.list_count(), k), TopK::new(k));
            let query = rows.row(own as usize);
            // A search that fails finds nothing, and promises nothing.
            if self.search_by(effort, rows, query, &asked, scratch, &mut out).is_ok() {
                found.extend(out.into_sorted().iter().map(|near| near.id).filter(|id| *id != own));
            }
        };
        let measured = Calibration::measure(&truth, search, cx);
        self.promise = Some(measured.ok_or(BuildError::Cancelled)?);
        Ok(())
    }
}
