//! Damage and faults of a catalog file.

use std::sync::Arc;

use elanus_kernels::rng::Rng;
use elanus_segment::dir::{CrashDir, Dir, MemDir};
use elanus_segment::testing::FaultDir;

use super::guard::{self, GUARD_BYTES};
use super::{FILE, RedbMeta, UNFINISHED};
use crate::meta::{Check, Meta, MetaError, Op};

fn put(key: &str, value: &[u8]) -> Op {
    Op::Put { key: key.to_owned(), value: value.to_vec() }
}

fn open(dir: &MemDir) -> Result<RedbMeta, MetaError> {
    RedbMeta::open(Arc::new(dir.clone()))
}

/// Catalogs with the same content, closed and left open.
fn filled(close: bool) -> (MemDir, Vec<(String, Vec<u8>)>) {
    let dir = MemDir::new();
    let meta = open(&dir).unwrap();
    for round in 0..6_u8 {
        let ops: Vec<Op> = (0..8).map(|key| put(&format!("key/{round}/{key}"), &[round; 100])).collect();
        meta.commit(&[], &ops).unwrap();
        meta.commit(&[], &[Op::Delete { key: format!("key/{round}/3") }]).unwrap();
    }
    let all = meta.scan("").unwrap();
    let image = MemDir::new();
    if close {
        drop(meta);
        image.put(FILE, dir.read(FILE).unwrap()).unwrap();
    } else {
        image.put(FILE, dir.read(FILE).unwrap()).unwrap();
        drop(meta);
    }
    (image, all)
}

/// Opens a damaged copy: either it is refused by name, or everything is there.
fn check_damaged(bytes: Vec<u8>, all: &[(String, Vec<u8>)], at: &str) -> bool {
    let dir = MemDir::new();
    dir.put(FILE, bytes).unwrap();
    match open(&dir) {
        Err(MetaError::Corrupt { file, .. } | MetaError::Newer { file, .. } | MetaError::Engine { file, .. }) => {
            assert_eq!(file, FILE, "{at}");
            true
        }
        Err(other) => panic!("{at}: {other}"),
        Ok(meta) => {
            let found = meta.scan("").unwrap_or_else(|error| panic!("{at}: {error}"));
            assert!(found == all, "{at}: the content has changed");
            meta.commit(&[], &[put("more", b"1")]).unwrap_or_else(|error| panic!("{at}: {error}"));
            false
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_or_harmless() {
    for close in [true, false] {
        let (dir, all) = filled(close);
        let bytes = dir.read(FILE).unwrap();
        // Every bit of our first page's used parts and of the storage engine's header, then bits of bytes in use.
        let mut rng = Rng::new(31);
        let head = (0..16).chain(1024..1036).chain(2048..2060).chain(GUARD_BYTES..GUARD_BYTES + 320);
        let used: Vec<usize> = (GUARD_BYTES as usize + 320..bytes.len()).filter(|&at| bytes[at] != 0).collect();
        let sample = (0..600).map(|_| (used[rng.below(used.len() as u64) as usize], rng.below(8)));
        let mut refused = 0;
        for (at, bit) in head.flat_map(|at| (0..8).map(move |bit| (at as usize, bit))).chain(sample) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            refused += u32::from(check_damaged(damaged, &all, &format!("byte {at}, bit {bit}, closed {close}")));
        }
        assert!(refused > 100, "{refused} were refused");
    }
}

#[test]
fn a_cut_file_is_refused_or_harmless() {
    let (dir, all) = filled(true);
    let bytes = dir.read(FILE).unwrap();
    let mut rng = Rng::new(32);
    let ends = [0, 1, 16, 4095, 4096, 4097, 8191, 8192, bytes.len() - 4096, bytes.len() - 1];
    for end in ends.into_iter().chain((0..40).map(|_| rng.below(bytes.len() as u64) as usize)) {
        let refused = check_damaged(bytes[..end].to_vec(), &all, &format!("cut at {end}"));
        assert!(refused, "cut at {end}");
    }
}

#[test]
fn an_older_file_is_refused() {
    let dir = MemDir::new();
    let meta = open(&dir).unwrap();
    meta.commit(&[], &[put("a", b"1")]).unwrap();
    drop(meta);
    let old = dir.read(FILE).unwrap();
    let meta = open(&dir).unwrap();
    meta.commit(&[], &[put("a", b"2")]).unwrap();
    drop(meta);
    // What the storage engine would see if it had gone back to the commit before.
    let mut mixed = dir.read(FILE).unwrap()[..GUARD_BYTES as usize].to_vec();
    mixed.extend_from_slice(&old[GUARD_BYTES as usize..]);
    dir.put(FILE, mixed).unwrap();
    match open(&dir) {
        Err(MetaError::Corrupt { what, .. }) => assert_eq!(what, "it holds revision 1, revision 2 was acknowledged"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_commit_that_was_not_acknowledged_is_kept_and_counted() {
    let dir = MemDir::new();
    let meta = open(&dir).unwrap();
    for rev in 1..=5 {
        let before = dir.read(FILE).unwrap();
        assert_eq!(meta.commit(&[], &[put("a", &[rev])]).unwrap(), u64::from(rev));
        // The storage engine's commit is there, the note of it is not.
        let mut crashed = before[..GUARD_BYTES as usize].to_vec();
        crashed.extend_from_slice(&dir.read(FILE).unwrap()[GUARD_BYTES as usize..]);
        // And so again and again: each open notes what it found.
        for next in u64::from(rev)..u64::from(rev) + 3 {
            let image = MemDir::new();
            image.put(FILE, crashed).unwrap();
            let again = open(&image).unwrap();
            assert_eq!(again.rev().unwrap(), next);
            crashed = image.read(FILE).unwrap()[..GUARD_BYTES as usize].to_vec();
            again.commit(&[], &[put("b", b"")]).unwrap();
            crashed.extend_from_slice(&image.read(FILE).unwrap()[GUARD_BYTES as usize..]);
        }
    }
}

#[test]
fn what_is_acknowledged_is_noted_durably() {
    let dir = CrashDir::new();
    let meta = RedbMeta::open(Arc::new(dir.clone())).unwrap();
    for rev in 1..=4 {
        assert_eq!(meta.commit(&[], &[put("a", b"")]).unwrap(), rev);
        let image = dir.image(dir.op_count(), 0);
        assert_eq!(guard::read(&*image.open(FILE).unwrap(), FILE).unwrap(), rev);
    }
}

#[test]
fn leftovers_of_an_unfinished_file_are_removed() {
    let dir = MemDir::new();
    dir.put(UNFINISHED, vec![1; 5000]).unwrap();
    let meta = open(&dir).unwrap();
    meta.commit(&[], &[put("a", b"1")]).unwrap();
    assert_eq!(dir.paths(), [FILE]);
}

#[test]
fn the_file_stays_small() {
    let dir = MemDir::new();
    let meta = open(&dir).unwrap();
    for round in 0..300_u32 {
        meta.commit(&[], &[put("a", &round.to_le_bytes()), put("b", &[7; 2000])]).unwrap();
    }
    drop(meta);
    let len = dir.len(FILE).unwrap();
    assert!(len < 2 << 20, "{len} bytes");
}

#[test]
fn a_failed_commit_makes_the_catalog_unusable_until_it_is_opened_again() {
    let mut failures = 0;
    for allowed in 0..12 {
        let dir = MemDir::new();
        let faults = FaultDir::new(Arc::new(dir.clone()));
        let meta = RedbMeta::open(Arc::new(faults.clone())).unwrap();
        meta.commit(&[], &[put("a", b"1")]).unwrap();
        faults.fail_after(allowed);
        let result = meta.commit(&[], &[put("a", b"2")]);
        let failed = result.is_err();
        if failed {
            assert!(matches!(result, Err(MetaError::Io { .. } | MetaError::Engine { .. })), "{allowed}: {result:?}");
            faults.heal();
            assert!(matches!(meta.commit(&[], &[put("a", b"3")]), Err(MetaError::Poisoned)), "{allowed}");
            assert!(matches!(meta.get("a"), Err(MetaError::Poisoned)), "{allowed}");
            assert!(matches!(meta.scan(""), Err(MetaError::Poisoned)), "{allowed}");
            assert!(matches!(meta.rev(), Err(MetaError::Poisoned)), "{allowed}");
        }
        faults.heal();
        drop(meta);
        let found = open(&dir).unwrap().get("a").unwrap().unwrap();
        let expected: &[&[u8]] = if failed { &[b"1", b"2"] } else { &[b"2"] };
        assert!(expected.contains(&&*found), "{allowed}: {found:?}");
        failures += u32::from(failed);
    }
    assert!(failures >= 3, "a write and two syncs can fail, {failures} operations did");
}

#[test]
fn a_full_disk_is_told_and_commits_go_on_when_there_is_room() {
    let large = vec![7; 100_000];
    let mut failures = 0;
    for budget in (0..400_000).step_by(9_000).chain(1..40) {
        let dir = MemDir::new();
        let faults = FaultDir::new(Arc::new(dir.clone()));
        let meta = RedbMeta::open(Arc::new(faults.clone())).unwrap();
        meta.commit(&[], &[put("a", b"1")]).unwrap();
        faults.byte_budget(budget);
        let Err(error) = meta.commit(&[], &[put("a", b"2"), put("large", &large)]) else { continue };
        failures += 1;
        assert_eq!(error.kind(), crate::ErrorKind::Exhausted, "{budget}: {error}");
        assert!(matches!(meta.get("a"), Err(MetaError::Poisoned)));
        // Still full: it is told again and may be tried again.
        let error = meta.commit(&[], &[put("b", &large)]).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Exhausted, "{budget}: {error}");
        faults.heal();
        assert!(!goes_on(meta, &dir), "{budget}: the large commit cannot have happened");
    }
    assert!(failures > 20, "{failures} commits found no room");
}

/// Commits after a failed commit of `a` and `large` on top of one commit. Either that one did not happen and this one
/// does, or it did and the catalog stays unusable until it is opened again. Returns whether it happened.
fn goes_on(meta: RedbMeta, dir: &MemDir) -> bool {
    let result = meta.commit(&[], &[put("c", b"3")]);
    let failed_happened = result.is_err();
    if failed_happened {
        assert!(matches!(result, Err(MetaError::Poisoned)), "{result:?}");
        assert!(matches!(meta.commit(&[], &[put("c", b"3")]), Err(MetaError::Poisoned)));
        assert!(matches!(meta.scan(""), Err(MetaError::Poisoned)));
    } else {
        assert_eq!((result.unwrap(), meta.rev().unwrap()), (2, 2));
    }
    drop(meta);
    let again = open(dir).unwrap();
    let found = again.scan("").unwrap();
    let found: Vec<(&str, u8)> = found.iter().map(|(key, value)| (key.as_str(), value[0])).collect();
    let expected = if failed_happened { [("a", b'2'), ("large", 7)] } else { [("a", b'1'), ("c", b'3')] };
    assert_eq!((found, again.rev().unwrap()), (expected.to_vec(), 2));
    failed_happened
}

#[test]
fn a_commit_that_failed_after_it_happened_is_never_built_upon() {
    let large = vec![7; 10_000];
    // A commit with room for so many bytes, and whether it failed.
    let attempt = |budget: u64| {
        let dir = MemDir::new();
        let faults = FaultDir::new(Arc::new(dir.clone()));
        let meta = RedbMeta::open(Arc::new(faults.clone())).unwrap();
        meta.commit(&[], &[put("a", b"1")]).unwrap();
        faults.byte_budget(budget);
        let failed = meta.commit(&[], &[put("a", b"2"), put("large", &large)]).is_err();
        faults.heal();
        (dir, meta, failed)
    };
    let (mut short, mut enough) = (0, 1 << 20);
    while short + 1 < enough {
        let middle = u64::midpoint(short, enough);
        let (_, _, failed) = attempt(middle);
        if failed { short = middle } else { enough = middle }
    }
    // The last bytes are those of the note in the first page, which follows the storage engine's commit.
    let mut happened = Vec::new();
    for budget in enough - 16..enough {
        let (dir, meta, failed) = attempt(budget);
        assert!(failed, "{budget} of {enough} bytes are too few");
        happened.push(goes_on(meta, &dir));
    }
    assert!(happened[4..].iter().all(|&happened| happened), "{happened:?}");
}

#[test]
fn nothing_is_written_after_a_close() {
    let dir = MemDir::new();
    let one = open(&dir).unwrap();
    one.commit(&[], &[put("a", b"1")]).unwrap();
    one.close();
    let other = open(&dir).unwrap();
    assert_eq!(other.commit(&[], &[put("a", b"2"), put("b", &[7; 50_000])]).unwrap(), 2);
    let before = dir.read(FILE).unwrap();
    one.close();
    assert!(matches!(one.commit(&[], &[put("a", b"3")]), Err(MetaError::Closed)));
    drop(one);
    assert!(dir.read(FILE).unwrap() == before, "the closed one wrote");
    assert_eq!(other.get("a").unwrap().unwrap(), b"2");
    drop(other);
    let again = open(&dir).unwrap();
    assert_eq!((again.get("a").unwrap().unwrap(), again.rev().unwrap()), (b"2".to_vec(), 2));
    assert_eq!(again.get("b").unwrap().unwrap(), [7; 50_000]);
}

#[test]
fn a_catalog_that_found_no_room_can_be_closed() {
    let dir = MemDir::new();
    let faults = FaultDir::new(Arc::new(dir.clone()));
    let meta = RedbMeta::open(Arc::new(faults.clone())).unwrap();
    faults.byte_budget(0);
    assert!(meta.commit(&[], &[put("a", b"1")]).is_err());
    faults.heal();
    meta.close();
    assert!(matches!(meta.commit(&[], &[put("a", b"2")]), Err(MetaError::Closed)), "it must not open the file again");
    assert!(matches!(meta.rev(), Err(MetaError::Closed)));
    assert_eq!(open(&dir).unwrap().rev().unwrap(), 0);
}

#[test]
fn a_conflict_poisons_nothing() {
    let dir = MemDir::new();
    let meta = open(&dir).unwrap();
    let refused = meta.commit(&[Check::Present { key: "a".to_owned() }], &[put("a", b"1")]);
    assert!(matches!(refused, Err(MetaError::Conflict { key }) if key == "a"));
    assert_eq!(meta.commit(&[], &[put("a", b"1")]).unwrap(), 1);
}
