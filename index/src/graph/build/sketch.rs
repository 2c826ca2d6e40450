//! The vectors of a level in the order of its leaves, as bytes where those tell near nodes apart, else as they are.
//!
//! After the first cut into leaves nodes are compared with each other only. Both sides are rounded alike, so that keys
//! are the same in both directions, and products of bytes take a small part of the time of those of f32.

use elanus_kernels::{Kernel, KernelError, Metric, Number, Rows};

use super::crew::Crew;
use super::points::Points;
use crate::BuildError;

/// Nodes that a thread writes at a time.
const SPAN: usize = 1024;
/// Nodes from which mean and range of the components are taken, at most.
const SAMPLE: usize = 1024;
/// Shares of the components that the range of bytes holds, tried in turn; others are cut to the range.
const HELD: [f64; 2] = [0.9995, 1.0];
/// Values of a byte on either side of zero.
const TOP: f32 = 127.0;
/// Bytes of a line of the caches. Vectors are filled up with zeros to whole lines where that adds little.
const LINE: usize = 64;
/// Nodes whose near ones show how much bytes lose, and on either side of each the nodes that are looked through.
const PROBES: usize = 64;
const AROUND: usize = 256;
/// Near nodes of each probe.
const NEAREST: usize = 8;
/// How far keys of bytes may be off, as a share of the exact ones. On embeddings of text it is 0.002.
const LOSS_MAX: f64 = 0.02;

/// Vectors one after another, and the kernel that compares them by squared Euclidean distance.
#[derive(Debug)]
pub(crate) struct Sketch<E: Number> {
    values: Vec<E>,
    /// Where the vectors begin among the values.
    start: usize,
    /// Values of a vector.
    dim: usize,
    kernel: Kernel<E>,
}

impl<E: Number> Sketch<E> {
    /// What compares two vectors; a key is the square of the distance, by a factor that all have in common.
    pub(crate) fn kernel(&self) -> &Kernel<E> {
        &self.kernel
    }

    /// All vectors; that of a node is at its number.
    pub(crate) fn rows(&self) -> Rows<'_, E> {
        dense(&self.values[self.start..], self.dim)
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.rows().len()
    }

    /// Copies the vectors of nodes one after another.
    pub(super) fn gather<'b>(&self, nodes: &[u32], to: &'b mut Vec<E>) -> Rows<'b, E> {
        let rows = self.rows();
        to.clear();
        nodes.iter().for_each(|node| to.extend_from_slice(rows.row(*node as usize)));
        dense(to, self.dim)
    }
}

/// The vectors as they are.
pub(super) fn floats(points: Points<'_>, crew: &Crew<'_>) -> Result<Sketch<f32>, BuildError> {
    let dim = points.space.dim();
    let mut values = vec![0.0; points.len() * dim];
    write(points, &mut values, dim, <[f32]>::copy_from_slice, crew)?;
    Ok(Sketch { values, start: 0, dim, kernel: Kernel::new(Metric::L2)? })
}

/// The vectors as bytes, on one grid for all components, since distances would not be those of the vectors on several;
/// `None` where bytes are too coarse.
pub(super) fn bytes(points: Points<'_>, crew: &Crew<'_>) -> Result<Option<Sketch<i8>>, BuildError> {
    // The component that was added for the inner product is so large that its grid is coarse for the others.
    if points.space.is_level() {
        return Ok(None);
    }
    let plain = points.space.dim();
    let lines = plain.next_multiple_of(LINE);
    let dim = if lines - plain <= plain / 2 { lines } else { plain };
    let mut values = vec![0i8; points.len() * dim + LINE];
    let start = values.as_ptr().align_offset(LINE).min(LINE);
    values.truncate(start + points.len() * dim);
    let mut sketch = Sketch { values, start, dim, kernel: Kernel::new(Metric::L2)? };
    let (mean, mut sizes) = sizes(points);
    for held in HELD {
        let at = ((sizes.len() as f64 * held) as usize).min(sizes.len() - 1);
        let (_, range, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
        let scale = TOP / *range;
        if !scale.is_finite() || scale <= 0.0 {
            continue;
        }
        let round = |to: &mut [i8], from: &[f32]| {
            for ((to, value), mean) in to.iter_mut().zip(from).zip(&mean) {
                *to = ((value - mean) * scale).round_ties_even().clamp(-TOP, TOP) as i8;
            }
        };
        write(points, &mut sketch.values[start..], dim, round, crew)?;
        if loss(points, &sketch, scale)? <= LOSS_MAX {
            return Ok(Some(sketch));
        }
    }
    Ok(None)
}

/// The mean of a sample, and how far each component of it is from the mean.
fn sizes(points: Points<'_>) -> (Vec<f32>, Vec<f32>) {
    let step = points.len().div_ceil(SAMPLE).max(1);
    let rows = || points.rows.iter().step_by(step);
    let mut buffer = Vec::new();
    let mut sums = vec![0.0f64; points.space.dim()];
    for row in rows() {
        sums.iter_mut().zip(points.space.vector(*row, &mut buffer)).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let count = rows().count() as f64;
    let mean: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
    let mut sizes = Vec::with_capacity(rows().count() * mean.len());
    for row in rows() {
        let vector = points.space.vector(*row, &mut buffer);
        sizes.extend(vector.iter().zip(&mean).map(|(value, mean)| (value - mean).abs()));
    }
    (mean, sizes)
}

/// Writes all vectors, `dim` values for each, of which those that `put` leaves stay as they are.
fn write<E: Number>(
    points: Points<'_>,
    values: &mut [E],
    dim: usize,
    put: impl Fn(&mut [E], &[f32]) + Sync,
    crew: &Crew<'_>,
) -> Result<(), BuildError> {
    let parts = values.chunks_mut(SPAN * dim).enumerate().collect();
    crew.map(parts, |buffer: &mut Vec<f32>, (part, values): (usize, &mut [E])| {
        for (to, row) in values.chunks_mut(dim).zip(&points.rows[part * SPAN..]) {
            let vector = points.space.vector(*row, buffer);
            put(&mut to[..vector.len()], vector);
        }
    })?;
    Ok(())
}

/// By how much keys of bytes are off for near nodes, as a share of the exact keys; NaN where those are too large. Nodes
/// with numbers close to each other are of one leaf.
fn loss(points: Points<'_>, sketch: &Sketch<i8>, scale: f32) -> Result<f64, KernelError> {
    let kernel = Kernel::<f32>::new(Metric::L2)?;
    let (mut own, mut other) = (Vec::new(), Vec::new());
    let (mut off, mut sum) = (0.0, 0.0);
    let unit = 1.0 / (f64::from(scale) * f64::from(scale));
    for node in (0..points.len()).step_by(points.len().div_ceil(PROBES)) {
        let vector = points.space.vector(points.rows[node], &mut own);
        let around = (node.saturating_sub(AROUND)..points.len().min(node + AROUND)).filter(|near| *near != node);
        let key = |near| (kernel.pair(vector, points.space.vector(points.rows[near], &mut other)), near);
        let mut keys: Vec<(f32, usize)> = around.map(key).collect();
        keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (key, near) in keys.into_iter().take(NEAREST) {
            let rounded = sketch.kernel.pair(sketch.rows().row(node), sketch.rows().row(near));
            off += (f64::from(rounded) * unit - f64::from(key)).abs();
            sum += f64::from(key);
        }
    }
    Ok(off / sum)
}

/// Values written vector by vector.
fn dense<E>(values: &[E], dim: usize) -> Rows<'_, E> {
    Rows::new(values, dim).expect("whole vectors of a dimension that is not zero")
}

#[cfg(test)]
impl Sketch<f32> {
    /// All rows of a space as they are.
    pub(crate) fn of(space: &impl crate::graph::space::Space) -> Self {
        let mut buffer = Vec::new();
        let values = (0..space.len() as u32).flat_map(|row| space.vector(row, &mut buffer).to_vec()).collect();
        Self { values, start: 0, dim: space.dim(), kernel: Kernel::new(Metric::L2).unwrap() }
    }
}

#[cfg(test)]
mod tests;
