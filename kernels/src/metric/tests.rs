//! Names, the way between key and score, and cosines that are no angle.
use super::{METRICS, Metric};
use crate::{
    dispatch::Kernel,
    element::{Bf16, F16, Number},
    rows::Rows,
};

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

fn a_zero_vector_hides_no_nan<E: Number>() {
    for isa in Kernel::<E>::sets(Metric::Cosine).filter(|isa| !isa.is_available()) {
        println!("SKIPPED: cosine of {} on {} (needs {})", E::TYPE, isa.name(), isa.summary());
    }
    for kernel in Kernel::<E>::all(Metric::Cosine) {
        for dim in [1, 15, 64, 130] {
            let zero = vec![E::default(); dim];
            for (value, cosine) in [(f32::NAN, f32::NAN), (f32::INFINITY, f32::NAN), (1.0, 0.0), (-1.0, 0.0)] {
                let mut row = vec![E::from_f32(-2.0); dim];
                row[dim / 2] = E::from_f32(value);
                let same = |key: f32| key.to_bits() == cosine.to_bits() || (key.is_nan() && cosine.is_nan());
                let name = format!("{} of {} dim {dim}: {value}", kernel.isa(), E::TYPE);
                assert!(same(kernel.pair(&zero, &row)) && same(kernel.pair(&row, &zero)), "{name} pair");
                // As many rows as any block holds, and a rest.
                let base = row.repeat(19);
                let base = Rows::new(&base, dim).unwrap();
                let mut keys = [9.0; 19];
                kernel.rows(&zero, base, &mut keys);
                assert!(keys.iter().all(|key| same(*key)), "{name} rows {keys:?}");
                kernel.gather(&zero, base, &[3; 19], &mut keys);
                assert!(keys.iter().all(|key| same(*key)), "{name} gather {keys:?}");
                let (zeros, mut keys) = (zero.repeat(5), [9.0; 5 * 19]);
                kernel.tile(Rows::new(&zeros, dim).unwrap(), base, &mut keys);
                assert!(keys.iter().all(|key| same(*key)), "{name} tile {keys:?}");
            }
        }
    }
}

#[test]
fn the_cosine_of_a_zero_vector_and_nan_is_nan() {
    a_zero_vector_hides_no_nan::<f32>();
    a_zero_vector_hides_no_nan::<F16>();
    a_zero_vector_hides_no_nan::<Bf16>();
}

#[test]
fn the_stated_range_of_the_cosine_holds() {
    for kernel in Kernel::<f32>::all(Metric::Cosine) {
        let of = |size: f32| (kernel.pair(&[size, 0.0], &[1.0, 1.0]), kernel.norm(&[size, 0.0]));
        for size in [1.1e-19, 1.8e19] {
            let (key, norm) = of(size);
            assert!((key + 0.5f32.sqrt()).abs() < 1e-6 && (norm / size - 1.0).abs() < 1e-6, "{}", kernel.isa());
        }
        assert_eq!(of(1.9e19), (0.0, f32::INFINITY), "{}", kernel.isa());
        assert_eq!(of(1e-23), (0.0, 0.0), "{}", kernel.isa());
    }
}
