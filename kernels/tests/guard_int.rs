//! No integer kernel reads past its vectors: buffers that end at, or begin after, a page without access.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{Element, Kernel, METRICS, Rows, U4, rng::Rng};

const PROT_NONE: i32 = 0;
const PROT_READ_WRITE: i32 = 3;
const MAP_PRIVATE_ANONYMOUS: i32 = 0x22;
/// Large enough for every page size in use (4 to 64 KiB).
const PAGE: usize = 64 << 10;
/// Readable bytes.
const INNER: usize = 4 * PAGE;

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, len: usize, protection: i32) -> i32;
    fn munmap(address: *mut c_void, len: usize) -> i32;
}

/// Readable pages between two that fault.
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

    /// A copy of the values at the end of the pages, or at their beginning.
    fn place<E: Element>(&self, values: &[E], at_end: bool) -> &[E] {
        let bytes = size_of_val(values);
        assert!(bytes <= INNER);
        let offset = if at_end { INNER - bytes } else { 0 };
        // SAFETY: within the open pages; the tests hold one placement of each mapping at a time.
        unsafe {
            let to = self.0.add(PAGE + offset).cast::<E>();
            to.copy_from_nonoverlapping(values.as_ptr(), values.len());
            std::slice::from_raw_parts(to, values.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { munmap(self.0.cast(), INNER + 2 * PAGE) };
    }
}

fn reads_stay_inside<E: Element>(of: fn(u8) -> E) {
    const ROWS: usize = 11;
    let mut rng = Rng::new(43);
    let (left, right) = (Guarded::new(), Guarded::new());
    for dim in (1..=150).chain([191, 200, 255, 256, 784]) {
        let query: Vec<E> = (0..dim).map(|_| of(rng.next_u64() as u8)).collect();
        let base: Vec<E> = (0..ROWS * dim).map(|_| of(rng.next_u64() as u8)).collect();
        let rows = Rows::new(&base, dim).unwrap();
        for metric in METRICS {
            for kernel in Kernel::<E>::all(*metric) {
                let (mut want, mut keys) = ([0.0; ROWS], [f32::NAN; ROWS]);
                kernel.rows(&query, rows, &mut want);
                for at_end in [true, false] {
                    let (q, guarded) = (left.place(&query, at_end), right.place(&base, at_end));
                    let guarded = Rows::new(guarded, dim).unwrap();
                    kernel.rows(q, guarded, &mut keys);
                    assert_eq!(keys, want);
                    kernel.gather(q, guarded, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], &mut keys);
                    keys.reverse();
                    assert_eq!(keys, want);
                    kernel.rows(q, guarded.slice(0..3), &mut keys[..3]);
                    kernel.rows(q, guarded.slice(9..11), &mut keys[9..]);
                    assert_eq!(keys, want);
                    kernel.tile(Rows::new(q, dim).unwrap(), guarded, &mut keys);
                    assert_eq!(keys, want);
                    let mut square = [f32::NAN; ROWS * ROWS];
                    kernel.tile(guarded, guarded, &mut square);
                    assert_eq!(kernel.pair(guarded.row(10), q), want[10]);
                    assert_eq!(square[10], kernel.pair(guarded.row(0), guarded.row(10)));
                    assert_eq!(kernel.norm(guarded.row(10)), kernel.norm(rows.row(10)));
                }
            }
        }
    }
}

/// Vectors longer than are summed in one piece.
#[test]
fn long_reads_stay_inside() {
    const ROWS: usize = 6;
    let mut rng = Rng::new(44);
    let (left, right) = (Guarded::new(), Guarded::new());
    for dim in [32_769, 40_001] {
        let query: Vec<u8> = (0..dim).map(|_| rng.next_u64() as u8).collect();
        let base: Vec<u8> = (0..ROWS * dim).map(|_| rng.next_u64() as u8).collect();
        for metric in METRICS {
            for kernel in Kernel::<u8>::all(*metric) {
                let want: Vec<f32> = base.chunks(dim).map(|row| kernel.pair(&query, row)).collect();
                for at_end in [true, false] {
                    let (q, b) = (left.place(&query, at_end), right.place(&base, at_end));
                    let guarded = Rows::new(b, dim).unwrap();
                    let mut keys = [f32::NAN; ROWS];
                    kernel.rows(q, guarded, &mut keys);
                    assert_eq!(keys, *want);
                    kernel.gather(q, guarded, &[5, 4, 3, 2, 1, 0], &mut keys);
                    keys.reverse();
                    assert_eq!(keys, *want);
                    assert_eq!(kernel.pair(guarded.row(5), q), want[5]);
                    let mut square = [f32::NAN; ROWS * ROWS];
                    kernel.tile(guarded, guarded, &mut square);
                    assert_eq!(square[5], kernel.pair(guarded.row(0), guarded.row(5)));
                }
            }
        }
    }
}

#[test]
fn i8_reads_stay_inside() {
    reads_stay_inside::<i8>(u8::cast_signed);
}

#[test]
fn u8_reads_stay_inside() {
    reads_stay_inside::<u8>(|bits| bits);
}

#[test]
fn u4_reads_stay_inside() {
    reads_stay_inside::<U4>(U4);
}
