//! AVX-512 (F, BW, VL, DQ): sixteen indices tested against two filters of 1024 bits that are kept in four registers.
//!
//! | instruction | Zen 4 | Zen 5 | Golden Cove |
//! |---|---|---|---|
//! | `vpermt2d zmm` | 4 cycles, 1 per cycle | 4, 2 per cycle | 3, 1 per cycle |
//! | `vprolvd zmm` | 1, 1 per cycle | 1, 2 per cycle | 1, 1 per cycle |
//! | `vpmovd2m` | 4, 1 per cycle | 4, 1 per cycle | 3, 1 per cycle |
//! | `vpcompressd zmm, zmm` | 4, every 2 cycles | 4, every 2 cycles | 6, every 2 cycles |
//!
//! Bits 0 to 9 of an index are looked up in one filter, and bits 5 to 14 in another. With 40 components each lets 4 %
//! of other indices through, with 300 a quarter, and both together about the square of that. Some fifteen operations
//! for sixteen components. Compressing is done in a register and all of it stored, because compressing to memory is
//! microcoded on Zen 4.
use std::arch::x86_64::*;

use super::query::{Candidates, Scan, Table, scan_table};

pub(super) struct Avx512;

/// The ones of each byte: the instruction is in no set's list of features, and without it a count takes 17 operations.
const ONES: [u8; 256] = {
    let mut ones = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        ones[byte] = (byte as u8).count_ones() as u8;
        byte += 1;
    }
    ones
};

/// The filters in registers.
struct Filters {
    low: __m512i,
    high: __m512i,
    upper_low: __m512i,
    upper_high: __m512i,
}

impl Filters {
    /// Which of sixteen indices pass.
    #[inline(always)]
    unsafe fn passing(&self, index: __m512i) -> __mmask16 {
        // SAFETY: the caller's duty.
        unsafe {
            let upper = _mm512_srli_epi32::<5>(index);
            let word = _mm512_permutex2var_epi32(self.low, upper, self.high);
            let top = _mm512_srli_epi32::<10>(index);
            let upper_word = _mm512_permutex2var_epi32(self.upper_low, top, self.upper_high);
            let both = _mm512_and_si512(_mm512_rolv_epi32(word, index), _mm512_rolv_epi32(upper_word, upper));
            _mm512_movepi32_mask(both)
        }
    }
}

/// Writes the places that pass, and their row, and says how many there are now; 16 of each are written.
#[inline(always)]
unsafe fn keep(passing: __mmask16, place: __m512i, row: __m512i, to: &mut Candidates, count: usize) -> usize {
    // SAFETY: the caller's duty; there is room for 16.
    unsafe {
        let kept = _mm512_maskz_compress_epi32(passing, place);
        _mm512_storeu_si512(to.places.as_mut_ptr().add(count).cast(), kept);
        _mm512_storeu_si512(to.rows.as_mut_ptr().add(count).cast(), row);
    }
    count + usize::from(ONES[usize::from(passing & 255)]) + usize::from(ONES[usize::from(passing >> 8)])
}

impl Scan for Avx512 {
    #[inline(always)]
    unsafe fn filter(table: &Table, indices: &[u32], place: u32, row: u32, to: &mut Candidates) {
        debug_assert!(to.places.len() - to.count >= indices.len() + 16, "room for every component");
        // SAFETY: the caller's duty. Loads are of whole sixteens or masked to the indices; stores begin at the number
        // of those kept, which is at most the number of indices seen.
        unsafe {
            let words = table.words.as_ptr();
            let filters = Filters {
                low: _mm512_loadu_si512(words.cast()),
                high: _mm512_loadu_si512(words.add(16).cast()),
                upper_low: _mm512_loadu_si512(words.add(32).cast()),
                upper_high: _mm512_loadu_si512(words.add(48).cast()),
            };
            let sixteen = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let mut place = _mm512_add_epi32(sixteen, _mm512_set1_epi32(place as i32));
            let row = _mm512_set1_epi32(row as i32);
            let mut count = to.count;
            let whole = indices.len() / 16 * 16;
            let mut at = 0;
            while at < whole {
                let passing = filters.passing(_mm512_loadu_si512(indices.as_ptr().add(at).cast()));
                count = keep(passing, place, row, to, count);
                place = _mm512_add_epi32(place, _mm512_set1_epi32(16));
                at += 16;
            }
            if at < indices.len() {
                let here = u16::MAX >> (16 - (indices.len() - at));
                let index = _mm512_maskz_loadu_epi32(here, indices.as_ptr().add(at).cast());
                count = keep(here & filters.passing(index), place, row, to, count);
            }
            to.count = count;
        }
    }
}

scan_table! {
    scan: Avx512,
    features: ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq"]
}
