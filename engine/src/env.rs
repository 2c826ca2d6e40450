//! Where time and chance enter the engine: the clock that is handed in, and the one source of unpredictable numbers.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Reads the time of day and a time that never goes back.
pub trait Clock: Send + Sync + Debug {
    /// Milliseconds since 1970-01-01 00:00 UTC, as the machine believes; it may jump in both directions.
    fn now_ms(&self) -> u64;

    /// Time since some fixed moment before the clock was first asked; it never goes back.
    fn monotonic(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[allow(clippy::disallowed_methods, reason = "this type is the door by which the machine's clock enters")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this type is the door by which the machine's clock enters")]
    fn now_ms(&self) -> u64 {
        // A clock set before 1970 reads as 0: hybrid timestamps only need a number that they can move past.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
    elapsed_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now_ms` and whose monotonic time is zero.
    pub fn new(now_ms: u64) -> Self {
        Self { now_ms: AtomicU64::new(now_ms), elapsed_ms: AtomicU64::new(0) }
    }

    /// Lets `ms` milliseconds pass on both times.
    pub fn advance(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        self.elapsed_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the time of day, forward or back; the monotonic time stays where it is.
    pub fn set(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }
}

/// A number that a client cannot foresee. It is not fit for secrets.
pub fn entropy() -> u64 {
    // The standard library seeds each of these hashers from the system's random source.
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests;
