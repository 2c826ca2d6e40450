//! What the x86-64 sets share: adding up lanes, and the last units of a vector without masked loads.
use std::arch::x86_64::*;

/// The sum of four lanes.
///
/// # Safety
/// AVX2 is available, here and below.
#[inline(always)]
pub(super) unsafe fn total128(sum: __m128i) -> i32 {
    // SAFETY: the caller's duty.
    unsafe {
        let two = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b01>(two)))
    }
}

/// The sum of eight lanes.
#[inline(always)]
pub(super) unsafe fn total256(sum: __m256i) -> i32 {
    // SAFETY: the caller's duty.
    unsafe { total128(_mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum))) }
}

/// The sum of the lanes of each, by transposing while adding.
#[inline(always)]
pub(super) unsafe fn four256([a, b, c, d]: [__m256i; 4]) -> __m128i {
    // SAFETY: the caller's duty.
    unsafe {
        let ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
        let cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
        let sums = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
        _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums))
    }
}

/// The totals of any number of registers of eight lanes.
#[inline(always)]
pub(super) unsafe fn totals256(sums: &[__m256i], to: &mut [i32]) {
    let mut i = 0;
    // SAFETY: the caller's duty; four places follow `i`.
    unsafe {
        while i + 4 <= sums.len() {
            let four = four256([sums[i], sums[i + 1], sums[i + 2], sums[i + 3]]);
            _mm_storeu_si128(to[i..i + 4].as_mut_ptr().cast(), four);
            i += 4;
        }
        while i < sums.len() {
            to[i] = total256(sums[i]);
            i += 1;
        }
    }
}

/// 32 bytes of zeros and then 32 of ones: from `count` on, a mask of the last `count` bytes.
static LAST: [u8; 64] = {
    let mut mask = [0; 64];
    let mut i = 32;
    while i < 64 {
        mask[i] = 0xff;
        i += 1;
    }
    mask
};

/// The last `count` bytes of a vector at the end of a register, zeros before them, or, where the register would begin
/// before the vector, in front.
///
/// # Safety
/// `count` is in `1..=32`, and `before` bytes in front of `from` are readable beside `count` from there.
#[inline(always)]
pub(super) unsafe fn last32(from: *const u8, count: usize, before: usize) -> __m256i {
    // SAFETY: the caller's duty; the mask is read from an offset of at most 32.
    unsafe {
        if before + count >= 32 {
            let mask = _mm256_loadu_si256(LAST.as_ptr().add(count).cast());
            return _mm256_and_si256(_mm256_loadu_si256(from.sub(32 - count).cast()), mask);
        }
        let mut bytes = [0u8; 32];
        from.copy_to_nonoverlapping(bytes.as_mut_ptr(), count);
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}

/// [`last32`] of half the size.
///
/// # Safety
/// As [`last32`], with `count` in `1..=16`.
#[inline(always)]
pub(super) unsafe fn last16(from: *const u8, count: usize, before: usize) -> __m128i {
    // SAFETY: the caller's duty; the mask is read from an offset of 16 to 32.
    unsafe {
        if before + count >= 16 {
            let mask = _mm_loadu_si128(LAST.as_ptr().add(16 + count).cast());
            return _mm_and_si128(_mm_loadu_si128(from.sub(16 - count).cast()), mask);
        }
        let mut bytes = [0u8; 16];
        from.copy_to_nonoverlapping(bytes.as_mut_ptr(), count);
        _mm_loadu_si128(bytes.as_ptr().cast())
    }
}
/// The totals of any number of registers of sixteen lanes.
///
/// # Safety
/// AVX-512 F and DQ are available, here and below.
#[inline(always)]
pub(super) unsafe fn totals512(sums: &[__m512i], to: &mut [i32]) {
    let mut i = 0;
    // SAFETY: the caller's duty; as many places as are stored follow `i`.
    unsafe {
        while i + 8 <= sums.len() {
            let (low, high) = (four512(&sums[i..i + 4]), four512(&sums[i + 4..i + 8]));
            // Lanes 0 and 2 beside lanes 1 and 3 of either, and then those of the four low rows in the low half.
            let two = _mm512_add_epi32(
                _mm512_shuffle_i64x2::<0b10_00_10_00>(low, high),
                _mm512_shuffle_i64x2::<0b11_01_11_01>(low, high),
            );
            let two = _mm512_shuffle_i64x2::<0b11_01_10_00>(two, two);
            let eight = _mm256_add_epi32(_mm512_castsi512_si256(two), _mm512_extracti64x4_epi64::<1>(two));
            _mm256_storeu_si256(to[i..i + 8].as_mut_ptr().cast(), eight);
            i += 8;
        }
        while i + 4 <= sums.len() {
            let four = halves(four512(&sums[i..i + 4]));
            let four = _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256::<1>(four));
            _mm_storeu_si128(to[i..i + 4].as_mut_ptr().cast(), four);
            i += 4;
        }
        while i < sums.len() {
            to[i] = total256(halves(sums[i]));
            i += 1;
        }
    }
}

#[inline(always)]
unsafe fn halves(sum: __m512i) -> __m256i {
    // SAFETY: the caller's duty.
    unsafe { _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64::<1>(sum)) }
}

/// In each 128-bit lane, the sums of that lane of the four registers.
#[inline(always)]
unsafe fn four512(sums: &[__m512i]) -> __m512i {
    // SAFETY: the caller's duty.
    unsafe {
        let (a, b, c, d) = (sums[0], sums[1], sums[2], sums[3]);
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
    }
}
