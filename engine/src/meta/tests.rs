//! Every kind of catalog against the suites.

use std::sync::Arc;

use elanus_segment::dir::{Dir, FsDir, MemDir};

use super::{METAS, Meta, RedbMeta};
use crate::testing::{meta_crash_suite, meta_suite};

#[test]
fn every_backend_conforms() {
    for backend in METAS {
        meta_suite(&|| (backend.open)(Arc::new(MemDir::new())).unwrap());
    }
}

#[test]
fn a_file_on_disk_conforms() {
    let root = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    meta_suite(&|| {
        made.set(made.get() + 1);
        let dir: Arc<dyn Dir> = Arc::new(FsDir::new(root.path().join(made.get().to_string())));
        Arc::new(RedbMeta::open(dir).unwrap())
    });
}

#[test]
fn a_crash_loses_nothing_acknowledged() {
    meta_crash_suite(&|dir| -> Arc<dyn Meta> { Arc::new(RedbMeta::open(dir).unwrap()) });
}

#[test]
fn schemes_are_unique() {
    let mut schemes: Vec<&str> = METAS.iter().map(|backend| backend.scheme).collect();
    schemes.sort_unstable();
    schemes.dedup();
    assert_eq!(schemes.len(), METAS.len());
    assert_eq!(METAS[0].scheme, "file");
}
