//! A batch of queries as [`passes`](crate::passes) drives it.
use ::wgpu::Buffer;
use elanus_kernels::backend::{BackendError, unpack};
use elanus_shaders::wgsl::{CAPACITY, FEW, Program};

use super::steps::{CANDIDATE_BYTES, Numbers, STATE_BYTES, Steps};
use crate::passes::{self, Found, Pass};

/// Neighbors that one round selects.
pub(super) const ROUND_K: usize = 256;

/// Queries up to which rows are read once for each of [`FEW`]'s largest number of them, rather than in tiles.
const FEW_QUERIES: u32 = 16;

/// Dispatches that are recorded before they are sent.
const STEPS_MOST: usize = 1024;

/// One batch.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    steps: Steps<'a>,
    filtered: bool,
    /// What the last selection selected.
    k: usize,
}

impl<'a> Batch<'a> {
    /// Makes room for the candidates.
    pub(super) fn new(steps: Steps<'a>, filtered: bool) -> Result<Self, BackendError> {
        let (device, queries) = (&steps.shared.device, steps.common.queries);
        device.guarded(|| {
            steps.scratch.states(device, queries);
            steps.scratch.found(device, Steps::candidate_bytes(queries));
            steps.scratch.selected(device, queries as u64 * ROUND_K as u64 * CANDIDATE_BYTES);
            Ok(())
        })?;
        Ok(Self { steps, filtered, k: 0 })
    }

    fn program(&self) -> Program {
        let queries = self.steps.common.queries;
        let enough = |few: &[u32]| few.iter().copied().find(|few| *few >= queries).or(few.last().copied()).unwrap_or(1);
        if let Some((codes, _)) = self.steps.codes {
            return Program::Codes(codes, enough(codes.few()));
        }
        if queries > FEW_QUERIES {
            return Program::Tile;
        }
        Program::Few(enough(FEW))
    }

    fn staged_bytes(&self) -> (u64, u64) {
        let queries = u64::from(self.steps.common.queries);
        (queries * STATE_BYTES, queries * self.k as u64 * CANDIDATE_BYTES)
    }
}

impl passes::Batch for Batch<'_> {
    fn begin(&mut self, lower: &[u64], upper: &[u64]) -> Result<(), BackendError> {
        let halves = |packed: u64| [packed as u32, (packed >> 32) as u32];
        let states = lower.iter().zip(upper).flat_map(|(lower, upper)| {
            let ([a, b], [c, d]) = (halves(*lower), halves(*upper));
            [a, b, c, d, 0, 0, 0, 0]
        });
        let states: Vec<u32> = states.collect();
        let shared = self.steps.shared;
        let buffer = self.steps.scratch.states(&shared.device, self.steps.common.queries);
        shared.device.guarded(|| {
            shared.device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&states));
            Ok(())
        })
    }

    fn pass(&mut self, pass: &Pass, k: usize) -> Result<(), BackendError> {
        let common = Numbers { filtered: self.filtered, ..self.steps.common };
        let program = self.program();
        self.steps.offer(program, pass, common)?;
        self.steps.select(k as u32, pass.sample)?;
        self.k = k;
        if self.steps.len() >= STEPS_MOST {
            let shared = self.steps.shared;
            shared.device.guarded(|| {
                let commands = self.steps.encode().finish();
                shared.device.run(Some(commands))
            })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Found>, BackendError> {
        let shared = self.steps.shared;
        let (k, (states, selected)) = (self.k, self.staged_bytes());
        shared.device.guarded(|| {
            let (device, queries) = (&shared.device, self.steps.common.queries);
            let mut commands = self.steps.encode();
            let scratch = &mut self.steps.scratch;
            let staging = scratch.staging(device, states + selected);
            let mut copy = |from: &Buffer, at: u64, bytes: u64| {
                if bytes > 0 {
                    commands.copy_buffer_to_buffer(from, 0, &staging, at, bytes);
                }
            };
            copy(&scratch.states(device, queries), 0, states);
            copy(&scratch.selected(device, selected), states, selected);
            device.read(commands.finish(), &staging, states + selected, |bytes| {
                let (states, selected) = bytes.split_at(states as usize);
                found(states, selected, k)
            })
        })
    }
}

/// What the device wrote of each query, with `k` places for candidates each.
fn found(states: &[u8], selected: &[u8], k: usize) -> Vec<Found> {
    let states = states.chunks_exact(STATE_BYTES as usize);
    let each = (k * CANDIDATE_BYTES as usize).max(1);
    let found = states.enumerate().map(|(query, state)| {
        // Lower, bound, count, overflowed, kept.
        let (bound, overflowed, kept) = (packed(&state[8..]), word(&state[20..]), word(&state[24..]));
        let kept = (kept as usize).min(k);
        let own = selected.get(query * each..).unwrap_or_default();
        let own = own.chunks_exact(CANDIDATE_BYTES as usize).take(kept);
        Found { neighbors: own.map(|one| unpack(packed(one))).collect(), last: bound, overflowed: overflowed != 0 }
    });
    found.collect()
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn packed(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// Candidates of a query that there is room for.
pub(super) const ROOM: usize = CAPACITY as usize;
