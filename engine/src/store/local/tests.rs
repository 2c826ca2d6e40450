//! Faults and leftovers of objects in files.

use std::io::ErrorKind;
use std::sync::Arc;

use elanus_segment::dir::{Dir, FsDir, MemDir};
use elanus_segment::testing::FaultDir;

use super::LocalStore;
use crate::store::{Store, StoreError};

#[test]
fn leftovers_are_removed_and_never_seen() {
    let dir = MemDir::new();
    dir.put("objects/a/data~0", vec![1]).unwrap();
    dir.put("objects/a/data", vec![2]).unwrap();
    dir.put("objects/top~17", vec![3]).unwrap();
    dir.put("elsewhere/x~1", vec![4]).unwrap();
    let store = LocalStore::open(Arc::new(dir.clone())).unwrap();
    assert_eq!(dir.paths(), ["elsewhere/x~1", "objects/a/data"]);
    // One that is being written is not listed either.
    store
        .put("b", &mut |out| {
            out.write_all(&[1; 2 << 20])?;
            assert_eq!(store.list("").unwrap(), [("a/data".to_owned(), 1)]);
            assert!(matches!(store.open("b"), Err(StoreError::NotFound { .. })));
            Ok(())
        })
        .unwrap();
    assert_eq!(store.list("").unwrap(), [("a/data".to_owned(), 1), ("b".to_owned(), 2 << 20)]);
}

#[test]
fn a_put_that_fails_anywhere_leaves_nothing_behind() {
    let mut failures = 0;
    for allowed in 0.. {
        let dir = MemDir::new();
        let faults = FaultDir::new(Arc::new(dir.clone()));
        let store = LocalStore::open(Arc::new(faults.clone())).unwrap();
        faults.fail_after(allowed);
        let result = store.put("a/b", &mut |out| out.write_all(&[1; 3 << 20]));
        faults.heal();
        let Err(error) = result else {
            assert_eq!(store.list("").unwrap(), [("a/b".to_owned(), 3 << 20)]);
            break;
        };
        failures += 1;
        assert!(matches!(&error, StoreError::Io { name, .. } if name == "a/b"), "{error}");
        // What could not be removed then goes at the next start. Only a name that was given already may stay.
        let store = LocalStore::open(Arc::new(dir.clone())).unwrap();
        let listed = store.list("").unwrap();
        assert!(listed.is_empty() || matches!(&error, StoreError::Io { action: "sync the folder of", .. }), "{error}");
        assert_eq!(dir.paths().len(), listed.len());
        assert!(!listed.is_empty() || dir.list("objects").unwrap().is_empty(), "{allowed}: an empty folder is left");
    }
    assert!(failures >= 4, "create, write, sync, rename and the sync of the folder can fail, {failures} did");
}

#[test]
fn a_full_disk_is_told_and_the_space_given_back() {
    let dir = MemDir::new();
    let faults = FaultDir::new(Arc::new(dir.clone()));
    let store = LocalStore::open(Arc::new(faults.clone())).unwrap();
    faults.byte_budget(1 << 20);
    let result = store.put("a", &mut |out| out.write_all(&[1; 3 << 20]));
    match result {
        Err(error @ StoreError::Io { .. }) => assert_eq!(error.kind(), crate::ErrorKind::Exhausted),
        other => panic!("{other:?}"),
    }
    assert!(dir.paths().is_empty());
}

#[test]
fn a_delete_that_fails_is_told() {
    let dir = MemDir::new();
    let faults = FaultDir::new(Arc::new(dir.clone()));
    let store = LocalStore::open(Arc::new(faults.clone())).unwrap();
    store.put("a", &mut |out| out.write_all(b"x")).unwrap();
    faults.fail_after(0);
    let result = store.delete("a");
    assert!(
        matches!(&result, Err(StoreError::Io { source, .. }) if source.kind() != ErrorKind::NotFound),
        "{result:?}"
    );
    assert_eq!(store.list("").unwrap().len(), 1);
}

/// Directories of each kind that are there already.
fn each_dir(check: impl Fn(Arc<dyn Dir>)) {
    let folder = tempfile::tempdir().unwrap();
    check(Arc::new(FsDir::new(folder.path())));
    check(Arc::new(MemDir::new()));
}

#[test]
fn a_delete_removes_the_folders_that_it_empties() {
    each_dir(|dir| {
        let store = LocalStore::open(Arc::clone(&dir)).unwrap();
        for name in ["c/1/data", "c/1/index/a", "c/2/data"] {
            store.put(name, &mut |out| out.write_all(b"x")).unwrap();
        }
        store.delete("c/1/index/a").unwrap();
        assert_eq!(dir.list("objects/c/1").unwrap(), ["data"]);
        store.delete("c/1/data").unwrap();
        assert_eq!(dir.list("objects/c").unwrap(), ["2/"]);
        store.delete("c/2/data").unwrap();
        assert!(dir.list("objects").unwrap().is_empty());
        assert_eq!(dir.list("").unwrap(), ["objects/"], "the folder of all objects stays");
        store.put("top", &mut |out| out.write_all(b"x")).unwrap();
        store.delete("top").unwrap();
        assert_eq!(dir.list("").unwrap(), ["objects/"]);
        // Nor does an object that was never finished leave any.
        store.put("d/1/data", &mut |_out| Err(std::io::Error::other("out of luck"))).unwrap_err();
        assert!(dir.list("objects").unwrap().is_empty());
    });
}

#[test]
fn empty_folders_are_removed_at_the_start() {
    each_dir(|dir| {
        for path in ["objects/a/b/c/gone", "objects/a/b/gone", "objects/d/gone", "objects/d/e/stays", "other/gone"] {
            dir.create(path).unwrap();
        }
        dir.create("objects/f/data~0").unwrap();
        for path in ["objects/a/b/c/gone", "objects/a/b/gone", "objects/d/gone", "other/gone"] {
            dir.remove(path).unwrap();
        }
        let store = LocalStore::open(Arc::clone(&dir)).unwrap();
        assert_eq!(dir.list("objects").unwrap(), ["d/"]);
        assert_eq!(dir.list("objects/d").unwrap(), ["e/"]);
        assert_eq!(dir.list("").unwrap(), ["objects/", "other/"]);
        assert_eq!(store.list("").unwrap(), [("d/e/stays".to_owned(), 0)]);
    });
}

#[test]
fn a_folder_that_cannot_be_removed_fails_no_delete() {
    let dir = MemDir::new();
    let faults = FaultDir::new(Arc::new(dir.clone()));
    let store = LocalStore::open(Arc::new(faults.clone())).unwrap();
    store.put("a/b", &mut |out| out.write_all(b"x")).unwrap();
    // The removal and the sync succeed.
    faults.fail_after(2);
    store.delete("a/b").unwrap();
    assert_eq!((dir.paths().len(), dir.list("objects").unwrap()), (0, vec!["a/".to_owned()]));
    faults.heal();
    LocalStore::open(Arc::new(faults)).unwrap();
    assert!(dir.list("objects").unwrap().is_empty());
}
