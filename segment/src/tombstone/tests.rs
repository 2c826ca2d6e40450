//! Tombstones against a map, copies that stay what they were, and broken files.

use super::*;
use elanus_kernels::rng::Rng;
use std::collections::BTreeMap;

#[test]
fn agrees_with_a_map() {
    for seed in 0..30 {
        let mut rng = Rng::new(seed);
        let (mut tombstones, mut model) = (Tombstones::new(), BTreeMap::new());
        let rows = 1 + rng.below(6000) as usize;
        let mut ts = 5;
        let mut pinned = Vec::new();
        for _ in 0..rng.below(500) {
            ts += rng.below(3);
            let row = rng.below(rows as u64) as u32;
            assert_eq!(tombstones.delete(row, ts), !model.contains_key(&row));
            model.entry(row).or_insert(ts);
            if rng.below(40) == 0 {
                pinned.push((tombstones.clone(), model.clone()));
            }
        }
        pinned.push((tombstones, model));
        for (tombstones, model) in &pinned {
            for at in [0, 4, 5, ts / 2, ts.saturating_sub(1), ts, u64::MAX] {
                check(tombstones, model, at, rows);
            }
        }
    }
}

fn check(tombstones: &Tombstones, model: &BTreeMap<u32, u64>, ts: u64, rows: usize) {
    assert_eq!(tombstones.len(), model.len());
    assert_eq!(tombstones.is_empty(), model.is_empty());
    assert!(tombstones.iter().eq(model.iter().map(|(&row, &ts)| (row, ts))));
    assert_eq!(tombstones.last_row(), model.keys().next_back().copied());
    assert_eq!(tombstones.last_timestamp(), model.values().max().copied());
    assert_eq!(tombstones.deleted_count_at(ts), model.values().filter(|&&at| at <= ts).count());
    for row in 0..rows as u32 {
        assert_eq!(tombstones.get(row), model.get(&row).copied());
        assert_eq!(tombstones.is_deleted(row, ts), model.get(&row).is_some_and(|&at| at <= ts));
    }
    for prefix in [0, 1, rows / 2, rows] {
        let gone = |row: usize| model.get(&(row as u32)).is_some_and(|&at| at <= ts);
        match tombstones.visible(ts, prefix) {
            Some(bits) => {
                assert_eq!(bits, Bitmap::from_fn(prefix, |row| !gone(row)));
                assert!((0..prefix).any(gone), "no bitmap is made when nothing is deleted");
            }
            None => assert!(!(0..prefix).any(gone)),
        }
    }
    assert_eq!(Tombstones::decode(&tombstones.encode(), rows).as_ref(), Ok(tombstones));
    assert!(tombstones.size_bytes() >= 12 * tombstones.len());
}

#[test]
fn a_row_keeps_its_first_delete() {
    let mut tombstones = Tombstones::new();
    assert!(tombstones.delete(3, 10));
    assert!(!tombstones.delete(3, 20));
    assert_eq!((tombstones.get(3), tombstones.last_timestamp()), (Some(10), Some(10)));
}

#[test]
fn broken_files_are_refused() {
    let whole = Tombstones::from_iter([(1, 5), (7, 6), (3000, 9)]).encode();
    assert_eq!(whole.len(), 24 + 3 * 12 + 4);
    for len in 0..whole.len() {
        Tombstones::decode(&whole[..len], 4000).unwrap_err();
    }
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            let error = Tombstones::decode(&bytes, 4000).unwrap_err();
            assert_eq!(error.section, "tombstones");
        }
    }
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        bytes.truncate(whole.len() - 4);
        change(&mut bytes);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        Tombstones::decode(&bytes, 4000).unwrap_err().to_string()
    };
    assert!(with(&|bytes| bytes[8] = 2).contains("format version 2 is newer than 1"));
    assert!(with(&|bytes| bytes[8] = 0).contains("format version cannot be 0"));
    assert!(with(&|bytes| bytes[13] = 1).contains("reserved field cannot be 256"));
    assert!(with(&|bytes| bytes[16] = 4).contains("count cannot be 4"));
    assert!(with(&|bytes| bytes[16..24].fill(255)).contains("count cannot be 18446744073709551615"));
    assert!(with(&|bytes| bytes[36] = 1).contains("byte 36: row 1 is out of order"));
    assert!(with(&|bytes| bytes[50] = 255).contains("row cannot be"));
    assert!(Tombstones::decode(&whole, 3000).unwrap_err().to_string().contains("row cannot be 3000"));
}
