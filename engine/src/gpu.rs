//! The device that a database searches with, if there is one: how it is chosen, opened and told of.

use crate::env::Clock;
use crate::error::{Error, Result, Subject};
use crate::settings::Settings;
use elanus_gpu::choice::{self, FAMILIES};
use elanus_index::gpu::{BATCH_SIZES, Device, Host, Options, Plan};
use std::sync::Arc;
use std::time::Duration;

pub use elanus_gpu::choice::{Choice, ChoiceError, is_software};
pub use elanus_kernels::backend::{Backend, Caps, DeviceKind, Speed};

/// The families that this build has, by name.
pub fn families() -> Vec<&'static str> {
    FAMILIES.iter().map(|family| family.kind.name()).collect()
}

/// Every device that is found, those that are the CPU under another name included.
pub fn devices() -> Vec<Caps> {
    choice::list(FAMILIES)
}

/// Opens a device and measures it.
///
/// # Errors
/// Why it cannot be used.
pub fn measure(caps: &Caps, clock: &dyn Clock) -> Result<Speed> {
    let named = Choice::Named { kind: caps.kind, ordinal: caps.ordinal };
    let opened = choice::open(named, None, FAMILIES).map_err(refused)?;
    let backend = opened.backend.ok_or_else(|| Error::internal("a named device is there or an error"))?;
    let speed = backend.measure(&|| clock.monotonic());
    speed.map_err(|source| Error::unavailable(format!("{} cannot be measured", caps.place())).with_source(source))
}

/// What the device did, for monitoring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GpuMetrics {
    /// Searches of a segment that it answered.
    pub searches: u64,
    /// Searches of a segment that it was to answer and did not, since it failed; the CPU did.
    pub fallbacks: u64,
    /// How often rows were wanted that had been thrown out to make room.
    pub evictions: u64,
    /// Bytes that rows take on it.
    pub resident_bytes: u64,
    /// Queries of all scans together.
    pub batched_queries: u64,
    /// Scans by their number of queries: entry `i` counts those of up to `2^i` that are not in an earlier one.
    pub batches: [u64; BATCH_SIZES],
}

/// The device of a database.
#[derive(Debug)]
pub(crate) struct Gpu {
    choice: Choice,
    pub(crate) device: Option<Arc<Device>>,
}

impl Gpu {
    /// What the settings choose. One that is named is opened now; any other one when an index first wants it.
    pub(crate) fn new(settings: &Settings, clock: &Arc<dyn Clock>, given: Option<Arc<dyn Backend>>) -> Result<Self> {
        let choice: Choice = settings.gpu.parse().map_err(refused)?;
        let is_named = matches!(choice, Choice::Named { .. }) || given.is_some();
        if !is_named && (choice == Choice::Off || FAMILIES.is_empty()) {
            return Ok(Self { choice, device: None });
        }
        let options = Options {
            plan: if settings.gpu_always { Plan::Always } else { Plan::Measured },
            batch_queries: settings.gpu_batch_queries.max(1),
            batch_wait: Duration::from_micros(settings.gpu_batch_wait_us),
            ..Options::default()
        };
        let budget = (settings.gpu_memory_mib > 0).then(|| settings.gpu_memory_mib.saturating_mul(1 << 20));
        let process = Process { choice, budget, clock: Arc::clone(clock), given };
        let device = Device::new(Box::new(process), options);
        if is_named {
            device.wait().map_err(|reason| Error::invalid(Subject::Parameter, reason))?;
        }
        Ok(Self { choice, device: Some(device) })
    }

    /// Where indexes for a device are searched, for people.
    pub(crate) fn standing(&self) -> String {
        match &self.device {
            Some(device) => device.standing().to_string(),
            None if self.choice == Choice::Off => "cpu (no device is to be used)".to_owned(),
            None => "cpu (this build has no backend for a device)".to_owned(),
        }
    }

    pub(crate) fn metrics(&self) -> GpuMetrics {
        let Some(device) = &self.device else { return GpuMetrics::default() };
        let counts = device.counts();
        GpuMetrics {
            searches: counts.searches(),
            fallbacks: counts.fallbacks(),
            evictions: counts.evictions(),
            resident_bytes: counts.resident_bytes(),
            batched_queries: counts.batched_queries(),
            batches: counts.batches(),
        }
    }
}

/// What the process lends to its device.
struct Process {
    choice: Choice,
    budget: Option<u64>,
    clock: Arc<dyn Clock>,
    given: Option<Arc<dyn Backend>>,
}

impl Host for Process {
    fn open(&self) -> Result<Arc<dyn Backend>, String> {
        if let Some(given) = &self.given {
            return Ok(Arc::clone(given));
        }
        let opened = choice::open(self.choice, self.budget, FAMILIES).map_err(|error| refused(error).to_string())?;
        for (place, error) in &opened.refused {
            self.warn(&format!("{place} cannot be used: {error}"));
        }
        opened.backend.ok_or_else(|| "no device was found".to_owned())
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    fn warn(&self, text: &str) {
        tracing::warn!("{text}");
    }

    fn note(&self, text: &str) {
        tracing::info!("{text}");
    }
}

fn refused(source: ChoiceError) -> Error {
    Error::invalid(Subject::Parameter, "the device cannot be chosen").with_source(source)
}

#[cfg(test)]
mod tests;
