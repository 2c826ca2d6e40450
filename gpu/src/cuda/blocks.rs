//! Blocks of distances and nearest centroids: scans without candidates.
use elanus_kernels::AnyRows;
use elanus_kernels::backend::{BackendError, unpack};

use super::args::{self, ScanArgs};
use super::backend::Sizes;
use super::batch::{List, PerQuery, Work, check_row};
use super::driver::Lines;
use super::lane::{Arriving, Lane, Plan};
use super::lanes::Lease;

/// Queries whose keys are computed at a time: two tiles, so that rows are read seldom and the rest of a block is rows.
const STORED_QUERIES: usize = 256;

/// Writes the key of each query with each row.
pub(super) fn distances(
    lane: &mut Lane,
    work: &Work<'_>,
    queries: AnyRows<'_>,
    sizes: &Sizes,
    keys: &mut [f32],
) -> Result<(), BackendError> {
    let (rows, places) = (work.held.rows() as usize, lane.incoming_bytes() / 4);
    if rows == 0 || queries.is_empty() {
        return Ok(());
    }
    let each = PerQuery { device: 4, incoming: 4 };
    let batch = work.batch(queries.len().min(STORED_QUERIES), each, sizes.arena_bytes, lane.incoming_bytes());
    let width = (places / batch).clamp(1, rows);
    let mut plan = Plan::default();
    let at = work.plan(&mut plan, batch);
    let block = plan.room(batch, width * 4);
    let arena = lane.arena(&plan)?;
    for (number, some) in keys.chunks_mut(batch * rows).enumerate() {
        let count = some.len() / rows;
        work.send(lane, arena, &at, queries.slice(number * batch..number * batch + count))?;
        for first in (0..rows).step_by(width) {
            let wide = width.min(rows - first);
            let scan = ScanArgs {
                mode: args::STORE,
                first: first as u32,
                count: wide as u32,
                keys: arena + block,
                key_stride: wide as u64,
                ..work.scan_args(arena, &at, count)
            };
            lane.clear_incoming()?;
            // SAFETY: the addresses are parts of the arena as planned above, and of the corpus, which the caller holds
            // until the lease is gone.
            unsafe { work.launch(lane, &scan)? };
            let arriving = lane.receive(Lines::piece(arena + block, count * wide * 4))?;
            lane.synchronise()?;
            let found: &[f32] = bytemuck::cast_slice(lane.arrived(arriving));
            for (found, some) in found.chunks(wide).zip(some.chunks_mut(rows)) {
                some[first..first + wide].copy_from_slice(found);
            }
        }
    }
    Ok(())
}

/// Finds the nearest row of the corpus for each of `rows`. With two lanes, rows are copied in one while those in the
/// other are worked on.
pub(super) fn assign(
    lanes: &mut [Lease<'_>],
    work: &Work<'_>,
    rows: AnyRows<'_>,
    sizes: &Sizes,
    nearest: &mut [u32],
    keys: &mut [f32],
) -> Result<(), BackendError> {
    let Some(lane) = lanes.first() else { return Ok(()) };
    // Each has its answer, its key, a bound below which nothing lies, and the number of its candidates, which is 1.
    let each = PerQuery { device: 24, incoming: 24 };
    let batch = work.batch(rows.len(), each, sizes.arena_bytes, lane.incoming_bytes());
    let mut waiting: Vec<Option<(usize, Assigning)>> = lanes.iter().map(|_| None).collect();
    let mut collect = |lane: &mut Lane, waiting: Option<(usize, Assigning)>| match waiting {
        Some((first, assigning)) => {
            let some = first..first + assigning.count;
            assigning.collect(lane, work, &mut nearest[some.clone()], &mut keys[some])
        }
        None => Ok(()),
    };
    for (number, first) in (0..rows.len()).step_by(batch).enumerate() {
        let which = number % lanes.len();
        let (lane, waiting) = (&mut *lanes[which], &mut waiting[which]);
        collect(lane, waiting.take())?;
        let some = rows.slice(first..rows.len().min(first + batch));
        *waiting = Some((first, Assigning::begin(lane, work, some, batch)?));
    }
    for (lane, waiting) in lanes.iter_mut().zip(waiting) {
        collect(lane, waiting)?;
    }
    Ok(())
}

/// Rows whose nearest ones are on their way.
struct Assigning {
    count: usize,
    packed: Arriving,
    /// Where those of the scan are rounded.
    keys: Option<Arriving>,
}

impl Assigning {
    /// Has the nearest rows found and sent back, without waiting for them.
    fn begin(lane: &mut Lane, work: &Work<'_>, rows: AnyRows<'_>, batch: usize) -> Result<Self, BackendError> {
        let mut plan = Plan::default();
        let at = work.plan(&mut plan, batch);
        let [lower, bound, counts, keys] = [8, 8, 4, 4].map(|size| plan.room(batch, size));
        let (arena, count) = (lane.arena(&plan)?, rows.len());
        lane.clear_incoming()?;
        work.send(lane, arena, &at, rows)?;
        lane.fill(arena + lower, 0, count as u64 * 2)?;
        lane.fill(arena + bound, u32::MAX, count as u64 * 2)?;
        lane.fill(arena + counts, 1, count as u64)?;
        let scan = ScanArgs {
            mode: args::NEAREST,
            lower: arena + lower,
            bound: arena + bound,
            ..work.scan_args(arena, &at, count)
        };
        // SAFETY: the addresses are parts of the arena as planned above, and of the corpus, which the caller holds until
        // the lease is gone.
        unsafe { work.launch(lane, &scan)? };
        let (candidates, counts, keys) = (arena + bound, arena + counts, arena + keys);
        let list = List { candidates, counts, keys, capacity: 1, width: 1, queries: count };
        work.rescore(lane, arena, &at, &list)?;
        let packed = lane.receive(Lines::piece(candidates, count * 8))?;
        let keys = match work.family.rescore {
            Some(_) => Some(lane.receive(Lines::piece(keys, count * 4))?),
            None => None,
        };
        Ok(Self { count, packed, keys })
    }

    /// Waits for them.
    fn collect(
        self,
        lane: &mut Lane,
        work: &Work<'_>,
        nearest: &mut [u32],
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        lane.synchronise()?;
        let packed: &[u64] = bytemuck::cast_slice(lane.arrived(self.packed));
        let finals: Option<&[f32]> = self.keys.map(|keys| bytemuck::cast_slice(lane.arrived(keys)));
        for (i, packed) in packed.iter().enumerate() {
            let one = unpack(*packed);
            nearest[i] = check_row(lane, one.id, work.held.rows())?;
            keys[i] = finals.map_or(one.key, |finals| finals[i]);
        }
        Ok(())
    }
}
