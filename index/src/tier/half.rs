//! Rows rounded to half as many bits, BF16 or FP16, as a tier.
//!
//! | section | numbers | what |
//! |---|---|---|
//! | code parameters | 2 of 8 bytes | 2 for FP16 and 3 for BF16; the dimension |
//! | codes | the components of each row, of 2 bytes | the rows, for COSINE scaled to unit length |

use std::fmt;

use elanus_kernels::{Bf16, Element, F16, Kernel, Metric, Number, Rows};

use super::source::Source;
use super::{Code, Keys, Tier};
use crate::array::Lines;
use crate::container::{Container, Part, Tag};
use crate::{BuildCx, BuildError, OpenError, SearchError, par};

/// Rows rounded by a thread at a time.
const PART: usize = 1024;
/// What the first of the code parameters says of the tiers of this file.
pub(super) const NUMBERS: [u64; 2] = [2, 3];

/// Which 16-bit float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfKind {
    F16,
    Bf16,
}

impl HalfKind {
    fn name(self) -> &'static str {
        match self {
            Self::F16 => "FP16",
            Self::Bf16 => "BF16",
        }
    }

    fn number(self) -> u64 {
        match self {
            Self::F16 => NUMBERS[0],
            Self::Bf16 => NUMBERS[1],
        }
    }

    /// A value as it is stored; one too large for the type becomes the largest that is not infinite.
    fn bits(self, value: f32) -> u16 {
        match self {
            Self::F16 => F16::from_f32(value.clamp(-F16_MAX, F16_MAX)).0,
            Self::Bf16 => Bf16::from_f32(value.clamp(-BF16_MAX, BF16_MAX)).0,
        }
    }
}

/// The largest finite FP16.
const F16_MAX: f32 = 65_504.0;
/// The largest finite BF16.
const BF16_MAX: f32 = 3.389_531_4e38;

/// All rows in 16 bits a component.
pub(crate) struct HalfTier {
    kind: HalfKind,
    metric: Metric,
    dim: usize,
    numbers: [u64; 2],
    codes: Lines,
}

impl HalfTier {
    /// Rounds all rows.
    ///
    /// # Errors
    /// When the build is cancelled.
    pub(crate) fn build(kind: HalfKind, source: &Source<'_>, cx: &BuildCx<'_>) -> Result<Self, BuildError> {
        let dim = source.dim();
        let mut codes = Lines::zeros(source.len() * dim * 2);
        par::parts(cx, codes.owned_mut(), PART * dim * 2, |number, part| {
            let mut row = vec![0.0; dim];
            for (i, to) in part.chunks_exact_mut(2 * dim).enumerate() {
                source.write(number * PART + i, &mut row);
                for (to, value) in to.chunks_exact_mut(2).zip(&row) {
                    to.copy_from_slice(&kind.bits(*value).to_le_bytes());
                }
            }
            Ok(())
        })?;
        Ok(Self { kind, metric: source.code_metric(), dim, numbers: [kind.number(), dim as u64], codes })
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
        let numbers = section.array::<u64>(2)?;
        let number = numbers.as_slice()[0];
        let kind = if number == NUMBERS[0] { HalfKind::F16 } else { HalfKind::Bf16 };
        if numbers.as_slice()[1] != dim as u64 {
            return Err(section.refuse(1, 8, "another dimension", numbers.as_slice()[1]));
        }
        let section = container.need(Tag::Codes, role)?;
        section.array::<u16>(rows as u64 * dim as u64)?;
        let codes = Lines::Mapped(section.blob.clone());
        Ok(Self { kind, metric, dim, numbers: [number, dim as u64], codes })
    }

    fn values(&self) -> &[u16] {
        bytemuck::cast_slice(self.codes.as_bytes())
    }

    fn bound<'a, E: Number>(&self, values: &'a [E], query: &[f32]) -> Result<Box<dyn Keys + 'a>, SearchError> {
        let query = query.iter().map(|value| E::from_f32(*value)).collect();
        let refusal = SearchError::Dim { want: self.dim, got: values.len() };
        let rows = Rows::new(values, self.dim).map_err(|_| refusal)?;
        Ok(Box::new(Bound { kernel: Kernel::new(self.metric)?, rows, query }))
    }
}

impl Tier for HalfTier {
    fn code(&self) -> Code {
        Code::Half(self.kind)
    }

    fn describe(&self) -> String {
        self.kind.name().to_owned()
    }

    fn size_bytes(&self) -> u64 {
        self.codes.as_bytes().len() as u64
    }

    fn bind<'a>(&'a self, query: &'a [f32]) -> Result<Box<dyn Keys + 'a>, SearchError> {
        match self.kind {
            HalfKind::F16 => self.bound(F16::from_bits_slice(self.values()), query),
            HalfKind::Bf16 => self.bound(Bf16::from_bits_slice(self.values()), query),
        }
    }

    fn parts(&self, role: u32) -> Vec<Part<'_>> {
        let part = |tag, bytes| Part { tag, item: role, bytes };
        vec![part(Tag::CodeParams, bytemuck::cast_slice(&self.numbers)), part(Tag::Codes, self.codes.as_bytes())]
    }
}

impl fmt::Debug for HalfTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of dimension {}, {} bytes", self.kind.name(), self.dim, self.codes.as_bytes().len())
    }
}

struct Bound<'a, E: Element> {
    kernel: Kernel<E>,
    rows: Rows<'a, E>,
    query: Vec<E>,
}

impl<E: Element> Keys for Bound<'_, E> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        self.kernel.gather(&self.query, self.rows, ids, keys);
    }
}
