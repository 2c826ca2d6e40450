//! The host's half of a scan: which rows a device looks at in which order, so that it needs room for a few thousand
//! candidates of each query and never for a matrix of scores.
//!
//! A device keeps, for each query, a bound and a list of candidates below it. A pass offers some rows; afterwards the
//! device selects the `k` smallest candidates and lowers the bound to the last of them. The first pass looks at a
//! sample that is spread over all rows, so that the order in which they were inserted does not matter, and only its
//! bound is kept. With `s` kept rows in the sample, of `n` in all, about `k n / s` pass the bound next; samples are
//! chosen so that several deviations more still fit. Where they do not, because the sample was unlucky, the device
//! says so: the pass is run again with the better bound that it gave, and at last in steps that cannot overflow.
#[cfg(test)]
mod tests;

use elanus_kernels::backend::{BackendError, pack};
use elanus_kernels::{KeyRange, Neighbor, TopK};

/// Tries with a better bound before rows are offered in steps that always fit.
const TRIES: usize = 3;

/// Rows that a device looks at together: `first + i * stride` for `i < count`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pass {
    /// The first row.
    pub first: u32,
    /// The distance from one row to the next.
    pub stride: u32,
    /// How many rows.
    pub count: u32,
    /// Whether only the bound is wanted, and the candidates are to be forgotten.
    pub sample: bool,
}

/// What a device found for a query.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The candidates that were selected, in any order, with their final keys.
    pub neighbors: Vec<Neighbor>,
    /// The largest selected candidate as the device sees it; where fewer than `k` were found, the bound that was set at
    /// the beginning.
    pub last: u64,
    /// Whether candidates did not fit in a pass that was no sample.
    pub overflowed: bool,
}

/// A batch of queries on a device. Numbers are packed as [`pack`] does it, with the device's own keys, which may be
/// off by rounding.
pub trait Batch {
    /// Forgets all candidates, and admits those from `lower` (included) to `upper` (not included) of each query.
    ///
    /// # Errors
    /// When the device fails.
    fn begin(&mut self, lower: &[u64], upper: &[u64]) -> Result<(), BackendError>;

    /// Offers rows, and selects the `k` smallest candidates of each query among those before and the new ones. If they
    /// are `k`, the last of them is the new bound: later candidates have to be below. After a sample the candidates
    /// are forgotten, and the last one is still admitted.
    ///
    /// # Errors
    /// When the device fails.
    fn pass(&mut self, pass: &Pass, k: usize) -> Result<(), BackendError>;

    /// Waits, and brings back what was found.
    ///
    /// # Errors
    /// When the device fails.
    fn finish(&mut self) -> Result<Vec<Found>, BackendError>;
}

/// A scan as the host sees it.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Rows of the corpus.
    pub rows: u32,
    /// How many of them a filter admits.
    pub kept: u32,
    /// Neighbors wanted.
    pub k: usize,
    /// Further candidates to select, since the device's keys are rounded; 0 where they are exact.
    pub slack: usize,
    /// Keys that may be returned.
    pub range: KeyRange,
    /// By how much the device's keys may be off.
    pub margin: f32,
    /// Candidates of a query that the device has room for.
    pub capacity: usize,
    /// Candidates that one round selects at most; less than half of the capacity.
    pub round_k: usize,
}

impl Task {
    /// The passes that find the `k` smallest of all rows, if the rows of the sample are as those of the rest.
    pub fn passes(&self, k: usize) -> Vec<Pass> {
        let whole = Pass { first: 0, stride: 1, count: self.rows, sample: false };
        let mut passes = vec![whole];
        // Rows of the next pass for each kept row of a sample: as many as fit with some deviations to spare.
        let likely = k as f64 + 4.0 * (k as f64).sqrt() + 8.0;
        let ratio = (self.capacity as f64 / likely).max(1.5);
        let share = f64::from(self.rows) / f64::from(self.kept.max(1));
        let mut kept = f64::from(self.kept);
        while kept > self.capacity as f64 {
            kept = (kept / ratio).max(self.capacity as f64 / 2.0);
            passes.push(spread(self.rows, (kept * share).ceil() as u32));
            if kept <= self.capacity as f64 {
                break;
            }
        }
        passes.reverse();
        passes
    }

    /// Passes none of which can overflow.
    fn steps(&self, k: usize) -> Vec<Pass> {
        let step = self.capacity.saturating_sub(k).max(1) as u32;
        let starts = (0..self.rows).step_by(step as usize);
        starts.map(|first| Pass { first, stride: 1, count: step.min(self.rows - first), sample: false }).collect()
    }

    fn lower(&self) -> u64 {
        if self.range.lower == f32::NEG_INFINITY { 0 } else { pack(self.range.lower - self.margin, 0) }
    }

    fn upper(&self) -> u64 {
        if self.range.is_all() || self.range.upper == f32::INFINITY {
            u64::MAX
        } else {
            pack(self.range.upper + self.margin, 0)
        }
    }

    /// Runs the scan and offers what it finds to the selections.
    ///
    /// # Errors
    /// Those of the device; the selections are then as before.
    pub fn run(&self, batch: &mut dyn Batch, out: &mut [TopK]) -> Result<(), BackendError> {
        let mut left = self.k.saturating_add(self.slack).min(self.kept as usize);
        let mut lower = vec![self.lower(); out.len()];
        let mut found: Vec<Vec<Neighbor>> = vec![Vec::new(); out.len()];
        while left > 0 && self.k > 0 {
            let k = left.min(self.round_k);
            let round = self.round(batch, &lower, k)?;
            let mut more = false;
            for ((one, lower), found) in round.into_iter().zip(&mut lower).zip(&mut found) {
                let full = one.neighbors.len() >= k;
                *lower = if full { one.last.saturating_add(1) } else { u64::MAX };
                more |= full;
                found.extend(one.neighbors);
            }
            left -= k;
            if !more {
                break;
            }
        }
        for (found, out) in found.iter().zip(out) {
            for one in found.iter().filter(|one| self.range.contains(one.key)) {
                out.push(one.id, one.key);
            }
        }
        Ok(())
    }

    /// The `k` smallest of each query from `lower` on.
    fn round(&self, batch: &mut dyn Batch, lower: &[u64], k: usize) -> Result<Vec<Found>, BackendError> {
        let mut upper = vec![self.upper(); lower.len()];
        let mut passes = self.passes(k);
        for tried in 0..=TRIES + 1 {
            batch.begin(lower, &upper)?;
            for pass in &passes {
                batch.pass(pass, k)?;
            }
            let found = batch.finish()?;
            if !found.iter().any(|one| one.overflowed) {
                return Ok(found);
            }
            // What was kept was real: its last one bounds the answer, whatever was lost.
            for (upper, one) in upper.iter_mut().zip(&found) {
                *upper = (*upper).min(one.last.saturating_add(1));
            }
            passes = if tried < TRIES { passes.split_off(passes.len() - 1) } else { self.steps(k) };
        }
        Err(BackendError::Failed { reason: "candidates were lost in steps in which all of them fit".to_owned() })
    }
}

/// About `count` rows, spread over all.
fn spread(rows: u32, count: u32) -> Pass {
    let stride = (rows / count.max(1)).max(1);
    Pass { first: 0, stride, count: rows.div_ceil(stride), sample: true }
}
