//! No scan of product codes reads or writes past its buffers: all of them end at, or begin after, a page without
//! access.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{
    Metric, Rows,
    codes::{
        pq4::{Layout, Packed, Pq4, Pq4Tables, pack, row_bytes, unpack},
        pq8::{Codebooks, Pq8, Pq8Tables},
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

/// Values in memory between two pages that fault.
struct Guarded {
    start: *mut u8,
    len: usize,
}

impl Guarded {
    /// Large enough for every page size in use (4 to 64 KiB).
    const PAGE: usize = 64 << 10;

    fn new(pages: usize) -> Self {
        let len = pages * Self::PAGE;
        // SAFETY: a fresh anonymous mapping, of which the middle is opened.
        unsafe {
            let start = mmap(null_mut(), len + 2 * Self::PAGE, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(start as isize, -1, "mmap");
            assert_eq!(mprotect(start.byte_add(Self::PAGE), len, PROT_READ_WRITE), 0, "mprotect");
            Self { start: start.cast(), len }
        }
    }

    /// Places a copy of `values` against the far page, or against the near one.
    fn place<T: Copy>(&mut self, values: &[T], far: bool) -> &mut [T] {
        let bytes = size_of_val(values);
        assert!(bytes <= self.len);
        // SAFETY: within the open pages, which are borrowed while the placement is in use; the start of a page and any
        // whole number of values before the end of one are aligned.
        unsafe {
            let to = self.start.add(Self::PAGE + if far { self.len - bytes } else { 0 }).cast::<T>();
            to.copy_from_nonoverlapping(values.as_ptr(), values.len());
            std::slice::from_raw_parts_mut(to, values.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { munmap(self.start.cast(), self.len + 2 * Self::PAGE) };
    }
}

fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

fn normals(rng: &mut Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.normal()).collect()
}

#[test]
fn scans_of_four_bits_stay_inside() {
    let mut rng = Rng::new(51);
    let [mut left, mut middle, mut right] = [Guarded::new(1), Guarded::new(1), Guarded::new(1)];
    for m in (1..=20).chain([192, 256, 257, 258, 263]) {
        let luts = normals(&mut rng, m * 16);
        for (layout, rows) in Layout::ALL.into_iter().flat_map(|layout| [1, 31, 32, 33, 70].map(|rows| (layout, rows)))
        {
            let codes = bytes(&mut rng, rows * row_bytes(m));
            let mut blocks = vec![0; layout.packed_bytes(m, rows)];
            pack(layout, m, &codes, &mut blocks);
            let mut want = vec![0.0; rows];
            let tables = Pq4Tables::from_f32(&luts, m);
            Pq4::all(layout).last().unwrap().keys(
                &tables,
                Packed::new(layout, m, rows, &blocks).unwrap(),
                0,
                &mut want,
            );
            for far in [true, false] {
                let guarded = Pq4Tables::from_f32(left.place(&luts, far), m);
                let codes = left.place(&codes, far);
                let blocks = middle.place(&blocks, far);
                pack(layout, m, codes, blocks);
                unpack(layout, m, blocks, codes);
                let view = Packed::new(layout, m, rows, blocks).unwrap();
                for scan in Pq4::all(layout) {
                    let keys = right.place(&vec![f32::NAN; rows], far);
                    scan.keys(&guarded, view, 0, keys);
                    assert_eq!(keys, want, "{} m {m} rows {rows}", scan.isa());
                    let sums = right.place(&vec![0u32; rows], far);
                    scan.sums(&guarded, view, 0, sums);
                    let keys = right.place(&vec![f32::NAN; 4 * rows], far);
                    scan.keys_many(&[&guarded; 4], view, 0, keys);
                    assert_eq!(keys[3 * rows..], want, "{} m {m} rows {rows}", scan.isa());
                }
            }
        }
    }
}

#[test]
fn scans_of_eight_bits_stay_inside() {
    let mut rng = Rng::new(52);
    let [mut left, mut middle, mut right] = [Guarded::new(2), Guarded::new(1), Guarded::new(1)];
    for m in (1..=20).chain([47, 48, 49, 100]) {
        let tables = normals(&mut rng, m * 256);
        for rows in [1, 3, 4, 5, 9, 33, 64, 65] {
            let codes = bytes(&mut rng, rows * m);
            let ids: Vec<u32> = (0..rows as u32).rev().collect();
            let mut want = vec![0.0; rows];
            Pq8::new().unwrap().rows(&tables, Rows::new(&codes, m).unwrap(), &mut want);
            for far in [true, false] {
                let (tables, codes) = (left.place(&tables, far), Rows::new(middle.place(&codes, far), m).unwrap());
                let bytes = Pq8Tables::from_f32(tables, m);
                for scan in Pq8::all() {
                    let keys = right.place(&vec![f32::NAN; rows], far);
                    scan.rows(tables, codes, keys);
                    assert_eq!(keys, want, "{} m {m} rows {rows}", scan.isa());
                    scan.gather(tables, codes, &ids, keys);
                    keys.reverse();
                    assert_eq!(keys, want, "{} m {m} rows {rows}", scan.isa());
                    scan.rows_by_bytes(&bytes, codes, keys);
                    assert!(keys.iter().zip(&want).all(|(key, want)| (key - want).abs() <= bytes.max_error()));
                }
            }
        }
    }
}

#[test]
fn codebooks_stay_inside() {
    let mut rng = Rng::new(53);
    let [mut left, mut middle, mut right] = [Guarded::new(1), Guarded::new(1), Guarded::new(1)];
    for (m, k, dsub) in [(1, 16, 1), (5, 16, 3), (4, 16, 8), (1, 256, 1), (3, 256, 5)] {
        let values = normals(&mut rng, m * k * dsub);
        let vectors = normals(&mut rng, 67 * m * dsub);
        for books in Codebooks::all(&values, m, k, dsub) {
            for far in [true, false] {
                let rows = left.place(&vectors, far);
                let codes = middle.place(&vec![0xaa; 67 * books.row_bytes()], far);
                books.encode(Rows::new(rows, m * dsub).unwrap(), codes);
                let out = right.place(&vec![f32::NAN; 67 * m * dsub], far);
                books.decode(codes, out);
                assert!(out.iter().all(|value| values.contains(value)));
                let out = right.place(&vec![f32::NAN; m * k], far);
                books.tables(&rows[..m * dsub], Metric::L2, out);
                assert!(out.iter().all(|entry| *entry >= 0.0));
            }
        }
    }
}
