//! The backend without a card: programs are run on the host, and calls of the driver may be made to fail.
use std::fmt;
use std::sync::Arc;

use elanus_kernels::backend::{Backend, BackendError};
use elanus_shaders::cuda::Entry;

use super::backend::{Cuda, Sizes};
use super::driver::emulated::{Host, Run};
pub use super::driver::faulty::Faults;
use super::driver::faulty::Faulty;
use super::driver::plain;

/// Runs a program: its entry, the grid, and its arguments, aligned to eight bytes. What they point to is memory of the
/// host that stays meanwhile. Calls may come from several threads. A text is a program that failed.
pub type Launcher = dyn Fn(&'static Entry, [u32; 2], &[u64]) -> Result<(), String> + Send + Sync;

/// An emulated device.
#[derive(Clone)]
pub struct Emulation {
    /// What runs the programs; `None` for plain Rust, which is quick.
    pub launcher: Option<Arc<Launcher>>,
    /// The device's memory.
    pub memory_bytes: u64,
    /// What corpora may take of it; `None` as for a card.
    pub budget: Option<u64>,
    /// Whether there is so little room for queries, candidates and copies that few data take many of each.
    pub tiny: bool,
    /// Calls of the driver that fail.
    pub faults: Arc<Faults>,
}

impl Default for Emulation {
    fn default() -> Self {
        Self { launcher: None, memory_bytes: 1 << 30, budget: None, tiny: false, faults: Faults::none() }
    }
}

impl fmt::Debug for Emulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulation").field("memory_bytes", &self.memory_bytes).finish_non_exhaustive()
    }
}

impl Emulation {
    /// Makes the backend.
    ///
    /// # Errors
    /// When a call fails that was made to.
    pub fn open(&self) -> Result<Arc<dyn Backend>, BackendError> {
        let run: Run = match &self.launcher {
            None => Box::new(plain::run),
            Some(launcher) => {
                let launcher = Arc::clone(launcher);
                Box::new(move |entry, grid, args, _| launcher(entry, grid, args))
            }
        };
        let driver = Faulty::new(Box::new(Host::new(self.memory_bytes, run)), Arc::clone(&self.faults));
        let sizes = self.tiny.then(Sizes::tiny);
        Ok(Arc::new(Cuda::new(Box::new(driver), 0, self.budget, sizes)?))
    }
}
