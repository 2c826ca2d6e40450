//! The batch search reads nothing past its vectors: queries and rows that end at, or begin after, a page without access.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{
    Metric, Rows, TopK,
    gemm::{Gemm, Scratch},
    rng::Rng,
};

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, len: usize, protection: i32) -> i32;
    fn munmap(address: *mut c_void, len: usize) -> i32;
}

/// Large enough for every page size in use (4 to 64 KiB).
const PAGE: usize = 64 << 10;

/// A readable page between two that fault.
struct Guarded(*mut u8);

impl Guarded {
    fn new() -> Self {
        // SAFETY: a fresh anonymous private mapping without access, of which the middle is opened to reads and writes.
        unsafe {
            let start = mmap(null_mut(), 3 * PAGE, 0, 0x22, -1, 0);
            assert_ne!(start as isize, -1, "mmap");
            assert_eq!(mprotect(start.byte_add(PAGE), PAGE, 3), 0, "mprotect");
            Self(start.cast())
        }
    }

    /// The values at the end or the start of the open page.
    fn place(&self, values: &[f32], at_end: bool) -> &[f32] {
        assert!(size_of_val(values) <= PAGE);
        let offset = if at_end { PAGE - size_of_val(values) } else { 0 };
        // SAFETY: within the open page; the test holds one placement of each mapping at a time.
        unsafe {
            let to = self.0.add(PAGE + offset).cast::<f32>();
            to.copy_from_nonoverlapping(values.as_ptr(), values.len());
            std::slice::from_raw_parts(to, values.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { munmap(self.0.cast(), 3 * PAGE) };
    }
}

#[test]
fn batch_reads_stay_inside() {
    let mut rng = Rng::new(43);
    let (left, right) = (Guarded::new(), Guarded::new());
    for dim in (1..=70).step_by(3).chain([96, 127, 128, 200]) {
        let queries: Vec<f32> = (0..13 * dim).map(|_| rng.normal()).collect();
        let base: Vec<f32> = (0..37 * dim).map(|_| rng.normal()).collect();
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            for gemm in Gemm::<f32>::all(metric) {
                for at_end in [true, false] {
                    let queries = Rows::new(left.place(&queries, at_end), dim).unwrap();
                    let base = Rows::new(right.place(&base, at_end), dim).unwrap();
                    let (packed, mut scratch) = (gemm.pack(queries), Scratch::default());
                    let mut out = vec![TopK::new(3); queries.len()];
                    gemm.search(&packed, base, 0, None, &mut scratch, &mut out);
                    let (mut ids, mut keys) = (vec![0; base.len()], vec![0.0; base.len()]);
                    gemm.assign(base, queries, &mut scratch, &mut ids, &mut keys);
                    for (query, found) in queries.iter().zip(out) {
                        let nearest = found.into_sorted()[0];
                        assert_eq!(nearest.key, gemm.kernel().pair(query, base.row(nearest.id as usize)));
                    }
                    let mut scores = vec![f32::NAN; queries.len() * base.len()];
                    gemm.scores(&packed, base, &mut scratch, &mut scores);
                    assert!(scores.iter().all(|key| key.is_finite()));
                }
            }
        }
    }
}
