//! Candidates of a best-first walk in order of key and node, each packed into one number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The greatest node number that fits.
pub(crate) const MAX_NODE: u32 = (1 << 31) - 1;

/// Key, node and whether it was expanded, in one number whose order is that of key, then node. A NaN key comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate(u64);

impl Candidate {
    #[inline(always)]
    pub(crate) fn new(key: f32, node: u32) -> Self {
        // Adding zero makes -0 into 0, which are one key and must be one order.
        let key = if key.is_nan() { f32::NAN } else { key + 0.0 };
        let bits = key.to_bits();
        // Floats of one sign are ordered as their bits; turning over the sign bit, or for negative numbers all bits,
        // orders them all as whole numbers.
        let flip = ((bits as i32) >> 31) as u32 | 0x8000_0000;
        Self(u64::from(bits ^ flip) << 32 | u64::from(node) << 1)
    }

    #[inline(always)]
    pub(crate) fn node(self) -> u32 {
        (self.0 as u32) >> 1
    }

    #[inline(always)]
    pub(crate) fn key(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
        let flip = if ordered & 0x8000_0000 == 0 { u32::MAX } else { 0x8000_0000 };
        f32::from_bits(ordered ^ flip)
    }
}

/// The best `ef` candidates of a walk, of which the best one not yet expanded can be taken.
pub(crate) trait Beam {
    /// Empties the beam and sets its width.
    fn start(&mut self, width: usize);
    /// Offers a candidate that was not offered before; says whether it is known to be the one that
    /// would be taken next.
    fn offer(&mut self, candidate: Candidate) -> bool;
    /// Takes the best candidate that was not taken.
    fn next(&mut self) -> Option<Candidate>;
    /// The candidate that `next` would take.
    fn peek(&self) -> Option<Candidate>;
    /// The candidate that stands at a position among those kept, nearest first, where that can be told at once.
    fn at(&self, position: usize) -> Option<Candidate>;
    /// Appends all candidates kept, nearest first.
    fn drain(&mut self, out: &mut Vec<Candidate>);
}

/// One sorted array, for widths at which moving its tail is cheaper than a heap's jumps.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    width: usize,
    /// Candidates in order; the lowest bit of each says whether it was taken.
    kept: Vec<u64>,
    /// Every candidate before this position was taken.
    cursor: usize,
}

impl Beam for Sorted {
    fn start(&mut self, width: usize) {
        self.width = width;
        self.kept.clear();
        self.cursor = 0;
    }

    #[inline]
    fn offer(&mut self, Candidate(offered): Candidate) -> bool {
        if self.kept.len() == self.width {
            match self.kept.last() {
                Some(worst) if offered < *worst => self.kept.pop(),
                Some(_) | None => return false,
            };
        }
        let position = self.kept.partition_point(|kept| *kept < offered);
        self.kept.insert(position, offered);
        let leads = position <= self.cursor;
        self.cursor = self.cursor.min(position);
        leads
    }

    #[inline]
    fn next(&mut self) -> Option<Candidate> {
        while let Some(kept) = self.kept.get_mut(self.cursor) {
            self.cursor += 1;
            if *kept & 1 == 0 {
                *kept |= 1;
                return Some(Candidate(*kept & !1));
            }
        }
        None
    }

    #[inline]
    fn peek(&self) -> Option<Candidate> {
        self.kept[self.cursor..].iter().find(|kept| **kept & 1 == 0).map(|kept| Candidate(*kept))
    }

    #[inline]
    fn at(&self, position: usize) -> Option<Candidate> {
        self.kept.get(position).map(|kept| Candidate(*kept & !1))
    }

    fn drain(&mut self, out: &mut Vec<Candidate>) {
        out.extend(self.kept.drain(..).map(|kept| Candidate(kept & !1)));
        self.cursor = 0;
    }
}

/// Two heaps, for wide beams.
#[derive(Debug, Default)]
pub(crate) struct Heaps {
    width: usize,
    /// The worst kept candidate first.
    kept: BinaryHeap<Candidate>,
    /// The best candidate not yet taken first. Some may no longer be kept; those are worse than all that are.
    waiting: BinaryHeap<Reverse<Candidate>>,
}

impl Heaps {
    /// Whether as many candidates are kept as the width allows.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() >= self.width
    }

    /// Whether a candidate would be kept.
    pub(crate) fn takes(&self, candidate: Candidate) -> bool {
        !self.is_full() || self.kept.peek().is_some_and(|worst| candidate < *worst)
    }

    /// Whether a candidate is worse than all kept ones, of which there are as many as the width allows.
    pub(crate) fn is_beyond(&self, candidate: Candidate) -> bool {
        self.is_full() && self.kept.peek().is_none_or(|worst| candidate > *worst)
    }

    /// Keeps a candidate that is never to be taken.
    pub(crate) fn keep(&mut self, candidate: Candidate) -> bool {
        if !self.takes(candidate) {
            return false;
        }
        if self.is_full() {
            self.kept.pop();
        }
        self.kept.push(candidate);
        true
    }
}

impl Beam for Heaps {
    fn start(&mut self, width: usize) {
        self.width = width;
        self.kept.clear();
        self.waiting.clear();
    }

    fn offer(&mut self, candidate: Candidate) -> bool {
        let is_kept = self.keep(candidate);
        if is_kept {
            self.waiting.push(Reverse(candidate));
        }
        is_kept && self.peek() == Some(candidate)
    }

    fn next(&mut self) -> Option<Candidate> {
        let Reverse(best) = self.waiting.pop()?;
        let gone = self.kept.peek().is_none_or(|worst| best > *worst);
        if gone { None } else { Some(best) }
    }

    fn peek(&self) -> Option<Candidate> {
        self.waiting.peek().map(|Reverse(best)| *best)
    }

    fn at(&self, _position: usize) -> Option<Candidate> {
        None
    }

    fn drain(&mut self, out: &mut Vec<Candidate>) {
        let start = out.len();
        out.extend(self.kept.drain());
        out[start..].sort_unstable();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests;
