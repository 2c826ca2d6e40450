//! The tables of a query, quantised to bytes.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]
use super::{CENTROIDS, Lut, MAX_M};
use crate::{
    dispatch,
    isa::{self, Version, versions},
};

/// One cache line, which is the tables of four sub-quantizers.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Line([u8; 64]);

const ZEROS: Line = Line([0; 64]);

/// Spreads below this count as this one, so that the step and its reciprocal are normal numbers.
const LEAST_SPREAD: f32 = 1.0 / (1u128 << 118) as f32;

/// The largest number that a table entry is quantised to.
const TOP: f32 = 255.0;

/// 2^23. The sum of this and a number from 0 to 255 has that number, rounded to nearest, in its low byte: a conversion
/// without a call and without a choice of rounding mode.
const ROUNDER: f32 = 8_388_608.0;

/// The tables of one query: sixteen bytes for each sub-quantizer, and the way from a sum of such bytes to a key.
///
/// An entry `x` of sub-quantizer `s` becomes `round((x - min_s) / step)`, with one `step` for all, a 255th of the
/// largest spread that a sub-quantizer has. So `key = bias + step * sum`, with `bias` the sum of the minima (Andre et
/// al., section 3.3, with the step of faiss's `quantize_LUT_and_bias`).
///
/// Each entry is wrong by half a step at most, so a key is wrong by `M * step / 2` at most, up to the roundings of f32;
/// [`Pq4Tables::max_error`] includes them.
#[derive(Clone, Debug)]
pub struct Pq4Tables {
    m: usize,
    bias: f32,
    step: f32,
    /// Tables of sub-quantizers filled up to a multiple of 8 with zeros.
    lines: Vec<Line>,
    quantise: Quantise,
}

impl Pq4Tables {
    /// Tables of `m` sub-quantizers that are all zero.
    ///
    /// # Panics
    /// When `m` is 0 or above [`MAX_M`].
    pub fn new(m: usize) -> Self {
        assert!(0 < m && m <= MAX_M, "{m} sub-quantizers where 1 to {MAX_M} are allowed");
        // Where the set that was named cannot be used, the scans say so; these bits do not depend on it.
        let (_, quantise) =
            isa::pick(QUANTISE, dispatch::choice().unwrap_or(&isa::SCALAR)).expect("there is plain code");
        Self { m, bias: 0.0, step: 0.0, lines: vec![ZEROS; m.div_ceil(8) * 2], quantise }
    }

    /// Quantises `luts`, `m` rows of sixteen. See [`Pq4Tables::fill`].
    ///
    /// # Panics
    /// When `luts` has another shape, or `m` is 0 or above [`MAX_M`].
    pub fn from_f32(luts: &[f32], m: usize) -> Self {
        let mut tables = Self::new(m);
        tables.fill(luts);
        tables
    }

    /// Takes `luts`, `m` rows of sixteen, as they are: `key = bias + step * sum`.
    ///
    /// # Panics
    /// As [`Pq4Tables::from_f32`] does.
    pub fn from_u8(luts: &[u8], m: usize, bias: f32, step: f32) -> Self {
        let mut tables = Self { bias, step, ..Self::new(m) };
        assert_eq!(luts.len(), m * CENTROIDS, "sixteen entries for each of {m} sub-quantizers");
        for (line, part) in tables.lines.iter_mut().zip(luts.chunks(64)) {
            line.0[..part.len()].copy_from_slice(part);
        }
        tables
    }

    /// Quantises `luts`, as many rows of sixteen as there are sub-quantizers, in place of what was there.
    ///
    /// Where an entry is NaN or infinite, or the spread of a sub-quantizer or the sum of the minima
    /// is beyond f32, the tables become zero and every key NaN.
    ///
    /// # Panics
    /// When `luts` has another shape.
    pub fn fill(&mut self, luts: &[f32]) {
        assert_eq!(luts.len(), self.m * CENTROIDS, "sixteen entries for each of {} sub-quantizers", self.m);
        // SAFETY: the set is available, as `Version::available` handed the function out.
        (self.bias, self.step) = unsafe { (self.quantise)(luts.as_chunks().0, &mut self.lines) };
    }

    /// How many sub-quantizers there are.
    pub const fn m(&self) -> usize {
        self.m
    }

    /// The key of a sum of 0.
    pub const fn bias(&self) -> f32 {
        self.bias
    }

    /// What 1 in a sum is worth.
    pub const fn step(&self) -> f32 {
        self.step
    }

    /// The sixteen bytes of sub-quantizer `s`.
    ///
    /// # Panics
    /// When there is no such sub-quantizer.
    pub fn lut(&self, s: usize) -> &[u8; CENTROIDS] {
        assert!(s < self.m, "sub-quantizer {s} of {}", self.m);
        &self.lines[s / 4].0.as_chunks::<CENTROIDS>().0[s % 4]
    }

    /// A bound of the difference between a key and the exact sum of the entries that [`Pq4Tables::fill`] was given.
    pub fn max_error(&self) -> f32 {
        // Roundings: three in an entry of at most 255 steps, one in the bias, and two in a key.
        let steps = self.m as f32 * (0.5 + 4.0 * TOP * f32::EPSILON);
        self.step * steps + (self.bias.abs() + self.step * TOP * self.m as f32) * 2.0 * f32::EPSILON
    }

    /// What a scan needs, but for the place of the keys.
    pub(super) const fn view(&self) -> Lut {
        Lut { tables: self.lines.as_ptr().cast(), bias: self.bias, step: self.step, keys: std::ptr::null_mut() }
    }
}

/// `(luts, lines)`: quantises the tables into lines that are zero beyond them; the bias and the step.
type Quantise = unsafe fn(&[[f32; CENTROIDS]], &mut [Line]) -> (f32, f32);

/// The same text with more instructions allowed; every version gives the same bits.
pub(super) static QUANTISE: &[Version<Quantise>] =
    versions![x86 AVX512 => avx512, x86 AVX2 => avx2, any SCALAR => quantise];

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn avx512(luts: &[[f32; CENTROIDS]], lines: &mut [Line]) -> (f32, f32) {
    quantise(luts, lines)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2(luts: &[[f32; CENTROIDS]], lines: &mut [Line]) -> (f32, f32) {
    quantise(luts, lines)
}

#[inline(always)]
fn quantise(luts: &[[f32; CENTROIDS]], lines: &mut [Line]) -> (f32, f32) {
    let (mut spread, mut bias, mut doubts) = (LEAST_SPREAD, 0.0, [0.0; CENTROIDS]);
    for lut in luts {
        let (least, most) = extremes(lut);
        spread = if most - least > spread { most - least } else { spread };
        bias += f64::from(least);
        // Zero while the entries are finite, and NaN from then on; the comparisons may pass over a NaN.
        for i in 0..CENTROIDS {
            doubts[i] += lut[i] * 0.0;
        }
    }
    let (bias, step, scale) = (bias as f32, spread / TOP, TOP / spread);
    if !bias.is_finite() || !spread.is_finite() || doubts.iter().any(|doubt| doubt.is_nan()) {
        lines.fill(ZEROS);
        return (f32::NAN, step);
    }
    for (s, lut) in luts.iter().enumerate() {
        let to = &mut lines[s / 4].0.as_chunks_mut::<CENTROIDS>().0[s % 4];
        let least = extremes(lut).0;
        for i in 0..CENTROIDS {
            let steps = (lut[i] - least) * scale;
            to[i] = ((if steps < TOP { steps } else { TOP }) + ROUNDER).to_bits() as u8;
        }
    }
    (bias, step)
}

/// The least and the greatest entry.
#[inline(always)]
fn extremes(lut: &[f32; CENTROIDS]) -> (f32, f32) {
    let (mut least, mut most) = (*lut, *lut);
    let mut half = CENTROIDS / 2;
    while half > 0 {
        for i in 0..half {
            least[i] = if least[i + half] < least[i] { least[i + half] } else { least[i] };
            most[i] = if most[i + half] > most[i] { most[i + half] } else { most[i] };
        }
        half /= 2;
    }
    (least[0], most[0])
}

#[cfg(test)]
mod tests {
    use super::{CENTROIDS, QUANTISE, ZEROS};
    use crate::rng::Rng;

    #[test]
    fn every_version_quantises_to_the_same_bits() {
        let mut rng = Rng::new(11);
        for m in [1, 2, 3, 4, 5, 96, 191] {
            let mut luts = vec![[0.0; CENTROIDS]; m];
            luts.iter_mut().flatten().for_each(|entry| *entry = rng.normal());
            let mut want = None;
            for version in QUANTISE {
                let Some(run) = version.available() else {
                    println!("SKIPPED: {} is not available", version.isa.name());
                    continue;
                };
                let mut lines = vec![ZEROS; m.div_ceil(8) * 2];
                // SAFETY: the set is available.
                let (bias, step) = unsafe { run(&luts, &mut lines) };
                let got = (bias.to_bits(), step.to_bits(), lines.iter().map(|line| line.0).collect::<Vec<_>>());
                assert_eq!(&got, want.get_or_insert(got.clone()), "{}", version.isa.name());
            }
        }
    }
}
