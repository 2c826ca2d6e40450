//! Names, and the way between key and score.
use super::{METRICS, Metric};

#[test]
fn names_are_found_in_any_case() {
    for metric in METRICS {
        assert_eq!(Metric::parse(metric.name()), Some(*metric));
        assert_eq!(Metric::parse(&metric.name().to_lowercase()), Some(*metric));
        assert_eq!(metric.to_string(), metric.name());
    }
    for unknown in ["", "L3", "L2 ", "cos", "JACCARD "] {
        assert_eq!(Metric::parse(unknown), None);
    }
}

#[test]
fn scores_and_keys_undo_each_other() {
    for metric in METRICS {
        for value in [0.0f32, 1.5, -0.25, 1e30, f32::INFINITY] {
            assert_eq!(metric.score(metric.key(value)).to_bits(), value.to_bits());
        }
        // A smaller key is a nearer vector: the larger score, where larger is better.
        assert_eq!(metric.score(1.0) > metric.score(2.0), metric.larger_is_better());
    }
    assert_eq!(Metric::L2.score(2.0), 2.0);
    assert_eq!((Metric::Ip.score(2.0), Metric::Cosine.score(-0.5)), (-2.0, 0.5));
}
