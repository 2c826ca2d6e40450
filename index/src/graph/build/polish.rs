//! A second look: each node searches the first graph for itself, and whom it meets become its candidates, as in the
//! second pass of Vamana (DiskANN, NeurIPS 2019, section 2).

use elanus_kernels::Kernel;
use elanus_kernels::codes::dot::Records;
use elanus_kernels::codes::sq::{SqCodec, SqGrid, SqParams};
use elanus_kernels::{Metric, Rows};

use super::crew::Crew;
use super::layer::Known;
use super::lists::Lists;
use super::points::{Picked, Points};
use crate::BuildError;
use crate::graph::Candidate;
use crate::graph::beam::{Beam, Sorted};
use crate::graph::links::used;
use crate::graph::prune::{Choice, Pruner};
use crate::scratch::Visited;

/// Rows that the quantizer is trained on at most.
const SAMPLE: usize = 20_000;
/// Nodes that a thread takes at a time.
const SPAN: usize = 256;

/// The shares of the work at which the second look begins and ends, as a rule.
const SHARES: (f64, f64) = (0.5, 0.9);

/// All vectors of a level in codes of eight bits.
pub(super) struct Codes {
    codec: SqCodec,
    stride: usize,
    bytes: Vec<u8>,
}

impl Codes {
    /// `None` where vectors are too large for codes.
    pub(super) fn new(points: Points<'_>, crew: &Crew<'_>) -> Result<Option<Self>, BuildError> {
        let step = points.len().div_ceil(SAMPLE);
        let sample: Vec<u32> = (0..points.len() as u32).step_by(step).collect();
        let mut picked = Picked::default();
        let sample = points.gather(&sample, &mut picked);
        let Ok(params) = SqParams::train(Metric::L2, 8, SqGrid::PerVector, sample) else { return Ok(None) };
        let Ok(codec) = SqCodec::new(params) else { return Ok(None) };
        let stride = codec.record_bytes().next_multiple_of(64);
        let mut bytes = vec![0; points.len() * stride];
        let parts = bytes.chunks_mut(SPAN * stride).enumerate().collect();
        let done = crew.map(parts, |buffer: &mut Vec<f32>, (part, bytes): (usize, &mut [u8])| {
            bytes.chunks_mut(stride).enumerate().all(|(i, to)| {
                let row = points.rows[part * SPAN + i];
                codec.encode(points.space.vector(row, buffer), to).is_ok()
            })
        })?;
        Ok(done.into_iter().all(|done| done).then_some(Self { codec, stride, bytes }))
    }
}

/// What is known before the second look.
#[derive(Clone, Copy)]
pub(super) struct First<'a> {
    pub(super) points: Points<'a>,
    pub(super) codes: &'a Codes,
    /// Links of the first graph.
    pub(super) links: &'a [u32],
    pub(super) known: &'a Known,
    /// Width of the walks.
    pub(super) width: usize,
    pub(super) choice: Choice,
}

impl First<'_> {
    fn neighbours(&self, node: u32) -> &[u32] {
        used(&self.links[node as usize * self.choice.degree..][..self.choice.degree])
    }
}

/// What one thread works with.
#[derive(Default)]
struct Work {
    beam: Sorted,
    visited: Visited,
    nodes: Vec<u32>,
    keys: Vec<f32>,
    found: Vec<Candidate>,
    kept: Vec<Candidate>,
    pruner: Pruner,
    picked: Picked,
    buffer: Vec<f32>,
}

/// Chooses each node's neighbours anew, among the nodes that a walk from its old ones meets.
pub(super) fn polish(
    first: First<'_>,
    kernel: &Kernel<f32>,
    out: &mut Lists,
    crew: &Crew<'_>,
) -> Result<(), BuildError> {
    crew.each(out.parts(SPAN), SHARES, |work: &mut Work, (from, lists)| {
        for (i, mut list) in lists.into_iter().enumerate() {
            let node = from + i as u32;
            walk(first, node, work);
            exact(first.points, kernel, node, work);
            first.known.add_far(node, &mut work.found);
            work.pruner.select(first.points, kernel, &work.found, first.choice, &mut work.kept);
            list.set(&work.kept);
        }
    })
}

/// Leaves in `found` the nodes nearest to `node` that a walk from its neighbours comes to.
fn walk(first: First<'_>, node: u32, work: &mut Work) {
    let First { points, codes, .. } = first;
    let Work { beam, visited, nodes, keys, found, buffer, .. } = work;
    found.clear();
    let vector = points.space.vector(points.rows[node as usize], buffer);
    let Ok(query) = codes.codec.prepare_rows(vector) else { return };
    let records = Records::new(&codes.bytes, codes.stride, points.len());
    visited.start(points.len());
    visited.insert(node);
    beam.start(first.width);
    nodes.clear();
    nodes.extend(first.neighbours(node).iter().filter(|node| visited.insert(**node)));
    loop {
        keys.clear();
        keys.resize(nodes.len(), 0.0);
        codes.codec.gather(&query, records, nodes, keys);
        for (node, key) in nodes.iter().zip(&*keys) {
            beam.offer(Candidate::new(*key, *node));
        }
        let Some(next) = beam.next() else { break };
        nodes.clear();
        nodes.extend(first.neighbours(next.node()).iter().filter(|node| visited.insert(**node)));
    }
    beam.drain(found);
}

/// Gives what was found the keys of the vectors themselves.
fn exact(points: Points<'_>, kernel: &Kernel<f32>, node: u32, work: &mut Work) {
    let Work { found, keys, picked, buffer, .. } = work;
    let vector = points.space.vector(points.rows[node as usize], buffer);
    let (rows, places): (Rows<'_, f32>, _) = points.pick(found.iter().map(|found| found.node()), picked);
    keys.clear();
    keys.resize(found.len(), 0.0);
    kernel.gather(vector, rows, places, keys);
    for (found, key) in found.iter_mut().zip(&*keys) {
        *found = Candidate::new(*key, found.node());
    }
}
