//! How a disk index answers: by a walk, or by a look at the codes of all rows that match.

use std::io::{self, Write};

use elanus_kernels::{AnyRows, TopK, Vector};

use super::layout::{Kind, Part};
use super::open::DiskIndex;
use super::settings;
use super::vectors::Exact;
use super::walk::{End, Seeker, keep_of};
use crate::read_at::{ReadError, ReadQueue};
use crate::{Index, IndexFactory, Scratch, Search, SearchError, Spec, Stats, check};

/// Reads in flight while candidates get their true keys.
const FETCH_BEAM: usize = 32;
/// Estimates for each hop, as a rule.
const PER_HOP: usize = 24;
/// What a hop with a read costs, in hops without.
const READ_COST: usize = 4;
/// Without codes in memory: nodes whose codes are read in sequence in the time of a hop.
const STREAM_PER_HOP: usize = 64;
/// With so many components their signs tell near rows apart; with half as many, twice as many candidates are kept for it,
/// but never more than so many times as many.
const SIGNS_ENOUGH: usize = 128;
const WIDER: usize = 4;
/// Bytes copied at a time.
const COPY: usize = 1 << 20;

impl DiskIndex {
    /// Adds to `out` the nearest rows to `query`, as [`Index::search`] does, but needs no rows.
    ///
    /// # Errors
    /// As [`Index::search`]; also when the file cannot be read, or is not what was written.
    pub fn search_at(&self, query: Vector<'_>, search: &Search<'_>, out: &mut TopK) -> Result<Stats, SearchError> {
        self.check_query(query, search, out)?;
        let width = self.widened(settings::width(search.params, search.k)?);
        if search.cancel.is_cancelled() {
            return Err(SearchError::Cancelled);
        }
        if self.header.nodes == 0 || search.k == 0 {
            return Ok(Stats::default());
        }
        let keep = keep_of(search.filter);
        let matching = search.filter.map_or(self.header.nodes, |_| self.matching(search));
        if matching == 0 {
            return Ok(Stats::default());
        }
        let given = settings::beam(search.params);
        let beam = given.unwrap_or_else(|| self.settings.beam());
        let mut work = self.take_work();
        let depth = beam.max(FETCH_BEAM);
        let mut queue = match work.queue.take().filter(|queue| queue.depth() >= depth) {
            Some(queue) => queue,
            None => self.reader.queue(depth, self.largest_unit()).map_err(|error| ReadError::device(0, &error))?,
        };
        let walks = self.is_walkable(matching, width, search);
        let is_filtered = search.filter.is_some() || !search.range.is_all();
        let budget = if is_filtered { (matching as u64 / 2).max(4 * width as u64) } else { u64::MAX };
        let (exact, bound) = (Exact::new(query, self.header.metric)?, self.coder.bind(query)?);
        let (stats, found) = (Stats::default(), 0);
        let mut seeker = Seeker { index: self, search, exact, bound, keep, width, beam, budget, work, stats, found };
        let result = seeker.run(matching, walks, given.is_none(), &mut *queue, out);
        let (stats, mut work) = (seeker.stats, seeker.work);
        // A queue whose device failed may fail again, and is not kept.
        let is_sound = !matches!(result, Err(SearchError::Read(_)));
        if is_sound {
            queue.clear();
            work.queue = Some(queue);
        }
        self.give_work(work);
        result.map(|()| stats)
    }

    /// Candidates to keep where so many are asked for: the fewer the components, the less their signs say.
    fn widened(&self, width: usize) -> usize {
        width.saturating_mul((SIGNS_ENOUGH / self.header.dim).clamp(1, WIDER))
    }

    fn check_query(&self, query: Vector<'_>, search: &Search<'_>, out: &TopK) -> Result<(), SearchError> {
        if query.element() != self.header.element {
            return Err(SearchError::Element { want: self.header.element, got: query.element() });
        }
        if query.dim() != self.header.dim {
            return Err(SearchError::Dim { want: self.header.dim, got: query.dim() });
        }
        if let Some(filter) = search.filter.filter(|filter| filter.len() != self.header.rows) {
            return Err(SearchError::Filter { want: self.header.rows, got: filter.len() });
        }
        if out.k() != search.k {
            return Err(SearchError::Holder { want: search.k, got: out.k() });
        }
        check::finite(query)
    }

    /// How many nodes a filter has.
    fn matching(&self, search: &Search<'_>) -> usize {
        let keep = keep_of(search.filter);
        if self.header.nodes == self.header.rows {
            return keep.count(self.header.rows);
        }
        self.memory.rows.iter().filter(|row| keep.has(**row as usize)).count()
    }

    /// Whether a walk is expected to be less work than to look at all codes.
    fn is_walkable(&self, matching: usize, width: usize, search: &Search<'_>) -> bool {
        let is_wide = width >= matching || search.k >= matching.div_ceil(2);
        if search.filter.is_none() && search.range.is_all() {
            return !is_wide;
        }
        // A walk finds what lies before the lower end only by passing through all of it.
        if is_wide || search.range.lower > f32::NEG_INFINITY {
            return false;
        }
        // Of the nodes expanded, that part may be returned which matches.
        let hops = width.saturating_mul(self.header.nodes) / matching;
        match self.header.kind {
            Kind::Diskann if self.has_all_links() => hops.saturating_mul(PER_HOP) < matching,
            Kind::Diskann => hops.saturating_mul(PER_HOP * READ_COST) < matching,
            Kind::Aisaq => hops.saturating_mul(STREAM_PER_HOP) < self.header.nodes,
        }
    }

    fn largest_unit(&self) -> usize {
        let unit = |part| self.layout.section(part).packing.unit;
        unit(Part::Nodes).max(unit(Part::Signs))
    }
}

impl Seeker<'_> {
    fn run(
        &mut self,
        matching: usize,
        walks: bool,
        may_hurry: bool,
        queue: &mut dyn ReadQueue,
        out: &mut TopK,
    ) -> Result<(), SearchError> {
        self.clear();
        let end = if walks { self.walk(queue, out)? } else { End::Spent };
        queue.clear();
        if may_hurry {
            self.beam = self.beam.max(FETCH_BEAM);
        }
        if end == End::Done {
            let candidates = self.candidates();
            let mut candidates = self.judge(candidates);
            let is_open = self.search.range.upper == f32::INFINITY;
            self.fetch(&mut candidates, queue, out)?;
            // Below an open end every matching row qualifies, but some may not be reached by any link.
            let is_short = is_open && self.found < self.search.k.min(matching) && out.len() < self.search.k;
            if !is_short {
                return Ok(());
            }
        }
        self.scan(matching, queue, out)
    }
}

impl Index for DiskIndex {
    fn factory(&self) -> &'static dyn IndexFactory {
        self.spec.factory()
    }

    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn len(&self) -> usize {
        self.header.rows
    }

    fn footprint_bytes(&self) -> u64 {
        self.resident_bytes() + self.reader.memory_bytes()
    }

    fn describe(&self) -> String {
        let header = &self.header;
        let cache = match header.kind {
            Kind::Diskann => format!("links of {} nodes", header.linked),
            Kind::Aisaq => format!("{} codes beside a node, {} entry points", header.inlined, header.entries),
        };
        format!(
            "{} with {} links, search list {}, {}-bit codes, {cache}, over {} of {} rows read from {}",
            header.kind.name(),
            header.degree,
            header.list,
            header.bits,
            header.nodes,
            header.rows,
            self.reader.describe()
        )
    }

    fn search(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        _scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        check::search(&self.spec, self.header.rows, rows, query, search, out)?;
        self.search_at(query, search, out)
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut buffer = vec![0; COPY];
        let mut offset = 0;
        while offset < self.reader.len() {
            let count = (self.reader.len() - offset).min(COPY as u64) as usize;
            self.reader.read_at(offset, &mut buffer[..count])?;
            out.write_all(&buffer[..count])?;
            offset += count as u64;
        }
        Ok(())
    }
}
