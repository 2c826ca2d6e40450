//! Rows are taken in: copied, checked, put in codes.

use std::sync::Arc;

use elanus_kernels::codes::sq::{SqCodec, SqGrid, SqParams};
use elanus_kernels::{AnyRows, Kernel, Metric, Rows};

use super::flags::Flag;
use super::pieces::{CodePiece, Piece, RowPiece, place, push};
use super::search::SQUARE_MAX;
use super::space;
use super::view::View;
use crate::array::LINE;
use crate::check::all_finite;
use crate::tier::source::widen;
use crate::{BuildError, Spec};

/// Rows of a piece that an append joins with others at most.
const PIECE: usize = 4096;
/// The first rows, from which the mean is taken that codes are made around. Until there are so many, there are no
/// codes.
const TRAIN: usize = 1024;
/// Bits of a component in codes.
const BITS: u32 = 8;
/// Bytes of codes that are joined to one piece at most, where a batch enters the graph. A walk compares nodes in as
/// many calls as pieces hold them, so that few large ones are best; copying them all for each batch takes a few
/// hundredths of the time that the batch takes.
const JOINED: usize = 64 << 20;

/// The codec of a mean: each row has a grid of its own, so that rows far from the first ones have codes as fine.
///
/// # Errors
/// When it cannot be had for this dimension.
pub(super) fn codec(metric: Metric, mean: Vec<f32>) -> Result<SqCodec, BuildError> {
    let metric = if metric == Metric::Cosine { Metric::Ip } else { metric };
    Ok(SqCodec::new(SqParams { metric, bits: BITS, range: None, mean })?)
}

/// Bytes between the codes of two rows.
pub(super) fn stride(codec: &SqCodec) -> usize {
    codec.record_bytes().next_multiple_of(LINE)
}

/// Adds rows, which fit the spec and the room that is left, to a state.
pub(super) fn append(spec: &Spec, rows: AnyRows<'_>, view: &mut View) -> Result<(), BuildError> {
    let (from, len) = (view.len, view.len as usize + rows.len());
    let mut pieces = view.rows.to_vec();
    for at in (0..rows.len()).step_by(PIECE) {
        let part = rows.slice(at..rows.len().min(at + PIECE));
        let refused = BuildError::Element { want: spec.element(), got: rows.element() };
        push(&mut pieces, RowPiece::new(from + at as u32, part).ok_or(refused)?, PIECE);
    }
    view.rows = Arc::new(pieces);
    take_in(spec, view, len)
}

/// Checks rows that a state has got in pieces, `len` in all, and puts those that are new in codes.
pub(super) fn take_in(spec: &Spec, view: &mut View, len: usize) -> Result<(), BuildError> {
    let from = std::mem::replace(&mut view.len, len as u32);
    view.flags.grow(len);
    mark_usable(spec, view, from)?;
    if let Some(codec) = view.codec.clone() {
        encode(spec.metric(), &codec, view, from)
    } else if len >= TRAIN {
        let codec = Arc::new(codec(spec.metric(), mean(spec, view))?);
        view.codec = Some(Arc::clone(&codec));
        encode(spec.metric(), &codec, view, 0)
    } else {
        Ok(())
    }
}

/// Calls `f` with each row from `from` on.
fn each(view: &View, from: u32, mut f: impl FnMut(u32, elanus_kernels::Vector<'_>)) {
    let pieces = &view.rows[if view.len == 0 { 0 } else { place(&view.rows, from) }..];
    for piece in pieces {
        let Some(rows) = piece.rows() else { continue };
        let first = piece.first();
        for at in from.saturating_sub(first) as usize..rows.len() {
            f(first + at as u32, rows.row(at));
        }
    }
}

/// Marks the rows that have a place among neighbours: keys of a row that is not finite are NaN or infinite.
fn mark_usable(spec: &Spec, view: &View, from: u32) -> Result<(), BuildError> {
    let kernel = Kernel::<f32>::new(spec.metric())?;
    let mut values = vec![0.0; spec.dim()];
    each(view, from, |id, row| {
        widen(row, &mut values);
        let has_norm = || spec.metric() != Metric::Cosine || kernel.norm(&values).is_finite();
        if all_finite(&values) && has_norm() {
            view.flags.set(Flag::Usable, id);
        }
    });
    Ok(())
}

/// The mean of the first rows; zeros where there is none, or none that is finite.
fn mean(spec: &Spec, view: &View) -> Vec<f32> {
    let mut sample = Vec::new();
    let mut values = vec![0.0; spec.dim()];
    each(view, 0, |id, row| {
        if (id as usize) < TRAIN && view.flags.is_live(Flag::Usable, id) {
            space::plain(spec.metric(), row, &mut values);
            if space::square(&values) <= SQUARE_MAX {
                sample.extend_from_slice(&values);
            }
        }
    });
    let rows = Rows::new(&sample, spec.dim()).ok();
    let trained = rows.and_then(|rows| SqParams::train(Metric::Ip, BITS, SqGrid::PerVector, rows).ok());
    trained.map_or_else(|| vec![0.0; spec.dim()], |params| params.mean)
}

/// Makes the codes of the rows from `from` on.
fn encode(metric: Metric, codec: &SqCodec, view: &mut View, from: u32) -> Result<(), BuildError> {
    let mut codes = view.codes.to_vec();
    let mut apart = Vec::new();
    let mut values = vec![0.0; codec.dim()];
    let parts: Vec<u32> = (from..view.len).step_by(PIECE).collect();
    for start in parts {
        let count = (view.len - start).min(PIECE as u32) as usize;
        let mut piece = CodePiece::zeros(start, count, stride(codec));
        let mut squares = Vec::new();
        let mut records = piece.records_mut();
        let end = start + count as u32;
        each(view, start, |id, row| {
            if id >= end {
                return;
            }
            let Some(record) = records.next() else { return };
            let mut own = 0.0;
            if view.flags.is_live(Flag::Usable, id) {
                space::plain(metric, row, &mut values);
                own = space::square(&values);
                if own <= SQUARE_MAX && codec.encode(&values, record).is_ok() {
                    view.flags.set(Flag::Coded, id);
                } else {
                    own = 0.0;
                    apart.push(id);
                }
            }
            if metric == Metric::Ip {
                squares.push(own);
            }
        });
        piece.squares = squares;
        push(&mut codes, piece, PIECE);
    }
    view.codes = Arc::new(codes);
    if !apart.is_empty() {
        Arc::make_mut(&mut view.apart).extend(apart);
    }
    Ok(())
}

/// Codes of rows that are in the graph, joined to larger pieces; the pieces up to which row they replace. `None` where
/// there is nothing to be joined.
pub(super) fn join_codes(view: &View) -> Option<(Vec<Arc<CodePiece>>, u32)> {
    let max = JOINED / stride(view.codec.as_ref()?);
    let inside = |piece: &&Arc<CodePiece>| piece.first() as usize + piece.len() <= view.graph.nodes as usize;
    let old: Vec<&Arc<CodePiece>> = view.codes.iter().take_while(inside).collect();
    // Pieces that become one, as their rows in all and how many they are.
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for piece in &old {
        let (mut total, mut count) = (piece.len(), 1);
        while let Some((rows, pieces)) = runs.pop_if(|(rows, _)| *rows + total <= max) {
            total += rows;
            count += pieces;
        }
        runs.push((total, count));
    }
    if runs.len() == old.len() {
        return None;
    }
    let mut rest = old.into_iter();
    let joined = runs.into_iter().map(|(_, count)| {
        let parts: Vec<Arc<CodePiece>> = rest.by_ref().take(count).map(Arc::clone).collect();
        if parts.len() == 1 { Arc::clone(&parts[0]) } else { CodePiece::joined(&parts) }
    });
    let joined: Vec<Arc<CodePiece>> = joined.collect();
    let end = joined.last().map_or(0, |piece| piece.first() + piece.len() as u32);
    Some((joined, end))
}
