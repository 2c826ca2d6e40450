//! No selection reads past its keys, ids or filter: buffers that end at a page without access.
#![cfg(target_os = "linux")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{BitmapView, KeyRange, TopK, rng::Rng};

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

    /// A copy of the values, right before the far guard page.
    fn at_end<E: Copy>(&self, values: &[E]) -> &[E] {
        assert!(size_of_val(values) <= self.inner);
        // SAFETY: within the open pages; the tests hold one copy in each mapping at a time.
        unsafe {
            let to = self.start.add(self.page + self.inner - size_of_val(values)).cast::<E>();
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

/// Keys between 0 and 1, of which some pass any bound in use.
fn draw(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.next_f32()).collect()
}

#[test]
fn reads_stay_inside() {
    let mut rng = Rng::new(42);
    let (keys_at, ids_at, words_at) = (Guarded::new(1), Guarded::new(1), Guarded::new(1));
    let half = KeyRange { lower: 0.25, upper: 0.75 };
    for count in (0..=200).chain([256, 1000, 1024, 1025, 3000]) {
        let keys = draw(&mut rng, count);
        let ids: Vec<u32> = (0..count as u32).map(|id| id * 7 % 4096).collect();
        let words: Vec<u64> = (0..count.div_ceil(64)).map(|_| rng.next_u64() | rng.next_u64()).collect();
        let (guarded, guarded_ids) = (keys_at.at_end(&keys), ids_at.at_end(&ids));
        let guarded_words = BitmapView::new(words_at.at_end(&words), count);
        for k in [1, 10, 100] {
            for top in TopK::all(k) {
                for range in [KeyRange::ALL, half] {
                    let (mut near, mut want) = (top.clone(), top.clone());
                    near.push_block_within(3, guarded, Some(guarded_words), range);
                    near.push_block_within(5000, guarded, None, range);
                    near.push_ids(10_000, guarded_ids, guarded, range);
                    want.push_block_within(3, &keys, Some(BitmapView::new(&words, count)), range);
                    want.push_block_within(5000, &keys, None, range);
                    want.push_ids(10_000, &ids, &keys, range);
                    assert_eq!(near.into_sorted(), want.into_sorted());
                }
            }
        }
    }
}
