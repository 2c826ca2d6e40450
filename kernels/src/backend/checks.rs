//! What every backend checks before its device sees a request.
use super::{BackendError, Caps, CorpusKind, Find, Queries, Resident};
use crate::{AnyRows, Metric, Number, Rows, TopK};

/// A base as the checks see it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its kind.
    pub kind: CorpusKind,
    /// Units of a row; 0 over codes.
    pub dim: usize,
    /// How many rows there are.
    pub len: usize,
}

/// Whether the device has a program.
///
/// # Errors
/// [`BackendError::Unsupported`].
pub fn supported(caps: &Caps, kind: CorpusKind, metric: Metric) -> Result<(), BackendError> {
    if caps.supports(kind, metric) { Ok(()) } else { Err(BackendError::Unsupported { kind, metric }) }
}

/// Checks a scan.
///
/// # Errors
/// When the queries do not fit the base, or one is not finite.
///
/// # Panics
/// When there is not a selection for each query, or a filter has not a bit for each row.
pub fn scan(base: &Shape, queries: Queries<'_>, find: &Find<'_>, out: &[TopK]) -> Result<(), BackendError> {
    assert_eq!(out.len(), queries.len(), "one selection for each query");
    assert!(find.keep.is_none_or(|keep| keep.len() == base.len), "one filter bit for each row");
    match (base.kind, queries) {
        (CorpusKind::Rows(_), Queries::Rows(rows)) => vectors(base, rows),
        (CorpusKind::Sq(_), Queries::Sq(_))
        | (CorpusKind::Pq4, Queries::Pq4(_))
        | (CorpusKind::RaBitQ, Queries::RaBitQ(_)) => Ok(()),
        _ => Err(BackendError::Kind { corpus: base.kind, queries: name(queries) }),
    }
}

/// Checks an assignment.
///
/// # Errors
/// When the rows do not fit the centroids, or there are rows and no centroid.
///
/// # Panics
/// When there is not one entry for each row.
pub fn assign(base: &Shape, rows: AnyRows<'_>, nearest: &[u32], keys: &[f32]) -> Result<(), BackendError> {
    assert_eq!((nearest.len(), keys.len()), (rows.len(), rows.len()), "one place and one key for each row");
    vectors(base, rows)?;
    if base.len == 0 && !rows.is_empty() { Err(BackendError::NoCentroid) } else { Ok(()) }
}

/// Checks a block of distances.
///
/// # Errors
/// When the queries do not fit the base, or one is not finite.
///
/// # Panics
/// When there is not one place for each pair.
pub fn distances(base: &Shape, queries: AnyRows<'_>, keys: &[f32]) -> Result<(), BackendError> {
    assert_eq!(Some(keys.len()), queries.len().checked_mul(base.len), "one key for each query and row");
    vectors(base, queries)
}

/// What queries are, for people.
pub const fn name(queries: Queries<'_>) -> &'static str {
    match queries {
        Queries::Rows(rows) => rows.element().name(),
        Queries::Sq(_) => "queries of a scalar quantizer",
        Queries::Pq4(_) => "tables of product codes",
        Queries::RaBitQ(_) => "RaBitQ queries",
    }
}

fn vectors(base: &Shape, queries: AnyRows<'_>) -> Result<(), BackendError> {
    if base.kind != CorpusKind::Rows(queries.element()) {
        return Err(BackendError::Kind { corpus: base.kind, queries: name(Queries::Rows(queries)) });
    }
    if base.dim != queries.dim() {
        return Err(BackendError::Dim { want: base.dim, got: queries.dim() });
    }
    let found = match queries {
        AnyRows::F32(rows) => not_finite(rows),
        AnyRows::F16(rows) => not_finite(rows),
        AnyRows::Bf16(rows) => not_finite(rows),
        AnyRows::I8(_) | AnyRows::U8(_) | AnyRows::U4(_) | AnyRows::Binary(_) => None,
    };
    found.map_or(Ok(()), |query| Err(BackendError::NotFinite { query }))
}

/// The first row with a component that is not finite.
fn not_finite<E: Number>(rows: Rows<'_, E>) -> Option<usize> {
    rows.data().iter().position(|value| !value.to_f32().is_finite()).map(|at| at / rows.dim())
}

impl Shape {
    /// The shape of what a backend holds, with `dim` units a row.
    pub fn new(held: &dyn Resident, dim: usize) -> Self {
        Self { kind: held.kind(), dim, len: held.len() }
    }
}
