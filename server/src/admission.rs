//! Admission: how many requests run, how many wait, and the refusal of the rest.

use crate::status::{Code, Failure};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits the requests that run and those that wait; clones share the limits.
#[derive(Debug, Clone)]
pub struct Admission {
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    running_max: u32,
    waiting_max: usize,
}

/// The right to run; dropping it lets the next request in.
#[derive(Debug)]
pub struct Permit(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Counts a waiting request for as long as it waits, even if its client leaves.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// At most `running_max` requests run and `waiting_max` wait.
    pub fn new(running_max: u32, waiting_max: u32) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running_max as usize)),
            waiting: Arc::default(),
            running_max,
            waiting_max: waiting_max as usize,
        }
    }

    /// Waits for the right to run.
    ///
    /// # Errors
    /// `RateLimit` if too many wait already, `ServiceUnavailable` if the server stops.
    pub async fn enter(&self) -> Result<Permit, Failure> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(Permit(permit));
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.waiting_max {
            let reason = format!("{} requests run and {before} wait: try again later", self.running_max);
            return Err(Failure::of(Code::RateLimit, reason));
        }
        let permit = Arc::clone(&self.running).acquire_owned().await;
        drop(waiting);
        permit.map(Permit).map_err(|_closed| Failure::of(Code::ServiceUnavailable, "the server is stopping"))
    }

    /// Requests that run.
    pub fn running(&self) -> usize {
        (self.running_max as usize).saturating_sub(self.running.available_permits())
    }

    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Lets no further request in and waits until none runs; false if some still do after `limit`.
    pub async fn close(&self, limit: Duration) -> bool {
        let all = tokio::time::timeout(limit, self.running.acquire_many(self.running_max)).await;
        self.running.close();
        matches!(all, Ok(Ok(_)))
    }
}

#[cfg(test)]
mod tests;
