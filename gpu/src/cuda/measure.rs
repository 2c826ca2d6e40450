//! How fast a device reads, how fast it is reached, and what the least search takes.
use std::time::Duration;

use elanus_kernels::backend::{Backend, BackendError, CorpusKind, Find, Queries, Speed};
use elanus_kernels::{ElementType, Metric, Rows, TopK};

use super::args::{self, ScanArgs};
use super::backend::Cuda;
use super::batch::{PerQuery, Work};
use super::corpus::Held;
use super::lane::Plan;
use super::programs::Programs;
use crate::pool::Pool;

/// Components of the rows that are measured with.
const DIM: usize = 1024;

/// Bytes that are scanned at most: beyond the caches of any card; and at least.
const SCANNED_BYTES: (u64, u64) = (64 << 10, 256 << 20);

/// Bytes that are sent at most.
const SENT_BYTES: u64 = 32 << 20;

/// Scans that run one after another, so that the way to the device does not count.
const SCANS: usize = 8;

/// How often each is done; the best counts.
const TIMES: usize = 3;

/// The least time, in nanoseconds, that a call takes.
fn least(
    clock: &dyn Fn() -> Duration,
    times: usize,
    mut call: impl FnMut() -> Result<(), BackendError>,
) -> Result<f64, BackendError> {
    let mut least = f64::INFINITY;
    for _ in 0..times {
        let start = clock();
        call()?;
        least = least.min(clock().saturating_sub(start).as_secs_f64() * 1e9);
    }
    Ok(least.max(1.0))
}

/// Measures a device.
pub(super) fn measure(cuda: &Cuda, programs: &Programs, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
    let scanned = (cuda.device.facts().memory_bytes / 256).clamp(SCANNED_BYTES.0, SCANNED_BYTES.1);
    let sent = (scanned.min(SENT_BYTES) / 4) as usize / DIM * DIM;
    let values = vec![0.5_f32; sent];
    let rows = Rows::new(&values, DIM).expect("whole rows");
    // A pool of its own: nothing that is searched is thrown out for a measurement.
    let apart = Pool::new(u64::MAX);
    let upload_ns =
        least(clock, TIMES, || Held::upload(&cuda.device, &apart, &cuda.lanes, programs, rows.into()).map(drop))?;
    let one = Held::upload(&cuda.device, &apart, &cuda.lanes, programs, rows.slice(0..1).into())?;
    let query = rows.slice(0..1);
    let round_trip_ns = least(clock, TIMES * SCANS, || {
        cuda.scan(Queries::Rows(query.into()), &one, &Find::all(Metric::L2), &mut [TopK::new(1)])
    })?;
    let read_ns = read(cuda, (scanned / (DIM as u64 * 4)) as u32, query, clock)?;
    Ok(Speed {
        read_bytes_per_ns: scanned as f64 / read_ns,
        upload_bytes_per_ns: (sent * 4) as f64 / upload_ns,
        round_trip_ns,
    })
}

/// Nanoseconds of a scan of so many rows for one query, of which nothing is near enough.
fn read(cuda: &Cuda, rows: u32, query: Rows<'_, f32>, clock: &dyn Fn() -> Duration) -> Result<f64, BackendError> {
    let family = cuda.family(CorpusKind::Rows(ElementType::F32), Metric::Ip)?;
    let held = Held::zeros(&cuda.device, &cuda.lanes, &family, rows, DIM)?;
    let counted = held.memory()?;
    let metric = args::metric(Metric::Ip).unwrap_or_default();
    let work = Work { held: &held, stored: &counted.memory, family: &family, metric };
    let mut lane = cuda.lanes.take()?;
    let each = PerQuery { device: 32, incoming: 8 };
    let batch = work.batch(1, each, cuda.sizes.arena_bytes, lane.incoming_bytes());
    let mut plan = Plan::default();
    let at = work.plan(&mut plan, batch);
    let [lower, bound, candidates, counts] = [8, 8, 8, 4].map(|size| plan.room(batch, size));
    let arena = lane.arena(&plan)?;
    work.send(&mut lane, arena, &at, query.into())?;
    // No key is below a bound of 0.
    lane.fill(arena + lower, 0, (plan.bytes() - lower) / 4)?;
    let scan = ScanArgs {
        lower: arena + lower,
        bound: arena + bound,
        candidates: arena + candidates,
        counts: arena + counts,
        capacity: 1,
        ..work.scan_args(arena, &at, 1)
    };
    let all = least(clock, TIMES, || {
        for _ in 0..SCANS {
            // SAFETY: the addresses are parts of the arena as planned above and of the corpus, which outlives the lane.
            unsafe { work.launch(&mut lane, &scan)? };
        }
        lane.synchronise()
    })?;
    Ok(all / SCANS as f64)
}
