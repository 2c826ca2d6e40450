//! What every backend of the engine's storage must pass: conformance suites, and crash suites for those on files.
//!
//! A suite panics where a backend departs from its trait. Each one takes what opens the backend, so that it can be run
//! on a backend that is not in the lists too.

mod meta;
mod store;
mod wal;

pub use meta::{meta_crash_suite, meta_suite};
pub use store::{store_crash_suite, store_suite};
pub use wal::{wal_crash_suite, wal_suite};

use elanus_kernels::rng::Rng;
use elanus_segment::dir::{CrashDir, MemDir};

/// Images looked at for each moment of a crash suite.
const SEEDS: u64 = 6;

/// What was promised at some moments of a run, and how far its directory had come.
#[derive(Debug)]
struct History<T> {
    /// Operations of the directory when the step began and when it ended, and what holds since.
    steps: Vec<(usize, usize, T)>,
}

impl<T> History<T> {
    /// What holds before the first step.
    fn starting_with(state: T) -> Self {
        Self { steps: vec![(0, 0, state)] }
    }

    fn step(&mut self, dir: &CrashDir, began: usize, state: T) {
        self.steps.push((began, dir.op_count(), state));
    }

    /// What was promised last when the machine stopped after `op_count` operations, and what was under way.
    fn around(&self, op_count: usize) -> (&T, Option<&T>) {
        let done = self.steps.iter().rposition(|(_, ended, _)| *ended <= op_count).unwrap_or(0);
        let under_way = self.steps.get(done + 1).filter(|(began, _, _)| *began < op_count);
        (&self.steps[done].2, under_way.map(|(_, _, state)| state))
    }
}

/// Visits images of every moment worth looking at.
fn each_image(dir: &CrashDir, visit: &mut dyn FnMut(usize, u64, MemDir)) {
    for op_count in dir.sync_points() {
        for seed in 0..SEEDS {
            visit(op_count, seed, dir.image(op_count, seed));
        }
    }
}

/// Bytes that tell their own place, so that a mix-up shows.
fn bytes(rng: &mut Rng, len: u64) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64().to_le_bytes()[0]).collect()
}
