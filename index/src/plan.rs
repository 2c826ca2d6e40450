//! How a search finds its candidates: by a walk over the graph, by one among the rows that pass a filter, or by
//! comparing all of them.
//!
//! How many rows pass is known exactly, so the costs can be told beforehand: that of a scan is the number of rows that
//! pass, that of a walk grows with the candidates kept and hardly with the rows. How many pass near the query is counted
//! where the walk begins, since a filter often has to do with what the rows are. Rows that pass may lie far from the
//! query and apart from each other; then a walk meets too few of them, or spends more than it may, and the scan is done
//! after all.

pub(crate) mod calibrate;
mod local;
mod scan;
mod seeds;
#[cfg(test)]
mod tests;

use elanus_kernels::scan::Keep;

use crate::graph::links::Graph;
use crate::graph::walk::{Admission, End, Inside, Walk};
use crate::tier::Keys;
use crate::{Cancel, KeyRange, Scratch, Stats};

/// Rows are scanned where no more pass than these, and than so many for each candidate that is to be kept.
const SCAN_MIN: usize = 4096;
const SCAN_PER_CANDIDATE: usize = 96;
/// And where fewer pass near the query than elsewhere, than so many times more: a walk among them is less sure then.
const SCAN_AFAR: usize = 8;
/// Such a walk is so many times wider where they are more than that.
const WIDER_AFAR: usize = 2;
/// Of the rows that pass, a walk may compare or pass through a quarter, and so many nodes for each candidate besides.
const BUDGET_PART: usize = 4;
const BUDGET_PER_CANDIDATE: usize = 12;
/// Rows compared for each candidate kept by a walk through all nodes, as a rule.
const ADMIT_PER_CANDIDATE: usize = 8;
/// Of a hundred nodes near the query so many pass at which all are walked, and those found are sifted.
const SIFT_PERCENT: usize = 35;
/// Of a hundred candidates to be kept, sifting must leave so many.
const SIFTED_PERCENT: usize = 60;
/// Rows that pass at which a walk among them begins, and where fewer pass near the query than elsewhere.
const SEEDS: usize = 64;
const SEEDS_AFAR: usize = 512;
/// Rows that pass to find in a step of such a walk.
const ENOUGH: usize = 16;

/// What a search asks of a graph and a tier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// Rows that may be returned.
    pub(crate) keep: Keep<'a>,
    /// How many they are, exactly.
    pub(crate) matching: usize,
    /// All rows, those included that are not in the graph.
    pub(crate) rows: usize,
    /// Rows that are in the graph.
    pub(crate) nodes: usize,
    /// Rows wanted in the end: so many candidates are left if so many rows pass and the range does not end them.
    pub(crate) count: usize,
    /// Candidates to leave at most, at least `count`.
    pub(crate) width: usize,
    /// Keys of the tier that candidates may have. Where those are not exact the caller widens the range by what they
    /// may be off, and decides by exact keys.
    pub(crate) range: KeyRange,
    pub(crate) cancel: &'a Cancel,
}

/// How candidates are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Every row that passes is compared.
    Scan,
    /// A plain walk.
    Plain,
    /// A walk that looks at the filter.
    Filtered,
    /// A walk through all nodes that keeps those in the range.
    Admit,
}

impl Ask<'_> {
    fn way(&self) -> Way {
        if self.width >= self.matching || self.count >= self.matching.div_ceil(2) {
            return Way::Scan;
        }
        if self.range.lower > f32::NEG_INFINITY {
            // Of the nodes expanded, that part is admitted which passes.
            let expected = self.width.saturating_mul(ADMIT_PER_CANDIDATE).saturating_mul(self.nodes) / self.matching;
            return if expected < self.matching { Way::Admit } else { Way::Scan };
        }
        if self.matching >= self.nodes {
            return Way::Plain;
        }
        if self.matching <= self.few() { Way::Scan } else { Way::Filtered }
    }

    /// So many rows cost less to scan than a walk among them.
    fn few(&self) -> usize {
        self.width.saturating_mul(SCAN_PER_CANDIDATE).max(SCAN_MIN)
    }

    /// The candidates below the upper end of the range are left; below the lower end a walk leaves none.
    fn cut(&self, scratch: &mut Scratch) -> End {
        if self.range.upper < f32::INFINITY {
            scratch.found.retain(|found| found.key() < self.range.upper);
        }
        End::Done
    }
}

/// Leaves in `scratch.found` candidates for the nearest rows that pass and lie in the range, nearest first, each once,
/// with their keys of the tier. Those of a search without filter and range are what the plain walk finds.
///
/// At least `count` are left if so many rows pass and the range has no upper end. The end is `Done` or `Cancelled`.
pub(crate) fn find(graph: &Graph, tier: &dyn Keys, ask: &Ask<'_>, scratch: &mut Scratch, stats: &mut Stats) -> End {
    find_from(graph, tier, ask, |scratch, stats| Walk { tier }.descend(graph, 0, scratch, stats), scratch, stats)
}

/// [`find`] from the row that `start` names; it is asked at most once, and not at all for a scan.
pub(crate) fn find_from(
    graph: &Graph,
    tier: &dyn Keys,
    ask: &Ask<'_>,
    start: impl FnOnce(&mut Scratch, &mut Stats) -> u32,
    scratch: &mut Scratch,
    stats: &mut Stats,
) -> End {
    scratch.found.clear();
    if ask.matching == 0 || ask.width == 0 {
        return End::Done;
    }
    let mut end = match ask.way() {
        Way::Scan => End::Spent,
        way @ (Way::Plain | Way::Filtered | Way::Admit) => {
            let from = From { graph, walk: Walk { tier }, start: start(scratch, stats) };
            match way {
                Way::Admit => from.admit(ask, scratch, stats),
                Way::Filtered => from.filtered(ask, scratch, stats),
                Way::Plain | Way::Scan => from.plain(ask.width, ask, scratch, stats),
            }
        }
    };
    // Some rows may not be reached by any link. With an upper end to the range it is not known how many qualify.
    let is_open = ask.range.upper == f32::INFINITY;
    if end == End::Done && is_open && scratch.found.len() < ask.count.min(ask.matching) {
        end = End::Spent;
    }
    if end == End::Spent {
        scratch.found.clear();
        end = scan::scan(tier, ask, scratch, stats);
    }
    scratch.found.truncate(ask.width);
    end
}

/// A walk of the lowest level and the row where it begins.
#[derive(Clone, Copy)]
struct From<'a> {
    graph: &'a Graph,
    walk: Walk<'a>,
    start: u32,
}

impl From<'_> {
    fn plain(self, width: usize, ask: &Ask<'_>, scratch: &mut Scratch, stats: &mut Stats) -> End {
        self.walk.best_first(self.graph.ground(), self.start, width, scratch, stats);
        ask.cut(scratch)
    }

    /// Where many rows pass near the query a plain walk that is the wider for it, else a walk among those that pass.
    fn filtered(self, ask: &Ask<'_>, scratch: &mut Scratch, stats: &mut Stats) -> End {
        let local = local::passing(self.graph.ground(), self.start, ask.keep);
        if local.passing * 100 < local.seen * SIFT_PERCENT {
            // Half as many as there should be.
            let is_afar = 2 * local.passing * ask.nodes < local.seen * ask.matching;
            return match is_afar {
                false => self.inside(ask.width, SEEDS, ask, scratch, stats),
                true if ask.matching / SCAN_AFAR <= ask.few() => End::Spent,
                true => self.inside(ask.width.saturating_mul(WIDER_AFAR), SEEDS_AFAR, ask, scratch, stats),
            };
        }
        let width = ask.width.saturating_mul(local.seen).div_ceil(local.passing);
        self.walk.best_first(self.graph.ground(), self.start, width, scratch, stats);
        scratch.found.retain(|found| ask.keep.has(found.node() as usize));
        if scratch.found.len() * 100 < ask.width * SIFTED_PERCENT {
            scratch.found.clear();
            return self.inside(ask.width, SEEDS_AFAR, ask, scratch, stats);
        }
        ask.cut(scratch)
    }

    /// The walk among the rows that pass, `width` wide, from so many seeds.
    fn inside(self, width: usize, seeds: usize, ask: &Ask<'_>, scratch: &mut Scratch, stats: &mut Stats) -> End {
        let mut begins = std::mem::take(&mut scratch.seeds);
        seeds::spread(ask.keep, ask.rows, seeds, &mut scratch.words, &mut begins);
        let budget = (ask.matching / BUDGET_PART + width * BUDGET_PER_CANDIDATE) as u64;
        let (start, keep, cancel) = (self.start, ask.keep, ask.cancel);
        let inside = Inside { start, seeds: &begins, keep, width, enough: ENOUGH, budget, cancel };
        let end = self.walk.inside(self.graph.ground(), inside, scratch, stats);
        scratch.seeds = begins;
        match end {
            // Rows that pass may be cut off from each other, and then a few of them are no answer.
            End::Done if scratch.found.len() < ask.width.min(ask.matching) => End::Spent,
            End::Done => ask.cut(scratch),
            End::Spent | End::Cancelled => end,
        }
    }

    fn admit(self, ask: &Ask<'_>, scratch: &mut Scratch, stats: &mut Stats) -> End {
        let budget = (ask.matching / 2).max(ask.width) as u64;
        let admission = Admission { keep: ask.keep, range: ask.range, budget, cancel: ask.cancel };
        self.walk.admitting(self.graph.ground(), self.start, ask.width, admission, scratch, stats)
    }
}
