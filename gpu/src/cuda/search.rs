//! The nearest rows of each query, by passes over a corpus.
use std::ops::Range;

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

/// The queries of a call and what they are compared with.
pub(super) trait Asked {
    /// How many queries there are.
    fn queries(&self) -> usize;

    /// How many rows.
    fn rows(&self) -> u32;

    /// Whether the keys of a scan are rounded, and final ones are computed.
    fn rescored(&self) -> bool;

    /// By how much the keys of a scan may be off where a range looks at them.
    fn margin(&self, find: &Find<'_>) -> f32;

    /// How many queries are worked on at a time, with so many further bytes for each.
    fn batch(&self, each: PerQuery, arena_bytes: u64, incoming_bytes: usize) -> usize;

    /// Where a batch ends at the latest that begins with the query `first`.
    fn end(&self, first: usize) -> usize;

    /// Makes room for the queries of a batch.
    fn plan(&mut self, plan: &mut Plan, batch: usize);

    /// Copies some of the queries to the room in the arena that was planned.
    fn send(&mut self, lane: &mut Lane, arena: u64, some: Range<usize>) -> Result<(), BackendError>;

    /// Offers the rows of a pass to the queries that were sent last.
    ///
    /// # Safety
    /// As for [`Lane::launch`], of the answers' memory.
    unsafe fn scan(&self, lane: &mut Lane, answers: &Answers, pass: &Pass) -> Result<(), BackendError>;

    /// Computes the final keys of candidates of the queries that were sent last.
    fn rescore(&self, lane: &mut Lane, list: &List) -> Result<(), BackendError>;
}

/// Where the queries of a batch have their answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answers {
    /// The filter; 0 for none.
    pub(super) keep: u64,
    pub(super) lower: u64,
    pub(super) bound: u64,
    pub(super) candidates: u64,
    pub(super) counts: u64,
    pub(super) capacity: u32,
    /// How many queries.
    pub(super) queries: u32,
}

/// Queries over vectors.
pub(super) struct Vectors<'a> {
    work: &'a Work<'a>,
    queries: AnyRows<'a>,
    /// Where the queries are, when there was a plan, with the arena.
    sent: Option<(u64, Places)>,
}

impl<'a> Vectors<'a> {
    pub(super) fn new(work: &'a Work<'a>, queries: AnyRows<'a>) -> Self {
        Self { work, queries, sent: None }
    }

    fn sent(&self) -> Result<&(u64, Places), BackendError> {
        self.sent.as_ref().ok_or_else(|| BackendError::Failed { reason: "queries were not sent".to_owned() })
    }
}

impl Asked for Vectors<'_> {
    fn queries(&self) -> usize {
        self.queries.len()
    }

    fn rows(&self) -> u32 {
        self.work.held.rows()
    }

    fn rescored(&self) -> bool {
        self.work.family.rescore.is_some()
    }

    fn margin(&self, find: &Find<'_>) -> f32 {
        let (element, longest) = (self.work.held.element(), longest(self.queries));
        tolerance(element, find.metric, self.work.held.dim, longest, self.work.stored.longest)
    }

    fn batch(&self, each: PerQuery, arena_bytes: u64, incoming_bytes: usize) -> usize {
        self.work.batch(self.queries.len(), each, arena_bytes, incoming_bytes)
    }

    fn end(&self, _: usize) -> usize {
        self.queries.len()
    }

    fn plan(&mut self, plan: &mut Plan, batch: usize) {
        self.sent = Some((0, self.work.plan(plan, batch)));
    }

    fn send(&mut self, lane: &mut Lane, arena: u64, some: Range<usize>) -> Result<(), BackendError> {
        let (_, places) = *self.sent()?;
        self.sent = Some((arena, places));
        self.work.send(lane, arena, &places, self.queries.slice(some))
    }

    unsafe fn scan(&self, lane: &mut Lane, answers: &Answers, pass: &Pass) -> Result<(), BackendError> {
        let (arena, places) = self.sent()?;
        let scan = ScanArgs {
            keep: answers.keep,
            lower: answers.lower,
            bound: answers.bound,
            candidates: answers.candidates,
            counts: answers.counts,
            capacity: answers.capacity,
            first: pass.first,
            stride: pass.stride,
            count: pass.count,
            ..self.work.scan_args(*arena, places, answers.queries as usize)
        };
        // SAFETY: the places are those of the arena as planned, the corpus is held longer than the lane's lease, and
        // the answers are the caller's duty.
        unsafe { self.work.launch(lane, &scan) }
    }

    fn rescore(&self, lane: &mut Lane, list: &List) -> Result<(), BackendError> {
        let (arena, places) = self.sent()?;
        self.work.rescore(lane, *arena, places, list)
    }
}

/// Offers the nearest rows to `out`.
pub(super) fn scan(
    lane: &mut Lane,
    asked: &mut impl Asked,
    select: Program,
    find: &Find<'_>,
    sizes: &Sizes,
    out: &mut [TopK],
) -> Result<(), BackendError> {
    let rows = asked.rows();
    let kept = find.keep.map_or(rows as usize, |keep| keep.count_ones()) as u32;
    let k = out.iter().map(TopK::k).max().unwrap_or(0).min(kept as usize);
    if k == 0 {
        return Ok(());
    }
    let slack = if asked.rescored() { slack(k) } else { 0 };
    let wanted = k.saturating_add(slack).min(kept as usize);
    let rounds = sizes.rounds(wanted);
    let width = wanted.min(rounds.k);
    let each =
        PerQuery { device: STATE_BYTES + rounds.capacity * 8 + width * 4, incoming: ANSWER_BYTES + width * 12 + 24 };
    let batch = asked.batch(each, sizes.arena_bytes, lane.incoming_bytes());
    let mut plan = Plan::default();
    let filter = find.keep.map(|keep| plan.room(keep.words().len(), 8));
    asked.plan(&mut plan, batch);
    // The final keys behind the state, so that both come back as one piece.
    let state = plan.room(batch, STATE_BYTES + width * 4);
    let candidates = plan.room(batch, rounds.capacity * 8);
    let arena = lane.arena(&plan)?;
    let keep = match (filter, find.keep) {
        (Some(at), Some(bits)) => send_filter(lane, arena + at, bits)?,
        _ => 0,
    };
    let margin = if find.range.is_all() { 0.0 } else { asked.margin(find) };
    let task = Task { rows, kept, k, slack, range: find.range, margin, capacity: rounds.capacity, round_k: rounds.k };
    let end = |asked: &dyn Asked, first: usize| asked.end(first).min(first + batch);
    let mut several = Several::new(end(&*asked, 0) < out.len(), k, out);
    let mut first = 0;
    while first < asked.queries() {
        let some = first..end(&*asked, first);
        let count = some.len();
        asked.send(lane, arena, some.clone())?;
        let answers = Answers {
            keep,
            lower: arena + state,
            bound: arena + state + count as u64 * 8,
            candidates: arena + candidates,
            counts: arena + state + count as u64 * 16,
            capacity: rounds.capacity as u32,
            queries: count as u32,
        };
        let mut search = Search { lane, asked, select, answers, width: 0, may_overflow: false };
        first = some.end;
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

    fn of(&mut self, some: Range<usize>) -> &mut [TopK] {
        if self.apart.is_empty() { &mut self.out[some] } else { &mut self.apart[some] }
    }

    fn offer(self) {
        for (apart, out) in self.apart.iter().zip(self.out) {
            out.merge(apart);
        }
    }
}

/// A batch of queries on the device.
struct Search<'a> {
    lane: &'a mut Lane,
    asked: &'a dyn Asked,
    select: Program,
    answers: Answers,
    /// Candidates that were selected last.
    width: usize,
    /// Whether there was a pass since the beginning whose candidates need not fit.
    may_overflow: bool,
}

impl Search<'_> {
    fn queries(&self) -> usize {
        self.answers.queries as usize
    }

    /// Whether each query's candidates did not fit lies behind the counts.
    fn overflowed(&self) -> u64 {
        self.answers.counts + self.queries() as u64 * 4
    }

    /// Behind that, the final keys.
    fn keys(&self) -> u64 {
        self.overflowed() + self.queries() as u64 * 4
    }
}

impl Batch for Search<'_> {
    fn begin(&mut self, lower: &[u64], upper: &[u64]) -> Result<(), BackendError> {
        self.lane.clear_incoming()?;
        self.may_overflow = false;
        let mut state = Vec::with_capacity(lower.len() * 3);
        state.extend_from_slice(lower);
        state.extend_from_slice(upper);
        // No candidate, and none that did not fit.
        state.resize(lower.len() * 3, 0_u64);
        self.lane.send_bytes(self.answers.lower, bytemuck::cast_slice(&state))
    }

    fn pass(&mut self, pass: &Pass, k: usize) -> Result<(), BackendError> {
        // SAFETY: all addresses are parts of the lane's arena as `scan` planned it, and of the corpus, which the caller
        // holds until the lease is gone.
        unsafe { self.asked.scan(self.lane, &self.answers, pass)? };
        let select = SelectArgs {
            candidates: self.answers.candidates,
            counts: self.answers.counts,
            bound: self.answers.bound,
            overflowed: self.overflowed(),
            query_count: self.answers.queries,
            capacity: self.answers.capacity,
            k: k as u32,
            sample: u32::from(pass.sample),
        };
        self.width = k;
        self.may_overflow |= !pass.sample && pass.count as usize + k > self.answers.capacity as usize;
        // SAFETY: as above.
        unsafe { self.lane.launch(self.select, [self.answers.queries, 1], &select) }
    }

    fn finish(&mut self) -> Result<Vec<Found>, BackendError> {
        let (count, width, capacity) = (self.queries(), self.width, self.answers.capacity as usize);
        let (candidates, counts) = (self.answers.candidates, self.answers.counts);
        let list = List { candidates, counts, keys: self.keys(), capacity, width, queries: count };
        self.asked.rescore(self.lane, &list)?;
        let rescored = self.asked.rescored();
        let key_bytes = if rescored { width * 4 } else { 0 };
        let answer = self.lane.receive(Lines::piece(self.answers.bound, count * (ANSWER_BYTES + key_bytes)))?;
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
                neighbors.push(Neighbor { id: check_row(self.lane, id, self.asked.rows())?, key });
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
