//! Estimates over many rotations: without bias, and outside of their bounds as rarely as is stated.
use super::{codec, distance_sq, dot, normals};
use crate::{
    Metric,
    codes::{
        rabitq::{Encoder, Estimator, Fit, Query},
        rotate::Rotation,
    },
    rng::Rng,
};

struct Outcome {
    /// Mean and deviation of the estimates' errors, in units of the tier's bound.
    mean: f64,
    deviation: f64,
    /// Shares of true keys below the lower bound, and outside of both.
    below: f64,
    outside: f64,
}

/// Two tiers' outcomes over `tries` rotations of one set of a vector, a query and a centre, correlated as near
/// neighbours are when `near` is near 1.
fn outcomes(metric: Metric, dim: usize, bits: u8, query_bits: u8, near: f32, tries: u64) -> [Outcome; 2] {
    let mut rng = Rng::new(0x5eed ^ dim as u64);
    let codec = codec(metric, crate::codes::rotate::padded(dim), bits);
    let estimator = Estimator::new().unwrap();
    let encoder = Encoder::new(codec, Fit::Fast);
    let (mut record, mut refine) = (vec![0; codec.record_bytes()], vec![0; codec.refine_bytes()]);
    let mut all = [const { Vec::new() }; 2];
    let mut outside = [[0.0; 2]; 2];
    for seed in 0..tries {
        let c = normals(dim, &mut rng);
        let r = normals(dim, &mut rng);
        let noise = normals(dim, &mut rng);
        let o: Vec<f32> = c.iter().zip(&r).map(|(c, r)| c + r).collect();
        let q: Vec<f32> = (0..dim).map(|i| c[i] + near * r[i] + (1.0 - near * near).sqrt() * noise[i]).collect();
        let truth = if metric == Metric::L2 { distance_sq(&o, &q) } else { -dot(&o, &q) };
        let rotation = Rotation::new(dim, seed).unwrap();
        let rotate = |v: &[f32]| {
            let mut to = vec![0.0; rotation.padded()];
            rotation.apply(v, &mut to);
            to
        };
        encoder.encode(&rotate(&r), &rotate(&c), 0, &mut record, &mut refine);
        let mut query = Query::with(codec, query_bits, 1.9);
        query.prepare(&rotate(&q));
        let terms = [query.term(distance_sq(&q, &c) as f32, dot(&q, &c) as f32)];
        let tier0 = codec.records(&record, record.len());
        let tier1 = codec.refinements(&refine, refine.len());
        let (mut keys, mut errors) = ([0.0; 2], [0.0; 2]);
        estimator.rows(&query, tier0, &terms, &mut keys[..1], &mut errors[..1]);
        estimator.refine(&query, tier0, tier1, &[0], &terms, &mut keys[1..], &mut errors[1..]);
        for tier in 0..2 {
            let error = (f64::from(keys[tier]) - truth) / f64::from(errors[tier]);
            all[tier].push(error);
            outside[tier][0] += f64::from(u8::from(error > 1.0)) / tries as f64;
            outside[tier][1] += f64::from(u8::from(error.abs() > 1.0)) / tries as f64;
        }
    }
    [0, 1].map(|tier| {
        let mean = all[tier].iter().sum::<f64>() / tries as f64;
        let square = all[tier].iter().map(|e| (e - mean).powi(2)).sum::<f64>() / tries as f64;
        Outcome { mean, deviation: square.sqrt(), below: outside[tier][0], outside: outside[tier][1] }
    })
}

/// Four standard errors of a share of `p` among `tries`, and a little for distributions that are not normal.
fn share(p: f64, tries: u64) -> f64 {
    p + 4.0 * (p * (1.0 - p) / tries as f64).sqrt() + 0.004
}

#[test]
fn estimates_have_no_bias_and_bounds_hold() {
    let tries = 1500;
    for (metric, dim, bits, query_bits, near) in [
        (Metric::L2, 96, 4, 4, 0.0),
        (Metric::L2, 128, 8, 4, 0.8),
        (Metric::Ip, 200, 4, 4, 0.0),
        (Metric::Ip, 256, 8, 2, 0.5),
        (Metric::L2, 384, 2, 8, 0.9),
        (Metric::Cosine, 128, 5, 3, 0.0),
    ] {
        let tiers = outcomes(metric, dim, bits, query_bits, near, tries);
        for (tier, found) in tiers.into_iter().enumerate() {
            let Outcome { mean, deviation, below, outside } = found;
            let at = format!("{metric} {dim} {bits} {query_bits} {near}, tier {tier}");
            println!("{at}: mean {mean:.4} deviation {deviation:.4} below {below:.4} outside {outside:.4}");
            assert!(mean.abs() < 4.0 * deviation / (tries as f64).sqrt(), "{at}: biased by {mean}");
            assert!(below <= share(0.029, tries), "{at}: {below} below the lower bound");
            assert!(outside <= share(0.057, tries), "{at}: {outside} outside of the bounds");
            // The bounds are not loose either: 1 / 1.9 where query and vector are unrelated.
            if near == 0.0 {
                assert!((0.42..0.56).contains(&deviation), "{at}: deviation {deviation}");
            }
        }
    }
}
