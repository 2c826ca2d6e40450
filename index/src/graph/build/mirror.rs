//! Links back: who is linked to by a node may want to link to it.

use elanus_kernels::Number;

use super::crew::Crew;
use super::lists::Lists;
use super::sketch::Sketch;
use crate::BuildError;
use crate::graph::Candidate;
use crate::graph::links::EMPTY;
use crate::graph::prune::{Choice, Pruner};

/// Links back that are looked at, for each link that a node may have: the nearest, where a node is near to very many.
pub(super) const LOOK: usize = 6;

/// What one thread works with.
#[derive(Default)]
struct Work {
    pruner: Pruner,
    all: Vec<Candidate>,
    kept: Vec<Candidate>,
}

/// The graph, `degree` links to a node, made of the links `out` and those back.
pub(super) fn links(
    sketch: &Sketch<impl Number>,
    out: &Lists,
    choice: Choice,
    crew: &Crew<'_>,
) -> Result<Vec<u32>, BuildError> {
    let count = sketch.len();
    let mut links = vec![EMPTY; count * choice.degree];
    // Each part reads all links for those into it.
    let span = count.div_ceil(2 * crew.threads()).max(1);
    let parts = links.chunks_mut(span * choice.degree).enumerate().collect();
    crew.map(parts, |work: &mut Work, (part, links): (usize, &mut [u32])| {
        let first = part * span;
        let (starts, back) = back(out, first, links.len() / choice.degree);
        for (i, links) in links.chunks_mut(choice.degree).enumerate() {
            let Work { pruner, all, kept } = work;
            all.clear();
            all.extend_from_slice(&back[starts[i] as usize..starts[i + 1] as usize]);
            all.sort_unstable();
            all.truncate(LOOK * choice.degree);
            all.extend_from_slice(out.of((first + i) as u32));
            all.sort_unstable();
            all.dedup();
            let chosen = if all.len() > choice.degree {
                pruner.select(sketch, all, choice, kept);
                &*kept
            } else {
                &*all
            };
            for (slot, candidate) in links.iter_mut().zip(chosen) {
                *slot = candidate.node();
            }
        }
    })?;
    Ok(links)
}

/// The links into `count` nodes from `first` on, by node, with where those of each begin.
fn back(out: &Lists, first: usize, count: usize) -> (Vec<u32>, Vec<Candidate>) {
    let mut starts = vec![0u32; count + 1];
    let place = |candidate: &Candidate| (candidate.node() as usize).checked_sub(first).filter(|i| *i < count);
    for node in 0..out.len() as u32 {
        for i in out.of(node).iter().filter_map(place) {
            starts[i + 1] += 1;
        }
    }
    for i in 0..count {
        starts[i + 1] += starts[i];
    }
    let mut ends = starts.clone();
    let mut back = vec![Candidate::new(0.0, 0); starts[count] as usize];
    for node in 0..out.len() as u32 {
        for candidate in out.of(node) {
            if let Some(i) = place(candidate) {
                back[ends[i] as usize] = Candidate::new(candidate.key(), node);
                ends[i] += 1;
            }
        }
    }
    (starts, back)
}
