//! The recipes' shapes, spread and fixed streams.

use std::num::NonZeroUsize;

use super::*;

/// A sum that any changed bit changes, to pin a stream.
fn print(values: &[f32]) -> u64 {
    values.iter().fold(0, |sum, value| (sum ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3).rotate_left(7))
}

#[test]
fn uniform_values() {
    let values = uniform(1_000, 10, 7);
    assert_eq!(values.len(), 10_000);
    assert!(values.iter().all(|value| (0.0..1.0).contains(value)));
    let mean = values.iter().sum::<f32>() / 10_000.0;
    assert!((mean - 0.5).abs() < 0.02, "mean {mean}");
    assert_ne!(values, uniform(1_000, 10, 8));
}

#[test]
fn rows_lie_around_their_centre() {
    let clusters = Clusters::draw(5, 64, 0.1, 1);
    let (data, labels) = clusters.rows(500, 2);
    assert_eq!((clusters.count(), data.len(), labels.len()), (5, 500 * 64, 500));
    for (row, &label) in data.chunks_exact(64).zip(&labels) {
        let distance = |centre: &[f32]| row.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let nearest = clusters.centres.chunks_exact(64).map(distance).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        let (nearest, distance) = nearest.unwrap();
        assert_eq!(nearest as i64, label);
        // 64 squares with a mean of 0.01 each.
        assert!((0.1..2.0).contains(&distance), "squared distance {distance}");
    }
    let mut counts = [0; 5];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    assert!(counts.iter().all(|count| (50..150).contains(count)), "{counts:?}");
}

#[test]
fn the_streams_are_fixed() {
    let clusters = Clusters::draw(10, 7, 0.5, 1);
    assert_eq!(print(&uniform(100, 7, 2)), GOLDEN_UNIFORM);
    assert_eq!(print(&clusters.rows(100, 2).0), GOLDEN_CLUSTERED);
    let (longer, _) = clusters.rows(200, 2);
    assert_eq!(longer[..700], clusters.rows(100, 2).0, "more rows continue the same stream");
}

#[test]
fn groups_on_the_sphere() {
    let latent = Latent::draw(50, 100, 1);
    let one = NonZeroUsize::MIN;
    let (data, labels) = latent.rows(2_500, 2, one);
    assert_eq!((latent.groups(), data.len(), labels.len()), (50, 250_000, 2_500));
    for row in data.chunks_exact(100) {
        let square: f32 = row.iter().map(|value| value * value).sum();
        assert!((square - 1.0).abs() < 1e-5, "length {}", square.sqrt());
    }
    let mut counts = [0; 50];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    // Shares of sqrt(1 / 50) and of 1 - sqrt(49 / 50).
    assert!((280..430).contains(&counts[0]) && (5..60).contains(&counts[49]), "{counts:?}");
    // Rows of one group are nearer to each other than to others.
    let mean = |same: bool| {
        let pairs = (0..2_499).filter(|&i| (labels[i] == labels[i + 1]) == same);
        let products = pairs.map(|i| {
            let (a, b) = (&data[i * 100..(i + 1) * 100], &data[(i + 1) * 100..(i + 2) * 100]);
            a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
        });
        let products: Vec<f32> = products.collect();
        products.iter().sum::<f32>() / products.len() as f32
    };
    assert!(mean(true) > mean(false) + 0.3, "{} and {}", mean(true), mean(false));
}

#[test]
fn threads_and_more_rows_change_nothing() {
    let latent = Latent::draw(20, 64, 1);
    let want = latent.rows(5_000, 2, NonZeroUsize::MIN);
    for threads in [2, 3, 64] {
        assert!(latent.rows(5_000, 2, NonZeroUsize::new(threads).unwrap()) == want, "{threads} threads");
    }
    let (fewer, _) = latent.rows(1_500, 2, NonZeroUsize::MIN);
    assert_eq!(fewer, want.0[..1_500 * 64]);
    assert_eq!(latent.rows(0, 2, NonZeroUsize::MIN), (Vec::new(), Vec::new()));
    assert_eq!(print(&fewer), GOLDEN_LATENT);
}

#[test]
fn the_map_keeps_lengths() {
    let latent = Latent::draw(1, 70, 3);
    for (i, a) in latent.map_rows().enumerate() {
        for (j, b) in latent.map_rows().enumerate() {
            let product: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            assert!((product - f32::from(u8::from(i == j))).abs() < 1e-5, "{i} {j}: {product}");
        }
    }
}

const GOLDEN_LATENT: u64 = 4_928_450_438_581_711_804;
const GOLDEN_UNIFORM: u64 = 7_731_733_871_148_081_252;
const GOLDEN_CLUSTERED: u64 = 1_555_076_125_866_100_414;
