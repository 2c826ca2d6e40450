//! Queries of a call in a lane: how many fit at a time, where they and their answers lie, and the launches over them.
use elanus_kernels::AnyRows;
use elanus_kernels::backend::BackendError;

use super::args::{self, RescoreArgs, ScanArgs};
use super::corpus::{self, Held, Stored};
use super::device::Memory;
use super::lane::{Lane, Plan};
use super::programs::{Family, Program};

/// The programs read queries in tiles of so many, padded with zeros.
const QUERY_ALIGN: usize = 128;

/// Queries of a batch at most: as many blocks may stand one above the other.
const QUERIES: usize = 32_768;

/// What a call works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'a> {
    pub(super) held: &'a Held,
    pub(super) stored: &'a Stored,
    pub(super) family: &'a Family,
    /// The metric's number.
    pub(super) metric: u32,
}

/// Bytes for each query of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerQuery {
    /// On the device, without the query itself.
    pub(super) device: usize,
    /// On the way back.
    pub(super) incoming: usize,
}

/// Where a batch of queries lies in an arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    queries: u64,
    squares: u64,
}

impl Work<'_> {
    /// How many of so many queries are worked on at a time.
    pub(super) fn batch(&self, queries: usize, each: PerQuery, arena_bytes: u64, incoming_bytes: usize) -> usize {
        let device = each.device + self.held.row_bytes + 4;
        PerQuery { device, ..each }.batch(queries, arena_bytes, incoming_bytes)
    }

    /// Room for queries and their squared lengths.
    pub(super) fn plan(&self, plan: &mut Plan, batch: usize) -> Places {
        let padded = batch.next_multiple_of(QUERY_ALIGN);
        Places { queries: plan.room(padded, self.held.row_bytes), squares: plan.room(padded, 4) }
    }

    /// Copies queries to their places, and has their squared lengths computed.
    pub(super) fn send(
        &self,
        lane: &mut Lane,
        arena: u64,
        places: &Places,
        queries: AnyRows<'_>,
    ) -> Result<(), BackendError> {
        let (at, row_bytes) = (arena + places.queries, self.held.row_bytes);
        corpus::send_rows(lane, at, queries, row_bytes)?;
        let padded = queries.len().next_multiple_of(QUERY_ALIGN);
        let (whole, rest) = (queries.len() * row_bytes, (padded - queries.len()) * row_bytes);
        lane.fill(at + whole as u64, 0, rest as u64 / 4)?;
        if !args::needs_squares(self.metric) {
            return Ok(());
        }
        let squares = arena + places.squares;
        corpus::square(lane, self.family, at, squares, padded as u64, self.held.dim, row_bytes)
    }

    /// The arguments of a scan of all rows, with no place for answers yet.
    pub(super) fn scan_args(&self, arena: u64, places: &Places, queries: usize) -> ScanArgs {
        let squares = args::needs_squares(self.metric);
        ScanArgs {
            rows: self.stored.rows.address(),
            queries: arena + places.queries,
            row_squares: self.stored.squares.as_ref().filter(|_| squares).map_or(0, Memory::address),
            query_squares: if squares { arena + places.squares } else { 0 },
            query_count: queries as u32,
            stride: 1,
            count: self.held.rows(),
            units: self.held.dim as u32,
            row_bytes: self.held.row_bytes as u32,
            metric: self.metric,
            mode: args::CANDIDATES,
            ..ScanArgs::default()
        }
    }

    /// Starts a scan.
    ///
    /// # Safety
    /// As for [`Lane::launch`].
    pub(super) unsafe fn launch(&self, lane: &mut Lane, scan: &ScanArgs) -> Result<(), BackendError> {
        if scan.count == 0 || scan.query_count == 0 {
            return Ok(());
        }
        let program = self.family.scan(scan.query_count as usize);
        let goes_on = program == self.family.few;
        let grid = grid(lane, program, goes_on, scan.query_count, scan.count)?;
        // SAFETY: as the caller says.
        unsafe { lane.launch(program, grid, scan) }
    }

    /// Computes the final keys of candidates, where those of the scan are rounded.
    pub(super) fn rescore(
        &self,
        lane: &mut Lane,
        arena: u64,
        places: &Places,
        list: &List,
    ) -> Result<(), BackendError> {
        let Some(program) = self.family.rescore else { return Ok(()) };
        let rescore = RescoreArgs {
            rows: self.stored.rows.address(),
            queries: arena + places.queries,
            candidates: list.candidates,
            counts: list.counts,
            keys: list.keys,
            key_stride: list.width as u64,
            query_count: list.queries as u32,
            capacity: list.capacity as u32,
            units: self.held.dim as u32,
            row_bytes: self.held.row_bytes as u32,
            metric: self.metric,
            unused: 0,
        };
        let grid = [(list.width as u32).div_ceil(program.warps()), list.queries as u32];
        // SAFETY: the list lies in the lane's arena as the callers planned it, the corpus is held by `stored`, which
        // outlives the lane's lease.
        unsafe { lane.launch(program, grid, &rescore) }
    }
}

impl PerQuery {
    /// How many of so many queries are worked on at a time, where these are all of their bytes.
    pub(super) fn batch(self, queries: usize, arena_bytes: u64, incoming_bytes: usize) -> usize {
        let fits = usize::try_from(arena_bytes / (self.device as u64).max(1)).unwrap_or(usize::MAX);
        let most = fits.min(incoming_bytes / self.incoming.max(1)).min(QUERIES).min(queries);
        // Whole tiles, where there is more than one.
        let whole = if most < queries && most > QUERY_ALIGN { most / QUERY_ALIGN * QUERY_ALIGN } else { most };
        whole.max(1)
    }
}

/// Blocks side by side over the rows, one above the other over the queries.
pub(super) fn grid(
    lane: &Lane,
    program: Program,
    goes_on: bool,
    queries: u32,
    rows: u32,
) -> Result<[u32; 2], BackendError> {
    let entry = program.entry();
    let (columns, lines) = (rows.div_ceil(entry.row_tile), queries.div_ceil(entry.query_tile));
    if !goes_on {
        return Ok([columns, lines]);
    }
    // These blocks go from tile to tile: more than run at a time would only load the queries again.
    let resident = lane.resident_blocks(program)?;
    Ok([columns.min((resident / lines).max(1)), lines])
}

/// Lists of candidates on a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) candidates: u64,
    pub(super) counts: u64,
    pub(super) keys: u64,
    /// Places of a query's list.
    pub(super) capacity: usize,
    /// How many of them are looked at.
    pub(super) width: usize,
    pub(super) queries: usize,
}

/// A row that the device names. Who names one that is not there has lost its memory, and is believed nothing more.
pub(super) fn check_row(lane: &Lane, row: u32, rows: u32) -> Result<u32, BackendError> {
    if row < rows { Ok(row) } else { Err(lane.lose(format!("the device names row {row} of {rows}"))) }
}
