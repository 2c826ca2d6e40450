//! The k nearest seen so far: a bounded heap with a total order, so the push order never shows.
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::bitmap::BitmapView;

/// A row and the key it was found at.
///
/// The order is by key, then by id, and a NaN key comes after every number; it is total, and equality follows it.
#[derive(Clone, Copy, Debug)]
pub struct Neighbor {
    /// What is minimised.
    pub key: f32,
    /// The row.
    pub id: u32,
}

impl Ord for Neighbor {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = match self.key.partial_cmp(&other.key) {
            Some(order) => order,
            None => self.key.is_nan().cmp(&other.key.is_nan()),
        };
        by_key.then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Neighbor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Neighbor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Neighbor {}

/// Room reserved before anything was pushed, so that a huge `k` costs nothing until it is used.
const FIRST_ROOM: usize = 1024;

/// Keys compared against the threshold together.
const BLOCK: usize = 32;

/// Keeps the `k` smallest of what is pushed.
///
/// Of equal keys the smaller id is kept, so the result depends on what was pushed and never on the order. An id that
/// is pushed twice counts twice.
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    /// A binary heap with the worst kept neighbor first.
    heap: Vec<Neighbor>,
}

impl TopK {
    /// An empty selection of at most `k`.
    pub fn new(k: usize) -> Self {
        Self { k, heap: Vec::with_capacity(k.min(FIRST_ROOM)) }
    }

    /// Empties the selection and sets a new `k`, keeping the memory.
    pub fn reset(&mut self, k: usize) {
        self.heap.clear();
        self.k = k;
    }

    /// How many are kept at most.
    pub const fn k(&self) -> usize {
        self.k
    }

    /// How many are kept now.
    pub const fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is kept.
    pub const fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The worst kept key once `k` are kept, and infinity before; negative infinity when `k` is 0. A larger key cannot
    /// enter; an equal key can, with a smaller id.
    #[inline]
    pub fn threshold(&self) -> f32 {
        if self.heap.len() < self.k {
            return f32::INFINITY;
        }
        self.heap.first().map_or(f32::NEG_INFINITY, |worst| worst.key)
    }

    /// Offers a neighbor and says whether it was taken. A NaN key never is.
    #[inline]
    pub fn push(&mut self, id: u32, key: f32) -> bool {
        let offered = Neighbor { key, id };
        if key.is_nan() {
            return false;
        }
        if self.heap.len() < self.k {
            self.heap.push(offered);
            self.rise(self.heap.len() - 1);
            return true;
        }
        match self.heap.first() {
            Some(worst) if nearer(offered, *worst) => {
                self.sink(offered);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Offers rows `first_id..` with their keys, leaving out those whose bit in `keep` is clear. Bit `i` of `keep`
    /// speaks for `keys[i]`.
    ///
    /// # Panics
    /// When `keep` is shorter than `keys`, or an id would not fit 32 bits.
    pub fn push_block(&mut self, first_id: u32, keys: &[f32], keep: Option<BitmapView<'_>>) {
        if let Some(keep) = keep {
            assert!(keep.len() >= keys.len(), "{} filter bits for {} keys", keep.len(), keys.len());
        }
        assert!(
            keys.len() as u64 <= (1 << 32) - u64::from(first_id),
            "{} ids from {first_id} pass 32 bits",
            keys.len()
        );
        for (block, chunk) in keys.chunks(BLOCK).enumerate() {
            let threshold = self.threshold();
            // No early exit, so that the comparison of a whole block becomes vector code.
            let hits = chunk.iter().fold(0u32, |hits, key| hits + u32::from(*key <= threshold));
            if hits == 0 {
                continue;
            }
            let start = block * BLOCK;
            for (i, key) in chunk.iter().enumerate() {
                let position = start + i;
                if *key <= self.threshold() && keep.is_none_or(|keep| keep.get(position)) {
                    self.push(first_id + position as u32, *key);
                }
            }
        }
    }

    /// Offers everything that `other` keeps.
    pub fn merge(&mut self, other: &TopK) {
        for neighbor in &other.heap {
            self.push(neighbor.id, neighbor.key);
        }
    }

    /// What was kept, nearest first.
    pub fn into_sorted(mut self) -> Vec<Neighbor> {
        self.heap.sort_unstable();
        self.heap
    }

    /// Appends what was kept to `out`, nearest first, and is empty afterwards with the same `k`.
    pub fn drain_sorted(&mut self, out: &mut Vec<Neighbor>) {
        self.heap.sort_unstable();
        out.append(&mut self.heap);
    }

    /// Restores the heap after a push at `position`.
    fn rise(&mut self, mut position: usize) {
        let risen = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / 2;
            if !nearer(self.heap[parent], risen) {
                break;
            }
            self.heap[position] = self.heap[parent];
            position = parent;
        }
        self.heap[position] = risen;
    }

    /// Replaces the worst with `sunk` and restores the heap.
    fn sink(&mut self, sunk: Neighbor) {
        let heap = &mut self.heap[..];
        let mut position = 0;
        loop {
            let left = 2 * position + 1;
            if left >= heap.len() {
                break;
            }
            let right = left + 1;
            let child = if right < heap.len() && nearer(heap[left], heap[right]) { right } else { left };
            if !nearer(sunk, heap[child]) {
                break;
            }
            heap[position] = heap[child];
            position = child;
        }
        heap[position] = sunk;
    }
}

/// The order of [`Neighbor`] where no key is NaN.
#[inline(always)]
fn nearer(a: Neighbor, b: Neighbor) -> bool {
    a.key < b.key || (a.key == b.key && a.id < b.id)
}
