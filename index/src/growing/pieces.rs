//! Rows and codes in pieces that never change once they are in a list.
//!
//! An appended piece is joined with the ones before it as a binary counter carries, so that a row is copied a
//! logarithmic number of times and there are few pieces. A reader holds the list that it began with.

use std::sync::Arc;

use elanus_kernels::codes::dot::Records;
use elanus_kernels::{AnyRows, Bf16, F16, Rows};

use crate::array::Lines;

/// Some rows in the order of their ids.
pub(super) trait Piece: Sized {
    /// The id of the first row.
    fn first(&self) -> u32;
    /// How many rows there are.
    fn len(&self) -> usize;
    /// Pieces that follow each other, of which there is at least one, as one.
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
}

/// Rows as they were appended.
pub(super) struct RowPiece {
    first: u32,
    dim: usize,
    values: Values,
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
        Some(Self { first, dim: rows.dim(), values })
    }

    /// The rows; `None` is never returned for a piece made of whole rows.
    pub(super) fn rows(&self) -> Option<AnyRows<'_>> {
        match &self.values {
            Values::F32(values) => Rows::new(values, self.dim).ok().map(AnyRows::F32),
            Values::F16(values) => Rows::new(values, self.dim).ok().map(AnyRows::F16),
            Values::Bf16(values) => Rows::new(values, self.dim).ok().map(AnyRows::Bf16),
            Values::I8(values) => Rows::new(values, self.dim).ok().map(AnyRows::I8),
        }
    }

    /// Bytes of the values.
    pub(super) fn size_bytes(&self) -> usize {
        match &self.values {
            Values::F32(values) => size_of_val(values.as_slice()),
            Values::F16(values) => size_of_val(values.as_slice()),
            Values::Bf16(values) => size_of_val(values.as_slice()),
            Values::I8(values) => size_of_val(values.as_slice()),
        }
    }
}

impl Piece for RowPiece {
    fn first(&self) -> u32 {
        self.first
    }

    fn len(&self) -> usize {
        let values = match &self.values {
            Values::F32(values) => values.len(),
            Values::F16(values) => values.len(),
            Values::Bf16(values) => values.len(),
            Values::I8(values) => values.len(),
        };
        values / self.dim
    }

    fn joined(parts: &[Arc<Self>]) -> Arc<Self> {
        let total = parts.iter().map(|part| part.len() * part.dim).sum();
        let mut values = parts[0].values.of_same_type(total);
        parts.iter().for_each(|part| values.extend(&part.values));
        Arc::new(Self { first: parts[0].first, dim: parts[0].dim, values })
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
