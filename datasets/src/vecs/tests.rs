//! Rows that each say their length, and lengths that lie.

use super::*;
use crate::hostile::{change_any_bit, cut_anywhere, gzip, read as read_bytes, refusal};

fn file<const N: usize>(dim: i32, rows: &[[u8; N]]) -> Vec<u8> {
    rows.iter().flat_map(|row| dim.to_le_bytes().into_iter().chain(*row)).collect()
}

#[test]
fn each_element_type() {
    let bytes = file(3, &[[1, 2, 3], [4, 5, 255]]);
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let values = read_bytes(&bytes, read_values::<u8>).unwrap();
        assert_eq!((values.rows(), values.dim()), (2, 3));
        assert_eq!(values.into_f32().into_data(), [1.0, 2.0, 3.0, 4.0, 5.0, 255.0]);
    }
    let values = read_bytes(&file(1, &[1.5_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()]), read_values::<f32>).unwrap();
    assert_eq!(values.into_f32().into_data(), [1.5, -2.0]);
    let values = read_bytes(&file(1, &[7_i32.to_le_bytes(), 9_i32.to_le_bytes()]), read_values::<i32>).unwrap();
    assert_eq!(values.into_ids("t", 10).unwrap().into_data(), [7, 9]);
}

#[test]
fn damage() {
    let bytes = file(3, &[[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
    // A cut between rows leaves a shorter file, which nothing in the format can tell.
    cut_anywhere(&bytes, read_values::<u8>, |len| len > 0 && len % 7 == 0);
    change_any_bit(&bytes, read_values::<u8>);
    let bytes = file(2, &[[0; 8]; 3]);
    cut_anywhere(&bytes, read_values::<f32>, |len| len > 0 && len % 12 == 0);
    change_any_bit(&bytes, read_values::<f32>);
}

#[test]
fn lengths_that_cannot_be() {
    assert_eq!(refusal(&[], read_values::<f32>), "some.file at byte 0: the file ends here, expected 4 more bytes");
    for dim in [-1, 0, i32::MIN, i32::MAX, 65_537] {
        let text = refusal(&file(dim, &[[0; 8]]), read_values::<u8>);
        assert_eq!(text, format!("some.file at byte 4: expected a dimension of 1 to 65536, found {dim}"));
    }
    let text = refusal(&file(65_536, &[[0; 8]]), read_values::<f32>);
    assert_eq!(text, "some.file at byte 4: the header promises 262144 bytes of rows, at most 8 can follow it");
}

#[test]
fn rows_of_different_length() {
    for (dim, shown) in [(3, "3"), (-2, "-2"), (1, "1")] {
        let bytes = [file(2, &[[1, 2], [3, 4]]), file(dim, &[[5, 6]])].concat();
        let text = refusal(&bytes, read_values::<u8>);
        assert_eq!(text, format!("some.file at byte 16: row 2 has {shown} values, expected 2 as in row 0"));
    }
}
