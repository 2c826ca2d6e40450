//! For each node a bounded list of candidates, nearest first: the best of all that were offered, in whatever order.

use crate::graph::Candidate;

/// Lists of at most `cap` candidates each, in one array.
#[derive(Debug)]
pub(crate) struct Lists {
    cap: usize,
    slots: Vec<Candidate>,
    lens: Vec<u32>,
}

/// One list, for change.
#[derive(Debug)]
pub(crate) struct List<'a> {
    slots: &'a mut [Candidate],
    len: &'a mut u32,
}

impl Lists {
    /// Empty lists for `count` nodes.
    pub(crate) fn new(count: usize, cap: usize) -> Self {
        Self { cap, slots: vec![Candidate::new(f32::INFINITY, 0); count * cap], lens: vec![0; count] }
    }

    pub(crate) fn len(&self) -> usize {
        self.lens.len()
    }

    /// The list of a node.
    pub(crate) fn of(&self, node: u32) -> &[Candidate] {
        &self.slots[node as usize * self.cap..][..self.lens[node as usize] as usize]
    }

    /// The lists of `span` nodes after each other, in parts that threads can fill at the same time: the first node of
    /// each part, and its lists.
    pub(crate) fn parts(&mut self, span: usize) -> Vec<(u32, Vec<List<'_>>)> {
        let slots = self.slots.chunks_mut(self.cap * span);
        let parts = slots.zip(self.lens.chunks_mut(span)).enumerate();
        parts
            .map(|(i, (slots, lens))| {
                let lists = slots.chunks_mut(self.cap).zip(lens).map(|(slots, len)| List { slots, len });
                ((i * span) as u32, lists.collect())
            })
            .collect()
    }
}

impl List<'_> {
    /// Replaces what the list holds.
    pub(crate) fn set(&mut self, candidates: &[Candidate]) {
        let len = candidates.len().min(self.slots.len());
        self.slots[..len].copy_from_slice(&candidates[..len]);
        *self.len = len as u32;
    }

    /// Takes the best of what it holds and of `offered`, which is sorted; a node that is offered again is taken once.
    pub(crate) fn merge(&mut self, offered: &[Candidate], spare: &mut Vec<Candidate>) {
        let held = &self.slots[..*self.len as usize];
        spare.clear();
        let (mut a, mut b) = (0, 0);
        while spare.len() < self.slots.len() {
            let next = match (held.get(a), offered.get(b)) {
                (Some(x), Some(y)) if x <= y => (x, &mut a),
                (_, Some(y)) => (y, &mut b),
                (Some(x), None) => (x, &mut a),
                (None, None) => break,
            };
            *next.1 += 1;
            // Equal nodes have equal keys and so are neighbours here.
            if spare.last() != Some(next.0) {
                spare.push(*next.0);
            }
        }
        self.slots[..spare.len()].copy_from_slice(spare);
        *self.len = spare.len() as u32;
    }
}

#[cfg(test)]
mod tests;
