//! The walk: best first by codes, with several reads in flight, none of which it waits for while another is done.
//!
//! As in PipeANN (Guo and Lu, "Achieving Low-Latency Graph-Based Vector Search via Aligning Best-First Search
//! Algorithm with SSD", OSDI 2025): there is no step at which all reads must have arrived; whatever arrives is
//! expanded, and the best candidate known then is read next. A read is wasted when the candidate has fallen out of the
//! beam by the time it arrives, so the number in flight grows and shrinks with how often that happens. Links that are
//! in memory need no read at all: then only the vectors of those that end in the beam are read (as in Gorgeous, Yin
//! and others, arXiv 2508.15290, adjacency is what memory holds first).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use elanus_kernels::codes::rabitq::Records;
use elanus_kernels::scan::Keep;
use elanus_kernels::{BitmapView, TopK};

use super::coder::Bound;
use super::layout::{EMPTY, Kind, NodeShape, Part};
use super::open::{DiskIndex, bad_link};
use super::pages::{check_unit, u32s};
use super::vectors::Exact;
use crate::graph::Candidate;
use crate::read_at::{Arrival, ReadError, ReadQueue};
use crate::{KeyRange, Search, SearchError, Stats};

/// In the tag of a read: it is of codes and not of a node.
const OF_CODES: u64 = 1 << 31;
/// Reads in flight when a walk begins.
const FIRST_BEAM: usize = 4;
/// Estimates that a search remembers, at most.
const KNOWN: usize = 1 << 16;
/// Hops between looks at the cancel flag.
const LOOK: u64 = 32;

/// Memory of one search, which the next one takes over.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) queue: Option<Box<dyn ReadQueue>>,
    /// A bit for each node: whether it was estimated, and whether its vector was compared.
    met: Vec<u64>,
    compared: Vec<u64>,
    waiting: BinaryHeap<Reverse<Candidate>>,
    kept: BinaryHeap<Candidate>,
    /// The nearest candidates of any kind, where keys have an upper bound.
    nearest: BinaryHeap<Candidate>,
    links: Vec<u32>,
    ids: Vec<u32>,
    places: Vec<u32>,
    later: Vec<u32>,
    /// Units of codes to be read, and the nodes whose codes are wanted from each.
    units: Vec<u64>,
    apart: Vec<(u64, u32)>,
    /// Estimates of nodes whose codes came along with others', and the nodes among those met whose estimate is there.
    known: HashMap<u32, (f32, f32)>,
    recalled: Vec<u32>,
}

fn test_and_set(bits: &mut [u64], node: u32) -> bool {
    let (word, mask) = (&mut bits[node as usize / 64], 1 << (node % 64));
    let was_clear = *word & mask == 0;
    *word |= mask;
    was_clear
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is left that could be nearer.
    Done,
    /// It took more work than to compare all that match.
    Spent,
}

/// One search.
pub(super) struct Seeker<'a> {
    pub(super) index: &'a DiskIndex,
    pub(super) search: &'a Search<'a>,
    pub(super) exact: Exact<'a>,
    pub(super) bound: Bound,
    pub(super) keep: Keep<'a>,
    /// Candidates kept.
    pub(super) width: usize,
    /// Reads in flight at most.
    pub(super) beam: usize,
    /// Estimates after which the walk gives up.
    pub(super) budget: u64,
    pub(super) work: Work,
    pub(super) stats: Stats,
    /// How many rows went into the result.
    pub(super) found: usize,
}

/// Reads in flight: more while they are of use, fewer when they are not.
struct Pace {
    now: usize,
    most: usize,
}

impl Pace {
    fn tell(&mut self, was_of_use: bool) {
        self.now = if was_of_use { self.most.min(self.now + 1) } else { self.now.saturating_sub(1).max(1) };
    }
}

impl Seeker<'_> {
    /// Forgets what the last search met.
    pub(super) fn clear(&mut self) {
        let words = self.index.header.nodes.div_ceil(64);
        for bits in [&mut self.work.met, &mut self.work.compared] {
            bits.clear();
            bits.resize(words, 0);
        }
        self.work.waiting.clear();
        self.work.kept.clear();
        self.work.nearest.clear();
        self.work.units.clear();
        self.work.apart.clear();
        self.work.known.clear();
    }

    /// Walks until nothing nearer waits. Vectors that were read on the way are compared; the rest of the candidates
    /// are left in [`Seeker::candidates`].
    pub(super) fn walk(&mut self, queue: &mut dyn ReadQueue, out: &mut TopK) -> Result<End, SearchError> {
        self.begin();
        let most = self.beam.min(queue.depth());
        let mut pace = Pace { now: FIRST_BEAM.min(most), most };
        loop {
            self.fill(queue, pace.now, out)?;
            if self.stats.distances > self.budget {
                return Ok(End::Spent);
            }
            let Some(arrival) = queue.next() else { return Ok(End::Done) };
            if arrival.tag & OF_CODES != 0 {
                self.take_codes(arrival)?;
            } else {
                let candidate = Candidate::new(f32::from_bits((arrival.tag >> 32) as u32), arrival.tag as u32);
                pace.tell(self.is_wanted(candidate));
                self.take_node(arrival, out)?;
            }
        }
    }

    /// The entry points.
    fn begin(&mut self) {
        let index = self.index;
        let entries = &index.memory.entries;
        self.work.ids.clear();
        self.work.ids.extend(entries.iter().filter(|node| test_and_set(&mut self.work.met, **node)));
        // An entry point that stands twice, which only forged bytes have, would part codes from nodes.
        if self.work.ids.len() == entries.len() {
            let places: Vec<u32> = (0..entries.len() as u32).collect();
            self.bound.signs(index.entry_signs(), &places);
            self.offer();
        }
    }

    /// Expands what needs no read, and begins reads until as many are in flight as may be.
    fn fill(&mut self, queue: &mut dyn ReadQueue, beam: usize, out: &mut TopK) -> Result<(), SearchError> {
        let index = self.index;
        let nodes = index.layout.section(Part::Nodes);
        let codes = index.layout.section(Part::Signs);
        loop {
            while queue.in_flight() < queue.depth() {
                let Some(unit) = self.work.units.pop() else { break };
                let offset = codes.unit_offset(unit);
                let submitted = queue.submit(OF_CODES | unit, offset, codes.packing.unit);
                submitted.map_err(|error| ReadError::device(offset, &error))?;
            }
            if queue.in_flight() >= beam || self.stats.distances > self.budget {
                return Ok(());
            }
            let Some(candidate) = self.pop() else { return Ok(()) };
            if self.stats.hops.is_multiple_of(LOOK) && self.search.cancel.is_cancelled() {
                return Err(SearchError::Cancelled);
            }
            self.stats.hops += 1;
            let node = candidate.node();
            let unit = nodes.unit_of(node as usize);
            if let Some(links) = index.links(node).filter(|_| index.header.kind == Kind::Diskann) {
                self.work.links.clear();
                self.work.links.extend_from_slice(links);
                self.expand(None);
            } else if let Some(bytes) = index.unit(unit) {
                self.visit(node, bytes, out)?;
            } else {
                let (tag, offset) =
                    (u64::from(candidate.key().to_bits()) << 32 | u64::from(node), nodes.unit_offset(unit));
                let submitted = queue.submit(tag, offset, nodes.packing.unit);
                submitted.map_err(|error| ReadError::device(offset, &error))?;
            }
        }
    }

    /// A node that was read.
    fn take_node(&mut self, arrival: Arrival<'_>, out: &mut TopK) -> Result<(), SearchError> {
        let nodes = self.index.layout.section(Part::Nodes);
        let node = arrival.tag as u32;
        let unit = nodes.unit_of(node as usize);
        let bytes = arrival.bytes.map_err(|error| ReadError::device(nodes.unit_offset(unit), &error))?;
        check_unit(nodes, unit, bytes)?;
        self.visit(node, bytes, out)
    }

    /// Compares a node and expands it.
    fn visit(&mut self, node: u32, unit: &[u8], out: &mut TopK) -> Result<(), SearchError> {
        let nodes = self.index.layout.section(Part::Nodes);
        let shape = self.index.layout.shape;
        let record = &unit[nodes.place(node as usize)];
        self.compare(node, record, out);
        self.work.links.clear();
        self.work
            .links
            .extend(links_of(shape, record).take(self.index.header.degree).take_while(|link| *link != EMPTY));
        let count = self.index.header.nodes;
        if let Some(link) = self.work.links.iter().find(|link| **link as usize >= count) {
            return Err(bad_link(nodes.unit_offset(nodes.unit_of(node as usize)), *link).into());
        }
        self.expand((self.index.header.kind == Kind::Aisaq).then(|| &record[shape.codes..]));
        Ok(())
    }

    /// Puts a node's true key into the result, if it may be there.
    pub(super) fn compare(&mut self, node: u32, record: &[u8], out: &mut TopK) {
        if !test_and_set(&mut self.work.compared, node) {
            return;
        }
        let row = self.index.memory.rows[node as usize];
        if !self.keep.has(row as usize) {
            return;
        }
        let key = self.exact.key(&record[..self.index.layout.shape.vector]);
        self.stats.distances += 1;
        if self.search.range.contains(key) {
            self.found += 1;
            out.push(row, key);
        }
    }

    /// Whether a node's vector was compared.
    pub(super) fn is_compared(&self, node: u32) -> bool {
        self.work.compared[node as usize / 64] >> (node % 64) & 1 == 1
    }

    /// Estimates the keys of those of the links that were not met; of the first of them `inline` holds the codes.
    fn expand(&mut self, inline: Option<&[u8]>) {
        let index = self.index;
        let inlined = index.header.inlined;
        let resident = index.signs();
        let Work { met, links, ids, places, later, units, apart, known, recalled, .. } = &mut self.work;
        ids.clear();
        places.clear();
        later.clear();
        recalled.clear();
        let codes = index.layout.section(Part::Signs);
        for (place, node) in (0..).zip(&*links).filter(|(_, node)| test_and_set(met, **node)) {
            if inline.is_some() && (place as usize) < inlined {
                ids.push(*node);
                places.push(place);
            } else if (*node as usize) < resident.len() {
                later.push(*node);
            } else if known.contains_key(node) {
                recalled.push(*node);
            } else {
                let unit = codes.unit_of(*node as usize);
                if !apart.iter().any(|(other, _)| *other == unit) {
                    units.push(unit);
                }
                apart.push((unit, *node));
            }
        }
        if let Some(inline) = inline.filter(|_| !places.is_empty()) {
            let codec = index.coder.codec();
            let records = codec.records(inline, codec.record_bytes());
            self.bound.signs(records, places);
            self.offer();
        }
        if !self.work.later.is_empty() {
            self.bound.signs(resident, &self.work.later);
            std::mem::swap(&mut self.work.ids, &mut self.work.later);
            self.offer();
        }
        if !self.work.recalled.is_empty() {
            std::mem::swap(&mut self.work.ids, &mut self.work.recalled);
            let estimates = self.work.ids.iter().map(|node| self.work.known.get(node).copied().unwrap_or_default());
            (self.bound.keys, self.bound.errors) = estimates.unzip();
            self.offer();
        }
    }

    /// Codes that were read apart.
    fn take_codes(&mut self, arrival: Arrival<'_>) -> Result<(), SearchError> {
        let index = self.index;
        let section = index.layout.section(Part::Signs);
        let unit = arrival.tag & !OF_CODES;
        let bytes = arrival.bytes.map_err(|error| ReadError::device(section.unit_offset(unit), &error))?;
        check_unit(section, unit, bytes)?;
        let nodes = section.items_of(unit);
        let places: Vec<u32> = (0..nodes.len() as u32).collect();
        let records: Records<'_> = index.coder.codec().records(bytes, section.packing.item);
        self.bound.signs(records, &places);
        // All nodes of the unit are estimated, for a neighbour's codes are often asked for next.
        let Work { ids, apart, known, .. } = &mut self.work;
        let Bound { keys, errors, .. } = &mut self.bound;
        ids.clear();
        for (at, node) in nodes.enumerate() {
            let node = node as u32;
            if apart.contains(&(unit, node)) {
                (keys[ids.len()], errors[ids.len()]) = (keys[at], errors[at]);
                ids.push(node);
            } else if known.len() < KNOWN {
                known.insert(node, (keys[at], errors[at]));
            }
        }
        keys.truncate(ids.len());
        errors.truncate(ids.len());
        apart.retain(|(other, _)| *other != unit);
        self.offer();
        Ok(())
    }

    /// Takes the nodes `ids`, just estimated, into the beam where they belong there.
    fn offer(&mut self) {
        self.stats.distances += self.work.ids.len() as u64;
        let KeyRange { lower, upper } = self.search.range;
        let is_bounded = upper < f32::INFINITY;
        let Work { ids, waiting, kept, nearest, .. } = &mut self.work;
        for ((node, key), error) in ids.iter().zip(&self.bound.keys).zip(&self.bound.errors) {
            let candidate = Candidate::new(*key, *node);
            if !takes(kept, self.width, candidate) {
                continue;
            }
            let leads = !is_bounded || key - error < upper;
            let is_near = is_bounded && keep(nearest, self.width, candidate);
            if leads || is_near {
                waiting.push(Reverse(candidate));
                let may = key + error >= lower && leads;
                if may && self.keep.has(self.index.memory.rows[*node as usize] as usize) {
                    keep(kept, self.width, candidate);
                }
            }
        }
    }

    /// Whether a candidate is still among the best.
    fn is_wanted(&self, candidate: Candidate) -> bool {
        let Work { kept, .. } = &self.work;
        kept.len() < self.width || kept.peek().is_some_and(|worst| candidate <= *worst)
    }

    /// The best candidate that waits, if it is still among the best.
    fn pop(&mut self) -> Option<Candidate> {
        let Reverse(best) = self.work.waiting.pop()?;
        let is_wanted = self.is_wanted(best);
        let is_near = || {
            let nearest = &self.work.nearest;
            nearest.len() < self.width || nearest.peek().is_some_and(|worst| best <= *worst)
        };
        let is_bounded = self.search.range.upper < f32::INFINITY;
        if is_wanted && (!is_bounded || best.key() < self.search.range.upper || is_near()) {
            return Some(best);
        }
        self.work.waiting.clear();
        None
    }

    /// What the walk kept, in any order.
    pub(super) fn candidates(&mut self) -> Vec<u32> {
        self.work.kept.drain().map(Candidate::node).collect()
    }
}

/// The links in a record.
fn links_of(shape: NodeShape, record: &[u8]) -> impl Iterator<Item = u32> + '_ {
    u32s(&record[shape.links..shape.codes])
}

fn takes(heap: &BinaryHeap<Candidate>, width: usize, candidate: Candidate) -> bool {
    heap.len() < width || heap.peek().is_some_and(|worst| candidate < *worst)
}

/// Keeps a candidate if it is among the best.
fn keep(heap: &mut BinaryHeap<Candidate>, width: usize, candidate: Candidate) -> bool {
    let is_taken = takes(heap, width, candidate);
    if is_taken {
        heap.push(candidate);
        if heap.len() > width {
            heap.pop();
        }
    }
    is_taken
}

/// The bits of the rows that a filter has.
pub(super) fn keep_of(filter: Option<BitmapView<'_>>) -> Keep<'_> {
    filter.map_or(Keep::ALL, |bits| Keep::new(bits, 0))
}

impl From<ReadError> for SearchError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
