//! Which levels each row stands on, and in what order rows enter the graph; both follow from seed and id alone.

use std::cmp::Reverse;

/// The greatest level. Even with two links a node, the share of nodes above it is below one in four thousand million.
pub(crate) const MAX_LEVEL: u32 = 31;

/// The highest level of a row: at least `l` with probability `m` to the power of `-l`, as in the HNSW paper, section
/// 4.1. Whole-number arithmetic, so that no library's logarithm can change the graph.
pub(crate) fn level_of(seed: u64, id: u32, m: usize) -> u32 {
    let chance = mix(seed ^ mix(u64::from(id) + 1));
    let mut bound = u64::MAX / m as u64;
    let mut level = 0;
    while chance < bound && level < MAX_LEVEL {
        level += 1;
        bound /= m as u64;
    }
    level
}

/// Rows with their levels, in the order of insertion: highest first, so that the upper levels are whole before most
/// rows search through them, and by chance within a level, so that sorted data do not make a lopsided graph.
pub(crate) fn insertion_order(ids: impl Iterator<Item = u32>, seed: u64, m: usize) -> Vec<(u32, u32)> {
    let mut order: Vec<(u32, u32)> = ids.map(|id| (id, level_of(seed, id, m))).collect();
    order.sort_by_cached_key(|&(id, level)| (Reverse(level), mix(!seed ^ mix(u64::from(id) + 1)), id));
    order
}

/// The finaliser of the splitmix64 generator: each input bit changes about half of the output bits.
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
