//! The nearest centre of each row, on as many threads as are lent.

use elanus_kernels::codes::pq8::Codebooks;
use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::{Kernel, KernelError, Metric, Rows};
use rayon::prelude::*;

use crate::{BuildCx, BuildError};

/// Rows that one thread takes at a time.
const CHUNK: usize = 4096;

/// Values of all centres up to which plain loops beat the packing of a product of matrices.
const PLAIN_VALUES: usize = 4096;

/// Centres up to which they are compared as the columns of a codebook of product codes.
const COLUMNS: usize = 256;

/// Dimensions up to which those columns beat a product of matrices where they are [`COLUMNS`]; 16 always do.
const COLUMN_DIMS: usize = 128;

/// Centres that a plain loop compares at a time.
const LANES: usize = 16;

/// For each row the number of the nearest centre by L2, of equally near ones the first, and its squared distance. A
/// row without a comparable centre has number 0 and a key that is not finite.
///
/// # Errors
/// When no kernel can be had, or the caller cancelled.
pub(crate) fn assign(
    rows: Rows<'_, f32>,
    centres: Rows<'_, f32>,
    cx: &BuildCx<'_>,
) -> Result<(Vec<u32>, Vec<f32>), BuildError> {
    let (mut nearest, mut keys) = (vec![0; rows.len()], vec![f32::NAN; rows.len()]);
    if centres.is_empty() {
        return Ok((nearest, keys));
    }
    let columns = Columns::new(centres)?;
    let few = columns.is_none() && centres.data().len() <= PLAIN_VALUES;
    let table = if few { Table::new(centres) } else { Table::default() };
    let gemm = Gemm::<f32>::new(Metric::L2)?;
    let one = |scratch: &mut Scratch, at: usize, nearest: &mut [u32], keys: &mut [f32]| {
        if cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let part = rows.slice(at * CHUNK..at * CHUNK + nearest.len());
        if let Some(columns) = &columns {
            columns.nearest(part, nearest, keys);
        } else if few {
            for (row, (nearest, key)) in part.iter().zip(nearest.iter_mut().zip(keys)) {
                (*nearest, *key) = table.nearest(row);
            }
        } else {
            gemm.assign(part, centres, scratch, nearest, keys);
        }
        Ok(())
    };
    match cx.pool {
        Some(pool) => pool.install(|| {
            let parts = nearest.par_chunks_mut(CHUNK).zip(keys.par_chunks_mut(CHUNK)).enumerate();
            parts.try_for_each_init(Scratch::default, |scratch, (at, (nearest, keys))| one(scratch, at, nearest, keys))
        })?,
        None => {
            let mut scratch = Scratch::default();
            for (at, (nearest, keys)) in nearest.chunks_mut(CHUNK).zip(keys.chunks_mut(CHUNK)).enumerate() {
                one(&mut scratch, at, nearest, keys)?;
            }
        }
    }
    Ok((nearest, keys))
}

/// A few centres as the one codebook of a product quantizer, whose rows are encoded: the code is the nearest centre.
struct Columns<'a> {
    books: Codebooks,
    kernel: Kernel<f32>,
    centres: Rows<'a, f32>,
}

impl<'a> Columns<'a> {
    /// `None` where other ways are faster.
    fn new(centres: Rows<'a, f32>) -> Result<Option<Self>, KernelError> {
        let places = if centres.len() <= LANES { LANES } else { COLUMNS };
        if centres.len() > places || (places > LANES && centres.dim() > COLUMN_DIMS) {
            return Ok(None);
        }
        // Copies of the first centre, which are never the first of equally near ones.
        let mut values = centres.data().to_vec();
        (centres.len()..places).for_each(|_| values.extend_from_slice(centres.row(0)));
        let books = Codebooks::new(&values, 1, places, centres.dim())?;
        Ok(Some(Self { books, kernel: Kernel::new(Metric::L2)?, centres }))
    }

    fn nearest(&self, rows: Rows<'_, f32>, nearest: &mut [u32], keys: &mut [f32]) {
        let mut codes = vec![0; rows.len()];
        self.books.encode(rows, &mut codes);
        for ((row, code), (nearest, key)) in rows.iter().zip(codes).zip(nearest.iter_mut().zip(keys)) {
            *nearest = u32::from(code);
            *key = self.kernel.pair(row, self.centres.row(usize::from(code)));
        }
    }
}

/// Centres dimension by dimension, filled up to whole lanes with infinities, so that a loop over lanes is vector code.
#[derive(Debug, Default)]
struct Table {
    /// Value `d` of centre `c` at `(c / LANES * dim + d) * LANES + c % LANES`.
    values: Vec<[f32; LANES]>,
}

impl Table {
    fn new(centres: Rows<'_, f32>) -> Self {
        let dim = centres.dim();
        let mut values = vec![[f32::INFINITY; LANES]; centres.len().div_ceil(LANES) * dim];
        for (c, centre) in centres.iter().enumerate() {
            for (d, value) in centre.iter().enumerate() {
                values[c / LANES * dim + d][c % LANES] = *value;
            }
        }
        Self { values }
    }

    fn nearest(&self, row: &[f32]) -> (u32, f32) {
        let (mut best, mut at) = ([f32::INFINITY; LANES], [0u32; LANES]);
        for (group, values) in self.values.chunks_exact(row.len()).enumerate() {
            let mut sums = [0.0f32; LANES];
            for (value, lanes) in row.iter().zip(values) {
                for lane in 0..LANES {
                    let difference = value - lanes[lane];
                    sums[lane] += difference * difference;
                }
            }
            for lane in 0..LANES {
                let is_nearer = sums[lane] < best[lane];
                best[lane] = if is_nearer { sums[lane] } else { best[lane] };
                at[lane] = if is_nearer { group as u32 } else { at[lane] };
            }
        }
        let mut found = (f32::INFINITY, 0);
        for lane in 0..LANES {
            let number = at[lane] * LANES as u32 + lane as u32;
            if best[lane] < found.0 || (best[lane] == found.0 && best[lane].is_finite() && number < found.1) {
                found = (best[lane], number);
            }
        }
        (found.1, found.0)
    }
}
