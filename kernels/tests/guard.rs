//! No kernel reads past its vectors: buffers that end at, or begin after, a page without access.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{Bf16, Element, F16, Kernel, METRICS, Number, Rows, rng::Rng};

const PROT_NONE: i32 = 0;
const PROT_READ_WRITE: i32 = 3;
const MAP_PRIVATE_ANONYMOUS: i32 = 0x22;

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, len: usize, protection: i32) -> i32;
    fn munmap(address: *mut c_void, len: usize) -> i32;
}

/// Readable memory between two pages that fault.
struct Guarded {
    start: *mut u8,
    page: usize,
    inner: usize,
}

impl Guarded {
    /// Large enough for every page size in use (4 to 64 KiB).
    const PAGE: usize = 64 << 10;

    fn new(inner_pages: usize) -> Self {
        let (page, inner) = (Self::PAGE, inner_pages * Self::PAGE);
        // SAFETY: a fresh anonymous mapping, of which the middle is opened.
        unsafe {
            let start = mmap(null_mut(), inner + 2 * page, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(start as isize, -1, "mmap");
            assert_eq!(mprotect(start.byte_add(page), inner, PROT_READ_WRITE), 0, "mprotect");
            Self { start: start.cast(), page, inner }
        }
    }

    /// The last values before the far guard page.
    fn at_end<E: Element>(&self, values: &[E]) -> &[E] {
        self.place(values, self.inner - size_of_val(values))
    }

    /// The first values after the near guard page.
    fn at_start<E: Element>(&self, values: &[E]) -> &[E] {
        self.place(values, 0)
    }

    fn place<E: Element>(&self, values: &[E], offset: usize) -> &[E] {
        assert!(size_of_val(values) <= self.inner);
        // SAFETY: within the open pages; the tests hold one placement of each mapping at a time.
        unsafe {
            let to = self.start.add(self.page + offset).cast::<E>();
            to.copy_from_nonoverlapping(values.as_ptr(), values.len());
            std::slice::from_raw_parts(to, values.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { munmap(self.start.cast(), self.inner + 2 * self.page) };
    }
}

fn reads_stay_inside<E: Number>() {
    let mut rng = Rng::new(41);
    let (left, right) = (Guarded::new(1), Guarded::new(1));
    for dim in (1..=200).chain([256, 784]) {
        let query: Vec<E> = (0..dim).map(|_| E::from_f32(rng.normal())).collect();
        let base: Vec<E> = (0..7 * dim).map(|_| E::from_f32(rng.normal())).collect();
        let rows = Rows::new(&base, dim).unwrap();
        for metric in METRICS {
            for kernel in Kernel::<E>::all(*metric) {
                let (mut want, mut keys) = ([0.0; 7], [f32::NAN; 7]);
                kernel.rows(&query, rows, &mut want);
                for (q, b) in
                    [(left.at_end(&query), right.at_end(&base)), (left.at_start(&query), right.at_start(&base))]
                {
                    let guarded = Rows::new(b, dim).unwrap();
                    kernel.rows(q, guarded, &mut keys);
                    assert_eq!(keys, want);
                    kernel.gather(q, guarded, &[6, 5, 4, 3, 2, 1, 0], &mut keys);
                    keys.reverse();
                    assert_eq!(keys, want);
                    kernel.tile(Rows::new(q, dim).unwrap(), guarded, &mut keys);
                    assert_eq!(keys, want);
                    let mut square = [f32::NAN; 49];
                    kernel.tile(guarded, guarded, &mut square);
                    assert_eq!(kernel.pair(guarded.row(6), q), want[6]);
                    assert_eq!(square[6], kernel.pair(guarded.row(0), guarded.row(6)));
                }
            }
        }
    }
}

#[test]
fn f32_reads_stay_inside() {
    reads_stay_inside::<f32>();
}

#[test]
fn f16_reads_stay_inside() {
    reads_stay_inside::<F16>();
}

#[test]
fn bf16_reads_stay_inside() {
    reads_stay_inside::<Bf16>();
}
