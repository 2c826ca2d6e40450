//! Selections against sorting everything.
use super::{Neighbor, TopK};
use crate::{bitmap::Bitmap, rng::Rng};

fn sorted(mut all: Vec<Neighbor>, k: usize) -> Vec<Neighbor> {
    all.retain(|neighbor| !neighbor.key.is_nan());
    all.sort();
    all.truncate(k);
    all
}

/// Keys of few distinct values, so that ties are common, with some infinities and NaN.
fn draw(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count)
        .map(|_| match rng.below(40) {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::NEG_INFINITY,
            3 => -0.0,
            _ => rng.below(25) as f32 - 12.0,
        })
        .collect()
}

fn ids(neighbors: &[Neighbor]) -> Vec<(u32, u32)> {
    neighbors.iter().map(|n| ((n.key + 0.0).to_bits(), n.id)).collect()
}

#[test]
fn selection_is_the_head_of_the_sorted_whole_in_any_push_order() {
    let mut rng = Rng::new(21);
    for round in 0..400 {
        let (count, k) = (rng.below(300) as usize, rng.below(60) as usize);
        let keys = draw(&mut rng, count);
        // Every third round, ids repeat.
        let id = |i: usize| if round % 3 == 0 { (i % 50) as u32 } else { i as u32 };
        let all: Vec<Neighbor> = keys.iter().enumerate().map(|(i, key)| Neighbor { key: *key, id: id(i) }).collect();
        let want = sorted(all.clone(), k);
        let mut order = all;
        for _ in 0..3 {
            rng.shuffle(&mut order);
            let mut top = TopK::new(k);
            for neighbor in &order {
                let before = top.clone().into_sorted();
                let taken = top.push(neighbor.id, neighbor.key);
                let changed = ids(&before) != ids(&top.clone().into_sorted());
                assert!(changed <= taken, "a change without a take");
            }
            assert_eq!(top.len(), want.len());
            let threshold =
                if want.len() < k { f32::INFINITY } else { want.last().map_or(f32::NEG_INFINITY, |n| n.key) };
            assert_eq!(top.threshold(), threshold);
            assert_eq!(ids(&top.into_sorted()), ids(&want));
        }
    }
}

#[test]
fn blocks_are_the_same_as_single_pushes() {
    let mut rng = Rng::new(22);
    for _ in 0..400 {
        let (count, k, first) = (rng.below(300) as usize, rng.below(40) as usize, rng.below(1000) as u32);
        let keys = draw(&mut rng, count);
        let keep = Bitmap::from_fn(count + rng.below(70) as usize, |_| rng.below(3) > 0);
        let (mut plain, mut filtered) = (TopK::new(k), TopK::new(k));
        let (mut block_plain, mut block_filtered) = (TopK::new(k), TopK::new(k));
        for (i, key) in keys.iter().enumerate() {
            plain.push(first + i as u32, *key);
            if keep.get(i) {
                filtered.push(first + i as u32, *key);
            }
        }
        block_plain.push_block(first, &keys, None);
        block_filtered.push_block(first, &keys, Some(keep.view()));
        assert_eq!(ids(&block_plain.into_sorted()), ids(&plain.into_sorted()));
        assert_eq!(ids(&block_filtered.into_sorted()), ids(&filtered.into_sorted()));
    }
}

#[test]
fn merging_parts_is_selecting_from_the_whole() {
    let mut rng = Rng::new(23);
    for _ in 0..200 {
        let (count, k) = (rng.below(200) as usize, 1 + rng.below(30) as usize);
        let keys = draw(&mut rng, count);
        let mut parts = vec![TopK::new(k), TopK::new(k), TopK::new(k)];
        let mut whole = TopK::new(k);
        for (id, key) in keys.iter().enumerate() {
            whole.push(id as u32, *key);
            parts[rng.below(3) as usize].push(id as u32, *key);
        }
        rng.shuffle(&mut parts);
        let mut merged = TopK::new(k);
        for part in &parts {
            merged.merge(part);
        }
        assert_eq!(ids(&merged.into_sorted()), ids(&whole.into_sorted()));
    }
}

#[test]
fn draining_appends_and_leaves_an_empty_selection() {
    let mut top = TopK::new(2);
    let mut out = vec![Neighbor { key: 9.0, id: 9 }];
    for (id, key) in [(1, 3.0), (2, 1.0), (3, 2.0)] {
        assert!(top.push(id, key));
    }
    top.drain_sorted(&mut out);
    assert_eq!(out.iter().map(|n| n.id).collect::<Vec<_>>(), [9, 2, 3]);
    assert!(top.is_empty());
    assert_eq!((top.k(), top.threshold()), (2, f32::INFINITY));
    assert!(top.push(7, 5.0));
    top.reset(1);
    assert_eq!((top.k(), top.len()), (1, 0));
}

#[test]
fn of_equal_keys_the_smaller_id_stays() {
    let mut top = TopK::new(2);
    assert!(top.push(5, 1.0) && top.push(7, 1.0));
    assert!(!top.push(8, 1.0) && !top.push(7, 1.0));
    assert!(top.push(2, 1.0));
    assert_eq!(top.into_sorted().iter().map(|n| n.id).collect::<Vec<_>>(), [2, 5]);
}

#[test]
fn nothing_enters_an_empty_selection_and_nan_enters_none() {
    let mut none = TopK::new(0);
    assert!(!none.push(1, f32::NEG_INFINITY));
    none.push_block(0, &[1.0, f32::NEG_INFINITY], None);
    assert_eq!((none.len(), none.threshold()), (0, f32::NEG_INFINITY));
    let mut some = TopK::new(3);
    assert!(!some.push(1, f32::NAN));
    some.push_block(0, &[f32::NAN; 100], None);
    assert!(some.is_empty());
    assert!(some.push(1, f32::INFINITY));
}

#[test]
fn a_huge_k_costs_nothing_at_first() {
    let mut top = TopK::new(usize::MAX);
    assert!(top.push(1, 2.0) && top.push(2, 1.0));
    assert_eq!(top.into_sorted()[0].id, 2);
}

#[test]
fn the_last_ids_fit_and_one_more_is_refused() {
    let mut top = TopK::new(2);
    top.push_block(u32::MAX - 1, &[1.0, 0.5], None);
    assert_eq!(top.into_sorted()[0].id, u32::MAX);
    let past = std::panic::catch_unwind(|| TopK::new(2).push_block(u32::MAX, &[1.0, 0.5], None));
    assert!(past.is_err());
    let short = std::panic::catch_unwind(|| TopK::new(2).push_block(0, &[1.0], Some(Bitmap::new(0).view())));
    assert!(short.is_err());
}

#[test]
fn the_order_is_total_with_nan_last() {
    let n = |key, id| Neighbor { key, id };
    let order =
        [n(f32::NEG_INFINITY, 9), n(-1.0, 3), n(0.0, 1), n(-0.0, 2), n(1.0, 0), n(f32::INFINITY, 4), n(f32::NAN, 0)];
    for (i, a) in order.iter().enumerate() {
        for (j, b) in order.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a:?} {b:?}");
        }
    }
    assert_eq!(n(f32::NAN, 1), n(-f32::NAN, 1));
    assert_eq!(n(0.0, 1), n(-0.0, 1));
    assert_ne!(n(0.0, 1), n(0.0, 2));
}
