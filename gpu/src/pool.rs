//! A device's memory as corpora share it: a budget, and who goes when it is used up.
//!
//! What is searched least recently is thrown out first. A search that runs meanwhile keeps its memory until it ends; it
//! counts until then.
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use elanus_kernels::backend::BackendError;
use parking_lot::Mutex;

/// The budget of one device, and what counts against it. `M` is memory of the device that is given back on drop.
#[derive(Debug)]
pub struct Pool<M> {
    budget: u64,
    used: Arc<AtomicU64>,
    ticks: AtomicU64,
    evictions: AtomicU64,
    slots: Mutex<Vec<Weak<Slot<M>>>>,
}

/// Memory that may be thrown out.
#[derive(Debug)]
pub struct Slot<M> {
    pool: Weak<Pool<M>>,
    bytes: u64,
    used_at: AtomicU64,
    memory: Mutex<Option<Arc<Counted<M>>>>,
}

/// Memory that counts against the budget until it is dropped.
#[derive(Debug)]
pub struct Counted<M> {
    /// The device's memory. It is dropped before it stops to count.
    pub memory: M,
    _share: Share,
}

#[derive(Debug)]
struct Share {
    bytes: u64,
    used: Arc<AtomicU64>,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl<M> Pool<M> {
    /// A budget of so many bytes.
    pub fn new(budget: u64) -> Arc<Self> {
        Arc::new(Self {
            budget,
            used: Arc::default(),
            ticks: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            slots: Mutex::default(),
        })
    }

    /// Bytes that may be used.
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// Bytes that are in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// How often something was thrown out.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Throws out what is needed for `bytes` more, and takes in what `make` returns.
    ///
    /// # Errors
    /// When that is above the budget even alone, searches hold too much at the moment, or `make` fails.
    pub fn insert(
        self: &Arc<Self>,
        bytes: u64,
        make: impl FnOnce() -> Result<M, BackendError>,
    ) -> Result<Arc<Slot<M>>, BackendError> {
        let share = self.reserve(bytes)?;
        let memory = make()?;
        let slot = Arc::new(Slot {
            pool: Arc::downgrade(self),
            bytes,
            used_at: AtomicU64::new(self.tick()),
            memory: Mutex::new(Some(Arc::new(Counted { memory, _share: share }))),
        });
        let mut slots = self.slots.lock();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        Ok(slot)
    }

    /// Counts `bytes`, after having thrown out enough for them.
    fn reserve(&self, bytes: u64) -> Result<Share, BackendError> {
        if bytes > self.budget {
            return Err(BackendError::Memory { need: bytes, budget: self.budget });
        }
        // Whoever inserts holds the lock, so that two do not throw out for the same room.
        let slots = self.slots.lock();
        let mut there: Vec<Arc<Slot<M>>> = slots.iter().filter_map(Weak::upgrade).collect();
        there.sort_by_key(|slot| slot.used_at.load(Ordering::Relaxed));
        let mut oldest = there.iter();
        while self.used().saturating_add(bytes) > self.budget {
            let Some(slot) = oldest.next() else {
                let reason = format!("{} of {} bytes are held by searches that run", self.used(), self.budget);
                return Err(BackendError::Failed { reason });
            };
            if slot.memory.lock().take().is_some() {
                self.evictions.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Ok(Share { bytes, used: Arc::clone(&self.used) })
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }
}

impl<M> Slot<M> {
    /// The memory, which counts as used now; `None` once it was thrown out.
    pub fn get(&self) -> Option<Arc<Counted<M>>> {
        if let Some(pool) = self.pool.upgrade() {
            self.used_at.store(pool.tick(), Ordering::Relaxed);
        }
        self.memory.lock().clone()
    }

    /// Whether it was thrown out.
    pub fn is_evicted(&self) -> bool {
        self.memory.lock().is_none()
    }

    /// Bytes that it takes, or took.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
