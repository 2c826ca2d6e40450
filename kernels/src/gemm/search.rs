//! The sweep over a base: blocks of rows are packed, multiplied with every panel of queries, and what passes a query's
//! limit is compared exactly at once, while its rows are in the cache.
use super::{
    bounds::Frame,
    pack::Code,
    panels::{Panels, Plan, Room, Side, Vectors},
    tile::Args,
};
use crate::topk::TopK;

/// Bytes of packed rows in a block: they stay in the second-level cache while the queries pass by.
const BLOCK_BYTES: usize = 384 << 10;

/// Rows in a block at most.
const BLOCK_ROWS: usize = 1024;

/// Rows compared exactly between two looks at the threshold.
const CHUNK: usize = 16;

/// Rows compared exactly first; the kernel takes four together.
const FEW: usize = 4;

/// Vectors in a panel at most.
const WIDTH: usize = 32;

/// The rows and the exact keys.
pub(super) trait Exact: Vectors {
    /// The kernel's keys of query `query` with the rows `ids`.
    fn keys(&self, query: usize, ids: &[u32], keys: &mut [f32]);
}

/// A row that may be near enough, by its position in the block, and its lower bound.
type Hit = (f32, u32);

/// Memory that a search needs and that is used again.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) rows: Panels,
    pub(super) room: Room,
    pub(super) positions: Vec<u32>,
    hits: Vec<Vec<Hit>>,
    bounds: Box<[f32; WIDTH * WIDTH]>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            rows: Panels::default(),
            room: Room::default(),
            positions: Vec::new(),
            hits: vec![Vec::new(); WIDTH],
            bounds: Box::new([0.0; WIDTH * WIDTH]),
        }
    }
}

/// Queries packed for one format, with what their tiles run on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass<'a> {
    pub(super) code: &'a Code,
    pub(super) frame: &'a Frame,
    pub(super) centre: &'a [f32],
    pub(super) queries: &'a Panels,
}

/// How many rows make a block.
pub(super) fn block_rows(code: &Code, dim: usize) -> usize {
    let row = dim.div_ceil(code.format.components()) * 4;
    let fit = BLOCK_BYTES / row / code.rows * code.rows;
    fit.clamp(2 * code.rows, BLOCK_ROWS)
}

impl Pass<'_> {
    /// Packs the rows that `memory.positions` names.
    pub(super) fn pack(&self, vectors: &dyn Vectors, bounds: bool, memory: &mut Memory) {
        let Memory { rows, room, positions, .. } = memory;
        let plan = Plan { code: self.code, side: Side::Rows, frame: self.frame, centre: self.centre, bounds };
        rows.pack(plan, vectors, positions.iter().map(|position| *position as usize), room);
    }

    /// Searches the packed rows, and returns how many pairs were compared exactly.
    pub(super) fn block(&self, exact: &dyn Exact, first_id: u32, memory: &mut Memory, out: &mut [TopK]) -> usize {
        let Memory { rows, positions, hits, bounds, .. } = memory;
        let mut compared = 0;
        for panel in 0..self.queries.len() {
            let first = panel * self.code.queries;
            let out = &mut out[first..self.queries.count().min(first + self.code.queries)];
            // More than all rows need not wait.
            let enough = |kept: &TopK| 4 * kept.k().min(rows.count()) + 28;
            let mut limits = [f32::NAN; WIDTH];
            for (lane, kept) in out.iter().enumerate() {
                limits[lane] = self.limit(first + lane, kept);
            }
            let mut masks = [0; WIDTH];
            for row_panel in 0..rows.len() {
                let mut any = self.tile(panel, rows, row_panel, &limits, bounds, &mut masks);
                while any != 0 {
                    let lane = any.trailing_zeros() as usize;
                    any &= any - 1;
                    self.take(rows, row_panel, masks[lane], &bounds[lane * self.code.rows..], &mut hits[lane]);
                    if hits[lane].len() >= enough(&out[lane]) {
                        let query = first + lane;
                        compared += self.recheck(exact, query, first_id, positions, &mut hits[lane], &mut out[lane]);
                        limits[lane] = self.limit(query, &out[lane]);
                    }
                }
            }
            for (lane, kept) in out.iter_mut().enumerate() {
                if !hits[lane].is_empty() {
                    compared += self.recheck(exact, first + lane, first_id, positions, &mut hits[lane], kept);
                }
            }
        }
        compared
    }

    /// Writes down the rows of a mask.
    fn take(&self, rows: &Panels, row_panel: usize, mask: u32, bounds: &[f32], hits: &mut Vec<Hit>) {
        let at = row_panel * self.code.rows;
        let real = rows.count() - at;
        let mut mask = if real < 32 { mask & ((1 << real) - 1) } else { mask };
        while mask != 0 {
            let row = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            hits.push((bounds[row], (at + row) as u32));
        }
    }

    fn limit(&self, query: usize, kept: &TopK) -> f32 {
        // A query that is not bounded takes another way: nothing is within NaN.
        if self.queries.base[query] == f32::NEG_INFINITY {
            return f32::NAN;
        }
        self.frame.limit(self.queries.term[query], kept.threshold())
    }

    /// Runs one panel of queries against one of rows: lower bounds, `WIDTH` or fewer for each query, and masks of the
    /// rows within the limits. Returns the queries that have such rows, as bits.
    pub(super) fn tile(
        &self,
        panel: usize,
        rows: &Panels,
        row_panel: usize,
        limits: &[f32; WIDTH],
        bounds: &mut [f32; WIDTH * WIDTH],
        masks: &mut [u32; WIDTH],
    ) -> u32 {
        let (queries, lanes, width) = (self.queries, self.code.queries, self.code.rows);
        let (first, at) = (panel * lanes, row_panel * width);
        let args = Args {
            query_words: queries.panel(panel).as_ptr(),
            row_words: rows.panel(row_panel).as_ptr(),
            steps: rows.steps(),
            query_bias: queries.bias[first..first + lanes].as_ptr(),
            query_scale: queries.scale[first..first + lanes].as_ptr(),
            query_norm: queries.norm[first..first + lanes].as_ptr(),
            query_error: queries.error[first..first + lanes].as_ptr(),
            query_limit: limits[..lanes].as_ptr(),
            row_scale: rows.scale[at..at + width].as_ptr(),
            row_base: rows.base[at..at + width].as_ptr(),
            row_error: rows.error[at..at + width].as_ptr(),
            row_norm: rows.norm[at..at + width].as_ptr(),
            bounds: bounds[..lanes * width].as_mut_ptr(),
            masks: masks[..lanes].as_mut_ptr(),
        };
        assert_eq!(queries.steps(), rows.steps(), "panels of one dimension and format");
        // SAFETY: a `Code` is handed out only where its instruction set is available; each slice has one entry for
        // each vector of its panel, and both panels have `steps` words for each.
        unsafe { (self.code.tile)(&args) }
    }

    /// Coarse keys of all queries with the packed rows, which are the rows from `first` on of `len`.
    pub(super) fn scores(&self, memory: &mut Memory, first: usize, len: usize, keys: &mut [f32]) {
        let Memory { rows, bounds, .. } = memory;
        let (limits, mut masks) = ([f32::NAN; WIDTH], [0; WIDTH]);
        for panel in 0..self.queries.len() {
            for row_panel in 0..rows.len() {
                self.tile(panel, rows, row_panel, &limits, bounds, &mut masks);
                let at = row_panel * self.code.rows;
                let real = self.code.rows.min(rows.count() - at);
                let queries = panel * self.code.queries;
                for lane in 0..self.code.queries.min(self.queries.count() - queries) {
                    let term = self.queries.plain[queries + lane];
                    let to = &mut keys[(queries + lane) * len + first + at..][..real];
                    for (key, value) in to.iter_mut().zip(&bounds[lane * self.code.rows..]) {
                        *key = (f64::from(*value) + term) as f32;
                    }
                }
            }
        }
    }

    /// Compares the hits of a query exactly, the likely nearest first where there are many, and returns how many it
    /// did.
    fn recheck(
        &self,
        exact: &dyn Exact,
        query: usize,
        first_id: u32,
        positions: &[u32],
        hits: &mut Vec<Hit>,
        kept: &mut TopK,
    ) -> usize {
        // The likely nearest go first where there are many, so that the limit is tight for the others.
        let few = kept.k().min(hits.len()).max(FEW);
        let mut take = CHUNK;
        if hits.len() > 2 * few {
            hits.select_nth_unstable_by(few, |a, b| a.0.total_cmp(&b.0));
            take = few.min(CHUNK);
        }
        let mut compared = 0;
        let (mut ids, mut keys) = ([0u32; CHUNK], [0.0f32; CHUNK]);
        let mut waiting = hits.iter().copied();
        loop {
            let limit = self.limit(query, kept);
            let mut count = 0;
            for (bound, at) in waiting.by_ref() {
                if bound <= limit {
                    ids[count] = positions[at as usize];
                    count += 1;
                    if count == take {
                        break;
                    }
                }
            }
            exact.keys(query, &ids[..count], &mut keys[..count]);
            for i in 0..count {
                kept.push(first_id + ids[i], keys[i]);
            }
            compared += count;
            if count < take {
                break;
            }
            take = CHUNK;
        }
        hits.clear();
        compared
    }
}

/// Whether a block left so many pairs to be compared exactly that the next finer format is faster. `seen` rows have
/// gone by; rows that entered a selection are not held against the format. `k` is at most the number of all rows.
pub(super) fn too_many(code: &Code, compared: usize, queries: usize, rows: usize, k: usize, seen: usize) -> bool {
    // A comparison costs as much as about 24, 12 or 6 pairs of a tile.
    let cost = 6 * code.format.components();
    let entered = queries * (4 * k * rows / seen.max(1) + 2 * FEW).min(rows);
    compared.saturating_sub(entered) * cost > queries * rows
}
