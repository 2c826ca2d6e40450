//! Tiers: copies of the rows in codes, from small ones that a walk compares to finer ones that refine what it found.
//!
//! The rows themselves are a tier as well, the last one: [`rows`]. A tier is bound to a query and then gives keys by
//! row id, so that a walk need not know what it compares.

pub(crate) mod half;
pub(crate) mod pq;
mod prq;
pub(crate) mod rows;
pub(crate) mod source;
pub(crate) mod sq;

use std::fmt::Debug;

use elanus_kernels::Metric;

use self::half::{HalfKind, HalfTier};
use self::pq::{PqKind, PqTier};
use self::source::Source;
use self::sq::{SqKind, SqTier};
use crate::container::{Container, Part, Tag};
use crate::{BuildCx, BuildError, OpenError, SearchError};

/// A query bound to a tier.
pub(crate) trait Keys {
    /// The keys of the rows `ids`, in their order; smaller is nearer.
    fn keys(&self, ids: &[u32], keys: &mut [f32]);
}

/// A copy of all rows in codes.
pub(crate) trait Tier: Send + Sync + Debug {
    /// Which codes they are.
    fn code(&self) -> Code;

    /// The code's name and parameters, for people.
    fn describe(&self) -> String;

    /// Bytes in memory or in a mapped file.
    fn size_bytes(&self) -> u64;

    /// Binds a query of the element type of the rows; it is given as [`source::query`] makes it.
    ///
    /// # Errors
    /// When the codes cannot be compared with this query.
    fn bind<'a>(&'a self, query: &'a [f32]) -> Result<Box<dyn Keys + 'a>, SearchError>;

    /// What is saved of it; `role` becomes the item of each section.
    fn parts(&self, role: u32) -> Vec<Part<'_>>;
}

/// Which codes a tier has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Sq(SqKind),
    Half(HalfKind),
    Pq(PqKind),
}

/// Makes the codes of all rows; `None` when the rows cannot be given in such codes, or there are none.
///
/// # Errors
/// When the build is cancelled or no kernel can be had.
pub(crate) fn build(code: Code, source: &Source<'_>, cx: &BuildCx<'_>) -> Result<Option<Box<dyn Tier>>, BuildError> {
    match code {
        Code::Sq(kind) => Ok(SqTier::build(kind, source, cx)?.map(|tier| -> Box<dyn Tier> { Box::new(tier) })),
        Code::Half(kind) => Ok(Some(Box::new(HalfTier::build(kind, source, cx)?))),
        Code::Pq(kind) => Ok(PqTier::build(kind, source, cx)?.map(|tier| -> Box<dyn Tier> { Box::new(tier) })),
    }
}

/// Opens the tier of that role, if there is one, over `rows` rows.
///
/// # Errors
/// When its sections are not those of a tier of such rows.
pub(crate) fn open(
    container: &Container,
    role: u32,
    metric: Metric,
    dim: usize,
    rows: usize,
) -> Result<Option<Box<dyn Tier>>, OpenError> {
    let Some(section) = container.find(Tag::CodeParams, role) else { return Ok(None) };
    let metric = if metric == Metric::Cosine { Metric::Ip } else { metric };
    let number = section.blob.as_u64s().and_then(|numbers| numbers.first().copied()).unwrap_or(0);
    let shape = (metric, dim, rows);
    if number == sq::NUMBER {
        return Ok(Some(Box::new(SqTier::open(container, role, shape)?)));
    }
    if half::NUMBERS.contains(&number) {
        return Ok(Some(Box::new(HalfTier::open(container, role, shape)?)));
    }
    if number == pq::NUMBER {
        return Ok(Some(Box::new(PqTier::open(container, role, shape)?)));
    }
    Err(section.refuse(0, 8, "no such codes", number))
}

#[cfg(test)]
mod tests;
