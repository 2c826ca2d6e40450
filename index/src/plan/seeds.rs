//! A few of the rows that pass, from everywhere among them.

use elanus_kernels::scan::Keep;

/// Rows of the bitmap looked at for each seed, less where a seed stands for fewer.
const LOOK: usize = 512;

/// Writes to `seeds` about `count` rows that pass, in ascending order: the first to pass in each of as many parts of
/// all `rows`, where there is one near the part's begin.
pub(super) fn spread(keep: Keep<'_>, rows: usize, count: usize, words: &mut Vec<u64>, seeds: &mut Vec<u32>) {
    seeds.clear();
    let part = rows.div_ceil(count.max(1)).max(1);
    for start in (0..rows).step_by(part) {
        let end = rows.min(start + part.min(LOOK));
        keep.write(start..end, words);
        let first = words.iter().position(|word| *word != 0);
        seeds.extend(first.map(|at| start as u32 + at as u32 * 64 + words[at].trailing_zeros()));
    }
}
