//! Where centres move once their rows are known.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use elanus_kernels::Rows;
use rayon::prelude::*;

use crate::{BuildCx, BuildError};

/// How far apart the halves of a split centre begin, as a part of the way to one of its rows.
const SPLIT: f32 = 1.0 / 64.0;

/// The rows of each centre, in their order.
pub(super) struct Members {
    /// Where the rows of each centre begin, and where the last ones end.
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl Members {
    /// Sorts the rows by centre, leaving out those whose key is not finite.
    pub(super) fn new(nearest: &[u32], keys: &[f32], centres: usize) -> Self {
        let counted = || nearest.iter().zip(keys).enumerate().filter(|(_, (_, key))| key.is_finite());
        let mut starts = vec![0; centres + 1];
        for (_, (centre, _)) in counted() {
            starts[*centre as usize + 1] += 1;
        }
        for at in 0..centres {
            starts[at + 1] += starts[at];
        }
        let mut rows = vec![0; starts[centres]];
        let mut next = starts.clone();
        for (row, (centre, _)) in counted() {
            rows[next[*centre as usize]] = row as u32;
            next[*centre as usize] += 1;
        }
        Self { starts, rows }
    }

    fn of(&self, centre: usize) -> &[u32] {
        &self.rows[self.starts[centre]..self.starts[centre + 1]]
    }
}

/// Moves each centre that has rows to their mean, or to the direction of it.
pub(super) fn move_centres(
    rows: Rows<'_, f32>,
    members: &Members,
    spherical: bool,
    cx: &BuildCx<'_>,
    centres: &mut [f32],
) -> Result<(), BuildError> {
    let one = |sum: &mut Vec<f64>, (at, centre): (usize, &mut [f32])| {
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        mean(rows, members.of(at), spherical, sum, centre);
        Ok(())
    };
    match cx.pool {
        Some(pool) => {
            pool.install(|| centres.par_chunks_exact_mut(rows.dim()).enumerate().try_for_each_init(Vec::new, one))
        }
        None => {
            let mut sum = Vec::new();
            centres.chunks_exact_mut(rows.dim()).enumerate().try_for_each(|centre| one(&mut sum, centre))
        }
    }
}

fn mean(rows: Rows<'_, f32>, members: &[u32], spherical: bool, sum: &mut Vec<f64>, centre: &mut [f32]) {
    if members.is_empty() {
        return;
    }
    sum.clear();
    sum.resize(rows.dim(), 0.0);
    for row in members {
        for (sum, value) in sum.iter_mut().zip(rows.row(*row as usize)) {
            *sum += f64::from(*value);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    let scale = if spherical && length > 0.0 { 1.0 / length } else { 1.0 / members.len() as f64 };
    for (value, sum) in centre.iter_mut().zip(&*sum) {
        *value = (sum * scale) as f32;
    }
}

/// Gives every centre without rows the half of the one that has most: both begin near the old place, to either side of
/// it on the line to its farthest row. Where all rows of a centre are equal, so stay its halves.
pub(super) fn fill_empty(rows: Rows<'_, f32>, members: &Members, keys: &[f32], centres: &mut [f32]) {
    let dim = rows.dim();
    let count = centres.len() / dim;
    // Of equally full ones the first.
    let mut full: BinaryHeap<(usize, Reverse<usize>)> =
        (0..count).map(|at| (members.of(at).len(), Reverse(at))).filter(|(rows, _)| *rows > 1).collect();
    for empty in (0..count).filter(|at| members.of(*at).is_empty()) {
        let Some((part, Reverse(donor))) = full.pop() else { return };
        // What was split before has other rows to go by, since the farthest one may have left.
        let left = members.of(donor)[..part].iter().copied();
        let Some(row) = left.max_by(|a, b| keys[*a as usize].total_cmp(&keys[*b as usize])) else { return };
        for (d, value) in rows.row(row as usize).iter().enumerate() {
            let old = centres[donor * dim + d];
            let step = SPLIT * (value - old);
            centres[donor * dim + d] = old - step;
            centres[empty * dim + d] = old + step;
        }
        if part > 3 {
            full.push((part / 2, Reverse(donor)));
        }
    }
}
