//! Searches that look at the codes of all rows that match, and the reads by which candidates get their true keys.

use elanus_kernels::TopK;

use super::layout::{Kind, Part};
use super::pages::{check_unit, read_items};
use super::walk::Seeker;
use crate::read_at::{ReadError, ReadQueue};
use crate::{KeyRange, SearchError};

/// Nodes looked at between looks at the cancel flag.
const STEP: usize = 4096;
/// Without codes in memory, so few matching nodes of all are read at once, without a look at codes.
const DIRECT_PART: usize = 128;
/// Candidates beyond which those that cannot enter the result are sorted out again.
const PENDING: usize = 1 << 16;

/// Candidates read beyond those that would fill the result, before it is filled.
const SPARE: usize = 4;

/// Scans widen the interval of a key by this: a walk has few candidates near the border, but a scan may have very many,
/// and what one page of a long answer leaves out no later page brings back.
const SCAN_SLACK: f32 = 1.6;

/// A node, and the interval in which its key most likely lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) node: u32,
    pub(super) key: f32,
    pub(super) error: f32,
}

impl Scored {
    /// Whether the key may be in the range. An interval that is not a number may be anywhere.
    fn may_be_in(&self, range: KeyRange) -> bool {
        let (low, high) = (self.key - self.error, self.key + self.error);
        !(high < range.lower || low >= range.upper)
    }

    /// Whether the key is in the range, whatever it is in its interval.
    fn is_in(&self, range: KeyRange) -> bool {
        self.key - self.error >= range.lower && self.key + self.error < range.upper
    }

    /// Whether the key is greater than another, whatever it is in its interval.
    fn is_beyond(&self, key: f32) -> bool {
        self.key - self.error > key
    }
}

impl Seeker<'_> {
    /// Compares all that match, as far as their codes do not rule them out.
    pub(super) fn scan(
        &mut self,
        matching: usize,
        queue: &mut dyn ReadQueue,
        out: &mut TopK,
    ) -> Result<(), SearchError> {
        let nodes = self.index.header.nodes;
        let wants_all = self.search.k >= matching.div_ceil(2) && self.search.range.is_all();
        let is_direct = self.index.header.kind == Kind::Aisaq && matching <= nodes / DIRECT_PART;
        if wants_all || is_direct {
            let matches =
                (0..nodes as u32).filter(|node| self.keep.has(self.index.memory.rows[*node as usize] as usize));
            let mut all: Vec<Scored> = matches.map(|node| Scored { node, key: 0.0, error: f32::INFINITY }).collect();
            return self.fetch(&mut all, queue, out);
        }
        let mut pending: Vec<Scored> = Vec::new();
        // The k nearest upper bounds: what lies beyond them all cannot be among the k nearest.
        let mut uppers = TopK::new(self.search.k);
        for first in (0..nodes).step_by(STEP) {
            if self.search.cancel.is_cancelled() {
                return Err(SearchError::Cancelled);
            }
            self.estimate(first..nodes.min(first + STEP), &mut uppers, &mut pending)?;
            if pending.len() > PENDING {
                let worst = uppers.tighten();
                pending.retain(|scored| !scored.is_beyond(worst));
            }
        }
        let worst = uppers.tighten();
        pending.retain(|scored| !scored.is_beyond(worst));
        pending.sort_unstable_by(|a, b| a.key.total_cmp(&b.key).then(a.node.cmp(&b.node)));
        self.fetch(&mut pending, queue, out)
    }

    /// Adds to `pending` those of a run of nodes that match and may be near enough.
    fn estimate(
        &mut self,
        run: std::ops::Range<usize>,
        uppers: &mut TopK,
        pending: &mut Vec<Scored>,
    ) -> Result<(), SearchError> {
        let index = self.index;
        let rows = &index.memory.rows[run.clone()];
        let matches = (0..).zip(rows).filter(|(_, row)| self.keep.has(**row as usize)).map(|(at, _)| at);
        let mut ids: Vec<u32> = matches.filter(|at| !self.is_compared(run.start as u32 + at)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let codec = *index.coder.codec();
        let (mut signs, mut fine) = (Vec::new(), Vec::new());
        let is_resident = index.signs().len() >= run.end;
        if is_resident {
            ids.iter_mut().for_each(|id| *id += run.start as u32);
            self.bound.signs(index.signs(), &ids);
        } else {
            let section = index.layout.section(Part::Signs);
            read_items(&*index.reader, section, run.clone(), |_, item| signs.extend_from_slice(item))?;
            self.bound.signs(codec.records(&signs, codec.record_bytes()), &ids);
        }
        self.stats.distances += ids.len() as u64;
        let base = if is_resident { 0 } else { run.start as u32 };
        let mut scored = self.scored(&ids, base, SCAN_SLACK);
        let worst = uppers.tighten();
        scored.retain(|scored| scored.may_be_in(self.search.range) && !scored.is_beyond(worst));
        if index.header.bits > 1 && !scored.is_empty() {
            ids = scored.iter().map(|scored| scored.node - base).collect();
            if is_resident {
                if let Some(resident) = index.fine() {
                    self.bound.fine(index.signs(), resident, &ids);
                    scored = self.scored(&ids, base, SCAN_SLACK);
                }
            } else {
                let section = index.layout.section(Part::Fine);
                read_items(&*index.reader, section, run, |_, item| fine.extend_from_slice(item))?;
                let records = codec.records(&signs, codec.record_bytes());
                self.bound.fine(records, codec.refinements(&fine, codec.refine_bytes()), &ids);
                scored = self.scored(&ids, base, SCAN_SLACK);
            }
        }
        let range = self.search.range;
        for scored in scored.into_iter().filter(|scored| scored.may_be_in(range)) {
            if scored.is_in(range) {
                uppers.push(scored.node, scored.key + scored.error);
            }
            pending.push(scored);
        }
        Ok(())
    }

    /// What was last estimated, of the nodes `ids`, from which `base` was taken; errors are so many times as large.
    fn scored(&self, ids: &[u32], base: u32, slack: f32) -> Vec<Scored> {
        let estimates = self.bound.keys.iter().zip(&self.bound.errors);
        let scored =
            |(id, (key, error)): (&u32, (&f32, &f32))| Scored { node: id + base, key: *key, error: error * slack };
        ids.iter().zip(estimates).map(scored).collect()
    }

    /// Estimates candidates of a walk as well as codes in memory allow, nearest first. Those without such codes come
    /// first, as they may be anywhere.
    pub(super) fn judge(&mut self, nodes: Vec<u32>) -> Vec<Scored> {
        let index = self.index;
        let mut nodes: Vec<u32> = nodes.into_iter().filter(|node| !self.is_compared(*node)).collect();
        nodes.sort_unstable();
        let resident = index.signs();
        if nodes.last().is_some_and(|last| *last as usize >= resident.len()) {
            return nodes.into_iter().map(|node| Scored { node, key: 0.0, error: f32::INFINITY }).collect();
        }
        match index.fine() {
            Some(fine) => self.bound.fine(resident, fine, &nodes),
            None => self.bound.signs(resident, &nodes),
        }
        let mut scored = self.scored(&nodes, 0, 1.0);
        scored.sort_by(|a, b| a.key.total_cmp(&b.key).then(a.node.cmp(&b.node)));
        scored
    }

    /// Reads and compares candidates in their order, save those that cannot be in the result.
    pub(super) fn fetch(
        &mut self,
        candidates: &mut [Scored],
        queue: &mut dyn ReadQueue,
        out: &mut TopK,
    ) -> Result<(), SearchError> {
        let index = self.index;
        let section = index.layout.section(Part::Nodes);
        let mut units: Vec<u64> = Vec::new();
        for (count, scored) in candidates.iter().enumerate() {
            if count.is_multiple_of(64) && self.search.cancel.is_cancelled() {
                return Err(SearchError::Cancelled);
            }
            let unit = section.unit_of(scored.node as usize);
            if self.is_compared(scored.node) || units.contains(&unit) {
                continue;
            }
            if !scored.may_be_in(self.search.range) || scored.is_beyond(out.tighten()) {
                continue;
            }
            if let Some(bytes) = index.unit(unit) {
                self.compare_all(unit, bytes, out);
                continue;
            }
            while queue.in_flight() >= self.beam.min(queue.depth()) || self.has_begun_enough(queue, out) {
                let done = self.take_unit(queue, out)?;
                units.retain(|unit| Some(*unit) != done);
            }
            // What arrived meanwhile may have ruled it out.
            if self.is_compared(scored.node) || scored.is_beyond(out.tighten()) {
                continue;
            }
            let offset = section.unit_offset(unit);
            let submitted = queue.submit(unit, offset, section.packing.unit);
            submitted.map_err(|error| ReadError::device(offset, &error))?;
            units.push(unit);
        }
        while queue.in_flight() > 0 {
            self.take_unit(queue, out)?;
        }
        Ok(())
    }

    /// Whether the reads in flight may fill the result, so that it is worth to wait for them: what they leave no room for
    /// need not be read.
    fn has_begun_enough(&self, queue: &dyn ReadQueue, out: &TopK) -> bool {
        let missing = out.k() - out.len();
        missing > 0 && queue.in_flight() >= missing + SPARE
    }

    /// Waits for a unit and compares its nodes; gives its number.
    fn take_unit(&mut self, queue: &mut dyn ReadQueue, out: &mut TopK) -> Result<Option<u64>, SearchError> {
        let section = self.index.layout.section(Part::Nodes);
        let Some(arrival) = queue.next() else { return Ok(None) };
        let unit = arrival.tag;
        let bytes = arrival.bytes.map_err(|error| ReadError::device(section.unit_offset(unit), &error))?;
        check_unit(section, unit, bytes)?;
        self.compare_all(unit, bytes, out);
        Ok(Some(unit))
    }

    /// Compares all nodes of a unit: they cost no further read, and those that lie together are near to each other.
    fn compare_all(&mut self, unit: u64, bytes: &[u8], out: &mut TopK) {
        let section = self.index.layout.section(Part::Nodes);
        for node in section.items_of(unit) {
            self.compare(node as u32, &bytes[section.place(node)], out);
        }
    }
}
