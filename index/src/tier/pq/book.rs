//! One codebook while rows are encoded with it.

use elanus_kernels::codes::pq8::Codebooks;
use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::{Kernel, KernelError, Metric, Rows};

/// Centroids up to which a codebook is compared as columns, which does not depend on how few components there are.
const COLUMNS: usize = 256;

/// The centroids of one part on one level.
pub(in crate::tier) struct Book<'a> {
    dsub: usize,
    values: &'a [f32],
    way: Way,
}

/// How parts are compared with the centroids.
enum Way {
    Columns(Codebooks),
    Rows { kernel: Kernel<f32>, gemm: Gemm<f32> },
}

impl<'a> Book<'a> {
    /// Takes centroids of `dsub` components, one after another; there is at least one.
    pub(in crate::tier) fn new(values: &'a [f32], dsub: usize) -> Result<Self, KernelError> {
        let centroids = values.len() / dsub;
        let way = if centroids <= COLUMNS {
            let (places, padded) = padded(values, centroids, dsub);
            Way::Columns(Codebooks::new(&padded, 1, places, dsub)?)
        } else {
            Way::Rows { kernel: Kernel::new(Metric::L2)?, gemm: Gemm::new(Metric::L2)? }
        };
        Ok(Self { dsub, values, way })
    }

    pub(in crate::tier) fn centroid(&self, code: usize) -> &[f32] {
        &self.values[code * self.dsub..][..self.dsub]
    }

    /// The squared distances of a part to all centroids, in the place of what `keys` held.
    pub(in crate::tier) fn keys(&self, part: &[f32], keys: &mut Vec<f32>) {
        let centroids = self.values.len() / self.dsub;
        match &self.way {
            Way::Columns(books) => {
                keys.resize(books.k(), 0.0);
                books.tables(part, Metric::L2, keys);
                keys.truncate(centroids);
            }
            Way::Rows { kernel, .. } => {
                keys.resize(centroids, 0.0);
                kernel.rows(part, rows(self.values, self.dsub), keys);
            }
        }
    }

    /// The nearest centroid of each part, the first of equally near ones, and 0 where none is at a finite distance.
    pub(in crate::tier) fn nearest(&self, parts: &[f32], codes: &mut [u32]) {
        let parts = rows(parts, self.dsub);
        match &self.way {
            Way::Columns(books) => {
                let mut bytes = vec![0; codes.len()];
                books.encode(parts, &mut bytes);
                codes.iter_mut().zip(bytes).for_each(|(code, byte)| *code = u32::from(byte));
            }
            Way::Rows { gemm, .. } => {
                let mut keys = vec![0.0; codes.len()];
                gemm.assign(parts, rows(self.values, self.dsub), &mut Scratch::default(), codes, &mut keys);
            }
        }
    }
}

/// Parts or centroids, of which there is a whole number.
fn rows(values: &[f32], dsub: usize) -> Rows<'_, f32> {
    Rows::new(values, dsub).unwrap_or_else(|_| unreachable!("parts are whole"))
}

/// The codebooks in `values`, of up to 256 centroids each, with so many copies of the first centroid behind the last
/// one that there are 16 or 256, and which of the two. No copy is ever the first of equally near centroids.
pub(in crate::tier) fn padded(values: &[f32], centroids: usize, dsub: usize) -> (usize, Vec<f32>) {
    let places = if centroids <= 16 { 16 } else { 256 };
    let mut all = Vec::with_capacity(values.len() / centroids * places);
    for book in values.chunks_exact(centroids * dsub) {
        all.extend_from_slice(book);
        (centroids..places).for_each(|_| all.extend_from_slice(&book[..dsub]));
    }
    (places, all)
}
