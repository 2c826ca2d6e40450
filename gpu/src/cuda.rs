//! NVIDIA cards, through the driver that is there at run time: nothing of CUDA is needed to build or to start.
//!
//! Vectors lie on the card row after row, codes in tiles of 32 rows. A call takes one of a few lanes, each a stream with memory of its own; more
//! calls wait. What a driver refuses is an error of the call alone; when the card is lost, every later call says so at
//! once.
mod args;
mod backend;
mod batch;
mod blocks;
mod codes;
mod corpus;
mod device;
mod driver;
mod lane;
mod lanes;
mod measure;
mod programs;
mod search;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::sync::Arc;

use elanus_kernels::backend::{Backend, BackendError, Caps};

use self::backend::{Cuda, Sizes};
use self::driver::{Fault, real};

/// The cards that are there, by their number; none where there is no driver.
pub fn list() -> Vec<Caps> {
    let facts = real::list().into_iter().enumerate();
    let told = facts.map(|(ordinal, facts)| {
        let budget = facts.memory_bytes / 10 * 9;
        backend::caps(&facts, ordinal, budget, &Sizes::of_budget(budget))
    });
    told.collect()
}

/// Opens a card. Corpora may take `budget` bytes of it, or nine tenths of what is free now.
///
/// # Errors
/// When there is no driver or no such card, the card is too old, or the driver refuses.
pub fn open(ordinal: usize, budget: Option<u64>) -> Result<Arc<dyn Backend>, BackendError> {
    let driver = real::Card::open(ordinal).map_err(|fault| match fault {
        Fault::Refused(reason) | Fault::Memory(reason) => BackendError::Failed { reason },
        Fault::Lost(reason) => BackendError::Lost { reason },
    })?;
    Ok(Arc::new(Cuda::new(Box::new(driver), ordinal, budget, None)?))
}
