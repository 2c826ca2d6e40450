//! Which rows of a segment a filter selects at a timestamp.

use crate::error::{Error, Result, Subject};
use crate::expr::Filter;
use elanus_kernels::Bitmap;
use elanus_segment::View;

/// The rows of a segment that are visible at `ts` and for which the filter is true; `None`: all rows.
pub(crate) fn rows(view: &View, filter: &Filter, ts: u64) -> Result<Option<Bitmap>> {
    if filter.is_all() {
        return Ok(view.visible(ts));
    }
    if let Some(keys) = filter.keys() {
        return by_keys(view, filter, keys, ts).map(Some);
    }
    let mut selected = Bitmap::new(view.rows());
    for block in view.blocks() {
        let hits = filter.eval(block.as_ref()).map_err(eval_error)?;
        if block.start() == 0 && hits.len() == view.rows() {
            selected = hits;
            break;
        }
        hits.iter_ones().for_each(|row| selected.set(block.start() as usize + row, true));
    }
    if let Some(visible) = view.visible(ts) {
        selected.and_with(visible.view());
    }
    Ok(Some(selected))
}

/// Rows found by their keys; the filter is evaluated on those alone.
fn by_keys(view: &View, filter: &Filter, keys: &elanus_segment::Keys, ts: u64) -> Result<Bitmap> {
    let mut found: Vec<u32> = keys.iter().flat_map(|key| view.lookup(key, ts)).collect();
    found.sort_unstable();
    found.dedup();
    let mut selected = Bitmap::new(view.rows());
    for row in found {
        let (block, at) = view.block_of(row);
        if filter.matches(block, at).map_err(eval_error)? {
            selected.set(row as usize, true);
        }
    }
    Ok(selected)
}

fn eval_error(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(Subject::Expression, "the filter cannot be evaluated").with_source(source)
}
