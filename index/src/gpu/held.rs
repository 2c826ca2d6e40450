//! The rows of one index on the device: uploaded when first searched, and again when they were thrown out and it pays.

use std::sync::Arc;

use elanus_kernels::AnyRows;
use elanus_kernels::backend::{BackendError, Corpus, Resident};
use parking_lot::Mutex;

use super::device::{Device, Opened, Plan};

/// Where the rows are.
#[derive(Debug, Default)]
enum Place {
    /// On no device.
    #[default]
    Nowhere,
    /// On their way.
    Uploading,
    /// There.
    There(Kept),
    /// They were, until others needed the room. Searches since then would have been sooner by so much.
    ThrownOut { owed_ns: f64 },
    /// They are more than the device may hold.
    TooLarge { need: u64, budget: u64 },
}

/// The rows of one index on the device.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<Place>);

/// Rows on the device, counted while they are.
#[derive(Debug)]
struct Kept {
    resident: Arc<dyn Resident>,
    bytes: u64,
    /// For the counts.
    device: std::sync::Weak<Device>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(device) = self.device.upgrade() {
            device.counts().went(self.bytes);
        }
    }
}

/// Puts an upload that ended in a panic back to where it began.
struct Undo<'a>(&'a Held);

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        *self.0.0.lock() = Place::Nowhere;
    }
}

impl Held {
    /// The rows on the device, uploaded if they are not there. `None` while another thread uploads them, and where they
    /// were thrown out and bringing them back would not pay yet: `saved_ns` is what this search would gain. A search
    /// that has them thrown out under it says so in `again`, and gets them back at once.
    ///
    /// # Errors
    /// Those of the upload.
    pub(super) fn rows(
        &self,
        device: &Arc<Device>,
        opened: &Opened,
        rows: AnyRows<'_>,
        saved_ns: f64,
        again: bool,
    ) -> Result<Option<Arc<dyn Resident>>, BackendError> {
        let mut place = self.0.lock();
        if let Place::There(kept) = &*place {
            if !kept.resident.is_evicted() && !again {
                return Ok(Some(Arc::clone(&kept.resident)));
            }
            device.counts().evicted();
            *place = Place::ThrownOut { owed_ns: 0.0 };
        }
        match &mut *place {
            Place::Uploading => return Ok(None),
            Place::TooLarge { need, budget } => return Err(BackendError::Memory { need: *need, budget: *budget }),
            // As with renting and buying: once what was missed is the price, it is paid. That is never more than twice
            // the best that could have been done, however indexes compete for the room.
            Place::ThrownOut { owed_ns } if !again && device.options().plan == Plan::Measured => {
                *owed_ns += saved_ns;
                if *owed_ns < super::bytes_of(rows) as f64 / opened.speed.upload_bytes_per_ns {
                    return Ok(None);
                }
            }
            Place::Nowhere | Place::There(_) | Place::ThrownOut { .. } => {}
        }
        *place = Place::Uploading;
        drop(place);
        let undo = Undo(self);
        let uploaded = opened.backend.upload(Corpus::Rows(rows));
        std::mem::forget(undo);
        let mut place = self.0.lock();
        match uploaded {
            Ok(resident) => {
                let bytes = resident.device_bytes();
                device.counts().came(bytes);
                let kept = Kept { resident: Arc::clone(&resident), bytes, device: Arc::downgrade(device) };
                *place = Place::There(kept);
                Ok(Some(resident))
            }
            Err(error) => {
                *place = if let BackendError::Memory { need, budget } = error {
                    Place::TooLarge { need, budget }
                } else {
                    Place::Nowhere
                };
                Err(error)
            }
        }
    }

    /// Drops the rows of a device that is gone.
    pub(super) fn let_go(&self) {
        let mut place = self.0.lock();
        if matches!(*place, Place::There(_)) {
            *place = Place::Nowhere;
        }
    }
}
