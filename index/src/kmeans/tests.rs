//! Centres against a plain reference, and at the edges.

use elanus_kernels::rng::Rng;
use rayon::ThreadPoolBuilder;

use super::*;
use crate::{Cancel, no_progress};

fn train(means: KMeans, values: &[f32], dim: usize, threads: usize) -> Vec<f32> {
    let pool = (threads > 0).then(|| ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    let cancel = Cancel::new();
    let cx = BuildCx { pool: pool.as_ref(), seed: 0, cancel: &cancel, progress: &no_progress, device: None };
    means.train(Rows::new(values, dim).unwrap(), &cx).unwrap()
}

fn assigned(rows: Rows<'_, f32>, centres: Rows<'_, f32>) -> (Vec<u32>, Vec<f32>) {
    let cancel = Cancel::new();
    assign(rows, centres, &BuildCx { pool: None, seed: 0, cancel: &cancel, progress: &no_progress, device: None })
        .unwrap()
}

const PLAIN: KMeans = KMeans { k: 20, iterations: 12, seed: 3, spherical: false };

/// Rows around 20 places far apart.
fn islands(rows: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let places: Vec<f32> = (0..20 * dim).map(|_| 10.0 * rng.normal()).collect();
    (0..rows * dim).map(|i| places[i / dim % 20 * dim + i % dim] + 0.1 * rng.normal()).collect()
}

#[test]
fn rows_are_assigned_to_the_nearest_centre() {
    let mut rng = Rng::new(1);
    // Both ways to assign, whole lanes and not.
    for (dim, k) in [(1, 1), (2, 16), (3, 17), (8, 256), (7, 33), (40, 300)] {
        let values: Vec<f32> = (0..500 * dim).map(|_| rng.normal()).collect();
        let mut centres: Vec<f32> = (0..k * dim).map(|_| rng.normal()).collect();
        // An equal one later never wins.
        centres.copy_within(0..dim, (k - 1) * dim);
        let (rows, centres) = (Rows::new(&values, dim).unwrap(), Rows::new(&centres, dim).unwrap());
        let (nearest, keys) = assigned(rows, centres);
        for (i, row) in rows.iter().enumerate() {
            let key = |c: usize| row.iter().zip(centres.row(c)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            let best = (0..k).map(key).fold(f64::INFINITY, f64::min);
            assert!((key(nearest[i] as usize) - best).abs() <= 1e-5 * best.max(1.0), "{dim} {k} row {i}");
            assert!((f64::from(keys[i]) - best).abs() <= 1e-4 * best.max(1.0), "{dim} {k} row {i}");
            assert!(k == 1 || nearest[i] as usize != k - 1, "the later of two equal centres");
        }
    }
}

#[test]
fn islands_are_found() {
    for dim in [2, 30] {
        let values = islands(2000, dim, 5);
        let rows = Rows::new(&values, dim).unwrap();
        let error = |centres: &[f32]| assigned(rows, view(centres, dim)).1.iter().sum::<f32>() / 2000.0;
        let first = error(&train(KMeans { iterations: 0, ..PLAIN }, &values, dim, 0));
        let best = (0..4).map(|seed| error(&train(KMeans { seed, k: 40, ..PLAIN }, &values, dim, 0)));
        let best = best.fold(f32::INFINITY, f32::min);
        assert!(best < first / 20.0, "{dim}: {best} after {first}");
    }
}

#[test]
fn threads_do_not_show() {
    for (dim, k) in [(4, 16), (24, 300)] {
        let values = islands(9000, dim, 6);
        let means = KMeans { k, iterations: 4, ..PLAIN };
        let want = train(means, &values, dim, 0);
        for threads in [1, 2, 3] {
            assert_eq!(train(means, &values, dim, threads), want);
        }
        assert_ne!(train(KMeans { seed: 4, ..means }, &values, dim, 0), want);
    }
}

#[test]
fn spherical_centres_have_length_one() {
    let values = islands(1000, 12, 7);
    let centres = train(KMeans { k: 15, spherical: true, ..PLAIN }, &values, 12, 0);
    for centre in centres.chunks(12) {
        let length: f32 = centre.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

#[test]
fn hardly_any_rows_give_all_centres() {
    assert_eq!(train(PLAIN, &[], 3, 0), [0.0; 60]);
    let one = [1.0, f32::MAX, -0.5];
    assert_eq!(train(PLAIN, &one, 3, 0), one.repeat(20));
    let centres = train(PLAIN, &[1.0, 2.0, 1.0, 2.0, 7.0, 8.0], 2, 0);
    assert!(centres.chunks(2).all(|centre| centre == [1.0, 2.0] || centre == [7.0, 8.0]), "{centres:?}");
    assert!(train(KMeans { k: 0, ..PLAIN }, &one, 3, 0).is_empty());
}

#[test]
fn equal_rows_leave_equal_centres() {
    let values = [0.25, -1.0].repeat(3000);
    let centres = train(KMeans { k: 500, ..PLAIN }, &values, 2, 0);
    assert!(centres.chunks(2).all(|centre| centre == [0.25, -1.0]));
}

#[test]
fn a_crowd_is_split_among_the_empty() {
    // Nearly all rows are one; the first centres are too, and all but one of them are empty.
    let mut values = [0.0, 0.0].repeat(1000);
    let mut rng = Rng::new(9);
    values.extend((0..200).map(|_| 5.0 + rng.normal()));
    let rows = Rows::new(&values, 2).unwrap();
    let centres = train(KMeans { k: 32, iterations: 20, ..PLAIN }, &values, 2, 0);
    let (nearest, _) = assigned(rows, view(&centres, 2));
    let mut used = nearest;
    used.sort_unstable();
    used.dedup();
    assert!(used.len() > 16, "{} centres have rows", used.len());
}

#[test]
fn rows_that_are_not_finite_count_nowhere() {
    let mut values = islands(600, 6, 8);
    for (i, junk) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX].into_iter().enumerate() {
        values[60 * i + 2] = junk;
    }
    for k in [20, 700] {
        let centres = train(KMeans { k, ..PLAIN }, &values, 6, 0);
        assert!(centres.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn a_cancelled_training_ends() {
    let values = islands(100, 4, 1);
    let cancel = Cancel::new();
    cancel.cancel();
    let cx = BuildCx { pool: None, seed: 0, cancel: &cancel, progress: &no_progress, device: None };
    assert_eq!(PLAIN.train(Rows::new(&values, 4).unwrap(), &cx), Err(BuildError::Cancelled));
}

#[test]
fn samples_are_different_and_ascend() {
    for (of, count) in [(0, 5), (1, 1), (10, 3), (10, 10), (10, 20), (1000, 999)] {
        let ids = sample(of, count, 7);
        assert_eq!(ids.len(), count.min(of));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]) && ids.iter().all(|id| (*id as usize) < of));
    }
    assert_ne!(sample(1000, 10, 1), sample(1000, 10, 2));
}
