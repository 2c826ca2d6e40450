//! Selection against sorting everything: any keys, any blocks, filters, ranges and merges, on every instruction set.
#![no_main]
use elanus_fuzz::Source;
use elanus_kernels::{Bitmap, KeyRange, Neighbor, TopK};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let k = source.below(600);
    let range = match source.byte() % 3 {
        0 => KeyRange::ALL,
        1 => KeyRange { lower: source.number(), upper: f32::INFINITY },
        _ => KeyRange { lower: source.f32(), upper: source.f32() },
    };
    let mut blocks = Vec::new();
    let mut first = source.below(1000) as u32;
    for _ in 0..source.below(6) {
        let count = source.below(900);
        let keys = if source.byte() & 1 == 0 { source.numbers(count) } else { source.floats(count) };
        let keep = (source.byte() & 1 == 0).then(|| Bitmap::from_fn(count, |_| source.byte() & 1 == 0));
        blocks.push((first, keys, keep));
        first += count as u32 + source.below(3) as u32;
    }
    let mut want: Vec<Neighbor> = Vec::new();
    for (first, keys, keep) in &blocks {
        for (i, key) in keys.iter().enumerate() {
            if keep.as_ref().is_none_or(|keep| keep.get(i)) && range.contains(*key) {
                want.push(Neighbor { key: *key, id: first + i as u32 });
            }
        }
    }
    want.sort();
    want.truncate(k);
    for empty in TopK::all(k) {
        let (mut single, mut by_ids) = (empty.clone(), empty.clone());
        for (first, keys, keep) in &blocks {
            let kept = |i: usize| keep.as_ref().is_none_or(|keep| keep.get(i));
            let ids: Vec<u32> = (0..keys.len()).rev().filter(|i| kept(*i)).map(|i| i as u32).collect();
            let chosen: Vec<f32> = ids.iter().map(|id| keys[*id as usize]).collect();
            by_ids.push_ids(*first, &ids, &chosen, range);
            for (id, key) in ids.iter().zip(&chosen).filter(|(_, key)| range.contains(**key)) {
                let before = single.threshold();
                let taken = single.push(first + id, *key);
                assert!(!taken || *key <= before, "{key} was taken, beyond {before}");
            }
        }
        let worst = want.last().filter(|_| want.len() == k).map_or(f32::INFINITY, |worst| worst.key);
        let worst = if k == 0 { f32::NEG_INFINITY } else { worst };
        assert!(single.threshold() >= worst && single.tighten() == worst && single.len() == want.len());
        let mut drained = Vec::new();
        single.drain_sorted(&mut drained);
        assert_eq!(drained, want);
        assert!(single.is_empty() && single.k() == k);
        assert_eq!(by_ids.into_sorted(), want);
        let mut whole = empty.clone();
        let mut parts = (empty.clone(), empty);
        for (i, (first, keys, keep)) in blocks.iter().enumerate() {
            let keep = keep.as_ref().map(Bitmap::view);
            whole.push_block_within(*first, keys, keep, range);
            let part = if i % 2 == 0 { &mut parts.0 } else { &mut parts.1 };
            part.push_block_within(*first, keys, keep, range);
        }
        parts.0.merge(&parts.1);
        assert_eq!(whole.into_sorted(), want);
        assert_eq!(parts.0.into_sorted(), want);
    }
});
