//! Plain Rust, for any CPU: each code is looked up by itself. The other versions are compared with this one.
#![allow(clippy::needless_range_loop, reason = "the loops are over the places that the formats name")]
use super::{BLOCK, CENTROIDS, Lut};

/// Adds the entries of one sub-quantizer, sixteen bytes of the classic layout.
#[inline(always)]
fn add_classic(sums: &mut [u32; BLOCK], table: &[u8; CENTROIDS], codes: &[u8; 16]) {
    for i in 0..8 {
        let (even, odd) = (codes[2 * i], codes[2 * i + 1]);
        sums[i] += u32::from(table[usize::from(even & 15)]);
        sums[i + 8] += u32::from(table[usize::from(odd & 15)]);
        sums[i + 16] += u32::from(table[usize::from(even >> 4)]);
        sums[i + 24] += u32::from(table[usize::from(odd >> 4)]);
    }
}

/// Adds the entries of eight sub-quantizers, 128 bytes of the vector-major layout.
#[inline(always)]
fn add_vector_major(sums: &mut [u32; BLOCK], tables: &[[u8; CENTROIDS]; 8], codes: &[u8; 128]) {
    for r in 0..BLOCK {
        for j in 0..4 {
            let code = usize::from(codes[4 * r + j]);
            sums[r] += u32::from(tables[j][code & 15]) + u32::from(tables[j + 4][code >> 4]);
        }
    }
}

/// Writes the keys of one block and moves on to the next one.
///
/// # Safety
/// There is room for 32 keys.
#[inline(always)]
unsafe fn finish(lut: &mut Lut, sums: &[u32; BLOCK]) {
    // SAFETY: the caller's duty.
    unsafe {
        for r in 0..BLOCK {
            lut.keys.add(r).write(lut.key(sums[r]));
        }
        lut.keys = lut.keys.add(BLOCK);
    }
}

/// # Safety
/// As `Run` says.
pub(super) unsafe fn classic_one(luts: &[Lut; 1], mut codes: *const u8, m: usize, blocks: usize) {
    let [mut lut] = *luts;
    for _ in 0..blocks {
        let mut sums = [0; BLOCK];
        for s in 0..m.next_multiple_of(2) {
            // SAFETY: a block has sixteen bytes for each sub-quantizer and one to fill up, and so have the tables.
            unsafe { add_classic(&mut sums, &*lut.tables.add(16 * s).cast(), &*codes.add(16 * s).cast()) };
        }
        // SAFETY: the next block follows, or the end of the codes; the caller left room for the keys of each block.
        unsafe {
            finish(&mut lut, &sums);
            codes = codes.add(16 * m.next_multiple_of(2));
        }
    }
}

/// # Safety
/// As `Run` says.
pub(super) unsafe fn vector_major_one(luts: &[Lut; 1], mut codes: *const u8, m: usize, blocks: usize) {
    let [mut lut] = *luts;
    for _ in 0..blocks {
        let mut sums = [0; BLOCK];
        for g in 0..m.div_ceil(8) {
            // SAFETY: a block has 128 bytes for each eight sub-quantizers, and so have the tables.
            unsafe { add_vector_major(&mut sums, &*lut.tables.add(128 * g).cast(), &*codes.add(128 * g).cast()) };
        }
        // SAFETY: the next block follows, or the end of the codes; the caller left room for the keys of each block.
        unsafe {
            finish(&mut lut, &sums);
            codes = codes.add(128 * m.div_ceil(8));
        }
    }
}

/// # Safety
/// As `Run` says.
pub(super) unsafe fn classic_four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    for lut in luts {
        // SAFETY: the caller's duty.
        unsafe { classic_one(&[*lut], codes, m, blocks) };
    }
}

/// # Safety
/// As `Run` says.
pub(super) unsafe fn vector_major_four(luts: &[Lut; 4], codes: *const u8, m: usize, blocks: usize) {
    for lut in luts {
        // SAFETY: the caller's duty.
        unsafe { vector_major_one(&[*lut], codes, m, blocks) };
    }
}
