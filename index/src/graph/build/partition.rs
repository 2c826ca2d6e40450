//! Cutting the nodes into overlapping leaves of near ones, by balls around leaders drawn by chance, as PiPNN does
//! (arXiv 2602.21247, section 4).

use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::rng::Rng;
use elanus_kernels::{Neighbor, TopK};

use super::crew::Crew;
use super::points::{Picked, Points};
use crate::BuildError;
use crate::graph::levels::mix;

/// Nodes that are assigned to leaders together.
const CHUNK: usize = 2048;
/// Leaders at most: more cost more than another round of cutting.
const LEADERS: usize = 1000;
/// Rounds of cutting after which what is left is cut by number.
const DEPTH: u32 = 12;

/// How the nodes are cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Nodes of a leaf at most.
    pub(super) leaf: usize,
    /// Leaders to which a node belongs in the first round; one in later ones.
    pub(super) fan: usize,
    pub(super) seed: u64,
}

/// What one thread works with.
#[derive(Default)]
struct Work {
    picked: Picked,
    scratch: Scratch,
    found: Vec<Neighbor>,
}

/// A part that is still too large.
struct Part {
    nodes: Vec<u32>,
    leaders: Vec<u32>,
}

impl Part {
    fn new(mut nodes: Vec<u32>, cut: Cut, depth: u32, number: usize) -> Self {
        let mut rng = Rng::new(mix(cut.seed ^ mix(u64::from(depth) << 32 | number as u64)));
        let fan = if depth == 0 { cut.fan } else { 1 };
        let count = (3 * fan * nodes.len()).div_ceil(2 * cut.leaf).clamp(2, LEADERS).min(nodes.len());
        for i in 0..count {
            let other = i + rng.below((nodes.len() - i) as u64) as usize;
            nodes.swap(i, other);
        }
        let leaders = nodes[..count].to_vec();
        nodes.sort_unstable();
        Self { nodes, leaders }
    }
}

/// Leaves that together hold every node, each sorted and without repeats.
pub(super) fn leaves(
    points: Points<'_>,
    gemm: &Gemm<f32>,
    cut: Cut,
    crew: &Crew<'_>,
) -> Result<Vec<Vec<u32>>, BuildError> {
    let all: Vec<u32> = (0..points.len() as u32).collect();
    if all.len() <= cut.leaf {
        return Ok(vec![all]);
    }
    let mut done = Vec::new();
    let mut open = vec![Part::new(all, cut, 0, 0)];
    for depth in 0.. {
        let balls = balls(points, gemm, &open, if depth == 0 { cut.fan } else { 1 }, crew)?;
        let mut rest = Vec::new();
        for (part, balls) in open.iter().zip(balls) {
            let mut small = Vec::new();
            for ball in balls {
                // A ball that took nearly everything would be cut the same way again: rows that are equal or nearly so.
                let is_stuck = depth + 1 >= DEPTH || 10 * ball.len() > 9 * part.nodes.len();
                if ball.len() < cut.leaf / 8 {
                    small.extend(ball);
                    if small.len() >= cut.leaf / 2 {
                        done.push(std::mem::take(&mut small));
                    }
                } else if ball.len() <= cut.leaf {
                    done.push(ball);
                } else if is_stuck && depth > 0 {
                    done.extend(ball.chunks(cut.leaf).map(<[u32]>::to_vec));
                } else {
                    rest.push(ball);
                }
            }
            done.push(small);
        }
        if rest.is_empty() {
            break;
        }
        open = rest.into_iter().enumerate().map(|(i, nodes)| Part::new(nodes, cut, depth + 1, i)).collect();
    }
    done.iter_mut().for_each(|leaf| {
        leaf.sort_unstable();
        leaf.dedup();
    });
    done.retain(|leaf| leaf.len() > 1);
    Ok(done)
}

/// For each part, the nodes nearest to each of its leaders; a node is with the `fan` leaders nearest to it.
fn balls(
    points: Points<'_>,
    gemm: &Gemm<f32>,
    parts: &[Part],
    fan: usize,
    crew: &Crew<'_>,
) -> Result<Vec<Vec<Vec<u32>>>, BuildError> {
    let gather = |_: &mut (), part: &Part| {
        let mut picked = Picked::default();
        points.gather(&part.leaders, &mut picked);
        picked
    };
    let leaders = crew.map(parts.iter().collect(), gather)?;
    let chunks = parts.iter().enumerate().flat_map(|(i, part)| part.nodes.chunks(CHUNK).map(move |nodes| (i, nodes)));
    let chunks: Vec<(usize, &[u32])> = chunks.collect();
    let assigned = crew.map(chunks.clone(), |work: &mut Work, (i, nodes)| {
        let Work { picked, scratch, found } = work;
        let queries = gemm.pack(points.gather(nodes, picked));
        let mut nearest: Vec<TopK> = nodes.iter().map(|_| TopK::new(fan)).collect();
        gemm.search(&queries, leaders[i].rows(points), 0, None, scratch, &mut nearest);
        let mut places = Vec::with_capacity(nodes.len() * fan);
        for (j, nearest) in nearest.iter_mut().enumerate() {
            found.clear();
            nearest.drain_sorted(found);
            places.extend(found.iter().map(|found| (found.id, nodes[j])));
        }
        places
    })?;
    let mut balls: Vec<Vec<Vec<u32>>> = parts.iter().map(|part| vec![Vec::new(); part.leaders.len()]).collect();
    for ((i, _), places) in chunks.into_iter().zip(assigned) {
        for (leader, node) in places {
            balls[i][leader as usize].push(node);
        }
    }
    Ok(balls)
}
