//! Lloyd's k-means in f32: the centres of inverted lists and of product codes.
//!
//! The result depends on the rows and the seed alone, not on the number of threads: each row is assigned by itself, and
//! each centre is the sum of its rows in their order. Ties go to the first centre (Lloyd, "Least Squares Quantization
//! in PCM", 1982).

mod assign;
mod update;

use elanus_kernels::Rows;
use elanus_kernels::rng::Rng;

pub(crate) use self::assign::assign;
use self::update::Members;
use crate::{BuildCx, BuildError};

/// How to find centres.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KMeans {
    /// How many centres.
    pub(crate) k: usize,
    /// Rounds of assignment and update at most; fewer when nothing changes any more. With 0 the centres are rows.
    pub(crate) iterations: usize,
    /// Where chance begins: it chooses the rows that are the first centres.
    pub(crate) seed: u64,
    /// Whether each centre is brought to length 1, as rows of length 1 want it under cosine.
    pub(crate) spherical: bool,
}

impl KMeans {
    /// The centres, `k` rows of the dimension of `rows`. Where there are fewer rows than centres some are equal, and
    /// without rows all are zero. Rows that are not finite count nowhere.
    ///
    /// The caller takes a sample where the rows are many. `cx.progress` is told rounds done and rounds in all, up to
    /// the last round even where it ends early, and `cx.seed` is not read.
    ///
    /// # Errors
    /// When no kernel can be had, or the caller cancelled.
    pub(crate) fn train(&self, rows: Rows<'_, f32>, cx: &BuildCx<'_>) -> Result<Vec<f32>, BuildError> {
        let mut centres = self.first(rows);
        let mut before: Vec<u32> = Vec::new();
        let rounds = self.iterations as u64;
        for round in 0..if rows.is_empty() { 0 } else { self.iterations } {
            (cx.progress)(round as u64, rounds);
            let (nearest, keys) = assign(rows, view(&centres, rows.dim()), cx)?;
            if nearest == before {
                break;
            }
            let members = Members::new(&nearest, &keys, self.k);
            update::move_centres(rows, &members, self.spherical, cx, &mut centres)?;
            update::fill_empty(rows, &members, &keys, &mut centres);
            before = nearest;
        }
        (cx.progress)(rounds, rounds);
        Ok(centres)
    }

    /// Different rows by chance, again from the first where there are too few.
    fn first(&self, rows: Rows<'_, f32>) -> Vec<f32> {
        let finite: Vec<u32> =
            (0..rows.len()).filter(|i| crate::check::all_finite(rows.row(*i))).map(|i| i as u32).collect();
        let mut chosen = sample(finite.len(), self.k, self.seed);
        // In the order of chance rather than of the rows, so that the rows taken twice are not the first ones.
        Rng::new(self.seed).shuffle(&mut chosen);
        let mut centres = Vec::with_capacity(self.k * rows.dim());
        for at in 0..self.k {
            match chosen.get(at % chosen.len().max(1)) {
                Some(row) => centres.extend_from_slice(rows.row(finite[*row as usize] as usize)),
                None => centres.extend(std::iter::repeat_n(0.0, rows.dim())),
            }
        }
        centres
    }
}

/// `count` different numbers below `of` by chance, ascending; all of them where there are no more.
pub(crate) fn sample(of: usize, count: usize, seed: u64) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..of as u32).collect();
    if count >= of {
        return ids;
    }
    let mut rng = Rng::new(seed);
    for at in 0..count {
        let other = at + rng.below((of - at) as u64) as usize;
        ids.swap(at, other);
    }
    ids.truncate(count);
    ids.sort_unstable();
    ids
}

/// Centres as rows; there is at least one of them, or none at all.
fn view(centres: &[f32], dim: usize) -> Rows<'_, f32> {
    Rows::new(centres, dim).unwrap_or_else(|_| unreachable!("centres are whole rows"))
}

#[cfg(test)]
mod tests;
