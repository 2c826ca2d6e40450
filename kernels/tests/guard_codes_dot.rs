//! No scan of packed codes reads past its records: data that ends at, or begins after, a page without access.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{
    Metric, Rows,
    codes::{
        dot::{BlockDot, Records, RowDot},
        sq::{SqCodec, SqGrid, SqParams},
    },
    rng::Rng,
};

const PROT_NONE: i32 = 0;
const PROT_READ_WRITE: i32 = 3;
const MAP_PRIVATE_ANONYMOUS: i32 = 0x22;
/// Large enough for every page size in use (4 to 64 KiB).
const PAGE: usize = 64 << 10;
/// Open pages.
const INNER: usize = 2 * PAGE;

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, len: usize, protection: i32) -> i32;
    fn munmap(address: *mut c_void, len: usize) -> i32;
}

/// Readable memory between two pages that fault.
struct Guarded(*mut u8);

impl Guarded {
    fn new() -> Self {
        // SAFETY: a fresh anonymous mapping, of which the middle is opened.
        unsafe {
            let start = mmap(null_mut(), INNER + 2 * PAGE, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(start as isize, -1, "mmap");
            assert_eq!(mprotect(start.byte_add(PAGE), INNER, PROT_READ_WRITE), 0, "mprotect");
            Self(start.cast())
        }
    }

    /// Noise that ends at the far guard page, and noise that begins at the near one.
    fn noise(&mut self, len: usize) -> [&[u8]; 2] {
        assert!(len <= INNER);
        let mut rng = Rng::new(len as u64);
        // SAFETY: the open pages, which nobody else looks at.
        unsafe {
            let open = std::slice::from_raw_parts_mut(self.0.add(PAGE), INNER);
            open[..len].fill_with(|| rng.next_u64() as u8);
            open.copy_within(..len, INNER - len);
            [&open[INNER - len..], &open[..len]]
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { munmap(self.0.cast(), INNER + 2 * PAGE) };
    }
}

fn dims() -> impl Iterator<Item = usize> {
    (1..=40).chain([63, 64, 65, 96, 127, 128, 129, 200, 255, 257, 513, 768])
}

#[test]
fn reads_of_rows_stay_inside() {
    let mut guarded = Guarded::new();
    for dim in dims() {
        for width in [1, 2, 4, 7, 8] {
            let query = vec![1; dim];
            for dot in RowDot::all(dim, width).unwrap() {
                for (count, gap) in [(1, 0), (9, 0), (9, 5)] {
                    let stride = dot.code_bytes() + gap;
                    for data in guarded.noise((count - 1) * stride + dot.code_bytes()) {
                        let (mut rows, mut gathered) = (vec![0; count], vec![0; count]);
                        let (prepared, records) = (dot.query_bytes(&query, 1.0), Records::new(data, stride, count));
                        dot.rows(&prepared, records, &mut rows);
                        let ids: Vec<u32> = (0..count as u32).rev().collect();
                        dot.gather(&prepared, records, &ids, &mut gathered);
                        gathered.reverse();
                        assert_eq!(rows, gathered);
                    }
                }
            }
        }
    }
}

#[test]
fn reads_of_blocks_stay_inside() {
    let mut guarded = Guarded::new();
    for dim in dims() {
        for width in [1, 2, 4, 7, 8] {
            let query = vec![1; dim];
            for dot in BlockDot::all(dim, width).unwrap() {
                for count in [1, 5] {
                    for data in guarded.noise(count * dot.block_bytes()) {
                        let mut out = vec![-1; 16 * count];
                        let prepared = dot.query_bytes(&query, 1.0);
                        dot.blocks(&prepared, Records::new(data, dot.block_bytes(), count), &mut out);
                        let mut codes = vec![0; dim];
                        dot.unpack(&data[(count - 1) * dot.block_bytes()..], 15, &mut codes);
                        assert_eq!(out[16 * count - 1], codes.iter().map(|&code| i32::from(code)).sum::<i32>());
                    }
                }
            }
        }
    }
}

#[test]
fn reads_of_quantized_records_stay_inside() {
    let mut guarded = Guarded::new();
    for (dim, bits) in [(3, 4), (100, 6), (129, 8)] {
        let values: Vec<f32> = (0..4 * dim).map(|i| (i as f32).sin()).collect();
        let rows = Rows::new(&values, dim).unwrap();
        let params = SqParams::train(Metric::L2, bits, SqGrid::PerVector, rows).unwrap();
        let codec = SqCodec::new(params).unwrap();
        for data in guarded.noise(7 * codec.record_bytes()) {
            let records = Records::new(data, codec.record_bytes(), 7);
            let query = codec.prepare_rows(rows.row(0)).unwrap();
            codec.rows(&query, records, &mut [0.0; 7]);
            codec.gather(&query, records, &[6, 0], &mut [0.0; 2]);
        }
        for data in guarded.noise(3 * codec.block_bytes()) {
            let query = codec.prepare_blocks(rows.row(0)).unwrap();
            codec.blocks(&query, Records::new(data, codec.block_bytes(), 3), &mut [0.0; 48]);
        }
    }
}
