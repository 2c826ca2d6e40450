//! Comparing every row that passes, in ascending order of ids.

use elanus_kernels::TopK;

use super::Ask;
use crate::graph::Candidate;
use crate::graph::walk::End;
use crate::tier::Keys;
use crate::{Scratch, Stats};

/// Rows of one piece of the bitmap.
const PIECE: usize = 4096;
/// Rows compared at a time.
const BLOCK: usize = 256;

/// Appends to `scratch.found` the nearest of the rows that pass and lie in the range, as many as are to be kept, nearest
/// first.
pub(super) fn scan(tier: &dyn Keys, ask: &Ask<'_>, scratch: &mut Scratch, stats: &mut Stats) -> End {
    let Scratch { words, ids, keys, found, .. } = scratch;
    keys.resize(keys.len().max(BLOCK), 0.0);
    let mut nearest = TopK::new(ask.width.min(ask.matching));
    let mut compare = |ids: &[u32]| {
        for ids in ids.chunks(BLOCK) {
            let keys = &mut keys[..ids.len()];
            tier.keys(ids, keys);
            nearest.push_ids(0, ids, keys, ask.range);
            stats.distances += ids.len() as u64;
        }
    };
    ids.clear();
    for start in (0..ask.rows).step_by(PIECE) {
        if ask.cancel.is_cancelled() {
            return End::Cancelled;
        }
        let end = ask.rows.min(start + PIECE);
        ask.keep.write(start..end, words);
        for (word, first) in words.iter().zip((start as u32..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                ids.push(first + left.trailing_zeros());
                left &= left - 1;
            }
        }
        // Few rows of many pieces are compared together, so that their codes are asked for ahead.
        if ids.len() >= BLOCK {
            compare(ids);
            ids.clear();
        }
    }
    compare(ids);
    found.extend(nearest.into_sorted().iter().map(|near| Candidate::new(near.key, near.id)));
    End::Done
}
