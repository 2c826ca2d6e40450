//! The backend: what is checked, which memory and lane a call gets, and what the device can do.
use std::sync::Arc;
use std::time::Duration;

use elanus_kernels::backend::{
    Backend, BackendError, Caps, Corpus, CorpusKind, DeviceKind, Find, Queries, Resident, Speed, checks,
};
use elanus_kernels::{AnyRows, Metric, TopK};

use super::args;
use super::batch::Work;
use super::codes::{self, Codes};
use super::corpus::{Held, Stored};
use super::device::Device;
use super::driver::{Driver, Facts};
use super::lanes::Lanes;
use super::programs::{self, Family, Programs};
use super::search::{self, Rounds};
use super::{blocks, measure};
use crate::pool::Pool;

/// Calls that run at the same time; more wait.
const LANES: usize = 4;

/// Pinned memory of a lane, on the way to the device and again on the way back.
const STAGING_BYTES: usize = 16 << 20;

/// What the queries of one lane and their candidates may take at most and at least; between, a part of the budget.
const ARENA_BYTES: (u64, u64) = (4 << 20, 256 << 20);
const ARENA_SHARE: u64 = 64;

/// Rounds for few neighbors and for many.
const ROUNDS: [Rounds; 2] = [Rounds { capacity: 4096, k: 256 }, Rounds { capacity: 8192, k: 1024 }];

/// How much of everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sizes {
    pub(super) lanes: usize,
    pub(super) staging_bytes: usize,
    /// Of each lane.
    pub(super) arena_bytes: u64,
    rounds: [Rounds; 2],
}

impl Sizes {
    /// What suits a budget.
    pub(super) fn of_budget(budget: u64) -> Self {
        let arena_bytes = (budget / ARENA_SHARE).clamp(ARENA_BYTES.0, ARENA_BYTES.1);
        Self { lanes: LANES, staging_bytes: STAGING_BYTES, arena_bytes, rounds: ROUNDS }
    }

    /// The same with little room, so that few data take many batches, rounds and copies.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn tiny() -> Self {
        let rounds = Rounds { capacity: 256, k: 64 };
        Self { lanes: 2, staging_bytes: 4096, arena_bytes: 32 << 10, rounds: [rounds; 2] }
    }

    /// The rounds that find so many candidates.
    pub(super) fn rounds(&self, wanted: usize) -> Rounds {
        let [few, many] = self.rounds;
        if wanted <= few.k { few } else { many }
    }

    /// Neighbors that are found in one round, be they rounded or not.
    fn pass_k(&self) -> usize {
        let most = self.rounds[1].k;
        (1..=most).rev().find(|k| k + search::slack(*k) <= most).unwrap_or(1)
    }
}

/// A device and what is on it.
#[derive(Debug)]
pub(super) struct Cuda {
    caps: Caps,
    programs: Programs,
    pub(super) sizes: Sizes,
    pub(super) pool: Arc<Pool<Stored>>,
    pub(super) lanes: Lanes,
    pub(super) device: Arc<Device>,
}

/// What is told of a device.
pub(super) fn caps(facts: &Facts, ordinal: usize, budget: u64, sizes: &Sizes) -> Caps {
    let (major, minor) = facts.generation;
    Caps {
        kind: DeviceKind::Cuda,
        ordinal,
        name: facts.name.clone(),
        driver: facts.driver.clone(),
        memory_bytes: facts.memory_bytes,
        budget_bytes: budget,
        pass_k: sizes.pass_k(),
        limits: vec![
            ("compute capability", format!("{major}.{minor}")),
            ("multiprocessors", facts.multiprocessors.to_string()),
            ("calls at a time", sizes.lanes.to_string()),
        ],
        cells: programs::cells(),
    }
}

impl Cuda {
    /// Takes a device over. The budget is that of corpora; queries and candidates come on top.
    pub(super) fn new(
        driver: Box<dyn Driver>,
        ordinal: usize,
        budget: Option<u64>,
        sizes: Option<Sizes>,
    ) -> Result<Self, BackendError> {
        let device = Device::new(driver);
        let budget = match budget {
            Some(budget) => budget,
            None => device.ask(|driver| driver.free_bytes())? / 10 * 9,
        };
        let sizes = sizes.unwrap_or_else(|| Sizes::of_budget(budget));
        Ok(Self {
            caps: caps(device.facts(), ordinal, budget, &sizes),
            programs: Programs::find()?,
            sizes,
            pool: Pool::new(budget),
            lanes: Lanes::new(&device, sizes.lanes, sizes.staging_bytes),
            device,
        })
    }

    /// The corpus behind a handle, the programs over it and the metric's number.
    fn on<'a>(&self, resident: &'a dyn Resident, metric: Metric) -> Result<(&'a Held, Family, u32), BackendError> {
        let held = Held::of(resident, &self.device)?;
        checks::supported(&self.caps, held.kind(), metric)?;
        let unsupported = BackendError::Unsupported { kind: held.kind(), metric };
        let number = args::metric(metric).ok_or(unsupported)?;
        Ok((held, self.family(held.kind(), metric)?, number))
    }

    pub(super) fn family(&self, kind: CorpusKind, metric: Metric) -> Result<Family, BackendError> {
        let family = match kind {
            CorpusKind::Rows(element) => self.programs.family(element).copied(),
            CorpusKind::Sq(_) | CorpusKind::Pq4 | CorpusKind::RaBitQ => None,
        };
        family.ok_or(BackendError::Unsupported { kind, metric })
    }

    fn scan_codes(
        &self,
        queries: Queries<'_>,
        codes: &Codes,
        find: &Find<'_>,
        out: &mut [TopK],
    ) -> Result<(), BackendError> {
        checks::supported(&self.caps, codes.kind(), find.metric)?;
        checks::scan(&codes.shape(), queries, find, out)?;
        let counted = codes.memory()?;
        let mut asked = codes::Queried::new(codes, &counted.memory, queries)?;
        let mut lane = self.lanes.take()?;
        search::scan(&mut lane, &mut asked, self.programs.select, find, &self.sizes, out)
    }

    /// Vectors are not compared with codes.
    fn refuse_codes(&self, resident: &dyn Resident, rows: AnyRows<'_>, metric: Metric) -> Result<(), BackendError> {
        let Some(codes) = Codes::of(resident, &self.device) else { return Ok(()) };
        checks::supported(&self.caps, codes.kind(), metric)?;
        Err(BackendError::Kind { corpus: codes.kind(), queries: rows.element().name() })
    }
}

impl Backend for Cuda {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn upload(&self, corpus: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError> {
        let Corpus::Rows(rows) = corpus else {
            return Ok(Arc::new(Codes::upload(&self.device, &self.pool, &self.lanes, &self.programs, corpus)?));
        };
        Ok(Arc::new(Held::upload(&self.device, &self.pool, &self.lanes, &self.programs, rows)?))
    }

    fn scan(
        &self,
        queries: Queries<'_>,
        resident: &dyn Resident,
        find: &Find<'_>,
        out: &mut [TopK],
    ) -> Result<(), BackendError> {
        if let Some(codes) = Codes::of(resident, &self.device) {
            return self.scan_codes(queries, codes, find, out);
        }
        let (held, family, metric) = self.on(resident, find.metric)?;
        checks::scan(&held.shape(), queries, find, out)?;
        let Queries::Rows(queries) = queries else {
            return Err(BackendError::Kind { corpus: held.kind(), queries: checks::name(queries) });
        };
        search::check_queries(queries)?;
        let counted = held.memory()?;
        let work = Work { held, stored: &counted.memory, family: &family, metric };
        let mut lane = self.lanes.take()?;
        let mut asked = search::Vectors::new(&work, queries);
        search::scan(&mut lane, &mut asked, self.programs.select, find, &self.sizes, out)
    }

    fn assign(
        &self,
        rows: AnyRows<'_>,
        centroids: &dyn Resident,
        metric: Metric,
        nearest: &mut [u32],
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        self.refuse_codes(centroids, rows, metric)?;
        let (held, family, metric) = self.on(centroids, metric)?;
        checks::assign(&held.shape(), rows, nearest, keys)?;
        search::check_queries(rows)?;
        let counted = held.memory()?;
        let work = Work { held, stored: &counted.memory, family: &family, metric };
        let mut lanes = vec![self.lanes.take()?];
        // What fits in one lane's arena has nothing to overlap with.
        if rows.len() as u64 * held.row_bytes as u64 > self.sizes.arena_bytes {
            lanes.extend(self.lanes.take_another()?);
        }
        blocks::assign(&mut lanes, &work, rows, &self.sizes, nearest, keys)
    }

    fn distances(
        &self,
        queries: AnyRows<'_>,
        resident: &dyn Resident,
        metric: Metric,
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        self.refuse_codes(resident, queries, metric)?;
        let (held, family, metric) = self.on(resident, metric)?;
        checks::distances(&held.shape(), queries, keys)?;
        search::check_queries(queries)?;
        let counted = held.memory()?;
        let work = Work { held, stored: &counted.memory, family: &family, metric };
        let mut lane = self.lanes.take()?;
        blocks::distances(&mut lane, &work, queries, &self.sizes, keys)
    }

    fn measure(&self, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
        measure::measure(self, &self.programs, clock)
    }
}
