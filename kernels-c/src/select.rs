//! The nearest rows to a query, without the keys of the others.
use std::ffi::c_void;

use elanus_kernels::{BitmapView, TopK};

use crate::{
    error::{ElanusStatus, Failure, guarded},
    kernel::{ElanusKernel, living, rows, with_kernel},
    slices::{place, read, write},
};

/// Rows whose keys are computed before they are selected from.
const BLOCK: usize = 256;

/// The `k` rows nearest to a query, nearest first, rows at the same key by their number. Bit `i % 64` of word `i / 64` of
/// `keep` says whether row `i` may be returned; null is all rows. Fewer than `k` are found where there are fewer; a row
/// whose key is NaN is never found. `*found` says how many were.
///
/// # Safety
/// `query` has `dim` units, `base` `row_count` times as many, `keep` is null or has a word for each 64 rows, `ids` and
/// `keys` have room for `k`, and `found` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_search(
    kernel: *const ElanusKernel,
    query: *const c_void,
    base: *const c_void,
    dim: usize,
    row_count: usize,
    keep: *const u64,
    k: usize,
    ids: *mut u32,
    keys: *mut f32,
    found: *mut usize,
) -> ElanusStatus {
    guarded(|| {
        if u32::try_from(row_count).is_err() {
            return Err(Failure::invalid(format!("row_count: {row_count} rows are more than 32-bit ids can name")));
        }
        let words = if keep.is_null() { 0 } else { row_count.div_ceil(64) };
        // SAFETY: the caller's duty.
        let (kernel, keep) = unsafe { (living(kernel)?, read(keep, words, "keep")?) };
        // SAFETY: as above.
        let (ids, keys, found) = unsafe { (write(ids, k, "ids")?, write(keys, k, "keys")?, place(found, "found")?) };
        let mut nearest = TopK::new(k);
        let mut block_keys = [0.0; BLOCK];
        with_kernel!(kernel.typed, kernel => {
            // SAFETY: as above.
            let (query, base) = unsafe { (read(query.cast(), dim, "query")?, rows(base, row_count, dim, "base")?) };
            for start in (0..row_count).step_by(BLOCK) {
                let block = base.slice(start..row_count.min(start + BLOCK));
                let keys = &mut block_keys[..block.len()];
                kernel.rows(query, block, keys);
                let words = keep.get(start / 64..(start + block.len()).div_ceil(64));
                let view = words.map(|words| BitmapView::new(words, block.len()));
                nearest.push_block(start as u32, keys, view);
            }
        });
        let sorted = nearest.into_sorted();
        for (neighbor, (id, key)) in sorted.iter().zip(ids.iter_mut().zip(keys.iter_mut())) {
            (*id, *key) = (neighbor.id, neighbor.key);
        }
        *found = sorted.len();
        Ok(())
    })
}
