//! Percentiles and medians are those of the samples.

use super::*;

#[test]
fn percentiles_are_samples() {
    let sorted: Vec<Duration> = (1..=100).map(Duration::from_micros).collect();
    assert_eq!([50, 95, 99].map(|p| percentile(&sorted, p).round()), [50.0, 95.0, 99.0]);
    assert_eq!(percentile(&sorted[..1], 99).round(), 1.0);
    assert_eq!(percentile(&[], 50), 0.0);
}

#[test]
fn a_summary_takes_the_median_round() {
    let round = |millis| Round {
        wall: Duration::from_millis(millis),
        latencies: vec![Duration::from_millis(millis); 10],
        recall: 0.5,
        stats: Stats { hops: 20, distances: 40 },
    };
    let point = summary("ef=1", 1, &[round(100), round(10), round(1000)]);
    assert_eq!(point.qps.round(), 100.0);
    assert_eq!((point.hops, point.distances, point.recall), (2.0, 4.0, 0.5));
}
