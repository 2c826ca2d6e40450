//! How a search is answered: by comparing codes or by a walk, then by the vectors of the best.

use elanus_kernels::codes::dot::Records;
use elanus_kernels::codes::sq::{SqCodec, SqQuery};
use elanus_kernels::scan::Keep;
use elanus_kernels::{BitmapView, Element, Kernel, Metric, TopK, Vector};

use super::flags::{Flag, WORD, used};
use super::pieces::{CodePiece, Piece};
use super::space;
use super::view::{CodeKeys, RowKeys, View};
use super::walk::{Admission, Walk};
use crate::flat::scan_any;
use crate::graph::walk::End;
use crate::tier::Keys;
use crate::{Scratch, Search, SearchError, Stats};

/// Where of a hundred nodes no more than these match a filter, the matching rows are compared one by one. Knowhere
/// draws the same line.
const SCAN_PERCENT: usize = 7;
/// Rows compared for each one expanded, as a rule: what a filtered walk is expected to cost.
const PER_HOP: usize = 8;
/// A walk with admission that compared half as many rows as match gives up, but not before this many.
const BUDGET_MIN: u64 = 512;
/// Rows whose codes are compared between two looks at the flag of cancellation.
const STEP: u32 = 1024;
/// Where less than one row in so many of a step is admitted, the admitted ones are compared one by one.
const SPARSE: u32 = 4;
/// Candidates put in order by the vectors beyond those wanted, at least: the byte codes put near rows in an order that
/// is nearly that of the vectors.
const REFINE_MORE: usize = 32;
/// The greatest square of a length of which codes are made or to which they are compared: sums of a few such squares
/// are finite.
pub(super) const SQUARE_MAX: f32 = 1e30;

/// One search with checked arguments.
pub(super) struct Run<'a, E: Element> {
    pub(super) view: &'a View,
    pub(super) metric: Metric,
    pub(super) query: &'a [E],
    pub(super) search: &'a Search<'a>,
    /// Candidates that a walk keeps.
    pub(super) width: usize,
    /// Whether a row was ever removed.
    pub(super) has_removed: bool,
}

/// The query over codes.
struct Coded<'a> {
    codec: &'a SqCodec,
    keys: CodeKeys<'a>,
}

impl<E: Element> Run<'_, E> {
    /// Adds the nearest rows to `out`.
    pub(super) fn answer(&self, scratch: &mut Scratch, out: &mut TopK) -> Result<Stats, SearchError> {
        let mut stats = Stats::default();
        let Some(coded) = self.coded() else { return self.exact(0, stats, out) };
        let nodes = self.view.graph.nodes;
        let matching = self.matching(nodes);
        if !self.search.range.is_all() {
            return self.ranged(&coded, matching, scratch, out);
        }
        let mut best = TopK::new(self.search.k.saturating_mul(3).div_ceil(2).max(self.search.k + REFINE_MORE));
        let mut scanned_from = 0;
        if self.is_walkable(matching) {
            let end = self.walk(&coded.keys, &coded, matching, scratch, &mut stats)?;
            if end == End::Done && scratch.found.len() >= self.search.k.min(matching) {
                scanned_from = nodes;
                for candidate in &scratch.found {
                    best.push(candidate.node(), candidate.key());
                }
            }
        }
        self.scan(&coded, scanned_from, scratch, &mut best, &mut stats)?;
        let best: Vec<u32> = best.into_sorted().iter().map(|near| near.id).collect();
        self.refine(&best, scratch, &mut stats, out)?;
        self.refine(&self.apart(self.view.len), scratch, &mut stats, out)?;
        Ok(stats)
    }

    /// The query over codes; `None` where there are no codes or the query is too long for them.
    fn coded(&self) -> Option<Coded<'_>> {
        let codec = self.view.codec.as_deref()?;
        let mut values = vec![0.0; codec.dim()];
        space::plain(self.metric, Vector::from(self.query), &mut values);
        if space::square(&values) > SQUARE_MAX {
            return None;
        }
        let query = codec.prepare_rows(&values).ok()?;
        Some(Coded { codec, keys: CodeKeys { codec, codes: &self.view.codes, query, level: None } })
    }

    /// A search within a range of keys walks on the vectors, whose keys those of codes only resemble.
    fn ranged(
        &self,
        coded: &Coded<'_>,
        matching: usize,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        let mut stats = Stats::default();
        if !self.is_walkable(matching) {
            return self.exact(0, stats, out);
        }
        let rows = self.rows()?;
        let end = self.walk(&rows, coded, matching, scratch, &mut stats)?;
        let is_short = self.search.range.upper == f32::INFINITY && scratch.found.len() < self.search.k.min(matching);
        if end != End::Done || is_short {
            return self.exact(0, stats, out);
        }
        for candidate in scratch.found.iter().filter(|candidate| self.search.range.contains(candidate.key())) {
            out.push(candidate.node(), candidate.key());
        }
        let nodes = self.view.graph.nodes;
        self.refine(&self.apart(nodes), scratch, &mut stats, out)?;
        self.exact(nodes, stats, out)
    }

    fn rows(&self) -> Result<RowKeys<'_, E>, SearchError> {
        Ok(RowKeys { kernel: Kernel::new(self.metric)?, pieces: &self.view.rows, query: self.query })
    }

    /// Rows of a word that may be returned and have the flag.
    #[inline]
    fn word(&self, flag: Flag, word: usize) -> u64 {
        let filter = self.search.filter.map_or(u64::MAX, |bits| bits.bits_at(word * WORD));
        self.view.flags.live(flag, word) & filter & used(word, self.view.len as usize)
    }

    fn admits(&self, id: u32) -> bool {
        self.view.flags.is_live(Flag::Coded, id)
            && self.search.filter.is_none_or(|bits| (id as usize) < bits.len() && bits.get(id as usize))
    }

    /// How many of the graph's nodes may be returned.
    fn matching(&self, nodes: u32) -> usize {
        if self.search.filter.is_none() && !self.has_removed && self.view.graph.gaps == 0 {
            return nodes as usize;
        }
        let words =
            (0..(nodes as usize).div_ceil(WORD)).map(|word| self.word(Flag::Coded, word) & used(word, nodes as usize));
        words.map(|word| word.count_ones() as usize).sum()
    }

    /// Rows without codes that may be returned, of those before `end`.
    fn apart(&self, end: u32) -> Vec<u32> {
        let may = |id: &u32| self.word(Flag::Usable, *id as usize / WORD) >> (*id as usize % WORD) & 1 == 1;
        self.view.apart.iter().copied().take_while(|id| *id < end).filter(may).collect()
    }

    /// Whether walking the graph is expected to be less work than comparing all matching nodes.
    fn is_walkable(&self, matching: usize) -> bool {
        let nodes = self.view.graph.nodes as usize;
        if self.width >= matching || self.search.k >= matching.div_ceil(2) {
            return false;
        }
        if self.search.filter.is_none() && self.search.range.is_all() {
            return true;
        }
        // Of the nodes expanded, that part is admitted which matches.
        let expected = self.width.saturating_mul(PER_HOP).saturating_mul(nodes) / matching.max(1);
        matching * 100 > nodes * SCAN_PERCENT && expected < matching
    }

    /// Leaves what it found in `scratch.found`, nearest first.
    fn walk(
        &self,
        keys: &dyn Keys,
        coded: &Coded<'_>,
        matching: usize,
        scratch: &mut Scratch,
        stats: &mut Stats,
    ) -> Result<End, SearchError> {
        let graph = &self.view.graph;
        let mut starts = Vec::new();
        stats.distances += graph.entries.nearest(coded.codec, &coded.keys.query, &mut scratch.keys, &mut starts);
        let Search { cancel, range, .. } = *self.search;
        let walk = Walk { links: &graph.links, len: self.view.len, keys, starts: &starts, cancel };
        scratch.found.clear();
        let end = if matching == graph.nodes as usize && range.is_all() {
            walk.plain(self.width, scratch, stats)
        } else {
            let budget = (matching as u64 / 2).max(BUDGET_MIN);
            let admits = |id| id < graph.nodes && self.admits(id);
            walk.admitting(self.width, Admission { admits, range, budget }, scratch, stats)
        };
        // Rows that are about to enter the graph can be met, and are compared with the others that are not in it yet.
        scratch.found.retain(|candidate| candidate.node() < graph.nodes);
        if end == End::Cancelled { Err(SearchError::Cancelled) } else { Ok(end) }
    }

    /// Offers the rows from `from` on that may be returned with the keys of their codes.
    fn scan(
        &self,
        coded: &Coded<'_>,
        from: u32,
        scratch: &mut Scratch,
        best: &mut TopK,
        stats: &mut Stats,
    ) -> Result<(), SearchError> {
        let (len, first) = (self.view.len as usize, from as usize / WORD);
        let words: Vec<u64> = (first..len.div_ceil(WORD)).map(|word| self.word(Flag::Coded, word)).collect();
        let bits = (BitmapView::new(&words, len - (first * WORD).min(len)), first * WORD);
        for piece in self.view.codes.iter() {
            let end = piece.first() + piece.len() as u32;
            for start in (piece.first().max(from)..end).step_by(STEP as usize) {
                if self.search.cancel.is_cancelled() {
                    return Err(SearchError::Cancelled);
                }
                stats.distances += step(coded, piece, start..end.min(start + STEP), bits, scratch, best);
            }
        }
        Ok(())
    }

    /// Adds rows with the keys of their vectors.
    fn refine(&self, ids: &[u32], scratch: &mut Scratch, stats: &mut Stats, out: &mut TopK) -> Result<(), SearchError> {
        let keys = &mut scratch.keys;
        keys.clear();
        keys.resize(ids.len(), 0.0);
        self.rows()?.keys(ids, keys);
        stats.distances += ids.len() as u64;
        out.push_ids(0, ids, keys, self.search.range);
        Ok(())
    }

    /// Compares the vectors of all rows from `from` on that may be returned.
    fn exact(&self, from: u32, before: Stats, out: &mut TopK) -> Result<Stats, SearchError> {
        let mut stats = before;
        let words: Vec<u64> =
            (0..(self.view.len as usize).div_ceil(WORD)).map(|word| self.word(Flag::Usable, word)).collect();
        let bits = BitmapView::new(&words, self.view.len as usize);
        let Search { range, cancel, .. } = *self.search;
        for piece in self.view.rows.iter() {
            let first = piece.first().max(from);
            let Some(rows) = piece.rows().filter(|rows| first < piece.first() + rows.len() as u32) else { continue };
            let rows = rows.slice((first - piece.first()) as usize..rows.len());
            let keep = Keep::new(bits, first as usize);
            let query = Vector::from(self.query);
            stats.add(scan_any(rows, first, query, self.metric, keep, range, cancel, out)?);
        }
        Ok(stats)
    }
}

/// Offers the rows `range` of a piece that `bits` has, the first of which speaks for row `first`, and says how many were
/// compared.
fn step(
    coded: &Coded<'_>,
    piece: &CodePiece,
    range: std::ops::Range<u32>,
    (bits, first): (BitmapView<'_>, usize),
    scratch: &mut Scratch,
    best: &mut TopK,
) -> u64 {
    let Scratch { nodes, keys, .. } = scratch;
    let mut words = [0; STEP as usize / WORD];
    let count = range.len();
    for (i, word) in words[..count.div_ceil(WORD)].iter_mut().enumerate() {
        *word = bits.bits_at(range.start as usize - first + i * WORD);
    }
    let words = &mut words[..count.div_ceil(WORD)];
    if let Some(last) = words.last_mut() {
        *last &= used(0, (count - 1) % WORD + 1);
    }
    let kept = BitmapView::new(words, count);
    let admitted = kept.count_ones();
    if admitted == 0 {
        return 0;
    }
    keys.clear();
    if admitted * (SPARSE as usize) < count {
        nodes.clear();
        nodes.extend(kept.iter_ones().map(|at| range.start + at as u32));
        keys.resize(nodes.len(), 0.0);
        coded.keys.keys(nodes, keys);
        best.push_ids(0, nodes, keys, elanus_kernels::KeyRange::ALL);
        return admitted as u64;
    }
    keys.resize(count, 0.0);
    let records: Records<'_> = piece.records().slice((range.start - piece.first()) as usize, count);
    let query: &SqQuery = &coded.keys.query;
    coded.codec.rows(query, records, keys);
    best.push_block(range.start, keys, Some(kept));
    count as u64
}
