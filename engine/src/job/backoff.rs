//! Waiting longer after each failure, so that what cannot be done now is not tried over and over.

use std::sync::atomic::{AtomicU64, Ordering};

const FIRST_MS: u64 = 500;
const LONGEST_MS: u64 = 600_000;

/// When work that failed may be tried again.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    until_ms: AtomicU64,
    wait_ms: AtomicU64,
}

impl Backoff {
    /// Whether it may be tried.
    pub(crate) fn is_over(&self, now_ms: u64) -> bool {
        // A clock that was set back must not make the wait longer than it can be.
        let until = self.until_ms.load(Ordering::Relaxed);
        now_ms >= until || until > now_ms + LONGEST_MS
    }

    /// Whether the last try failed.
    pub(crate) fn is_waiting(&self) -> bool {
        self.until_ms.load(Ordering::Relaxed) > 0
    }

    /// It failed: the next wait is twice the last one.
    pub(crate) fn failed(&self, now_ms: u64) {
        let wait = (self.wait_ms.load(Ordering::Relaxed) * 2).clamp(FIRST_MS, LONGEST_MS);
        self.wait_ms.store(wait, Ordering::Relaxed);
        self.until_ms.store(now_ms + wait, Ordering::Relaxed);
    }

    /// It was done: the next failure waits briefly again.
    pub(crate) fn succeeded(&self) {
        self.wait_ms.store(0, Ordering::Relaxed);
        self.until_ms.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew() {
        let backoff = Backoff::default();
        assert!(backoff.is_over(0));
        backoff.failed(1_000);
        assert!(!backoff.is_over(1_499) && backoff.is_over(1_500));
        for _ in 0..40 {
            backoff.failed(1_000);
        }
        assert!(!backoff.is_over(600_999) && backoff.is_over(601_000));
        backoff.succeeded();
        backoff.failed(0);
        assert!(backoff.is_over(500));
    }
}
