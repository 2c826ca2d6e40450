//! Checks of what callers hand in, shared by the index types.

use elanus_kernels::{AnyRows, BitmapView, ElementType, KernelError, Metric, Number, TopK, Vector, dispatch};

use crate::{OpenError, Search, SearchError, Spec};

/// Whether a distance kernel can be had at all.
pub(crate) fn kernel(element: ElementType, metric: Metric) -> Result<(), KernelError> {
    if element.supports(metric) {
        dispatch::choice()?;
        return Ok(());
    }
    Err(KernelError::Unsupported { metric, element })
}

/// Whether the spec is of the factory called `name`.
pub(crate) fn open_spec(spec: &Spec, name: &'static str) -> Result<(), OpenError> {
    let got = spec.factory().name();
    if got == name { Ok(()) } else { Err(OpenError::Factory { want: name, got }) }
}

/// Whether rows and query fit the index and the search, and the query is finite.
pub(crate) fn search(
    spec: &Spec,
    len: usize,
    rows: AnyRows<'_>,
    query: Vector<'_>,
    search: &Search<'_>,
    out: &TopK,
) -> Result<(), SearchError> {
    if rows.element() != spec.element() {
        return Err(SearchError::Element { want: spec.element(), got: rows.element() });
    }
    if rows.dim() != spec.dim() {
        return Err(SearchError::Dim { want: spec.dim(), got: rows.dim() });
    }
    if rows.len() != len {
        return Err(SearchError::Rows { want: len, got: rows.len() });
    }
    shapes(rows, query.element(), query.dim())?;
    if let Some(filter) = search.filter.filter(|filter| filter.len() != len) {
        return Err(SearchError::Filter { want: len, got: filter.len() });
    }
    if out.k() != search.k {
        return Err(SearchError::Holder { want: search.k, got: out.k() });
    }
    finite(query)
}

/// Whether rows and queries fit the index and the search, there is a holder for each query, and all are finite.
pub(crate) fn search_many(
    spec: &Spec,
    len: usize,
    rows: AnyRows<'_>,
    queries: AnyRows<'_>,
    one: &Search<'_>,
    outs: &[TopK],
) -> Result<(), SearchError> {
    if queries.len() != outs.len() {
        return Err(SearchError::Holder { want: queries.len(), got: outs.len() });
    }
    // What is asked of an empty batch is checked as well as it can be.
    shapes(rows, queries.element(), queries.dim())?;
    (0..queries.len()).try_for_each(|number| search(spec, len, rows, queries.row(number), one, &outs[number]))
}

/// Whether a query of that shape can be compared with the rows.
pub(crate) fn shapes(rows: AnyRows<'_>, element: ElementType, dim: usize) -> Result<(), SearchError> {
    if element != rows.element() {
        return Err(SearchError::Element { want: rows.element(), got: element });
    }
    if dim != rows.dim() {
        return Err(SearchError::Dim { want: rows.dim(), got: dim });
    }
    Ok(())
}

/// Whether row ids from `first_id` on are ids, and the filter has a bit for each.
pub(crate) fn ids(rows: AnyRows<'_>, first_id: u32, filter: Option<BitmapView<'_>>) -> Result<(), SearchError> {
    let end = first_id as usize + rows.len();
    if end > u32::MAX as usize {
        return Err(SearchError::Rows { want: (u32::MAX - first_id) as usize, got: rows.len() });
    }
    match filter {
        Some(filter) if filter.len() < end => Err(SearchError::Filter { want: end, got: filter.len() }),
        Some(_) | None => Ok(()),
    }
}

/// Whether every value of the query is a finite number.
pub(crate) fn finite(query: Vector<'_>) -> Result<(), SearchError> {
    let found = match query {
        Vector::F32(values) => first_bad(values),
        Vector::F16(values) => first_bad(values),
        Vector::Bf16(values) => first_bad(values),
        // Bytes have no other values.
        Vector::I8(_) | Vector::U8(_) | Vector::U4(_) | Vector::Binary(_) => None,
    };
    found.map_or(Ok(()), |(position, value)| Err(SearchError::NotFinite { position, value }))
}

/// The first value that is NaN or infinite.
fn first_bad<E: Number>(values: &[E]) -> Option<(usize, f32)> {
    // The sum of zero times each value is zero unless one of them is not finite, and needs no branch for each.
    if values.iter().map(|value| value.to_f32() * 0.0).sum::<f32>() == 0.0 {
        return None;
    }
    values.iter().map(|value| value.to_f32()).enumerate().find(|(_, value)| !value.is_finite())
}

/// Whether every value is a finite number.
pub(crate) fn all_finite<E: Number>(values: &[E]) -> bool {
    first_bad(values).is_none()
}
