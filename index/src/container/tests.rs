//! What is written is read, and every part of a forged header or table is refused by name.

use super::*;

fn sample() -> Vec<u8> {
    let mut bytes = Vec::new();
    let parts = [
        Part { tag: Tag::Meta, item: 0, bytes: &[1; 16] },
        Part { tag: Tag::UpperIds, item: 1, bytes: &[2; 5] },
        Part { tag: Tag::UpperIds, item: 2, bytes: &[] },
        Part { tag: Tag::Links, item: 0, bytes: &[3; 64] },
    ];
    write(&mut bytes, Kind::Hnsw, &parts).unwrap();
    bytes
}

fn refused(change: impl FnOnce(&mut Vec<u8>)) -> OpenError {
    let mut bytes = sample();
    change(&mut bytes);
    Container::read(&Blob::from_vec(bytes)).unwrap_err()
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn sections_come_back_aligned() {
    let container = Container::read(&Blob::from_vec(sample())).unwrap();
    assert_eq!(container.len(), 4);
    assert!(container.is(Kind::Hnsw) && !container.is(Kind::Flat));
    container.expect_kind(Kind::Hnsw).unwrap();
    let error = container.expect_kind(Kind::Flat).unwrap_err();
    assert_eq!(error.to_string(), "saved index is of kind 2, not 1 (flat)");
    assert_eq!(container.need(Tag::Meta, 0).unwrap().offset, 128);
    assert_eq!(container.need(Tag::UpperIds, 1).unwrap().blob.as_slice(), [2; 5]);
    assert!(container.need(Tag::UpperIds, 2).unwrap().blob.is_empty());
    assert_eq!(container.need(Tag::Links, 0).unwrap().offset % 64, 0);
    assert!(container.find(Tag::UpperIds, 3).is_none());
    assert_eq!(container.need(Tag::Norms, 0).unwrap_err(), OpenError::Missing { section: "norms" });
}

#[test]
fn the_layout_is_as_documented() {
    let bytes = sample();
    assert_eq!(&bytes[..16], b"ELANUSIX\x01\0\0\0\x02\0\0\0");
    assert_eq!(u64_at(&bytes, 16), 4);
    assert_eq!(u64_at(&bytes, 24), bytes.len() as u64);
    assert_eq!((u32_at(&bytes, 56), u32_at(&bytes, 60)), (5, 1));
    assert_eq!((u64_at(&bytes, 64), u64_at(&bytes, 72)), (192, 5));
    assert_eq!(bytes.len(), 320);
    assert_eq!(bytes[197..256], [0; 59]);
}

#[test]
fn arrays_have_the_length_that_is_asked_for() {
    let container = Container::read(&Blob::from_vec(sample())).unwrap();
    let meta = container.need(Tag::Meta, 0).unwrap();
    assert_eq!(meta.array::<u64>(2).unwrap().as_slice(), [0x0101_0101_0101_0101; 2]);
    let error = meta.array::<u64>(3).unwrap_err();
    assert_eq!(error, OpenError::Length { section: "meta", offset: 128, want: 24, got: 16 });
    assert!(matches!(meta.array::<u64>(u64::MAX), Err(OpenError::Length { .. })));
    let bytes = [&[0; 4][..], &sample()].concat();
    let shifted = Container::read(&Blob::from_vec(bytes).slice(4..324)).unwrap();
    let error = shifted.need(Tag::Meta, 0).unwrap().array::<u64>(2).unwrap_err();
    assert_eq!(error, OpenError::Misaligned { section: "meta", offset: 128 });
}

#[test]
fn headers_are_checked() {
    assert!(matches!(refused(|b| b[3] ^= 1), OpenError::Magic { .. }));
    assert_eq!(refused(|b| b[8] = 2), OpenError::Version { got: 2, max: 1 });
    assert!(matches!(refused(|b| put(b, 16, 257)), OpenError::Value { section: "header", offset: 16, .. }));
    let cut = refused(|b| b.truncate(100));
    assert_eq!(cut, OpenError::Truncated { section: "section table", offset: 32, need: 96, have: 100 });
    assert!(matches!(refused(|b| b.truncate(7)), OpenError::Truncated { section: "header", .. }));
    assert!(matches!(refused(|b| b.truncate(20)), OpenError::Truncated { section: "header", .. }));
    assert!(matches!(refused(|b| b.truncate(319)), OpenError::Truncated { section: "whole", .. }));
    assert!(matches!(refused(|b| b.push(0)), OpenError::Length { section: "whole", .. }));
    assert!(matches!(refused(|b| put(b, 24, 319)), OpenError::Length { section: "whole", .. }));
    assert!(matches!(refused(|b| put(b, 24, u64::MAX)), OpenError::Truncated { section: "whole", .. }));
}

#[test]
fn table_entries_are_checked() {
    let unknown = refused(|b| b[32] = 77);
    assert_eq!(unknown.to_string(), "section section table at offset 32: unknown section tag: 77");
    assert_eq!(refused(|b| put(b, 40, 192)), OpenError::Misplaced { section: "meta", offset: 192 });
    assert_eq!(refused(|b| put(b, 40, u64::MAX)), OpenError::Misplaced { section: "meta", offset: u64::MAX });
    assert!(matches!(refused(|b| put(b, 48, u64::MAX)), OpenError::Truncated { section: "meta", .. }));
    assert!(matches!(refused(|b| b[84] = 1), OpenError::Misplaced { section: "upper ids", .. }));
}
