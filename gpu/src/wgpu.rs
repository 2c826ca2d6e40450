//! Cards of any maker, through Vulkan, Metal or DirectX 12.
//!
//! ```
//! use elanus_gpu::wgpu;
//!
//! // Empty on a machine without a driver, which is not an error.
//! for caps in wgpu::list() {
//!     let backend = wgpu::open(caps.ordinal, None)?;
//!     assert_eq!(backend.caps().place(), caps.place());
//! }
//! # Ok::<(), elanus_kernels::backend::BackendError>(())
//! ```
//!
//! Keys are computed as the CPU computes them, sums of differences for L2 and of products else, so that what a program
//! finds needs no second look: over bytes and bits answers are equal, over floating point equal up to the order of a
//! sum. Over codes the sums are exact and each operation on them is rounded by itself, so that keys have the CPU's bits;
//! cosines over scalar codes may differ by the rounding of the device's division.
//!
//! Beside the budget for corpora, what batches leave to the next takes up to about 100 MiB of the device's memory.
mod asked;
mod batch;
mod codes;
mod device;
mod held;
mod programs;
mod search;
mod speed;
mod steps;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::wgpu::{Adapter, DeviceType, DownlevelFlags, Features};
use elanus_kernels::backend::{
    Backend, BackendError, Caps, Corpus, CorpusKind, DeviceKind, Find, Queries, Resident, Speed, checks, unpack,
};
use elanus_kernels::{AnyRows, ElementType, Metric, TopK};
use elanus_shaders::wgsl::{Program, TILE, Variant};
use parking_lot::Mutex;

use self::asked::Asked;
use self::batch::{Batch, ROOM, ROUND_K};
use self::codes::Shape;
use self::held::{Form, Held, Layout, Memory};
use self::programs::Programs;
use self::steps::{CANDIDATE_BYTES, Numbers, Scratch, Shared, Steps};
use crate::passes::{Pass, Task};
use crate::pool::Pool;

/// Bytes for corpora where the caller does not say: interfaces to all makers' cards do not tell how much there is.
const BUDGET_BYTES: u64 = 4 << 30;

/// The same where the device computes on the CPU, in memory that others need.
const SOFTWARE_BUDGET_BYTES: u64 = 1 << 30;

/// Groups of four words that one dispatch compares: about a seventh of a second at 10^12 operations a second.
const WORK: u64 = 1 << 34;

/// Bytes of the queries of a batch, of its candidates, and of a block of keys on the way back.
const BATCH_BYTES: u64 = 32 << 20;

/// The least workgroups along an axis that grids are cut for.
const GROUPS_LEAST: u32 = 64;

/// How a device is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes that corpora may take.
    pub budget: Option<u64>,
    /// Bytes of the largest part that a corpus is cut into; at most what a program can bind.
    pub part_bytes: Option<u64>,
    /// Workgroups along one axis of a grid; at most what the device takes, and at least 64.
    pub groups: Option<u32>,
    /// Groups of four words, of each query with each row, that one dispatch compares.
    pub work: Option<u64>,
    /// Whether subgroups are used where there are.
    pub subgroups: bool,
    /// Whether bytes are multiplied four at a time.
    pub packed_dot: bool,
}

impl Default for Options {
    /// All that the device has.
    fn default() -> Self {
        Self { budget: None, part_bytes: None, groups: None, work: None, subgroups: true, packed_dot: true }
    }
}

/// Every device that a driver offers; none where there is no driver. Among the limits, `type` says what a device is:
/// one that is `cpu` computes on the processor, more slowly than the CPU's own backend.
pub fn list() -> Vec<Caps> {
    let adapters = device::adapters();
    adapters.iter().enumerate().map(|(ordinal, adapter)| caps(adapter, ordinal, &Options::default())).collect()
}

/// Opens a device by its place in [`list`], with a budget in bytes for corpora.
///
/// # Errors
/// When there is no such device, or its driver refuses.
pub fn open(ordinal: usize, budget: Option<u64>) -> Result<Arc<dyn Backend>, BackendError> {
    Ok(Wgpu::open(ordinal, &Options { budget, ..Options::default() })?)
}

fn features(adapter: &Adapter, options: &Options) -> Features {
    let mut wanted = Features::empty();
    wanted.set(Features::SUBGROUP, options.subgroups);
    wanted & adapter.features()
}

fn caps(adapter: &Adapter, ordinal: usize, options: &Options) -> Caps {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), features(adapter, options));
    let lacks = device::lacks(adapter);
    let half = adapter.get_downlevel_capabilities().flags.contains(DownlevelFlags::SHADER_F16_IN_F32);
    let without = if half { &[][..] } else { &[CorpusKind::Rows(ElementType::F16)] };
    let cells = if lacks.is_some() { Vec::new() } else { programs::cells(without) };
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Cpu => "cpu",
        DeviceType::Other => "other",
    };
    let mut facts = vec![
        ("type", kind.to_owned()),
        ("interface", info.backend.to_string()),
        ("largest part", format!("{} bytes", limits.max_storage_buffer_binding_size)),
    ];
    if features.contains(Features::SUBGROUP) {
        facts.push(("subgroups", format!("{} to {}", info.subgroup_min_size, info.subgroup_max_size)));
    }
    facts.extend(lacks.map(|lacks| ("lacks", lacks)));
    let most = if device::is_software(adapter) { SOFTWARE_BUDGET_BYTES } else { BUDGET_BYTES };
    Caps {
        kind: DeviceKind::Wgpu,
        ordinal,
        name: info.name,
        driver: format!("{} {}", info.driver, info.driver_info),
        memory_bytes: 0,
        budget_bytes: options.budget.unwrap_or(most),
        pass_k: ROUND_K,
        limits: facts,
        cells,
    }
}

/// An open device.
#[derive(Debug)]
pub struct Wgpu {
    caps: Caps,
    /// The number of this backend among all, by which corpora know it.
    number: u64,
    software: bool,
    shared: Arc<Shared>,
    pool: Arc<Pool<Memory>>,
    /// One batch runs at a time; the next waits here.
    scratch: Mutex<Scratch>,
}

impl Wgpu {
    /// Opens a device by its place in [`list`].
    ///
    /// # Errors
    /// When there is no such device, or its driver refuses.
    pub fn open(ordinal: usize, options: &Options) -> Result<Arc<Self>, BackendError> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let adapters = device::adapters();
        let Some(adapter) = adapters.get(ordinal) else {
            let reason = format!("device {ordinal} of {}", adapters.len());
            return Err(BackendError::Lost { reason });
        };
        if let Some(lacks) = device::lacks(adapter) {
            return Err(BackendError::Lost { reason: format!("it lacks {lacks}") });
        }
        let (limits, features) = (adapter.limits(), features(adapter, options));
        let device = device::Device::open(adapter, features)?;
        let subgroups = features.contains(Features::SUBGROUP);
        let variant = Variant { subgroups, packed_dot: options.packed_dot };
        let programs = device.guarded(|| Ok(Programs::new(&device, variant)))?;
        let bound = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let most = limits.max_compute_workgroups_per_dimension;
        let shared = Arc::new(Shared {
            subgroup: subgroups.then(|| adapter.get_info().subgroup_min_size),
            programs,
            part_bytes: options.part_bytes.unwrap_or(bound).min(bound),
            groups: options.groups.unwrap_or(most).min(most).max(GROUPS_LEAST),
            work: options.work.unwrap_or(WORK),
            device,
        });
        let caps = caps(adapter, ordinal, options);
        Ok(Arc::new(Self {
            number: OPENED.fetch_add(1, Ordering::Relaxed),
            software: device::is_software(adapter),
            pool: Pool::new(caps.budget_bytes),
            caps,
            shared,
            scratch: Mutex::new(Scratch::new()),
        }))
    }

    /// How often a corpus was thrown out to make room for another.
    pub fn evictions(&self) -> u64 {
        self.pool.evictions()
    }

    /// As if the device had gone away, for tests of what follows.
    #[cfg(any(test, feature = "testing"))]
    pub fn destroy(&self) {
        self.shared.device.destroy();
    }

    fn held<'a>(&self, base: &'a dyn Resident, metric: Metric) -> Result<&'a Held, BackendError> {
        let held = base.as_any().downcast_ref::<Held>().filter(|held| held.owner == self.number);
        let held = held.ok_or(BackendError::Foreign)?;
        checks::supported(&self.caps, held.kind, metric)?;
        Ok(held)
    }

    /// Queries of a batch, if each takes so many bytes of what is bounded.
    fn batch_size(&self, each: u64) -> usize {
        let most = u64::from(self.shared.groups) * u64::from(TILE);
        (BATCH_BYTES / each.max(1)).clamp(1, most) as usize
    }

    /// Queries over codes of a batch.
    fn code_batch_size(&self, shape: &Shape) -> usize {
        let each = Steps::candidate_bytes(1).max(asked::query_bytes(shape) as u64);
        let few = shape.codes.few().last().copied().unwrap_or(1);
        // Groups of queries lie along an axis of the grid, and tables of queries in fours.
        let most = u64::from(self.shared.groups) * u64::from(few);
        self.batch_size(each).min(most as usize).next_multiple_of(4)
    }

    /// Runs a batch's work; what a failed one leaves is given up.
    fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> Result<T, BackendError>) -> Result<T, BackendError> {
        let mut scratch = self.scratch.lock();
        let done = work(&mut scratch);
        if done.is_err() {
            scratch.clear();
        }
        done
    }
}
