//! The device that a process searches with: opened when it is first wanted, measured, and given up when it is lost.

use std::collections::HashSet;
use std::fmt;
use std::mem::{self, Discriminant};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use elanus_kernels::backend::{Backend, BackendError, Cpu, Speed};
use parking_lot::{Condvar, Mutex};

/// What the process lends to a device.
pub trait Host: Send + Sync {
    /// Opens the device, or says why there is none. Called once, from a thread that may wait.
    ///
    /// # Errors
    /// Why there is no device, in words for people.
    fn open(&self) -> Result<Arc<dyn Backend>, String>;

    /// A time that never goes back.
    fn now(&self) -> Duration;

    /// Takes what somebody who runs the program should read: failures.
    fn warn(&self, text: &str);

    /// Takes what they may want to know: that a device was opened.
    fn note(&self, text: &str);
}

/// When the device is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Plan {
    /// Where it answers sooner than the CPU would, by what both were measured at.
    #[default]
    Measured,
    /// Whenever it can, as tests want it.
    Always,
}

/// Limits of a device's work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// When the device is asked.
    pub plan: Plan,
    /// Queries of several searches that are taken together at most. A search with more of them stays whole.
    pub batch_queries: usize,
    /// Queries that may wait for a scan of the same rows; further searches go to the CPU.
    pub waiting_queries: usize,
    /// How long the first search waits for others when the device is idle.
    pub batch_wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { plan: Plan::Measured, batch_queries: 1024, waiting_queries: 16_384, batch_wait: Duration::ZERO }
    }
}

/// How many batch sizes are told apart: 1, 2, up to 4, up to 8 queries and so on; the last one has no end.
pub const BATCH_SIZES: usize = 16;

/// What was done so far.
#[derive(Debug, Default)]
pub struct Counts {
    searches: AtomicU64,
    fallbacks: AtomicU64,
    evictions: AtomicU64,
    resident_bytes: AtomicU64,
    batched_queries: AtomicU64,
    batches: [AtomicU64; BATCH_SIZES],
}

impl Counts {
    /// Searches that the device answered.
    pub fn searches(&self) -> u64 {
        self.searches.load(Ordering::Relaxed)
    }

    /// Searches that it was to answer and did not, since it failed.
    pub fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    /// How often rows had been thrown out when they were wanted again.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Bytes that rows take on the device.
    pub fn resident_bytes(&self) -> u64 {
        self.resident_bytes.load(Ordering::Relaxed)
    }

    /// Queries of all scans together.
    pub fn batched_queries(&self) -> u64 {
        self.batched_queries.load(Ordering::Relaxed)
    }

    /// Scans by their number of queries: entry `i` counts those of more than `2^(i-1)` and up to `2^i`.
    pub fn batches(&self) -> [u64; BATCH_SIZES] {
        std::array::from_fn(|i| self.batches[i].load(Ordering::Relaxed))
    }

    pub(super) fn searched(&self) {
        self.searches.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn batch(&self, queries: usize) {
        let size = queries.max(1).next_power_of_two().trailing_zeros() as usize;
        self.batches[size.min(BATCH_SIZES - 1)].fetch_add(1, Ordering::Relaxed);
        self.batched_queries.fetch_add(queries as u64, Ordering::Relaxed);
    }

    pub(super) fn evicted(&self) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn came(&self, bytes: u64) {
        self.resident_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn went(&self, bytes: u64) {
        self.resident_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Where a device stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing has wanted it so far.
    Closed,
    /// It is being opened; meanwhile the CPU searches.
    Opening,
    /// It works: its place and its name.
    Open(String),
    /// There is none, or none any more: why. The CPU searches.
    Gone(String),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("cpu (the device is opened when it is wanted)"),
            Self::Opening => f.write_str("cpu (the device is being opened)"),
            Self::Open(name) => f.write_str(name),
            Self::Gone(reason) => write!(f, "cpu ({reason})"),
        }
    }
}

/// An open device and how fast it and the CPU are.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) speed: Speed,
    cpu: Speed,
}

#[derive(Debug)]
enum State {
    Closed,
    Opening,
    Open(Arc<Opened>),
    Gone(String),
}

/// The device of a process, shared by all indexes.
pub struct Device {
    host: Box<dyn Host>,
    options: Options,
    counts: Counts,
    state: Mutex<State>,
    changed: Condvar,
    /// Kinds of failure that were told already.
    told: Mutex<HashSet<Discriminant<BackendError>>>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("standing", &self.standing()).finish_non_exhaustive()
    }
}

impl Device {
    /// A device that is opened when it is first wanted.
    pub fn new(host: Box<dyn Host>, options: Options) -> Arc<Self> {
        Arc::new(Self {
            host,
            options,
            counts: Counts::default(),
            state: Mutex::new(State::Closed),
            changed: Condvar::new(),
            told: Mutex::default(),
        })
    }

    /// What was done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Its limits.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        match &*self.state.lock() {
            State::Closed => Standing::Closed,
            State::Opening => Standing::Opening,
            State::Open(opened) => {
                let caps = opened.backend.caps();
                Standing::Open(format!("{} ({})", caps.place(), caps.name))
            }
            State::Gone(reason) => Standing::Gone(reason.clone()),
        }
    }

    /// Begins to open it, on a thread of its own, unless that has been done.
    pub fn start(self: &Arc<Self>) {
        if !self.claim() {
            return;
        }
        let device = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("device".to_owned()).spawn(move || device.open());
        if let Err(error) = spawned {
            self.settle(State::Gone(format!("the thread that opens the device cannot be started: {error}")));
        }
    }

    /// Opens it on this thread, or waits until another has; why there is none otherwise.
    ///
    /// # Errors
    /// Why there is no device.
    pub fn wait(&self) -> Result<Arc<dyn Backend>, String> {
        if self.claim() {
            self.open();
        }
        let mut state = self.state.lock();
        loop {
            match &*state {
                State::Open(opened) => return Ok(Arc::clone(&opened.backend)),
                State::Gone(reason) => return Err(reason.clone()),
                State::Closed | State::Opening => self.changed.wait(&mut state),
            }
        }
    }

    /// Whether the caller is the one who has to open it.
    fn claim(&self) -> bool {
        let mut state = self.state.lock();
        let closed = matches!(*state, State::Closed);
        if closed {
            *state = State::Opening;
        }
        closed
    }

    fn settle(&self, state: State) {
        *self.state.lock() = state;
        self.changed.notify_all();
    }

    fn open(&self) {
        // Whatever happens in a driver, nobody waits for ever.
        let gone = Settle(self);
        let state = match self.host.open() {
            Ok(backend) => self.measured(backend),
            Err(reason) => State::Gone(reason),
        };
        mem::forget(gone);
        if let State::Open(opened) = &state {
            let (caps, speed) = (opened.backend.caps(), &opened.speed);
            self.host.note(&format!(
                "{} opened: {}, {:.0} GB/s, {:.0} us there and back, {} MiB for rows",
                caps.place(),
                caps.name,
                speed.read_bytes_per_ns,
                speed.round_trip_ns / 1e3,
                caps.budget_bytes >> 20
            ));
        }
        self.settle(state);
    }

    fn measured(&self, backend: Arc<dyn Backend>) -> State {
        let clock = || self.host.now();
        let speeds = Cpu::new().measure(&clock).and_then(|cpu| Ok((cpu, backend.measure(&clock)?)));
        match speeds {
            Ok((cpu, speed)) => State::Open(Arc::new(Opened { backend, speed, cpu })),
            Err(error) => {
                let reason = format!("{} cannot be used: {error}", backend.caps().place());
                self.host.warn(&reason);
                State::Gone(reason)
            }
        }
    }

    /// The device if it is open; otherwise it begins to be opened.
    pub(super) fn opened(self: &Arc<Self>) -> Option<Arc<Opened>> {
        match &*self.state.lock() {
            State::Open(opened) => return Some(Arc::clone(opened)),
            State::Opening | State::Gone(_) => return None,
            State::Closed => {}
        }
        self.start();
        None
    }

    /// Nanoseconds by which the device answers sooner; `None` where the CPU does.
    pub(super) fn saved_ns(&self, opened: &Opened, queries: usize, row_bytes: u64) -> Option<f64> {
        let bytes = queries as f64 * row_bytes as f64;
        let there = opened.speed.round_trip_ns + bytes / opened.speed.read_bytes_per_ns;
        let saved = bytes / opened.cpu.read_bytes_per_ns - there;
        match self.options.plan {
            Plan::Always => Some(f64::INFINITY),
            Plan::Measured => (saved > 0.0).then_some(saved),
        }
    }

    /// Counts a failure, tells of it if it is the first of its kind, and gives the device up if it is lost.
    pub(super) fn failed(&self, error: &BackendError) {
        self.counts.fallbacks.fetch_add(1, Ordering::Relaxed);
        if self.told.lock().insert(mem::discriminant(error)) {
            let place = self.standing();
            self.host
                .warn(&format!("{place}: {error}; the CPU searches instead (told once for failures of this kind)"));
        }
        if let BackendError::Lost { reason } = error {
            self.settle(State::Gone(format!("the device was lost: {reason}")));
        }
    }
}

/// Says that there is no device when opening it ended in a panic.
struct Settle<'a>(&'a Device);

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        self.0.settle(State::Gone("opening the device failed".to_owned()));
    }
}
