//! The selection of the smallest candidates.
use elanus_kernels::rng::Rng;
use elanus_shaders::cuda::{CAPACITY_MAX, entry};

use super::{SHAPES, emulator};

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct SelectArgs {
    candidates: *mut u64,
    counts: *mut u32,
    bound: *mut u64,
    overflowed: *mut u32,
    query_count: u32,
    capacity: u32,
    k: u32,
    sample: u32,
}

/// Candidates of one query: all over the range, or alike in their upper digits, or (`kind` 3) partly equal.
fn draw(rng: &mut Rng, kind: u64, count: usize) -> Vec<u64> {
    let high = rng.next_u64();
    let mut all: Vec<u64> = (0..count as u64)
        .map(|i| match kind {
            0 => rng.next_u64() >> 1,
            1 => (high & !0xffff_ffff) >> 1 | i,
            2 => (high & !0xff_ffff_ffff) >> 1 | rng.below(1 << 39),
            _ => high >> 1 ^ rng.below(3) << 33,
        })
        .collect();
    if kind == 1 {
        for i in (1..count).rev() {
            all.swap(i, rng.below(i as u64 + 1) as usize);
        }
    }
    all
}

fn check(rng: &mut Rng, shape: u64) {
    let Some(emulator) = emulator() else { return };
    emulator.seed(shape);
    let entry = entry("select").unwrap();
    let query_count = 1 + rng.below(6) as usize;
    let capacity = if shape.is_multiple_of(10) { CAPACITY_MAX as usize } else { 16 + rng.below(1200) as usize };
    let k = 1 + rng.below(capacity as u64 / 2) as usize;
    let sample = rng.below(2);
    let kind = rng.below(4);
    let mut candidates = emulator.allocate::<u64>(query_count * capacity);
    let mut counts = emulator.allocate::<u32>(query_count);
    let (mut bound, overflowed) = (emulator.allocate::<u64>(query_count), emulator.upload(&vec![0_u32; query_count]));
    let mut given = Vec::new();
    for query in 0..query_count {
        let most = if rng.below(4) == 0 { 2 * capacity } else { capacity };
        let count = match rng.below(4) {
            0 => rng.below(k as u64 + 1) as usize,
            1 => k,
            _ => rng.below(most as u64) as usize,
        };
        counts.as_mut_slice()[query] = count as u32;
        let values = draw(rng, kind, count.min(capacity));
        candidates.as_mut_slice()[query * capacity..][..values.len()].copy_from_slice(&values);
        bound.as_mut_slice()[query] = if rng.below(2) == 0 { u64::MAX } else { rng.next_u64() };
        given.push((count, values));
    }
    let before = bound.as_slice().to_vec();
    let args = SelectArgs {
        candidates: candidates.pointer(),
        counts: counts.pointer(),
        bound: bound.pointer(),
        overflowed: overflowed.pointer(),
        query_count: query_count as u32,
        capacity: capacity as u32,
        k: k as u32,
        sample: sample as u32,
    };
    // SAFETY: the args are those of the entry, and the memory lives on.
    unsafe { emulator.launch(entry, [query_count as u32, 1], &args) }.unwrap_or_else(|error| panic!("select: {error}"));
    for (query, (count, mut values)) in given.into_iter().enumerate() {
        let about = format!("shape {shape}: {count} candidates, k = {k}, capacity {capacity}, kind {kind}");
        values.sort_unstable();
        let kept = values.len().min(k);
        let mut got = candidates.as_slice()[query * capacity..][..kept].to_vec();
        got.sort_unstable();
        assert_eq!(got, values[..kept], "{about}");
        let lowered = if kept == k { (values[k - 1] + sample).min(before[query]) } else { before[query] };
        assert_eq!(bound.as_slice()[query], lowered, "{about}: the bound");
        assert_eq!(overflowed.as_slice()[query], u32::from(sample == 0 && count > capacity), "{about}");
        assert_eq!(counts.as_slice()[query], if sample == 0 { kept as u32 } else { 0 }, "{about}: the count");
    }
}

#[test]
fn the_smallest_are_kept() {
    let mut rng = Rng::new(21);
    for shape in 0..SHAPES {
        check(&mut rng, shape);
    }
}
