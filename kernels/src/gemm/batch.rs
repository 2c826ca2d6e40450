//! What is searched: queries and rows of an element type, the rows that are left, and the point that both are seen
//! from.
use std::ops::Range;

use super::{
    panels::{Room, Vectors},
    search::Exact,
};
use crate::{
    bitmap::{BitmapView, Ones},
    dispatch::Kernel,
    element::{ElementType, Number},
    metric::Metric,
    rows::{Rows, Vector},
    topk::TopK,
};

/// Rows and the queries they are compared with.
pub(super) struct Batch<'a, E: Number> {
    pub(super) kernel: &'a Kernel<E>,
    pub(super) queries: Rows<'a, E>,
    pub(super) base: Rows<'a, E>,
}

/// A view of a vector as `f32`, in `room` unless it is one.
fn widen<'a, E: Number>(row: &'a [E], room: &'a mut [f32]) -> &'a [f32] {
    if let Vector::F32(row) = row.into() {
        return row;
    }
    for (to, from) in room.iter_mut().zip(row) {
        *to = from.to_f32();
    }
    room
}

impl<E: Number> Vectors for Rows<'_, E> {
    fn vector<'a>(&'a self, index: usize, room: &'a mut [f32]) -> &'a [f32] {
        widen(self.row(index), room)
    }
}

impl<E: Number> Vectors for Batch<'_, E> {
    fn vector<'a>(&'a self, index: usize, room: &'a mut [f32]) -> &'a [f32] {
        widen(self.base.row(index), room)
    }
}

impl<E: Number> Exact for Batch<'_, E> {
    fn keys(&self, query: usize, ids: &[u32], keys: &mut [f32]) {
        self.kernel.gather(self.queries.row(query), self.base, ids, keys);
    }
}

impl<E: Number> Batch<'_, E> {
    /// Offers the rows of `positions` to some queries, with every key computed by the kernel.
    pub(super) fn plain(
        &self,
        queries: Range<usize>,
        first_id: u32,
        positions: &[u32],
        keys: &mut Vec<f32>,
        out: &mut [TopK],
    ) {
        let (Some(first), Some(last)) = (positions.first(), positions.last()) else { return };
        let whole = (last - first) as usize + 1 == positions.len();
        keys.clear();
        keys.resize(queries.len() * positions.len(), 0.0);
        if whole {
            let base = self.base.slice(*first as usize..*last as usize + 1);
            self.kernel.tile(self.queries.slice(queries.clone()), base, keys);
        }
        for (query, keys) in queries.zip(keys.chunks_exact_mut(positions.len())) {
            if whole {
                out[query].push_block(first_id + first, keys, None);
                continue;
            }
            self.keys(query, positions, keys);
            for (position, key) in positions.iter().zip(keys) {
                out[query].push(first_id + position, *key);
            }
        }
    }
}

impl<E: Number> Batch<'_, E> {
    /// Computes the keys of some queries, and of some rows of a block, by the kernel.
    pub(super) fn exceptions(&self, queries: &[u32], rows: &[u32], block: Range<usize>, keys: &mut [f32]) {
        let len = self.base.len();
        for query in queries {
            let query = *query as usize;
            let to = &mut keys[query * len..][block.clone()];
            self.kernel.rows(self.queries.row(query), self.base.slice(block.clone()), to);
        }
        for row in rows {
            let row = block.start + *row as usize;
            for query in 0..self.queries.len() {
                keys[query * len + row] = self.kernel.pair(self.queries.row(query), self.base.row(row));
            }
        }
    }
}

/// The positions of the rows that are searched, some at a time.
pub(super) struct Positions<'a> {
    next: usize,
    len: usize,
    ones: Option<Ones<'a>>,
}

impl<'a> Positions<'a> {
    pub(super) fn new(len: usize, keep: Option<BitmapView<'a>>) -> Self {
        Self { next: 0, len, ones: keep.map(|keep| keep.iter_ones()) }
    }

    pub(super) fn next(&mut self, count: usize, positions: &mut Vec<u32>) {
        positions.clear();
        let len = self.len;
        match &mut self.ones {
            Some(ones) => positions.extend(ones.take_while(|at| *at < len).take(count).map(|at| at as u32)),
            None => {
                let end = (self.next + count).min(len);
                positions.extend((self.next..end).map(|at| at as u32));
                self.next = end;
            }
        }
    }
}

/// Queries that the centre is the mean of, at most.
const SAMPLE: usize = 256;

/// The point that vectors are measured from: the mean of queries, which makes their products small and hence the bounds
/// tight. For bytes and bf16 a point from which the differences are numbers of that type again, so that nothing is
/// lost.
pub(super) fn centre<E: Number>(metric: Metric, queries: Rows<'_, E>, centre: &mut Vec<f32>, room: &mut Room) {
    centre.clear();
    centre.resize(queries.dim(), 0.0);
    if metric != Metric::Cosine && E::TYPE == ElementType::U8 {
        centre.fill(128.0);
    }
    if matches!(E::TYPE, ElementType::I8 | ElementType::U8 | ElementType::Bf16) {
        return;
    }
    let mut sums = vec![0.0f64; queries.dim()];
    let mut count = 0;
    room.values.resize(queries.dim(), 0.0);
    for index in (0..queries.len()).step_by(queries.len().div_ceil(SAMPLE).max(1)) {
        let query = queries.vector(index, &mut room.values);
        let square = query.iter().fold(0.0, |sum, value| sum + f64::from(*value) * f64::from(*value));
        if (1e-30..=1e30).contains(&square) {
            let factor = if metric == Metric::Cosine { 1.0 / square.sqrt() } else { 1.0 };
            count += 1;
            for (sum, value) in sums.iter_mut().zip(query) {
                *sum += f64::from(*value) * factor;
            }
        }
    }
    if count > 0 {
        for (to, sum) in centre.iter_mut().zip(sums) {
            *to = (sum / f64::from(count)) as f32;
        }
    }
}
