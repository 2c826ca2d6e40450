//! AVX-512 VNNI, planes of 8 and 4 bits: as many rows or blocks side by side as their place bears.
//!
//! On Zen 5 a register of codes of 8 bits takes one load of two a cycle and one product of two a cycle; of 4 bits two
//! masks, which any of four pipes does, and two products. What comes from the second-level cache is a register a cycle,
//! and steadily so from one stream only: codes of 8 bits take from 1.1 to 2 times as long from two to eight streams,
//! worst where nothing else is done in between; from memory eight take 1.1 to 1.4 times as long as one. Codes of 4 bits
//! have more to do in between, and sharing the query is worth more than the one stream: 0.7 to 0.85 of the time. So:
//!
//! | place | rows of 8 bits | of 4 | blocks of 8 bits | of 4 |
//! |---|---|---|---|---|
//! | first-level cache | 8 | 8 | 3 | 3 |
//! | the caches beyond | 1 | 8 | 1 | 3 |
//! | memory | 1 | 1 | 1 | 1 |
//!
//! One row takes a load of the query for each product. Where rows or blocks are fewer than the products in flight (two
//! a cycle, four cycles each), they have several sums each. The sums of eight rows are added up in registers as soon as
//! they are complete: stored and loaded again they took a quarter of the time of rows of 768 bytes.
//!
//! In blocks every step needs four bytes of the query in all lanes. By a load for each, one block takes two loads for a
//! product; so for codes of 8 bits sixteen bytes are loaded at once and spread by shuffles, which run on other pipes.
//! Of the product's rate three blocks then reach 93 hundredths, two 89 and one 60 to 75; by loads 76, 67 and 50. Codes
//! of 4 bits leave the pipes no room for that, and the loads have some, except of one block alone, which takes every
//! other word by a shuffle.
//!
//! The sums fit as in `avx512vnni`, of which the steps are.
#![allow(clippy::needless_range_loop, reason = "plain loops keep values in registers")]
use std::{
    arch::{asm, x86_64::*},
    mem::MaybeUninit,
};

use super::Vnni;
use crate::{
    codes::dot::{
        driver::{Arch, BlockJob, Place, RowJob},
        layout::{BLOCK_ROWS, STEP_BYTES},
    },
    prefetch,
};

/// Registers of four bytes of the query at a time.
const WORDS: usize = 8;

/// How far ahead rows are asked for, in the order of their addresses.
const AHEAD: usize = 8192;

/// Rows whose sums are added up together.
const GROUP: usize = 16;

/// Where the products of sixteen rows go.
pub(in crate::codes) trait Sink: Copy {
    /// Takes the products of rows `16 * group ..` and on.
    ///
    /// # Safety
    /// The instruction set is available, and there is room for them.
    unsafe fn put(&self, group: usize, products: __m512i);
}

/// The products themselves.
#[derive(Clone, Copy)]
struct Plain(*mut i32);

impl Sink for Plain {
    #[inline(always)]
    unsafe fn put(&self, group: usize, products: __m512i) {
        // SAFETY: the caller's duty.
        unsafe { Vnni::store(products, self.0.add(group * GROUP)) }
    }
}

/// The products of blocks of which other planes come before or after, or none.
#[derive(Clone, Copy)]
struct Plane {
    out: *mut i32,
    shift: u32,
    add: bool,
}

impl Sink for Plane {
    #[inline(always)]
    unsafe fn put(&self, group: usize, products: __m512i) {
        // SAFETY: the caller's duty.
        unsafe {
            let products = _mm512_sll_epi32(products, _mm_cvtsi32_si128(self.shift as i32));
            let to = self.out.add(group * BLOCK_ROWS);
            let before = if self.add { _mm512_loadu_si512(to.cast()) } else { Vnni::zero() };
            Vnni::store(_mm512_add_epi32(before, products), to);
        }
    }
}

/// One plane of the first `count` rows.
///
/// # Safety
/// See `driver::rows`; the rows follow each other, and `count` is a multiple of [`GROUP`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn rows(job: &RowJob, count: usize) {
    // SAFETY: the caller's duty.
    unsafe { rows_to(job, count, &Plain(job.out)) }
}

/// One plane of blocks.
///
/// # Safety
/// See `driver::blocks`.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn blocks(job: &BlockJob) {
    // SAFETY: the caller's duty.
    unsafe { blocks_to(job, &Plane { out: job.out, shift: job.shift, add: job.add }) }
}

/// One plane of the first `count` rows, of which the products go to `sink`.
///
/// # Safety
/// As for [`rows`], but for the room, which is that of `sink`.
#[inline(always)]
pub(in crate::codes) unsafe fn rows_to<S: Sink>(job: &RowJob, count: usize, sink: &S) {
    // SAFETY: the caller's duty.
    unsafe {
        if job.bits == 8 {
            match job.place {
                Place::Near if job.bytes.is_multiple_of(64) => groups::<S, 8, 1, 8, 1, false, false>(job, count, sink),
                Place::Near => groups::<S, 8, 1, 8, 1, true, false>(job, count, sink),
                Place::Cached if job.bytes.is_multiple_of(256) => {
                    groups::<S, 8, 1, 1, 4, false, false>(job, count, sink)
                }
                Place::Cached => groups::<S, 8, 1, 1, 4, true, false>(job, count, sink),
                Place::Memory => groups::<S, 8, 1, 1, 4, true, true>(job, count, sink),
            }
        } else {
            match job.place {
                Place::Memory => groups::<S, 4, 2, 1, 2, true, true>(job, count, sink),
                Place::Near | Place::Cached if job.bytes.is_multiple_of(64) => {
                    groups::<S, 4, 2, 8, 1, false, false>(job, count, sink);
                }
                Place::Near | Place::Cached => groups::<S, 4, 2, 8, 1, true, false>(job, count, sink),
            }
        }
    }
}

/// One plane of blocks, of which the products go to `sink`.
///
/// # Safety
/// As for [`blocks`], but for the room, which is that of `sink`.
#[inline(always)]
pub(in crate::codes) unsafe fn blocks_to<S: Sink>(job: &BlockJob, sink: &S) {
    let most = match job.place {
        Place::Near => 3,
        Place::Cached if job.bits == 4 => 3,
        Place::Cached | Place::Memory => 1,
    };
    // SAFETY: the caller's duty.
    unsafe {
        if job.bits == 8 {
            each_block::<S, 8, 1, 4, 8>(job, most, sink)
        } else {
            each_block::<S, 4, 2, 2, 4>(job, most, sink)
        }
    }
}

/// Rows by the group, `ROWS` of them side by side with `SETS` sums of each field. `REST` says whether `SETS` registers
/// do not divide a row, and `FETCH` whether to ask for memory. To see that at every row instead costs a branch or two
/// that the CPU does not foresee: of rows of 768 bytes from the second-level cache up to half of the time.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
unsafe fn groups<
    S: Sink,
    const BITS: u32,
    const FIELDS: usize,
    const ROWS: usize,
    const SETS: usize,
    const REST: bool,
    const FETCH: bool,
>(
    job: &RowJob,
    count: usize,
    sink: &S,
) {
    // Always sixteen; a number that the compiler does not know keeps it from writing the loop out.
    let here = count.min(GROUP);
    let fetched = if job.first { job.stride } else { 0 };
    let mut done = 0;
    while done < count {
        // SAFETY: the caller's duty.
        unsafe {
            let mut sums = [MaybeUninit::uninit(); GROUP];
            let mut halves = [Vnni::zero(); 2];
            let mut row = job.base.add(done * job.stride);
            let mut first = 0;
            while first < here {
                if FETCH {
                    prefetch::lines(row.wrapping_add(AHEAD), ROWS * fetched);
                }
                let some = side_by_side::<BITS, FIELDS, ROWS, SETS, REST>(job, row.add(job.start));
                if ROWS == GROUP {
                    halves = [eight_sums(&some[..8]), eight_sums(&some[8..])];
                } else if ROWS == 8 {
                    halves = [halves[1], eight_sums(&some)];
                } else {
                    for r in 0..ROWS {
                        sums[first + r].write(some[r]);
                    }
                }
                row = row.wrapping_add(ROWS * job.stride);
                first += ROWS;
            }
            if ROWS < 8 {
                let sums: &[__m512i; GROUP] = &*sums.as_ptr().cast();
                halves = [eight_sums(&sums[..8]), eight_sums(&sums[8..])];
            }
            sink.put(done / GROUP, fold(halves[0], halves[1]));
        }
        done += GROUP;
    }
}

/// The sums of rows of which the plane of the first begins at `row`.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
unsafe fn side_by_side<const BITS: u32, const FIELDS: usize, const ROWS: usize, const SETS: usize, const REST: bool>(
    job: &RowJob,
    row: *const u8,
) -> [__m512i; ROWS] {
    let full = job.bytes / 64;
    // SAFETY: the caller's duty; lanes that a mask leaves out are not accessed.
    unsafe {
        let mut sums = [[[Vnni::zero(); FIELDS]; ROWS]; SETS];
        let mut register = 0;
        while register + SETS <= full {
            for set in 0..SETS {
                let parts = query_of::<BITS, FIELDS>(job, register + set);
                for r in 0..ROWS {
                    let codes = Vnni::load(row.add(r * job.stride + 64 * (register + set)));
                    Vnni::step::<BITS, FIELDS>(&mut sums[set][r], codes, &parts);
                }
            }
            register += SETS;
        }
        let left = job.bytes - 64 * register;
        if REST && left > 0 {
            for set in 0..SETS {
                // Lanes that a mask leaves out are not accessed.
                let lanes = left.saturating_sub(64 * set).min(64) / 4;
                let mask = ((1_u32 << lanes) - 1) as __mmask16;
                let at = register + set;
                let mut parts = [Vnni::zero(); FIELDS];
                for s in 0..FIELDS {
                    let from = job.query.wrapping_add((at * FIELDS + s) * 64);
                    parts[s] = _mm512_maskz_loadu_epi32(mask, from.cast());
                }
                for r in 0..ROWS {
                    let codes = _mm512_maskz_loadu_epi32(mask, row.wrapping_add(r * job.stride + 64 * at).cast());
                    Vnni::step::<BITS, FIELDS>(&mut sums[set][r], codes, &parts);
                }
            }
        }
        let mut totals = [Vnni::zero(); ROWS];
        for r in 0..ROWS {
            totals[r] = finish::<BITS, FIELDS, ROWS, SETS>(&sums, r);
        }
        totals
    }
}

/// The sums of each of four registers, in each quarter of one.
///
/// # Safety
/// The instruction set is available, here and below.
#[inline(always)]
unsafe fn four_sums(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
    }
}

/// Adds even quarters and odd ones of each, those of the first before those of the second.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn fold(a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe { _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b)) }
}

/// What [`fold`] makes the totals of eight registers of: in even and in odd quarters a part of each. Folded with that
/// of eight more, it gives the sixteen totals in order.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn eight_sums(sums: &[__m512i]) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe { fold(four_sums(sums[0], sums[1], sums[2], sums[3]), four_sums(sums[4], sums[5], sums[6], sums[7])) }
}

/// What multiplies the fields of a register of codes in rows.
///
/// # Safety
/// The query holds it.
#[inline(always)]
unsafe fn query_of<const BITS: u32, const FIELDS: usize>(job: &RowJob, register: usize) -> [__m512i; FIELDS] {
    // SAFETY: the caller's duty.
    unsafe {
        let mut parts = [Vnni::zero(); FIELDS];
        for s in 0..FIELDS {
            parts[s] = Vnni::query::<BITS>(job.query.add((register * FIELDS + s) * 64));
        }
        parts
    }
}

/// The sum of row or block `i` from all its sets and fields.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn finish<const BITS: u32, const FIELDS: usize, const COUNT: usize, const SETS: usize>(
    sums: &[[[__m512i; FIELDS]; COUNT]; SETS],
    i: usize,
) -> __m512i {
    let mut all = sums[0][i];
    // SAFETY: the caller's duty.
    unsafe {
        for set in 1..SETS {
            for s in 0..FIELDS {
                all[s] = _mm512_add_epi32(all[s], sums[set][i][s]);
            }
        }
        Vnni::finish::<BITS, FIELDS>(&all)
    }
}

/// Blocks, `most` (1 to 3) at a time; several have `SETS` sums of each field, and one `ALONE`.
///
/// # Safety
/// See `driver::blocks`.
#[inline(always)]
unsafe fn each_block<S: Sink, const BITS: u32, const FIELDS: usize, const SETS: usize, const ALONE: usize>(
    job: &BlockJob,
    most: usize,
    sink: &S,
) {
    let mut done = 0;
    while done < job.blocks {
        let left = job.blocks - done;
        // Two and two are faster than three and one.
        let here = if left == 4 { most.min(2) } else { most.min(left) };
        // SAFETY: the caller's duty.
        unsafe {
            match here {
                3 => some_blocks::<S, BITS, FIELDS, SETS, 3>(job, done, sink),
                2 => some_blocks::<S, BITS, FIELDS, SETS, 2>(job, done, sink),
                _ => some_blocks::<S, BITS, FIELDS, ALONE, 1>(job, done, sink),
            }
        }
        done += here;
    }
}

/// Blocks from block `first` on.
///
/// # Safety
/// See `driver::blocks`.
#[inline(always)]
unsafe fn some_blocks<S: Sink, const BITS: u32, const FIELDS: usize, const SETS: usize, const COUNT: usize>(
    job: &BlockJob,
    first: usize,
    sink: &S,
) {
    const { assert!((FIELDS * SETS).is_multiple_of(4) && FIELDS * SETS <= WORDS) }
    // SAFETY: the blocks are readable for `steps` steps, the query holds four bytes for each field of each step, and
    // there is room for the products.
    unsafe {
        let from = job.codes.add(first * job.stride);
        let mut sums = [[[Vnni::zero(); FIELDS]; COUNT]; SETS];
        let mut step = 0;
        while step + SETS <= job.steps {
            let mut words = [Vnni::zero(); WORDS];
            for four in 0..FIELDS * SETS / 4 {
                let from = job.query.add((step * FIELDS + four * 4) * 4);
                words[4 * four..4 * four + 4].copy_from_slice(&spread_words::<BITS, COUNT>(from));
            }
            for set in 0..SETS {
                let parts = &*words[set * FIELDS..].as_ptr().cast::<[__m512i; FIELDS]>();
                for c in 0..COUNT {
                    let codes = Vnni::load(from.add(c * job.stride + (step + set) * STEP_BYTES));
                    Vnni::step::<BITS, FIELDS>(&mut sums[set][c], codes, parts);
                }
            }
            step += SETS;
        }
        while step < job.steps {
            let mut parts = [Vnni::zero(); FIELDS];
            for s in 0..FIELDS {
                parts[s] = Vnni::query4::<BITS>(job.query.add((step * FIELDS + s) * 4));
            }
            for c in 0..COUNT {
                let codes = Vnni::load(from.add(c * job.stride + step * STEP_BYTES));
                Vnni::step::<BITS, FIELDS>(&mut sums[0][c], codes, &parts);
            }
            step += 1;
        }
        for c in 0..COUNT {
            let products = finish::<BITS, FIELDS, COUNT, SETS>(&sums, c);
            sink.put(first + c, products);
        }
    }
}

/// Sixteen bytes of a query, each four of them in all lanes.
///
/// # Safety
/// The instruction set is available, and they are readable.
#[inline(always)]
unsafe fn spread_words<const BITS: u32, const COUNT: usize>(from: *const i8) -> [__m512i; 4] {
    // SAFETY: the caller's duty.
    unsafe {
        let mut words = [Vnni::zero(); 4];
        for i in 0..4 {
            words[i] = Vnni::query4::<BITS>(from.add(4 * i));
        }
        if BITS == 8 || COUNT == 1 {
            let all = _mm512_broadcast_i32x4(_mm_loadu_si128(from.cast()));
            (words[1], words[3]) = (spread::<0x55>(all), spread::<0xff>(all));
            if BITS == 8 {
                (words[0], words[2]) = (spread::<0x00>(all), spread::<0xaa>(all));
            }
        }
        words
    }
}

/// `vpshufd`, which the compiler would make a load of its own again.
///
/// # Safety
/// The instruction set is available.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn spread<const ORDER: i32>(words: __m512i) -> __m512i {
    let spread: __m512i;
    // SAFETY: works on two registers.
    unsafe {
        asm!("vpshufd {}, {}, {}", out(zmm_reg) spread, in(zmm_reg) words, const ORDER,
            options(pure, nomem, nostack, preserves_flags));
    }
    spread
}
