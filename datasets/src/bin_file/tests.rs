//! Reading of files with a two-number header, and what they may not promise.

use elanus_kernels::F16;

use super::*;
use crate::hostile::{change_any_bit, cut_anywhere, gzip, read as read_bytes, refusal};

fn file(rows: u32, dim: u32, values: &[u8]) -> Vec<u8> {
    [&rows.to_le_bytes()[..], &dim.to_le_bytes(), values].concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn each_element_type() {
    let bytes = file(2, 3, &floats(&[1.0, -2.5, 3.0, 4.0, 5.0, f32::MIN_POSITIVE]));
    let matrix = read::<f32>(&mut Input::bytes("a", &bytes).unwrap()).unwrap();
    assert_eq!((matrix.rows(), matrix.dim()), (2, 3));
    assert_eq!(matrix.row(1), [4.0, 5.0, f32::MIN_POSITIVE]);

    let values = read_bytes(&file(2, 2, &[0, 1, 254, 255]), read_values::<u8>).unwrap();
    assert_eq!(values.into_f32().into_data(), [0.0, 1.0, 254.0, 255.0]);
    let values = read_bytes(&file(1, 2, &[0x80, 0x7f]), read_values::<i8>).unwrap();
    assert_eq!(values.into_f32().into_data(), [-128.0, 127.0]);
    let values = read_bytes(&file(1, 2, &[0x00, 0x3c, 0x01, 0x80]), read_values::<F16>).unwrap();
    assert_eq!(values.into_f32().into_data(), [1.0, -(2.0_f32.powi(-24))]);
    let values = read_bytes(&file(1, 2, &[1, 0, 0, 0, 255, 255, 255, 255]), read_values::<i32>).unwrap();
    assert_eq!(values.into_f32().into_data(), [1.0, -1.0]);
}

#[test]
fn a_file_without_rows_is_whole() {
    let values = read_bytes(&file(0, 5, &[]), read_values::<f32>).unwrap();
    assert_eq!((values.rows(), values.dim()), (0, 5));
}

#[test]
fn damage() {
    let bytes = file(3, 4, &floats(&[0.5; 12]));
    cut_anywhere(&bytes, read_values::<f32>, |_| false);
    change_any_bit(&bytes, read_values::<f32>);
    let bytes = file(4, 3, &[7; 12]);
    cut_anywhere(&bytes, read_values::<u8>, |_| false);
    change_any_bit(&bytes, read_values::<u8>);
}

#[test]
fn promises_beyond_the_file() {
    let text = refusal(&file(u32::MAX, 65_536, &[0; 16]), read_values::<f32>);
    assert_eq!(
        text,
        "some.file at byte 8: the header promises 1125899906580480 bytes of rows, at most 16 can follow it"
    );
    // Packed bytes may promise what packing could have made of more, and then have to keep it.
    let text = refusal(&gzip(&file(100, 100, &[0; 16])), read_values::<u8>);
    assert_eq!(text, "some.file at byte 24: the file ends here, expected 9984 more bytes");
    let text = refusal(&gzip(&file(u32::MAX, 65_536, &[0; 16])), read_values::<u8>);
    assert!(text.contains("the header promises 281474976645120 bytes"), "{text}");
}

#[test]
fn dimensions_and_leftovers() {
    for dim in [0, 65_537, u32::MAX] {
        let text = refusal(&file(1, dim, &[0; 64]), read_values::<u8>);
        assert_eq!(text, format!("some.file at byte 8: expected a dimension of 1 to 65536, found {dim}"));
    }
    let text = refusal(&file(1, 4, &[0; 5]), read_values::<u8>);
    assert_eq!(text, "some.file at byte 12: expected the end of the file after the last row, found more bytes");
    assert!(refusal(&gzip(&file(1, 4, &[0; 5])), read_values::<u8>).contains("expected the end"));
}

#[test]
fn neighbours_written_are_neighbours_read() {
    let truth = Truth::from_ids(2, vec![5, 1, 0, 7, 3, 2]).unwrap();
    let bytes = encode_truth(&truth);
    let ids = read_bytes(&bytes, read_values::<i32>).unwrap().into_ids("t", 8).unwrap();
    assert_eq!((ids.rows(), ids.dim()), (3, 2));
    assert_eq!(ids.data(), truth.all_ids());
}
