//! Selections against sorting everything.
use super::{CHUNK, KeyRange, Neighbor, SPARE, TopK, loops::VERSIONS, pack, unpack};
use crate::{bitmap::Bitmap, isa::IsaInfo, rng::Rng};

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

/// A selection on each instruction set.
fn all(k: usize) -> Vec<TopK> {
    for isa in TopK::sets().filter(|isa| !isa.is_available()) {
        println!("SKIPPED: {} is not available", isa.name());
    }
    TopK::all(k).collect()
}

/// Few distinct keys or many, and ids that repeat or end with the last one.
struct Case {
    keys: Vec<f32>,
    ids: Vec<u32>,
    keep: Bitmap,
    range: KeyRange,
}

impl Case {
    fn draw(rng: &mut Rng, count: usize) -> Self {
        let mut keys = draw(rng, count);
        if rng.below(2) == 0 {
            keys.iter_mut().for_each(|key| *key *= rng.next_f32());
        }
        match rng.below(4) {
            0 => keys.sort_by(f32::total_cmp),
            1 => keys.sort_by(|a, b| b.total_cmp(a)),
            _ => {}
        }
        let most = if rng.below(2) == 0 { 50 } else { 1 << 32 };
        let part = 1 + rng.below(3);
        Self {
            keys,
            ids: (0..count).map(|_| rng.below(most) as u32).collect(),
            keep: Bitmap::from_fn(count + rng.below(70) as usize, |_| rng.below(part + 1) < part),
            range: [KeyRange::ALL, KeyRange { lower: -3.0, upper: 4.0 }, KeyRange { lower: 0.0, ..KeyRange::ALL }]
                [rng.below(3) as usize],
        }
    }

    /// What is kept of rows that come in order.
    fn rows(&self, first: u32, has_filter: bool, k: usize) -> Vec<(u32, u32)> {
        let kept = (0..self.keys.len()).filter(|i| !has_filter || self.keep.get(*i));
        self.want(kept.map(|i| Neighbor { key: self.keys[i], id: first + i as u32 }), k)
    }

    /// What is kept of rows with ids.
    fn chosen(&self, k: usize) -> Vec<(u32, u32)> {
        self.want(self.keys.iter().zip(&self.ids).map(|(key, id)| Neighbor { key: *key, id: *id }), k)
    }

    fn want(&self, all: impl Iterator<Item = Neighbor>, k: usize) -> Vec<(u32, u32)> {
        ids(&sorted(all.filter(|neighbor| self.range.contains(neighbor.key)).collect(), k))
    }
}

const SIZES: [usize; 12] = [0, 1, 2, 9, 31, 32, 33, 64, 100, 300, 1000, 5000];

#[test]
fn every_version_keeps_the_head_of_the_sorted_whole() {
    let mut rng = Rng::new(24);
    for round in 0..60 {
        let count = rng.below(if round % 8 == 0 { 9000 } else { 700 }) as usize;
        let (case, k) = (Case::draw(&mut rng, count), SIZES[rng.below(SIZES.len() as u64) as usize]);
        let first = if round % 2 == 0 { rng.below(1000) as u32 } else { u32::MAX - count as u32 };
        // The last id of all is used where it can be.
        let first = if count > 0 && first > 1000 { first + 1 } else { first };
        let step = 1 + rng.below(3000) as usize;
        for has_filter in [false, true] {
            let want = case.rows(first, has_filter, k);
            for mut top in all(k) {
                for (keys, start) in case.keys.chunks(step).zip((0..).step_by(step)) {
                    let keep = Bitmap::from_fn(keys.len(), |i| case.keep.get(start + i));
                    let keep = has_filter.then(|| keep.view());
                    top.push_block_within(first + start as u32, keys, keep, case.range);
                }
                let (name, len) = (top.isa(), top.len());
                assert_eq!(len, want.len(), "{name}, k {k} of {count}");
                assert_eq!(ids(&top.into_sorted()), want, "{name}, k {k} of {count} in {step}");
            }
        }
        let want = case.chosen(k);
        for mut top in all(k) {
            for (keys, named) in case.keys.chunks(step).zip(case.ids.chunks(step)) {
                top.push_ids(0, named, keys, case.range);
            }
            let name = top.isa();
            assert_eq!(ids(&top.into_sorted()), want, "{name}, k {k} of {count} in {step} by id");
        }
    }
}

#[test]
fn every_length_is_compacted_and_has_its_least_found() {
    let mut rng = Rng::new(25);
    for count in (0..=70).chain([96, 100, 127, 128, 129, 200, 255, 256, 257, 1024, 1025, 3072]) {
        for _ in 0..4 {
            let case = Case::draw(&mut rng, count);
            let least =
                sorted(case.keys.iter().enumerate().map(|(i, key)| Neighbor { key: *key, id: i as u32 }).collect(), 1);
            let least = least.first().map(|least| least.id as usize);
            for (k, offset) in [(1, 0), (7, 1), (40, 3)] {
                // A start that is aligned to nothing.
                let keys: Vec<f32> = [0.0; 3][..offset].iter().chain(&case.keys).copied().collect();
                for mut top in all(k) {
                    top.push_block_within(5, &keys[offset..], Some(case.keep.view()), case.range);
                    assert_eq!(ids(&top.into_sorted()), case.rows(5, true, k), "{count} keys");
                }
                for version in VERSIONS {
                    let found = version.available().map(|loops| loops.argmin(&keys[offset..]));
                    assert!(found.is_none_or(|found| found == least), "{:?}: {found:?}, not {least:?}", version.isa);
                }
            }
        }
    }
}

#[test]
fn a_reservoir_has_a_bound_that_falls_and_is_exact_when_tightened() {
    let mut rng = Rng::new(26);
    for k in [1, 20, 32, 33, 100, 700] {
        let (mut top, mut sorted) = (TopK::new(k), Vec::new());
        let mut before = f32::INFINITY;
        for i in 0..2500 {
            let key = rng.below(2000) as f32;
            top.push(i, key);
            sorted.insert(sorted.partition_point(|other| *other < key), key);
            let now = top.threshold();
            let worst = sorted.get(k - 1).copied().unwrap_or(f32::INFINITY);
            assert!(now <= before && now >= worst, "{now} after {before}, true {worst}");
            assert!(k > 32 || now == worst, "exact while k is small");
            if i % 97 == 0 {
                assert_eq!((top.tighten(), top.threshold()), (worst, worst));
            }
            assert_eq!(top.len(), k.min(sorted.len()));
            before = now;
        }
    }
}

#[test]
fn memory_is_bounded_by_k() {
    let falling: Vec<f32> = (0..200_000).map(|i| -(i as f32)).collect();
    for k in [1, 32, 33, 1000, 10_000] {
        let mut top = TopK::new(k);
        top.push_block(0, &falling, None);
        assert!(top.entries.capacity() <= 4 * k + 2 * (SPARE + CHUNK), "{} for {k}", top.entries.capacity());
        assert_eq!(top.into_sorted().last().map(|n| n.id), Some(200_000 - k as u32));
    }
}

#[test]
fn equal_keys_in_order_do_not_pass_and_out_of_order_they_do() {
    for k in [1, 5, 50] {
        for mut top in all(k) {
            top.push_block(1000, &[2.0; 300], None);
            top.push_block(0, &[2.0; 300], None);
            top.push_block(2000, &[2.0; 300], None);
            let want: Vec<u32> = (0..k as u32).collect();
            assert_eq!(top.into_sorted().iter().map(|n| n.id).collect::<Vec<_>>(), want);
        }
        for (first, want) in [(0, 0), (9, 9), (10, 10), (11, 10)] {
            for mut top in all(k) {
                (10..10 + k as u32).for_each(|id| assert!(top.push(id, 2.0)));
                top.push_block_within(first, &[2.0], None, KeyRange { lower: 2.0, ..KeyRange::ALL });
                top.push_block(first, &[2.0], None);
                assert_eq!(top.into_sorted()[0].id, want);
            }
        }
        for mut top in all(k) {
            (0..k as u32).for_each(|_| assert!(top.push(10, 2.0)));
            top.push_block(9, &[2.0, 2.0], None);
            assert_eq!(top.into_sorted()[0].id, 9);
        }
        for infinite in [f32::INFINITY, f32::NEG_INFINITY] {
            for mut top in all(k) {
                top.push_block(9, &[infinite; 500], None);
                top.push_ids(0, &[3, 2], &[infinite; 2], KeyRange::ALL);
                let want: Vec<u32> = [2, 3].into_iter().chain(9..).take(k).collect();
                let found = top.into_sorted();
                assert!(found.iter().all(|n| n.key == infinite));
                assert_eq!(found.iter().map(|n| n.id).collect::<Vec<_>>(), want);
            }
        }
    }
}

#[test]
fn ranges_admit_in_blocks_what_they_contain() {
    let tiny = f32::from_bits(1);
    let points = [f32::NEG_INFINITY, f32::MIN, -1.0, -tiny, -0.0, 0.0, tiny, 1.0, f32::MAX, f32::INFINITY, f32::NAN];
    for lower in points {
        for upper in points {
            let range = KeyRange { lower, upper };
            let want: Vec<u32> = (0..11).filter(|i| range.contains(points[*i as usize])).collect();
            for k in [11, 40] {
                for mut top in all(k) {
                    top.push_block_within(0, &points, None, range);
                    let mut found: Vec<u32> = top.into_sorted().iter().map(|n| n.id).collect();
                    found.sort_unstable();
                    assert_eq!(found, want, "{range:?}");
                }
            }
        }
    }
    assert!(KeyRange::default().is_all() && !KeyRange { lower: 0.0, ..KeyRange::ALL }.is_all());
}

#[test]
fn both_ranges_admit_what_each_admits() {
    let points = [f32::NEG_INFINITY, -1.0, -0.0, 0.0, 1.0, f32::MAX, f32::INFINITY, f32::NAN];
    let range = |bits: usize| KeyRange { lower: points[bits % 8], upper: points[bits / 8] };
    for (a, b) in (0..64 * 64).map(|bits| (range(bits % 64), range(bits / 64))) {
        for key in points {
            let want = a.contains(key) && b.contains(key);
            assert_eq!(a.and(b).contains(key), want, "{a:?} and {b:?}: {key}");
        }
    }
}

#[test]
fn packing_keeps_the_order_and_both_parts() {
    let mut rng = Rng::new(27);
    let mut all: Vec<Neighbor> = [f32::NEG_INFINITY, f32::MIN, -1.0, -0.0, 0.0, 1.0, f32::MAX, f32::INFINITY]
        .iter()
        .flat_map(|key| [0, 1, u32::MAX].map(|id| Neighbor { key: *key, id }))
        .collect();
    let random = (0..200).map(|_| Neighbor { key: f32::from_bits(rng.next_u64() as u32), id: rng.next_u64() as u32 });
    all.extend(random.filter(|n| !n.key.is_nan()));
    for a in &all {
        let packed = pack(a.key, a.id);
        assert_eq!(unpack(packed), *a);
        for b in &all {
            assert_eq!(packed.cmp(&pack(b.key, b.id)), a.cmp(b), "{a:?} {b:?}");
        }
    }
}

#[test]
fn what_a_part_does_not_keep_is_not_merged() {
    let mut rng = Rng::new(28);
    for (mine, theirs) in [(500, 40), (40, 500), (500, 20), (2, 100), (0, 9), (9, 0)] {
        let keys: Vec<f32> = (0..400).map(|_| rng.below(150) as f32).collect();
        let neighbors: Vec<Neighbor> = keys.iter().zip(0..).map(|(key, id)| Neighbor { key: *key, id }).collect();
        let mut part = TopK::new(theirs);
        for n in &neighbors {
            part.push(n.id, n.key);
        }
        let mut whole = TopK::new(mine);
        whole.merge(&part);
        assert_eq!(ids(&whole.into_sorted()), ids(&sorted(sorted(neighbors, theirs), mine)));
    }
}

#[test]
fn instruction_sets_are_named_and_checked() {
    assert!(TopK::sets().any(|isa| isa.name() == TopK::new(3).isa()));
    for isa in crate::ISAS {
        let isa: &'static IsaInfo = isa;
        assert_eq!(TopK::on(isa, 3).is_ok(), isa.is_available());
    }
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
            assert!(k > 32 || top.threshold() == threshold);
            assert_eq!(top.tighten(), threshold);
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
    let past = std::panic::catch_unwind(|| TopK::new(2).push_ids(6, &[u32::MAX - 5], &[1.0], KeyRange::ALL));
    assert!(past.is_err());
    let short = std::panic::catch_unwind(|| TopK::new(2).push_ids(0, &[1, 2], &[1.0], KeyRange::ALL));
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
