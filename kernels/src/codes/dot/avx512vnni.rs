//! AVX-512 VNNI: four products of bytes a lane in one instruction.
//!
//! | instruction | Zen 4 | Zen 5 | Golden Cove |
//! |---|---|---|---|
//! | `vpdpbusd zmm` | 4 cycles, 1 per cycle (two halves) | 4, 2 per cycle | 5, 1 per cycle (2 from AVX10) |
//! | `vpandd zmm` | 1, 2 per cycle | 1, 4 per cycle | 1, 2 per cycle |
//! | `vmovdqu64 zmm` load | 1 per cycle | 2 per cycle | 2 per cycle |
//!
//! A field is not shifted down but masked where it is, so that unpacking is one AND, and has a sum of its own that is
//! shifted in the end; of eight one-bit fields the upper four share the sums of the lower after one shift. Bytes are
//! then at most 240, and a sum at most `255 * 127 * MAX_DIM`. So a 64-byte register of `64 * fields` components takes
//! `fields` ANDs and products: of 768 components 12 products, 6 cycles on Zen 5, whatever the width. Eight rows of 8
//! bits share each load of the query, nine loads for eight products.
#![allow(clippy::needless_range_loop, reason = "plain loops keep values in registers")]
use std::arch::x86_64::*;

use super::{
    avx512,
    driver::{Arch, BlockJob, Cell, RowJob, stamp},
};

pub(in crate::codes) mod streams;

pub(super) struct Vnni;

/// Fields of one register that have sums of their own.
const fn kept(fields: usize) -> usize {
    if fields < 4 { fields } else { 4 }
}

impl Arch for Vnni {
    type Codes = __m512i;
    type Query = __m512i;
    type Sums = __m512i;
    const BYTES: usize = 64;
    const SIGNED: bool = false;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const u8, count: usize) -> __m512i {
        // SAFETY: the caller's duty; lanes that the mask leaves out are not accessed.
        unsafe { avx512::load_first(from, count) }
    }

    #[inline(always)]
    unsafe fn query<const BITS: u32>(from: *const i8) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn query4<const BITS: u32>(from: *const i8) -> __m512i {
        // SAFETY: the caller's duty.
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn step<const BITS: u32, const FIELDS: usize>(
        sums: &mut [__m512i; FIELDS],
        codes: __m512i,
        query: &[__m512i; FIELDS],
    ) {
        // SAFETY: the caller's duty.
        unsafe {
            if BITS == 8 {
                sums[0] = _mm512_dpbusd_epi32(sums[0], codes, query[0]);
                return;
            }
            let mut codes = codes;
            for s in 0..FIELDS {
                let sum = s % kept(FIELDS);
                if s > 0 && sum == 0 {
                    // What comes in from the byte above is masked off below.
                    codes = _mm512_srli_epi16::<4>(codes);
                }
                let mask = (0xff_u32 >> (8 - BITS) << (sum as u32 * BITS)) as u8 as i8;
                sums[sum] = _mm512_dpbusd_epi32(sums[sum], _mm512_and_si512(codes, _mm512_set1_epi8(mask)), query[s]);
            }
        }
    }

    #[inline(always)]
    unsafe fn finish<const BITS: u32, const FIELDS: usize>(sums: &[__m512i; FIELDS]) -> __m512i {
        let mut total = sums[0];
        for s in 1..kept(FIELDS) {
            // SAFETY: the caller's duty. The sums are multiples of the field's unit, so the shift is exact.
            unsafe {
                let unit = _mm_cvtsi32_si128((s as u32 * BITS) as i32);
                total = _mm512_add_epi32(total, _mm512_sra_epi32(sums[s], unit));
            }
        }
        total
    }

    #[inline(always)]
    unsafe fn totals(four: &[__m512i; 4]) -> [i32; 4] {
        // SAFETY: the caller's duty.
        unsafe { avx512::totals(four) }
    }

    #[inline(always)]
    unsafe fn store(sums: __m512i, to: *mut i32) {
        // SAFETY: the caller's duty.
        unsafe { _mm512_storeu_si512(to.cast(), sums) }
    }
}

/// The loops of `driver`, for planes and places that have none in [`streams`].
mod stamped {
    use super::{Vnni, stamp};

    stamp! {
        Vnni,
        ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni"],
        rows: [8, 8, 4, 4],
        columns: [1, 8, 4, 4]
    }
}

pub(super) const CELL: Cell = Cell { rows, blocks, ..stamped::CELL };

/// One plane of rows.
///
/// # Safety
/// See `driver::rows`.
pub(super) unsafe fn rows(job: &RowJob) {
    let streamed = if job.bits >= 4 && job.rows.is_null() { job.count / 16 * 16 } else { 0 };
    // SAFETY: the caller's duty.
    unsafe {
        if streamed > 0 {
            streams::rows(job, streamed);
        }
        if streamed < job.count {
            let base = job.base.add(streamed * job.stride);
            stamped::rows(&RowJob { base, count: job.count - streamed, out: job.out.add(streamed), ..*job });
        }
    }
}

/// One plane of blocks.
///
/// # Safety
/// See `driver::blocks`.
pub(super) unsafe fn blocks(job: &BlockJob) {
    // Loops over eight blocks compute the last one again for those that lack.
    let streamed = job.bits >= 4 && (job.alone || job.blocks < 8);
    // SAFETY: the caller's duty.
    unsafe { if streamed { streams::blocks(job) } else { stamped::blocks(job) } }
}
