//! Slices share their bytes, and views as numbers know their alignment.

use super::*;

#[test]
fn slices_share_bytes() {
    let blob = Blob::from_vec((0..=99).collect());
    let part = blob.slice(10..50).slice(5..7);
    assert_eq!(part.as_slice(), [15, 16]);
    assert!(std::ptr::eq(part.as_slice().as_ptr(), &blob.as_slice()[15]));
    assert_eq!((blob.len(), part.len(), part.is_empty(), part.slice(1..1).is_empty()), (100, 2, false, true));
    drop(blob);
    assert_eq!(part.as_slice(), [15, 16]);
}

#[test]
#[should_panic(expected = "range 3..5 of 4 bytes")]
fn slices_stay_within() {
    let whole = Blob::from_vec(vec![0; 10]).slice(2..6);
    drop(whole.slice(3..5));
}

#[test]
fn numbers_need_alignment_and_length() {
    let blob = Blob::from_vec([1_u32, 2, 3, 4].iter().flat_map(|n| n.to_le_bytes()).collect());
    assert!(blob.is_aligned(8) && !blob.slice(1..16).is_aligned(2) && !blob.is_aligned(3));
    assert_eq!(blob.as_u32s(), Some(&[1, 2, 3, 4][..]));
    assert_eq!(blob.as_u64s(), Some(&[1 | 2 << 32, 3 | 4 << 32][..]));
    assert_eq!(blob.slice(4..8).as_u16s(), Some(&[2, 0][..]));
    assert_eq!(blob.slice(4..8).as_f32s(), Some(&[f32::from_bits(2)][..]));
    assert_eq!(blob.slice(0..15).as_u32s(), None);
    assert_eq!(blob.slice(1..5).as_u32s(), None);
    assert_eq!(blob.slice(4..12).as_u64s(), None);
    assert_eq!(blob.slice(3..3).len(), 0);
}

#[test]
fn vectors_are_aligned_whatever_their_address() {
    for len in 0..20_u8 {
        let bytes: Vec<u8> = (0..len).collect();
        let blob = Blob::from(bytes.clone());
        assert!(blob.is_aligned(8));
        assert_eq!(blob.as_slice(), bytes);
    }
    let copied = Aligned { words: vec![u64::from_le_bytes([1, 2, 3, 4, 5, 6, 7, 8]), 9], len: 9 };
    assert_eq!(copied.as_ref(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn owners_live_as_long_as_their_slices() {
    let owner: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new([7_u8; 32]);
    let part = Blob::from_owner(Arc::clone(&owner)).slice(30..32);
    assert_eq!(Arc::strong_count(&owner), 2);
    assert_eq!(part.as_slice(), [7, 7]);
    assert_eq!(format!("{part:?}"), "Blob(2 bytes)");
    drop(part);
    assert_eq!(Arc::strong_count(&owner), 1);
}
