//! How lists answer a search: by scanning the codes of the nearest lists, or by comparing all rows that match.

use elanus_kernels::codes::pq4::{CENTROIDS, Packed, Pq4, Pq4Tables};
use elanus_kernels::scan::Keep;
use elanus_kernels::{BitmapView, Kernel, Metric, Neighbor, Number, Rows, TopK};

use super::{CANDIDATES, IvfIndex, LAYOUT, Lists, PROBES};
use crate::array::Array;
use crate::flat::{CancelScan, keep_of};
use crate::scratch::Visited;
use crate::{ParamSet, Scratch, Search, SearchError, Stats};

/// Of so many lists three are scanned when nothing is said of it.
const LISTS_OF_THREE: usize = 32;
const PROBES_MIN: usize = 16;
/// A graph's width for which all lists are scanned, and the fewest lists for any width.
const WIDTH_OF_ALL: usize = 1024;
const PROBES_LEAST: usize = 4;
/// Rows compared themselves beyond twice those that are wanted.
const CANDIDATES_MORE: usize = 80;
/// Entries that are scanned in the time in which one row is fetched and compared.
const ENTRIES_A_ROW: usize = 32;
/// Lists between two looks at whether the caller has cancelled.
const LISTS_A_LOOK: usize = 64;

/// Memory of a search of lists.
#[derive(Debug)]
pub(crate) struct ListScratch {
    query: Vec<f32>,
    luts: Vec<f32>,
    tables: Option<Pq4Tables>,
    keys: Vec<f32>,
    words: Vec<u64>,
    top: TopK,
    order: Vec<Neighbor>,
}

impl Default for ListScratch {
    fn default() -> Self {
        let (query, luts, keys) = (Vec::new(), Vec::new(), Vec::new());
        Self { query, luts, tables: None, keys, words: Vec::new(), top: TopK::new(0), order: Vec::new() }
    }
}

/// How much a search looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    probes: usize,
    candidates: usize,
}

impl Effort {
    /// All rows are compared.
    pub(super) const ALL: Self = Self { probes: usize::MAX, candidates: usize::MAX };

    /// As much as finds about what a graph finds that keeps `width` candidates.
    pub(super) fn like(width: usize, lists: usize, k: usize) -> Self {
        let probes = (width.saturating_mul(lists) / WIDTH_OF_ALL).max(PROBES_LEAST);
        Self { probes, candidates: k.saturating_mul(2).saturating_add(width).saturating_add(width / 4) }
    }

    pub(super) fn of(params: &ParamSet, lists: usize, k: usize) -> Result<Self, SearchError> {
        let candidates = match params.get_int(CANDIDATES.name) {
            Some(value) if (value as usize) < k => {
                return Err(SearchError::BelowK { name: CANDIDATES.name, value: value as usize, k });
            }
            Some(value) => value as usize,
            None => k.saturating_mul(2).saturating_add(CANDIDATES_MORE),
        };
        let probes = params.get_int(PROBES.name).map(|value| value as usize);
        Ok(Self { probes: probes.unwrap_or((lists * 3 / LISTS_OF_THREE).max(PROBES_MIN)), candidates })
    }
}

impl IvfIndex {
    /// Searches with checked arguments.
    pub(super) fn search_typed<E: Number>(
        &self,
        effort: Effort,
        rows: Rows<'_, E>,
        query: &[E],
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        if search.cancel.is_cancelled() {
            return Err(SearchError::Cancelled);
        }
        if search.k == 0 || self.nodes == 0 {
            return Ok(Stats::default());
        }
        let present = self.present.as_ref().map(|words: &Array<u64>| BitmapView::new(words.as_slice(), self.rows));
        let keep = keep_of(search.filter, 0, present);
        let matching = if search.filter.is_some() { keep.count(self.rows) } else { self.nodes };
        let mut stats = Stats::default();
        if let Some(lists) = self.lists.as_ref().filter(|lists| is_scan(lists, effort, matching, search)) {
            let asked = Asked { lists, effort, filter: search.filter, search };
            stats.distances = asked.scan(query, scratch)?;
            asked.pick(self.rows, scratch);
            if scratch.ids.len() >= search.k.min(matching) {
                stats.distances += scratch.ids.len() as u64;
                scratch.keys.resize(scratch.ids.len(), 0.0);
                Kernel::<E>::new(self.spec.metric())?.gather(query, rows, &scratch.ids, &mut scratch.keys);
                out.push_ids(0, &scratch.ids, &scratch.keys, search.range);
                return Ok(stats);
            }
        }
        let mut all = exact(rows, query, self.spec.metric(), keep, search, out)?;
        all.add(stats);
        Ok(all)
    }
}

/// Whether scanning codes finds what is wanted with less work than comparing all rows that match.
fn is_scan(lists: &Lists, effort: Effort, matching: usize, search: &Search<'_>) -> bool {
    // Estimates do not tell on which side of a lower end a row is; an upper one cuts off what was found.
    let is_open_below = search.range.lower == f32::NEG_INFINITY;
    let is_wide = effort.candidates >= matching || search.k >= matching.div_ceil(2);
    let is_cheaper = search.filter.is_none() || matching > lists.entries() / ENTRIES_A_ROW;
    is_open_below && !is_wide && is_cheaper
}

/// Compares all rows that match.
fn exact<E: Number>(
    rows: Rows<'_, E>,
    query: &[E],
    metric: Metric,
    keep: Keep<'_>,
    search: &Search<'_>,
    out: &mut TopK,
) -> Result<Stats, SearchError> {
    CancelScan::new(rows, 0, metric, keep, search.range, search.cancel)?.one(query, out)
}

/// A search of lists.
struct Asked<'a> {
    lists: &'a Lists,
    effort: Effort,
    filter: Option<BitmapView<'a>>,
    search: &'a Search<'a>,
}

impl Asked<'_> {
    /// Scans the nearest lists and keeps the best entries in `scratch.lists.top`, by their positions; says how many
    /// were scanned.
    fn scan<E: Number>(&self, query: &[E], scratch: &mut Scratch) -> Result<u64, SearchError> {
        let Lists { space, codebooks, starts, ids, codes, terms, blocks, .. } = self.lists;
        let Scratch { lists: own, .. } = scratch;
        own.query.resize(codebooks.dim(), 0.0);
        space.place(query, &mut own.query);
        self.order(own)?;
        own.luts.resize(codebooks.m() * CENTROIDS, 0.0);
        codebooks.tables(&own.query, Metric::Ip, &mut own.luts);
        if space.metric == Metric::L2 {
            own.luts.iter_mut().for_each(|entry| *entry *= 2.0);
        }
        let m = codebooks.m();
        let tables = match &mut own.tables {
            Some(tables) if tables.m() == m => tables,
            tables => tables.insert(Pq4Tables::new(m)),
        };
        tables.fill(&own.luts);
        let (pq, block) = (Pq4::new(LAYOUT)?, LAYOUT.block_bytes(m));
        let (starts, ids, mut scanned) = (starts.as_slice(), ids.as_slice(), 0);
        // Where few rows match, or only distant ones, the nearest of them lie in more lists.
        let enough = self.effort.probes.saturating_mul(self.lists.entries()) / self.lists.len();
        let mut admitted = 0;
        for (at, probe) in own.order.iter().enumerate() {
            if at % LISTS_A_LOOK == LISTS_A_LOOK - 1 && self.search.cancel.is_cancelled() {
                return Err(SearchError::Cancelled);
            }
            let list = probe.id as usize;
            let (start, end) = (starts[list] as usize, starts[list + 1] as usize);
            let packed = |list: usize| &codes.as_slice()[blocks[list] * block..blocks[list + 1] * block];
            let Ok(packed_list) = Packed::new(LAYOUT, m, end - start, packed(list)) else { continue };
            let next = own.order.get(at + 1).map_or(list, |next| next.id as usize);
            if own.keys.len() < end - start {
                own.keys.resize(end - start, 0.0);
            }
            let keys = &mut own.keys[..end - start];
            pq.keys_before(packed(next), probe.key, tables, packed_list, keys);
            if let Some(terms) = terms.as_slice().get(start..end) {
                keys.iter_mut().zip(terms).for_each(|(key, term)| *key += term);
            }
            let keep = self.filter.map(|filter| {
                write_words(filter, &ids[start..end], &mut own.words);
                BitmapView::new(&own.words, end - start)
            });
            own.top.push_block(start as u32, keys, keep);
            scanned += (end - start) as u64;
            if let Some(keep) = keep {
                admitted += keep.count_ones();
                if admitted >= enough {
                    break;
                }
            }
        }
        Ok(scanned)
    }

    /// The lists to scan, all of them where there is a filter, nearest first, in `own.order`, with what their centres add to the keys. Also makes `own.top`
    /// ready for entries.
    fn order(&self, own: &mut ListScratch) -> Result<(), SearchError> {
        let Lists { space, centres, .. } = self.lists;
        let dim = self.lists.centres.as_slice().len() / self.lists.len();
        let Ok(centres) = Rows::new(centres.as_slice(), dim) else { return Ok(()) };
        own.keys.resize(centres.len().max(own.keys.len()), 0.0);
        let keys = &mut own.keys[..centres.len()];
        Kernel::<f32>::new(space.centre_metric())?.rows(&own.query[..dim], centres, keys);
        own.order.clear();
        own.top.reset(if self.filter.is_some() { centres.len() } else { self.effort.probes.min(centres.len()) });
        own.top.push_block(0, keys, None);
        own.top.drain_sorted(&mut own.order);
        // A row may be there twice.
        own.top.reset(self.effort.candidates.saturating_mul(2).min(self.lists.entries()));
        Ok(())
    }

    /// The rows of the best entries, each once, in `scratch.ids`, and the loose ones.
    fn pick(&self, rows: usize, scratch: &mut Scratch) {
        let Scratch { lists: own, visited, ids, .. } = scratch;
        own.order.clear();
        own.top.drain_sorted(&mut own.order);
        ids.clear();
        visited.start(rows);
        let entries = self.lists.ids.as_slice();
        for found in &own.order {
            if ids.len() == self.effort.candidates {
                break;
            }
            add(entries[found.id as usize], visited, ids);
        }
        for row in self.lists.loose() {
            if self.filter.is_none_or(|filter| filter.get(*row as usize)) {
                add(*row, visited, ids);
            }
        }
    }
}

fn add(row: u32, visited: &mut Visited, ids: &mut Vec<u32>) {
    if visited.insert(row) {
        ids.push(row);
    }
}

/// One bit for each entry: whether its row passes.
fn write_words(filter: BitmapView<'_>, ids: &[u32], words: &mut Vec<u64>) {
    words.clear();
    words.extend(ids.chunks(64).map(|ids| {
        let bits = ids.iter().enumerate().map(|(at, id)| u64::from(filter.get(*id as usize)) << at);
        bits.fold(0, |word, bit| word | bit)
    }));
}
