//! The committer: one thread that stamps writes, logs them, applies them in log order and acknowledges them.
//!
//! Writes that arrive while a sync is under way form the next group and share its sync. Because a write is applied
//! before it is acknowledged, a read at the latest applied timestamp sees every acknowledged write.

use crate::error::{Error, ErrorKind, Result, Subject};
use crate::shard::Shard;
use crate::ts::Oracle;
use crate::wal::{Lsn, MAX_RECORD_BYTES, Wal, WalError};
use crate::write_record::{self, ALL_PARTITIONS, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

/// What became of a write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applied {
    pub(crate) ts: u64,
    /// Rows deleted.
    pub(crate) deleted: u64,
}

/// A write that waits for its group.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) shard: Arc<Shard>,
    pub(crate) partition_id: i64,
    pub(crate) write: Write,
    pub(crate) record: Vec<u8>,
    pub(crate) reply: SyncSender<Result<Applied>>,
}

type Task = Box<dyn FnOnce(u64) + Send>;

enum Work {
    Write(Box<Pending>),
    /// Runs between writes: everything before it is applied, nothing after it has begun.
    Run(Task),
    Stop,
}

/// How far the database has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Every write up to this timestamp is applied.
    pub(crate) applied_ts: AtomicU64,
    /// Every log record up to this one is applied.
    pub(crate) applied_lsn: AtomicU64,
}

/// The sending side: shared by all callers.
pub(crate) struct Committer {
    queue: SyncSender<Work>,
    thread: parking_lot::Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// Called when the growing segment of a partition is full: sets it aside.
pub(crate) type OnFull = Box<dyn Fn(&Shard, i64) + Send>;

/// What the thread works with.
pub(crate) struct Parts {
    pub(crate) wal: Arc<dyn Wal>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) group_bytes: usize,
    pub(crate) queue_length: usize,
    pub(crate) full: OnFull,
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer").finish_non_exhaustive()
    }
}

impl Committer {
    /// Starts the thread.
    pub(crate) fn start(parts: Parts) -> Result<Self> {
        let (queue, works) = sync_channel(parts.queue_length);
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || run(&parts, &works))
            .map_err(|source| Error::internal("the committer thread did not start").with_source(source))?;
        Ok(Self { queue, thread: parking_lot::Mutex::new(Some(thread)) })
    }

    /// Logs and applies a write; returns when it is durable and visible.
    pub(crate) fn write(
        &self,
        shard: &Arc<Shard>,
        collection_id: i64,
        partition_id: i64,
        write: Write,
    ) -> Result<Applied> {
        let record = write_record::encode(collection_id, partition_id, &write);
        if record.len() > MAX_RECORD_BYTES {
            let text = format!("a write of {} bytes is larger than {MAX_RECORD_BYTES}: split it", record.len());
            return Err(Error::invalid(Subject::Request, text));
        }
        let (reply, answer) = sync_channel(1);
        let pending = Pending { shard: Arc::clone(shard), partition_id, write, record, reply };
        self.queue.send(Work::Write(Box::new(pending))).map_err(|_| closed())?;
        answer.recv().map_err(|_| closed())?
    }

    /// Runs something between writes, with a fresh timestamp, and returns what it returned.
    pub(crate) fn run<T: Send + 'static>(&self, task: impl FnOnce(u64) -> T + Send + 'static) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        let task: Task = Box::new(move |ts| {
            // The caller may have gone; what was done stays done.
            let _ = reply.send(task(ts));
        });
        self.queue.send(Work::Run(task)).map_err(|_| closed())?;
        answer.recv().map_err(|_| closed())
    }

    /// Finishes what is queued and ends the thread.
    pub(crate) fn stop(&self) {
        if let Some(thread) = self.thread.lock().take() {
            // An error means that the thread is gone already.
            let _ = self.queue.send(Work::Stop);
            let _ = thread.join();
        }
    }
}

fn closed() -> Error {
    Error::unavailable("the database is closed")
}

fn run(parts: &Parts, works: &Receiver<Work>) {
    let mut group = Vec::new();
    while let Ok(first) = works.recv() {
        let mut next = Some(first);
        while let Some(work) = next.take() {
            match work {
                Work::Write(pending) => {
                    next = fill(parts, works, *pending, &mut group);
                    commit(parts, &mut group);
                }
                Work::Run(task) => {
                    let ts = parts.oracle.next();
                    task(ts);
                    parts.progress.applied_ts.fetch_max(ts, Ordering::SeqCst);
                }
                Work::Stop => return,
            }
        }
    }
}

/// Takes what is queued into the group; returns the work that does not belong to it.
fn fill(parts: &Parts, works: &Receiver<Work>, first: Pending, group: &mut Vec<Pending>) -> Option<Work> {
    let mut bytes = first.record.len();
    group.push(first);
    while bytes < parts.group_bytes {
        match works.try_recv() {
            Ok(Work::Write(pending)) => {
                bytes += pending.record.len();
                group.push(*pending);
            }
            Ok(other) => return Some(other),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    None
}

fn commit(parts: &Parts, group: &mut Vec<Pending>) {
    refuse_dropped(group);
    if group.is_empty() {
        return;
    }
    let first_ts = parts.oracle.reserve(group.len() as u64);
    for (pending, ts) in group.iter_mut().zip(first_ts..) {
        write_record::stamp(&mut pending.record, ts);
    }
    let records: Vec<&[u8]> = group.iter().map(|pending| pending.record.as_slice()).collect();
    match parts.wal.append(&records) {
        Ok(lsns) => {
            let mut replies = Vec::with_capacity(group.len());
            for ((pending, ts), lsn) in group.drain(..).zip(first_ts..).zip(lsns) {
                let applied = apply(parts, &pending.shard, pending.partition_id, pending.write, ts, lsn);
                parts.progress.applied_lsn.store(lsn, Ordering::SeqCst);
                parts.progress.applied_ts.fetch_max(ts, Ordering::SeqCst);
                replies.push((pending.reply, applied));
            }
            for (reply, applied) in replies {
                // A caller that no longer waits loses only the answer.
                let _ = reply.send(applied);
            }
        }
        Err(error) => {
            let error = log_error(error);
            for pending in group.drain(..) {
                let _ = pending.reply.send(Err(error.twin()));
            }
        }
    }
}

/// Partitions are dropped on this thread, so a write whose partition is there now can be applied once it is logged.
fn refuse_dropped(group: &mut Vec<Pending>) {
    group.retain(|pending| {
        let there = pending.partition_id == ALL_PARTITIONS || pending.shard.has_partition(pending.partition_id);
        if !there {
            let error = Error::not_found(Subject::Partition, "the partition was dropped before the write");
            // A caller that no longer waits loses only the answer.
            let _ = pending.reply.send(Err(error));
        }
        there
    });
}

fn apply(parts: &Parts, shard: &Shard, partition: i64, write: Write, ts: u64, lsn: Lsn) -> Result<Applied> {
    let (deleted, full) = apply_write(shard, partition, write, ts, lsn)?;
    if full {
        (parts.full)(shard, partition);
    }
    Ok(Applied { ts, deleted })
}

/// Applies a write to memory; returns the rows deleted and whether the growing segment is full. Recovery uses it too.
pub(crate) fn apply_write(shard: &Shard, partition: i64, write: Write, ts: u64, lsn: Lsn) -> Result<(u64, bool)> {
    let scope = (partition != ALL_PARTITIONS).then_some(partition);
    match write {
        Write::Insert(batch) => Ok((0, shard.insert(partition, batch, ts, lsn)?)),
        Write::Delete(keys) => Ok((shard.delete(scope, &keys, ts, lsn), false)),
        Write::Upsert(keys, batch) => {
            // A key is unique in the collection, whatever the partition.
            let deleted = shard.delete(None, &keys, ts, lsn);
            Ok((deleted, shard.insert(partition, batch, ts, lsn)?))
        }
    }
}

pub(crate) fn log_error(source: WalError) -> Error {
    let kind = source.kind();
    let subject = match kind {
        ErrorKind::Exhausted => Subject::Disk,
        ErrorKind::InvalidArgument => Subject::Request,
        ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Conflict
        | ErrorKind::Unavailable
        | ErrorKind::Cancelled
        | ErrorKind::Corrupt
        | ErrorKind::Unsupported
        | ErrorKind::Internal => Subject::Engine,
    };
    Error::new(kind, subject, "the write-ahead log failed").with_source(source)
}
