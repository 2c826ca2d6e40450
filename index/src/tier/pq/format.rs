//! The sections of product codes, and the checks that make opened ones safe to scan.

use elanus_kernels::{Metric, Rows};

use super::beside::{Beside, Grid};
use super::{NUMBER, PqKind, PqTier};
use crate::array::Array;
use crate::container::{Container, Part, Tag};
use crate::{OpenError, check};

pub(super) fn parts(tier: &PqTier, role: u32) -> Vec<Part<'_>> {
    let part = |tag, bytes| Part { tag, item: role, bytes };
    vec![
        part(Tag::CodeParams, bytemuck::cast_slice(&tier.numbers)),
        part(Tag::CodeTables, tier.values.as_bytes()),
        part(Tag::Codes, tier.codes.as_bytes()),
    ]
}

impl PqTier {
    /// Opens saved codes of `rows` rows, compared by L2 or IP. Any bytes are valid codes.
    ///
    /// # Errors
    /// When the sections are not those of such a tier.
    pub(in crate::tier) fn open(
        container: &Container,
        role: u32,
        (metric, dim, rows): (Metric, usize, usize),
    ) -> Result<Self, OpenError> {
        let section = container.need(Tag::CodeParams, role)?;
        let numbers = section.array::<u64>(6)?;
        let &[number, m, nrq, nbits, centroids, rest] = numbers.as_slice() else {
            return Err(section.refuse(0, 8, "not six numbers", numbers.as_slice().len() as u64));
        };
        if number != NUMBER {
            return Err(section.refuse(0, 8, "not product codes", number));
        }
        let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let kind = PqKind { m: small(m), nrq: small(nrq), nbits: u32::try_from(nbits).unwrap_or(u32::MAX) };
        if !kind.fits(dim) {
            let one_part = PqKind { m: 1, ..kind };
            let (at, got) = if one_part.fits(dim) {
                (1, m)
            } else if (PqKind { nrq: 1, ..one_part }).fits(dim) {
                (2, nrq)
            } else {
                (3, nbits)
            };
            return Err(section.refuse(at, 8, "no such product codes over this dimension", got));
        }
        if centroids == 0 || centroids > 1 << nbits {
            return Err(section.refuse(4, 8, "not 1 to 2^nbits centroids", centroids));
        }
        let grid = Grid::of(rest).filter(|_| rest == 0 || kind.beside(metric) == Beside::Rest);
        let rests = grid.ok_or_else(|| section.refuse(5, 8, "not the grid of rests", rest))?;
        let section = container.need(Tag::CodeTables, role)?;
        let values = section.array::<f32>((nrq * dim as u64).saturating_mul(centroids))?;
        if !check::all_finite(values.as_slice()) {
            let at = values.as_slice().iter().position(|value| !value.is_finite()).unwrap_or(0);
            return Err(section.refuse(at, 4, "not a finite number", u64::from(values.as_slice()[at].to_bits())));
        }
        let codes = container.need(Tag::Codes, role)?;
        let codes = codes.array::<u8>((rows as u64).saturating_mul(kind.row_bytes(metric) as u64))?;
        Ok(Self::new(kind, (metric, dim, rows), centroids as usize, (values, codes), rests)?)
    }

    /// All rows of codes.
    pub(super) fn records(&self) -> Rows<'_, u8> {
        let codes: &Array<u8> = &self.codes;
        Rows::new(codes.as_slice(), self.row_bytes()).unwrap_or_else(|_| unreachable!("codes are whole rows"))
    }
}
