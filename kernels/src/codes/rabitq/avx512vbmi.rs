//! AVX-512 with VBMI: a byte lane for each of the 64 rows of a block, lookups of six components.
//!
//! For each unit of 24 components (see [`super::blocks`]) a block takes 3 loads, 3 shifts and 2 selections for the
//! four indices, and a query 4 `vpermb`, each with a load of a table, 3 additions of bytes and 3 instructions to widen:
//! 15 instructions for 64 rows at 4 a cycle on Zen 5 (`vpermb` and shifts are 2 a cycle each, on three pipes together).
//! Without dependences they run at 3.9 cycles, so 1.95 for a row of 768, and 2.1 with the estimates, of which a block
//! takes 42; measured are 2.6, no matter whether it is for the loads or the instructions: the 7 loads of a unit alone
//! take 2.4. Two blocks side by side, which share the tables' loads, are not faster, nor is work done a unit ahead.
//! Each further query takes 10 instructions. Sums of a unit fit a byte and those of a row 16 bits, which is what
//! [`super::blocks`] cuts queries for.
//!
//! A full code is put together from its planes by `vpmultishiftqb`, which takes eight bits from any place of a word,
//! around its end too, so a byte lane has its plane's bit where the code wants it, and a selection takes it over: two
//! instructions for a plane and 64 components, then one `vpdpbusd`, 9 for codes of 4 bits. The sum over a row stays
//! below 2^31, as said there.
#![expect(clippy::needless_range_loop, reason = "iterators may be compiled without the instruction set")]
use std::arch::x86_64::*;

use super::{
    blocks::{BlockKernel, Direct, Finish, Outputs, fetch_ahead, fetch_factors_ahead},
    layout::BLOCK,
    query::Term,
};

/// The scans of blocks.
pub(super) const BLOCKS: BlockKernel = BlockKernel { direct, one, four, finish: last, wide: true };

/// See [`super::blocks::DirectRun`].
///
/// # Safety
/// As for [`one`], for each block; factors follow the signs, and `keys`, and `errors` unless it is null, have room for
/// the rows of all blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn direct(job: &Direct, keys: *mut f32, errors: *mut f32) {
    // SAFETY: the caller's duty.
    unsafe {
        let places = [places(0), places(1), places(2), places(3)];
        for i in 0..job.count {
            let block = job.block(i);
            let factors = block.add(BLOCK * job.bytes);
            let [sums] = scan([job.tables], job.bytes, block);
            fetch_factors_ahead(factors);
            let (even, odd) = even_and_odd(sums);
            for quarter in 0..4 {
                // Words with zeros between them: sums of 32 bits. They are exact as floats, and so is twice a sum
                // less the total.
                let sums = _mm512_maskz_permutex2var_epi16(0x5555_5555, even, places[quarter], odd);
                let total = _mm512_set1_ps(job.part.total as f32);
                let product = _mm512_fmsub_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(2.0), total);
                let product = _mm512_mul_ps(_mm512_set1_ps(job.scale), product);
                let row = 16 * quarter;
                write(factors.cast(), row, product, &job.term, keys.wrapping_add(BLOCK * i + row));
                if !errors.is_null() {
                    write_errors(factors.cast(), row, &job.term, errors.add(BLOCK * i + row));
                }
            }
        }
    }
}

/// Where the words of sixteen rows are in the registers of [`even_and_odd`], every other word.
#[inline(always)]
const fn words(quarter: usize) -> [u16; 32] {
    let mut words = [0; 32];
    let mut i = 0;
    while i < 16 {
        let row = 16 * quarter + i;
        words[2 * i] = (row / 2 + 32 * (row % 2)) as u16;
        i += 1;
    }
    words
}

/// # Safety
/// The features are available.
#[inline(always)]
unsafe fn places(quarter: usize) -> __m512i {
    const WORDS: [[u16; 32]; 4] = [words(0), words(1), words(2), words(3)];
    // SAFETY: the caller's duty.
    unsafe { load(WORDS[quarter].as_ptr().cast()) }
}

/// Keys of sixteen rows from `row` on.
///
/// # Safety
/// The features are available, `factors` are those of a block, and there is room for sixteen keys.
#[inline(always)]
unsafe fn write(factors: *const f32, row: usize, product: __m512, term: &Term, keys: *mut f32) {
    // SAFETY: the caller's duty.
    unsafe {
        let add = _mm512_add_ps(_mm512_loadu_ps(factors.add(row)), _mm512_set1_ps(term.add));
        let rescaled = _mm512_mul_ps(_mm512_loadu_ps(factors.add(BLOCK + row)), product);
        _mm512_storeu_ps(keys, _mm512_add_ps(add, rescaled));
    }
}

/// Errors of sixteen rows from `row` on.
///
/// # Safety
/// As for [`write`].
#[inline(always)]
unsafe fn write_errors(factors: *const f32, row: usize, term: &Term, errors: *mut f32) {
    // SAFETY: the caller's duty.
    unsafe {
        let errors_of = _mm512_loadu_ps(factors.add(2 * BLOCK + row));
        _mm512_storeu_ps(errors, _mm512_mul_ps(errors_of, _mm512_set1_ps(term.bound)));
    }
}

/// See [`super::blocks::OneRun`].
///
/// # Safety
/// The features are available; `64 * bytes` bytes of the block are readable, and 256 bytes of tables for each three of
/// `bytes` or less at the end, at a multiple of 64.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn one(tables: *const u8, bytes: usize, block: *const u8, sums: &mut [u16; BLOCK]) {
    // SAFETY: the caller's duty.
    unsafe {
        let [found] = scan([tables], bytes, block);
        store(found, sums);
    }
}

/// See [`super::blocks::FourRun`].
///
/// # Safety
/// As for [`one`], for each of four tables.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn four(tables: [*const u8; 4], bytes: usize, block: *const u8, sums: &mut [[u16; BLOCK]; 4]) {
    // SAFETY: the caller's duty.
    unsafe {
        fetch_factors_ahead(block.wrapping_add(BLOCK * bytes));
        let found = scan(tables, bytes, block);
        for q in 0..4 {
            store(found[q], &mut sums[q]);
        }
    }
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
unsafe fn last(job: &Finish<'_>, [keys, errors]: Outputs<'_>) {
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
            write(factors, first, product, &job.term, keys.as_mut_ptr().add(first));
            write_errors(factors, first, &job.term, errors.as_mut_ptr().add(first));
        }
    }
}

/// Bits of the second operand where the third has ones, else of the first.
const SELECT: i32 = 0b1101_1000;

/// Sums of rows: those of all rows, modulo 2^16, spoilt in the even rows by 256 times the odd ones, and of the odd
/// rows.
#[derive(Clone, Copy)]
struct Sums {
    all: __m512i,
    odd: __m512i,
}

/// # Safety
/// As for [`one`], for each of the tables.
#[inline(always)]
unsafe fn scan<const Q: usize>(tables: [*const u8; Q], bytes: usize, block: *const u8) -> [Sums; Q] {
    // SAFETY: the caller's duty.
    unsafe {
        let zero = _mm512_setzero_si512();
        let mut totals = [Sums { all: zero, odd: zero }; Q];
        for unit in 0..bytes / 3 {
            let from = block.add(3 * BLOCK * unit);
            for byte in 0..3 {
                fetch_ahead(from.add(BLOCK * byte));
            }
            let signs = [load(from), load(from.add(BLOCK)), load(from.add(2 * BLOCK))];
            add_unit(&tables, unit, signs, &mut totals);
        }
        let from = block.add(3 * BLOCK * (bytes / 3));
        for byte in 0..bytes % 3 {
            fetch_ahead(from.add(BLOCK * byte));
        }
        match bytes % 3 {
            1 => add_unit(&tables, bytes / 3, [load(from), zero, zero], &mut totals),
            2 => add_unit(&tables, bytes / 3, [load(from), load(from.add(BLOCK)), zero], &mut totals),
            _ => {}
        }
        totals
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

/// The sums of the even rows and those of the odd ones.
///
/// # Safety
/// The features are available.
#[inline(always)]
unsafe fn even_and_odd(sums: Sums) -> (__m512i, __m512i) {
    // SAFETY: the caller's duty.
    unsafe { (_mm512_sub_epi16(sums.all, _mm512_slli_epi16::<8>(sums.odd)), sums.odd) }
}

/// Writes the sums of even and odd rows in the order of the rows.
///
/// # Safety
/// The features are available and there is room for a block at `to`.
#[inline(always)]
unsafe fn store(sums: Sums, to: *mut [u16; BLOCK]) {
    // SAFETY: the caller's duty.
    unsafe {
        let (even, odd) = even_and_odd(sums);
        let low = _mm512_unpacklo_epi16(even, odd);
        let high = _mm512_unpackhi_epi16(even, odd);
        let quarters = [
            _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high),
            _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high),
        ];
        let to = to.cast::<u16>();
        _mm512_storeu_si512(to.cast(), quarters[0]);
        _mm512_storeu_si512(to.add(32).cast(), quarters[1]);
    }
}
