//! Scans against computing every key and sorting.
use super::{Keep, Scan, argmin, assign, dense};
use crate::{
    bitmap::Bitmap,
    dispatch::Kernel,
    element::{F16, Number},
    metric::Metric,
    rng::Rng,
    rows::Rows,
    topk::{KeyRange, Neighbor, TopK},
};

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

/// Values of few kinds, so that keys are often equal.
fn draw<E: Number>(rng: &mut Rng, count: usize) -> Vec<E> {
    (0..count).map(|_| E::from_f32(rng.below(5) as f32 - 2.0)).collect()
}

/// The keys of the rows that pass, sorted.
fn sorted(keys: &[f32], first: u32, range: KeyRange, mut keeps: impl FnMut(usize) -> bool) -> Vec<Neighbor> {
    let kept = (0..keys.len()).filter(|row| keeps(*row) && range.contains(keys[*row]));
    let mut all: Vec<Neighbor> = kept.map(|row| Neighbor { key: keys[row], id: first + row as u32 }).collect();
    all.sort();
    all
}

/// Runs a scan over all its steps.
fn run<E: Number>(scan: &Scan<'_, E>, query: &[E], k: usize) -> (Vec<Neighbor>, u64) {
    let mut top = TopK::new(k);
    let distances = scan.steps(1).map(|rows| scan.one(query, rows, &mut top)).sum();
    (top.into_sorted(), distances)
}

fn scans_are_sorted_keys<E: Number>(seed: u64) {
    let mut rng = Rng::new(seed);
    for (len, dim) in [(0, 3), (1, 1), (63, 2), (64, 9), (65, 300), (257, 5), (999, 19), (5000, 2)] {
        let (data, query) = (draw::<E>(&mut rng, len * dim), draw::<E>(&mut rng, dim));
        let rows = Rows::new(&data, dim).unwrap();
        for metric in METRICS {
            for kernel in Kernel::<E>::all(metric) {
                let mut keys = vec![0.0; len];
                kernel.rows(&query, rows, &mut keys);
                for (first, percent) in [(0, 100), (0, 40), (1, 99), (63, 70), (64, 25), (1000, 3), (77, 0)] {
                    let filter = Bitmap::from_fn(first + len + 5, |bit| bit * 31 % 100 < percent);
                    let present = Bitmap::from_fn(len, |bit| bit % 3 > 0);
                    let range = match (rng.below(2), sorted(&keys, 0, KeyRange::ALL, |_| true).as_slice()) {
                        (1, all @ [_, ..]) => KeyRange { lower: all[len / 9].key, upper: all[len / 2].key },
                        _ => KeyRange::ALL,
                    };
                    let scan = Scan::new(kernel, rows, first as u32).within(range);
                    let keep = Keep::new(filter.view(), first);
                    let both = keep.and(present.view(), 0);
                    let filtered = |row: usize| filter.get(first + row);
                    for (keep, count, want) in [
                        (Keep::ALL, len, sorted(&keys, first as u32, range, |_| true)),
                        (
                            keep,
                            (0..len).filter(|row| filtered(*row)).count(),
                            sorted(&keys, first as u32, range, filtered),
                        ),
                        (
                            both,
                            (0..len).filter(|row| filtered(*row) && present.get(*row)).count(),
                            sorted(&keys, first as u32, range, |row| filtered(row) && present.get(row)),
                        ),
                    ] {
                        let scan = scan.keep(keep);
                        assert_eq!(keep.count(len), count);
                        for k in [1, 12, 6000] {
                            let (found, distances) = run(&scan, &query, k);
                            assert_eq!(
                                found,
                                want[..want.len().min(k)],
                                "{metric} {} of {len}, {percent} %",
                                kernel.isa()
                            );
                            assert!(distances >= count as u64 && distances <= len as u64);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn scans_of_f32_are_sorted_keys() {
    scans_are_sorted_keys::<f32>(61);
}

#[test]
fn scans_of_f16_are_sorted_keys() {
    scans_are_sorted_keys::<F16>(62);
}

#[test]
fn many_queries_answer_as_each_alone() {
    let mut rng = Rng::new(63);
    let (len, dim) = (1300, 7);
    let data = draw::<f32>(&mut rng, len * dim);
    let rows = Rows::new(&data, dim).unwrap();
    for query_count in [0, 1, 2, 15, 16, 17, 40] {
        let queries = draw::<f32>(&mut rng, query_count * dim);
        let queries = Rows::new(&queries, dim).unwrap();
        for metric in METRICS {
            for percent in [None, Some(0), Some(10), Some(30), Some(99)] {
                let filter = Bitmap::from_fn(2000, |bit| bit * 31 % 100 < percent.unwrap_or(0));
                let keep = percent.map_or(Keep::ALL, |_| Keep::new(filter.view(), 100));
                for range in [KeyRange::ALL, KeyRange { lower: -1.0, upper: 5.0 }] {
                    let scan = Scan::new(Kernel::new(metric).unwrap(), rows, 100).keep(keep).within(range);
                    let mut outs = vec![TopK::new(12); query_count];
                    let mut distances = 0;
                    for rows in scan.steps(query_count) {
                        distances += scan.many(queries, rows, &mut outs);
                    }
                    assert!(distances <= (len * query_count) as u64);
                    for (query, out) in queries.iter().zip(outs) {
                        assert_eq!(out.into_sorted(), run(&scan, query, 12).0, "{metric}, {percent:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn steps_are_the_rows_in_order_and_words_without_rows_cost_nothing() {
    let data = vec![1.0f32; 300_000];
    let rows = Rows::new(&data, 1).unwrap();
    let kernel = Kernel::new(Metric::L2).unwrap();
    let (none, few) = (Bitmap::new(300_000), Bitmap::from_fn(300_000, |bit| bit / 64 == 3));
    for keep in [Keep::ALL, Keep::new(none.view(), 0), Keep::new(few.view(), 0)] {
        let scan = Scan::new(kernel, rows, 0).keep(keep);
        for queries in [0, 1, 3, 1000] {
            let mut at = 0;
            for step in scan.steps(queries) {
                assert!(step.start == at && step.end > at && step.len() <= 1 << 16);
                assert!(!keep.is_all() || step.len() <= 4096);
                at = step.end;
            }
            assert_eq!(at, rows.len());
        }
        let want = if keep.is_all() { rows.len() } else { keep.count(rows.len()) };
        assert_eq!(run(&scan, &[0.0], 5).1, want as u64);
    }
    assert_eq!(Scan::new(kernel, Rows::new(&[], 4).unwrap(), 7).steps(1).count(), 0);
}

#[test]
fn any_range_of_rows_may_be_scanned() {
    let mut rng = Rng::new(64);
    let data = draw::<f32>(&mut rng, 700);
    let (rows, kernel) = (Rows::new(&data, 1).unwrap(), Kernel::new(Metric::L2).unwrap());
    let filter = Bitmap::from_fn(1000, |bit| bit % 64 > 20 || bit % 7 == 0);
    let mut keys = vec![0.0; 700];
    kernel.rows(&[0.5], rows, &mut keys);
    for keep in [Keep::ALL, Keep::new(filter.view(), 33)] {
        let scan = Scan::new(kernel, rows, u32::MAX - 699).keep(keep);
        for (start, end) in [(0, 700), (5, 5), (700, 700), (1, 64), (63, 130), (300, 699)] {
            let (mut top, mut tops) = (TopK::new(400), vec![TopK::new(400); 2]);
            scan.one(&[0.5], start..end, &mut top);
            scan.many(Rows::new(&[0.5, 0.5], 1).unwrap(), start..end, &mut tops);
            let keeps = |row: usize| row >= start && row < end && (keep.is_all() || filter.get(33 + row));
            let mut want = sorted(&keys, u32::MAX - 699, KeyRange::ALL, keeps);
            want.truncate(400);
            assert_eq!(top.into_sorted(), want);
            for top in tops {
                assert_eq!(top.into_sorted(), want);
            }
        }
    }
}

#[test]
fn the_nearest_is_the_first_of_the_sorted() {
    let mut rng = Rng::new(65);
    for (len, dim) in [(0, 4), (1, 4), (300, 3), (1000, 1)] {
        let data = draw::<f32>(&mut rng, len * dim);
        let rows = Rows::new(&data, dim).unwrap();
        for metric in METRICS {
            let kernel = Kernel::new(metric).unwrap();
            let query = draw::<f32>(&mut rng, dim);
            let mut keys = vec![0.0; len];
            kernel.rows(&query, rows, &mut keys);
            assert_eq!(argmin(&kernel, &query, rows), sorted(&keys, 0, KeyRange::ALL, |_| true).first().copied());
        }
    }
    let odd = [f32::NAN, f32::INFINITY, f32::NAN, f32::INFINITY];
    let kernel = Kernel::new(Metric::L2).unwrap();
    let least = argmin(&kernel, &[0.0], Rows::new(&odd, 1).unwrap());
    assert_eq!(least, Some(Neighbor { key: f32::INFINITY, id: 1 }));
    assert_eq!(argmin(&kernel, &[f32::NAN], Rows::new(&odd, 1).unwrap()), None);
}

#[test]
fn rows_are_assigned_to_their_nearest_centroid() {
    let mut rng = Rng::new(66);
    // The largest takes several blocks of centroids and several groups of rows.
    for (len, count, dim) in [(0, 0, 3), (1, 1, 3), (17, 300, 5), (50, 2, 1), (700, 90, 1000)] {
        let (data, centroids) = (draw::<f32>(&mut rng, len * dim), draw::<f32>(&mut rng, count * dim));
        let (rows, centroids) = (Rows::new(&data, dim).unwrap(), Rows::new(&centroids, dim).unwrap());
        for metric in METRICS {
            let kernel = Kernel::new(metric).unwrap();
            let (mut nearest, mut keys) = (vec![9; len], vec![9.0; len]);
            assign(&kernel, rows, centroids, &mut nearest, &mut keys);
            for (row, (at, key)) in rows.iter().zip(nearest.iter().zip(keys)) {
                assert_eq!(Some(Neighbor { key, id: *at }), argmin(&kernel, row, centroids), "{metric}");
            }
        }
    }
    let kernel = Kernel::new(Metric::L2).unwrap();
    let (mut nearest, mut keys) = ([7; 3], [7.0; 3]);
    let (rows, centroids) = ([f32::NAN, f32::INFINITY, 2.0], [f32::NAN, 1.0, f32::NAN, 3.0]);
    let (rows, centroids) = (Rows::new(&rows, 1).unwrap(), Rows::new(&centroids, 1).unwrap());
    assign(&kernel, rows, centroids, &mut nearest, &mut keys);
    assert_eq!(nearest, [0, 1, 1]);
    assert!(keys[0].is_nan() && keys[1] == f32::INFINITY && keys[2] == 1.0);
}

#[test]
fn misuse_is_refused() {
    let data = [1.0f32; 12];
    let (rows, kernel) = (Rows::new(&data, 2).unwrap(), Kernel::new(Metric::L2).unwrap());
    let bits = Bitmap::full(6);
    let refused = |run: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err();
    let scan = Scan::new(kernel, rows, 0);
    let id = |first: u32| refused(&|| assert!(Scan::new(kernel, rows, first).range.is_all()));
    assert!(id(u32::MAX - 4) && !id(u32::MAX - 5));
    assert!(refused(&|| assert!(scan.keep(Keep::new(bits.view(), 1)).range.is_all())));
    assert!(refused(&|| assert!(Keep::ALL.and(bits.view(), 0).count(7) > 0)));
    let two = Keep::new(bits.view(), 0).and(bits.view(), 0);
    assert!(refused(&|| assert!(two.and(bits.view(), 0).is_all())));
    let one = |query: &[f32], end: usize| refused(&|| assert!(scan.one(query, 0..end, &mut TopK::new(1)) < 9));
    assert!(one(&[1.0], 0) && one(&[1.0; 2], 7) && !one(&[1.0; 2], 6));
    assert!(refused(&|| assert!(scan.many(rows, 0..6, &mut [TopK::new(1)]) > 0)));
    assert!(refused(&|| assign(&kernel, rows, Rows::new(&[], 2).unwrap(), &mut [0; 6], &mut [0.0; 6])));
    assert!(refused(&|| assign(&kernel, rows, rows, &mut [0; 5], &mut [0.0; 6])));
    assert!(refused(&|| assign(&kernel, rows, rows, &mut [0; 6], &mut [0.0; 5])));
}

#[test]
fn filters_and_ranges_given_twice_both_hold() {
    let data: Vec<f32> = (0..600).map(|i| (i % 100) as f32).collect();
    let (rows, kernel) = (Rows::new(&data, 1).unwrap(), Kernel::new(Metric::L2).unwrap());
    let (threes, fives) = (Bitmap::from_fn(601, |bit| bit % 3 == 0), Bitmap::from_fn(600, |bit| bit % 5 == 0));
    let mut keys = vec![0.0; 600];
    kernel.rows(&[0.0], rows, &mut keys);
    let (near, far) = (KeyRange { lower: 4.0, upper: 2500.0 }, KeyRange { lower: 100.0, upper: f32::INFINITY });
    let [threes, fives] = [Keep::new(threes.view(), 1), Keep::new(fives.view(), 0)];
    let want = sorted(&keys, 0, KeyRange { lower: 100.0, upper: 2500.0 }, |row| (row + 1) % 3 == 0 && row % 5 == 0);
    assert!(want.len() > 5);
    let scan = Scan::new(kernel, rows, 0);
    for scan in [
        scan.keep(threes).keep(fives).within(near).within(far),
        scan.within(far).keep(fives).keep(Keep::ALL).within(near).keep(threes),
        scan.keep(Keep::ALL).keep(fives).keep(threes).within(KeyRange::ALL).within(near).within(far),
    ] {
        assert_eq!(run(&scan, &[0.0], 600).0, want);
    }
    let full = scan.keep(threes).keep(fives);
    assert_eq!(run(&full.keep(Keep::ALL), &[0.0], 600), run(&full, &[0.0], 600));
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| full.keep(threes).range.is_all()));
    assert!(refused.is_err(), "there is no room for a third bitmap");
}

#[test]
#[should_panic(expected = "a bit for the row")]
fn a_filter_far_along_has_no_bit_for_a_row_past_its_end() {
    let bits = Bitmap::full(64);
    // The sum of both would come back to bit 3.
    assert!(Keep::new(bits.view(), usize::MAX - 4).has(8));
}

#[test]
fn longer_rows_are_read_in_order_at_a_higher_density() {
    let marks: Vec<u32> = [1, 100, 127, 128, 256, 512, 100_000].map(dense).to_vec();
    assert!(marks.is_sorted() && marks.iter().all(|mark| (1..=64).contains(mark)));
}
