//! The factor by which a vector is scaled before it is rounded to the grid.
//!
//! Component `r` is in cell `floor(|r| t)`, or the outermost one, on the side of its sign. The code's direction, not
//! its length, is what matters: of all `t` the best has the greatest cosine between code and vector (arXiv
//! 2409.09913, section 3.2).
use std::{cmp::Reverse, collections::BinaryHeap};

/// Steps of the uniform quantiser of `2^bits` levels, symmetric around 0, that has the least mean square error for the
/// standard normal distribution, from 1 bit (Max, "Quantizing for Minimum Distortion", IRE Trans. IT-6, 1960).
pub(super) const STEPS: [f32; 8] = [1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308];

/// The factor that is best in expectation, at least so large that the largest component reaches the outermost cell.
///
/// The components of a randomly rotated vector are nearly normal, so Max's step holds for all of them at once.
pub(super) fn expected(residual: &[f32], square: f64, bits: u8) -> f64 {
    let deviation = (square / residual.len() as f64).sqrt();
    let mut lanes = [0.0f32; 16];
    for r in residual.as_chunks::<16>().0 {
        for j in 0..16 {
            lanes[j] = if r[j].abs() > lanes[j] { r[j].abs() } else { lanes[j] };
        }
    }
    let largest = lanes.into_iter().fold(0.0, f32::max);
    let step = f64::from(STEPS[usize::from(bits) - 1]);
    let cells = f64::from(1u32 << (bits - 1));
    if deviation > 0.0 { (1.0 / (step * deviation)).max(cells / f64::from(largest)) } else { 0.0 }
}

/// The factor of the greatest cosine, by a sweep over all factors at which a component enters its next cell.
pub(super) fn optimal(residual: &[f32], bits: u8) -> f64 {
    let most = (1u32 << (bits - 1)) - 1;
    let magnitude = |i: usize| f64::from(residual[i].abs());
    // Positive floats are ordered as their bits are.
    let enters = |i: usize, cell: u32| Reverse(((f64::from(cell) / magnitude(i)).to_bits(), i));
    let usable = (0..residual.len()).filter(|i| magnitude(*i) > 0.0 && magnitude(*i).is_finite());
    let mut heap: BinaryHeap<_> = usable.map(|i| enters(i, 1)).collect();
    let mut cells = vec![0u32; residual.len()];
    let mut product: f64 = (0..residual.len()).map(|i| 0.5 * magnitude(i)).sum();
    let mut square = 0.25 * residual.len() as f64;
    let (mut best, mut factor) = (product * product / square, 0.0);
    while let Some(Reverse((bits, i))) = heap.pop() {
        let at = f64::from_bits(bits);
        product += magnitude(i);
        square += f64::from(2 * cells[i] + 2);
        cells[i] += 1;
        if cells[i] < most {
            heap.push(enters(i, cells[i] + 1));
        }
        // Between this event and the next, so that rounding decides nothing; events at one factor happen together.
        let next = heap.peek().map_or(at * 1.000_001, |Reverse((bits, _))| f64::from_bits(*bits));
        let cosine = product * product / square;
        if next > at && cosine > best {
            (best, factor) = (cosine, f64::midpoint(at, next));
        }
    }
    factor
}
