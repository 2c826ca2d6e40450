//! Rows that somebody else keeps: an index over them need not have them a second time.

use std::sync::Arc;

use elanus_kernels::AnyRows;

use super::pieces::RowPiece;
use super::view::View;
use super::{GrowingIndex, append};
use crate::BuildError;

/// Rows that are kept by somebody else, who shares them.
pub trait SharedRows: Send + Sync {
    /// The rows: the same ones each time. `None` where there are none to be had.
    fn rows(&self) -> Option<AnyRows<'_>>;
}

impl GrowingIndex {
    /// Takes in rows that somebody else keeps, and holds on to them instead of copying them. `blocks` hold all rows of
    /// the index from the first on; of those the first [`GrowingIndex::len`] must be as they were, but they may lie in
    /// other blocks than before, which lets the old ones go. Returns how many rows there are then: where the blocks
    /// hold fewer than were taken in already, nothing changes.
    ///
    /// # Errors
    /// As [`GrowingIndex::append`].
    pub fn share(&self, blocks: &[Arc<dyn SharedRows>]) -> Result<usize, BuildError> {
        let (mut pieces, mut total) = (Vec::with_capacity(blocks.len()), 0_usize);
        for block in blocks {
            let Some(rows) = block.rows().filter(|rows| !rows.is_empty()) else { continue };
            self.check(rows)?;
            let first = u32::try_from(total).unwrap_or(u32::MAX);
            pieces.push(Arc::new(RowPiece::shared(first, rows.len(), Arc::clone(block))));
            total = total.saturating_add(rows.len());
            self.check_room(total)?;
        }
        let _appends = self.appends.lock();
        let mut view = View::clone(&self.view());
        if total < view.len as usize {
            return Ok(view.len as usize);
        }
        view.rows = Arc::new(pieces);
        append::take_in(&self.spec, &mut view, total)?;
        // The graph may be another one by now.
        self.publish(|now| View { graph: Arc::clone(&now.graph), ..view });
        Ok(total)
    }
}
