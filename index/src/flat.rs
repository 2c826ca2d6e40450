//! Exact search by comparing every row: the FLAT index, and the scans used on rows that no index covers.

mod batch;

use std::io::{self, Write};

use elanus_kernels::scan::{Keep, Scan};
use elanus_kernels::{
    AnyRows, Bitmap, BitmapView, Element, ElementType, Kernel, KeyRange, Metric, Rows, TopK, Vector, with_element,
};

use crate::array::Array;
use crate::check;
use crate::container::{self, Container, Kind, Part, Tag};
use crate::{
    Blob, BuildCx, BuildError, Cancel, Index, IndexFactory, OpenCx, OpenError, Param, Scratch, Search, SearchError,
    Spec, Stats,
};

/// FLAT: every search compares the query with every row, so the answer is exact.
#[derive(Clone, Copy, Debug)]
pub struct Flat;

impl IndexFactory for Flat {
    fn name(&self) -> &'static str {
        "FLAT"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["BRUTE_FORCE"]
    }

    fn params(&self) -> &'static [Param] {
        &[]
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        element.supports(metric)
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name(), rows, present, u32::MAX as usize)?;
        Ok(Box::new(FlatIndex::build(spec, rows, present, cx)?))
    }

    fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        Ok(Box::new(FlatIndex::open(&Container::read(&blob)?, spec)?))
    }
}

/// A FLAT index: nothing but which rows have a vector.
#[derive(Debug)]
pub(crate) struct FlatIndex {
    spec: Spec,
    rows: usize,
    nodes: usize,
    present: Option<Array<u64>>,
}

impl FlatIndex {
    /// The spec may be of another factory that chose this index inside.
    pub(crate) fn build(
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Self, BuildError> {
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        check::kernel(rows.element(), spec.metric())?;
        let rows = rows.len();
        let nodes = present.map_or(rows, |bits| bits.count_ones());
        let words = present.filter(|_| nodes < rows).map(|bits| {
            let mut owned = Bitmap::full(rows);
            owned.and_with(bits);
            Array::Owned(owned.words().to_vec())
        });
        (cx.progress)(rows as u64, rows as u64);
        Ok(Self { spec: spec.clone(), rows, nodes, present: words })
    }

    pub(crate) fn open(container: &Container, spec: &Spec) -> Result<Self, OpenError> {
        container.expect_kind(Kind::Flat)?;
        check::kernel(spec.element(), spec.metric())?;
        let meta = container::read_meta(container, spec, container::META_SHARED)?;
        let (rows, nodes) = (meta[3], meta[4]);
        if rows > u64::from(u32::MAX) {
            return Err(container.need(Tag::Meta, 0)?.refuse(3, 8, "more rows than ids", rows));
        }
        let present = container::read_present(container, rows, nodes)?;
        let want = 1 + usize::from(present.is_some());
        if container.len() != want {
            return Err(OpenError::Mismatch { what: "sections", want: want as u64, got: container.len() as u64 });
        }
        Ok(Self { spec: spec.clone(), rows: rows as usize, nodes: nodes as usize, present })
    }

    /// Which rows have a vector; `None` when all have one.
    pub(crate) fn present(&self) -> Option<BitmapView<'_>> {
        self.present.as_ref().map(|words| BitmapView::new(words.as_slice(), self.rows))
    }

    /// How many rows have a vector.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }
}

impl Index for FlatIndex {
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
        self.present.as_ref().map_or(0, Array::size_bytes)
    }

    fn describe(&self) -> String {
        format!("FLAT over {} of {} rows", self.nodes, self.rows)
    }

    fn search(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        _scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        check::search(&self.spec, self.rows, rows, query, search, out)?;
        let keep = keep_of(search.filter, 0, self.present());
        scan_any(rows, 0, query, self.spec.metric(), keep, search.range, search.cancel, out)
    }

    fn search_many(
        &self,
        rows: AnyRows<'_>,
        queries: AnyRows<'_>,
        search: &Search<'_>,
        _scratch: &mut Scratch,
        outs: &mut [TopK],
    ) -> Result<Stats, SearchError> {
        check::search_many(&self.spec, self.rows, rows, queries, search, outs)?;
        let keep = keep_of(search.filter, 0, self.present());
        scan_any_many(rows, 0, queries, self.spec.metric(), keep, search.range, search.cancel, outs)
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        let meta = container::shared_meta(&self.spec, self.rows, self.nodes);
        let mut parts = vec![Part { tag: Tag::Meta, item: 0, bytes: bytemuck::cast_slice(&meta) }];
        parts.extend(self.present.as_ref().map(|words| Part { tag: Tag::Present, item: 0, bytes: words.as_bytes() }));
        container::write(out, Kind::Flat, &parts)
    }
}

/// Adds to `out` the nearest of `rows` to `query`; row `i` is called `first_id + i`, and so is its bit in `filter`.
///
/// # Errors
/// When the shapes do not fit, the query is not finite, or the caller cancelled.
#[expect(clippy::too_many_arguments, reason = "each is one independent thing that the caller lends")]
pub fn scan(
    rows: AnyRows<'_>,
    first_id: u32,
    query: Vector<'_>,
    metric: Metric,
    filter: Option<BitmapView<'_>>,
    range: KeyRange,
    cancel: &Cancel,
    out: &mut TopK,
) -> Result<Stats, SearchError> {
    check::shapes(rows, query.element(), query.dim())?;
    check::finite(query)?;
    check::ids(rows, first_id, filter)?;
    let keep = keep_of(filter, first_id as usize, None);
    scan_any(rows, first_id, query, metric, keep, range, cancel, out)
}

/// [`scan`] for several queries at once, one result holder for each: a block of rows is read once for all of them.
///
/// # Errors
/// As [`scan`]; also when there are not as many holders as queries.
#[expect(clippy::too_many_arguments, reason = "each is one independent thing that the caller lends")]
pub fn scan_many(
    rows: AnyRows<'_>,
    first_id: u32,
    queries: AnyRows<'_>,
    metric: Metric,
    filter: Option<BitmapView<'_>>,
    range: KeyRange,
    cancel: &Cancel,
    outs: &mut [TopK],
) -> Result<Stats, SearchError> {
    check::shapes(rows, queries.element(), queries.dim())?;
    if queries.len() != outs.len() {
        return Err(SearchError::Holder { want: queries.len(), got: outs.len() });
    }
    (0..queries.len()).try_for_each(|i| check::finite(queries.row(i)))?;
    check::ids(rows, first_id, filter)?;
    let keep = keep_of(filter, first_id as usize, None);
    scan_any_many(rows, first_id, queries, metric, keep, range, cancel, outs)
}

/// [`scan_many`] of checked arguments.
#[expect(clippy::too_many_arguments, reason = "each is one independent thing that the caller lends")]
fn scan_any_many(
    rows: AnyRows<'_>,
    first_id: u32,
    queries: AnyRows<'_>,
    metric: Metric,
    keep: Keep<'_>,
    range: KeyRange,
    cancel: &Cancel,
    outs: &mut [TopK],
) -> Result<Stats, SearchError> {
    if let Some(stats) = batch::try_batch(rows, first_id, queries, metric, keep, range, cancel, outs) {
        return stats;
    }
    with_element!(AnyRows, rows, typed => match queries.typed() {
        Some(queries) => CancelScan::new(typed, first_id, metric, keep, range, cancel)?.many(queries, outs),
        None => Err(SearchError::Element { want: rows.element(), got: queries.element() }),
    })
}

/// [`scan`] of checked arguments.
#[expect(clippy::too_many_arguments, reason = "each is one independent thing that the caller lends")]
pub(crate) fn scan_any(
    rows: AnyRows<'_>,
    first_id: u32,
    query: Vector<'_>,
    metric: Metric,
    keep: Keep<'_>,
    range: KeyRange,
    cancel: &Cancel,
    out: &mut TopK,
) -> Result<Stats, SearchError> {
    with_element!(AnyRows, rows, typed => match query.typed() {
        Some(query) => CancelScan::new(typed, first_id, metric, keep, range, cancel)?.one(query, out),
        None => Err(SearchError::Element { want: rows.element(), got: query.element() }),
    })
}

/// The rows that a filter and an index's own bitmap have; bit `first + i` of the filter speaks for row `i`.
pub(crate) fn keep_of<'a>(filter: Option<BitmapView<'a>>, first: usize, present: Option<BitmapView<'a>>) -> Keep<'a> {
    let filtered = filter.map_or(Keep::ALL, |bits| Keep::new(bits, first));
    present.map_or(filtered, |bits| filtered.and(bits, 0))
}

/// A scan that its caller can cancel.
pub(crate) struct CancelScan<'a, E: Element> {
    scan: Scan<'a, E>,
    cancel: &'a Cancel,
}

impl<'a, E: Element> CancelScan<'a, E> {
    pub(crate) fn new(
        rows: Rows<'a, E>,
        first_id: u32,
        metric: Metric,
        keep: Keep<'a>,
        range: KeyRange,
        cancel: &'a Cancel,
    ) -> Result<Self, SearchError> {
        let scan = Scan::new(Kernel::new(metric)?, rows, first_id).keep(keep).within(range);
        Ok(Self { scan, cancel })
    }

    /// Compares one query with every row that may be returned.
    pub(crate) fn one(&self, query: &[E], out: &mut TopK) -> Result<Stats, SearchError> {
        let mut distances = 0;
        for step in self.scan.steps(1) {
            self.go_on()?;
            distances += self.scan.one(query, step, out);
        }
        Ok(Stats { hops: 0, distances })
    }

    /// Compares every query with every row that may be returned.
    fn many(&self, queries: Rows<'_, E>, outs: &mut [TopK]) -> Result<Stats, SearchError> {
        let mut distances = 0;
        for step in self.scan.steps(queries.len()) {
            self.go_on()?;
            distances += self.scan.many(queries, step, outs);
        }
        Ok(Stats { hops: 0, distances })
    }

    fn go_on(&self) -> Result<(), SearchError> {
        if self.cancel.is_cancelled() { Err(SearchError::Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
