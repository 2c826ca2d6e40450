//! Rows and codes in pieces that never change once they are in a list.
//!
//! An appended piece is joined with the ones before it as a binary counter carries, so that a row is copied a
//! logarithmic number of times and there are few pieces. A reader holds the list that it began with.

use std::sync::Arc;

use elanus_kernels::codes::dot::Records;
use elanus_kernels::{AnyRows, Bf16, F16, Rows};

use super::shared::SharedRows;
use crate::array::Lines;

/// Some rows in the order of their ids.
pub(super) trait Piece: Sized {
    /// The id of the first row.
    fn first(&self) -> u32;
    /// How many rows there are.
    fn len(&self) -> usize;
    /// Whether it may be joined with others.
    fn joins(&self) -> bool {
        true
    }
    /// Pieces that follow each other and may be joined, of which there is at least one, as one.
    fn joined(parts: &[Arc<Self>]) -> Arc<Self>;
}

/// The values of rows, one after another.
pub(super) enum Values {
    F32(Vec<f32>),
    F16(Vec<F16>),
    Bf16(Vec<Bf16>),
    I8(Vec<i8>),
}

impl Values {
    /// None, with room for so many.
    fn of_same_type(&self, room: usize) -> Self {
        match self {
            Self::F32(_) => Self::F32(Vec::with_capacity(room)),
            Self::F16(_) => Self::F16(Vec::with_capacity(room)),
            Self::Bf16(_) => Self::Bf16(Vec::with_capacity(room)),
            Self::I8(_) => Self::I8(Vec::with_capacity(room)),
        }
    }

    /// Adds values of the same type.
    fn extend(&mut self, from: &Self) {
        match (self, from) {
            (Self::F32(to), Self::F32(from)) => to.extend_from_slice(from),
            (Self::F16(to), Self::F16(from)) => to.extend_from_slice(from),
            (Self::Bf16(to), Self::Bf16(from)) => to.extend_from_slice(from),
            (Self::I8(to), Self::I8(from)) => to.extend_from_slice(from),
            (Self::F32(_) | Self::F16(_) | Self::Bf16(_) | Self::I8(_), _) => {}
        }
    }

    /// The values as rows; `None` is never returned for values of whole rows.
    fn rows(&self, dim: usize) -> Option<AnyRows<'_>> {
        match self {
            Self::F32(values) => Rows::new(values, dim).ok().map(AnyRows::F32),
            Self::F16(values) => Rows::new(values, dim).ok().map(AnyRows::F16),
            Self::Bf16(values) => Rows::new(values, dim).ok().map(AnyRows::Bf16),
            Self::I8(values) => Rows::new(values, dim).ok().map(AnyRows::I8),
        }
    }
}

/// Rows as they were appended, or as somebody else keeps them.
pub(super) struct RowPiece {
    first: u32,
    len: usize,
    kept: Kept,
}

/// Who keeps the rows of a piece.
enum Kept {
    Here { dim: usize, values: Values },
    Elsewhere(Arc<dyn SharedRows>),
}

impl RowPiece {
    /// Copies rows; `None` for an element type that is not kept.
    pub(super) fn new(first: u32, rows: AnyRows<'_>) -> Option<Self> {
        let values = match rows {
            AnyRows::F32(rows) => Values::F32(rows.data().to_vec()),
            AnyRows::F16(rows) => Values::F16(rows.data().to_vec()),
            AnyRows::Bf16(rows) => Values::Bf16(rows.data().to_vec()),
            AnyRows::I8(rows) => Values::I8(rows.data().to_vec()),
            AnyRows::U8(_) | AnyRows::U4(_) | AnyRows::Binary(_) => return None,
        };
        Some(Self { first, len: rows.len(), kept: Kept::Here { dim: rows.dim(), values } })
    }

    /// Holds on to `len` rows that are kept elsewhere.
    pub(super) fn shared(first: u32, len: usize, rows: Arc<dyn SharedRows>) -> Self {
        Self { first, len, kept: Kept::Elsewhere(rows) }
    }

    /// The rows; `None` only where somebody else no longer has those that were shared.
    pub(super) fn rows(&self) -> Option<AnyRows<'_>> {
        let rows = match &self.kept {
            Kept::Here { dim, values } => values.rows(*dim),
            Kept::Elsewhere(rows) => rows.rows(),
        };
        rows.filter(|rows| rows.len() == self.len)
    }

    /// Bytes of the values that are kept here.
    pub(super) fn size_bytes(&self) -> usize {
        match &self.kept {
            Kept::Here { values: Values::F32(values), .. } => size_of_val(values.as_slice()),
            Kept::Here { values: Values::F16(values), .. } => size_of_val(values.as_slice()),
            Kept::Here { values: Values::Bf16(values), .. } => size_of_val(values.as_slice()),
            Kept::Here { values: Values::I8(values), .. } => size_of_val(values.as_slice()),
            Kept::Elsewhere(_) => 0,
        }
    }

    fn values(&self) -> Option<(usize, &Values)> {
        match &self.kept {
            Kept::Here { dim, values } => Some((*dim, values)),
            Kept::Elsewhere(_) => None,
        }
    }
}

impl Piece for RowPiece {
    fn first(&self) -> u32 {
        self.first
    }

    fn len(&self) -> usize {
        self.len
    }

    fn joins(&self) -> bool {
        self.values().is_some()
    }

    fn joined(parts: &[Arc<Self>]) -> Arc<Self> {
        let len = parts.iter().map(|part| part.len).sum();
        let mut joined: Option<(usize, Values)> = None;
        for (dim, part) in parts.iter().filter_map(|part| part.values()) {
            joined.get_or_insert_with(|| (dim, part.of_same_type(len * dim))).1.extend(part);
        }
        let (dim, values) = joined.unwrap_or((1, Values::F32(Vec::new())));
        Arc::new(Self { first: parts[0].first, len, kept: Kept::Here { dim, values } })
    }
}

/// Rows in codes.
pub(super) struct CodePiece {
    first: u32,
    rows: usize,
    stride: usize,
    records: Lines,
    /// Squared lengths of the rows where the metric is the inner product, else none.
    pub(super) squares: Vec<f32>,
}

impl CodePiece {
    /// Zeros in place of codes.
    pub(super) fn zeros(first: u32, rows: usize, stride: usize) -> Self {
        Self { first, rows, stride, records: Lines::zeros(rows * stride), squares: Vec::new() }
    }

    /// The place of each row's record, in order.
    pub(super) fn records_mut(&mut self) -> std::slice::ChunksExactMut<'_, u8> {
        self.records.owned_mut().chunks_exact_mut(self.stride)
    }

    /// The records, that of the first row in place 0.
    pub(super) fn records(&self) -> Records<'_> {
        Records::new(self.records.as_bytes(), self.stride, self.rows)
    }

    /// The record of a row by its place.
    pub(super) fn record(&self, at: usize) -> &[u8] {
        &self.records.as_bytes()[at * self.stride..][..self.stride]
    }

    /// Bytes of the codes and what is beside them.
    pub(super) fn size_bytes(&self) -> usize {
        self.rows * self.stride + size_of_val(self.squares.as_slice())
    }
}

impl Piece for CodePiece {
    fn first(&self) -> u32 {
        self.first
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn joined(parts: &[Arc<Self>]) -> Arc<Self> {
        let rows = parts.iter().map(|part| part.rows).sum();
        let mut joined = Self::zeros(parts[0].first, rows, parts[0].stride);
        let mut at = 0;
        for part in parts {
            let bytes = part.records.as_bytes();
            joined.records.owned_mut()[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
            joined.squares.extend_from_slice(&part.squares);
        }
        Arc::new(joined)
    }
}

/// Adds a piece, joined with those before it that are not much larger as long as the whole has at most `max` rows.
pub(super) fn push<P: Piece>(list: &mut Vec<Arc<P>>, piece: P, max: usize) {
    let mut total = piece.len();
    let mut first = list.len();
    while let Some(before) = first.checked_sub(1).map(|at| list[at].len())
        && before < 2 * total
        && before + total <= max
        && piece.joins()
        && list[first - 1].joins()
    {
        total += before;
        first -= 1;
    }
    let mut parts = list.split_off(first);
    parts.push(Arc::new(piece));
    list.push(if parts.len() == 1 { parts.remove(0) } else { P::joined(&parts) });
}

/// The number of the piece that holds a row; the list must hold one.
pub(super) fn place<P: Piece>(list: &[Arc<P>], id: u32) -> usize {
    list.partition_point(|piece| piece.first() <= id).saturating_sub(1)
}
