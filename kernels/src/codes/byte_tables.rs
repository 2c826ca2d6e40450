//! The tables of a query over product codes, quantised to bytes.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]
use crate::{
    dispatch,
    isa::{self, Version, versions},
};

/// Sub-quantizers at most. A sum of `MAX_M` bytes is below 2^24, so it is exact in f32, too.
pub const MAX_M: usize = 1 << 16;

/// One cache line, so that a register of entries does not straddle two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; 64]);

const ZEROS: Line = Line([0; 64]);

/// Spreads below this count as this one, so that the step and its reciprocal are normal numbers.
const LEAST_SPREAD: f32 = 1.0 / (1u128 << 118) as f32;

/// The largest number that a table entry is quantised to.
const TOP: f32 = 255.0;

/// 2^23. The sum of this and a number from 0 to 255 has that number, rounded to nearest, in its low byte: a conversion
/// without a call and without a choice of rounding mode.
const ROUNDER: f32 = 8_388_608.0;

/// The tables of one query: `K` bytes, 16 or 256, for each sub-quantizer, and the way from a sum of such bytes to a
/// key.
///
/// An entry `x` of sub-quantizer `s` becomes `round((x - min_s) / step)`, with one `step` for all, a 255th of the
/// largest spread that a sub-quantizer has. So `key = bias + step * sum`, with `bias` the sum of the minima (Andre et
/// al., "Quicker ADC", 2019, section 3.3, with the step of faiss's `quantize_LUT_and_bias`).
///
/// Each entry is wrong by half a step at most, so a key is wrong by `M * step / 2` at most, up to the roundings of f32
/// and of the sum of the minima in f64; [`ByteTables::max_error`] includes them.
#[derive(Clone, Debug)]
pub struct ByteTables<const K: usize> {
    m: usize,
    scale: Scale,
    /// Tables of sub-quantizers, filled up to a multiple of `GROUP` with zeros.
    lines: Vec<Line>,
    quantise: Quantise<K>,
}

/// The way from a sum to a key.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Scale {
    bias: f32,
    step: f32,
    /// The sum of the magnitudes of the minima.
    magnitudes: f64,
}

/// `(luts, bytes)`: quantises the tables into bytes; where there are more of these, the others stay.
type Quantise<const K: usize> = unsafe fn(&[[f32; K]], &mut [[u8; K]]) -> Scale;

impl<const K: usize> ByteTables<K> {
    /// Sub-quantizers that the scans of 16 entries read together: two lines. Tables of 256 are whole lines each.
    const GROUP: usize = if K == 16 { 8 } else { 1 };

    /// The same text with more instructions allowed; every version gives the same bits.
    const VERSIONS: &'static [Version<Quantise<K>>] =
        versions![x86 AVX512 => avx512::<K>, x86 AVX2 => avx2::<K>, any SCALAR => plain::<K>];

    /// Tables of `m` sub-quantizers that are all zero.
    ///
    /// # Panics
    /// When `m` is 0 or above [`MAX_M`].
    pub fn new(m: usize) -> Self {
        const { assert!(K == 16 || K == 256, "tables have 16 or 256 entries") };
        assert!(0 < m && m <= MAX_M, "{m} sub-quantizers where 1 to {MAX_M} are allowed");
        // Where the set that was named cannot be used, the scans say so; these bits do not depend on it.
        let (_, quantise) =
            isa::pick(Self::VERSIONS, dispatch::choice().unwrap_or(&isa::SCALAR)).expect("there is plain code");
        let scale = Scale { bias: 0.0, step: 0.0, magnitudes: 0.0 };
        Self { m, scale, lines: vec![ZEROS; m.next_multiple_of(Self::GROUP) * K / 64], quantise }
    }

    /// Quantises `luts`, `m` rows of `K`. See [`ByteTables::fill`].
    ///
    /// # Panics
    /// When `luts` has another shape, or `m` is 0 or above [`MAX_M`].
    pub fn from_f32(luts: &[f32], m: usize) -> Self {
        let mut tables = Self::new(m);
        tables.fill(luts);
        tables
    }

    /// Takes `luts`, `m` rows of `K`, as they are: `key = bias + step * sum`.
    ///
    /// # Panics
    /// As [`ByteTables::from_f32`] does.
    pub fn from_u8(luts: &[u8], m: usize, bias: f32, step: f32) -> Self {
        let mut tables = Self { scale: Scale { bias, step, magnitudes: 0.0 }, ..Self::new(m) };
        assert_eq!(luts.len(), m * K, "{K} entries for each of {m} sub-quantizers");
        tables.bytes_mut().as_flattened_mut()[..luts.len()].copy_from_slice(luts);
        tables
    }

    /// Quantises `luts`, as many rows of `K` as there are sub-quantizers, in place of what was there.
    ///
    /// Where an entry is NaN or infinite, or the spread of a sub-quantizer or the sum of the minima is beyond f32, the
    /// tables become zero and every key NaN.
    ///
    /// # Panics
    /// When `luts` has another shape.
    pub fn fill(&mut self, luts: &[f32]) {
        assert_eq!(luts.len(), self.m * K, "{K} entries for each of {} sub-quantizers", self.m);
        let quantise = self.quantise;
        // SAFETY: the set is available, as `Version::available` handed the function out.
        self.scale = unsafe { quantise(luts.as_chunks().0, self.bytes_mut()) };
    }

    /// How many sub-quantizers there are.
    pub const fn m(&self) -> usize {
        self.m
    }

    /// The key of a sum of 0.
    pub const fn bias(&self) -> f32 {
        self.scale.bias
    }

    /// What 1 in a sum is worth.
    pub const fn step(&self) -> f32 {
        self.scale.step
    }

    /// The tables, `K` bytes for each sub-quantizer.
    pub fn luts(&self) -> &[[u8; K]] {
        // SAFETY: the lines are 64 bytes each, without padding, and hold `m` tables and more.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.m) }
    }

    /// The `K` bytes of sub-quantizer `s`.
    ///
    /// # Panics
    /// When there is no such sub-quantizer.
    pub fn lut(&self, s: usize) -> &[u8; K] {
        assert!(s < self.m, "sub-quantizer {s} of {}", self.m);
        &self.luts()[s]
    }

    /// A bound of the difference between a key and the exact sum of the entries that [`ByteTables::fill`] was given.
    pub fn max_error(&self) -> f32 {
        let Scale { bias, step, magnitudes } = self.scale;
        let (m, epsilon) = (self.m as f64, f64::from(f32::EPSILON));
        // Roundings: three in an entry of at most 255 steps, one in the bias, and two in a key.
        let (step, top) = (f64::from(step), f64::from(TOP));
        let entries = step * m * (0.5 + 4.0 * top * epsilon);
        let key = (f64::from(bias.abs()) + step * top * m) * 2.0 * epsilon;
        // Each addition to the sum of the minima rounds what is there, which is at most the sum of their magnitudes.
        let minima = m * (f64::EPSILON / 2.0) * magnitudes;
        ((entries + key + minima) as f32).next_up()
    }

    /// The lines, as the scans read them: all of `GROUP` tables, the last of them zeros.
    pub(super) const fn as_ptr(&self) -> *const u8 {
        self.lines.as_ptr().cast()
    }

    fn bytes_mut(&mut self) -> &mut [[u8; K]] {
        // SAFETY: as in `luts`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.m) }
    }
}

/// # Safety
/// The instruction set is available.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn avx512<const K: usize>(luts: &[[f32; K]], bytes: &mut [[u8; K]]) -> Scale {
    quantise(luts, bytes)
}

/// # Safety
/// The instruction set is available.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2<const K: usize>(luts: &[[f32; K]], bytes: &mut [[u8; K]]) -> Scale {
    quantise(luts, bytes)
}

/// # Safety
/// None is needed; the type is that of the others.
unsafe fn plain<const K: usize>(luts: &[[f32; K]], bytes: &mut [[u8; K]]) -> Scale {
    quantise(luts, bytes)
}

#[inline(always)]
fn quantise<const K: usize>(luts: &[[f32; K]], bytes: &mut [[u8; K]]) -> Scale {
    // Two registers of AVX-512 side by side where a table is longer than one.
    if K > 16 { quantise_by::<K, 32>(luts, bytes) } else { quantise_by::<K, 16>(luts, bytes) }
}

#[inline(always)]
fn quantise_by<const K: usize, const LANES: usize>(luts: &[[f32; K]], bytes: &mut [[u8; K]]) -> Scale {
    let (mut spread, mut bias, mut magnitudes, mut doubts) = (LEAST_SPREAD, 0.0, 0.0, [0.0; LANES]);
    for lut in luts {
        let (least, most) = extremes(lut, &mut doubts);
        spread = if most - least > spread { most - least } else { spread };
        bias += f64::from(least);
        magnitudes += f64::from(least.abs());
    }
    let (bias, step, scale) = (bias as f32, spread / TOP, TOP / spread);
    if !bias.is_finite() || !spread.is_finite() || doubts.iter().any(|doubt| doubt.is_nan()) {
        bytes.fill([0; K]);
        return Scale { bias: f32::NAN, step, magnitudes };
    }
    for (lut, bytes) in luts.iter().zip(bytes) {
        let least = extremes(lut, &mut doubts).0;
        for i in 0..K {
            let steps = (lut[i] - least) * scale;
            bytes[i] = ((if steps < TOP { steps } else { TOP }) + ROUNDER).to_bits() as u8;
        }
    }
    Scale { bias, step, magnitudes }
}

/// The least and the greatest entry; `doubts` becomes NaN where an entry is NaN or infinite, which comparisons may pass
/// over.
#[inline(always)]
fn extremes<const K: usize, const LANES: usize>(lut: &[f32; K], doubts: &mut [f32; LANES]) -> (f32, f32) {
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

#[cfg(test)]
mod tests {
    use super::{ByteTables, TOP};
    use crate::rng::Rng;

    fn versions_agree<const K: usize>(rng: &mut Rng) {
        for m in [1, 2, 3, 4, 5, 96, 191] {
            let mut luts = vec![[0.0; K]; m];
            luts.iter_mut().flatten().for_each(|entry| *entry = rng.normal());
            let mut want = None;
            for version in ByteTables::<K>::VERSIONS {
                let Some(run) = version.available() else {
                    println!("SKIPPED: {} is not available", version.isa.name());
                    continue;
                };
                let mut bytes = vec![[1; K]; m];
                // SAFETY: the set is available.
                let scale = unsafe { run(&luts, &mut bytes) };
                let got = (scale, bytes);
                assert_eq!(&got, want.get_or_insert(got.clone()), "{}", version.isa.name());
            }
        }
    }

    #[test]
    fn every_version_quantises_to_the_same_bits() {
        let mut rng = Rng::new(11);
        versions_agree::<16>(&mut rng);
        versions_agree::<256>(&mut rng);
    }

    fn bound_holds<const K: usize>(rng: &mut Rng) {
        // Three tables of one value each, of which 1 is lost in the sum; then random ones that cancel.
        let mut luts = vec![1e20f32; 3 * K];
        luts[K..2 * K].fill(1.0);
        luts[2 * K..].fill(-1e20);
        let tables = ByteTables::<K>::from_f32(&luts, 3);
        assert!((tables.bias() - 1.0).abs() <= tables.max_error(), "{} of 1", tables.bias());
        assert!(tables.max_error() < 1e6, "{} is no bound to speak of", tables.max_error());
        for m in [4, 100] {
            // Sixteenths up to 1e22, each with its opposite two tables later, so that what remains is the small ones.
            let mut values: Vec<f32> = Vec::new();
            for _ in 0..m / 4 {
                let large = rng.normal() * 10f32.powi(17 + rng.below(5) as i32);
                let small = [rng.normal(), rng.normal()].map(|value| (value * 1e4).round() / 16.0);
                values.extend([large, small[0], -large, small[1]]);
            }
            let exact: i128 = values.iter().map(|value| (f64::from(*value) * 16.0) as i128).sum();
            let luts: Vec<f32> = values.iter().flat_map(|value| [*value; K]).collect();
            let tables = ByteTables::<K>::from_f32(&luts, m);
            let off = (f64::from(tables.bias()) - exact as f64 / 16.0).abs();
            assert!(off <= f64::from(tables.max_error()), "m {m}: {off} above {}", tables.max_error());
        }
    }

    #[test]
    fn minima_that_cancel_are_within_the_bound() {
        let mut rng = Rng::new(12);
        bound_holds::<16>(&mut rng);
        bound_holds::<256>(&mut rng);
    }

    #[test]
    fn lines_are_aligned_and_filled_up() {
        for m in [1, 4, 7, 8, 9] {
            let tables = ByteTables::<16>::from_u8(&vec![9; m * 16], m, 0.0, 1.0);
            assert!(tables.as_ptr().addr().is_multiple_of(64) && tables.lines.len() == m.div_ceil(8) * 2);
            let filled = tables.lines.iter().flat_map(|line| line.0).filter(|byte| *byte == 9).count();
            assert_eq!(filled, m * 16);
            let tables = ByteTables::<256>::from_u8(&vec![7; m * 256], m, 0.0, TOP);
            assert!(tables.as_ptr().addr().is_multiple_of(64) && tables.lines.len() == 4 * m);
            assert!(tables.luts().iter().all(|lut| lut == &[7; 256]) && tables.luts().len() == m);
        }
    }
}
