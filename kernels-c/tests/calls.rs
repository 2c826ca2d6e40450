//! Every call with what it is for, and with everything that it must refuse.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::CStr, ffi::c_void, ptr};

use elanus_kernels_c::*;

fn last_error() -> String {
    let text = elanus_last_error();
    assert!(!text.is_null(), "no error is remembered");
    // SAFETY: not null, and made by the library as a C string.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

#[track_caller]
fn refused(status: ElanusStatus, want: ElanusStatus, text: &str) {
    assert_eq!(status, want);
    assert!(last_error().contains(text), "{:?} does not say {text:?}", last_error());
}

/// A kernel that frees itself.
struct Owned(*mut ElanusKernel);

impl Owned {
    fn new(element: ElanusElement, metric: ElanusMetric) -> Self {
        let mut kernel = ptr::null_mut();
        // SAFETY: the pointer is to a variable.
        let status = unsafe { elanus_kernel_new(element as u32, metric as u32, ptr::null(), &raw mut kernel) };
        assert_eq!(status, ElanusStatus::Ok);
        Self(kernel)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: made by `elanus_kernel_new`, freed once.
        unsafe { elanus_kernel_free(self.0) };
    }
}

fn bytes<T>(values: &[T]) -> *const c_void {
    values.as_ptr().cast()
}

#[test]
fn every_form_gives_the_same_keys() {
    let kernel = Owned::new(ElanusElement::F32, ElanusMetric::Ip);
    let base: Vec<f32> = (0..5 * 7).map(|i| (i as f32 * 0.7).sin()).collect();
    let query: Vec<f32> = (0..7).map(|i| (i as f32 * 1.3).cos()).collect();
    let (mut keys, mut gathered, mut tile, mut pair) = ([0.0; 5], [0.0; 2], [0.0; 10], 0.0);
    let ids = [4u32, 1];
    // SAFETY: every pointer is to an array of the size that is said.
    unsafe {
        assert_eq!(
            elanus_kernel_rows(kernel.0, bytes(&query), bytes(&base), 7, 5, keys.as_mut_ptr()),
            ElanusStatus::Ok
        );
        let (ids, to) = (ids.as_ptr(), gathered.as_mut_ptr());
        assert_eq!(elanus_kernel_gather(kernel.0, bytes(&query), bytes(&base), 7, 5, ids, 2, to), ElanusStatus::Ok);
        let two = [query.clone(), query.clone()].concat();
        assert_eq!(
            elanus_kernel_tile(kernel.0, bytes(&two), 2, bytes(&base), 5, 7, tile.as_mut_ptr()),
            ElanusStatus::Ok
        );
        assert_eq!(elanus_kernel_pair(kernel.0, bytes(&query), bytes(&base[7..]), 7, &raw mut pair), ElanusStatus::Ok);
    }
    assert_eq!(gathered, [keys[4], keys[1]]);
    assert_eq!((&tile[..5], &tile[5..], pair), (&keys[..], &keys[..], keys[1]));
    assert_eq!(elanus_score(ElanusMetric::Ip as u32, -2.5), 2.5);
    assert!(elanus_score(99, 1.0).is_nan());
}

#[test]
fn searches_cross_their_blocks_and_obey_the_filter() {
    let kernel = Owned::new(ElanusElement::F32, ElanusMetric::L2);
    let base: Vec<f32> = (0..1000).map(|i| ((i * 37) % 1000) as f32).collect();
    let keep: Vec<u64> = vec![0x5555_5555_5555_5555; 1000usize.div_ceil(64)];
    let (mut ids, mut keys, mut found) = ([0u32; 9], [0.0f32; 9], 0);
    for filter in [ptr::null(), keep.as_ptr()] {
        let query = [500.25f32];
        // SAFETY: every pointer is to an array of the size that is said.
        let status = unsafe {
            let (ids, keys, found) = (ids.as_mut_ptr(), keys.as_mut_ptr(), &raw mut found);
            elanus_kernel_search(kernel.0, bytes(&query), bytes(&base), 1, 1000, filter, 9, ids, keys, found)
        };
        assert_eq!((status, found), (ElanusStatus::Ok, 9));
        let mut want: Vec<(f32, u32)> = (0..1000u32).map(|i| ((base[i as usize] - 500.25).powi(2), i)).collect();
        want.retain(|(_, id)| filter.is_null() || id % 2 == 0);
        want.sort_by(|a, b| a.partial_cmp(b).unwrap());
        for (place, (key, id)) in want[..9].iter().enumerate() {
            assert_eq!((keys[place], ids[place]), (*key, *id));
        }
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_a_text() {
    let mut kernel = ptr::null_mut();
    let place = &raw mut kernel;
    // SAFETY: pointers are null or to variables.
    unsafe {
        refused(elanus_kernel_new(99, 0, ptr::null(), place), ElanusStatus::Invalid, "element 99");
        refused(elanus_kernel_new(0, 99, ptr::null(), place), ElanusStatus::Invalid, "metric 99");
        refused(elanus_kernel_new(0, 0, ptr::null(), ptr::null_mut()), ElanusStatus::Invalid, "kernel is null");
        refused(elanus_kernel_new(0, 0, c"mmx".as_ptr(), place), ElanusStatus::Invalid, "mmx");
        refused(elanus_kernel_new(0, 3, ptr::null(), place), ElanusStatus::Unsupported, "HAMMING");
        assert!(kernel.is_null());
        elanus_kernel_free(ptr::null_mut());
        assert!(elanus_kernel_isa(ptr::null()).is_null());
    }
}

#[test]
fn pointers_and_sizes_are_checked() {
    let kernel = Owned::new(ElanusElement::F32, ElanusMetric::L2);
    let (values, mut keys) = ([1.0f32; 8], [0.0f32; 8]);
    let (at, to, null) = (bytes(&values), keys.as_mut_ptr(), ptr::null());
    // SAFETY: what is read and written is within the arrays; the other calls are refused before they read.
    unsafe {
        refused(elanus_kernel_pair(ptr::null(), at, at, 2, to), ElanusStatus::Invalid, "kernel is null");
        refused(elanus_kernel_pair(kernel.0, at, at, 0, to), ElanusStatus::Invalid, "dim is 0");
        refused(elanus_kernel_pair(kernel.0, null, at, 2, to), ElanusStatus::Invalid, "a is null");
        refused(elanus_kernel_pair(kernel.0, at.byte_add(1), at, 1, to), ElanusStatus::Invalid, "a is not aligned");
        refused(elanus_kernel_pair(kernel.0, at, at, usize::MAX / 2, to), ElanusStatus::Invalid, "more than memory");
        refused(elanus_kernel_rows(kernel.0, at, at, usize::MAX, 2, to), ElanusStatus::Invalid, "query");
        refused(elanus_kernel_rows(kernel.0, at, at, 0, 2, to), ElanusStatus::Invalid, "dimension 0");
        refused(elanus_kernel_tile(kernel.0, at, usize::MAX, at, 2, 1, to), ElanusStatus::Invalid, "overflows");
        let far = [8u32];
        let gather = elanus_kernel_gather(kernel.0, at, at, 1, 8, far.as_ptr(), 1, to);
        refused(gather, ElanusStatus::Invalid, "row 8 of 8");
        assert_eq!(elanus_kernel_rows(kernel.0, at, at, 2, 0, ptr::null_mut()), ElanusStatus::Ok, "no rows, no keys");
        let (mut id, mut found) = (0, 7);
        let words = [1u64, 1];
        let odd = words.as_ptr().byte_add(1);
        let search = elanus_kernel_search(kernel.0, at, at, 1, 8, odd, 1, &raw mut id, to, &raw mut found);
        refused(search, ElanusStatus::Invalid, "keep is not aligned");
        let (none, found_at) = (ptr::null_mut(), &raw mut found);
        let search = elanus_kernel_search(kernel.0, at, at, 1, 8, ptr::null(), 0, none, ptr::null_mut(), found_at);
        assert_eq!((search, found), (ElanusStatus::Ok, 0), "none asked for, none found");
        let search = elanus_kernel_search(kernel.0, at, at, 1, 0, ptr::null(), 1, &raw mut id, to, &raw mut found);
        assert_eq!((search, found), (ElanusStatus::Ok, 0), "no rows");
        let many = u32::MAX as usize + 1;
        let search = elanus_kernel_search(kernel.0, at, at, 1, many, null.cast(), 1, &raw mut id, to, &raw mut found);
        refused(search, ElanusStatus::Invalid, "32-bit");
    }
}

#[test]
fn batches_find_what_single_searches_find() {
    let (dim, rows, queries, k) = (24, 700, 20, 5);
    let values = |seed: usize, count: usize| -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 100.0 - 5.0).collect()
    };
    let (base, asking) = (values(1, rows * dim), values(2, queries * dim));
    let keep: Vec<u64> = vec![0x7777_7777_7777_7777; rows.div_ceil(64)];
    for metric in [ElanusMetric::L2, ElanusMetric::Ip, ElanusMetric::Cosine] {
        let kernel = Owned::new(ElanusElement::F32, metric);
        for filter in [ptr::null(), keep.as_ptr()] {
            let (mut ids, mut keys, mut found) = (vec![0u32; queries * k], vec![0f32; queries * k], vec![0; queries]);
            // SAFETY: every pointer is to an array of the size that is said.
            let status = unsafe {
                let (ids, keys, found) = (ids.as_mut_ptr(), keys.as_mut_ptr(), found.as_mut_ptr());
                let (asking, base) = (bytes(&asking), bytes(&base));
                elanus_batch_search(kernel.0, asking, queries, base, rows, dim, filter, k, ids, keys, found)
            };
            assert_eq!(status, ElanusStatus::Ok);
            for (q, query) in asking.chunks(dim).enumerate() {
                let (mut one, mut key, mut count) = (vec![0u32; k], vec![0f32; k], 0);
                // SAFETY: as above.
                let status = unsafe {
                    let (one, key, count) = (one.as_mut_ptr(), key.as_mut_ptr(), &raw mut count);
                    elanus_kernel_search(kernel.0, bytes(query), bytes(&base), dim, rows, filter, k, one, key, count)
                };
                assert_eq!((status, count), (ElanusStatus::Ok, found[q]));
                assert_eq!((&one[..], &key[..]), (&ids[q * k..][..k], &keys[q * k..][..k]));
            }
        }
    }
    let kernel = Owned::new(ElanusElement::Binary, ElanusMetric::Hamming);
    let (mut id, mut key, mut found) = (0, 0.0, 0);
    // SAFETY: as above.
    let status = unsafe {
        let (id, key, found) = (&raw mut id, &raw mut key, &raw mut found);
        elanus_batch_search(kernel.0, bytes(&base), 1, bytes(&base), 1, 8, ptr::null(), 1, id, key, found)
    };
    refused(status, ElanusStatus::Unsupported, "batches of U4 and BINARY");
}
