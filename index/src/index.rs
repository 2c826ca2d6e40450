//! The trait of a built index, what a search asks of it and what it counted.

use std::any::Any;
use std::fmt::Debug;
use std::io::{self, Write};

use elanus_kernels::{AnyRows, BitmapView, TopK, Vector};

use crate::{Cancel, IndexFactory, KeyRange, ParamSet, Scratch, SearchError, Spec};

/// A built index. It holds links and codes but no vectors: the rows it was built over are lent to every search.
pub trait Index: Any + Send + Sync + Debug {
    /// The entry of [`crate::INDEXES`] that this index belongs to.
    fn factory(&self) -> &'static dyn IndexFactory;

    /// What the index was built from: element, dimension, metric, parameters.
    fn spec(&self) -> &Spec;

    /// How many rows it was built over, rows without a vector included.
    fn len(&self) -> usize;

    /// Whether it was built over no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the index keeps in memory or in a mapped file, without the rows.
    fn footprint_bytes(&self) -> u64;

    /// One line for people: the type, its resolved parameters and what it chose.
    fn describe(&self) -> String;

    /// Adds to `out` the nearest rows to `query` that pass the filter and lie in the key range.
    ///
    /// `rows` must be the rows of the build. Row ids in `out` are positions in them. Fewer than `k` rows come back only
    /// if fewer qualify.
    ///
    /// # Errors
    /// When a shape or parameter does not fit, the query is not finite, or the search was cancelled; `out` may then
    /// hold part of the answer.
    fn search(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError>;

    /// [`Index::search`] for several queries at once, one result holder for each. All are computed on this thread.
    ///
    /// # Errors
    /// As [`Index::search`], and when there are not as many holders as queries.
    fn search_many(
        &self,
        rows: AnyRows<'_>,
        queries: AnyRows<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        outs: &mut [TopK],
    ) -> Result<Stats, SearchError> {
        if queries.len() != outs.len() {
            return Err(SearchError::Holder { want: queries.len(), got: outs.len() });
        }
        let mut stats = Stats::default();
        for (number, out) in outs.iter_mut().enumerate() {
            stats.add(self.search(rows, queries.row(number), search, scratch, out)?);
        }
        Ok(stats)
    }

    /// [`Index::search_many`] by a device, which this thread waits for without computing. `None` when there is none, it
    /// would not pay, or it failed: the caller then searches in another way, with the holders as they were.
    ///
    /// Searches that wait for the same rows at the same time may reach the device together.
    fn search_on_device(
        &self,
        _rows: AnyRows<'_>,
        _queries: AnyRows<'_>,
        _search: &Search<'_>,
        _outs: &mut [TopK],
    ) -> Option<Result<Stats, SearchError>> {
        None
    }

    /// Whether every row that may be returned is compared with every query.
    fn is_exact(&self) -> bool {
        false
    }

    /// Writes the bytes that [`IndexFactory::open`] takes.
    ///
    /// # Errors
    /// Those of the writer.
    fn save(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// One search: how many rows, by which parameters, among which rows and keys.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// How many rows are wanted; the size of the `TopK` that is lent.
    pub k: usize,
    /// Search parameters, parsed against the factory's list with [`crate::Stage::Search`].
    pub params: &'a ParamSet,
    /// Rows that may be returned: one bit for each row of the index. `None` admits all.
    pub filter: Option<BitmapView<'a>>,
    /// Keys that may be returned.
    pub range: KeyRange,
    /// Ends the search early.
    pub cancel: &'a Cancel,
}

/// What a search did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Graph nodes expanded.
    pub hops: u64,
    /// Distances computed.
    pub distances: u64,
}

impl Stats {
    /// Adds the counts of another search.
    pub fn add(&mut self, other: Self) {
        self.hops += other.hops;
        self.distances += other.distances;
    }
}
