//! Damage, faults and the life of the files of a log.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::sync::Arc;

use elanus_segment::dir::{CrashDir, Dir, MemDir};
use elanus_segment::testing::FaultDir;

use super::{FILE_HEADER_BYTES, FileWal, HEADER_BYTES};
use crate::wal::{Lsn, Wal, WalError, WalSettings};

const SETTINGS: WalSettings = WalSettings { file_bytes: 400, salt: 3 };

fn open(dir: &MemDir) -> Result<FileWal, WalError> {
    FileWal::open(Arc::new(dir.clone()), SETTINGS)
}

fn records(wal: &FileWal) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let visit = &mut |_: Lsn, record: &[u8]| {
        found.push(record.to_vec());
        ControlFlow::Continue(())
    };
    wal.read(wal.first(), visit).unwrap();
    found
}

/// Groups of one, two and three records of 40 bytes over several files, and what they are.
fn filled(dir: &MemDir, groups: usize) -> Vec<Vec<u8>> {
    let wal = open(dir).unwrap();
    let mut model = Vec::new();
    for group in 0..groups {
        let records: Vec<Vec<u8>> = (0..group % 3 + 1).map(|place| vec![(group * 4 + place) as u8; 40]).collect();
        let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        wal.append(&slices).unwrap();
        model.extend(records);
    }
    model
}

/// A directory of its own with the same files.
fn copy(dir: &MemDir) -> MemDir {
    let copied = MemDir::new();
    for path in dir.paths() {
        copied.put(&path, dir.read(&path).unwrap()).unwrap();
    }
    copied
}

fn changed(dir: &MemDir, path: &str, change: &dyn Fn(&mut Vec<u8>)) -> MemDir {
    let copied = copy(dir);
    let mut bytes = copied.read(path).unwrap();
    change(&mut bytes);
    copied.put(path, bytes).unwrap();
    copied
}

#[test]
fn files_are_rolled_named_and_removed() {
    let dir = MemDir::new();
    let model = filled(&dir, 20);
    let wal = open(&dir).unwrap();
    assert_eq!(wal.cut(), None);
    assert_eq!(records(&wal), model);
    let paths = wal.files();
    assert_eq!(paths, dir.paths());
    assert!(paths.len() > 3);
    assert_eq!(paths[0], "wal/0000000000000001.log");
    assert!(paths.iter().all(|path| dir.len(path).unwrap() <= 400));
    assert_eq!(wal.size_bytes(), paths.iter().map(|path| dir.len(path).unwrap()).sum::<u64>());
    // The records of a file go when all of them may.
    let second = Lsn::from_str_radix(&paths[1][4..20], 16).unwrap();
    wal.truncate(second - 1).unwrap();
    assert_eq!(wal.files(), paths);
    wal.truncate(second).unwrap();
    assert_eq!((wal.files(), wal.first()), (paths[1..].to_vec(), second));
    wal.truncate(wal.next()).unwrap();
    assert_eq!(dir.paths(), [paths[paths.len() - 1].clone()]);
    let next = wal.next();
    drop(wal);
    assert_eq!(open(&dir).unwrap().next(), next, "numbers go on though all records are forgotten");
}

#[test]
fn a_long_file_that_nobody_needs_is_replaced_by_a_fresh_one() {
    let dir = MemDir::new();
    let settings = WalSettings { file_bytes: 64 << 20, salt: 3 };
    let wal = FileWal::open(Arc::new(dir.clone()), settings).unwrap();
    let record = vec![7_u8; 700 << 10];
    let range = wal.append(&[&record]).unwrap();
    wal.truncate(range.end).unwrap();
    assert_eq!(wal.first(), range.start, "a short file stays");
    let range = wal.append(&[&record]).unwrap();
    wal.truncate(range.end).unwrap();
    assert_eq!((wal.first(), wal.next()), (range.end, range.end));
    assert_eq!(wal.size_bytes(), FILE_HEADER_BYTES);
    let after = wal.append(&[b"after"]).unwrap();
    drop(wal);
    let wal = FileWal::open(Arc::new(dir), settings).unwrap();
    assert_eq!((wal.first(), wal.next()), (after.start, after.end));
    assert_eq!(records(&wal), [b"after".to_vec()]);
}

#[test]
fn a_group_larger_than_a_file_stays_together() {
    let dir = MemDir::new();
    let wal = open(&dir).unwrap();
    wal.append(&[&[1; 100]]).unwrap();
    wal.append(&[&[2; 300], &[3; 300]]).unwrap();
    wal.append(&[&[4; 10]]).unwrap();
    assert_eq!(wal.files().len(), 3);
    drop(wal);
    assert_eq!(records(&open(&dir).unwrap()).iter().map(Vec::len).collect::<Vec<_>>(), [100, 300, 300, 10]);
}

#[test]
fn a_torn_tail_is_cut_off_and_told() {
    let dir = MemDir::new();
    let model = filled(&dir, 10);
    let path = dir.paths().pop().unwrap();
    let len = dir.len(&path).unwrap();
    // The last group has one record, so any cut inside it loses that one and no other.
    let kept = len - (HEADER_BYTES + 40) as u64;
    for end in kept..len {
        let torn = changed(&dir, &path, &|bytes| bytes.truncate(end as usize));
        let wal = open(&torn).unwrap();
        assert_eq!(records(&wal), model[..model.len() - 1], "cut at {end}");
        assert_eq!(torn.len(&path).unwrap(), kept);
        let cut = wal.cut().cloned();
        assert_eq!(cut.is_some(), end > kept, "cut at {end}");
        if let Some(cut) = cut {
            assert_eq!(
                (cut.file, cut.offset, cut.bytes, cut.lsn),
                (path.clone(), kept, end - kept, model.len() as Lsn)
            );
        }
        assert_eq!(wal.append(&[b"again"]).unwrap().start, model.len() as Lsn);
        drop(wal);
        assert_eq!(open(&torn).unwrap().cut(), None);
    }
}

#[test]
fn a_hole_in_the_last_group_is_a_torn_tail() {
    let dir = MemDir::new();
    let model = filled(&dir, 9);
    let path = dir.paths().pop().unwrap();
    // The last group has three records; its first one is lost though the others are there.
    let group = dir.len(&path).unwrap() as usize - 3 * (HEADER_BYTES + 40);
    for hole in [group..group + 10, group..group + HEADER_BYTES + 40, group + 30..group + 40] {
        let torn = changed(&dir, &path, &|bytes| bytes[hole.clone()].fill(0));
        let wal = open(&torn).unwrap();
        assert_eq!(records(&wal), model[..model.len() - 3]);
        assert_eq!(wal.cut().unwrap().lsn, model.len() as Lsn - 2);
    }
}

#[test]
fn what_was_cut_off_never_comes_back() {
    let dir = MemDir::new();
    let model = filled(&dir, 9);
    let path = dir.paths().pop().unwrap();
    let group = dir.len(&path).unwrap() as usize - 3 * (HEADER_BYTES + 40);
    let torn = changed(&dir, &path, &|bytes| bytes[group..group + HEADER_BYTES + 40].fill(0));
    let kept = &model[..model.len() - 3];
    // The next record is as long as the lost one, so that those behind it would fit.
    let crashed = CrashDir::starting_from(&torn).unwrap();
    let began = crashed.op_count();
    let wal = FileWal::open(Arc::new(crashed.clone()), SETTINGS).unwrap();
    wal.append(&[&[0xee; 40]]).unwrap();
    for op_count in began..=crashed.op_count() {
        for image in crashed.images(op_count, 0, 20) {
            let found = records(&open(&image).unwrap());
            assert_eq!(&found[..kept.len()], kept);
            let more = &found[kept.len()..];
            assert!(more.is_empty() || more == [[0xee; 40]], "after {op_count} operations: {more:?}");
            assert!(op_count < crashed.op_count() || more.len() == 1, "the record was acknowledged");
        }
    }
}

#[test]
fn a_record_in_a_place_that_is_not_its_own_is_refused() {
    let dir = MemDir::new();
    filled(&dir, 2);
    let path = dir.paths().pop().unwrap();
    let frame = HEADER_BYTES + 40;
    let end = dir.len(&path).unwrap() as usize;
    let twice = changed(&dir, &path, &|bytes| bytes.extend_from_within(end - frame..));
    let skipped = changed(&dir, &path, &|bytes| drop(bytes.drain(end - 2 * frame..end - frame)));
    // The next record, said to belong to a group that began in the middle of the last one.
    let strange = crate::wal::record::Header::of(SETTINGS.salt, 4, 1, b"").unwrap().encode(SETTINGS.salt);
    let strange = changed(&dir, &path, &|bytes| bytes.extend_from_slice(&strange));
    for (damaged, at) in [(twice, end), (skipped, end - 2 * frame), (strange, end)] {
        match open(&damaged) {
            Err(WalError::Corrupt { offset, what, .. }) => {
                assert_eq!(offset as usize, at, "{what}");
                assert!(what.contains("belongs"), "{what}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_flipped_byte_is_refused_or_was_in_the_last_group() {
    let dir = MemDir::new();
    let model = filled(&dir, 13);
    let paths = dir.paths();
    let last = paths.last().unwrap();
    let last_group = dir.len(last).unwrap() as usize - (HEADER_BYTES + 40);
    for path in &paths {
        for at in 0..dir.len(path).unwrap() as usize {
            for flip in [1, 0x80, 0xff] {
                let damaged = changed(&dir, path, &|bytes| bytes[at] ^= flip);
                match open(&damaged) {
                    Err(WalError::Corrupt { file, offset, .. }) => {
                        assert_eq!(&file, path);
                        assert!(offset as usize <= at, "{path} byte {at}: told {offset}");
                    }
                    Err(WalError::Newer { file, .. }) => assert!(&file == path && (8..12).contains(&at)),
                    Err(other) => panic!("{path} byte {at}: {other}"),
                    Ok(wal) => {
                        assert!(path == last && at >= last_group, "{path} byte {at} was not noticed");
                        assert_eq!(records(&wal), model[..model.len() - 1]);
                        assert!(wal.cut().is_some(), "{path} byte {at} was not told");
                    }
                }
            }
        }
    }
}

#[test]
fn damage_that_appears_while_it_is_open_is_refused_by_readers() {
    let dir = MemDir::new();
    filled(&dir, 13);
    let wal = open(&dir).unwrap();
    let path = wal.files()[1].clone();
    let mut bytes = dir.read(&path).unwrap();
    let at = FILE_HEADER_BYTES as usize + HEADER_BYTES + 3;
    bytes[at] ^= 1;
    dir.open(&path).unwrap().write_at(0, &bytes).unwrap();
    let refused = wal.read(1, &mut |_, _| ControlFlow::Continue(()));
    assert!(
        matches!(refused, Err(WalError::Corrupt { file, offset, .. }) if file == path && offset == FILE_HEADER_BYTES)
    );
}

#[test]
fn files_that_are_missing_too_many_or_cut_are_refused() {
    let dir = MemDir::new();
    filled(&dir, 20);
    let paths = dir.paths();
    let refused = |dir: &MemDir, path: &str| match open(dir) {
        Err(WalError::Corrupt { file, .. }) => assert_eq!(file, path),
        other => panic!("{path}: {other:?}"),
    };
    let gap = copy(&dir);
    gap.remove(&paths[1]).unwrap();
    refused(&gap, &paths[2]);
    for end in [0, 10, 32, 50, 150] {
        refused(&changed(&dir, &paths[1], &|bytes| bytes.truncate(end)), if end == 32 { &paths[2] } else { &paths[1] });
    }
    let renamed = copy(&dir);
    renamed.rename(&paths[0], "wal/0000000000000000.log").unwrap();
    refused(&renamed, "wal/0000000000000000.log");
    let odd = copy(&dir);
    odd.put("wal/odd.log", Vec::new()).unwrap();
    refused(&odd, "wal/odd.log");
    // What is no log file is nobody's business here.
    let other = copy(&dir);
    other.put("wal/notes.txt", Vec::new()).unwrap();
    assert_eq!(open(&other).unwrap().files(), paths);
    // The only file left was made long ago, so its header cannot be unfinished.
    let lone = MemDir::new();
    lone.put(&paths[3], vec![0; 32]).unwrap();
    refused(&lone, &paths[3]);
}

#[test]
fn a_file_that_was_being_made_is_made_again() {
    let dir = MemDir::new();
    let model = filled(&dir, 20);
    let next = format!("wal/{:016x}.log", model.len() + 1);
    for content in [vec![], vec![0; 20], vec![0; 32], b"ELANUSWL".to_vec()] {
        let crashed = copy(&dir);
        crashed.put(&next, content).unwrap();
        let wal = open(&crashed).unwrap();
        assert_eq!(records(&wal), model);
        assert_eq!(wal.files().last(), Some(&next));
        wal.append(&[b"more"]).unwrap();
        drop(wal);
        assert_eq!(records(&open(&crashed).unwrap()).len(), model.len() + 1);
    }
}

#[test]
fn a_later_format_is_refused_by_name() {
    let dir = MemDir::new();
    filled(&dir, 3);
    let path = dir.paths().pop().unwrap();
    let later = changed(&dir, &path, &|bytes| bytes[8] = 2);
    assert!(matches!(open(&later), Err(WalError::Newer { file, found: 2, known: 1 }) if file == path));
}

#[test]
fn payloads_that_look_like_records_do_not_confuse_recovery() {
    let dir = MemDir::new();
    // What a later record would look like to somebody who does not know the salt.
    let forged = crate::wal::record::Header::of(0, 3, 0, b"forged").unwrap().encode(0);
    let payload = [&forged[..], b"forged"].concat();
    let wal = open(&dir).unwrap();
    wal.append(&[b"first"]).unwrap();
    wal.append(&[&payload]).unwrap();
    drop(wal);
    let path = dir.paths().pop().unwrap();
    let header = FILE_HEADER_BYTES as usize + HEADER_BYTES + 5;
    let torn = changed(&dir, &path, &|bytes| bytes[header..header + HEADER_BYTES].fill(0));
    assert_eq!(records(&open(&torn).unwrap()), [b"first"]);
}

#[test]
fn a_failed_write_or_sync_poisons_the_log_until_it_is_opened_again() {
    let limits: [&dyn Fn(&FaultDir); 3] =
        [&|faults| faults.fail_after(0), &|faults| faults.fail_after(1), &|faults| faults.fail_syncs_after(0)];
    for (place, limit) in limits.iter().enumerate() {
        // Once in the middle of a file and once where a file must be made.
        for len in [10, 390] {
            let dir = MemDir::new();
            let faults = FaultDir::new(Arc::new(dir.clone()));
            let wal = FileWal::open(Arc::new(faults.clone()), SETTINGS).unwrap();
            wal.append(&[b"before"]).unwrap();
            limit(&faults);
            let failed = wal.append(&[&vec![7; len]]);
            assert!(matches!(failed, Err(WalError::Io { .. })), "limit {place}: {failed:?}");
            faults.heal();
            assert!(matches!(wal.append(&[b"after"]), Err(WalError::Poisoned)), "limit {place}");
            assert_eq!(records(&wal), [b"before"], "what is durable can be read, limit {place}");
            assert_eq!(wal.next(), 2);
            drop(wal);
            let wal = open(&dir).unwrap();
            let found = records(&wal);
            assert!(found.len() <= 2 && found[0] == b"before", "limit {place}");
            assert_eq!(wal.append(&[b"again"]).unwrap().start, found.len() as Lsn + 1);
        }
    }
}

#[test]
fn a_full_disk_is_told_and_appends_go_on_when_there_is_room() {
    for budget in 0..500 {
        // Once in the middle of a file and once where a file must be made.
        for len in [10, 390] {
            let crash = CrashDir::new();
            let faults = FaultDir::new(Arc::new(crash.clone()));
            let wal = FileWal::open(Arc::new(faults.clone()), SETTINGS).unwrap();
            wal.append(&[b"before"]).unwrap();
            faults.byte_budget(budget);
            let large = [vec![7; len], vec![8; len]];
            match wal.append(&[&large[0], &large[1]]) {
                Err(WalError::Io { source, .. }) => assert_eq!(source.kind(), ErrorKind::StorageFull),
                Err(other) => panic!("{budget}: {other}"),
                Ok(_) => {
                    assert_eq!(records(&wal)[1..], large);
                    continue;
                }
            }
            assert_eq!((records(&wal), wal.next()), (vec![b"before".to_vec()], 2));
            faults.heal();
            assert_eq!(wal.append(&[b"after"]).unwrap(), 2..3);
            assert_eq!(records(&wal), [&b"before"[..], b"after"]);
            // Nothing of the group that found no room may be found, whatever the machine forgets.
            for image in crash.images(crash.op_count(), 0, 4) {
                let wal = open(&image).unwrap();
                assert_eq!((records(&wal), wal.cut()), (vec![b"before".to_vec(), b"after".to_vec()], None), "{budget}");
            }
        }
    }
}

#[test]
fn records_that_were_never_synced_are_durable_once_they_were_found() {
    let crash = CrashDir::new();
    let faults = FaultDir::new(Arc::new(crash.clone()));
    let wal = FileWal::open(Arc::new(faults.clone()), SETTINGS).unwrap();
    faults.fail_syncs_after(0);
    assert!(wal.append(&[b"written"]).is_err());
    drop(wal);
    assert_eq!(records(&open(&crash.image(crash.op_count(), 0)).unwrap()), [b""; 0], "the sync did fail");
    let wal = FileWal::open(Arc::new(crash.clone()), SETTINGS).unwrap();
    assert_eq!(records(&wal), [b"written"]);
    assert_eq!(records(&open(&crash.image(crash.op_count(), 0)).unwrap()), [b"written"]);
}

#[test]
fn a_file_that_cannot_be_removed_stays_part_of_the_log() {
    let dir = MemDir::new();
    let model = filled(&dir, 20);
    let faults = FaultDir::new(Arc::new(dir.clone()));
    let wal = FileWal::open(Arc::new(faults.clone()), SETTINGS).unwrap();
    faults.fail_after(0);
    assert!(matches!(wal.truncate(wal.next()), Err(WalError::Io { action: "remove", .. })));
    assert_eq!(wal.first(), 1);
    assert_eq!(records(&wal), model);
    faults.heal();
    wal.truncate(wal.next()).unwrap();
    assert_eq!(wal.files().len(), 1);
}

#[test]
fn a_reader_is_told_when_the_log_is_truncated_under_it() {
    let dir = MemDir::new();
    filled(&dir, 20);
    let wal = open(&dir).unwrap();
    let result = wal.read(1, &mut |lsn, _| {
        if lsn == 1 {
            wal.truncate(wal.next()).unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(WalError::Forgotten { wanted: 1, first }) if first == wal.first()));
}
