//! AVX-512 with VBMI: a byte lane for each of the 64 rows of a block, lookups of six components.
//!
//! For each unit of 24 components (see [`super::blocks`]) a block takes 3 loads, 3 shifts and 2 selections for the
//! four indices, and a query 4 table loads, 4 `vpermb`, 3 additions of bytes and 3 instructions to widen: 15
//! instructions for 64 rows at 4 a cycle on Zen 5 (`vpermb` and shifts are 2 a cycle each, on three pipes together),
//! so 1.9 cycles for a row of 768; measured are 2.6, and 3.1 with the factors. Two blocks side by side, which share
//! the tables' loads, are not faster. Each further query takes 10 instructions. Sums of a unit fit a byte and those
//! of a row 16 bits, which is what [`super::blocks`] cuts queries for.
//!
//! A full code is put together from its planes by `vpmultishiftqb`, which takes eight bits from any place of a word,
//! around its end too, so a byte lane has its plane's bit where the code wants it, and a selection takes it over: two
//! instructions for a plane and 64 components, then one `vpdpbusd`, 9 for codes of 4 bits. The sum over a row stays
//! below 2^31, as said there.
#![expect(clippy::needless_range_loop, reason = "iterators may be compiled without the instruction set")]
use std::arch::x86_64::*;

use super::{
    blocks::{BATCH, Blocks, Finish, Outputs},
    layout::BLOCK,
};
use crate::prefetch;

/// See [`super::blocks::OneRun`].
///
/// # Safety
/// The features are available; `64 * bytes` bytes of each block are readable, and 256 bytes of tables for each three of
/// `bytes` or less at the end, at a multiple of 64.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(super) unsafe fn one(tables: *const u8, bytes: usize, blocks: Blocks, sums: &mut [[u16; BLOCK]; BATCH]) {
    for i in 0..blocks.count.min(BATCH) {
        // SAFETY: the caller's duty.
        unsafe {
            let block = blocks.first.add(i * blocks.stride);
            let factors = block.wrapping_add(BLOCK * bytes);
            prefetch::row(factors, 8 * BLOCK);
            prefetch::row(factors.wrapping_add(8 * BLOCK), 4 * BLOCK);
            scan([tables], bytes, block, &raw mut sums[i]);
        }
    }
}

/// See [`super::blocks::FourRun`].
///
/// # Safety
/// As for [`one`], for each of four tables.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(super) unsafe fn four(tables: [*const u8; 4], bytes: usize, block: *const u8, sums: &mut [[u16; BLOCK]; 4]) {
    // SAFETY: the caller's duty.
    unsafe { scan(tables, bytes, block, sums.as_mut_ptr()) }
}

/// See [`super::estimate::FullRun`].
///
/// # Safety
/// The features are available, and what [`super::scalar::full`] asks for.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512vbmi")]
pub(super) unsafe fn full(bytes: *const i8, words: usize, signs: *const u8, planes: *const u8, extra: usize) -> i32 {
    // SAFETY: the caller's duty.
    unsafe {
        match extra {
            1 => product::<1>(bytes, words, signs, planes),
            2 => product::<2>(bytes, words, signs, planes),
            3 => product::<3>(bytes, words, signs, planes),
            4 => product::<4>(bytes, words, signs, planes),
            5 => product::<5>(bytes, words, signs, planes),
            6 => product::<6>(bytes, words, signs, planes),
            7 => product::<7>(bytes, words, signs, planes),
            _ => super::scalar::full(bytes, words, signs, planes, extra),
        }
    }
}

/// # Safety
/// As for [`full`], with `EXTRA` planes, 7 at most.
#[inline(always)]
unsafe fn product<const EXTRA: usize>(bytes: *const i8, words: usize, signs: *const u8, planes: *const u8) -> i32 {
    // SAFETY: the caller's duty.
    unsafe {
        let lanes = _mm512_loadu_si512(LANES.as_ptr().cast());
        let mut sum = _mm512_setzero_si512();
        for word in 0..words {
            let mut code = _mm512_and_si512(
                spread(signs.add(8 * word), lanes, EXTRA as i8),
                _mm512_set1_epi8((1u8 << EXTRA) as i8),
            );
            for plane in 0..EXTRA {
                let place = EXTRA - 1 - plane;
                let bits = spread(planes.add(8 * (plane * words + word)), lanes, place as i8);
                code = _mm512_ternarylogic_epi64::<SELECT>(code, bits, _mm512_set1_epi8(1 << place));
            }
            sum = _mm512_dpbusd_epi32(sum, code, _mm512_loadu_si512(bytes.add(64 * word).cast()));
        }
        _mm512_reduce_add_epi32(sum)
    }
}

/// The numbers of the byte lanes.
const LANES: [u8; 64] = {
    let mut lanes = [0; 64];
    let mut i = 0;
    while i < 64 {
        lanes[i] = i as u8;
        i += 1;
    }
    lanes
};

/// Bit `i` of the word at `from`, at `place` of byte lane `i`; the other bits of the lane are anything.
///
/// # Safety
/// The features are available and eight bytes are readable at `from`.
#[inline(always)]
unsafe fn spread(from: *const u8, lanes: __m512i, place: i8) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let word = _mm512_set1_epi64(from.cast::<i64>().read_unaligned());
        _mm512_multishift_epi64_epi8(_mm512_sub_epi8(lanes, _mm512_set1_epi8(place)), word)
    }
}

/// See [`super::blocks::finish`].
///
/// # Safety
/// The features are available.
///
/// # Panics
/// When there are not [`BLOCK`] factors of each kind.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn last(job: &Finish<'_>, [keys, errors]: Outputs<'_>) {
    let factors = job.factors[..3 * 4 * BLOCK].as_ptr().cast::<f32>();
    for first in (0..BLOCK).step_by(16) {
        // SAFETY: the caller's duty; sixteen rows from `first` on are within the arrays.
        unsafe {
            let mut products = _mm512_setzero_si512();
            for (part, sums) in job.parts.iter().zip(job.sums) {
                let sums = _mm512_cvtepu16_epi32(_mm256_loadu_si256(sums.as_ptr().add(first).cast()));
                let product = _mm512_sub_epi32(_mm512_slli_epi32::<1>(sums), _mm512_set1_epi32(part.total));
                let shift = _mm_cvtsi32_si128(part.shift as i32);
                products = _mm512_add_epi32(products, _mm512_sll_epi32(product, shift));
            }
            let product = _mm512_mul_ps(_mm512_set1_ps(job.scale), _mm512_cvtepi32_ps(products));
            let add = _mm512_add_ps(_mm512_loadu_ps(factors.add(first)), _mm512_set1_ps(job.term.add));
            let key = _mm512_add_ps(add, _mm512_mul_ps(_mm512_loadu_ps(factors.add(BLOCK + first)), product));
            _mm512_storeu_ps(keys.as_mut_ptr().add(first), key);
            let error = _mm512_mul_ps(_mm512_loadu_ps(factors.add(2 * BLOCK + first)), _mm512_set1_ps(job.term.bound));
            _mm512_storeu_ps(errors.as_mut_ptr().add(first), error);
        }
    }
}

/// Bits of the second operand where the third has ones, else of the first.
const SELECT: i32 = 0b1101_1000;

/// Bytes by which a scan of one query asks ahead for signs. Measured on Zen 5 over blocks far larger than the caches:
/// 1, 4 and 8 KiB bring it from 0.49 to 0.55, 0.72 and 0.73 of the speed of plain reading, more brings nothing; in
/// the cache it costs nothing that can be measured. Factors are asked for when their block begins, well before they
/// are used.
const AHEAD: usize = 8192;

/// Sums of rows: those of all rows, modulo 2^16, spoilt in the even rows by 256 times the odd ones, and of the odd
/// rows.
#[derive(Clone, Copy)]
struct Sums {
    all: __m512i,
    odd: __m512i,
}

/// # Safety
/// As for [`one`], for each of the tables; `sums` has room for `Q` blocks.
#[inline(always)]
unsafe fn scan<const Q: usize>(tables: [*const u8; Q], bytes: usize, block: *const u8, sums: *mut [u16; BLOCK]) {
    // SAFETY: the caller's duty.
    unsafe {
        let zero = _mm512_setzero_si512();
        let mut totals = [Sums { all: zero, odd: zero }; Q];
        for unit in 0..bytes / 3 {
            let from = block.add(3 * BLOCK * unit);
            prefetch::row(from.wrapping_add(AHEAD), 3 * BLOCK);
            let signs = [load(from), load(from.add(BLOCK)), load(from.add(2 * BLOCK))];
            add_unit(&tables, unit, signs, &mut totals);
        }
        let from = block.add(3 * BLOCK * (bytes / 3));
        match bytes % 3 {
            1 => add_unit(&tables, bytes / 3, [load(from), zero, zero], &mut totals),
            2 => add_unit(&tables, bytes / 3, [load(from), load(from.add(BLOCK)), zero], &mut totals),
            _ => {}
        }
        for q in 0..Q {
            store(totals[q], sums.add(q));
        }
    }
}

/// # Safety
/// 64 bytes are readable at `from`.
#[inline(always)]
unsafe fn load(from: *const u8) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

/// # Safety
/// As for [`one`]; there is a unit of that number.
#[inline(always)]
unsafe fn add_unit<const Q: usize>(tables: &[*const u8; Q], unit: usize, signs: [__m512i; 3], totals: &mut [Sums; Q]) {
    // SAFETY: the caller's duty.
    unsafe {
        let [a, b, c] = signs;
        // The top two bits of each byte, at places 0, 2 and 4. What shifts carry from byte to byte is not selected,
        // or is in the top two bits of the index, which count for nothing.
        let tops = _mm512_ternarylogic_epi64::<SELECT>(
            _mm512_srli_epi16::<6>(a),
            _mm512_srli_epi16::<4>(b),
            _mm512_set1_epi8(0b0000_1100),
        );
        let tops = _mm512_ternarylogic_epi64::<SELECT>(tops, _mm512_srli_epi16::<2>(c), _mm512_set1_epi8(0b0011_0000));
        for q in 0..Q {
            let table = tables[q].add(256 * unit);
            let first = _mm512_add_epi8(
                _mm512_permutexvar_epi8(a, load(table)),
                _mm512_permutexvar_epi8(b, load(table.add(64))),
            );
            let second = _mm512_add_epi8(
                _mm512_permutexvar_epi8(c, load(table.add(128))),
                _mm512_permutexvar_epi8(tops, load(table.add(192))),
            );
            let sum = _mm512_add_epi8(first, second);
            totals[q].all = _mm512_add_epi16(totals[q].all, sum);
            totals[q].odd = _mm512_add_epi16(totals[q].odd, _mm512_srli_epi16::<8>(sum));
        }
    }
}

/// Writes the sums of even and odd rows in the order of the rows.
///
/// # Safety
/// The features are available and there is room for a block at `to`.
#[inline(always)]
unsafe fn store(sums: Sums, to: *mut [u16; BLOCK]) {
    // SAFETY: the caller's duty.
    unsafe {
        let even = _mm512_sub_epi16(sums.all, _mm512_slli_epi16::<8>(sums.odd));
        let low = _mm512_unpacklo_epi16(even, sums.odd);
        let high = _mm512_unpackhi_epi16(even, sums.odd);
        let quarters = [
            _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high),
            _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high),
        ];
        let to = to.cast::<u16>();
        _mm512_storeu_si512(to.cast(), quarters[0]);
        _mm512_storeu_si512(to.add(32).cast(), quarters[1]);
    }
}
