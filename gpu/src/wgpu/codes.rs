//! Codes in the device's memory: sixteen rows side by side, word by word, each row's factors after its codes.
use std::num::NonZeroU64;
use std::ops::Range;

use ::wgpu::{Buffer, BufferUsages};
use elanus_kernels::Metric;
use elanus_kernels::backend::{BackendError, Corpus, CorpusKind};
use elanus_kernels::codes::{pq4, rabitq, sq};
use elanus_shaders::wgsl::{CODE_LANES, Codes};

use super::held::{Memory, PIECE_BYTES, Part, UNDERWAY_BYTES};
use super::steps::{Shared, entries};

/// Rows that are brought into the device's order together: whole blocks of every kind of codes.
const UNIT: usize = 64;

/// Bytes of one word of rows that lie side by side.
const LINE: usize = 4 * CODE_LANES;

/// Bytes of the largest part, so that the programs count its words in 32 bits.
const PART_BYTES_MOST: u64 = 1 << 33;

/// What there are programs for.
pub(super) const KINDS: &[(CorpusKind, Codes)] = &[
    (CorpusKind::Sq(8), Codes::Sq8),
    (CorpusKind::Sq(6), Codes::Sq6),
    (CorpusKind::Sq(4), Codes::Sq4),
    (CorpusKind::Pq4, Codes::Pq4),
    (CorpusKind::RaBitQ, Codes::RaBitQ),
];

/// The shape of the codes of a corpus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) codes: Codes,
    /// Components, or sub-quantizers of product codes.
    pub(super) dim: usize,
    /// Whether keys are cosines of a scalar quantizer.
    pub(super) cosine: bool,
    /// The grid of a scalar quantizer's rows, if they share one.
    pub(super) range: Option<sq::SqRange>,
    /// The codec of signs.
    pub(super) signs: Option<rabitq::Codec>,
}

impl Shape {
    /// # Errors
    /// When there is no program for such a corpus, or it has fewer codes than rows.
    pub(super) fn new(corpus: Corpus<'_>) -> Result<Self, BackendError> {
        let kind = corpus.kind();
        let codes = KINDS.iter().find(|(one, _)| *one == kind).map(|(_, codes)| *codes);
        let Some(codes) = codes else { return Err(BackendError::Unsupported { kind, metric: Metric::L2 }) };
        let new = |dim| Self { codes, dim, cosine: false, range: None, signs: None };
        let (shape, enough) = match corpus {
            Corpus::Rows(_) => return Err(BackendError::Unsupported { kind, metric: Metric::L2 }),
            Corpus::Sq { codec, blocks, rows } => {
                let (count, bytes) = (rows.div_ceil(CODE_LANES), codec.block_bytes());
                let last = count.saturating_sub(1).saturating_mul(blocks.stride()).saturating_add(bytes);
                let enough = blocks.len() >= count && (count == 0 || blocks.data().len() >= last);
                let (cosine, range) = (codec.metric() == Metric::Cosine, codec.params().range);
                (Self { cosine, range, ..new(codec.dim()) }, enough && blocks.stride() >= bytes)
            }
            Corpus::Pq4(packed) => (new(packed.m()), true),
            Corpus::RaBitQ { codec, blocks, rows } => {
                let bytes = rows.div_ceil(rabitq::BLOCK).saturating_mul(codec.block_bytes());
                (Self { signs: Some(codec), ..new(codec.dim()) }, blocks.len() >= bytes)
            }
        };
        if enough { Ok(shape) } else { Err(BackendError::Failed { reason: format!("{kind} of fewer rows than said") }) }
    }

    /// Words of a row's codes.
    pub(super) const fn words(&self) -> usize {
        match self.codes {
            Codes::Sq8 => self.dim.div_ceil(4),
            Codes::Sq6 => 3 * self.dim.div_ceil(16),
            Codes::Sq4 | Codes::Pq4 => self.dim.div_ceil(8),
            Codes::RaBitQ => self.dim.div_ceil(32),
        }
    }

    /// Words of a row, its factors included.
    pub(super) fn row_words(&self) -> usize {
        let factors = match self.codes {
            Codes::Sq8 | Codes::Sq6 | Codes::Sq4 => scalar_factors(self.range),
            Codes::Pq4 => 0,
            Codes::RaBitQ => 2,
        };
        self.words() + factors
    }

    fn unit_bytes(&self) -> usize {
        4 * UNIT * self.row_words()
    }

    /// Bytes that so many rows take.
    pub(super) fn bytes(&self, rows: usize) -> u64 {
        rows.div_ceil(UNIT) as u64 * self.unit_bytes() as u64
    }
}

/// The square, and before it the grid of a row where each has its own.
const fn scalar_factors(range: Option<sq::SqRange>) -> usize {
    if range.is_some() { 1 } else { 3 }
}

/// Copies codes to the device.
///
/// # Errors
/// When codes are longer than the device can bind, or it fails.
pub(super) fn upload(shared: &Shared, shape: &Shape, corpus: Corpus<'_>) -> Result<Memory, BackendError> {
    let most = shared.part_bytes.min(PART_BYTES_MOST) / shape.unit_bytes() as u64;
    let part_rows = most as usize * UNIT;
    if part_rows == 0 {
        return Err(BackendError::Failed { reason: format!("codes of {} words are too long for it", shape.words()) });
    }
    let mut parts = Vec::new();
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
    for first in (0..corpus.len()).step_by(part_rows) {
        let count = part_rows.min(corpus.len() - first);
        let part = shared.device.guarded(|| {
            let held = shared.device.buffer(shape.bytes(count), usage);
            write(shared, &held, shape, corpus, first / UNIT..(first + count).div_ceil(UNIT))?;
            // Factors lie with the codes, so there is nothing else to bind.
            let group = entries(&shared.device, &shared.programs.part, &[&held, &held]);
            Ok(Part { first: first as u32, rows: count as u32, group })
        })?;
        parts.push(part);
    }
    Ok(Memory { parts })
}

/// Writes some units to the beginning of a buffer, in pieces.
fn write(
    shared: &Shared,
    to: &Buffer,
    shape: &Shape,
    corpus: Corpus<'_>,
    units: Range<usize>,
) -> Result<(), BackendError> {
    let (each, start) = (shape.unit_bytes(), units.start);
    let step = (PIECE_BYTES / each).max(1);
    let (mut piece, mut underway) = (Vec::new(), 0);
    for first in units.clone().step_by(step) {
        let count = step.min(units.end - first);
        piece.clear();
        piece.resize(count * each, 0);
        for (unit, to) in piece.chunks_exact_mut(each).enumerate() {
            arrange(shape, corpus, first + unit, to);
        }
        let Some(size) = NonZeroU64::new(piece.len() as u64) else { continue };
        let Some(mut view) = shared.device.queue.write_buffer_with(to, ((first - start) * each) as u64, size) else {
            return Err(BackendError::Failed { reason: "no memory to copy codes from".to_owned() });
        };
        view.copy_from_slice(&piece);
        drop(view);
        underway += piece.len();
        if underway >= UNDERWAY_BYTES {
            shared.device.run(None)?;
            underway = 0;
        }
    }
    Ok(())
}

/// Brings unit `unit` of a corpus into the device's order. `to` is zeros.
fn arrange(shape: &Shape, corpus: Corpus<'_>, unit: usize, to: &mut [u8]) {
    let first = unit * UNIT;
    let each = LINE * shape.row_words();
    match corpus {
        Corpus::Sq { codec, blocks, rows } => {
            for (i, to) in to.chunks_exact_mut(each).enumerate() {
                let block = first / CODE_LANES + i;
                if block * CODE_LANES < rows {
                    scalar(shape, blocks.record(block, codec.block_bytes()), to);
                }
            }
        }
        Corpus::Pq4(packed) => {
            let bytes = packed.layout().block_bytes(packed.m());
            let blocks = packed.bytes().chunks_exact(bytes).skip(first / pq4::BLOCK);
            let (layout, given) = (pq4::Layout::VectorMajor, packed.layout());
            let mut turned = vec![0; layout.block_bytes(packed.m())];
            for (block, to) in blocks.zip(to.chunks_exact_mut(2 * each)) {
                let lines = if given == layout {
                    block
                } else {
                    pq4::relayout(packed.m(), (given, block), (layout, &mut turned));
                    &turned
                };
                // Lines of the first and of the last sixteen rows take turns.
                let (low, high) = to.split_at_mut(each);
                let to = low.chunks_exact_mut(LINE).zip(high.chunks_exact_mut(LINE));
                for (from, (low, high)) in lines.chunks_exact(2 * LINE).zip(to) {
                    low.copy_from_slice(&from[..LINE]);
                    high.copy_from_slice(&from[LINE..]);
                }
            }
        }
        Corpus::RaBitQ { codec, blocks, .. } => {
            signs(shape, &blocks[unit * codec.block_bytes()..][..codec.block_bytes()], to);
        }
        Corpus::Rows(_) => {}
    }
}

/// A block of sixteen rows of scalar codes, whose lines are the device's already but for those of six bits.
fn scalar(shape: &Shape, from: &[u8], to: &mut [u8]) {
    let (codes, factors) = from.split_at(from.len() - LINE * scalar_factors(shape.range));
    let (to_codes, to_factors) = to.split_at_mut(LINE * shape.words());
    if shape.codes == Codes::Sq6 {
        let (lower, upper) = codes.split_at(LINE * shape.dim.div_ceil(8));
        let to = to_codes.chunks_exact_mut(3 * LINE);
        for ((to, lower), upper) in to.zip(lower.chunks(2 * LINE)).zip(upper.chunks_exact(LINE)) {
            to[..lower.len()].copy_from_slice(lower);
            to[2 * LINE..].copy_from_slice(upper);
        }
    } else {
        to_codes.copy_from_slice(codes);
    }
    to_factors.copy_from_slice(factors);
    if shape.cosine {
        let at = to_factors.len() - LINE;
        // Its root here, as devices' own roots are rounded in ways of their own.
        for square in to_factors[at..].as_chunks_mut::<4>().0 {
            let value = f32::from_le_bytes(*square);
            *square = (if value > 0.0 { value.sqrt() } else { 0.0 }).to_le_bytes();
        }
    }
}

/// A block of 64 rows of signs, of which byte `k` of each row and then the factors lie side by side.
fn signs(shape: &Shape, from: &[u8], to: &mut [u8]) {
    let words = shape.words();
    let (codes, factors) = from.split_at(4 * words * rabitq::BLOCK);
    for (part, to) in to.chunks_exact_mut(LINE * shape.row_words()).enumerate() {
        let lanes = part * CODE_LANES;
        let (to_codes, to_factors) = to.split_at_mut(LINE * words);
        for (four, to) in codes.chunks_exact(4 * rabitq::BLOCK).zip(to_codes.chunks_exact_mut(LINE)) {
            for (lane, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *to = std::array::from_fn(|byte| four[byte * rabitq::BLOCK + lanes + lane]);
            }
        }
        for (factor, to) in factors.chunks_exact(4 * rabitq::BLOCK).zip(to_factors.chunks_exact_mut(LINE)) {
            to.copy_from_slice(&factor[4 * lanes..][..LINE]);
        }
    }
}
