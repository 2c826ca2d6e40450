//! The lanes of a device: a few, so that as many calls overlap, and the others wait their turn.
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use elanus_kernels::backend::BackendError;
use parking_lot::{Condvar, Mutex};

use super::device::Device;
use super::lane::Lane;

/// Lanes that are made when they are first needed.
#[derive(Debug)]
pub(super) struct Lanes {
    device: Arc<Device>,
    most: usize,
    staging_bytes: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Lane>,
    made: usize,
}

/// A lane for one call.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    lane: Option<Lane>,
    lanes: &'a Lanes,
}

impl Lanes {
    pub(super) fn new(device: &Arc<Device>, most: usize, staging_bytes: usize) -> Self {
        let device = Arc::clone(device);
        Self { device, most: most.max(1), staging_bytes, state: Mutex::default(), returned: Condvar::new() }
    }

    /// A lane that nobody else has; waits where all are in use.
    pub(super) fn take(&self) -> Result<Lease<'_>, BackendError> {
        let lane = self.find(true)?;
        // One that waits is found, or why there is none.
        lane.ok_or_else(|| BackendError::Failed { reason: "all lanes are in use".to_owned() })
    }

    /// A further lane if one is to be had at once. Who has one and waited for another could wait for ever.
    pub(super) fn take_another(&self) -> Result<Option<Lease<'_>>, BackendError> {
        self.find(false)
    }

    fn find(&self, wait: bool) -> Result<Option<Lease<'_>>, BackendError> {
        let mut state = self.state.lock();
        loop {
            if let Err(error) = self.device.check() {
                // Who waits behind this one is to hear it too.
                self.returned.notify_one();
                return Err(error);
            }
            if let Some(lane) = state.idle.pop() {
                return Ok(Some(Lease { lane: Some(lane), lanes: self }));
            }
            if state.made < self.most {
                break;
            }
            if !wait {
                return Ok(None);
            }
            self.returned.wait(&mut state);
        }
        state.made += 1;
        drop(state);
        // From here on the lease gives back the place, with a lane or without.
        let mut lease = Lease { lane: None, lanes: self };
        lease.lane = Some(Lane::new(&self.device, self.staging_bytes)?);
        Ok(Some(lease))
    }
}

impl Deref for Lease<'_> {
    type Target = Lane;

    fn deref(&self) -> &Lane {
        self.lane.as_ref().expect("a lease that is handed out has its lane")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Lane {
        self.lane.as_mut().expect("a lease that is handed out has its lane")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut lane = self.lane.take();
        if let Some(lane) = &mut lane {
            lane.settle();
        }
        let mut state = self.lanes.state.lock();
        match lane {
            Some(lane) => state.idle.push(lane),
            None => state.made -= 1,
        }
        drop(state);
        self.lanes.returned.notify_one();
    }
}
