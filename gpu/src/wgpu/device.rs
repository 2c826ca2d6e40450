//! A device of wgpu, and how what goes wrong on it becomes an error and nothing worse.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ::wgpu::{
    Adapter, Backends, Buffer, BufferDescriptor, BufferUsages, CommandBuffer, DeviceDescriptor, DeviceType,
    DownlevelFlags, ErrorFilter, ErrorScopeGuard, Features, Instance, InstanceDescriptor, InstanceFlags, Limits,
    MapMode, MemoryBudgetThresholds, PollType, Queue,
};
use elanus_kernels::backend::BackendError;
use parking_lot::Mutex;

/// How long the device may take for what was submitted before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(600);

/// Per cent of what the driver calls its memory budget after which a buffer is refused, rather than taken from others.
const MEMORY_PER_CENT: u8 = 95;

/// Every adapter that a driver on this machine offers, in the drivers' order; none where there is no driver.
pub(super) fn adapters() -> Vec<Adapter> {
    let backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
    let limit = Some(MEMORY_PER_CENT);
    let descriptor = InstanceDescriptor {
        backends,
        flags: InstanceFlags::empty(),
        memory_budget_thresholds: MemoryBudgetThresholds { for_resource_creation: limit, for_device_loss: None },
        ..InstanceDescriptor::new_without_display_handle()
    };
    // A driver that fails while it is asked what there is must not take the program with it.
    let ask = AssertUnwindSafe(|| pollster::block_on(Instance::new(descriptor).enumerate_adapters(backends)));
    let found = catch_unwind(ask);
    found.unwrap_or_default()
}

/// Whether an adapter computes on the CPU.
pub(super) fn is_software(adapter: &Adapter) -> bool {
    adapter.get_info().device_type == DeviceType::Cpu
}

/// Why the programs cannot run on an adapter, if so.
pub(super) fn lacks(adapter: &Adapter) -> Option<String> {
    let (have, flags) = (adapter.limits(), adapter.get_downlevel_capabilities().flags);
    let least = Limits::default();
    let limits = [
        ("workgroup memory", have.max_compute_workgroup_storage_size, least.max_compute_workgroup_storage_size),
        ("invocations", have.max_compute_invocations_per_workgroup, least.max_compute_invocations_per_workgroup),
        ("invocations along x", have.max_compute_workgroup_size_x, least.max_compute_workgroup_size_x),
        ("storage buffers", have.max_storage_buffers_per_shader_stage, least.max_storage_buffers_per_shader_stage),
    ];
    if !flags.contains(DownlevelFlags::COMPUTE_SHADERS) {
        return Some("it does not compute".to_owned());
    }
    let short = limits.iter().find(|(_, have, least)| have < least);
    short.map(|(name, have, least)| format!("{name}: {have} of {least}"))
}

/// An open device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) inner: ::wgpu::Device,
    pub(super) queue: Queue,
    lost: Arc<Mutex<Option<String>>>,
}

impl Device {
    pub(super) fn open(adapter: &Adapter, features: Features) -> Result<Self, BackendError> {
        let descriptor = DeviceDescriptor {
            label: Some("elanus"),
            required_features: features,
            required_limits: adapter.limits(),
            ..DeviceDescriptor::default()
        };
        let opened = catch_unwind(AssertUnwindSafe(|| pollster::block_on(adapter.request_device(&descriptor))));
        let (inner, queue) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(BackendError::Lost { reason: error.to_string() }),
            Err(panic) => return Err(BackendError::Lost { reason: text(panic.as_ref()) }),
        };
        let lost: Arc<Mutex<Option<String>>> = Arc::default();
        let noted = Arc::clone(&lost);
        inner.set_device_lost_callback(move |_, reason| {
            noted.lock().get_or_insert(reason);
        });
        // Whatever no scope has caught: the device can no longer be relied on.
        let noted = Arc::clone(&lost);
        inner.on_uncaptured_error(Arc::new(move |error: ::wgpu::Error| {
            noted.lock().get_or_insert(error.to_string());
        }));
        Ok(Self { inner, queue, lost })
    }

    /// Runs `work`, and makes an error of whatever the device or its driver complains about meanwhile.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
        self.check()?;
        let scopes = [ErrorFilter::Internal, ErrorFilter::Validation, ErrorFilter::OutOfMemory];
        let scopes = scopes.map(|filter| self.inner.push_error_scope(filter));
        // wgpu panics where a driver answers in a way that it holds for impossible.
        let done = catch_unwind(AssertUnwindSafe(work));
        let caught = pop(scopes);
        let done = match done {
            Ok(done) => done,
            Err(panic) => Err(self.lose(text(panic.as_ref()))),
        };
        if done.is_err() || caught.is_some() {
            // Whether it was the device that went away is only told to who asks.
            let asked = catch_unwind(AssertUnwindSafe(|| self.inner.poll(PollType::Poll)));
            if let Err(panic) = asked {
                return Err(self.lose(text(panic.as_ref())));
            }
        }
        self.check()?;
        match caught {
            Some(reason) => Err(BackendError::Failed { reason }),
            None => done,
        }
    }

    /// Notes that nothing more can be expected of the device.
    fn lose(&self, reason: String) -> BackendError {
        self.lost.lock().get_or_insert_with(|| reason.clone());
        BackendError::Lost { reason }
    }

    fn check(&self) -> Result<(), BackendError> {
        match &*self.lost.lock() {
            Some(reason) => Err(BackendError::Lost { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// A buffer that is not in any way filled.
    pub(super) fn buffer(&self, bytes: u64, usage: BufferUsages) -> Buffer {
        self.inner.create_buffer(&BufferDescriptor { label: None, size: bytes, usage, mapped_at_creation: false })
    }

    /// Submits, and waits until it is done.
    pub(super) fn run(&self, commands: Option<CommandBuffer>) -> Result<(), BackendError> {
        let submitted = self.queue.submit(commands);
        let wait = PollType::Wait { submission_index: Some(submitted), timeout: Some(PATIENCE) };
        match self.inner.poll(wait) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.lose(error.to_string())),
        }
    }

    /// Submits, and shows what is then in the first `bytes` bytes of a buffer that can be mapped.
    pub(super) fn read<T>(
        &self,
        commands: CommandBuffer,
        from: &Buffer,
        bytes: u64,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, BackendError> {
        let submitted = self.queue.submit([commands]);
        let slice = from.slice(..bytes);
        let mapped: Arc<Mutex<Option<bool>>> = Arc::default();
        let noted = Arc::clone(&mapped);
        slice.map_async(MapMode::Read, move |result| *noted.lock() = Some(result.is_ok()));
        let wait = PollType::Wait { submission_index: Some(submitted), timeout: Some(PATIENCE) };
        let failed = |reason: String| Err(BackendError::Failed { reason });
        if let Err(error) = self.inner.poll(wait) {
            return Err(self.lose(error.to_string()));
        }
        if *mapped.lock() != Some(true) {
            return failed("results could not be mapped".to_owned());
        }
        let seen = match slice.get_mapped_range() {
            Ok(view) => look(&view),
            Err(error) => return failed(error.to_string()),
        };
        from.unmap();
        Ok(seen)
    }

    /// For tests: as if the device had gone away.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn destroy(&self) {
        self.inner.destroy();
    }
}

/// The first complaint. Scopes are popped in the order in which they lie upon each other.
fn pop(scopes: [ErrorScopeGuard; 3]) -> Option<String> {
    let caught = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
    let caught: Vec<String> = caught.flatten().map(|error| error.to_string()).collect();
    caught.into_iter().next()
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the driver's interface panicked").to_owned()
}
