//! Rotations of any dimension, seed and values: one result on every instruction set, norms and products kept.
#![no_main]
use elanus_fuzz::{Source, all_same, product};
use elanus_kernels::codes::rotate::{Rotation, padded};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let (dim, seed) = (1 + source.mostly_below(500, 5000), source.u64());
    let ((a, a_tame), (b, b_tame)) = (source.values(dim), source.values(dim));
    let mut first: Option<(Vec<f32>, Vec<f32>)> = None;
    for rotation in Rotation::all(dim, seed) {
        assert_eq!((rotation.dim(), rotation.padded(), rotation.seed()), (dim, padded(dim), seed));
        let (mut x, mut y) = (vec![f32::NAN; padded(dim)], vec![f32::NAN; padded(dim)]);
        rotation.apply(&a, &mut x);
        rotation.apply(&b, &mut y);
        if let Some((one, other)) = &first {
            assert!(all_same(one, &x) && all_same(other, &y), "{} differs", rotation.isa());
        } else {
            if a_tame {
                check(&rotation, &a, &x);
            }
            if a_tame && b_tame {
                let (want, got) = (product(&a, &b), product(&x, &y));
                let scale = (product(&a, &a) * product(&b, &b)).sqrt();
                assert!((want - got).abs() <= bound(dim) * scale, "product {want} becomes {got}");
            }
            first = Some((x, y));
        }
    }
});

/// The relative error that [`Rotation::apply`] states.
fn bound(dim: usize) -> f64 {
    (padded(dim) as f64).log2() / f64::from(1 << 22)
}

fn check(rotation: &Rotation, from: &[f32], rotated: &[f32]) {
    let (want, got) = (product(from, from).sqrt(), product(rotated, rotated).sqrt());
    assert!((want - got).abs() <= bound(from.len()) * want, "norm {want} becomes {got}");
    let mut back = vec![f32::NAN; from.len()];
    rotation.invert(&mut rotated.to_vec(), &mut back);
    let off: f64 = from.iter().zip(&back).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    assert!(off.sqrt() <= 3.0 * bound(from.len()) * want, "off by {} of {want} on the way back", off.sqrt());
}
