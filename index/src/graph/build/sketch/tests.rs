//! Bytes are taken where they tell near nodes apart, and only there.

use elanus_kernels::rng::Rng;

use super::*;
use crate::graph::space::Shaped;
use crate::{BuildCx, Cancel, no_progress};

fn with<R>(values: &[f32], dim: usize, metric: Metric, job: impl FnOnce(Points<'_>, &Crew<'_>) -> R) -> R {
    let rows = Rows::new(values, dim).unwrap();
    let ids: Vec<u32> = (0..rows.len() as u32).collect();
    let space = Shaped::new(metric, rows.into(), ids.iter().copied());
    let cancel = Cancel::new();
    let cx = BuildCx { pool: None, seed: 0, cancel: &cancel, progress: &no_progress, device: None };
    job(Points { space: &space, rows: &ids }, &Crew::new(&cx, 1))
}

fn normal(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| rng.normal()).collect()
}

#[test]
fn keys_of_bytes_are_nearly_those_of_the_vectors() {
    for (dim, metric) in [(5, Metric::L2), (48, Metric::Cosine), (64, Metric::L2), (100, Metric::L2)] {
        let values = normal(300 * dim, dim as u64);
        with(&values, dim, metric, |points, crew| {
            let (bytes, floats) = (bytes(points, crew).unwrap().unwrap(), floats(points, crew).unwrap());
            assert_eq!((bytes.len(), floats.len()), (300, 300));
            assert!(bytes.rows().data().as_ptr().addr().is_multiple_of(LINE));
            let keys = |a: usize, b: usize| {
                let rounded = bytes.kernel().pair(bytes.rows().row(a), bytes.rows().row(b));
                (f64::from(rounded), f64::from(floats.kernel().pair(floats.rows().row(a), floats.rows().row(b))))
            };
            let (one, exact) = keys(0, 1);
            let scale = exact / one;
            let off = |node| {
                let (rounded, exact) = keys(node - 1, node);
                (rounded * scale / exact - 1.0).abs()
            };
            let mut offs: Vec<f64> = (2..300).map(off).collect();
            offs.sort_unstable_by(f64::total_cmp);
            assert!(offs[280] < 0.05, "{metric:?} {dim}: {offs:?}");
        });
    }
}

#[test]
fn vectors_with_a_component_for_inner_products_stay_as_they_are() {
    with(&normal(300 * 16, 3), 16, Metric::Ip, |points, crew| assert!(bytes(points, crew).unwrap().is_none()));
}

#[test]
fn a_few_large_components_are_cut_or_held() {
    // One in a thousand rows has one of them: cut, they are no matter to the others.
    let mut values = normal(2000 * 64, 1);
    values[64 * 77] = 1000.0;
    with(&values, 64, Metric::L2, |points, crew| assert!(bytes(points, crew).unwrap().is_some()));
    // Zeros, and ones so rare that the usual range does not hold them.
    let ones: Vec<f32> = (0..2000 * 512).map(|i| if i % 512 * 7 % 2000 == i / 512 { 1.0 } else { 0.0 }).collect();
    with(&ones, 512, Metric::L2, |points, crew| {
        let sketch = bytes(points, crew).unwrap().unwrap();
        assert_eq!(sketch.rows().data().iter().filter(|value| **value > 100).count(), 512);
    });
}

#[test]
fn vectors_too_different_in_size_stay_as_they_are() {
    let mut values = normal(1000 * 8, 2);
    values.chunks_mut(8).skip(1).step_by(2).for_each(|row| row.iter_mut().for_each(|value| *value *= 1e6));
    with(&values, 8, Metric::L2, |points, crew| {
        assert!(bytes(points, crew).unwrap().is_none());
        let floats = floats(points, crew).unwrap();
        assert!(floats.rows().data() == values);
        let mut own = Vec::new();
        assert_eq!(floats.gather(&[3, 1], &mut own).row(1), &values[8..16]);
    });
    for value in [0.0, 3e38] {
        let values = [value, -value, value, value, value, value];
        with(&values, 2, Metric::L2, |points, crew| assert!(bytes(points, crew).unwrap().is_none()));
    }
}
