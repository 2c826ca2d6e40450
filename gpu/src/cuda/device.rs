//! A device that may be lost, and memory of it that is given back on drop.
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use elanus_kernels::backend::BackendError;

use super::driver::{Driver, Facts, Fault};

/// A driver, and whether it still answers.
#[derive(Debug)]
pub(super) struct Device {
    driver: Box<dyn Driver>,
    lost: OnceLock<String>,
}

impl Device {
    pub(super) fn new(driver: Box<dyn Driver>) -> Arc<Self> {
        Arc::new(Self { driver, lost: OnceLock::new() })
    }

    pub(super) fn facts(&self) -> &Facts {
        self.driver.facts()
    }

    /// Asks the driver, unless the device was lost before.
    pub(super) fn ask<T>(&self, call: impl FnOnce(&dyn Driver) -> Result<T, Fault>) -> Result<T, BackendError> {
        self.check()?;
        call(&*self.driver).map_err(|fault| match fault {
            Fault::Refused(reason) | Fault::Memory(reason) => BackendError::Failed { reason },
            Fault::Lost(reason) => self.lose(reason),
        })
    }

    /// Whether there is still something to ask.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        self.lost.get().map_or(Ok(()), |reason| Err(BackendError::Lost { reason: reason.clone() }))
    }

    /// Notes that the device is lost; the first reason is the one that is told.
    pub(super) fn lose(&self, reason: String) -> BackendError {
        BackendError::Lost { reason: self.lost.get_or_init(|| reason).clone() }
    }

    /// Gives something back. Where that fails it stays until the driver goes: there is nobody to tell.
    fn give_back(&self, call: impl FnOnce(&dyn Driver) -> Result<(), Fault>) {
        let _ = self.ask(call);
    }
}

/// Memory of a device.
#[derive(Debug)]
pub(super) struct Memory {
    device: Arc<Device>,
    address: u64,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(device: &Arc<Device>, bytes: u64) -> Result<Self, BackendError> {
        let address = device.ask(|driver| driver.allocate(bytes.max(1)))?;
        Ok(Self { device: Arc::clone(device), address, bytes })
    }

    pub(super) fn address(&self) -> u64 {
        self.address
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated in `new` and is given back only here; who sends work to a device keeps its memory
        // until the stream is synchronised.
        self.device.give_back(|driver| unsafe { driver.free(self.address) });
    }
}

/// Memory of the host that copies run from and to.
#[derive(Debug)]
pub(super) struct Pinned {
    device: Arc<Device>,
    memory: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it is owned memory like a vector's; only the pointer keeps it from being sent by itself.
unsafe impl Send for Pinned {}
// SAFETY: a shared `Pinned` gives out nothing that can be written to.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// Zeros.
    pub(super) fn new(device: &Arc<Device>, bytes: usize) -> Result<Self, BackendError> {
        let memory = device.ask(|driver| driver.pin(bytes.max(1)))?;
        // SAFETY: the driver gave so many bytes, which nobody else knows.
        unsafe { memory.as_ptr().write_bytes(0, bytes) };
        Ok(Self { device: Arc::clone(device), memory, bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn as_ptr(&self) -> *mut u8 {
        self.memory.as_ptr()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: it was pinned in `new` and is given back only here; its lane synchronises the stream before.
        self.device.give_back(|driver| unsafe { driver.unpin(self.memory) });
    }
}
