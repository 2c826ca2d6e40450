//! Lets the storage engine keep its bytes behind the first page of a file of ours.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elanus_segment::dir::DirFile;

use super::guard::GUARD_BYTES;

/// The part of a file behind its first page.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) file: Arc<dyn DirFile>,
    /// Set when a sync fails.
    pub(super) sync_failed: Arc<AtomicBool>,
}

fn shifted(offset: u64) -> io::Result<u64> {
    let past = || io::Error::new(io::ErrorKind::InvalidInput, format!("offset {offset} is past every file"));
    offset.checked_add(GUARD_BYTES).ok_or_else(past)
}

impl redb::StorageBackend for Behind {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.saturating_sub(GUARD_BYTES))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(shifted(offset)?, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(shifted(len)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().inspect_err(|_| self.sync_failed.store(true, Ordering::Release))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(shifted(offset)?, data)
    }
}
