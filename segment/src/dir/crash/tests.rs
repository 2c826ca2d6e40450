//! Crash images: what was synced is there, what was not may be, and each possible outcome comes up.

use super::*;
use std::collections::BTreeSet;

/// Distinct outcomes over many seeds.
fn outcomes<T: Ord>(dir: &CrashDir, of: impl Fn(&MemDir) -> T) -> BTreeSet<T> {
    dir.images(dir.op_count(), 0, 300).map(|image| of(&image)).collect()
}

#[test]
fn synced_bytes_stay_and_others_may_go() {
    let dir = CrashDir::new();
    let file = dir.create("a").unwrap();
    file.write_at(0, &[1; 1000]).unwrap();
    file.sync_data().unwrap();
    dir.sync_dir("").unwrap();
    file.write_at(500, &[2; 2000]).unwrap();
    let mut lengths = BTreeSet::new();
    let mut torn = false;
    for image in dir.images(dir.op_count(), 0, 300) {
        let bytes = image.read("a").unwrap();
        lengths.insert(bytes.len());
        assert!(bytes.len() >= 1000 && bytes[..500] == [1; 500]);
        for (place, &byte) in bytes.iter().enumerate().skip(500) {
            assert!(byte == 2 || byte == if place < 1000 { 1 } else { 0 }, "{byte} at {place}");
            let sector = place / 512 * 512;
            assert!(byte == bytes[sector.max(500)] || place >= 1000 && sector < 1000, "a sector is whole");
        }
        torn |= bytes.contains(&2) && bytes[500..1000].contains(&1);
    }
    assert_eq!(lengths, [1000, 1024, 1536, 2048, 2500].into());
    assert!(torn, "some write is torn");
    assert_eq!(dir.image(dir.op_count(), 0).read("a").unwrap(), [1; 1000]);
    assert_eq!(dir.image(dir.op_count(), 1).read("a").unwrap().len(), 2500);
}

#[test]
fn lengths_are_durable_with_a_sync_only() {
    let dir = CrashDir::new();
    let file = dir.create("a").unwrap();
    file.write_at(0, &[1; 10]).unwrap();
    file.sync_all().unwrap();
    dir.sync_dir("").unwrap();
    file.set_len(4).unwrap();
    assert_eq!(outcomes(&dir, |image| image.read("a").unwrap().len()), [4, 10].into());
    file.sync_data().unwrap();
    assert_eq!(outcomes(&dir, |image| image.read("a").unwrap()), [vec![1; 4]].into());
}

#[test]
fn names_need_a_sync_of_their_folder() {
    let dir = CrashDir::new();
    for name in ["x/a", "x/b", "y/c"] {
        dir.create(name).unwrap().sync_all().unwrap();
    }
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let all = outcomes(&dir, MemDir::paths);
    // In a folder the order is kept; folders do not wait for each other.
    let x = [&[][..], &["x/a"], &["x/a", "x/b"]];
    let want = x.iter().flat_map(|x| [names(x), names(&[x, &["y/c"][..]].concat())]).collect();
    assert_eq!(all, want);
    dir.sync_dir("x").unwrap();
    assert_eq!(outcomes(&dir, MemDir::paths), [names(&["x/a", "x/b"]), names(&["x/a", "x/b", "y/c"])].into());
    dir.remove("x/a").unwrap();
    dir.sync_dir("y").unwrap();
    assert_eq!(outcomes(&dir, MemDir::paths), [names(&["x/a", "x/b", "y/c"]), names(&["x/b", "y/c"])].into());
    dir.sync_dir("x").unwrap();
    assert_eq!(outcomes(&dir, MemDir::paths), [names(&["x/b", "y/c"])].into());
}

#[test]
fn a_rename_is_one_step() {
    let dir = CrashDir::new();
    dir.create("a").unwrap().write_at(0, b"old").unwrap();
    let temporary = dir.create("tmp/a").unwrap();
    temporary.write_at(0, b"new").unwrap();
    dir.open("a").unwrap().sync_all().unwrap();
    temporary.sync_all().unwrap();
    dir.sync_dir("").unwrap();
    dir.sync_dir("tmp").unwrap();
    dir.create("b").unwrap();
    dir.rename("tmp/a", "a").unwrap();
    let state = |image: &MemDir| (image.read("a").unwrap(), image.exists("tmp/a"));
    let (old, new) = ((b"old".to_vec(), true), (b"new".to_vec(), false));
    assert_eq!(outcomes(&dir, state), [old, new.clone()].into());
    // Either folder makes it durable, and what came before it in the other.
    dir.sync_dir("tmp").unwrap();
    assert_eq!(outcomes(&dir, state), [new].into());
    assert_eq!(outcomes(&dir, |image| image.exists("b")), [true].into());
}

#[test]
fn a_rename_without_a_sync_of_the_file_may_lose_its_bytes() {
    let dir = CrashDir::new();
    dir.create("tmp").unwrap().write_at(0, b"new").unwrap();
    dir.rename("tmp", "a").unwrap();
    dir.sync_dir("").unwrap();
    assert_eq!(outcomes(&dir, |image| image.read("a").unwrap().len()), [0, 3].into());
}

#[test]
fn earlier_moments_have_earlier_files() {
    let dir = CrashDir::new();
    let file = dir.create("a").unwrap();
    file.write_at(0, b"1").unwrap();
    file.sync_data().unwrap();
    dir.sync_dir("").unwrap();
    file.write_at(0, b"2").unwrap();
    file.sync_data().unwrap();
    dir.rename("a", "b").unwrap();
    dir.lock("LOCK").map(drop).unwrap();
    assert_eq!((dir.op_count(), dir.sync_points()), (8, vec![2, 3, 4, 5, 6, 8]));
    let state = |at| {
        let image = dir.image(at, 1);
        image.paths().iter().map(|path| (path.clone(), image.read(path).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(state(0), []);
    assert_eq!(state(1), [("a".to_owned(), Vec::new())]);
    assert_eq!(state(4), [("a".to_owned(), b"1".to_vec())]);
    assert_eq!(state(5), [("a".to_owned(), b"2".to_vec())]);
    assert_eq!(state(8), [("LOCK".to_owned(), Vec::new()), ("b".to_owned(), b"2".to_vec())]);
    assert_eq!(state(100), state(8));
    assert_eq!(dir.image(8, 0).paths(), ["a"], "neither the rename nor the lock was synced");
}

#[test]
fn a_crash_can_follow_a_crash() {
    let first = CrashDir::new();
    first.create("x/a").unwrap().write_at(0, b"abc").unwrap();
    let second = CrashDir::starting_from(&first.image(first.op_count(), 1)).unwrap();
    let start = second.op_count();
    assert_eq!(second.sync_points(), [start]);
    second.create("x/b").unwrap();
    assert_eq!(second.sync_points(), [start + 1]);
    let all = outcomes(&second, MemDir::paths);
    assert_eq!(all, [vec!["x/a".to_owned()], vec!["x/a".to_owned(), "x/b".to_owned()]].into());
    assert_eq!(outcomes(&second, |image| image.read("x/a").unwrap()), [b"abc".to_vec()].into());
}

#[test]
fn the_same_seed_gives_the_same_image() {
    let dir = CrashDir::new();
    for name in ["a", "b", "c"] {
        dir.create(name).unwrap().write_at(0, &[7; 5000]).unwrap();
    }
    let state = |seed| {
        let image = dir.image(dir.op_count(), seed);
        image.paths().iter().map(|path| image.read(path).unwrap()).collect::<Vec<_>>()
    };
    assert!((0..50).all(|seed| state(seed) == state(seed)));
    assert!((2..50).map(state).collect::<BTreeSet<_>>().len() > 10);
}

#[test]
fn a_removed_folder_takes_what_was_removed_in_it() {
    let dir = CrashDir::new();
    for name in ["x/y/a", "x/b"] {
        dir.create(name).unwrap();
    }
    dir.sync_dir("x/y").unwrap();
    dir.sync_dir("x").unwrap();
    dir.remove("x/y/a").unwrap();
    dir.remove_dir("x/y").unwrap();
    let before = dir.op_count();
    // The folder is not there any more, so there is nothing that this could sync.
    dir.sync_dir("x/y").unwrap();
    dir.remove_dir("x/y").unwrap();
    assert_eq!(dir.op_count(), before);
    let state = |image: &MemDir| (image.exists("x/y/a"), image.list("x").unwrap().contains(&"y/".to_owned()));
    // The folder goes after the file in it.
    assert_eq!(outcomes(&dir, state), [(true, true), (false, true), (false, false)].into());
    dir.sync_dir("x").unwrap();
    assert_eq!(outcomes(&dir, state), [(false, false)].into());
    assert!(outcomes(&dir, |image| image.exists("x/b")).iter().all(|&there| there));
    // Made again, it is there at once, and what is in it when it is synced.
    dir.create("x/y/c").unwrap();
    let state = |image: &MemDir| (image.folders(), image.exists("x/y/c"));
    let folders = vec!["x".to_owned(), "x/y".to_owned()];
    assert_eq!(outcomes(&dir, state), [(folders.clone(), false), (folders, true)].into());
}

#[test]
fn empty_folders_outlive_crashes() {
    let first = CrashDir::new();
    first.create("x/y/a").unwrap();
    let image = first.image(first.op_count(), 0);
    assert_eq!((image.paths(), image.folders()), (vec![], vec!["x".to_owned(), "x/y".to_owned()]));
    let second = CrashDir::starting_from(&image).unwrap();
    assert_eq!(outcomes(&second, |image| (image.paths(), image.folders())), [(image.paths(), image.folders())].into());
}
