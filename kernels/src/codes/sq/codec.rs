//! Records: codes and factors, written and read.
use super::{SqError, SqParams, SqRange, largest_code, span};
use crate::{
    codes::dot::{BLOCK_ROWS, BlockDot, DotError, RowDot},
    dispatch::choice,
    isa::{self, IsaInfo},
    metric::Metric,
    rows::Rows,
};

use super::keys::{self, KeyLoop, Whole};

/// The factors of a row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SqFactors {
    /// The grid.
    pub range: SqRange,
    /// `abs(r^)^2` for L2, else `abs(m + r^)^2`.
    pub square: f32,
}

/// A trained scalar quantizer, bound to an instruction set.
///
/// ```
/// use elanus_kernels::{Metric, Rows, codes::{dot::Records, sq::{SqCodec, SqGrid, SqParams}}};
///
/// let values: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.7).sin()).collect();
/// let rows = Rows::new(&values, 100)?;
/// let codec = SqCodec::new(SqParams::train(Metric::L2, 8, SqGrid::PerVector, rows)?)?;
/// let stride = codec.record_bytes();
/// let mut data = vec![0; rows.len() * stride];
/// for (row, record) in rows.iter().zip(data.chunks_mut(stride)) {
///     codec.encode(row, record)?;
/// }
/// let query = codec.prepare_rows(rows.row(3))?;
/// let mut keys = [0.0; 10];
/// codec.rows(&query, Records::new(&data, stride, 10), &mut keys);
/// assert!(keys[3].abs() < 0.1 && keys[4] > 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SqCodec {
    pub(super) params: SqParams,
    pub(super) row: RowDot,
    pub(super) block: BlockDot,
    pub(super) keys: KeyLoop,
    /// Where codes become keys in one go.
    pub(super) whole: Option<Whole>,
    /// Of the parameters, to tell whose queries are given.
    pub(super) fingerprint: u64,
}

impl SqCodec {
    /// The quantizer of these parameters, on the best instruction set that [`choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used or the parameters are out of range.
    pub fn new(params: SqParams) -> Result<Self, SqError> {
        Self::on(choice().map_err(DotError::from)?, params)
    }

    /// The same on the set `isa`, or the next one below it that has code of its own.
    ///
    /// # Errors
    /// As for [`SqCodec::new`].
    pub fn on(isa: &'static IsaInfo, params: SqParams) -> Result<Self, SqError> {
        params.check()?;
        let row = RowDot::on(isa, params.mean.len(), params.bits)?;
        let block = BlockDot::on(isa, params.mean.len(), params.bits)?;
        let (_, keys) = isa::pick(keys::LOOPS, isa).expect("the scalar set is always available");
        let (_, whole) = isa::pick(keys::WHOLES, isa).expect("the scalar set is always available");
        let whole = whole.filter(|_| matches!(params.bits, 4 | 8));
        let fingerprint = params.fingerprint();
        Ok(Self { params, row, block, keys, whole, fingerprint })
    }

    /// What training found.
    pub const fn params(&self) -> &SqParams {
        &self.params
    }

    /// Components of a vector.
    pub const fn dim(&self) -> usize {
        self.params.mean.len()
    }

    /// The metric of the keys.
    pub const fn metric(&self) -> Metric {
        self.params.metric
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.row.isa()
    }

    /// Where the factors begin in a record, which is also how many bytes the codes take.
    pub const fn factors_at(&self) -> usize {
        self.row.code_bytes()
    }

    /// Bytes of a record of one row.
    pub const fn record_bytes(&self) -> usize {
        self.row.code_bytes() + 4 * self.factor_count()
    }

    /// Bytes of a record of sixteen rows.
    pub const fn block_bytes(&self) -> usize {
        self.block.block_bytes() + 4 * BLOCK_ROWS * self.factor_count()
    }

    /// Factors of a row: the square, and before it the grid where each row has its own.
    pub(super) const fn factor_count(&self) -> usize {
        if self.params.range.is_some() { 1 } else { 3 }
    }

    /// Writes the record of a row, and says how many of its components the grid does not reach and were clamped, which
    /// is none where the grid is per vector. [`SqQuery::bound`](super::SqQuery::bound) holds for rows with none.
    ///
    /// # Errors
    /// When a component is not finite, or a factor would not be.
    ///
    /// # Panics
    /// When the row has another dimension or `to` has fewer than `record_bytes` bytes.
    pub fn encode(&self, row: &[f32], to: &mut [u8]) -> Result<usize, SqError> {
        let mut codes = vec![0; self.dim()];
        let (factors, clamped) = self.quantize(row, &mut codes)?;
        self.row.pack(&codes, to);
        let to = &mut to[self.factors_at()..self.record_bytes()];
        for (to, factor) in to.chunks_exact_mut(4).zip(self.stored(factors)) {
            to.copy_from_slice(&factor.to_le_bytes());
        }
        Ok(clamped)
    }

    /// Writes the record of a block of up to sixteen rows, and says how many components were clamped. Rows that lack
    /// are zeros.
    ///
    /// # Errors
    /// As for [`SqCodec::encode`].
    ///
    /// # Panics
    /// When the rows have another dimension or are more than sixteen, or `to` has fewer than `block_bytes` bytes.
    pub fn encode_block(&self, rows: Rows<'_, f32>, to: &mut [u8]) -> Result<usize, SqError> {
        assert!(rows.len() <= BLOCK_ROWS, "{} rows in a block of {BLOCK_ROWS}", rows.len());
        let (codes_to, factors_to) = to[..self.block_bytes()].split_at_mut(self.block.block_bytes());
        let mut codes = vec![0; rows.len() * self.dim()];
        factors_to.fill(0);
        let mut clamped = 0;
        for (lane, (row, codes)) in rows.iter().zip(codes.chunks_exact_mut(self.dim())).enumerate() {
            let (factors, more) = self.quantize(row, codes)?;
            for (to, factor) in factors_to.chunks_exact_mut(4 * BLOCK_ROWS).zip(self.stored(factors)) {
                to[4 * lane..4 * lane + 4].copy_from_slice(&factor.to_le_bytes());
            }
            clamped += more;
        }
        self.block.pack(&codes, codes_to);
        Ok(clamped)
    }

    /// Reads a row back, as it was rounded.
    ///
    /// # Panics
    /// When `to` has not `dim` places or `from` has fewer than `record_bytes` bytes.
    pub fn decode(&self, from: &[u8], to: &mut [f32]) {
        let mut codes = vec![0; self.dim()];
        self.row.unpack(from, &mut codes);
        self.points(&codes, self.factors(from).range, to);
    }

    /// Reads row `lane` of a block back, as it was rounded.
    ///
    /// # Panics
    /// When `lane` is not below sixteen, `to` has not `dim` places or `from` has fewer than `block_bytes` bytes.
    pub fn decode_block(&self, from: &[u8], lane: usize, to: &mut [f32]) {
        let mut codes = vec![0; self.dim()];
        self.block.unpack(from, lane, &mut codes);
        self.points(&codes, self.block_factors(from, lane).range, to);
    }

    /// The factors in the record of a row.
    ///
    /// # Panics
    /// When `from` has fewer than `record_bytes` bytes.
    pub fn factors(&self, from: &[u8]) -> SqFactors {
        let from = &from[self.factors_at()..self.record_bytes()];
        self.read(|factor| float(&from[4 * factor..]))
    }

    /// The factors of row `lane` in the record of a block.
    ///
    /// # Panics
    /// When `lane` is not below sixteen or `from` has fewer than `block_bytes` bytes.
    pub fn block_factors(&self, from: &[u8], lane: usize) -> SqFactors {
        assert!(lane < BLOCK_ROWS, "row {lane} of a block of {BLOCK_ROWS}");
        let from = &from[self.block.block_bytes()..self.block_bytes()];
        self.read(|factor| float(&from[4 * (BLOCK_ROWS * factor + lane)..]))
    }

    /// Rounds a row to codes.
    fn quantize(&self, row: &[f32], codes: &mut [u8]) -> Result<(SqFactors, usize), SqError> {
        assert_eq!(row.len(), self.dim(), "row and quantizer of different dimension");
        if let Some(position) = row.iter().position(|value| !value.is_finite()) {
            return Err(SqError::NotFinite { position });
        }
        let range = match self.params.range {
            Some(range) => range,
            None => self.own_range(row)?,
        };
        let (min, step) = (f64::from(range.min), f64::from(range.step));
        let (inverse, top) = (if step > 0.0 { 1.0 / step } else { 0.0 }, f64::from(largest_code(self.params.bits)));
        // The square of the mean and the residual together, or of the residual alone.
        let whole = if self.metric() == Metric::L2 { 0.0 } else { 1.0 };
        let (mut square, mut clamped) = (0.0, 0);
        for ((code, &value), &mean) in codes.iter_mut().zip(row).zip(&self.params.mean) {
            let mean = f64::from(mean);
            let place = (f64::from(value) - mean - min) * inverse;
            let beyond = !(-0.5..=top + 0.5).contains(&place) || (step == 0.0 && f64::from(value) - mean != min);
            clamped += usize::from(beyond);
            let nearest = (place + 0.5).clamp(0.0, top) as u8;
            *code = nearest;
            let point = whole * mean + min + step * f64::from(nearest);
            square += point * point;
        }
        let square = square as f32;
        if !square.is_finite() {
            return Err(SqError::TooLarge);
        }
        // Where each row has its own grid, only its rounding to f32 puts values beyond.
        let clamped = if self.params.range.is_some() { clamped } else { 0 };
        Ok((SqFactors { range, square }, clamped))
    }

    /// The grid that spans a row's own residuals.
    fn own_range(&self, row: &[f32]) -> Result<SqRange, SqError> {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for (value, mean) in row.iter().zip(&self.params.mean) {
            low = low.min(value - mean);
            high = high.max(value - mean);
        }
        if low.is_finite() && high.is_finite() { Ok(span(low, high, self.params.bits)) } else { Err(SqError::TooLarge) }
    }

    fn points(&self, codes: &[u8], range: SqRange, to: &mut [f32]) {
        assert_eq!(to.len(), self.dim(), "room for another dimension");
        for ((to, &code), &mean) in to.iter_mut().zip(codes).zip(&self.params.mean) {
            *to = (f64::from(mean) + f64::from(range.min) + f64::from(range.step) * f64::from(code)) as f32;
        }
    }

    /// The factors in the order in which they are stored.
    fn stored(&self, factors: SqFactors) -> impl Iterator<Item = f32> {
        let all = [factors.range.min, factors.range.step, factors.square];
        all.into_iter().skip(3 - self.factor_count())
    }

    /// The factors, from a reader of the stored ones.
    fn read(&self, stored: impl Fn(usize) -> f32) -> SqFactors {
        match self.params.range {
            Some(range) => SqFactors { range, square: stored(0) },
            None => SqFactors { range: SqRange { min: stored(0), step: stored(1) }, square: stored(2) },
        }
    }
}

/// The little-endian f32 at the beginning of `from`.
#[inline]
pub(super) fn float(from: &[u8]) -> f32 {
    f32::from_le_bytes([from[0], from[1], from[2], from[3]])
}
