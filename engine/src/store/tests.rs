//! Every kind of object store against the suites.

use std::sync::Arc;

use elanus_segment::dir::{Dir, FsDir, MemDir};

use super::{LocalStore, STORES, Store};
use crate::testing::{store_crash_suite, store_suite};

#[test]
fn every_backend_conforms() {
    for backend in STORES {
        store_suite(&|| (backend.open)(Arc::new(MemDir::new())).unwrap());
    }
}

#[test]
fn files_on_disk_conform() {
    let root = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    store_suite(&|| {
        made.set(made.get() + 1);
        let dir: Arc<dyn Dir> = Arc::new(FsDir::new(root.path().join(made.get().to_string())));
        Arc::new(LocalStore::open(dir).unwrap())
    });
}

#[test]
fn a_crash_loses_nothing_acknowledged() {
    store_crash_suite(&|dir| -> Arc<dyn Store> { Arc::new(LocalStore::open(dir).unwrap()) });
}

#[test]
fn schemes_are_unique() {
    let mut schemes: Vec<&str> = STORES.iter().map(|backend| backend.scheme).collect();
    schemes.sort_unstable();
    schemes.dedup();
    assert_eq!(schemes.len(), STORES.len());
    assert_eq!(STORES[0].scheme, "file");
}
