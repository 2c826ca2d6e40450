//! Residual quantization of one part: each level names what is nearest to the rest that the levels before it left.
//!
//! The nearest centroid of each level alone is not the best sum of centroids, so several paths are kept from level to
//! level (Babenko and Lempitsky, "Additive Quantization for Extreme Vector Compression", 2014, section 3.2; faiss keeps
//! as many as here).

use super::pq::MAX_LEVELS;
use super::pq::book::Book;
use crate::{BuildCx, BuildError, par};

/// Paths that are kept.
const WIDTH: usize = 5;

/// Rows that a thread takes at a time.
const PART: usize = 256;

/// Keys that are looked at together.
const BLOCK: usize = 16;

/// One choice of a centroid on each level so far.
#[derive(Clone, Debug, Default)]
struct Path {
    /// What the centroids leave over.
    rest: Vec<f32>,
    codes: [u32; MAX_LEVELS],
}

/// A path and the centroid that it would take next.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The square of what would be left over.
    key: f32,
    path: usize,
    code: u32,
}

/// Memory for encoding one part after another.
#[derive(Debug, Default)]
pub(super) struct Beam {
    paths: Vec<Path>,
    next: Vec<Path>,
    keys: Vec<f32>,
    steps: Vec<Step>,
}

impl Beam {
    /// The codes of a part, one for each of the books, and what they leave over.
    pub(super) fn encode(&mut self, books: &[&Book<'_>], part: &[f32]) -> (&[u32], &[f32]) {
        self.paths.resize_with(WIDTH, Path::default);
        self.next.resize_with(WIDTH, Path::default);
        self.paths[0].rest.clear();
        self.paths[0].rest.extend_from_slice(part);
        let mut paths = 1;
        for (level, book) in books.iter().enumerate() {
            let width = if level + 1 == books.len() { 1 } else { WIDTH };
            self.steps.clear();
            for path in 0..paths {
                book.keys(&self.paths[path].rest, &mut self.keys);
                keep_least(&self.keys, path, width, &mut self.steps);
            }
            if self.steps.is_empty() {
                // Nothing is at a finite distance.
                self.steps.push(Step { key: f32::INFINITY, path: 0, code: 0 });
            }
            paths = self.steps.len();
            for (step, next) in self.steps.iter().zip(&mut self.next) {
                let path = &self.paths[step.path];
                next.rest.clear();
                let centroid = book.centroid(step.code as usize);
                next.rest.extend(path.rest.iter().zip(centroid).map(|(rest, value)| rest - value));
                next.codes = path.codes;
                next.codes[level] = step.code;
            }
            std::mem::swap(&mut self.paths, &mut self.next);
        }
        (&self.paths[0].codes[..books.len()], &self.paths[0].rest)
    }
}

/// Brings the least keys of a path into `steps`, which keeps the `width` least of all in order; of equal keys those of
/// earlier paths and lower codes come first. A key that is not finite is no step.
fn keep_least(keys: &[f32], path: usize, width: usize, steps: &mut Vec<Step>) {
    let bound = |steps: &[Step]| if steps.len() < width { f32::INFINITY } else { steps[width - 1].key };
    let mut most = bound(steps);
    for (block, keys) in keys.chunks(BLOCK).enumerate() {
        if keys.iter().copied().fold(f32::INFINITY, f32::min) >= most {
            continue;
        }
        for (i, key) in keys.iter().copied().enumerate() {
            if key < most {
                steps.truncate(width - 1);
                let at = steps.partition_point(|step| step.key <= key);
                steps.insert(at, Step { key, path, code: (block * BLOCK + i) as u32 });
                most = bound(steps);
            }
        }
    }
}

/// What the books leave over of each part in `values`, which has `dsub` numbers for each.
pub(super) fn residuals(
    books: &[Book<'_>],
    values: &[f32],
    dsub: usize,
    cx: &BuildCx<'_>,
) -> Result<Vec<f32>, BuildError> {
    let books: Vec<&Book<'_>> = books.iter().collect();
    let mut left = values.to_vec();
    par::parts(cx, &mut left, PART * dsub, |_, left| {
        let mut beam = Beam::default();
        for part in left.chunks_exact_mut(dsub) {
            let (_, rest) = beam.encode(&books, part);
            part.copy_from_slice(rest);
        }
        Ok(())
    })?;
    Ok(left)
}

#[cfg(test)]
mod tests;
