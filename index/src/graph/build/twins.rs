//! Rows that are equal. One of them stands in the graph for all; the others hang on it as a tree.
//!
//! A crowd of equal rows would otherwise take all links of each of its members, and nothing would lead out of it.

use super::crew::Crew;
use crate::BuildError;
use crate::graph::levels::mix;
use crate::graph::links::{EMPTY, used};
use crate::graph::space::Space;

/// Rows that a thread takes at a time.
const SPAN: usize = 4096;
/// Twins that hang on one row.
const BRANCH: usize = 4;

/// Rows parted into those that are all different and those that are equal to one of them.
#[derive(Debug)]
pub(super) struct Twins {
    /// One of each kind, ascending.
    pub(super) single: Vec<u32>,
    /// Equal rows, ascending; the first of each group is single.
    pub(super) groups: Vec<Vec<u32>>,
}

impl Twins {
    /// Finds the equal ones among `rows`, which ascend.
    pub(super) fn find(space: &dyn Space, rows: &[u32], crew: &Crew<'_>) -> Result<Self, BuildError> {
        let hashed = crew.map(rows.chunks(SPAN).collect(), |buffer: &mut Vec<f32>, rows: &[u32]| {
            rows.iter().map(|row| (hash(space.vector(*row, buffer)), *row)).collect::<Vec<_>>()
        })?;
        let mut hashed = hashed.concat();
        hashed.sort_unstable();
        let mut groups = Vec::new();
        let mut is_twin = vec![false; space.len()];
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for alike in hashed.chunk_by(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
            crew.check()?;
            let first = space.vector(alike[0].1, &mut own);
            // Where the same number is made of different rows, those unlike the first have no twins.
            let equal = alike.iter().map(|(_, row)| *row).filter(|row| space.vector(*row, &mut other) == first);
            let group: Vec<u32> = equal.collect();
            group.iter().skip(1).for_each(|row| is_twin[*row as usize] = true);
            if group.len() > 1 {
                groups.push(group);
            }
        }
        groups.sort_unstable_by_key(|group| group[0]);
        let single = rows.iter().copied().filter(|row| !is_twin[*row as usize]).collect();
        Ok(Self { single, groups })
    }

    /// Links every group to a tree whose root is its first row, with places for it in the root's links. Twins get the
    /// links of the root beside, as far as there is room.
    pub(super) fn hang(&self, base: &mut [u32], degree: usize) {
        let branch = BRANCH.min(degree / 2).max(1);
        for group in &self.groups {
            let root = group[0] as usize * degree;
            let near = used(&base[root..root + degree]).to_vec();
            for (i, row) in group.iter().enumerate() {
                let children = group.iter().skip(branch * i + 1).take(branch);
                let parent = i.checked_sub(1).map(|before| group[before / branch]);
                let links = children.copied().chain(parent).chain(near.iter().copied());
                let to = &mut base[*row as usize * degree..][..degree];
                to.fill(EMPTY);
                to.iter_mut().zip(links).for_each(|(to, link)| *to = link);
            }
        }
    }
}

/// A number that equal vectors have in common, and others by chance only.
fn hash(vector: &[f32]) -> u64 {
    // Adding zero makes -0 into 0, which are equal.
    let fold = |hash: u64, value: &f32| {
        (hash ^ u64::from((value + 0.0).to_bits())).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    };
    mix(vector.iter().fold(1, fold))
}

#[cfg(test)]
mod tests;
