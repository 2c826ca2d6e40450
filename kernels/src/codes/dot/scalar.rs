//! Plain Rust: the reference of the other sets, in loops over sixteen bytes that any compiler can vectorise.
use super::{
    driver::{BlockJob, Cell, RowJob},
    layout::{BLOCK_ROWS, GROUP_BYTES, STEP_BYTES},
};

pub(super) const CELL: Cell = Cell { rows, blocks, register: GROUP_BYTES, tables: false, signed: false };

/// One plane of rows.
///
/// # Safety
/// `job` describes readable codes and query and writable products.
unsafe fn rows(job: &RowJob) {
    let (fields, mask) = (8 / job.bits as usize, 0xff >> (8 - job.bits));
    for i in 0..job.count {
        let mut sum = 0;
        for group in 0..job.bytes / GROUP_BYTES {
            // SAFETY: the groups of the row, and as many sixteens of the query as there are fields in each.
            let (codes, query) = unsafe {
                let row = job.row(i).add(job.start);
                let codes = *row.add(group * GROUP_BYTES).cast::<[u8; GROUP_BYTES]>();
                (codes, job.query.add(group * GROUP_BYTES * fields))
            };
            for field in 0..fields {
                // SAFETY: as above.
                let query = unsafe { *query.add(field * GROUP_BYTES).cast::<[i8; GROUP_BYTES]>() };
                let shift = field as u32 * job.bits;
                for (code, q) in codes.iter().zip(query) {
                    sum += i32::from((code >> shift) & mask) * i32::from(q);
                }
            }
        }
        // SAFETY: there is room for `count` products.
        unsafe { *job.out.add(i) = sum };
    }
}

/// One plane of blocks.
///
/// # Safety
/// As for [`rows`].
unsafe fn blocks(job: &BlockJob) {
    let (fields, mask) = (8 / job.bits as usize, 0xff >> (8 - job.bits));
    for block in 0..job.blocks {
        let mut sums = [0; BLOCK_ROWS];
        for step in 0..job.steps {
            // SAFETY: the steps of the block.
            let codes =
                unsafe { *job.codes.add(block * job.stride + step * STEP_BYTES).cast::<[[u8; 4]; BLOCK_ROWS]>() };
            for field in 0..fields {
                // SAFETY: the query holds four bytes for each field of each step.
                let query = unsafe { *job.query.add((step * fields + field) * 4).cast::<[i8; 4]>() };
                let shift = field as u32 * job.bits;
                for (sum, four) in sums.iter_mut().zip(codes) {
                    for (code, q) in four.into_iter().zip(query) {
                        *sum += i32::from((code >> shift) & mask) * i32::from(q);
                    }
                }
            }
        }
        // SAFETY: there is room for sixteen products a block.
        unsafe { job.put(block * BLOCK_ROWS, 0, &sums) };
    }
}
