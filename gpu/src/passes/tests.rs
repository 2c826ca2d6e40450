//! The passes find what a sort finds, on a device that is made of vectors, whatever the order of the rows.
use super::{Batch, Found, Pass, Task};
use elanus_kernels::backend::{BackendError, pack, unpack};
use elanus_kernels::rng::Rng;
use elanus_kernels::{KeyRange, TopK};

#[derive(Default, Clone)]
struct Query {
    lower: u64,
    upper: u64,
    bound: u64,
    candidates: Vec<u64>,
    overflowed: bool,
}

struct Simulated {
    keys: Vec<Vec<f32>>,
    keep: Vec<bool>,
    capacity: usize,
    queries: Vec<Query>,
    passes: usize,
    offered: usize,
    confused: bool,
}

impl Batch for Simulated {
    fn begin(&mut self, lower: &[u64], upper: &[u64]) -> Result<(), BackendError> {
        let bounds = lower.iter().zip(upper);
        self.queries =
            bounds.map(|(&lower, &upper)| Query { lower, upper, bound: upper, ..Query::default() }).collect();
        Ok(())
    }

    fn pass(&mut self, pass: &Pass, k: usize) -> Result<(), BackendError> {
        self.passes += 1;
        for (query, keys) in self.queries.iter_mut().zip(&self.keys) {
            for i in 0..pass.count {
                let row = pass.first + i * pass.stride;
                let packed = pack(keys[row as usize], row);
                if !self.keep[row as usize] || packed < query.lower || packed >= query.bound {
                    continue;
                }
                self.offered += 1;
                if query.candidates.len() == self.capacity {
                    query.overflowed |= !pass.sample;
                } else {
                    query.candidates.push(packed);
                }
            }
            query.candidates.sort_unstable();
            query.candidates.truncate(k);
            if query.candidates.len() == k {
                query.bound = query.candidates[k - 1] + u64::from(pass.sample);
            }
            if pass.sample {
                query.candidates.clear();
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Found>, BackendError> {
        let found = self.queries.iter().map(|query| Found {
            neighbors: query.candidates.iter().map(|one| unpack(*one)).collect(),
            last: if query.bound < query.upper { query.bound } else { query.upper },
            overflowed: query.overflowed || self.confused,
        });
        Ok(found.collect())
    }
}

fn check(keys: Vec<Vec<f32>>, keep: Vec<bool>, k: usize, range: KeyRange, capacity: usize) -> Simulated {
    let kept = keep.iter().filter(|one| **one).count() as u32;
    let rows = keep.len() as u32;
    let task = Task { rows, kept, k, slack: 0, range, margin: 0.0, capacity, round_k: capacity / 4 };
    let mut device = Simulated { keys, keep, capacity, queries: Vec::new(), passes: 0, offered: 0, confused: false };
    let mut out: Vec<TopK> = device.keys.iter().map(|_| TopK::new(k)).collect();
    task.run(&mut device, &mut out).unwrap();
    for (keys, out) in device.keys.iter().zip(out) {
        let mut want = TopK::new(k);
        for (row, key) in keys.iter().enumerate().filter(|(row, key)| device.keep[*row] && range.contains(**key)) {
            want.push(row as u32, *key);
        }
        assert_eq!(out.into_sorted(), want.into_sorted(), "{rows} rows, k = {k}, {range:?}");
    }
    device
}

fn random(seed: u64, queries: usize, rows: usize) -> Vec<Vec<f32>> {
    let mut rng = Rng::new(seed);
    (0..queries).map(|_| (0..rows).map(|_| rng.normal()).collect()).collect()
}

#[test]
fn random_rows_take_few_passes() {
    for (rows, k) in [(0, 3), (1, 1), (1, 5), (255, 10), (256, 1), (257, 10), (40_000, 1), (40_000, 10), (40_000, 63)] {
        let device = check(random(rows as u64, 3, rows), vec![true; rows], k, KeyRange::ALL, 256);
        assert!(device.passes <= 8, "{rows} rows, k = {k}: {} passes", device.passes);
    }
}

#[test]
fn a_k_beyond_a_round_takes_several() {
    for k in [64, 65, 128, 500, 3_000, 5_000] {
        check(random(7, 2, 3_000), vec![true; 3_000], k, KeyRange::ALL, 256);
    }
}

#[test]
fn the_order_of_the_rows_does_not_matter() {
    let falling: Vec<f32> = (0..20_000).map(|row| -(row as f32)).collect();
    let rising: Vec<f32> = (0..20_000).map(|row| row as f32).collect();
    let equal = vec![1.5; 20_000];
    // Rows that a sample of any stride misses.
    let hidden: Vec<f32> =
        (0..20_000).map(|row| if (9_000..13_000).contains(&row) { -(row as f32) } else { 1.0 }).collect();
    for keys in [falling, rising, equal, hidden] {
        for k in [1, 10, 60] {
            check(vec![keys.clone()], vec![true; 20_000], k, KeyRange::ALL, 256);
        }
    }
}

#[test]
fn an_unlucky_sample_ends_in_steps_that_fit() {
    // All rows that the sample sees are far, all others nearer than the ones before.
    let rows = 30_000;
    let task = Task { rows, kept: rows, k: 10, slack: 0, range: KeyRange::ALL, margin: 0.0, capacity: 64, round_k: 16 };
    let strides: Vec<u32> = task.passes(10).iter().filter(|pass| pass.sample).map(|pass| pass.stride).collect();
    assert!(!strides.is_empty());
    let seen = |row: u32| strides.iter().any(|stride| row.is_multiple_of(*stride));
    let keys = (0..rows).map(|row| if seen(row) { 1e9 } else { -(row as f32) }).collect();
    check(vec![keys], vec![true; rows as usize], 10, KeyRange::ALL, 64);
}

#[test]
fn filters_ranges_and_unnumbered_keys_are_kept_to() {
    let mut keys = random(9, 2, 10_000);
    keys[0][17] = f32::NAN;
    keys[1][18] = f32::INFINITY;
    let thin: Vec<bool> = (0..10_000).map(|row| row % 97 == 3).collect();
    let clumped: Vec<bool> = (0..10_000).map(|row| (4_000..4_900).contains(&row)).collect();
    let none = vec![false; 10_000];
    for keep in [thin, clumped, none, vec![true; 10_000]] {
        for range in
            [KeyRange::ALL, KeyRange { lower: -1.0, upper: 0.5 }, KeyRange { lower: 2.0, upper: f32::INFINITY }]
        {
            check(keys.clone(), keep.clone(), 20, range, 256);
        }
    }
}

#[test]
fn a_device_that_always_says_it_was_too_much_is_given_up() {
    let task =
        Task { rows: 500, kept: 500, k: 3, slack: 0, range: KeyRange::ALL, margin: 0.0, capacity: 64, round_k: 16 };
    let (keys, keep) = (random(3, 1, 500), vec![true; 500]);
    let mut device = Simulated { keys, keep, capacity: 64, queries: Vec::new(), passes: 0, offered: 0, confused: true };
    let mut out = [TopK::new(3)];
    assert!(matches!(task.run(&mut device, &mut out), Err(BackendError::Failed { .. })));
    assert!(out[0].is_empty());
}
