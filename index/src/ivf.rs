//! Inverted lists of 4-bit product codes: the index for rows of few dimensions.
//!
//! Rows are put into the lists of nearby centres, as codes of what is left when the centre is taken away. A search scans
//! the codes of the lists whose centres are nearest to the query, and compares the rows that look best with the query
//! themselves, so the keys that it returns are those of the rows (Jegou, Douze and Schmid, "Product Quantization for
//! Nearest Neighbor Search", PAMI 2011, section 4; the scan is that of [`elanus_kernels::codes::pq4`]).
//!
//! Two things make few codes say much. Each row is in a second list too, of a centre on another side of it (SOAR, see
//! `spill`), and codes for products are chosen so that the error along the row counts most (see `codes`).

mod build;
mod codes;
mod format;
mod promise;
mod search;
mod space;
mod spill;

use std::io::{self, Write};

use elanus_kernels::codes::pq4::{self, Layout};
use elanus_kernels::codes::pq8::Codebooks;
use elanus_kernels::{AnyRows, BitmapView, ElementType, KernelError, Metric, TopK, Vector};

use self::search::Effort;
pub(crate) use self::search::ListScratch;
use self::space::Space;
use crate::array::Array;
use crate::plan::calibrate::Calibration;
use crate::{
    BuildCx, BuildError, Index, IndexFactory, Param, ParamKind, Scratch, Search, SearchError, Spec, Stage, Stats, check,
};

/// Rows at most: each may have two entries, and entries are counted in 32 bits.
pub(crate) const MAX_ROWS: usize = (1 << 31) - 1;

/// The layout of the codes, in memory and in saved bytes, on every machine.
const LAYOUT: Layout = Layout::VectorMajor;

/// The search parameter that says how many lists are scanned.
pub(crate) const PROBES: Param = Param {
    name: "nprobe",
    aliases: &[],
    kind: ParamKind::Int { min: 1, max: 65_536, default: None },
    stage: Stage::Search,
    doc: "Lists scanned in a search; more find more of the true neighbours and take longer. When not given: three of \
          32 lists, but at least 16.",
};

/// The search parameter that says how many rows are compared themselves.
pub(crate) const CANDIDATES: Param = Param {
    name: "reorder_k",
    aliases: &[],
    kind: ParamKind::Int { min: 1, max: i32::MAX as i64, default: None },
    stage: Stage::Search,
    doc: "Rows compared with the query themselves after the scan of the codes, at least k. When not given: 2 k + 80.",
};

/// How lists are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListShape {
    /// How many lists; 0 for twice the root of the number of rows.
    pub(crate) lists: usize,
    /// Components that share a code of four bits.
    pub(crate) part: usize,
    /// Whether each row is in two lists.
    pub(crate) spill: bool,
}

impl Default for ListShape {
    fn default() -> Self {
        Self { lists: 0, part: 2, spill: true }
    }
}

impl ListShape {
    /// The shape as it is used: with at least one component in a part, and no more than there are.
    fn fitted(self, dim: usize) -> Self {
        Self { part: self.part.clamp(1, dim), ..self }
    }

    /// Sub-quantizers of a code.
    fn codes(self, dim: usize) -> usize {
        dim.div_ceil(self.part)
    }

    /// How many lists there are over so many rows.
    fn lists_of(self, nodes: usize) -> usize {
        let wanted = if self.lists == 0 { 2 * nodes.isqrt() } else { self.lists };
        wanted.clamp(1, nodes.div_ceil(8).max(1))
    }
}

/// Whether there are lists for this element type and metric.
pub(crate) fn supports(element: ElementType, metric: Metric) -> bool {
    matches!(element, ElementType::F32 | ElementType::F16 | ElementType::Bf16)
        && matches!(metric, Metric::L2 | Metric::Ip | Metric::Cosine)
}

/// Built lists.
#[derive(Debug)]
pub(crate) struct IvfIndex {
    spec: Spec,
    shape: ListShape,
    rows: usize,
    /// Rows that have an entry or are loose.
    nodes: usize,
    /// Which they are, unless all are.
    present: Option<Array<u64>>,
    /// `None` where there are too few rows for lists: then all are compared.
    lists: Option<Lists>,
    /// Which widths find how much; `None` where that was not measured.
    promise: Option<Calibration>,
}

/// The lists and what is needed to read them.
#[derive(Debug)]
struct Lists {
    space: Space,
    /// One row for each list.
    centres: Array<f32>,
    /// The centroids of the codes: sub-quantizers by 16 by components.
    books: Array<f32>,
    codebooks: Codebooks,
    /// Where the entries of each list begin, where the last ones end, and where the loose rows end that follow them.
    starts: Array<u32>,
    /// The row of each entry, then the loose rows, which are too long for codes and always compared.
    ids: Array<u32>,
    /// Packed codes of each list, in whole blocks.
    codes: Array<u8>,
    /// For L2 what each entry adds to the key: the square of the decoded rest plus twice its product with the centre.
    terms: Array<f32>,
    /// Where the blocks of each list begin, and where the last ones end.
    blocks: Vec<usize>,
}

impl Lists {
    /// How many lists there are.
    fn len(&self) -> usize {
        self.blocks.len() - 1
    }

    /// How many entries the lists have.
    fn entries(&self) -> usize {
        self.starts.as_slice()[self.len()] as usize
    }

    fn loose(&self) -> &[u32] {
        &self.ids.as_slice()[self.entries()..]
    }

    fn size_bytes(&self) -> u64 {
        let numbers = self.centres.size_bytes() + self.books.size_bytes() + self.space.mean.size_bytes();
        let entries = self.ids.size_bytes() + self.codes.size_bytes() + self.terms.size_bytes();
        numbers + entries + self.starts.size_bytes() + 8 * self.blocks.len() as u64
    }
}

/// Where the blocks of each list begin whose entries begin at `starts`, one more than lists.
fn block_starts(starts: &[u32]) -> Vec<usize> {
    let mut blocks = vec![0];
    let mut end = 0;
    for pair in starts.windows(2) {
        end += (pair[1].saturating_sub(pair[0]) as usize).div_ceil(pq4::BLOCK);
        blocks.push(end);
    }
    blocks
}

impl IvfIndex {
    /// The spec may be of another factory that chose this index and its shape.
    ///
    /// # Errors
    /// When the element type or the metric has no lists, or the caller cancelled.
    pub(crate) fn build(
        spec: &Spec,
        shape: ListShape,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Self, BuildError> {
        let unsupported = KernelError::Unsupported { metric: spec.metric(), element: rows.element() };
        if !supports(rows.element(), spec.metric()) {
            return Err(unsupported.into());
        }
        let shape = shape.fitted(spec.dim());
        match rows {
            AnyRows::F32(rows) => build::build(spec, shape, rows, present, cx),
            AnyRows::F16(rows) => build::build(spec, shape, rows, present, cx),
            AnyRows::Bf16(rows) => build::build(spec, shape, rows, present, cx),
            AnyRows::I8(_) | AnyRows::U8(_) | AnyRows::U4(_) | AnyRows::Binary(_) => Err(unsupported.into()),
        }
    }
}

impl IvfIndex {
    /// How many lists there are.
    fn list_count(&self) -> usize {
        self.lists.as_ref().map_or(0, Lists::len)
    }

    /// [`Index::search`] with an effort of the caller's.
    fn search_by(
        &self,
        effort: Effort,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        check::search(&self.spec, self.rows, rows, query, search, out)?;
        match (rows, query) {
            (AnyRows::F32(rows), Vector::F32(query)) => self.search_typed(effort, rows, query, search, scratch, out),
            (AnyRows::F16(rows), Vector::F16(query)) => self.search_typed(effort, rows, query, search, scratch, out),
            (AnyRows::Bf16(rows), Vector::Bf16(query)) => self.search_typed(effort, rows, query, search, scratch, out),
            _ => Err(SearchError::Element { want: self.spec.element(), got: query.element() }),
        }
    }
}

impl Index for IvfIndex {
    fn factory(&self) -> &'static dyn IndexFactory {
        self.spec.factory()
    }

    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn footprint_bytes(&self) -> u64 {
        self.lists.as_ref().map_or(0, Lists::size_bytes) + self.present.as_ref().map_or(0, Array::size_bytes)
    }

    fn describe(&self) -> String {
        let Some(lists) = &self.lists else {
            return format!("no lists over {} of {} rows, which are all compared", self.nodes, self.rows);
        };
        let (codes, part) = (self.shape.codes(self.spec.dim()), self.shape.part);
        format!(
            "{} lists with {} entries of {codes} codes of 4 bits, each of {part} components, over {} of {} rows",
            lists.len(),
            lists.entries(),
            self.nodes,
            self.rows
        )
    }

    fn search(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        let effort = Effort::of(search.params, self.list_count(), search.k)?;
        self.search_by(effort, rows, query, search, scratch, out)
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        format::save(self, out)
    }
}

#[cfg(test)]
mod tests;
