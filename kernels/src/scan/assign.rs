//! The one nearest row: of one query, and of many rows among centroids.
use super::{BLOCK, QUERIES};
use crate::{
    dispatch::Kernel,
    element::Element,
    rows::Rows,
    topk::{self, Neighbor},
};

/// Bytes of centroids that all rows of a group are compared with before the next ones: they should stay in the
/// second-level cache.
const CENTROID_BYTES: usize = 256 << 10;

/// Bytes of rows in a group: they are read again for each block of centroids, and should stay in the last-level cache.
const GROUP_BYTES: usize = 2 << 20;

/// The row of `base` that is nearest to `query`, of equally near ones the first. `None` where every key is NaN, or
/// there is no row.
///
/// # Panics
/// When the dimensions differ, or an id would not fit 32 bits.
pub fn argmin<E: Element>(kernel: &Kernel<E>, query: &[E], base: Rows<'_, E>) -> Option<Neighbor> {
    assert!(base.len() as u64 <= 1 << 32, "ids of {} rows pass 32 bits", base.len());
    let (_, loops) = topk::chosen();
    let mut keys = [0.0; BLOCK];
    let mut best: Option<Neighbor> = None;
    for start in (0..base.len()).step_by(BLOCK) {
        let rows = base.slice(start..base.len().min(start + BLOCK));
        let keys = &mut keys[..rows.len()];
        kernel.rows(query, rows, keys);
        if let Some(at) = loops.argmin(keys) {
            let found = Neighbor { key: keys[at], id: (start + at) as u32 };
            best = Some(best.map_or(found, |best| best.min(found)));
        }
    }
    best
}

/// For each of `rows` the nearest of `centroids`, of equally near ones the first: its place to `nearest`, its key to
/// `keys`. A row whose keys are all NaN goes to the first centroid, with a key of NaN.
///
/// The rows are the queries of the metric.
///
/// # Panics
/// When the dimensions differ, there is no centroid for rows, a place would not fit 32 bits, or `nearest` or `keys`
/// has not one entry for each row.
pub fn assign<E: Element>(
    kernel: &Kernel<E>,
    rows: Rows<'_, E>,
    centroids: Rows<'_, E>,
    nearest: &mut [u32],
    keys: &mut [f32],
) {
    assert_eq!(rows.dim(), centroids.dim(), "rows and centroids of different dimension");
    assert_eq!(nearest.len(), rows.len(), "one place for each row");
    assert_eq!(keys.len(), rows.len(), "one key for each row");
    assert!(rows.is_empty() || !centroids.is_empty(), "no centroid");
    assert!(centroids.len() as u64 <= 1 << 32, "places of {} centroids pass 32 bits", centroids.len());
    let (_, loops) = topk::chosen();
    nearest.fill(0);
    keys.fill(f32::NAN);
    let row_bytes = rows.dim() * size_of::<E>();
    let block = (CENTROID_BYTES / row_bytes).clamp(QUERIES, BLOCK);
    let group = (GROUP_BYTES / row_bytes).max(1).next_multiple_of(QUERIES);
    let mut tile = [0.0; QUERIES * BLOCK];
    for group_start in (0..rows.len()).step_by(group) {
        let group_end = rows.len().min(group_start + group);
        for first in (0..centroids.len()).step_by(block) {
            let some = centroids.slice(first..centroids.len().min(first + block));
            for start in (group_start..group_end).step_by(QUERIES) {
                let queries = rows.slice(start..group_end.min(start + QUERIES));
                let tile = &mut tile[..queries.len() * some.len()];
                kernel.tile(queries, some, tile);
                for (found, row) in tile.chunks(some.len()).zip(start..) {
                    // Later centroids have larger places, so an equal key changes nothing.
                    if let Some(at) = loops.argmin(found)
                        && (found[at] < keys[row] || keys[row].is_nan())
                    {
                        (nearest[row], keys[row]) = ((first + at) as u32, found[at]);
                    }
                }
            }
        }
    }
}
