//! Conversion of stored numbers into vectors, row numbers and labels.

use super::*;

#[test]
fn shape() {
    let matrix = Matrix::new(2, vec![1, 2, 3, 4]).unwrap();
    assert_eq!((matrix.rows(), matrix.dim(), matrix.row(1)), (2, 2, &[3, 4][..]));
    assert_eq!(Matrix::new(0, Vec::<u8>::new()), None);
    assert_eq!(Matrix::new(3, vec![0; 4]), None);
}

#[test]
fn byte_orders() {
    assert_eq!(f32::from_bytes(&1.5_f32.to_be_bytes(), ByteOrder::Big), 1.5);
    assert_eq!(f32::from_bytes(&1.5_f32.to_le_bytes(), ByteOrder::Little), 1.5);
    assert_eq!(i64::from_bytes(&[0, 0, 0, 0, 0, 0, 1, 2], ByteOrder::Big), 258);
    assert_eq!(i16::from_bytes(&[2, 1], ByteOrder::Little), 258);
}

#[test]
fn ids_are_whole_and_in_range() {
    let ids = |values: Values| values.into_ids("t", 10).map(Matrix::into_data).map_err(|error| error.to_string());
    assert_eq!(ids(i64::wrap(Matrix::from_parts(2, vec![0, 9]))), Ok(vec![0, 9]));
    assert_eq!(ids(u8::wrap(Matrix::from_parts(1, vec![3, 4]))), Ok(vec![3, 4]));
    for (row, value) in [(0, -1_i64), (1, 10), (2, i64::MAX), (1, 1 << 32)] {
        let mut values = vec![0; 3];
        values[row] = value;
        assert_eq!(
            ids(i64::wrap(Matrix::from_parts(1, values))),
            Err(format!("t: row {row} holds the row number {value}, expected 0 to below 10"))
        );
    }
    let text = ids(f32::wrap(Matrix::from_parts(1, vec![1.0]))).unwrap_err();
    assert!(text.contains("row numbers have to be stored as whole numbers"), "{text}");
}

#[test]
fn labels_are_whole_and_single() {
    assert_eq!(i8::wrap(Matrix::from_parts(1, vec![-3, 4])).into_labels("t").unwrap(), [-3, 4]);
    assert_eq!(i64::wrap(Matrix::from_parts(1, vec![i64::MIN])).into_labels("t").unwrap(), [i64::MIN]);
    let text = u8::wrap(Matrix::from_parts(2, vec![0; 4])).into_labels("t").unwrap_err().to_string();
    assert!(text.contains("one number a row"), "{text}");
    let text = f64::wrap(Matrix::from_parts(1, vec![0.0])).into_labels("t").unwrap_err().to_string();
    assert!(text.contains("whole numbers"), "{text}");
}

#[test]
fn every_type_becomes_the_nearest_f32() {
    let one = |values: Values| values.into_f32().into_data()[0];
    assert_eq!(one(F16::wrap(Matrix::from_parts(1, vec![F16(0x3555)]))), 0.33325195);
    assert_eq!(one(f64::wrap(Matrix::from_parts(1, vec![0.1]))), 0.1_f32);
    assert_eq!(one(u32::wrap(Matrix::from_parts(1, vec![(1 << 24) + 1]))), 16_777_216.0);
    assert_eq!(one(f64::wrap(Matrix::from_parts(1, vec![1e300]))), f32::INFINITY);
}
