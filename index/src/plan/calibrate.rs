//! How wide a walk must be for a recall that is asked for, measured on rows of the index itself.
//!
//! Some rows are searched as if they were queries, each in the graph without itself, and what is found is compared with
//! their exact neighbours. That is worth what the rows are worth as queries: for queries of another kind the recall will
//! be another.

use elanus_kernels::gemm::{Gemm, Scratch as GemmScratch};
use elanus_kernels::{BitmapView, KernelError, Metric, Rows, TopK};
use rayon::prelude::*;

use crate::container::{Container, Part, Tag};
use crate::graph::levels::mix;
use crate::{BuildCx, Cancel, OpenError, Scratch};

/// The widths that are tried.
pub(crate) const WIDTHS: [u32; 14] = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, 1024];
/// How many neighbours are looked for; what other numbers take is taken from these two.
pub(crate) const COUNTS: [usize; 2] = [10, 100];
/// A recall at which no wider search is tried; more cannot be asked for.
const ALL: f32 = 0.9995;
/// Rows of a block of the exact comparison.
const BLOCK: usize = 4096;

/// With fewer rows comparing all of them is quick enough.
pub(crate) const FROM: usize = 16_384;
/// Rows that serve as queries.
const QUERIES: usize = 96;

/// Some of the rows `from`, by chance but always the same for a seed.
pub(crate) fn samples(from: impl Iterator<Item = u32>, seed: u64) -> Vec<u32> {
    let mut rows: Vec<u32> = from.collect();
    rows.sort_by_cached_key(|row| (mix(seed ^ mix(u64::from(*row) + 2)), *row));
    rows.truncate(QUERIES);
    rows
}

/// Exact neighbours of some rows among all others, nearest first.
#[derive(Debug)]
pub(crate) struct Truth {
    /// For each sampled row as many as there are, up to the greater of [`COUNTS`].
    pub(crate) nearest: Vec<Vec<u32>>,
}

impl Truth {
    /// Compares `samples`, which are rows, with all rows that `usable` has; `write` gives a row as it is compared.
    /// `None` when cancelled.
    ///
    /// # Errors
    /// When there is no product of matrices for the metric.
    pub(crate) fn of(
        (samples, rows, dim): (&[u32], usize, usize),
        metric: Metric,
        usable: BitmapView<'_>,
        write: impl Fn(usize, &mut [f32]),
        cancel: &Cancel,
    ) -> Result<Option<Self>, KernelError> {
        let gemm = Gemm::<f32>::new(metric)?;
        let most = COUNTS[COUNTS.len() - 1];
        let mut values = vec![0.0; samples.len() * dim];
        for (row, to) in samples.iter().zip(values.chunks_exact_mut(dim)) {
            write(*row as usize, to);
        }
        // One more, since each row finds itself.
        let mut tops = vec![TopK::new(most + 1); samples.len()];
        if let Ok(queries) = Rows::new(&values, dim) {
            let packed = gemm.pack(queries);
            let (mut scratch, mut block, mut keep) = (GemmScratch::default(), Vec::new(), Vec::new());
            for first in (0..rows).step_by(BLOCK) {
                if cancel.is_cancelled() {
                    return Ok(None);
                }
                let count = BLOCK.min(rows - first);
                block.resize(count * dim, 0.0);
                block.chunks_exact_mut(dim).zip(first..).for_each(|(to, row)| write(row, to));
                let Ok(base) = Rows::new(&block, dim) else { break };
                // A block begins at a whole word of the bitmap.
                keep.clear();
                keep.extend_from_slice(&usable.words()[first / 64..(first + count).div_ceil(64)]);
                let keep = BitmapView::new(&keep, count);
                gemm.search(&packed, base, first as u32, Some(keep), &mut scratch, &mut tops);
            }
        }
        let others = |top: TopK, own: u32| {
            let ids = top.into_sorted().into_iter().map(|near| near.id);
            ids.filter(|id| *id != own).take(most).collect()
        };
        let nearest = tops.into_iter().zip(samples).map(|(top, own)| others(top, *own)).collect();
        Ok(Some(Self { nearest }))
    }
}

/// The recall to count on at each of [`WIDTHS`], for each of [`COUNTS`]; never decreasing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calibration {
    pub(crate) recalls: [[f32; WIDTHS.len()]; COUNTS.len()],
}

impl Calibration {
    /// What is saved of it.
    pub(crate) fn part(&self) -> Part<'_> {
        Part { tag: Tag::Promise, item: 0, bytes: bytemuck::cast_slice(self.recalls.as_flattened()) }
    }

    /// Reads what was saved, if there is such a section.
    ///
    /// # Errors
    /// When it does not hold recalls.
    pub(crate) fn read(container: &Container) -> Result<Option<Self>, OpenError> {
        let Some(section) = container.find(Tag::Promise, 0) else { return Ok(None) };
        let saved = section.array::<f32>((COUNTS.len() * WIDTHS.len()) as u64)?;
        let mut recalls = [[0.0; WIDTHS.len()]; COUNTS.len()];
        recalls.as_flattened_mut().copy_from_slice(saved.as_slice());
        match recalls.as_flattened().iter().position(|recall| !(0.0..=1.0).contains(recall)) {
            Some(at) => Err(section.refuse(at, 4, "not a recall", u64::from(saved.as_slice()[at].to_bits()))),
            None => Ok(Some(Self { recalls })),
        }
    }

    /// Searches each sample at one width after the other, until nearly all is found; `search` leaves in the list the
    /// rows found for a sample at a width, those refined and nearest first, at most so many, and not the sample itself.
    /// `None` when cancelled.
    pub(crate) fn measure(
        truth: &Truth,
        search: impl Fn(usize, usize, usize, &mut Scratch, &mut Vec<u32>) + Sync,
        cx: &BuildCx<'_>,
    ) -> Option<Self> {
        let mut recalls = [[0.0; WIDTHS.len()]; COUNTS.len()];
        for (recalls, count) in recalls.iter_mut().zip(COUNTS) {
            let mut best = 0.0_f32;
            for (recall, width) in recalls.iter_mut().zip(WIDTHS) {
                if best < ALL && width as usize >= count {
                    let each = shares(truth, width as usize, count, &search, cx)?;
                    best = best.max(sure(&each));
                }
                *recall = best;
            }
        }
        Some(Self { recalls })
    }

    /// The least width at which a recall is to be counted on when `count` rows are wanted; `None` when no width that
    /// was tried gives it.
    pub(crate) fn width(&self, recall: f32, count: usize) -> Option<usize> {
        let at = |which: usize| {
            let position = self.recalls[which].iter().position(|there| *there >= recall)?;
            Some(WIDTHS[position] as usize)
        };
        let [few, many] = COUNTS;
        if count <= few {
            return at(0);
        }
        if count >= many {
            return Some((at(1)? * count).div_ceil(many));
        }
        let (from, to) = (at(0)?, at(1)?.max(at(0)?));
        Some((from + ((to - from) * (count - few)).div_ceil(many - few)).max(count))
    }
}

/// The share of its true neighbours that is found for each sample that has any; `None` when cancelled.
fn shares(
    truth: &Truth,
    width: usize,
    count: usize,
    search: &(impl Fn(usize, usize, usize, &mut Scratch, &mut Vec<u32>) + Sync),
    cx: &BuildCx<'_>,
) -> Option<Vec<f64>> {
    let one = |(scratch, found): &mut (Scratch, Vec<u32>), sample: usize| -> Option<f64> {
        let nearest = &truth.nearest[sample];
        let nearest = &nearest[..count.min(nearest.len())];
        if cx.cancel.is_cancelled() {
            return None;
        }
        found.clear();
        search(sample, width, count, scratch, found);
        let hits = found.iter().take(count).filter(|id| nearest.contains(id)).count();
        Some(hits as f64 / nearest.len() as f64)
    };
    let samples: Vec<usize> = (0..truth.nearest.len()).filter(|sample| !truth.nearest[*sample].is_empty()).collect();
    match cx.pool {
        Some(pool) if pool.current_num_threads() > 1 => pool
            .install(|| samples.into_par_iter().map_init(Default::default, |own, sample| one(own, sample)).collect()),
        Some(_) | None => {
            let mut own = Default::default();
            samples.into_iter().map(|sample| one(&mut own, sample)).collect()
        }
    }
}

/// The mean less one standard error of it: by chance the sample may have been an easy one.
fn sure(each: &[f64]) -> f32 {
    let count = each.len().max(1) as f64;
    let mean = each.iter().sum::<f64>() / count;
    let variance = each.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / count;
    (mean - (variance / count).sqrt()).max(0.0) as f32
}

#[cfg(test)]
mod tests;
