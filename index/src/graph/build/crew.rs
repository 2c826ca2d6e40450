//! Work shared among the lent threads, with one result whatever their number.

use std::cell::Cell;

use rayon::prelude::*;

use crate::{BuildCx, BuildError};

/// Items for each thread between two reports.
const ROUND: usize = 16;

/// The threads, the flag that ends the build, and how far the build is.
pub(super) struct Crew<'a> {
    cx: &'a BuildCx<'a>,
    /// What the caller counts as the whole.
    total: u64,
    told: Cell<u64>,
    /// The shares of the whole at which the work at hand begins and ends.
    span: Cell<(f64, f64)>,
}

impl<'a> Crew<'a> {
    /// Reports progress as parts of `total`.
    pub(super) fn new(cx: &'a BuildCx<'a>, total: u64) -> Self {
        Self { cx, total, told: Cell::new(0), span: Cell::new((0.0, 1.0)) }
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.cx.pool.map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Whether the caller wants no more.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        if self.cx.cancel.is_cancelled() { Err(BuildError::Cancelled) } else { Ok(()) }
    }

    /// Says that the work from now on is that between these shares of the whole.
    pub(super) fn enter(&self, from: f64, to: f64) {
        self.span.set((from, to));
    }

    /// Tells that this share of the work at hand is done.
    pub(super) fn tell(&self, share: f64) {
        let (from, to) = self.span.get();
        let share = (from + (to - from) * share).clamp(0.0, 1.0);
        let done = ((share * self.total as f64) as u64).max(self.told.get());
        self.told.set(done);
        (self.cx.progress)(done, self.total);
    }

    /// As [`Crew::map`] for work without results, telling now and then how far it is on the way between two shares of
    /// the work at hand.
    pub(super) fn each<T, W>(
        &self,
        items: Vec<T>,
        shares: (f64, f64),
        job: impl Fn(&mut W, T) + Sync,
    ) -> Result<(), BuildError>
    where
        T: Send,
        W: Default + Send,
    {
        let (count, mut done) = (items.len(), 0);
        let mut items = items.into_iter();
        while done < count {
            let round: Vec<T> = items.by_ref().take(ROUND * self.threads()).collect();
            done += round.len();
            self.map(round, &job)?;
            self.tell(shares.0 + (shares.1 - shares.0) * done as f64 / count as f64);
        }
        Ok(())
    }

    /// Does `job` for every item and returns the results in the items' order. Each thread has a `W` of its own, which
    /// must not show in the results.
    pub(super) fn map<T, R, W>(&self, items: Vec<T>, job: impl Fn(&mut W, T) -> R + Sync) -> Result<Vec<R>, BuildError>
    where
        T: Send,
        R: Send,
        W: Default + Send,
    {
        let cancel = self.cx.cancel;
        let one = |work: &mut W, item: T| {
            if cancel.is_cancelled() { Err(BuildError::Cancelled) } else { Ok(job(work, item)) }
        };
        match self.cx.pool {
            Some(pool) if items.len() > 1 && pool.current_num_threads() > 1 => {
                pool.install(|| items.into_par_iter().map_init(W::default, one).collect())
            }
            Some(_) | None => {
                let mut work = W::default();
                items.into_iter().map(|item| one(&mut work, item)).collect()
            }
        }
    }
}
