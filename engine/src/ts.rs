//! Hybrid timestamps: milliseconds since 1970 above 18 bits of counter, strictly rising within a database.

use crate::env::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of the counter below the milliseconds.
pub const LOGICAL_BITS: u32 = 18;

/// The timestamp of a millisecond, counter 0.
pub fn from_ms(ms: u64) -> u64 {
    ms << LOGICAL_BITS
}

/// The milliseconds of a timestamp.
pub fn to_ms(ts: u64) -> u64 {
    ts >> LOGICAL_BITS
}

/// Gives out timestamps.
#[derive(Debug)]
pub(crate) struct Oracle {
    clock: Arc<dyn Clock>,
    last: AtomicU64,
}

impl Oracle {
    /// Begins after `floor`, the greatest timestamp that the data hold.
    pub(crate) fn new(clock: Arc<dyn Clock>, floor: u64) -> Self {
        Self { clock, last: AtomicU64::new(floor) }
    }

    /// Reserves `count` consecutive timestamps and returns the first.
    pub(crate) fn reserve(&self, count: u64) -> u64 {
        let now = from_ms(self.clock.now_ms());
        let mut first = 0;
        self.last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| {
                first = now.max(last + 1);
                Some(first + count.max(1) - 1)
            })
            .expect("the closure always gives a value");
        first
    }

    /// The next timestamp.
    pub(crate) fn next(&self) -> u64 {
        self.reserve(1)
    }

    /// Makes every later timestamp greater than `ts`.
    pub(crate) fn advance_past(&self, ts: u64) {
        self.last.fetch_max(ts, Ordering::SeqCst);
    }

    /// The wall clock as a timestamp.
    pub(crate) fn now(&self) -> u64 {
        from_ms(self.clock.now_ms())
    }
}
