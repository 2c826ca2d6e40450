//! No scan over codes and no rotation reads past its buffers: they end at, or begin after, a page without access.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{
    Metric,
    codes::{
        rabitq::{BlockQuery, Codec, Estimator, Query},
        rotate::Rotation,
    },
    rng::Rng,
};

const PROT_NONE: i32 = 0;
const PROT_READ_WRITE: i32 = 3;
const MAP_PRIVATE_ANONYMOUS: i32 = 0x22;

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, len: usize, protection: i32) -> i32;
    fn munmap(address: *mut c_void, len: usize) -> i32;
}

/// Writable memory between two pages that fault.
struct Guarded {
    start: *mut u8,
}

impl Guarded {
    /// Large enough for every page size in use (4 to 64 KiB).
    const PAGE: usize = 64 << 10;
    const INNER: usize = 4 * Self::PAGE;

    fn new() -> Self {
        // SAFETY: a fresh anonymous mapping, of which the middle is opened.
        unsafe {
            let start = mmap(null_mut(), Self::INNER + 2 * Self::PAGE, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(start as isize, -1, "mmap");
            assert_eq!(mprotect(start.byte_add(Self::PAGE), Self::INNER, PROT_READ_WRITE), 0, "mprotect");
            Self { start: start.cast() }
        }
    }

    /// `len` values at the end of the open pages, or at their start.
    fn room<T: Copy>(&mut self, len: usize, at_end: bool) -> &mut [T] {
        let bytes = len * size_of::<T>();
        assert!(bytes <= Self::INNER);
        let offset = if at_end { Self::INNER - bytes } else { 0 };
        // SAFETY: within the open pages, which are borrowed mutably; a multiple of the alignment of bytes and floats,
        // of which every bit pattern is a value.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(Self::PAGE + offset).cast(), len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { munmap(self.start.cast(), Self::INNER + 2 * Self::PAGE) };
    }
}

fn bytes(to: &mut [u8], rng: &mut Rng) {
    to.fill_with(|| rng.next_u64() as u8);
}

#[test]
fn scans_stay_inside() {
    let mut rng = Rng::new(1);
    let (mut first, mut second, mut third) = (Guarded::new(), Guarded::new(), Guarded::new());
    for dim in (1..=26).map(|words| 64 * words) {
        let codec = Codec::new(Metric::L2, dim, 1 + (dim / 64 % 7) as u8 + 1).unwrap();
        let rotated: Vec<f32> = (0..dim).map(|_| rng.normal()).collect();
        let mut query = Query::new(codec);
        query.prepare(&rotated);
        for at_end in [true, false] {
            let tier0 = first.room::<u8>(9 * codec.record_bytes(), at_end);
            let tier1 = second.room::<u8>(9 * codec.refine_bytes(), at_end);
            let blocks = third.room::<u8>(codec.block_bytes(), at_end);
            bytes(tier0, &mut rng);
            bytes(tier1, &mut rng);
            bytes(blocks, &mut rng);
            let (tier0, tier1) =
                (codec.records(tier0, codec.record_bytes()), codec.refinements(tier1, codec.refine_bytes()));
            let terms = vec![query.origin(); 1 << 16];
            let mut sums = Vec::new();
            for estimator in Estimator::all() {
                let (mut keys, mut errors) = (vec![0.0; 4 * 64], vec![0.0; 4 * 64]);
                estimator.rows(&query, tier0, &terms, &mut keys[..9], &mut errors[..9]);
                let ids = [8, 0, 8, 7];
                estimator.gather(&query, tier0, &ids, &terms, &mut keys[9..13], &mut errors[9..13]);
                estimator.refine(&query, tier0, tier1, &ids, &terms, &mut keys[13..17], &mut errors[13..17]);
                let mut found: Vec<u32> = keys[..17].iter().map(|key| key.to_bits()).collect();
                let prepared = BlockQuery::new(&estimator, &query);
                BlockQuery::scan_many(&[&prepared; 4], blocks, 64, &[query.origin(); 4], &mut keys, &mut errors);
                found.extend(keys.iter().map(|key| key.to_bits()));
                sums.push(found.into_iter().map(f32::from_bits).filter(|key| !key.is_nan()).collect::<Vec<f32>>());
            }
            assert!(sums.iter().all(|found| *found == sums[0]), "{dim}");
        }
    }
}

#[test]
fn rotations_stay_inside() {
    let mut rng = Rng::new(2);
    let (mut first, mut second) = (Guarded::new(), Guarded::new());
    for dim in (1..200).chain([768, 1000, 1536]) {
        let values: Vec<f32> = (0..dim).map(|_| rng.normal()).collect();
        for at_end in [true, false] {
            let from = first.room::<f32>(dim, at_end);
            from.copy_from_slice(&values);
            for rotation in Rotation::all(dim, 1) {
                let mut want = vec![0.0; rotation.padded()];
                rotation.apply(&values, &mut want);
                let to = second.room::<f32>(rotation.padded(), at_end);
                rotation.apply(from, to);
                assert_eq!(to, want, "{dim} {}", rotation.isa());
            }
        }
    }
}
