//! Searching rows that an index in memory covers in part: the index answers for the first rows, a scan for the others.

use super::run::{Job, SCRATCH, holders, scan, search_error, vectors};
use crate::beside::Companion;
use crate::error::Result;
use elanus_index::Search;
use elanus_kernels::{AnyRows, Bitmap, BitmapView, TopK};
use elanus_segment::View;
use std::sync::Arc;

/// The first rows of a pinned segment, which an index in memory has.
pub(super) struct Covered {
    companion: Arc<Companion>,
    /// How many there are.
    rows: usize,
    /// Which of them may be returned. The index may have rows by now that the reader has not.
    keep: Bitmap,
}

impl Covered {
    /// What the index has of a view; `None` if the reader at `ts` cannot use it.
    pub(super) fn new(companion: Arc<Companion>, view: &View, keep: Option<&Bitmap>, ts: u64) -> Option<Self> {
        let rows = companion.index().len().min(view.rows());
        if rows == 0 || !companion.is_true_at(ts) {
            return None;
        }
        let keep = match keep {
            Some(keep) => Bitmap::from_words(keep.words()[..rows.div_ceil(u64::BITS as usize)].to_vec(), rows),
            None => Bitmap::full(rows),
        };
        Some(Self { companion, rows, keep })
    }

    /// The nearest rows of a segment to each query; `None` if rows were taken out of the index that the reader may see.
    pub(super) fn search(
        &self,
        job: &Job<'_>,
        view: &View,
        keep: Option<BitmapView<'_>>,
        queries: AnyRows<'_>,
    ) -> Result<Option<Vec<TopK>>> {
        let mut tops = holders(job, queries);
        let params = self.companion.params(job.params, job.k)?;
        let search =
            Search { k: job.k, params: &params, filter: Some(self.keep.view()), range: job.range, cancel: job.cancel };
        SCRATCH.with_borrow_mut(|scratch| {
            for (number, top) in tops.iter_mut().enumerate() {
                self.companion.index().search(queries.row(number), &search, scratch, top).map_err(search_error)?;
            }
            Ok(())
        })?;
        if !self.companion.is_true_at(job.ts) {
            return Ok(None);
        }
        for block in view.blocks() {
            let rows = vectors(block.column(job.plan.position).vectors())?;
            let done = self.rows.saturating_sub(block.start() as usize).min(rows.len());
            if done < rows.len() {
                let first = block.start() + done as u32;
                scan(job, rows.slice(done..rows.len()), first, keep, queries, &mut tops)?;
            }
        }
        Ok(Some(tops))
    }
}
