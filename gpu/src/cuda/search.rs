//! The nearest rows of each query, by passes over a corpus.
use elanus_kernels::backend::{BackendError, Find, tolerance, unpack};
use elanus_kernels::{AnyRows, BitmapView, Kernel, Metric, Neighbor, Number, Rows, TopK};

use super::args::{ScanArgs, SelectArgs};
use super::backend::Sizes;
use super::batch::{List, PerQuery, Places, Work, check_row};
use super::corpus;
use super::driver::Lines;
use super::lane::{Lane, Plan};
use super::programs::Program;
use crate::passes::{Batch, Found, Pass, Task};

/// Bytes of a query besides its candidates and keys: where it begins, its bound, its count, whether it overflowed.
const STATE_BYTES: usize = 24;

/// Of these, what comes back: all but where it began.
const ANSWER_BYTES: usize = STATE_BYTES - 8;

/// A round of up to so many candidates takes so much room, so that a sample is a small part of the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rounds {
    /// Candidates of a query that there is room for.
    pub(super) capacity: usize,
    /// Candidates that a round selects at most.
    pub(super) k: usize,
}

/// How many further candidates are selected for `k` neighbors whose keys are rounded.
pub(super) fn slack(k: usize) -> usize {
    (k / 4).max(16)
}

/// Offers the nearest rows to `out`.
pub(super) fn scan(
    lane: &mut Lane,
    work: &Work<'_>,
    select: Program,
    queries: AnyRows<'_>,
    find: &Find<'_>,
    sizes: &Sizes,
    out: &mut [TopK],
) -> Result<(), BackendError> {
    let rows = work.held.rows();
    let kept = find.keep.map_or(rows as usize, |keep| keep.count_ones()) as u32;
    let k = out.iter().map(TopK::k).max().unwrap_or(0).min(kept as usize);
    if k == 0 {
        return Ok(());
    }
    let slack = if work.family.rescore.is_some() { slack(k) } else { 0 };
    let wanted = k.saturating_add(slack).min(kept as usize);
    let rounds = sizes.rounds(wanted);
    let width = wanted.min(rounds.k);
    let each =
        PerQuery { device: STATE_BYTES + rounds.capacity * 8 + width * 4, incoming: ANSWER_BYTES + width * 12 + 24 };
    let batch = work.batch(queries.len(), each, sizes.arena_bytes, lane.incoming_bytes());
    let mut plan = Plan::default();
    let filter = find.keep.map(|keep| plan.room(keep.words().len(), 8));
    let places = work.plan(&mut plan, batch);
    // The final keys behind the state, so that both come back as one piece.
    let state = plan.room(batch, STATE_BYTES + width * 4);
    let candidates = plan.room(batch, rounds.capacity * 8);
    let arena = lane.arena(&plan)?;
    let keep = match (filter, find.keep) {
        (Some(at), Some(bits)) => send_filter(lane, arena + at, bits)?,
        _ => 0,
    };
    let margin = margin(work, queries, find);
    let task = Task { rows, kept, k, slack, range: find.range, margin, capacity: rounds.capacity, round_k: rounds.k };
    let mut several = Several::new(queries.len() > batch, k, out);
    for first in (0..queries.len()).step_by(batch) {
        let some = first..queries.len().min(first + batch);
        let count = some.len();
        work.send(lane, arena, &places, queries.slice(some.clone()))?;
        let scan = ScanArgs {
            keep,
            lower: arena + state,
            bound: arena + state + count as u64 * 8,
            candidates: arena + candidates,
            counts: arena + state + count as u64 * 16,
            capacity: rounds.capacity as u32,
            ..work.scan_args(arena, &places, count)
        };
        let mut search = Search { lane, work, select, places, arena, scan, width: 0, may_overflow: false };
        task.run(&mut search, several.of(some))?;
    }
    several.offer();
    Ok(())
}

fn send_filter(lane: &mut Lane, to: u64, bits: BitmapView<'_>) -> Result<u64, BackendError> {
    // Bit `i % 64` of word `i / 64` of eight bytes is bit `i % 32` of word `i / 32` of four, low bytes first.
    lane.send(to, bits.words().len() * 8, |room, at| {
        for (i, byte) in room.iter_mut().enumerate() {
            *byte = (bits.words()[(at + i) / 8] >> ((at + i) % 8 * 8)) as u8;
        }
    })?;
    Ok(to)
}

/// By how much the keys of a scan may be off where a range looks at them.
fn margin(work: &Work<'_>, queries: AnyRows<'_>, find: &Find<'_>) -> f32 {
    if find.range.is_all() {
        return 0.0;
    }
    let element = work.held.element();
    tolerance(element, find.metric, work.held.dim, longest(queries), work.stored.longest)
}

/// The largest squared length of numbers that are rounded; 0 for others.
pub(super) fn longest(queries: AnyRows<'_>) -> f32 {
    match queries {
        AnyRows::F32(rows) => longest_of(rows),
        AnyRows::F16(rows) => longest_of(rows),
        AnyRows::Bf16(rows) => longest_of(rows),
        AnyRows::I8(_) | AnyRows::U8(_) | AnyRows::U4(_) | AnyRows::Binary(_) => 0.0,
    }
}

fn longest_of<E: Number>(rows: Rows<'_, E>) -> f32 {
    // A square that is not a number is one that overflowed.
    let most = |most: f32, square: f32| if square.is_nan() { f32::INFINITY } else { most.max(square) };
    match Kernel::<E>::new(Metric::Ip) {
        Ok(kernel) => rows.iter().map(|row| -kernel.pair(row, row)).fold(0.0, most),
        Err(_) => rows.iter().map(|row| row.iter().map(|one| one.to_f32() * one.to_f32()).sum()).fold(0.0, most),
    }
}

/// Selections that are offered nothing until all batches have succeeded.
struct Several<'a> {
    out: &'a mut [TopK],
    /// One for each query where there are several batches; else none.
    apart: Vec<TopK>,
}

impl<'a> Several<'a> {
    fn new(several: bool, k: usize, out: &'a mut [TopK]) -> Self {
        let apart = if several { vec![TopK::new(k); out.len()] } else { Vec::new() };
        Self { out, apart }
    }

    fn of(&mut self, some: std::ops::Range<usize>) -> &mut [TopK] {
        if self.apart.is_empty() { &mut self.out[some] } else { &mut self.apart[some] }
    }

    fn offer(self) {
        for (apart, out) in self.apart.iter().zip(self.out) {
            out.merge(apart);
        }
    }
}

/// A batch of queries on the device.
struct Search<'a, 'w> {
    lane: &'a mut Lane,
    work: &'a Work<'w>,
    select: Program,
    places: Places,
    arena: u64,
    /// With all addresses; the pass is filled in.
    scan: ScanArgs,
    /// Candidates that were selected last.
    width: usize,
    /// Whether there was a pass since the beginning whose candidates need not fit.
    may_overflow: bool,
}

impl Search<'_, '_> {
    fn queries(&self) -> usize {
        self.scan.query_count as usize
    }

    /// Whether each query's candidates did not fit lies behind the counts.
    fn overflowed(&self) -> u64 {
        self.scan.counts + self.queries() as u64 * 4
    }

    /// Behind that, the final keys.
    fn keys(&self) -> u64 {
        self.overflowed() + self.queries() as u64 * 4
    }
}

impl Batch for Search<'_, '_> {
    fn begin(&mut self, lower: &[u64], upper: &[u64]) -> Result<(), BackendError> {
        self.lane.clear_incoming()?;
        self.may_overflow = false;
        let mut state = Vec::with_capacity(lower.len() * 3);
        state.extend_from_slice(lower);
        state.extend_from_slice(upper);
        // No candidate, and none that did not fit.
        state.resize(lower.len() * 3, 0_u64);
        self.lane.send_bytes(self.scan.lower, bytemuck::cast_slice(&state))
    }

    fn pass(&mut self, pass: &Pass, k: usize) -> Result<(), BackendError> {
        let scan = ScanArgs { first: pass.first, stride: pass.stride, count: pass.count, ..self.scan };
        // SAFETY: all addresses are parts of the lane's arena as `scan` planned it, and of the corpus, which the caller
        // holds until the lease is gone.
        unsafe { self.work.launch(self.lane, &scan)? };
        let select = SelectArgs {
            candidates: scan.candidates,
            counts: scan.counts,
            bound: scan.bound,
            overflowed: self.overflowed(),
            query_count: scan.query_count,
            capacity: scan.capacity,
            k: k as u32,
            sample: u32::from(pass.sample),
        };
        self.width = k;
        self.may_overflow |= !pass.sample && pass.count as usize + k > scan.capacity as usize;
        // SAFETY: as above.
        unsafe { self.lane.launch(self.select, [scan.query_count, 1], &select) }
    }

    fn finish(&mut self) -> Result<Vec<Found>, BackendError> {
        let (count, width, capacity) = (self.queries(), self.width, self.scan.capacity as usize);
        let (candidates, counts) = (self.scan.candidates, self.scan.counts);
        let list = List { candidates, counts, keys: self.keys(), capacity, width, queries: count };
        self.work.rescore(self.lane, self.arena, &self.places, &list)?;
        let rescored = self.work.family.rescore.is_some();
        let key_bytes = if rescored { width * 4 } else { 0 };
        let answer = self.lane.receive(Lines::piece(self.scan.bound, count * (ANSWER_BYTES + key_bytes)))?;
        let lines = Lines { from: candidates, pitch: capacity as u64 * 8, width: width * 8, height: count };
        let candidates = self.lane.receive(lines)?;
        self.lane.synchronise()?;
        let (bounds, words) = self.lane.arrived(answer).split_at(count * 8);
        let (words, keys) = words.split_at(count * 8);
        let bounds: &[u64] = bytemuck::cast_slice(bounds);
        let words: &[u32] = bytemuck::cast_slice(words);
        let (counts, overflowed) = words.split_at(count);
        // Who asked again would hear the same again and again.
        if !self.may_overflow && overflowed.iter().any(|query| *query != 0) {
            return Err(self.lane.lose("the device says that candidates do not fit where all rows do".to_owned()));
        }
        let candidates: &[u64] = bytemuck::cast_slice(self.lane.arrived(candidates));
        let keys: Option<&[f32]> = rescored.then(|| bytemuck::cast_slice(keys));
        let mut found = Vec::with_capacity(count);
        for query in 0..count {
            let own = query * width..query * width + (counts[query] as usize).min(width);
            let mut neighbors = Vec::with_capacity(own.len());
            for place in own {
                let Neighbor { id, key } = unpack(candidates[place]);
                let key = keys.map_or(key, |keys| keys[place]);
                neighbors.push(Neighbor { id: check_row(self.lane, id, self.work.held.rows())?, key });
            }
            found.push(Found { neighbors, last: bounds[query], overflowed: overflowed[query] != 0 });
        }
        Ok(found)
    }
}

/// Whether the keys of queries stay finite.
pub(super) fn check_queries(queries: AnyRows<'_>) -> Result<(), BackendError> {
    corpus::check_length(longest(queries), "a query")
}
