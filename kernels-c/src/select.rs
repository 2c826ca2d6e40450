//! The nearest rows to a query, without the keys of the others.
use std::ffi::c_void;

use elanus_kernels::{
    BitmapView, IsaInfo, Kernel, Number, TopK,
    gemm::{Gemm, Scratch},
    scan::{Keep, Scan},
};

use crate::{
    error::{ElanusStatus, Failure, guarded},
    kernel::{ElanusKernel, Typed, living, rows, with_kernel},
    slices::{place, product, read, write},
};

/// The `k` rows nearest to a query, nearest first, rows at the same key by their number. Bit `i % 64` of word `i / 64` of
/// `keep` says whether row `i` may be returned; null is all rows. Fewer than `k` are found where there are fewer; a row
/// whose key is NaN is never found. `*found` says how many were.
///
/// # Safety
/// `query` has `dim` units, `base` `row_count` times as many, `keep` is null or has a word for each 64 rows, `ids` and
/// `keys` have room for `k`, and `found` is writable. What is written overlaps nothing that is read.
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
        check_ids(row_count)?;
        let words = if keep.is_null() { 0 } else { row_count.div_ceil(64) };
        // SAFETY: the caller's duty.
        let (kernel, keep) = unsafe { (living(kernel)?, read(keep, words, "keep")?) };
        // SAFETY: as above.
        let (ids, keys, found) = unsafe { (write(ids, k, "ids")?, write(keys, k, "keys")?, place(found, "found")?) };
        let mut nearest = TopK::new(k);
        with_kernel!(kernel.typed, kernel => {
            // SAFETY: as above.
            let (query, base) = unsafe { (read(query.cast(), dim, "query")?, rows(base, row_count, dim, "base")?) };
            let scan = Scan::new(kernel, base, 0).keep(keep_of(keep, row_count));
            scan.one(query, 0..row_count, &mut nearest);
        });
        *found = give(nearest, ids, keys);
        Ok(())
    })
}

/// The `k` rows nearest to each of several queries, as `elanus_kernel_search` finds them, but by a product of matrices,
/// which is many times as fast where there are a dozen queries or more. The neighbors of query `q` begin at `ids[q * k]`
/// and `keys[q * k]`, and there are `found[q]`. For L2, IP and COSINE over F32, F16, BF16, I8 and U8.
///
/// # Safety
/// `queries` has `query_count` times `dim` units, `base` `row_count` times as many, `keep` is null or has a word for each
/// 64 rows, `ids` and `keys` have room for `query_count` times `k`, and `found` for `query_count`. What is written overlaps
/// nothing that is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_batch_search(
    kernel: *const ElanusKernel,
    queries: *const c_void,
    query_count: usize,
    base: *const c_void,
    row_count: usize,
    dim: usize,
    keep: *const u64,
    k: usize,
    ids: *mut u32,
    keys: *mut f32,
    found: *mut usize,
) -> ElanusStatus {
    guarded(|| {
        check_ids(row_count)?;
        let places = product(query_count, k, "ids")?;
        let words = if keep.is_null() { 0 } else { row_count.div_ceil(64) };
        // SAFETY: the caller's duty.
        let (kernel, keep) = unsafe { (living(kernel)?, read(keep, words, "keep")?) };
        // SAFETY: as above.
        let (ids, keys, found) =
            unsafe { (write(ids, places, "ids")?, write(keys, places, "keys")?, write(found, query_count, "found")?) };
        let mut nearest: Vec<TopK> = (0..query_count).map(|_| TopK::new(k)).collect();
        let limit = kernel.limit;
        let shape = Shape { queries, query_count, base, row_count, dim };
        // SAFETY: as above.
        unsafe {
            match kernel.typed {
                Typed::F32(kernel) => batch(limit, &kernel, shape, keep, &mut nearest)?,
                Typed::F16(kernel) => batch(limit, &kernel, shape, keep, &mut nearest)?,
                Typed::Bf16(kernel) => batch(limit, &kernel, shape, keep, &mut nearest)?,
                Typed::I8(kernel) => batch(limit, &kernel, shape, keep, &mut nearest)?,
                Typed::U8(kernel) => batch(limit, &kernel, shape, keep, &mut nearest)?,
                Typed::U4(_) | Typed::Binary(_) => {
                    return Err(Failure::unsupported("batches of U4 and BINARY vectors: search for each query"));
                }
            }
        }
        let places = ids.chunks_mut(k.max(1)).zip(keys.chunks_mut(k.max(1)));
        for ((nearest, (ids, keys)), found) in nearest.into_iter().zip(places).zip(found) {
            *found = give(nearest, ids, keys);
        }
        Ok(())
    })
}

/// What a batch is of.
#[derive(Clone, Copy)]
struct Shape {
    queries: *const c_void,
    query_count: usize,
    base: *const c_void,
    row_count: usize,
    dim: usize,
}

/// # Safety
/// The pointers have as many units as the shape says.
unsafe fn batch<E: Number>(
    limit: &'static IsaInfo,
    kernel: &Kernel<E>,
    shape: Shape,
    keep: &[u64],
    nearest: &mut [TopK],
) -> Result<(), Failure> {
    let Shape { queries, query_count, base, row_count, dim } = shape;
    // SAFETY: the caller's duty.
    let (queries, base) =
        unsafe { (rows::<E>(queries, query_count, dim, "queries")?, rows(base, row_count, dim, "base")?) };
    let gemm = Gemm::<E>::on(limit, kernel.metric()).map_err(Failure::unsupported)?;
    let keep = (!keep.is_empty()).then(|| BitmapView::new(keep, row_count));
    gemm.search(&gemm.pack(queries), base, 0, keep, &mut Scratch::default(), nearest);
    Ok(())
}

fn check_ids(row_count: usize) -> Result<(), Failure> {
    match u32::try_from(row_count) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::invalid(format!("row_count: {row_count} rows are more than 32-bit ids can name"))),
    }
}

/// The rows that the words keep; no words keep all.
fn keep_of(words: &[u64], row_count: usize) -> Keep<'_> {
    if words.is_empty() { Keep::ALL } else { Keep::new(BitmapView::new(words, row_count), 0) }
}

/// Writes what was found, nearest first, and says how much that was.
fn give(nearest: TopK, ids: &mut [u32], keys: &mut [f32]) -> usize {
    let sorted = nearest.into_sorted();
    for (neighbor, (id, key)) in sorted.iter().zip(ids.iter_mut().zip(keys)) {
        (*id, *key) = (neighbor.id, neighbor.key);
    }
    sorted.len()
}
