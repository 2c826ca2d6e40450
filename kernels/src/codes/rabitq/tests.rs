//! Codes against their definition, and every instruction set against plain Rust.
mod codes;
mod scans;
mod statistics;

use super::{Codec, Encoder, Fit};
use crate::{Metric, codes::rotate::padded, rng::Rng};

/// Rotated dimensions: all short ones, and what common dimensions are padded to.
fn dims() -> impl Iterator<Item = usize> {
    (1..=17).map(|words| 64 * words).chain([96, 200, 1536, 3072].map(padded))
}

fn normals(count: usize, rng: &mut Rng) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

fn codec(metric: Metric, dim: usize, bits: u8) -> Codec {
    Codec::new(metric, dim, bits).unwrap()
}

/// Both tiers of normal residuals, records without gaps.
struct Coded {
    residuals: Vec<Vec<f32>>,
    tier0: Vec<u8>,
    tier1: Vec<u8>,
}

impl Coded {
    /// `count` residuals around centres `0` to `centres.len() - 1` in turn.
    fn new(codec: Codec, fit: Fit, centres: &[Vec<f32>], count: usize, rng: &mut Rng) -> Self {
        let residuals: Vec<Vec<f32>> = (0..count).map(|_| normals(codec.dim(), rng)).collect();
        let mut tier0 = vec![0; count * codec.record_bytes()];
        let mut tier1 = vec![0; count * codec.refine_bytes()];
        let encoder = Encoder::new(codec, fit);
        for (i, residual) in residuals.iter().enumerate() {
            let record = &mut tier0[i * codec.record_bytes()..][..codec.record_bytes()];
            let refine = &mut tier1[i * codec.refine_bytes()..][..codec.refine_bytes()];
            let centre = i % centres.len();
            encoder.encode(residual, &centres[centre], centre as u16, record, refine);
        }
        Self { residuals, tier0, tier1 }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn distance_sq(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}
