//! Queries against records: estimates of keys, and how far they can be off.
use std::{mem::MaybeUninit, ptr};

use super::{
    SqCodec, SqError, SqFactors,
    keys::{FACTOR_BYTES, Job, Keyed, Products, STRETCH, Terms},
    largest_code,
};
use crate::{
    codes::dot::{self, BLOCK_ROWS, Place, Query8, Query16, Records},
    metric::Metric,
};

/// Factors that a row has at most.
const FACTORS: usize = 3;

/// A query made ready for one arrangement of records.
#[derive(Clone, Debug)]
pub struct SqQuery {
    pub(super) bytes: Bytes,
    pub(super) terms: Terms,
    metric: Metric,
    /// `abs(v)` in the formulas of [the module](super).
    length: f64,
    /// `sum(abs(v))`.
    magnitudes: f64,
    /// `sum(abs(v - s * q8))`.
    loss: f64,
    /// The largest code.
    top: f64,
    dim: usize,
    /// `<q, m>`, or 0 for L2.
    mean_product: f64,
    /// The largest magnitude in the mean.
    mean_largest: f64,
    /// [`SqParams::fingerprint`](super::SqParams::fingerprint) of the codec that made this.
    fingerprint: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Bytes {
    Narrow(Box<Query8>),
    Wide(Box<Query16>),
}

impl SqCodec {
    /// Makes a query ready for [`SqCodec::rows`] and [`SqCodec::gather`].
    ///
    /// # Errors
    /// When a component is not finite, or the query is too long for its terms to be.
    ///
    /// # Panics
    /// When the dimensions differ.
    pub fn prepare_rows(&self, query: &[f32]) -> Result<SqQuery, SqError> {
        let v = self.centred(query)?;
        let bytes = Bytes::Narrow(Box::new(self.row.query(&v)?));
        self.terms(query, &v, bytes)
    }

    /// The same with a query of 15 bits, which takes twice the time and leaves next to no error of the query: for 8
    /// bits where estimates decide.
    ///
    /// # Errors
    /// As for [`SqCodec::prepare_rows`].
    ///
    /// # Panics
    /// When the dimensions differ.
    pub fn prepare_rows_wide(&self, query: &[f32]) -> Result<SqQuery, SqError> {
        let v = self.centred(query)?;
        let bytes = Bytes::Wide(Box::new(self.row.query_wide(&v)?));
        self.terms(query, &v, bytes)
    }

    /// Makes a query ready for [`SqCodec::blocks`].
    ///
    /// # Errors
    /// As for [`SqCodec::prepare_rows`].
    ///
    /// # Panics
    /// When the dimensions differ.
    pub fn prepare_blocks(&self, query: &[f32]) -> Result<SqQuery, SqError> {
        let v = self.centred(query)?;
        let bytes = Bytes::Narrow(Box::new(self.block.query(&v)?));
        self.terms(query, &v, bytes)
    }

    /// What is multiplied with the residuals: the query, for L2 less the mean.
    fn centred(&self, query: &[f32]) -> Result<Vec<f32>, SqError> {
        assert_eq!(query.len(), self.dim(), "query and quantizer of different dimension");
        dot::largest(query)?;
        if self.metric() != Metric::L2 {
            return Ok(query.to_vec());
        }
        let v: Vec<f32> = query.iter().zip(&self.params.mean).map(|(value, mean)| value - mean).collect();
        if dot::largest(&v).is_ok() { Ok(v) } else { Err(SqError::TooLarge) }
    }

    fn terms(&self, query: &[f32], v: &[f32], bytes: Bytes) -> Result<SqQuery, SqError> {
        let metric = self.metric();
        let (mean, dim) = (self.params.mean.as_slice(), self.dim());
        let sum = dot::sum(v, v, |v, _| v);
        let square = dot::sum(v, v, |v, _| v * v);
        let magnitudes = dot::sum(v, v, |v, _| v.abs());
        let mean_product = dot::sum(query, mean, |q, m| q * m);
        let mean_product = if metric == Metric::L2 { 0.0 } else { mean_product };
        let (scale, byte_sum, loss) = match &bytes {
            Bytes::Narrow(bytes) => (bytes.scale(), i64::from(bytes.sum()), bytes.loss()),
            Bytes::Wide(bytes) => (bytes.scale(), bytes.sum(), bytes.loss()),
        };
        let top = f64::from(largest_code(self.params.bits));
        let middle = 0.5 * top * (sum - f64::from(scale) * byte_sum as f64);
        let wide = matches!(bytes, Bytes::Wide(_));
        let (high_scale, low_scale) = if wide { (scale * Query16::RADIX as f32, scale) } else { (scale, 0.0) };
        let length = square.sqrt();
        // For COSINE the key is divided by the length of the query here and by that of the row later.
        let (constant, square_weight, product_weight) = match metric {
            Metric::L2 => (square, 1.0, -2.0),
            Metric::Cosine if square > 0.0 => (-mean_product / length, 0.0, -1.0 / length),
            Metric::Cosine => (0.0, 0.0, 0.0),
            Metric::Ip
            | Metric::Hamming
            | Metric::Jaccard
            | Metric::Tanimoto
            | Metric::Substructure
            | Metric::Superstructure
            | Metric::MhJaccard => (-mean_product, 0.0, -1.0),
        };
        let terms = Terms {
            high_scale,
            low_scale,
            middle: middle as f32,
            sum: sum as f32,
            constant: constant as f32,
            square_weight,
            product_weight: product_weight as f32,
            cosine: metric == Metric::Cosine,
        };
        if ![terms.middle, terms.sum, terms.constant, terms.product_weight].iter().all(|term| term.is_finite()) {
            return Err(SqError::TooLarge);
        }
        let mean_largest = dot::largest(mean)?;
        let (loss, mean_largest) = (f64::from(loss), f64::from(mean_largest));
        let fingerprint = self.fingerprint;
        Ok(SqQuery {
            bytes,
            terms,
            metric,
            length,
            magnitudes,
            loss,
            top,
            dim,
            mean_product,
            mean_largest,
            fingerprint,
        })
    }

    /// # Panics
    /// When the query is of a codec with other parameters, or a record ends before `bytes` bytes or in the next one.
    fn check(&self, query: &SqQuery, records: &Records<'_>, bytes: usize) {
        assert!(query.fingerprint == self.fingerprint, "a query that a quantizer of other parameters made ready");
        if let Some(last) = records.len().checked_sub(1) {
            assert!(records.stride() >= bytes, "records of {bytes} bytes that are {} apart", records.stride());
            let left = records.data().len() - last * records.stride();
            assert!(left >= bytes, "the last record has {left} bytes of {bytes}");
        }
    }

    /// The key of each record, in order.
    ///
    /// Keys are computed in f32: where the square of a length nears the largest f32 (a length of 1e19), a key can be
    /// infinite or, as the difference of infinite terms, NaN.
    ///
    /// # Panics
    /// When a quantizer of other parameters or for another arrangement made the query, records have fewer than
    /// `record_bytes` bytes or are less than that apart, or `keys` has not one place for each.
    pub fn rows(&self, query: &SqQuery, records: Records<'_>, keys: &mut [f32]) {
        assert_eq!(keys.len(), records.len(), "one key for each record");
        self.check(query, &records, self.record_bytes());
        let place = records.place();
        let done = self.whole_groups(query, &records, place, keys);
        if done == keys.len() {
            return;
        }
        let (records, keys) = (records.slice(done, keys.len() - done), &mut keys[done..]);
        let (mut factors, mut high, mut low) = (NO_FACTORS, Products::NONE, Products::NONE);
        for (i, keys) in keys.chunks_mut(STRETCH).enumerate() {
            let part = records.slice(i * STRETCH, keys.len());
            // SAFETY: checked above; there are as many records as keys, a stretch at most.
            unsafe {
                // From the caches before the products, so that what is stored can be loaded in larger pieces without
                // delay afterwards. In memory products go first, whose rows follow each other.
                if place != Place::Memory {
                    self.put_factors(part, |row| row, keys.len(), &mut factors);
                }
                match &query.bytes {
                    Bytes::Narrow(bytes) => self.row.products(bytes, part, place, high.as_mut_ptr()),
                    Bytes::Wide(bytes) => {
                        self.row.products(&bytes.high, part, place, high.as_mut_ptr());
                        self.row.products(&bytes.low, part, place, low.as_mut_ptr());
                    }
                }
                if place == Place::Memory {
                    self.put_factors(part, |row| row, keys.len(), &mut factors);
                }
                self.finish(query, &factors, &mut high, &mut low, keys);
            }
        }
    }

    /// The keys of the records that fill groups of sixteen, if the instruction set makes them in one go; says how many.
    ///
    /// [`SqCodec::check`] has passed.
    fn whole_groups(&self, query: &SqQuery, records: &Records<'_>, place: Place, keys: &mut [f32]) -> usize {
        let (Some(whole), Bytes::Narrow(bytes)) = (&self.whole, &query.bytes) else { return 0 };
        let count = keys.len() / BLOCK_ROWS * BLOCK_ROWS;
        if count == 0 {
            return 0;
        }
        let job = self.row.job(bytes, records, count, place);
        let factors = job.base.wrapping_add(self.factors_at());
        let to = Keyed { factors, stride: job.stride, keys: keys.as_mut_ptr(), range: self.params.range };
        // SAFETY: there are as many keys, and the factors follow the codes, as `check` has seen.
        unsafe { (whole.rows)(&job, &query.terms, &to) };
        count
    }

    /// The key of each record that `ids` names, in that order. Later records are prefetched while earlier ones are
    /// computed.
    ///
    /// # Panics
    /// As for [`SqCodec::rows`], and when there is no record of some id.
    pub fn gather(&self, query: &SqQuery, records: Records<'_>, ids: &[u32], keys: &mut [f32]) {
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        self.check(query, &records, self.record_bytes());
        let (mut factors, mut high, mut low) = (NO_FACTORS, Products::NONE, Products::NONE);
        for (ids, keys) in ids.chunks(STRETCH).zip(keys.chunks_mut(STRETCH)) {
            // SAFETY: checked above; there is room for a stretch, and when there is no record of an id, that panics.
            unsafe {
                match &query.bytes {
                    Bytes::Narrow(bytes) => self.row.picked(bytes, records, ids, high.as_mut_ptr()),
                    Bytes::Wide(bytes) => {
                        self.row.picked(&bytes.high, records, ids, high.as_mut_ptr());
                        self.row.picked(&bytes.low, records, ids, low.as_mut_ptr());
                    }
                }
                self.put_factors(records, |row| ids[row] as usize, keys.len(), &mut factors);
                self.finish(query, &factors, &mut high, &mut low, keys);
            }
        }
    }

    /// The key of each row of each block, sixteen for each; the keys of rows that a block lacks mean nothing.
    ///
    /// # Panics
    /// When a quantizer of other parameters or for another arrangement made the query, blocks have fewer than
    /// `block_bytes` bytes or are less than that apart, or `keys` has not sixteen places for each.
    pub fn blocks(&self, query: &SqQuery, blocks: Records<'_>, keys: &mut [f32]) {
        /// Blocks of a stretch.
        const BLOCKS: usize = STRETCH / BLOCK_ROWS;
        assert_eq!(Some(keys.len()), blocks.len().checked_mul(BLOCK_ROWS), "sixteen keys for each block");
        self.check(query, &blocks, self.block_bytes());
        let Bytes::Narrow(bytes) = &query.bytes else { panic!("a wide query, which is for rows") };
        let place = blocks.place();
        if let Some(whole) = &self.whole {
            let job = self.block.job(bytes, &blocks, place);
            let factors = job.codes.wrapping_add(self.block.block_bytes());
            let to = Keyed { factors, stride: job.stride, keys: keys.as_mut_ptr(), range: self.params.range };
            // SAFETY: there are sixteen keys for each block, and the factors follow the codes, as `check` has seen.
            unsafe { (whole.blocks)(&job, &query.terms, &to) };
            return;
        }
        let mut high = Products::NONE;
        for (i, keys) in keys.chunks_mut(STRETCH).enumerate() {
            let part = blocks.slice(i * BLOCKS, keys.len() / BLOCK_ROWS);
            let products = high.as_mut_ptr();
            let job = Job {
                groups: part.len(),
                keys: keys.as_mut_ptr(),
                high: products,
                low: ptr::null(),
                factors: part.data().as_ptr().wrapping_add(self.block.block_bytes()),
                stride: part.stride(),
                range: self.params.range,
            };
            // SAFETY: there are sixteen products and keys for each block; the factors follow the codes, as `check` has
            // seen; the loop's instruction set is available, since only `Version::available` hands loops out.
            unsafe {
                self.block.products(bytes, part, place, products);
                (self.keys)(&query.terms, &job);
            }
        }
    }

    /// Puts the factors of `count` rows as blocks hold them, and zeros up to a whole group.
    ///
    /// # Safety
    /// [`SqCodec::check`] has passed, there are the records, and `count` is [`STRETCH`] at most.
    #[inline]
    unsafe fn put_factors(
        &self,
        records: Records<'_>,
        record: impl Fn(usize) -> usize,
        count: usize,
        to: &mut Factors,
    ) {
        let (from, stride) = (records.data().as_ptr().wrapping_add(self.factors_at()), records.stride());
        let (kinds, mut to) = (self.factor_count(), to.as_mut_ptr());
        for first in (0..count).step_by(BLOCK_ROWS) {
            let lanes = (count - first).min(BLOCK_ROWS);
            for kind in 0..kinds {
                // SAFETY: factors of a record that is there, as the caller says; there is room for a stretch.
                unsafe {
                    for lane in 0..lanes {
                        let factor = *from.add(record(first + lane) * stride + 4 * kind).cast::<[u8; 4]>();
                        to.add(lane).write(MaybeUninit::new(factor));
                    }
                    for lane in lanes..BLOCK_ROWS {
                        to.add(lane).write(MaybeUninit::new([0; 4]));
                    }
                    to = to.add(BLOCK_ROWS);
                }
            }
        }
    }

    /// Makes keys of products.
    ///
    /// # Safety
    /// The factors and products of as many rows were put, a stretch at most; the `low` ones where the query is wide.
    unsafe fn finish(
        &self,
        query: &SqQuery,
        factors: &Factors,
        high: &mut Products,
        low: &mut Products,
        keys: &mut [f32],
    ) {
        let wide = matches!(query.bytes, Bytes::Wide(_));
        high.pad(keys.len());
        low.pad(keys.len());
        let (high, low) = (high.as_mut_ptr(), if wide { low.as_mut_ptr() } else { ptr::null_mut() });
        let (groups, range) = (keys.len() / BLOCK_ROWS, self.params.range);
        let (factors, stride) = (factors.as_ptr().cast(), FACTOR_BYTES * self.factor_count());
        let job = Job { groups, high, low, factors, stride, keys: keys.as_mut_ptr(), range };
        // SAFETY: keys, products and factors are there for all groups; the loop's instruction set is available, since
        // only `Version::available` hands loops out.
        unsafe { (self.keys)(&query.terms, &job) };
        // What is left of a group has not room for one where the keys go.
        let done = groups * BLOCK_ROWS;
        let rest = &mut keys[done..];
        if !rest.is_empty() {
            let mut last = [0.0; BLOCK_ROWS];
            let low = if wide { job.low.wrapping_add(done) } else { job.low };
            let (high, factors) = (job.high.wrapping_add(done), job.factors.wrapping_add(groups * stride));
            // SAFETY: as above; products and factors are there for whole groups.
            unsafe {
                (self.keys)(&query.terms, &Job { groups: 1, high, low, factors, keys: last.as_mut_ptr(), ..job })
            };
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }
}

/// The factors of a stretch as blocks hold them. Not cleared, which would cost as much as some short rows.
type Factors = [MaybeUninit<[u8; 4]>; FACTORS * STRETCH];

const NO_FACTORS: Factors = [MaybeUninit::uninit(); FACTORS * STRETCH];

impl SqQuery {
    /// How far `key`, the estimate for a row with these factors, can be from the exact key of the vector that was
    /// encoded, if none of its components was clamped.
    ///
    /// With `d = sum(abs(v - s * q8))`, `h = (2^bits - 1) / 2` and `n` components, the rounded query puts the product
    /// `<v, r^>` off by `step * h * d` at most, and the rounded row each component of `r` by `step / 2`, so that
    ///
    /// - L2: `2 * step * h * d + 2 * e * abs(v - r^) + e^2` with `e = step / 2 * sqrt(n)`;
    /// - IP: `step * h * d + step / 2 * sum(abs(v))`;
    /// - COSINE: `step * h * d / (abs(q) * abs(x^)) + 2 * e / abs(x^)`, as the unit vectors of `x` and `x^ = m + r^`
    ///   are no further apart than the last term;
    ///
    /// and a part for the rounding of factors and sums in f32, and for what is too small for f32. A key that is
    /// infinite or NaN has no bound, which is to say infinity. The cosine with a row whose square is subnormal may be
    /// anything, so its bound is 2.
    pub fn bound(&self, key: f32, factors: SqFactors) -> f32 {
        /// A unit in the last place of f32, relative, with room for the dozen operations of a key.
        const ROUNDING: f64 = 16.0 / (1 << 24) as f64;
        /// The least subnormal f32. A number that is rounded to f32 is off by half of it at most, where it is small.
        const TINY: f64 = 1.0 / (1u128 << 75) as f64 / (1u128 << 74) as f64;
        if !key.is_finite() {
            return f32::INFINITY;
        }
        let (min, step, square) =
            (f64::from(factors.range.min), f64::from(factors.range.step), f64::from(factors.square).max(0.0));
        let (top, dim) = (self.top, self.dim as f64);
        let span = min.abs() + step * top;
        // Half a step, and what the residual and its place on the grid lose in f32.
        let half = 0.5001 * step + ROUNDING * (span + self.mean_largest) + (top + 1.0) * TINY;
        let query_part = step * 0.5 * top * self.loss;
        let product_size = span * (self.magnitudes + self.loss) * 2.0 + self.mean_product.abs();
        // Four factors of the grid and four products with it may be too small.
        let product_rounding = ROUNDING * product_size + 4.0 * TINY * (1.0 + span);
        let off = half * dim.sqrt();
        let bound = match self.metric {
            Metric::L2 => {
                let rounding = ROUNDING * (self.length * self.length + square) + 2.0 * product_rounding + dim * TINY;
                let distance = (f64::from(key) + 2.0 * query_part + rounding).max(0.0).sqrt();
                2.0 * query_part + 2.0 * off * distance + off * off + rounding
            }
            Metric::Cosine => {
                let lengths = self.length * square.sqrt();
                // A subnormal square has lost the digits that the row's length is computed from.
                if lengths > 0.0 && square >= f64::from(f32::MIN_POSITIVE) {
                    let product = query_part + product_rounding;
                    (product / lengths + 2.0 * off / square.sqrt() + ROUNDING).min(2.0)
                } else {
                    2.0
                }
            }
            Metric::Ip
            | Metric::Hamming
            | Metric::Jaccard
            | Metric::Tanimoto
            | Metric::Substructure
            | Metric::Superstructure
            | Metric::MhJaccard => query_part + half * self.magnitudes + product_rounding + dim * TINY,
        };
        (bound as f32).next_up()
    }
}
