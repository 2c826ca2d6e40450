//! What a crash leaves: a replay of the operations in which some of those that were not synced are lost.
//!
//! The model is weaker than common file systems, so that code that is right on it is right on them: a sync of a file
//! says nothing of its name, unsynced writes reach the disk in any order and in parts, and an unsynced length may be
//! durable without the bytes. Changes of names are single steps that keep their order within a folder; the removal of a
//! folder is one in that folder, after which nothing of it is left, and in the one that held it.

use super::super::{MemDir, folder_of, folders_of};
use super::Op;
use elanus_kernels::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes that a disk writes as a whole.
const SECTOR: usize = 512;

/// Seed of the image that has nothing which was not synced.
const LOSE_ALL: u64 = 0;
/// Seed of the image that has everything.
const KEEP_ALL: u64 = 1;

/// The files after `ops`.
pub(super) fn rebuild(ops: &[Op], seed: u64) -> MemDir {
    let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ops.len() as u64);
    let image = MemDir::new();
    let (names, folders) = names(ops, seed, &mut rng);
    folders.into_iter().for_each(|folder| image.make_folder(folder));
    for (path, file) in names {
        let bytes = contents(ops, file, seed, &mut rng);
        image.put(&path, bytes).expect("paths were checked when the operations were done");
    }
    image
}

/// The folders whose names an operation changes.
fn folders(op: &Op) -> impl Iterator<Item = &str> {
    let (one, other) = match op {
        Op::Create { path, .. } | Op::Remove { path } => (Some(path), None),
        Op::Rename { from, to } => (Some(from), Some(to)),
        Op::RemoveDir { folder } => return Some(folder.as_str()).into_iter().chain(Some(folder_of(folder))),
        Op::Write { .. } | Op::SetLen { .. } | Op::SyncFile { .. } | Op::SyncDir { .. } => (None, None),
    };
    let one = one.map(|path| folder_of(path));
    // A rename within a folder changes it once.
    let other = other.map(|path| folder_of(path)).filter(|folder| Some(*folder) != one);
    one.into_iter().chain(other)
}

/// Path and number of each file that has a name, and the folders, some of which may be empty.
fn names<'o>(ops: &'o [Op], seed: u64, rng: &mut Rng) -> (BTreeMap<String, usize>, BTreeSet<&'o str>) {
    let durable = durable_names(ops);
    // In each folder the changes after some point are lost; a change of two folders is lost if it is in either.
    let mut left: BTreeMap<&str, u64> = BTreeMap::new();
    for (op, _) in ops.iter().zip(&durable).filter(|(_, durable)| !**durable) {
        folders(op).for_each(|folder| *left.entry(folder).or_default() += 1);
    }
    for count in left.values_mut() {
        *count = match seed {
            LOSE_ALL => 0,
            KEEP_ALL => *count,
            _ => rng.below(*count + 1),
        };
    }
    let mut stopped: BTreeSet<&str> = BTreeSet::new();
    let mut names = BTreeMap::new();
    let mut there = BTreeSet::new();
    for (at, op) in ops.iter().enumerate() {
        // Folders are made durably, whatever becomes of the name for which they are.
        if let Op::Create { path, .. } | Op::Rename { to: path, .. } = op {
            there.extend(folders_of(path));
        }
        if !durable[at] {
            let kept = folders(op).all(|folder| !stopped.contains(folder) && left.get(folder) != Some(&0));
            if !kept {
                stopped.extend(folders(op));
                continue;
            }
            folders(op).for_each(|folder| *left.entry(folder).or_default() -= 1);
        }
        match op {
            Op::Create { path, file } => drop(names.insert(path.clone(), *file)),
            Op::Remove { path } => drop(names.remove(path)),
            Op::Rename { from, to } => {
                let file = names.remove(from).expect("what a kept rename needs came before it in its folder");
                names.insert(to.clone(), file);
            }
            Op::RemoveDir { folder } => drop(there.remove(folder.as_str())),
            Op::Write { .. } | Op::SetLen { .. } | Op::SyncFile { .. } | Op::SyncDir { .. } => {}
        }
    }
    (names, there)
}

/// Which changes of names a sync made durable: those before a sync of a folder they change, and with each of them all
/// earlier ones of its folders.
fn durable_names(ops: &[Op]) -> Vec<bool> {
    let mut synced: BTreeSet<&str> = BTreeSet::new();
    let mut durable = vec![false; ops.len()];
    for (at, op) in ops.iter().enumerate().rev() {
        if let Op::SyncDir { folder } = op {
            synced.insert(folder);
        }
        durable[at] = folders(op).any(|folder| synced.contains(folder));
        if durable[at] {
            synced.extend(folders(op));
        }
    }
    // What changes no name counts as durable here.
    for (op, durable) in ops.iter().zip(&mut durable) {
        *durable |= folders(op).next().is_none();
    }
    durable
}

/// Bytes of a file.
fn contents(ops: &[Op], number: usize, seed: u64, rng: &mut Rng) -> Vec<u8> {
    let synced = ops.iter().rposition(|op| matches!(op, Op::SyncFile { file } if *file == number)).unwrap_or(0);
    let mut disk = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        let is_durable = at < synced || seed == KEEP_ALL;
        match op {
            Op::Write { file, offset, bytes } if *file == number => {
                let offset = usize::try_from(*offset).expect("the write was done in memory");
                if is_durable {
                    put(&mut disk, offset, bytes);
                } else if seed != LOSE_ALL {
                    put_some(&mut disk, offset, bytes, rng);
                }
            }
            Op::SetLen { file, len } if *file == number => {
                if is_durable || (seed != LOSE_ALL && rng.below(2) == 0) {
                    disk.resize(usize::try_from(*len).expect("the change was done in memory"), 0);
                }
            }
            Op::Create { .. }
            | Op::Write { .. }
            | Op::SetLen { .. }
            | Op::SyncFile { .. }
            | Op::Rename { .. }
            | Op::Remove { .. }
            | Op::RemoveDir { .. }
            | Op::SyncDir { .. } => {}
        }
    }
    disk
}

fn put(disk: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset + bytes.len();
    if disk.len() < end {
        disk.resize(end, 0);
    }
    disk[offset..end].copy_from_slice(bytes);
}

/// A write that was not synced: lost, kept, or some of its sectors kept.
fn put_some(disk: &mut Vec<u8>, offset: usize, bytes: &[u8], rng: &mut Rng) {
    match rng.below(3) {
        0 => {}
        1 => put(disk, offset, bytes),
        _ => {
            let end = offset + bytes.len();
            let mut start = offset;
            while start < end {
                let stop = (start / SECTOR + 1).saturating_mul(SECTOR).min(end);
                if rng.below(2) == 0 {
                    put(disk, start, &bytes[start - offset..stop - offset]);
                }
                start = stop;
            }
            if rng.below(2) == 0 && disk.len() < end {
                disk.resize(end, 0);
            }
        }
    }
}
