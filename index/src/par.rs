//! Work on parts of a whole, or on one item after another: on the lent threads if there are any, else here.

use rayon::prelude::*;

use crate::{BuildCx, BuildError};

/// Calls `f` for each part of `size` items of `whole` with the part's number; the last part may be shorter. Stops
/// early when the build is cancelled or a part fails; then the first failure in the order of parts is told.
pub(crate) fn parts<T: Send>(
    cx: &BuildCx<'_>,
    whole: &mut [T],
    size: usize,
    f: impl Fn(usize, &mut [T]) -> Result<(), BuildError> + Sync,
) -> Result<(), BuildError> {
    let one = |(number, part): (usize, &mut [T])| {
        if cx.cancel.is_cancelled() { Err(BuildError::Cancelled) } else { f(number, part) }
    };
    match cx.pool {
        Some(pool) if pool.current_num_threads() > 1 => {
            let results: Vec<_> = pool.install(|| whole.par_chunks_mut(size).enumerate().map(one).collect());
            results.into_iter().collect()
        }
        Some(_) | None => whole.chunks_mut(size).enumerate().try_for_each(one),
    }
}

/// What `f` makes of each item, in their order. It is given a state besides, which no other thread has at that time and
/// which may have seen other items.
pub(crate) fn each<W: Default, T: Send, R: Send>(
    cx: &BuildCx<'_>,
    items: Vec<T>,
    f: impl Fn(&mut W, T) -> R + Sync,
) -> Vec<R> {
    match cx.pool {
        Some(pool) if pool.current_num_threads() > 1 => {
            pool.install(|| items.into_par_iter().map_init(W::default, |own, item| f(own, item)).collect())
        }
        Some(_) | None => {
            let mut own = W::default();
            items.into_iter().map(|item| f(&mut own, item)).collect()
        }
    }
}
