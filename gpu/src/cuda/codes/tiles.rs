//! From the blocks of the kernels to the tiles of the programs: see `codes.cuh` of `elanus_shaders`.
use elanus_kernels::backend::{BackendError, Corpus};
use elanus_kernels::codes::{dot, pq4, rabitq, sq};
use elanus_shaders::cuda::CODES_TILE;

use super::Form;

/// Rows of a tile.
pub(super) const ROWS: usize = CODES_TILE;

/// Bytes of a chunk of one row, and of all rows of a tile.
const CHUNK: usize = 16;
const CHUNKS: usize = CHUNK * ROWS;

/// Bytes of a step of a block of scalar codes, and of a factor of its rows.
const STEP: usize = 4 * dot::BLOCK_ROWS;

/// The shape of tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tiling {
    /// Units of a row.
    pub(super) units: usize,
    /// Chunks of a unit.
    chunks: usize,
    /// Numbers behind the units.
    pub(super) factors: usize,
}

impl Tiling {
    pub(super) fn of(form: &Form) -> Self {
        match form {
            Form::Sq { bits, dim, grid } => {
                let (unit, chunks) = match bits {
                    4 => (32, 1),
                    6 => (64, 3),
                    _ => (16, 1),
                };
                Self { units: dim.div_ceil(unit), chunks, factors: factors(grid.is_some()) }
            }
            Form::Pq4 { m } => Self { units: m.div_ceil(32), chunks: 1, factors: 0 },
            Form::RaBitQ { codec } => Self { units: codec.dim().div_ceil(128), chunks: 1, factors: 2 },
        }
    }

    pub(super) fn tile_bytes(&self) -> usize {
        self.units * self.chunks * CHUNKS + self.factors * ROWS * 4
    }

    /// The chunks of all rows of a tile that stand side by side.
    fn side_by_side<'t>(&self, to: &'t mut [u8], unit: usize, chunk: usize) -> &'t mut [[u8; CHUNK]] {
        to[(unit * self.chunks + chunk) * CHUNKS..][..CHUNKS].as_chunks_mut().0
    }

    /// Where a factor of a row begins.
    fn factor(&self, factor: usize, row: usize) -> usize {
        self.units * self.chunks * CHUNKS + (factor * ROWS + row) * 4
    }
}

/// Factors of scalar codes: the square, and the grid where each row has its own.
const fn factors(one_grid: bool) -> usize {
    if one_grid { 1 } else { 3 }
}

/// Codes that were looked at: all that is read is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Sq { codec: &'a sq::SqCodec, blocks: dot::Records<'a>, rows: usize },
    Pq4(pq4::Packed<'a>),
    RaBitQ { codec: rabitq::Codec, blocks: &'a [u8] },
}

impl<'a> Source<'a> {
    /// The codes; `None` for vectors.
    pub(super) fn new(corpus: Corpus<'a>) -> Result<Option<Self>, BackendError> {
        let lacks = |rows: usize| Err(BackendError::Failed { reason: format!("blocks of fewer than {rows} rows") });
        match corpus {
            Corpus::Rows(_) => Ok(None),
            Corpus::Sq { codec, blocks, rows } => {
                let (count, bytes) = (rows.div_ceil(dot::BLOCK_ROWS), codec.block_bytes());
                let last = count.checked_sub(1).and_then(|last| last.checked_mul(blocks.stride()));
                let there = last.is_none_or(|last| last + bytes <= blocks.data().len());
                if count > blocks.len() || !there || blocks.stride() < bytes {
                    return lacks(rows);
                }
                Ok(Some(Self::Sq { codec, blocks, rows }))
            }
            Corpus::Pq4(packed) => Ok(Some(Self::Pq4(packed))),
            Corpus::RaBitQ { codec, blocks, rows } => {
                let bytes = rows.div_ceil(rabitq::BLOCK).checked_mul(codec.block_bytes());
                if bytes.is_none_or(|bytes| bytes > blocks.len()) {
                    return lacks(rows);
                }
                Ok(Some(Self::RaBitQ { codec, blocks }))
            }
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Self::Sq { codec, .. } => {
                Form::Sq { bits: codec.params().bits, dim: codec.dim(), grid: codec.params().range }
            }
            Self::Pq4(packed) => Form::Pq4 { m: packed.m() },
            Self::RaBitQ { codec, .. } => Form::RaBitQ { codec: *codec },
        }
    }

    /// Writes a tile, of zeros until now.
    pub(super) fn write(&self, tiling: &Tiling, tile: usize, to: &mut [u8]) {
        match self {
            Self::Sq { codec, blocks, rows } => {
                for half in 0..ROWS / dot::BLOCK_ROWS {
                    let block = tile * (ROWS / dot::BLOCK_ROWS) + half;
                    if block * dot::BLOCK_ROWS < *rows {
                        scalar(codec, blocks.record(block, codec.block_bytes()), tiling, half * dot::BLOCK_ROWS, to);
                    }
                }
            }
            Self::Pq4(packed) => product(packed, tiling, tile, to),
            Self::RaBitQ { codec, blocks } => {
                let block = &blocks[tile * ROWS / rabitq::BLOCK * codec.block_bytes()..][..codec.block_bytes()];
                signs(codec, block, tile * ROWS % rabitq::BLOCK, tiling, to);
            }
        }
    }
}

/// Distributes up to four steps, each of four bytes for each row, over the chunks of the rows.
fn interleave(steps: &[u8], step_bytes: usize, chunks: &mut [[u8; CHUNK]]) {
    let words = chunks.as_flattened_mut().as_chunks_mut::<4>().0;
    for (place, step) in steps.chunks_exact(step_bytes).enumerate() {
        for (to, from) in words[place..].iter_mut().step_by(4).zip(step.as_chunks::<4>().0) {
            *to = *from;
        }
    }
}

/// A block of sixteen rows of scalar codes, from row `first` of the tile on.
fn scalar(codec: &sq::SqCodec, block: &[u8], tiling: &Tiling, first: usize, to: &mut [u8]) {
    // Components of a step of the first plane, and the chunks of a unit that it fills.
    let (components, chunks) = if codec.params().bits == 8 { (4, 1) } else { (8, tiling.chunks.min(2)) };
    let (codes, factors) = block.split_at(block.len() - tiling.factors * STEP);
    let (lower, upper) = codes.split_at(codec.dim().div_ceil(components) * STEP);
    for (at, steps) in lower.chunks(4 * STEP).enumerate() {
        interleave(steps, STEP, &mut tiling.side_by_side(to, at / chunks, at % chunks)[first..]);
    }
    // The plane of two bits, where there is one.
    for (unit, steps) in upper.chunks(4 * STEP).enumerate() {
        interleave(steps, STEP, &mut tiling.side_by_side(to, unit, 2)[first..]);
    }
    for (factor, values) in factors.chunks_exact(STEP).enumerate() {
        to[tiling.factor(factor, first)..][..STEP].copy_from_slice(values);
    }
}

/// A block of 32 rows of product codes.
fn product(packed: &pq4::Packed<'_>, tiling: &Tiling, tile: usize, to: &mut [u8]) {
    let (m, layout, wanted) = (packed.m(), packed.layout(), pq4::Layout::VectorMajor);
    let block = &packed.bytes()[tile * layout.block_bytes(m)..][..layout.block_bytes(m)];
    let turned = (layout != wanted).then(|| {
        let mut turned = vec![0; wanted.block_bytes(m)];
        pq4::relayout(m, (layout, block), (wanted, &mut turned));
        turned
    });
    // A step is eight sub-quantizers. What only fills up may be anything: the tables have zeros there.
    for (unit, steps) in turned.as_deref().unwrap_or(block).chunks(16 * ROWS).enumerate() {
        interleave(steps, 4 * ROWS, tiling.side_by_side(to, unit, 0));
    }
}

/// Half a block of signs, from its row `first` on.
fn signs(codec: &rabitq::Codec, block: &[u8], first: usize, tiling: &Tiling, to: &mut [u8]) {
    let (planes, factors) = block.split_at(codec.plane_bytes() * rabitq::BLOCK);
    for (unit, columns) in planes.chunks(CHUNK * rabitq::BLOCK).enumerate() {
        let chunks = tiling.side_by_side(to, unit, 0);
        for (place, column) in columns.chunks_exact(rabitq::BLOCK).enumerate() {
            for (chunk, byte) in chunks.iter_mut().zip(&column[first..first + ROWS]) {
                chunk[place] = *byte;
            }
        }
    }
    for (factor, values) in factors.chunks_exact(4 * rabitq::BLOCK).enumerate().take(tiling.factors) {
        to[tiling.factor(factor, 0)..][..4 * ROWS].copy_from_slice(&values[4 * first..4 * (first + ROWS)]);
    }
}
