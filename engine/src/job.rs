//! Background work: threads that look for what is to be done, do it, and look again.
//!
//! They are woken when something changed and decide from the state alone, so that nothing is forgotten over a crash or
//! a failure: what could not be done is found again on the next look.

mod backoff;
mod checkpoint;
mod compact;
mod grow;
mod index;
mod seal;

pub use compact::CompactionInfo;

use crate::catalog::SegmentRecord;
use crate::error::{Error, Result};
use crate::inner::{CollectionState, Inner};
use crate::recover::objects_of;
use crate::ts;
use backoff::Backoff;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a thread sleeps when nothing wakes it.
const IDLE: Duration = Duration::from_secs(1);
/// The same for indexes of growing rows: what came meanwhile is compared one by one.
const GROW_IDLE: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Board {
    /// How often the threads were woken.
    wakes: u64,
    stopping: bool,
    /// Segments whose objects can go.
    discarded: Vec<SegmentRecord>,
    compactions: BTreeMap<i64, CompactionInfo>,
    /// Collections to be compacted now, with the number of the job.
    compact_now: Vec<(i64, i64)>,
}

/// The job threads and what they are told.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    board: Mutex<Board>,
    changed: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
    sealing: Backoff,
    merging: Backoff,
    /// Indexes of merged segments that were made from those of the segments.
    pub(crate) indexes_merged: AtomicU64,
}

type Round = fn(&Arc<Inner>);

impl Jobs {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Starts one thread for sealing and saving, which writers may wait for, and one each for index builds, merges and
    /// indexes of growing rows, which may take long.
    pub(crate) fn start(self: &Arc<Self>, inner: &Arc<Inner>) -> Result<()> {
        let rounds: [(&str, Round, Duration); 4] = [
            ("jobs", storage_round, IDLE),
            ("index-jobs", index_round, IDLE),
            ("merge-jobs", merge_round, IDLE),
            ("grow-jobs", grow_round, GROW_IDLE),
        ];
        for (name, work, idle) in rounds {
            let jobs = Arc::clone(self);
            let inner = Arc::downgrade(inner);
            let thread = std::thread::Builder::new()
                .name(name.into())
                .spawn(move || jobs.run(&inner, work, idle))
                .map_err(|source| Error::internal(format!("the {name} thread did not start")).with_source(source))?;
            self.threads.lock().push(thread);
        }
        Ok(())
    }

    fn run(&self, inner: &Weak<Inner>, work: Round, idle: Duration) {
        let mut seen = 0;
        let mut first = true;
        loop {
            {
                let mut board = self.board.lock();
                if !first && board.wakes == seen && !board.stopping {
                    self.changed.wait_for(&mut board, idle);
                }
                if board.stopping {
                    return;
                }
                seen = board.wakes;
            }
            first = false;
            let Some(inner) = inner.upgrade() else { return };
            work(&inner);
        }
    }

    /// Has the threads look for work.
    pub(crate) fn wake(&self) {
        self.board.lock().wakes += 1;
        self.changed.notify_all();
    }

    /// Has the threads end after what they are doing.
    pub(crate) fn stop(&self) {
        self.board.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Whether sealing failed and waits to be tried again.
    pub(crate) fn sealing_fails(&self) -> bool {
        self.sealing.is_waiting()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.board.lock().stopping
    }

    /// Waits for the threads to end.
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        let own = std::thread::current().id();
        for thread in threads {
            if thread.thread().id() != own {
                // A thread that panicked has said so on standard error.
                let _ = thread.join();
            }
        }
    }

    /// Gives over segments that no record names any more; their objects are deleted.
    pub(crate) fn discard(&self, segments: impl Iterator<Item = SegmentRecord>) {
        self.board.lock().discarded.extend(segments);
        self.wake();
    }

    /// Deletes the objects of discarded segments; what fails is an orphan that the next start removes.
    fn sweep(&self, inner: &Inner) {
        let discarded = std::mem::take(&mut self.board.lock().discarded);
        for object in discarded.iter().flat_map(objects_of) {
            if let Err(error) = inner.store.delete(object) {
                tracing::warn!(object, %error, "an object could not be deleted");
            }
        }
    }
}

/// The collections, so that no lock is held while work is done on them.
fn collections(inner: &Inner) -> Vec<Arc<CollectionState>> {
    inner.registry.read().collections.values().cloned().collect()
}

fn storage_round(inner: &Arc<Inner>) {
    inner.jobs.sweep(inner);
    for state in collections(inner) {
        if let Err(error) = seal::set_idle_aside(inner, &state) {
            tracing::debug!(%error, "idle rows were not set aside");
        }
        seal_all(inner, &state);
    }
    if let Err(error) = checkpoint::run(inner) {
        tracing::error!(%error, "the log could not be cut");
    }
}

fn seal_all(inner: &Inner, state: &CollectionState) {
    let now_ms = || ts::to_ms(inner.oracle.now());
    while let Some(growing) = state.shard.next_to_seal() {
        if inner.jobs.is_stopping() || !inner.jobs.sealing.is_over(now_ms()) {
            return;
        }
        match seal::run(inner, state, &growing) {
            Ok(()) => {
                inner.jobs.sealing.succeeded();
                inner.jobs.wake();
            }
            Err(error) => {
                inner.jobs.sealing.failed(now_ms());
                tracing::error!(collection = state.record().name, %error, "a segment could not be sealed");
                return;
            }
        }
    }
}

fn index_round(inner: &Arc<Inner>) {
    for state in collections(inner) {
        while let Some(work) = index::next(inner, &state) {
            if inner.jobs.is_stopping() {
                return;
            }
            index::run(inner, &state, &work);
        }
    }
}

fn merge_round(inner: &Arc<Inner>) {
    compact::round(inner);
}

fn grow_round(inner: &Arc<Inner>) {
    grow::round(inner);
}
