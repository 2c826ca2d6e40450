//! SQ4, SQ6 and SQ8: scalar quantization as a tier, by `elanus_kernels::codes::sq`.
//!
//! | section | numbers | what |
//! |---|---|---|
//! | code parameters | 4 of 8 bytes | 1; bits; 0 where each row has its own grid, 1 where there is one for all; that grid's min and step as f32 in one |
//! | code tables | a f32 for each dimension | the mean of the rows that trained it |
//! | codes | a record for each row | codes and factors, then zeros up to a multiple of 64 bytes |

use std::fmt;

use elanus_kernels::Metric;
use elanus_kernels::codes::dot::Records;
use elanus_kernels::codes::sq::{SqCodec, SqGrid, SqParams, SqQuery, SqRange};

use super::source::{Source, as_rows};
use super::{Code, Keys, Tier};
use crate::array::{LINE, Lines};
use crate::container::{Container, Part, Tag};
use crate::{BuildCx, BuildError, OpenError, SearchError, par};

/// Rows that a quantizer is trained on at most.
const SAMPLE: usize = 16_384;
/// Rows encoded by a thread at a time.
const PART: usize = 1024;
/// The share of values that the one grid of SQ4U leaves out at each end, as Milvus does.
const TRIM: f64 = 0.01;
/// Bytes of the factors of a row that has its own grid.
const FACTORS: usize = 12;
/// What the first of the code parameters says of this tier.
pub(super) const NUMBER: u64 = 1;

/// Which scalar quantizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SqKind {
    /// 4, 6 or 8.
    pub(crate) bits: u32,
    /// Whether one grid serves all rows. Otherwise each row has its own, which is finer.
    pub(crate) is_uniform: bool,
}

impl SqKind {
    fn name(self) -> &'static str {
        match (self.bits, self.is_uniform) {
            (4, true) => "SQ4U",
            (4, false) => "SQ4",
            (6, _) => "SQ6",
            (_, _) => "SQ8",
        }
    }
}

/// All rows in scalar codes.
pub(crate) struct SqTier {
    kind: SqKind,
    codec: SqCodec,
    stride: usize,
    rows: usize,
    numbers: [u64; 4],
    codes: Lines,
}

impl SqTier {
    /// Trains on a sample and encodes all rows. `None` when a row is too long to be encoded, or there is no row.
    ///
    /// # Errors
    /// When the build is cancelled or no kernel can be had.
    pub(crate) fn build(kind: SqKind, source: &Source<'_>, cx: &BuildCx<'_>) -> Result<Option<Self>, BuildError> {
        let sample = source.sample(SAMPLE, cx.seed);
        let Some(sample) = as_rows(&sample, source.dim()) else { return Ok(None) };
        let grid = if kind.is_uniform { SqGrid::Uniform { trim: TRIM } } else { SqGrid::PerVector };
        let Ok(params) = SqParams::train(source.code_metric(), kind.bits, grid, sample) else { return Ok(None) };
        let mut tier = Self::empty(kind, SqCodec::new(params)?, source.len());
        let Self { codec, stride, codes, .. } = &mut tier;
        let encoded = par::parts(cx, codes.owned_mut(), PART * *stride, |number, part| {
            let mut row = vec![0.0; source.dim()];
            for (i, record) in part.chunks_exact_mut(*stride).enumerate() {
                source.write(number * PART + i, &mut row);
                codec.encode(&row, record)?;
            }
            Ok(())
        });
        match encoded {
            Ok(()) => Ok(Some(tier)),
            Err(BuildError::Quantizer(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes of a row of `dim` components where each row has its own grid.
    pub(crate) fn record_bytes(dim: usize, bits: u32) -> usize {
        ((dim * bits as usize).div_ceil(8) + FACTORS).next_multiple_of(LINE)
    }

    fn empty(kind: SqKind, codec: SqCodec, rows: usize) -> Self {
        let stride = codec.record_bytes().next_multiple_of(LINE);
        let grid = codec
            .params()
            .range
            .map_or(0, |range| u64::from(range.min.to_bits()) << 32 | u64::from(range.step.to_bits()));
        let numbers = [NUMBER, u64::from(kind.bits), u64::from(kind.is_uniform), grid];
        Self { kind, codec, stride, rows, numbers, codes: Lines::zeros(rows * stride) }
    }

    /// Opens saved codes of `rows` rows.
    ///
    /// # Errors
    /// When the sections are not those of such a tier.
    pub(super) fn open(
        container: &Container,
        role: u32,
        (metric, dim, rows): (Metric, usize, usize),
    ) -> Result<Self, OpenError> {
        let section = container.need(Tag::CodeParams, role)?;
        let numbers = section.array::<u64>(4)?;
        let &[_, bits, uniform, grid] = numbers.as_slice() else {
            return Err(section.refuse(0, 8, "not four numbers", numbers.as_slice().len() as u64));
        };
        if ![4, 6, 8].contains(&bits) {
            return Err(section.refuse(1, 8, "not 4, 6 or 8 bits", bits));
        }
        if uniform > 1 {
            return Err(section.refuse(2, 8, "not 0 or 1", uniform));
        }
        if uniform == 0 && grid != 0 {
            return Err(section.refuse(3, 8, "a grid of all rows beside those of each", grid));
        }
        let range = (uniform == 1)
            .then(|| SqRange { min: f32::from_bits((grid >> 32) as u32), step: f32::from_bits(grid as u32) });
        let mean = container.need(Tag::CodeTables, role)?.array::<f32>(dim as u64)?.as_slice().to_vec();
        let kind = SqKind { bits: bits as u32, is_uniform: uniform == 1 };
        let codec = SqCodec::new(SqParams { metric, bits: kind.bits, range, mean })?;
        let mut tier = Self::empty(kind, codec, 0);
        let section = container.need(Tag::Codes, role)?;
        section.array::<u8>(rows as u64 * tier.stride as u64)?;
        tier.codes = Lines::Mapped(section.blob.clone());
        tier.rows = rows;
        Ok(tier)
    }

    fn records(&self) -> Records<'_> {
        Records::new(self.codes.as_bytes(), self.stride, self.rows)
    }
}

impl Tier for SqTier {
    fn code(&self) -> Code {
        Code::Sq(self.kind)
    }

    fn describe(&self) -> String {
        self.kind.name().to_owned()
    }

    fn size_bytes(&self) -> u64 {
        self.codes.as_bytes().len() as u64
    }

    fn bind<'a>(&'a self, query: &'a [f32]) -> Result<Box<dyn Keys + 'a>, SearchError> {
        // Over 8 bits a query of 8 bits would lose more than the codes do.
        let query =
            if self.kind.bits == 8 { self.codec.prepare_rows_wide(query)? } else { self.codec.prepare_rows(query)? };
        Ok(Box::new(Bound { codec: &self.codec, records: self.records(), query }))
    }

    fn parts(&self, role: u32) -> Vec<Part<'_>> {
        let part = |tag, bytes| Part { tag, item: role, bytes };
        vec![
            part(Tag::CodeParams, bytemuck::cast_slice(&self.numbers)),
            part(Tag::CodeTables, bytemuck::cast_slice(&self.codec.params().mean)),
            part(Tag::Codes, self.codes.as_bytes()),
        ]
    }
}

impl fmt::Debug for SqTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} rows, {} bytes each", self.kind.name(), self.rows, self.stride)
    }
}

struct Bound<'a> {
    codec: &'a SqCodec,
    records: Records<'a>,
    query: SqQuery,
}

impl Keys for Bound<'_> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        self.codec.gather(&self.query, self.records, ids, keys);
    }
}
