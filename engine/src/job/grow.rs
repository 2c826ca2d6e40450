//! Indexes of growing segments: made where they are searched, fed, and grown.

use crate::beside::Companion;
use crate::catalog::IndexRecord;
use crate::error::{ErrorKind, Result};
use crate::inner::{CollectionState, Inner};
use crate::shard::GrowingSegment;
use crate::ts;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How long a deleted row stays to the filter before it is taken out of an index, in milliseconds: longer than nearly all
/// searches take, because one that began before has to be done again without the index.
const FORGET_MS: u64 = 10_000;

/// Tends all segments until none has anything to do.
pub(super) fn round(inner: &Inner) {
    loop {
        let mut has_worked = false;
        for state in super::collections(inner) {
            for (growing, is_sealing) in state.shard.growing() {
                if inner.jobs.is_stopping() {
                    return;
                }
                has_worked |= tend_all(inner, &state, &growing, is_sealing);
            }
        }
        if !has_worked {
            return;
        }
    }
}

fn tend_all(inner: &Inner, state: &CollectionState, growing: &GrowingSegment, is_sealing: bool) -> bool {
    let rows_min = inner.settings.growing_index_rows;
    if rows_min == 0 || growing.data.len() < rows_min {
        return false;
    }
    let mut has_worked = false;
    for definition in state.record().indexes.iter().filter(|one| !one.metric.is_empty()) {
        let position = state.schema.fields.iter().position(|field| field.id == definition.field_id);
        let now_ms = ts::to_ms(inner.oracle.now());
        let Some(position) = position.filter(|position| growing.beside.is_asked(*position, now_ms)) else { continue };
        match tend(inner, state, growing, is_sealing, (position, definition)) {
            Ok(did) => has_worked |= did,
            Err(error) if error.kind() == ErrorKind::Cancelled => {}
            Err(error) => {
                tracing::warn!(index = definition.name, segment = growing.id, %error, "no index for growing rows");
            }
        }
    }
    has_worked
}

fn tend(
    inner: &Inner,
    state: &CollectionState,
    growing: &GrowingSegment,
    is_sealing: bool,
    (position, definition): (usize, &IndexRecord),
) -> Result<bool> {
    let field = &state.schema.fields[position];
    let rows_min = inner.settings.growing_index_rows;
    let Some(companion) = growing.beside.make(position, field, definition, rows_min)? else { return Ok(false) };
    if companion.has_failed() {
        return Ok(false);
    }
    let view = growing.data.view();
    let has_fed = companion.feed(&view, position)?;
    forget(inner, &companion, &view);
    // What is being sealed gets a saved index soon.
    let has_grown = !is_sealing && companion.grow(&inner.builders, &growing.beside.cancel)?;
    Ok(has_fed || has_grown)
}

fn forget(inner: &Inner, companion: &Arc<Companion>, view: &elanus_segment::View) {
    let applied = inner.progress.applied_ts.load(Ordering::SeqCst);
    let past = ts::from_ms(ts::to_ms(inner.oracle.now()).saturating_sub(FORGET_MS));
    companion.forget(view, past.min(applied));
}
