//! From rotated residuals to codes and factors.
//!
//! Plain Rust with sums in fixed lanes of `f64`, so a code has the same bits on every machine.
use super::{
    layout::{Codec, FACTORS},
    query::{clamp, plane, round},
    rescale,
};
use crate::metric::Metric;

/// How the grid is fitted to a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fit {
    /// One factor for all vectors, the best in expectation over rotations: a step of the grid that is optimal for
    /// normal components, or the finest that still reaches the vector's largest component.
    #[default]
    Fast,
    /// The factor of the greatest cosine for each vector, by a sweep over all at which its code changes (Gao et al.,
    /// "Practical and Asymptotically Optimal Quantization", arXiv 2409.09913, section 3.2.2). Time and memory grow as
    /// `2^(bits - 1) D log D`; beyond 5 bits the gain is not measurable.
    Exact,
}

/// Encodes rotated residuals.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    codec: Codec,
    fit: Fit,
}

/// Sums over the components of a code `x`, each as far from 0 as its cell's centre, in units of the grid.
struct Sums {
    /// `<x, r>`, `<x, c>` and `<x, x>`.
    residual: f64,
    centre: f64,
    square: f64,
}

impl Encoder {
    /// An encoder for codes of the shape `codec`.
    pub const fn new(codec: Codec, fit: Fit) -> Self {
        Self { codec, fit }
    }

    /// The shape of the codes.
    pub const fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Encodes `residual`, the rotated difference of a vector and its centre, given the rotated `centre` and its
    /// number, which is by what [`super::Estimator`] finds the [`super::Term`]. Into `record` goes tier 0, except for
    /// the last two bytes, which belong to the caller; into `refine` tier 1, of no bytes where the codes have one
    /// bit.
    ///
    /// Values that are not finite give some code, and factors that are not finite.
    ///
    /// # Panics
    /// When a length is wrong: the dimension of the codec for `residual` and `centre`, [`Codec::record_bytes`] and
    /// [`Codec::refine_bytes`] for the records.
    pub fn encode(&self, residual: &[f32], centre: &[f32], centre_id: u16, record: &mut [u8], refine: &mut [u8]) {
        let codec = &self.codec;
        assert_eq!(residual.len(), codec.dim(), "dimension of the residual");
        assert_eq!(centre.len(), codec.dim(), "dimension of the centre");
        assert_eq!(record.len(), codec.record_bytes(), "bytes of a record of tier 0");
        assert_eq!(refine.len(), codec.refine_bytes(), "bytes of a record of tier 1");
        let square = sum(residual, residual, |r, _| r * r);
        let product = sum(residual, centre, |r, c| r * c);

        let (signs, trailer) = record.split_at_mut(codec.plane_bytes());
        for (word, r) in signs.chunks_exact_mut(8).zip(residual.chunks_exact(64)) {
            let ones: [u8; 64] = std::array::from_fn(|j| u8::from(r[j] >= 0.0));
            word.copy_from_slice(&plane(&ones, 0).to_le_bytes());
        }
        let sums = Sums {
            residual: sum(residual, residual, |r, _| 0.5 * r.abs()),
            centre: sum(residual, centre, |r, c| if r >= 0.0 { 0.5 * c } else { -0.5 * c }),
            square: 0.25 * codec.dim() as f64,
        };
        self.write_factors(&sums, square, product, trailer);
        trailer[FACTORS..FACTORS + 2].copy_from_slice(&centre_id.to_le_bytes());

        if codec.extra() > 0 {
            let factor = match self.fit {
                Fit::Fast => rescale::expected(residual, square, codec.bits()),
                Fit::Exact => rescale::optimal(residual, codec.bits()),
            };
            let (planes, trailer) = refine.split_at_mut(codec.extra() * codec.plane_bytes());
            let sums = self.write_planes(residual, centre, factor, planes);
            self.write_factors(&sums, square, product, trailer);
        }
    }

    /// Writes the planes of the extra bits, the most significant first, and returns the sums of the full code.
    fn write_planes(&self, residual: &[f32], centre: &[f32], factor: f64, planes: &mut [u8]) -> Sums {
        let (extra, bytes) = (self.codec.extra(), self.codec.plane_bytes());
        let (factor, most) = (factor as f32, ((1u32 << extra) - 1) as f32);
        let mut lanes = [[0.0; 8]; 3];
        for (word, (r, c)) in residual.as_chunks::<64>().0.iter().zip(centre.as_chunks::<64>().0).enumerate() {
            // One simple loop after another, which compilers turn into vector code.
            let mut codes = [0; 64];
            let mut points = [0.0; 64];
            for j in 0..64 {
                // The floor, but for a component on the border of two cells, where either is right.
                let cell = round(clamp(r[j].abs() * factor - 0.5, 0.0, most));
                let positive = r[j] >= 0.0;
                codes[j] = (if positive { cell } else { most as i32 - cell }) as u8;
                points[j] = if positive { cell as f32 + 0.5 } else { -0.5 - cell as f32 };
            }
            for (lanes, with) in lanes.iter_mut().zip([r, c, &points]) {
                add_products(lanes, &points, with);
            }
            for place in 0..extra {
                let at = (extra - 1 - place) * bytes + 8 * word;
                planes[at..at + 8].copy_from_slice(&plane(&codes, place).to_le_bytes());
            }
        }
        Sums { residual: fold(lanes[0]), centre: fold(lanes[1]), square: fold(lanes[2]) }
    }

    /// The factors of the estimator, as [`super`] states them.
    fn write_factors(&self, sums: &Sums, square: f64, product: f64, trailer: &mut [u8]) {
        let ratio = square / sums.residual;
        let (mut add, mut rescale, mut error) = (ratio * sums.centre, -ratio, 0.0);
        if square == 0.0 {
            (add, rescale) = (0.0, 0.0);
        } else {
            // |r| tan(angle between r and its code) / sqrt(D - 1); rounding may take the square below 0.
            let tangent = (square * sums.square / (sums.residual * sums.residual) - 1.0).max(0.0);
            error = (square * tangent / (self.codec.dim() - 1) as f64).sqrt();
        }
        if self.codec.metric() == Metric::L2 {
            (add, rescale, error) = (square + 2.0 * add, 2.0 * rescale, 2.0 * error);
        } else {
            add -= product;
        }
        for (to, factor) in trailer.chunks_exact_mut(4).zip([add, rescale, error]) {
            to.copy_from_slice(&(factor as f32).to_le_bytes());
        }
    }
}

/// The sum of a term over two vectors, in eight lanes that are folded in halves.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for j in 0..8 {
            lanes[j] += term(f64::from(a[j]), f64::from(b[j]));
        }
    }
    fold(lanes)
}

/// Adds the products of two times 64 components to eight lanes.
#[inline(always)]
fn add_products(lanes: &mut [f64; 8], a: &[f32; 64], b: &[f32; 64]) {
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for j in 0..8 {
            lanes[j] += f64::from(a[j]) * f64::from(b[j]);
        }
    }
}

fn fold(lanes: [f64; 8]) -> f64 {
    let four = |j: usize| lanes[j] + lanes[j + 4];
    (four(0) + four(2)) + (four(1) + four(3))
}
