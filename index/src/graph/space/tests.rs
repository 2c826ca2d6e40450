//! Distances in the space are in the order of the metric's keys.

use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, Binary, Kernel, Metric, Rows, U4};

use super::*;

/// The nearest rows to row 0 in the space.
fn order(space: &Shaped<'_>, from: &[f32]) -> Vec<u32> {
    let mut buffer = Vec::new();
    let mut distance = |row: u32| -> f64 {
        let vector = space.vector(row, &mut buffer);
        vector.iter().zip(from).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum()
    };
    let mut keyed: Vec<(f64, u32)> = (0..space.len() as u32).map(|row| (distance(row), row)).collect();
    keyed.sort_by(|a, b| a.partial_cmp(b).unwrap());
    keyed.into_iter().map(|(_, row)| row).collect()
}

#[test]
fn distances_are_in_the_order_of_keys() {
    let mut rng = Rng::new(5);
    let values: Vec<f32> = (0..40 * 7).map(|_| rng.normal()).collect();
    let rows = Rows::new(&values, 7).unwrap();
    for metric in [Metric::L2, Metric::Cosine, Metric::Ip] {
        let space = Shaped::new(metric, rows.into(), 0..40);
        // The query of an inner product has no added component.
        let mut query = rows.row(0).to_vec();
        if metric == Metric::Cosine {
            unit(&mut query);
        }
        query.resize(space.dim(), 0.0);
        let kernel = Kernel::<f32>::new(metric).unwrap();
        let mut want: Vec<u32> = (0..40).collect();
        let key = |row: u32| kernel.pair(rows.row(0), rows.row(row as usize));
        want.sort_by(|a, b| key(*a).total_cmp(&key(*b)));
        assert_eq!(order(&space, &query), want, "{metric}");
        assert_eq!(space.plain().is_some(), metric == Metric::L2);
        assert_eq!(space.is_level(), metric == Metric::Ip);
    }
}

#[test]
fn added_components_make_one_length() {
    let rows = Rows::new(&[3.0f32, 4.0, 0.0, 0.0, 0.6, 0.8], 2).unwrap();
    let space = Shaped::new(Metric::Ip, rows.into(), [0, 1, 2].into_iter());
    let mut buffer = Vec::new();
    for row in 0..3 {
        let square: f32 = space.vector(row, &mut buffer).iter().map(|value| value * value).sum();
        assert!((square - 25.0).abs() < 1e-4, "{square}");
    }
    // Rows left out do not count.
    let space = Shaped::new(Metric::Ip, rows.into(), [1, 2].into_iter());
    assert!((space.vector(1, &mut buffer)[2] - 1.0).abs() < 1e-6);
}

#[test]
fn bits_and_half_bytes_are_spread() {
    let bits = [Binary(0b0000_0101), Binary(0b1000_0000), Binary(0), Binary(0)];
    let rows = AnyRows::Binary(Rows::new(&bits, 2).unwrap());
    let mut buffer = Vec::new();
    let space = Shaped::new(Metric::Hamming, rows, 0..2);
    assert_eq!(space.dim(), 16);
    let mut want = [0.0; 16];
    (want[0], want[2], want[15]) = (1.0, 1.0, 1.0);
    assert_eq!(space.vector(0, &mut buffer), want);
    let space = Shaped::new(Metric::Jaccard, rows, 0..2);
    assert!((space.vector(0, &mut buffer)[2] - 3.0f32.sqrt().recip()).abs() < 1e-6);
    assert_eq!(space.vector(1, &mut buffer), [0.0; 16]);
    let space = Shaped::new(Metric::L2, AnyRows::U4(Rows::new(&[U4(0x2f)], 1).unwrap()), 0..1);
    assert_eq!(space.vector(0, &mut buffer), [15.0, 2.0]);
    let space = Shaped::new(Metric::L2, AnyRows::I8(Rows::new(&[-3i8, 7], 2).unwrap()), 0..1);
    assert_eq!(space.vector(0, &mut buffer), [-3.0, 7.0]);
}
