//! What every `Dir` must do.

use crate::dir::Dir;
use std::io::ErrorKind;

/// Checks a directory without files against the contract of [`Dir`]; leaves files behind.
///
/// # Panics
/// If the directory breaks the contract.
pub fn dir_suite(dir: &dyn Dir) {
    reads_and_writes(dir);
    names(dir);
    folders(dir);
    folders_come_and_go(dir);
    maps(dir);
    refuses_paths(dir);
    locks(dir);
}

fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn reads_and_writes(dir: &dyn Dir) {
    let file = dir.create("rw/deep/file").expect("create makes folders");
    assert_eq!(kind(dir.create("rw/deep/file")), Some(ErrorKind::AlreadyExists));
    assert!(file.is_empty().expect("a new file is empty"));
    file.write_at(3, b"abc").expect("write behind the end");
    let mut buf = [9; 6];
    file.read_at(0, &mut buf).expect("read all");
    assert_eq!(&buf, b"\0\0\0abc", "a gap reads as zeros");
    assert_eq!(kind(file.read_at(1, &mut buf)), Some(ErrorKind::UnexpectedEof));
    file.read_at(6, &mut []).expect("nothing can be read at the end");
    file.write_at(9, b"").expect("nothing can be written anywhere");
    assert_eq!(file.len().expect("length"), 6);
    file.set_len(4).expect("cut");
    file.set_len(8).expect("fill up");
    file.sync_data().expect("sync");
    file.sync_all().expect("sync");
    let again = dir.open("rw/deep/file").expect("open");
    let mut buf = [9; 8];
    again.read_at(0, &mut buf).expect("read all");
    assert_eq!(&buf, b"\0\0\0a\0\0\0\0", "what was cut does not come back");
    again.write_at(0, b"xyz").expect("an opened file is writable");
    file.read_at(0, &mut buf[..3]).expect("read");
    assert_eq!(&buf[..3], b"xyz", "handles of one file share its bytes");
    assert_eq!(dir.len("rw/deep/file").expect("length"), 8);
    assert_eq!(kind(dir.open("rw/deep/none")), Some(ErrorKind::NotFound));
    assert_eq!(kind(dir.len("rw/deep/none")), Some(ErrorKind::NotFound));
}

fn names(dir: &dyn Dir) {
    for path in ["names/b", "names/a", "names/c/d", "names/c/e", "namesake"] {
        dir.create(path).expect("create").write_at(0, path.as_bytes()).expect("write");
    }
    assert_eq!(dir.list("names").expect("list"), ["a", "b", "c/"]);
    assert_eq!(dir.list("names/c").expect("list"), ["d", "e"]);
    assert!(dir.list("nowhere").expect("a missing folder has no names").is_empty());
    let root = dir.list("").expect("the root can be listed");
    assert!(root.contains(&"names/".to_owned()) && root.contains(&"namesake".to_owned()), "{root:?}");

    let open = dir.open("names/b").expect("open");
    dir.rename("names/a", "names/b").expect("rename replaces");
    let mut buf = [0; 7];
    dir.open("names/b").expect("open").read_at(0, &mut buf).expect("read");
    assert_eq!(&buf, b"names/a");
    open.read_at(0, &mut buf).expect("a replaced file stays readable where it is open");
    assert_eq!(&buf, b"names/b");
    assert!(!dir.exists("names/a") && dir.exists("names/b") && !dir.exists("names/c"));
    assert_eq!(kind(dir.rename("names/a", "names/z")), Some(ErrorKind::NotFound));
    dir.rename("names/c/d", "elsewhere/d").expect("rename makes folders");
    assert_eq!(dir.list("elsewhere").expect("list"), ["d"]);
    dir.remove("names/b").expect("remove");
    assert_eq!(kind(dir.remove("names/b")), Some(ErrorKind::NotFound));
    assert_eq!(dir.list("names").expect("list"), ["c/"]);
    dir.create("names/b").expect("the name is free again");
    for folder in ["", "names", "names/c", "nowhere"] {
        dir.sync_dir(folder).expect("sync of a folder");
    }
}

fn folders(dir: &dyn Dir) {
    dir.create("folders/a/b/file").expect("create");
    for folder in ["folders", "folders/a", "folders/a/b"] {
        assert_eq!(kind(dir.remove_dir(folder)), Some(ErrorKind::DirectoryNotEmpty), "{folder}");
    }
    assert!(dir.remove_dir("folders/a/b/file").is_err(), "a file is no folder");
    dir.remove("folders/a/b/file").expect("remove");
    for folder in ["folders/a/b", "folders/a/b", "folders/none/at/all"] {
        dir.remove_dir(folder).expect("an empty or missing folder is removed");
    }
    assert!(dir.list("folders/a").expect("list").is_empty());
    dir.create("folders/a/b/file").expect("the folder is made again");
    assert_eq!(dir.list("folders/a").expect("list"), ["b/"]);
    dir.rename("folders/a/b/file", "folders/c/file").expect("rename");
    dir.remove_dir("folders/a/b").expect("a folder whose file was renamed is empty");
    dir.remove_dir("folders/a").expect("a folder whose folder was removed is empty");
    assert_eq!(dir.list("folders").expect("list"), ["c/"]);
    dir.remove_dir("folders/a").expect("a missing folder is fine");
    dir.sync_dir("folders").expect("sync of the folder that held it");
    dir.rename("folders/c/file", "folders/a/b/file").expect("rename makes the folders again");
    assert_eq!(dir.list("folders/a/b").expect("list"), ["file"]);
}

/// Files are made in folders that somebody removes whenever they are empty.
fn folders_come_and_go(dir: &dyn Dir) {
    let done = std::sync::atomic::AtomicBool::new(false);
    let make = || {
        for _ in 0..40 {
            dir.create("going/deep/one").expect("create makes what is missing");
            dir.rename("going/deep/one", "coming/deep/other").expect("rename makes what is missing");
            dir.remove("coming/deep/other").expect("remove");
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    };
    let remove = || {
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            for folder in ["going/deep", "going", "coming/deep", "coming"] {
                assert!(matches!(kind(dir.remove_dir(folder)), None | Some(ErrorKind::DirectoryNotEmpty)), "{folder}");
            }
        }
    };
    std::thread::scope(|scope| {
        let maker = scope.spawn(|| std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)));
        scope.spawn(remove);
        let made = maker.join().expect("the panic was caught");
        done.store(true, std::sync::atomic::Ordering::Release);
        made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

fn maps(dir: &dyn Dir) {
    let bytes: Vec<u8> = (0..10_000_u32).map(|i| (i % 251) as u8).collect();
    dir.create("maps/file").expect("create").write_at(0, &bytes).expect("write");
    let blob = dir.map("maps/file").expect("map");
    assert!(blob.is_aligned(64), "a map is aligned to 64 bytes");
    assert_eq!(blob.as_slice(), bytes);
    dir.rename("maps/file", "maps/other").expect("rename");
    dir.remove("maps/other").expect("remove");
    assert_eq!(blob.as_slice(), bytes, "a removed file stays mapped");
    dir.create("maps/empty").expect("create");
    assert!(dir.map("maps/empty").expect("an empty file can be mapped").is_empty());
    assert_eq!(kind(dir.map("maps/none")), Some(ErrorKind::NotFound));
}

fn refuses_paths(dir: &dyn Dir) {
    for path in ["", "/", "/etc/x", "..", "../x", "a/../x", "a//b", "a/", "./a", "a\\b", "a\0b", "c:x"] {
        assert_eq!(kind(dir.create(path)), Some(ErrorKind::InvalidInput), "create {path:?}");
        assert_eq!(kind(dir.open(path)), Some(ErrorKind::InvalidInput), "open {path:?}");
        assert_eq!(kind(dir.map(path)), Some(ErrorKind::InvalidInput), "map {path:?}");
        assert_eq!(kind(dir.remove(path)), Some(ErrorKind::InvalidInput), "remove {path:?}");
        assert_eq!(kind(dir.remove_dir(path)), Some(ErrorKind::InvalidInput), "remove folder {path:?}");
        assert_eq!(kind(dir.rename(path, "b")), Some(ErrorKind::InvalidInput), "rename {path:?}");
        assert_eq!(kind(dir.rename("namesake", path)), Some(ErrorKind::InvalidInput), "rename to {path:?}");
        assert_eq!(kind(dir.lock(path)), Some(ErrorKind::InvalidInput), "lock {path:?}");
        assert!(!dir.exists(path), "exists {path:?}");
        if !path.is_empty() {
            assert_eq!(kind(dir.list(path)), Some(ErrorKind::InvalidInput), "list {path:?}");
            assert_eq!(kind(dir.sync_dir(path)), Some(ErrorKind::InvalidInput), "sync {path:?}");
        }
    }
}

fn locks(dir: &dyn Dir) {
    let lock = dir.lock("locks/lock").expect("lock");
    assert_eq!(kind(dir.lock("locks/lock")), Some(ErrorKind::WouldBlock));
    let _other = dir.lock("locks/other").expect("locks of other paths are free");
    drop(lock);
    drop(dir.lock("locks/lock").expect("a dropped lock is free"));
    assert_eq!(dir.list("locks").expect("list"), ["lock", "other"], "the files stay");
}
