//! Tiers: copies of the rows in codes, from small ones that a walk compares to finer ones that refine what it found.
//!
//! The rows themselves are a tier as well, the last one: [`rows`]. A tier is bound to a query and then gives keys by
//! row id, so that a walk need not know what it compares.

pub(crate) mod rows;
pub(crate) mod source;

use std::fmt::Debug;

use crate::SearchError;
use crate::container::Part;

/// A query bound to a tier.
pub(crate) trait Keys {
    /// The keys of the rows `ids`, in their order; smaller is nearer.
    fn keys(&self, ids: &[u32], keys: &mut [f32]);
}

/// A copy of all rows in codes.
pub(crate) trait Tier: Send + Sync + Debug {
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
