//! The tables of a query, quantised to bytes.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]
use super::CENTROIDS;
use crate::{
    dispatch,
    isa::{self, Version, versions},
};

/// Lanes in which extremes are searched.
const LANES: usize = 32;

/// Spreads below this count as this one, so that the step and its reciprocal are normal numbers.
const LEAST_SPREAD: f32 = 1.0 / (1u128 << 118) as f32;

/// The largest number that a table entry is quantised to.
const TOP: f32 = 255.0;

/// 2^23: the sum of this and a number from 0 to 255 has that number, rounded to nearest, in its low byte.
const ROUNDER: f32 = 8_388_608.0;

/// Sub-quantizers at most. A sum of `MAX_M` bytes is below 2^24, so it is exact in f32, too.
pub const MAX_M: usize = 1 << 16;

/// The tables of one query: 256 bytes for each sub-quantizer, and the way from a sum of such bytes to a key.
///
/// An entry `x` of sub-quantizer `s` becomes `round((x - min_s) / step)`, with one `step` for all, a 255th of the
/// largest spread that a sub-quantizer has. So `key = bias + step * sum`, with `bias` the sum of the minima, and a key
/// is wrong by `M * step / 2` at most, up to the roundings of f32; [`Pq8Tables::max_error`] includes them. These are
/// the tables of [`crate::codes::pq4::Pq4Tables`], for eight bits.
#[derive(Clone, Debug)]
pub struct Pq8Tables {
    bias: f32,
    step: f32,
    luts: Vec<[u8; CENTROIDS]>,
    quantise: Quantise,
}

impl Pq8Tables {
    /// Tables of `m` sub-quantizers that are all zero.
    ///
    /// # Panics
    /// When `m` is 0 or above [`MAX_M`].
    pub fn new(m: usize) -> Self {
        assert!(0 < m && m <= MAX_M, "{m} sub-quantizers where 1 to {MAX_M} are allowed");
        // Where the set that was named cannot be used, the scans say so; these bits do not depend on it.
        let (_, quantise) =
            isa::pick(QUANTISE, dispatch::choice().unwrap_or(&isa::SCALAR)).expect("there is plain code");
        Self { bias: 0.0, step: 0.0, luts: vec![[0; CENTROIDS]; m], quantise }
    }

    /// Quantises `luts`, `m` rows of 256. See [`Pq8Tables::fill`].
    ///
    /// # Panics
    /// When `luts` has another shape, or `m` is 0 or above [`MAX_M`].
    pub fn from_f32(luts: &[f32], m: usize) -> Self {
        let mut tables = Self::new(m);
        tables.fill(luts);
        tables
    }

    /// Quantises `luts`, as many rows of 256 as there are sub-quantizers, in place of what was there.
    ///
    /// Where an entry is NaN or infinite, or the spread of a sub-quantizer or the sum of the minima is beyond f32, the
    /// tables become zero and every key NaN.
    ///
    /// # Panics
    /// When `luts` has another shape.
    pub fn fill(&mut self, luts: &[f32]) {
        let m = self.luts.len();
        assert_eq!(luts.len(), m * CENTROIDS, "256 entries for each of {m} sub-quantizers");
        // SAFETY: the set is available, as `Version::available` handed the function out.
        (self.bias, self.step) = unsafe { (self.quantise)(luts.as_chunks().0, &mut self.luts) };
    }

    /// How many sub-quantizers there are.
    pub const fn m(&self) -> usize {
        self.luts.len()
    }

    /// The key of a sum of 0.
    pub const fn bias(&self) -> f32 {
        self.bias
    }

    /// What 1 in a sum is worth.
    pub const fn step(&self) -> f32 {
        self.step
    }

    /// The tables, 256 bytes for each sub-quantizer.
    pub fn luts(&self) -> &[[u8; CENTROIDS]] {
        &self.luts
    }

    /// A bound of the difference between a key and the exact sum of the entries that [`Pq8Tables::fill`] was given.
    pub fn max_error(&self) -> f32 {
        // Roundings: three in an entry of at most 255 steps, one in the bias, and two in a key.
        let m = self.m() as f32;
        let steps = m * (0.5 + 4.0 * TOP * f32::EPSILON);
        self.step * steps + (self.bias.abs() + self.step * TOP * m) * 2.0 * f32::EPSILON
    }
}

/// `(luts, bytes)`: quantises the tables; the bias and the step.
type Quantise = unsafe fn(&[[f32; CENTROIDS]], &mut [[u8; CENTROIDS]]) -> (f32, f32);

/// The same text with more instructions allowed; every version gives the same bits.
pub(super) static QUANTISE: &[Version<Quantise>] =
    versions![x86 AVX512 => avx512, x86 AVX2 => avx2, any SCALAR => quantise];

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn avx512(luts: &[[f32; CENTROIDS]], bytes: &mut [[u8; CENTROIDS]]) -> (f32, f32) {
    quantise(luts, bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2(luts: &[[f32; CENTROIDS]], bytes: &mut [[u8; CENTROIDS]]) -> (f32, f32) {
    quantise(luts, bytes)
}

#[inline(always)]
fn quantise(luts: &[[f32; CENTROIDS]], bytes: &mut [[u8; CENTROIDS]]) -> (f32, f32) {
    let (mut spread, mut bias, mut doubts) = (LEAST_SPREAD, 0.0, [0.0; LANES]);
    for lut in luts {
        let (least, most) = extremes(lut, &mut doubts);
        spread = if most - least > spread { most - least } else { spread };
        bias += f64::from(least);
    }
    let (bias, step, scale) = (bias as f32, spread / TOP, TOP / spread);
    if !bias.is_finite() || !spread.is_finite() || doubts.iter().any(|doubt| doubt.is_nan()) {
        bytes.fill([0; CENTROIDS]);
        return (f32::NAN, step);
    }
    for (lut, bytes) in luts.iter().zip(bytes) {
        let least = extremes(lut, &mut doubts).0;
        for i in 0..CENTROIDS {
            let steps = (lut[i] - least) * scale;
            bytes[i] = ((if steps < TOP { steps } else { TOP }) + ROUNDER).to_bits() as u8;
        }
    }
    (bias, step)
}

/// The least and the greatest entry; `doubts` becomes NaN where an entry is NaN or infinite, which comparisons may pass
/// over.
#[inline(always)]
fn extremes(lut: &[f32; CENTROIDS], doubts: &mut [f32; LANES]) -> (f32, f32) {
    let (mut least, mut most) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    for entries in lut.as_chunks::<LANES>().0 {
        for i in 0..LANES {
            least[i] = if entries[i] < least[i] { entries[i] } else { least[i] };
            most[i] = if entries[i] > most[i] { entries[i] } else { most[i] };
            doubts[i] += entries[i] * 0.0;
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            least[i] = if least[i + half] < least[i] { least[i + half] } else { least[i] };
            most[i] = if most[i + half] > most[i] { most[i + half] } else { most[i] };
        }
        half /= 2;
    }
    (least[0], most[0])
}
