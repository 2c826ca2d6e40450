//! Every directory against the suite.

use super::*;
use crate::testing::dir_suite;

#[test]
fn directories_pass_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    dir_suite(&FsDir::new(folder.path().join("not/there/yet")));
    dir_suite(&MemDir::new());
    dir_suite(&CrashDir::new());
    dir_suite(&crate::testing::FaultDir::new(std::sync::Arc::new(MemDir::new())));
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let dirs: [&dyn Dir; 2] = [&FsDir::new(folder.path()), &MemDir::new()];
    for dir in dirs {
        for error in [
            dir.open("a/b").map(drop).unwrap_err(),
            dir.map("a/b").map(drop).unwrap_err(),
            dir.remove("a/b").unwrap_err(),
            dir.rename("a/b", "c").unwrap_err(),
            dir.len("a/b").map(drop).unwrap_err(),
        ] {
            assert!(error.to_string().contains("a/b"), "{error}");
        }
    }
}

#[test]
fn a_file_of_the_file_system_is_locked_for_other_handles() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (FsDir::new(folder.path()), FsDir::new(folder.path()));
    let lock = one.lock("LOCK").unwrap();
    assert_eq!(other.lock("LOCK").err().unwrap().kind(), ErrorKind::WouldBlock);
    drop(lock);
    drop(other.lock("LOCK").unwrap());
}

#[test]
fn clones_of_a_memory_directory_share_files() {
    let dir = MemDir::new();
    dir.clone().put("a/b", b"x".to_vec()).unwrap();
    assert_eq!((dir.read("a/b").unwrap(), dir.paths()), (b"x".to_vec(), vec!["a/b".to_owned()]));
    assert!(dir.put("../b", Vec::new()).is_err() && dir.read("c").is_err());
}
