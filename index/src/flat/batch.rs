//! Many queries at once as a product of matrices, where that pays.

use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::scan::Keep;
use elanus_kernels::{AnyRows, BitmapView, F16, KeyRange, Metric, Number, Rows, TopK};

use crate::{Cancel, SearchError, Stats};

/// Queries from which the product pays for the packing of the rows.
const QUERIES_MIN: usize = 16;
/// Where less than one row in so many is kept, the kept ones are compared one by one.
const SPARSE: usize = 4;
/// Rows between two looks at whether the caller has cancelled.
const STEP: usize = 1 << 14;

/// Compares every query with every row that may be returned; `None` where the plain scan is as good or the only way.
#[expect(clippy::too_many_arguments, reason = "each is one independent thing that the caller lends")]
pub(super) fn try_batch(
    rows: AnyRows<'_>,
    first_id: u32,
    queries: AnyRows<'_>,
    metric: Metric,
    keep: Keep<'_>,
    range: KeyRange,
    cancel: &Cancel,
    outs: &mut [TopK],
) -> Option<Result<Stats, SearchError>> {
    let few = queries.len() < QUERIES_MIN || rows.len() < QUERIES_MIN;
    let known = matches!(metric, Metric::L2 | Metric::Ip | Metric::Cosine);
    if few || !known || !range.is_all() || keep.count(rows.len()) < rows.len() / SPARSE {
        return None;
    }
    if let (Some(rows), Some(queries)) = (rows.typed::<f32>(), queries.typed()) {
        return Some(batch(rows, first_id, queries, metric, keep, cancel, outs));
    }
    if let (Some(rows), Some(queries)) = (rows.typed::<F16>(), queries.typed()) {
        return Some(batch(rows, first_id, queries, metric, keep, cancel, outs));
    }
    if let (Some(rows), Some(queries)) = (rows.typed::<i8>(), queries.typed()) {
        return Some(batch(rows, first_id, queries, metric, keep, cancel, outs));
    }
    None
}

fn batch<E: Number>(
    rows: Rows<'_, E>,
    first_id: u32,
    queries: Rows<'_, E>,
    metric: Metric,
    keep: Keep<'_>,
    cancel: &Cancel,
    outs: &mut [TopK],
) -> Result<Stats, SearchError> {
    let gemm = Gemm::new(metric)?;
    let packed = gemm.pack(queries);
    let (mut scratch, mut words) = (Scratch::default(), Vec::new());
    let mut distances = 0;
    for start in (0..rows.len()).step_by(STEP) {
        if cancel.is_cancelled() {
            return Err(SearchError::Cancelled);
        }
        let end = rows.len().min(start + STEP);
        let view = if keep.is_all() {
            None
        } else {
            keep.write(start..end, &mut words);
            Some(BitmapView::new(&words, end - start))
        };
        let kept = view.map_or(end - start, |bits| bits.count_ones());
        gemm.search(&packed, rows.slice(start..end), first_id + start as u32, view, &mut scratch, outs);
        distances += (kept * queries.len()) as u64;
    }
    Ok(Stats { hops: 0, distances })
}
