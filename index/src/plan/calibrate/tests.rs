//! The truth is that of a plain comparison, and widths follow from what was found.

use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, Kernel};

use super::*;
use crate::no_progress;

fn cx(cancel: &Cancel) -> BuildCx<'_> {
    BuildCx { pool: None, seed: 1, cancel, progress: &no_progress, device: None }
}

#[test]
fn the_truth_is_exact_and_leaves_out_the_row_itself() {
    let (dim, len) = (5, 5000);
    let mut rng = Rng::new(3);
    let values: Vec<f32> = (0..len * dim).map(|_| rng.normal()).collect();
    let rows = Rows::new(&values, dim).unwrap();
    let usable = Bitmap::from_fn(len, |row| row % 3 != 1);
    let samples = [0, 2, 17, 4998];
    let write = |row: usize, to: &mut [f32]| to.copy_from_slice(rows.row(row));
    let truth = |cancel: &Cancel| Truth::of((&samples, len, dim), Metric::L2, usable.view(), write, cancel).unwrap();
    let cancelled = Cancel::new();
    cancelled.cancel();
    assert!(truth(&cancelled).is_none());
    let kernel = Kernel::<f32>::new(Metric::L2).unwrap();
    for (own, nearest) in samples.iter().zip(truth(&Cancel::new()).unwrap().nearest) {
        let mut all: Vec<(f32, u32)> = usable
            .iter_ones()
            .filter(|id| id != &(*own as usize))
            .map(|id| (kernel.pair(rows.row(*own as usize), rows.row(id)), id as u32))
            .collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert!(nearest.iter().eq(all[..100].iter().map(|(_, id)| id)));
    }
    let none = Truth::of((&[], 0, dim), Metric::L2, Bitmap::new(0).view(), write, &Cancel::new());
    assert!(none.unwrap().unwrap().nearest.is_empty());
}

#[test]
fn a_width_is_the_least_that_keeps_the_promise() {
    let truth = Truth { nearest: vec![(0..100).collect(); 20] };
    // Of each ten wanted one is found for every ten of width.
    let search = |_: usize, width: usize, count: usize, _: &mut Scratch, found: &mut Vec<u32>| {
        found.extend((0..count as u32).filter(|id| (*id as usize % 10) < width / 10));
    };
    let calibration = Calibration::measure(&truth, search, &cx(&Cancel::new())).unwrap();
    assert!(calibration.recalls.iter().all(|recalls| recalls.is_sorted()));
    assert_eq!(calibration.width(0.5, 10), Some(56));
    assert_eq!(calibration.width(0.5, 1), Some(56));
    assert_eq!(calibration.width(1.0, 100), Some(112));
    assert_eq!(calibration.width(1.0, 200), Some(224));
    assert_eq!(calibration.width(0.5, 55), Some(84));
    assert_eq!(calibration.width(1.1, 10), None);
    let cancelled = Cancel::new();
    cancelled.cancel();
    assert!(Calibration::measure(&truth, search, &cx(&cancelled)).is_none());
}

#[test]
fn an_uneven_sample_counts_for_less() {
    assert_eq!(sure(&[0.5; 4]), 0.5);
    assert!(sure(&[0.0, 1.0, 0.0, 1.0]) < 0.3);
    assert_eq!(sure(&[]), 0.0);
}
