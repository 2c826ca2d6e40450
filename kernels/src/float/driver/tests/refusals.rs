//! Wrong shapes are refused, and hints take anything.
use crate::{dispatch::Kernel, metric::Metric, rows::Rows};

#[test]
fn prefetch_takes_any_id() {
    let base = Rows::new(&[1.0f32, 2.0, 3.0, 4.0], 2).unwrap();
    let kernel = Kernel::new(Metric::L2).unwrap();
    for id in [0, 1, 2, u32::MAX] {
        kernel.prefetch(base, id);
    }
}

#[test]
#[should_panic = "vectors of different dimension"]
fn pair_refuses_different_lengths() {
    Kernel::new(Metric::L2).unwrap().pair(&[1.0f32], &[1.0, 2.0]);
}

#[test]
#[should_panic = "query and rows of different dimension"]
fn rows_refuses_a_short_query() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().rows(&[1.0], base, &mut [0.0; 2]);
}

#[test]
#[should_panic = "one key for each row"]
fn rows_refuses_missing_room() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().rows(&[1.0, 1.0], base, &mut [0.0; 1]);
}

#[test]
#[should_panic = "row 2 of 2"]
fn gather_refuses_an_id_past_the_rows() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().gather(&[1.0, 1.0], base, &[0, 2, 1], &mut [0.0; 3]);
}

#[test]
#[should_panic = "one key for each id"]
fn gather_refuses_missing_room() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().gather(&[1.0, 1.0], base, &[0, 1], &mut [0.0; 1]);
}

#[test]
#[should_panic = "one key for each query and row"]
fn tile_refuses_missing_room() {
    let base = Rows::new(&[1.0f32; 4], 2).unwrap();
    Kernel::new(Metric::L2).unwrap().tile(base, base, &mut [0.0; 3]);
}
