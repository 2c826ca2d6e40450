//! Which lists a row goes into: that of the nearest centre, and one more that finds it where the first one fails.
//!
//! An estimate is most wrong where the query lies along what the centre leaves of the row. A second centre is therefore
//! worth most when what it leaves points elsewhere: of the nearest ones that is taken for which `|r'|^2 + (<r, r'> /
//! |r|)^2` is least, with `r` and `r'` the rests of the first centre and of the other (Sun, Simcha, Dopson, Guo and
//! Kumar, "SOAR: Improved Indexing for Approximate Nearest Neighbor Search", NeurIPS 2023, section 3, with lambda 1).

use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::{Rows, TopK};

/// The number of no list.
pub(super) const NONE: u32 = u32::MAX;

/// Nearest centres among which the second list is chosen.
const NEAR: usize = 16;

/// The lists of each of these points, the nearest first.
pub(super) fn choose(
    gemm: &Gemm<f32>,
    points: Rows<'_, f32>,
    centres: Rows<'_, f32>,
    spill: bool,
    scratch: &mut Scratch,
) -> Vec<[u32; 2]> {
    let near = if spill { NEAR.min(centres.len()) } else { 1 };
    let mut tops: Vec<TopK> = std::iter::repeat_with(|| TopK::new(near)).take(points.len()).collect();
    gemm.search(&gemm.pack(points), centres, 0, None, scratch, &mut tops);
    let mut found = Vec::new();
    let pairs = points.iter().zip(tops).map(|(point, mut top)| {
        found.clear();
        top.drain_sorted(&mut found);
        // A row without a comparable centre, which no row of finite length is, goes to the first.
        let first = found.first().map_or(0, |nearest| nearest.id);
        let mut best = (f32::INFINITY, NONE);
        for other in found.iter().skip(1) {
            let loss = loss(point, centres.row(first as usize), centres.row(other.id as usize));
            if loss < best.0 {
                best = (loss, other.id);
            }
        }
        [first, best.1]
    });
    pairs.collect()
}

/// How badly the second centre makes up for the first.
fn loss(point: &[f32], first: &[f32], second: &[f32]) -> f32 {
    let (mut own, mut other, mut both) = (0.0f32, 0.0f32, 0.0f32);
    for ((value, first), second) in point.iter().zip(first).zip(second) {
        let (r, s) = (value - first, value - second);
        own += r * r;
        other += s * s;
        both += r * s;
    }
    if own > 0.0 { other + both * (both / own) } else { other }
}
