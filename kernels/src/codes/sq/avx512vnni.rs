//! Keys on AVX-512 VNNI straight from the sums of products: nothing is stored between the codes and the keys.
//!
//! The products are those of `dot::avx512vnni`, the operations those of `keys`, in the same order and with the same
//! bits. There is one call in place of three, no buffer, and keys are computed while the next rows' products are:
//! measured on Zen 5, a call for one block of 16 components takes 14 ns in place of 20.
//!
//! The factors of blocks are one load for sixteen rows. Those of rows stand behind the codes of each, from where they
//! are loaded into one lane after another: a load and a blend, and no store that a wider load would wait for.
use std::arch::x86_64::*;

use super::keys::{FACTOR_BYTES, Keyed, Terms};
use crate::codes::dot::{
    BLOCK_ROWS, BlockJob, RowJob,
    avx512vnni::streams::{self, Sink},
};

/// Where the products go.
#[derive(Clone, Copy)]
struct Keys<'a, const ROWS: bool> {
    terms: &'a Terms,
    to: &'a Keyed,
}

impl<const ROWS: bool> Keys<'_, ROWS> {
    /// Factor `kind` of a group.
    ///
    /// # Safety
    /// The group is there, and the instruction set is available.
    #[inline(always)]
    unsafe fn factor(&self, group: usize, kind: usize) -> __m512 {
        let Keyed { factors, stride, .. } = *self.to;
        // SAFETY: the caller's duty.
        unsafe {
            if !ROWS {
                return _mm512_loadu_ps(factors.add(group * stride + kind * FACTOR_BYTES).cast());
            }
            let from = factors.add(group * BLOCK_ROWS * stride + 4 * kind);
            let mut all = _mm512_setzero_si512();
            let mut lane = 0;
            while lane < BLOCK_ROWS {
                let one = from.add(lane * stride).cast::<i32>().read_unaligned();
                all = _mm512_mask_set1_epi32(all, 1 << lane, one);
                lane += 1;
            }
            _mm512_castsi512_ps(all)
        }
    }
}

impl<const ROWS: bool> Sink for Keys<'_, ROWS> {
    #[inline(always)]
    unsafe fn put(&self, group: usize, products: __m512i) {
        let Terms { high_scale, low_scale, middle, sum, constant, square_weight, product_weight, cosine } = *self.terms;
        // SAFETY: the caller's duty.
        unsafe {
            let of = |value: f32| _mm512_set1_ps(value);
            let (min, step, square) = match self.to.range {
                Some(range) => (of(range.min), of(range.step), self.factor(group, 0)),
                None => (self.factor(group, 0), self.factor(group, 1), self.factor(group, 2)),
            };
            // The lower half of the query is zero.
            let product = _mm512_mul_ps(of(high_scale), _mm512_cvtepi32_ps(products));
            let product = _mm512_add_ps(product, of(low_scale * 0.0));
            let inner = _mm512_mul_ps(step, _mm512_add_ps(product, of(middle)));
            let inner = _mm512_add_ps(_mm512_mul_ps(min, of(sum)), inner);
            let key = _mm512_add_ps(of(constant), _mm512_mul_ps(of(square_weight), square));
            let mut key = _mm512_add_ps(key, _mm512_mul_ps(of(product_weight), inner));
            if cosine {
                // The second operand is taken where one is NaN.
                let cut = _mm512_max_ps(of(-1.0), _mm512_div_ps(key, _mm512_sqrt_ps(square)));
                let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(square, _mm512_setzero_ps());
                key = _mm512_maskz_mov_ps(positive, _mm512_min_ps(of(1.0), cut));
            }
            _mm512_storeu_ps(self.to.keys.add(group * BLOCK_ROWS), key);
        }
    }
}

/// The keys of blocks.
///
/// # Safety
/// The instruction set is available, what the jobs name can be read, and there is room for the keys.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn blocks(job: &BlockJob, terms: &Terms, to: &Keyed) {
    // SAFETY: the caller's duty.
    unsafe { streams::blocks_to(job, &Keys::<false> { terms, to }) }
}

/// The keys of rows, a multiple of sixteen.
///
/// # Safety
/// As for [`blocks`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn rows(job: &RowJob, terms: &Terms, to: &Keyed) {
    // SAFETY: the caller's duty.
    unsafe { streams::rows_to(job, job.count, &Keys::<true> { terms, to }) }
}
