//! Every kind of log against the suites.

use std::sync::Arc;

use elanus_segment::dir::{Dir, FsDir, MemDir};

use super::{FileWal, WALS, Wal, WalSettings};
use crate::testing::{wal_crash_suite, wal_suite};

#[test]
fn every_backend_conforms() {
    for backend in WALS {
        for file_bytes in [1, 1000, 64 << 20] {
            let settings = WalSettings { file_bytes, salt: 7 };
            wal_suite(&|| (backend.open)(Arc::new(MemDir::new()), settings).unwrap());
        }
    }
}

#[test]
fn files_on_disk_conform() {
    let root = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    wal_suite(&|| {
        made.set(made.get() + 1);
        let dir: Arc<dyn Dir> = Arc::new(FsDir::new(root.path().join(made.get().to_string())));
        Arc::new(FileWal::open(dir, WalSettings { file_bytes: 4000, salt: 7 }).unwrap())
    });
}

#[test]
fn a_crash_loses_nothing_acknowledged() {
    for file_bytes in [3000, 64 << 20] {
        let settings = WalSettings { file_bytes, salt: 9 };
        wal_crash_suite(&|dir| -> Arc<dyn Wal> { Arc::new(FileWal::open(dir, settings).unwrap()) });
    }
}

#[test]
fn schemes_are_unique() {
    let mut schemes: Vec<&str> = WALS.iter().map(|backend| backend.scheme).collect();
    schemes.sort_unstable();
    schemes.dedup();
    assert_eq!(schemes.len(), WALS.len());
    assert_eq!(WALS[0].scheme, "file");
}
