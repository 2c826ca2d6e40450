//! Every IDX element type, flattening of axes, and headers that overflow.

use super::*;
use crate::hostile::{change_any_bit, cut_anywhere, read as read_bytes, refusal};

fn file(code: u8, sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

#[test]
fn each_element_type() {
    let cases: [(u8, &[u8], f32); 6] = [
        (0x08, &[200], 200.0),
        (0x09, &[200], -56.0),
        (0x0b, &[0xff, 0xfe], -2.0),
        (0x0c, &[0, 0, 1, 0], 256.0),
        (0x0d, &[0x3f, 0x80, 0, 0], 1.0),
        (0x0e, &[0xc0, 0, 0, 0, 0, 0, 0, 0], -2.0),
    ];
    for (code, bytes, want) in cases {
        let values = read_bytes(&file(code, &[1], bytes), read).unwrap();
        assert_eq!((values.rows(), values.dim()), (1, 1));
        assert_eq!(values.into_f32().into_data(), [want], "code {code:02x}");
    }
}

#[test]
fn axes_after_the_first_are_flattened() {
    let values = read_bytes(&file(8, &[2, 3, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), read).unwrap();
    assert_eq!((values.rows(), values.dim()), (2, 6));
    assert_eq!(values.into_f32().row(1), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
}

#[test]
fn damage() {
    let bytes = file(8, &[3, 2, 2], &[9; 12]);
    cut_anywhere(&bytes, read, |_| false);
    change_any_bit(&bytes, read);
    let bytes = file(0x0d, &[2, 2], &[0; 16]);
    cut_anywhere(&bytes, read, |_| false);
    change_any_bit(&bytes, read);
}

#[test]
fn headers_that_cannot_be() {
    for magic in [[1, 0, 8, 1], [0, 1, 8, 1], [0, 0, 8, 0], [0, 0, 8, 9]] {
        let text = refusal(&magic, read);
        assert!(text.contains("expected two zero bytes, a type code and 1 to 8 axes"), "{text}");
    }
    let text = refusal(&file(0x0a, &[1], &[0]), read);
    assert!(text.starts_with("some.file at byte 8: element type 0a has no reader"), "{text}");
    let text = refusal(&file(8, &[1, u32::MAX, u32::MAX, u32::MAX], &[]), read);
    assert_eq!(text, "some.file at byte 20: 18446744065119617025 rows of 4294967295 values do not fit in 64 bits");
    let text = refusal(&file(8, &[1, 0, 5], &[]), read);
    assert!(text.contains("expected a dimension of 1 to 65536, found 0"), "{text}");
    let text = refusal(&file(8, &[u32::MAX, 100], &[0; 8]), read);
    assert!(text.contains("promises 429496729500 bytes of rows, at most 8"), "{text}");
}

#[test]
fn images_written_are_images_read() {
    let images = Matrix::new(4, vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    assert_eq!(read_bytes(&encode_images(&images, 2), read).unwrap(), Values::U8(images));
}
