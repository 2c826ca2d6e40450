//! Searches of the same rows at the same time, taken together: one thread scans for all that came meanwhile.
//!
//! Whoever comes while nobody scans does so at once. Those who come during a scan wait; when it ends, the first of them
//! scans for itself and for the others, and so on. No thread works for others twice, and none needs a thread that is
//! not a search's own. A scan that fails or panics fails for those whom it was for, and the turn passes on.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use elanus_kernels::backend::BackendError;
use elanus_kernels::{AnyRows, ElementType, F16, Rows, TopK};
use parking_lot::{Condvar, Mutex};

use super::device::Options;
use crate::Cancel;

/// How often one who waits looks whether its caller has cancelled.
const LOOK: Duration = Duration::from_millis(5);

/// Rows wanted below which a difference does not keep searches apart.
const FEW: usize = 64;

/// A scan for some queries, one holder each; `Ok(false)` when it was not done and nothing failed.
pub(super) type Scan<'a> = &'a mut dyn FnMut(AnyRows<'_>, &mut [TopK]) -> Result<bool, BackendError>;

/// A search as the queue sees it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) queries: AnyRows<'a>,
    pub(super) cancel: &'a Cancel,
    pub(super) outs: &'a mut [TopK],
}

/// What became of it.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The holders have the answer.
    Answered,
    /// There is no answer, and no fault: the holders are as before.
    Declined,
    /// The device failed: the holders are as before.
    Failed(BackendError),
    /// The caller cancelled.
    Cancelled,
}

/// Those who wait for a scan of the same rows.
#[derive(Debug, Default)]
pub(super) struct Queue {
    line: Mutex<Line>,
    /// Told when there are enough for a batch.
    enough: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    /// Whether somebody scans.
    busy: bool,
    tickets: VecDeque<Arc<Ticket>>,
    /// Queries of all tickets.
    queries: usize,
    /// Queries for which one who waits with the turn in hand waits no longer.
    wanted: usize,
}

/// One search that waits.
#[derive(Debug)]
struct Ticket {
    queries: Values,
    count: usize,
    k: usize,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Debug)]
enum Stage {
    /// In the line.
    Waiting,
    /// Another thread scans for it.
    Taken,
    /// Another thread scans for it, and nobody waits for that any more.
    Left,
    /// It is its turn to scan, for itself and for these.
    Leads(Vec<Arc<Ticket>>),
    /// Its answer.
    Done(Vec<TopK>),
    /// There is none.
    Without(Outcome),
}

/// Copied queries.
#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    F16(Vec<F16>),
}

impl Values {
    /// `None` where the rows are of a type that no device takes.
    fn copy(rows: AnyRows<'_>) -> Option<Self> {
        match rows.element() {
            ElementType::F32 => rows.typed::<f32>().map(|rows| Self::F32(rows.data().to_vec())),
            ElementType::F16 => rows.typed::<F16>().map(|rows| Self::F16(rows.data().to_vec())),
            ElementType::Bf16 | ElementType::I8 | ElementType::U8 | ElementType::U4 | ElementType::Binary => None,
        }
    }

    fn append(&mut self, other: &Self) {
        match (self, other) {
            (Self::F32(values), Self::F32(more)) => values.extend_from_slice(more),
            (Self::F16(values), Self::F16(more)) => values.extend_from_slice(more),
            (Self::F32(_), Self::F16(_)) | (Self::F16(_), Self::F32(_)) => {
                unreachable!("an index has one element type")
            }
        }
    }

    fn rows(&self, dim: usize) -> AnyRows<'_> {
        let whole = "whole rows were copied";
        match self {
            Self::F32(values) => Rows::new(values, dim).expect(whole).into(),
            Self::F16(values) => Rows::new(values, dim).expect(whole).into(),
        }
    }
}

impl Ticket {
    fn settle(&self, stage: Stage) {
        *self.stage.lock() = stage;
        self.changed.notify_one();
    }
}

/// Searches that want about as many rows are taken together: a device selects as many for all of them.
fn class(k: usize) -> usize {
    k.max(FEW).next_power_of_two()
}

impl Line {
    /// Takes those out who can go with `k`, up to so many queries.
    fn take(&mut self, k: usize, room: usize) -> Vec<Arc<Ticket>> {
        let (mut taken, mut count) = (Vec::new(), 0);
        for ticket in mem::take(&mut self.tickets) {
            if class(ticket.k) == class(k) && count + ticket.count <= room {
                count += ticket.count;
                *ticket.stage.lock() = Stage::Taken;
                taken.push(ticket);
            } else {
                self.tickets.push_back(ticket);
            }
        }
        self.queries -= count;
        taken
    }
}

/// The right to scan, and those who rely on it. When it goes, however that comes, they are told and the next one has it.
struct Turn<'a> {
    queue: &'a Queue,
    options: &'a Options,
    others: Vec<Arc<Ticket>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        for ticket in self.others.drain(..) {
            let reason = "the search that it was taken together with ended early".to_owned();
            ticket.settle(Stage::Without(Outcome::Failed(BackendError::Failed { reason })));
        }
        self.queue.pass_on(self.options);
    }
}

impl Queue {
    /// Scans at once, or waits for a scan that takes this search with it.
    pub(super) fn run(&self, asked: Asked<'_>, options: &Options, scan: Scan<'_>) -> Outcome {
        let (count, k) = (asked.queries.len(), asked.outs.iter().map(TopK::k).max().unwrap_or(0));
        let mut line = self.line.lock();
        if line.busy {
            if line.queries + count > options.waiting_queries {
                return Outcome::Declined;
            }
            let Some(queries) = Values::copy(asked.queries) else { return Outcome::Declined };
            let (stage, changed) = (Mutex::new(Stage::Waiting), Condvar::new());
            let ticket = Arc::new(Ticket { queries, count, k, stage, changed });
            line.queries += count;
            line.tickets.push_back(Arc::clone(&ticket));
            if line.queries >= line.wanted {
                self.enough.notify_all();
            }
            drop(line);
            return self.wait(&ticket, asked, options, scan);
        }
        line.busy = true;
        let room = options.batch_queries.saturating_sub(count);
        if !options.batch_wait.is_zero() && room > 0 {
            line.wanted = room;
            self.enough.wait_for(&mut line, options.batch_wait);
            line.wanted = usize::MAX;
        }
        let others = line.take(k, room);
        drop(line);
        self.lead(Turn { queue: self, options, others }, asked, scan)
    }

    /// Waits for an answer or for the turn to find one.
    fn wait(&self, ticket: &Arc<Ticket>, asked: Asked<'_>, options: &Options, scan: Scan<'_>) -> Outcome {
        let mut stage = ticket.stage.lock();
        loop {
            match mem::replace(&mut *stage, Stage::Taken) {
                Stage::Done(tops) => {
                    drop(stage);
                    give(asked.outs, tops);
                    return Outcome::Answered;
                }
                Stage::Without(outcome) => return outcome,
                Stage::Leads(others) => {
                    drop(stage);
                    let turn = Turn { queue: self, options, others };
                    if asked.cancel.is_cancelled() {
                        return self.decline(turn);
                    }
                    return self.lead(turn, asked, scan);
                }
                waits @ (Stage::Waiting | Stage::Taken | Stage::Left) => *stage = waits,
            }
            if asked.cancel.is_cancelled() {
                if matches!(*stage, Stage::Taken) {
                    *stage = Stage::Left;
                    return Outcome::Cancelled;
                }
                drop(stage);
                if self.leave(ticket) {
                    return Outcome::Cancelled;
                }
                // It is being called up at this moment.
                stage = ticket.stage.lock();
                continue;
            }
            ticket.changed.wait_for(&mut stage, LOOK);
        }
    }

    /// Takes a ticket out of the line; whether it stood there.
    fn leave(&self, ticket: &Arc<Ticket>) -> bool {
        let mut line = self.line.lock();
        let place = line.tickets.iter().position(|one| Arc::ptr_eq(one, ticket));
        if let Some(place) = place {
            line.tickets.remove(place);
            line.queries -= ticket.count;
        }
        place.is_some()
    }

    /// Lets the others stand at the head of the line again, for one that was to lead and does not want to any more.
    fn decline(&self, mut turn: Turn<'_>) -> Outcome {
        let mut line = self.line.lock();
        for ticket in turn.others.drain(..).rev() {
            let mut stage = ticket.stage.lock();
            if matches!(*stage, Stage::Left) {
                continue;
            }
            *stage = Stage::Waiting;
            drop(stage);
            line.queries += ticket.count;
            line.tickets.push_front(ticket);
        }
        drop(line);
        drop(turn);
        Outcome::Cancelled
    }

    /// Scans for the caller and those who go with it.
    fn lead(&self, mut turn: Turn<'_>, asked: Asked<'_>, scan: Scan<'_>) -> Outcome {
        let Asked { queries, outs, .. } = asked;
        let copied = if turn.others.is_empty() { None } else { Values::copy(queries) };
        let Some(mut values) = copied else { return outcome(scan(queries, outs)) };
        let mut tops: Vec<TopK> = outs.iter_mut().map(|out| mem::replace(out, TopK::new(0))).collect();
        for ticket in &turn.others {
            values.append(&ticket.queries);
            tops.extend((0..ticket.count).map(|_| TopK::new(ticket.k)));
        }
        let done = scan(values.rows(queries.dim()), &mut tops);
        let mut tops = tops.into_iter();
        outs.iter_mut().zip(&mut tops).for_each(|(out, top)| *out = top);
        for ticket in turn.others.drain(..) {
            let own = tops.by_ref().take(ticket.count).collect();
            ticket.settle(match &done {
                Ok(true) => Stage::Done(own),
                Ok(false) => Stage::Without(Outcome::Declined),
                Err(error) => Stage::Without(Outcome::Failed(error.clone())),
            });
        }
        outcome(done)
    }

    /// Gives the right to scan to the first who waits.
    fn pass_on(&self, options: &Options) {
        let mut line = self.line.lock();
        let Some(first) = line.tickets.pop_front() else {
            line.busy = false;
            return;
        };
        line.queries -= first.count;
        let others = line.take(first.k, options.batch_queries.saturating_sub(first.count));
        drop(line);
        first.settle(Stage::Leads(others));
    }
}

fn outcome(done: Result<bool, BackendError>) -> Outcome {
    match done {
        Ok(true) => Outcome::Answered,
        Ok(false) => Outcome::Declined,
        Err(error) => Outcome::Failed(error),
    }
}

/// Adds an answer to the holders of who asked.
fn give(outs: &mut [TopK], tops: Vec<TopK>) {
    for (out, top) in outs.iter_mut().zip(tops) {
        if out.is_empty() && out.k() == top.k() {
            *out = top;
        } else {
            out.merge(&top);
        }
    }
}
