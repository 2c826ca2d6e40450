//! Plain Rust: the oracle of the other sets, and the sums of the last words or rows for some.
use super::{
    blocks::{BlockKernel, Direct, Finish, Outputs, finish},
    estimate::Scan,
    layout::BLOCK,
};

/// See [`super::estimate::RowsRun`].
///
/// # Safety
/// The signs of all rows are readable, `words` words each, with the trailers, and the planes; `keys` and `errors` have
/// room for `count`.
pub(super) unsafe fn rows(scan: &Scan<'_>, keys: *mut f32, errors: *mut f32) {
    for i in 0..scan.count {
        let mut sum = 0;
        for word in 0..scan.words {
            // SAFETY: the caller's duty.
            unsafe {
                let signs = scan.row(i).cast::<u64>().add(word).read_unaligned();
                for plane in 0..scan.plane_count {
                    let q = *scan.planes.add(plane * scan.words + word);
                    sum += (u64::from_le(signs) ^ q).count_ones() << plane;
                }
            }
        }
        // SAFETY: the caller's duty.
        unsafe { (*keys.add(i), *errors.add(i)) = scan.estimate(i, sum) };
    }
}

/// See [`super::estimate::FullRun`].
///
/// # Safety
/// `64 * words` bytes and the planes, of `words` words each, are readable.
pub(super) unsafe fn full(bytes: *const i8, words: usize, signs: *const u8, planes: *const u8, extra: usize) -> i32 {
    let mut sum = 0;
    for k in 0..8 * words {
        for j in 0..8 {
            // SAFETY: the caller's duty.
            unsafe {
                let mut code = i32::from(*signs.add(k) >> j & 1);
                for plane in 0..extra {
                    code = 2 * code + i32::from(*planes.add(plane * 8 * words + k) >> j & 1);
                }
                sum += code * i32::from(*bytes.add(8 * k + j));
            }
        }
    }
    sum
}

/// The scans of blocks.
pub(super) const BLOCKS: BlockKernel = BlockKernel { direct, one, four, finish: last, wide: false };

/// See [`super::blocks::DirectRun`].
///
/// # Safety
/// What [`one`] asks for, for each block; factors follow the signs, and `keys`, and `errors` unless it is null, have
/// room for the rows of all blocks.
unsafe fn direct(job: &Direct, keys: *mut f32, errors: *mut f32) {
    for i in 0..job.count {
        // SAFETY: the caller's duty.
        unsafe {
            let mut sums = [0; BLOCK];
            one(job.tables, job.bytes, job.block(i), &mut sums);
            job.finish(i, &sums, keys, errors);
        }
    }
}

/// See [`super::blocks::OneRun`]; tables of 16 entries.
///
/// # Safety
/// `32 * bytes` bytes of tables and `64 * bytes` of the block are readable.
unsafe fn one(tables: *const u8, bytes: usize, block: *const u8, sums: &mut [u16; BLOCK]) {
    sums.fill(0);
    for k in 0..bytes {
        for (row, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's duty; an entry is below 16.
            unsafe {
                let byte = usize::from(*block.add(BLOCK * k + row));
                let low = *tables.add(32 * k + (byte & 15));
                let high = *tables.add(32 * k + 16 + (byte >> 4));
                *sum = sum.wrapping_add(u16::from(low) + u16::from(high));
            }
        }
    }
}

/// See [`super::blocks::FourRun`].
///
/// # Safety
/// As for [`one`], for each of four tables.
unsafe fn four(tables: [*const u8; 4], bytes: usize, block: *const u8, sums: &mut [[u16; BLOCK]; 4]) {
    for (tables, sums) in tables.into_iter().zip(sums) {
        // SAFETY: the caller's duty.
        unsafe { one(tables, bytes, block, sums) }
    }
}

/// See [`finish`].
///
/// # Safety
/// None is needed.
unsafe fn last(job: &Finish<'_>, outputs: Outputs<'_>) {
    finish(job, outputs);
}
