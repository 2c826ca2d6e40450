//! One state of the index as a reader holds it, and the keys of its rows.

use std::sync::Arc;

use elanus_kernels::codes::sq::{SqCodec, SqQuery};
use elanus_kernels::{Element, Kernel};

use super::entries::Entries;
use super::flags::Flags;
use super::links::Links;
use super::pieces::{CodePiece, Piece, RowPiece, place};
use crate::tier::Keys;

/// Codes asked for in one call.
const STRETCH: usize = 64;
/// Rows asked for ahead of the one that is compared.
const AHEAD: usize = 4;

/// A state: which rows there are. Flags and links change under it, see there.
#[derive(Clone)]
pub(super) struct View {
    /// Rows, removed ones included.
    pub(super) len: u32,
    pub(super) rows: Arc<Vec<Arc<RowPiece>>>,
    pub(super) flags: Flags,
    /// Usable rows that no codes can be made of, because they are too long.
    pub(super) apart: Arc<Vec<u32>>,
    /// `None` until there are rows enough to train it.
    pub(super) codec: Option<Arc<SqCodec>>,
    /// Codes of all rows where there is a codec, else none.
    pub(super) codes: Arc<Vec<Arc<CodePiece>>>,
    pub(super) graph: Arc<Grown>,
}

/// The graph of a state.
#[derive(Clone)]
pub(super) struct Grown {
    /// Rows before this one are in the graph, or never will be.
    pub(super) nodes: u32,
    /// Of those, rows that were removed or without codes when the last batch entered.
    pub(super) gaps: usize,
    pub(super) links: Links,
    pub(super) entries: Entries,
}

/// A query over codes.
pub(super) struct CodeKeys<'a> {
    pub(super) codec: &'a SqCodec,
    pub(super) codes: &'a [Arc<CodePiece>],
    pub(super) query: SqQuery,
    /// Where rows are lengthened by one component, see [`super::space`], that of the query and the common square.
    pub(super) level: Option<(f32, f32)>,
}

impl CodeKeys<'_> {
    /// The keys of rows in one piece.
    fn within(&self, piece: &CodePiece, ids: &[u32], keys: &mut [f32]) {
        let mut places = [0; STRETCH];
        for (ids, keys) in ids.chunks(STRETCH).zip(keys.chunks_mut(STRETCH)) {
            let places = &mut places[..ids.len()];
            for (place, id) in places.iter_mut().zip(ids) {
                *place = id - piece.first();
            }
            self.codec.gather(&self.query, piece.records(), places, keys);
            let Some((own, all)) = self.level else { continue };
            for (key, place) in keys.iter_mut().zip(places) {
                *key -= own * (all - piece.squares[*place as usize]).max(0.0).sqrt();
            }
        }
    }
}

impl Keys for CodeKeys<'_> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        let mut done = 0;
        while let Some(first) = ids.get(done) {
            let piece = &self.codes[place(self.codes, *first)];
            let ids = &ids[done..];
            let range = piece.first()..piece.first() + piece.len() as u32;
            let count = ids.iter().position(|id| !range.contains(id)).unwrap_or(ids.len());
            self.within(piece, &ids[..count], &mut keys[done..done + count]);
            done += count;
        }
    }
}

/// A query over rows.
pub(super) struct RowKeys<'a, E: Element> {
    pub(super) kernel: Kernel<E>,
    pub(super) pieces: &'a [Arc<RowPiece>],
    pub(super) query: &'a [E],
}

impl<E: Element> RowKeys<'_, E> {
    fn row(&self, id: u32) -> Option<(elanus_kernels::Rows<'_, E>, u32)> {
        let piece = self.pieces.get(place(self.pieces, id))?;
        Some((piece.rows()?.typed::<E>()?, id - piece.first()))
    }
}

impl<E: Element> Keys for RowKeys<'_, E> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        for (i, (id, key)) in ids.iter().zip(keys).enumerate() {
            if let Some((rows, at)) = ids.get(i + AHEAD).and_then(|next| self.row(*next)) {
                self.kernel.prefetch(rows, at);
            }
            *key = self.row(*id).map_or(f32::NAN, |(rows, at)| self.kernel.pair(self.query, rows.row(at as usize)));
        }
    }
}
