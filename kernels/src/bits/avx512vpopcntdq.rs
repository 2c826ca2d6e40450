//! AVX-512 with population counts of 64-bit words.
//!
//! | instruction | Zen 4 | Zen 5 | Ice Lake, Golden Cove |
//! |---|---|---|---|
//! | `vpopcntq zmm` | 2 cycles, 1 per cycle (two halves) | 2, 2 per cycle | 3, 1 per cycle |
//! | `vpxorq`, `vpandq`, `vpaddq zmm` | 1, 2 per cycle | 1, 4 per cycle | 1, 2 per cycle |
//! | `vmovdqu64 zmm` load | 1 per cycle | 2 per cycle | 2 per cycle |
//!
//! Hamming takes three operations for a register of a row, Jaccard five (the query's own ones are counted once), so
//! the arithmetic is the limit in the first-level cache and not the loads. Eight rows fill 8 or 16 registers of counts,
//! and 16 operations transpose and add up eight of them. Counts are in lanes of 64 bits and a segment has fewer than
//! 2^24 bits, so the lower half of each lane holds its count.
use std::arch::x86_64::*;

use super::{
    avx512,
    lanes::{Bits, SEGMENT_MAX, table},
};

pub(super) struct Avx512Vpopcntdq;

avx512::registers! {
    Avx512Vpopcntdq,
    segment: SEGMENT_MAX,
    count: |sum, word| _mm512_add_epi64(sum, _mm512_popcnt_epi64(word)),
    settle: |sum| sum
}

table! {
    isa: Avx512Vpopcntdq,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vpopcntdq"],
    rows: 8
}
