//! Shapes that hold, shapes that do not, and the untyped views.
use super::{AnyRows, Rows, ShapeError, Vector};
use crate::{
    dispatch::Kernel,
    element::{ElementType, F16},
    metric::Metric,
    scan::{Scan, assign},
};

#[test]
fn rows_are_cut_from_the_data() {
    let data: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let rows = Rows::new(&data, 3).unwrap();
    assert_eq!((rows.len(), rows.dim(), rows.is_empty()), (4, 3, false));
    assert_eq!(rows.row(2), [6.0, 7.0, 8.0]);
    assert_eq!(rows.data(), data);
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), [0.0, 3.0, 6.0, 9.0]);
    let part = rows.slice(1..3);
    assert_eq!((part.len(), part.row(0), part.row(1)), (2, rows.row(1), rows.row(2)));
    assert_eq!(rows.slice(4..4).len(), 0);
    assert!(Rows::new(&data[..0], 3).unwrap().is_empty());
}

#[test]
fn bad_shapes_are_refused_with_their_numbers() {
    assert_eq!(Rows::new(&[1.0f32], 0).unwrap_err(), ShapeError::ZeroDim);
    assert_eq!(Rows::new(&[0.0f32; 7], 3).unwrap_err(), ShapeError::Ragged { len: 7, dim: 3 });
    assert_eq!(ShapeError::Ragged { len: 7, dim: 3 }.to_string(), "7 values are not whole rows of dimension 3");
    assert_eq!(ShapeError::ZeroDim.to_string(), "dimension 0 where at least 1 is needed");
}

#[test]
fn rows_that_no_memory_holds_are_refused_even_where_there_are_none() {
    const MOST: usize = isize::MAX as usize;
    let none = |dim: usize| Rows::<f32>::new(&[], dim).map(|rows| rows.dim());
    for dim in [MOST / 4 + 1, 1 << (usize::BITS - 2), 1 << (usize::BITS - 1), usize::MAX] {
        assert_eq!(none(dim), Err(ShapeError::TooWide { dim }));
    }
    assert_eq!(none(MOST / 4), Ok(MOST / 4));
    assert_eq!(Rows::<u8>::new(&[], MOST).map(|rows| rows.dim()), Ok(MOST));
    assert!(Rows::<u8>::new(&[], MOST + 1).is_err());
    let text = ShapeError::TooWide { dim: 1 << 62 }.to_string();
    assert_eq!(text, "a row of dimension 4611686018427387904 is larger than any memory");
    // The widest rows there can be: nothing to compare, and nothing wraps on the way.
    let (kernel, rows) = (Kernel::new(Metric::L2).unwrap(), Rows::<f32>::new(&[], MOST / 4).unwrap());
    kernel.tile(rows, rows, &mut []);
    assign(&kernel, rows, rows, &mut [], &mut []);
    assert_eq!(Scan::new(kernel, rows, 0).steps(1).count(), 0);
}

#[test]
#[should_panic = "row 2 of 2"]
fn a_row_past_the_end_is_refused() {
    Rows::new(&[1.0f32; 4], 2).unwrap().row(2);
}

#[test]
#[should_panic = "rows 1..3 of 2"]
fn a_slice_past_the_end_is_refused() {
    Rows::new(&[1.0f32; 4], 2).unwrap().slice(1..3);
}

#[test]
fn untyped_views_know_their_type() {
    let (singles, halves) = ([1.0f32, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0].map(F16::from_f32));
    let f32_rows = AnyRows::from(Rows::new(&singles, 2).unwrap());
    let f16_rows = AnyRows::from(Rows::new(&halves, 3).unwrap());
    assert_eq!((f32_rows.element(), f32_rows.len(), f32_rows.dim()), (ElementType::F32, 2, 2));
    assert_eq!((f16_rows.element(), f16_rows.len(), f16_rows.dim()), (ElementType::F16, 1, 3));
    assert!(!f16_rows.is_empty() && f16_rows.slice(0..0).is_empty());
    assert_eq!(f32_rows.row(1), Vector::F32(&[3.0, 4.0]));
    assert_eq!(f32_rows.slice(1..2).row(0), f32_rows.row(1));
    assert_eq!(f16_rows.row(0), Vector::from(&halves[..]));
    assert_eq!((f16_rows.row(0).element(), f16_rows.row(0).dim()), (ElementType::F16, 3));
    assert_eq!(f32_rows.row(0).element(), ElementType::F32);
    assert!(f32_rows.typed::<F16>().is_none() && f16_rows.typed::<f32>().is_none());
    assert_eq!(f32_rows.typed::<f32>().unwrap().row(0), [1.0, 2.0]);
    assert_eq!(f16_rows.typed::<F16>().unwrap().row(0), halves);
    assert_eq!(f32_rows.row(0).typed::<f32>(), Some(&singles[..2]));
    assert_eq!(f32_rows.row(0).typed::<F16>(), None);
    assert_eq!(f16_rows.row(0).typed::<F16>(), Some(&halves[..]));
    assert_eq!(f16_rows.row(0).typed::<f32>(), None);
}
