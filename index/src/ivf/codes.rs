//! The codes of a list's rows.
//!
//! A query for which a row is near lies along it, so of the error of a code the part along the row counts most for a
//! product. Codes for IP and COSINE are therefore those with the least `eta * |along|^2 + |across|^2`, where `eta` is
//! `(d - 1) t^2 / (1 - t^2)` and `t` is 0.2 (Guo et al., "Accelerating Large-Scale Inference with Anisotropic Vector
//! Quantization", ICML 2020, theorem 3.4), found by changing one code at a time until none improves.

use elanus_kernels::codes::pq4::{self, CENTROIDS};
use elanus_kernels::codes::pq8::Codebooks;
use elanus_kernels::{Metric, Number, Rows};

use super::LAYOUT;
use super::space::Space;

/// Rows that are coded together; whole blocks.
const CHUNK: usize = 32 * pq4::BLOCK;

/// Times that all codes of a row are gone through at most.
const ROUNDS: usize = 3;

/// What share of a row's length a query's product with it has, at least, to matter.
const THRESHOLD: f32 = 0.2;

/// Codes rows.
pub(super) struct Encoder<'a, E> {
    pub(super) rows: Rows<'a, E>,
    pub(super) space: &'a Space,
    pub(super) codebooks: &'a Codebooks,
    /// The centroids of [`Encoder::codebooks`]: sub-quantizers by 16 by components.
    pub(super) books: &'a [f32],
}

/// The packed codes of a list, and its terms for L2.
#[derive(Debug, Default)]
pub(super) struct Coded {
    pub(super) codes: Vec<u8>,
    pub(super) terms: Vec<f32>,
}

impl<E: Number> Encoder<'_, E> {
    /// Codes the rows of a list.
    pub(super) fn list(&self, ids: &[u32], centre: &[f32]) -> Coded {
        let (m, width) = (self.codebooks.m(), self.codebooks.dim());
        let mut coded = Coded::default();
        let (mut points, mut rest, mut codes) = (Vec::new(), Vec::new(), Vec::new());
        for ids in ids.chunks(CHUNK) {
            self.space.gather(self.rows, ids, width, &mut points);
            rest.clone_from(&points);
            for rest in rest.chunks_exact_mut(width) {
                rest.iter_mut().zip(centre).for_each(|(value, centre)| *value -= centre);
            }
            codes.clear();
            codes.resize(ids.len() * self.codebooks.row_bytes(), 0);
            let Ok(rows) = Rows::new(&rest, width) else { return coded };
            self.codebooks.encode(rows, &mut codes);
            if self.space.metric == Metric::L2 {
                self.add_terms(&codes, centre, &mut rest, &mut coded.terms);
            } else {
                self.turn(&points, &rest, &mut codes);
            }
            let start = coded.codes.len();
            coded.codes.resize(start + LAYOUT.packed_bytes(m, ids.len()), 0);
            pq4::pack(LAYOUT, m, &codes, &mut coded.codes[start..]);
        }
        coded
    }

    /// What the codes add to the key; `decoded` is room for as many rows.
    fn add_terms(&self, codes: &[u8], centre: &[f32], decoded: &mut [f32], terms: &mut Vec<f32>) {
        self.codebooks.decode(codes, decoded);
        for row in decoded.chunks_exact(self.codebooks.dim()) {
            let square: f64 = row.iter().map(|value| f64::from(value * value)).sum();
            let product: f64 = row.iter().zip(centre).map(|(value, centre)| f64::from(value * centre)).sum();
            terms.push((square + 2.0 * product) as f32);
        }
    }

    /// Improves the codes of `rest` for queries along `points`.
    fn turn(&self, points: &[f32], rest: &[f32], codes: &mut [u8]) {
        let (m, width, part) = (self.codebooks.m(), self.codebooks.dim(), self.codebooks.dsub());
        let weight = (self.rows.dim() as f32 - 1.0) * THRESHOLD * THRESHOLD / (1.0 - THRESHOLD * THRESHOLD) - 1.0;
        if weight <= 0.0 {
            return;
        }
        let columns = columns(self.books, m, part);
        let mut plain = vec![0u8; m];
        let row_bytes = self.codebooks.row_bytes();
        let both = points.chunks_exact(width).zip(rest.chunks_exact(width));
        for ((point, rest), codes) in both.zip(codes.chunks_exact_mut(row_bytes)) {
            let square: f32 = point.iter().map(|value| value * value).sum();
            if square <= f32::MIN_POSITIVE {
                continue;
            }
            plain.iter_mut().enumerate().for_each(|(s, code)| *code = codes[s / 2] >> (4 * (s % 2)) & 15);
            Row { point, rest, part, weight: weight / square, columns: &columns }.improve(&mut plain);
            codes.fill(0);
            plain.iter().enumerate().for_each(|(s, code)| codes[s / 2] |= code << (4 * (s % 2)));
        }
    }
}

/// The centroids component by component, sixteen side by side.
fn columns(books: &[f32], m: usize, part: usize) -> Vec<[f32; CENTROIDS]> {
    let mut columns = vec![[0.0; CENTROIDS]; m * part];
    for (s, book) in books.chunks_exact(CENTROIDS * part).enumerate() {
        for (c, centroid) in book.chunks_exact(part).enumerate() {
            for (d, value) in centroid.iter().enumerate() {
                columns[s * part + d][c] = *value;
            }
        }
    }
    columns
}

/// A row that is coded, with what its codes are of.
struct Row<'a> {
    point: &'a [f32],
    rest: &'a [f32],
    part: usize,
    /// What the square of the product of error and point weighs beside the square of the error.
    weight: f32,
    columns: &'a [[f32; CENTROIDS]],
}

impl Row<'_> {
    /// Changes one code at a time for the better.
    fn improve(&self, codes: &mut [u8]) {
        let mut along: f32 = codes.iter().enumerate().map(|(s, code)| self.along(s, usize::from(*code))).sum();
        for _ in 0..ROUNDS {
            let mut is_changed = false;
            for (s, code) in codes.iter_mut().enumerate() {
                let others = along - self.along(s, usize::from(*code));
                let (best, product) = self.best(s, others);
                if best != *code {
                    *code = best;
                    is_changed = true;
                }
                along = others + product;
            }
            if !is_changed {
                return;
            }
        }
    }

    /// The product of the error of one code with the point.
    fn along(&self, s: usize, code: usize) -> f32 {
        (s * self.part..(s + 1) * self.part).map(|d| (self.rest[d] - self.columns[d][code]) * self.point[d]).sum()
    }

    /// The best code of a part where the others' errors have the product `others` with the point, and its own product.
    fn best(&self, s: usize, others: f32) -> (u8, f32) {
        let (mut square, mut product) = ([0.0f32; CENTROIDS], [0.0f32; CENTROIDS]);
        for d in s * self.part..(s + 1) * self.part {
            let (rest, point, column) = (self.rest[d], self.point[d], &self.columns[d]);
            for c in 0..CENTROIDS {
                let error = rest - column[c];
                square[c] += error * error;
                product[c] += error * point;
            }
        }
        let mut loss = [0.0f32; CENTROIDS];
        for c in 0..CENTROIDS {
            let sum = others + product[c];
            loss[c] = square[c] + self.weight * sum * sum;
        }
        let mut best = 0;
        for c in 1..CENTROIDS {
            if loss[c] < loss[best] {
                best = c;
            }
        }
        (best as u8, product[best])
    }
}
