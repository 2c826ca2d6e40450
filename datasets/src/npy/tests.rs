//! Arrays as NumPy writes them, and headers that it never would.

use super::*;
use crate::hostile::{change_any_bit, cut_anywhere, gzip, read as read_bytes, refusal};

fn file(header: &str, values: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn array(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    file(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}   \n"), values)
}

#[test]
fn each_element_type() {
    let cases: [(&str, &[u8], f32); 15] = [
        ("<f2", &[0x00, 0xbc], -1.0),
        (">f2", &[0xbc, 0x00], -1.0),
        ("<f4", &[0, 0, 0x80, 0x3f], 1.0),
        (">f4", &[0x3f, 0x80, 0, 0], 1.0),
        ("<f8", &[0, 0, 0, 0, 0, 0, 0, 0xc0], -2.0),
        ("|u1", &[255], 255.0),
        ("<u1", &[255], 255.0),
        ("|i1", &[255], -1.0),
        ("<i2", &[0xfe, 0xff], -2.0),
        (">i2", &[0xff, 0xfe], -2.0),
        ("<u4", &[0, 1, 0, 0], 256.0),
        ("<i4", &[0xff; 4], -1.0),
        (">i4", &[0, 0, 1, 0], 256.0),
        ("<i8", &[0xff; 8], -1.0),
        (">i8", &[0, 0, 0, 0, 0, 0, 1, 0], 256.0),
    ];
    for (descr, bytes, want) in cases {
        let values = read_bytes(&array(descr, "(1, 1)", bytes), read).unwrap();
        assert_eq!(values.into_f32().into_data(), [want], "{descr}");
    }
}

#[test]
fn shapes() {
    for (shape, rows, dim) in [("(6,)", 6, 1), ("(2, 3)", 2, 3), ("(3,2)", 3, 2), ("(1L, 2L, 3L)", 1, 6)] {
        let values = read_bytes(&array("|u1", shape, &[0; 6]), read).unwrap();
        assert_eq!((values.rows(), values.dim()), (rows, dim), "{shape}");
    }
    assert_eq!(read_bytes(&array("<f4", "(0, 7)", &[]), read).unwrap().rows(), 0);
}

#[test]
fn header_versions_and_spellings() {
    let header = "{\"shape\" : ( 2 , ) ,'fortran_order':True,\n\t'descr':\"|u1\"}";
    assert_eq!(read_bytes(&file(header, &[1, 2]), read).unwrap().into_f32().into_data(), [1.0, 2.0]);
    for major in [2, 3] {
        let mut bytes = vec![0x93];
        bytes.extend(b"NUMPY");
        bytes.extend([major, 0]);
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([1, 2]);
        assert_eq!(read_bytes(&bytes, read).unwrap().rows(), 2, "version {major}");
        assert_eq!(read_bytes(&gzip(&bytes), read).unwrap().rows(), 2, "version {major}, packed");
    }
    let text = refusal(b"\x93NUMPY\x04\x00\x00\x00", read);
    assert_eq!(text, "some.file at byte 8: format version 4.0 has no reader");
    let text = refusal(b"\x93NUMPY\x02\x00\xff\xff\xff\xff", read);
    assert_eq!(text, "some.file at byte 12: malformed, expected a header of at most 65536 bytes");
    assert!(refusal(b"\x93PUMPY\x01\x00", read).contains("expected \\x93NUMPY"));
}

#[test]
fn damage() {
    let bytes = array("<f4", "(2, 3)", &[0; 24]);
    cut_anywhere(&bytes, read, |_| false);
    change_any_bit(&bytes, read);
    let bytes = array("|u1", "(11, 2)", &[5; 22]);
    cut_anywhere(&bytes, read, |_| false);
    change_any_bit(&bytes, read);
}

#[test]
fn headers_off_the_grammar() {
    let cases = [
        ("", "{"),
        ("{", "a plain string"),
        ("{'descr'}", ":"),
        ("{'descr': '<f4', 'shape': (1,)}", "the key fortran_order"),
        ("{'descr': '<f4', 'fortran_order': False}", "the key shape"),
        ("{'fortran_order': False, 'shape': (1,)}", "the key descr"),
        ("{'descr': '<f4', 'descr': '<f4'}", "each of the keys"),
        ("{'other': 1}", "each of the keys"),
        ("{'fortran_order': 0}", "True or False"),
        ("{'shape': (-1,)}", "a number"),
        ("{'shape': (99999999999999999999,)}", "a number below 2^64"),
        ("{'shape': (1 2)}", ")"),
        ("{'shape': [1]}", "("),
        ("{'descr': [('a', '<f4')]}", "a plain string"),
        ("{'descr': 'a\\'b'}", "a plain string"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "nothing but space"),
        ("{'descr': '<f4' 'shape': (1,)}", "}"),
    ];
    for (header, want) in cases {
        let text = refusal(&file(header, &[0; 4]), read);
        assert!(text.contains(&format!("malformed, expected {want}")), "{header}: {text}");
    }
    // Nesting costs no stack, since nothing here nests.
    let text = refusal(&file(&"{'shape': (".repeat(5_000), &[]), read);
    assert!(text.contains("malformed"), "{text}");
}

#[test]
fn arrays_without_a_reader() {
    for descr in ["<c8", "|b1", "|S4", "=f4", "|f4", "<u2", "f4", "<", "", "<f16", "|O"] {
        let text = refusal(&array(descr, "(1,)", &[0; 8]), read);
        assert!(text.contains(&format!("element type '{descr}' has no reader")), "{text}");
    }
    let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }";
    assert!(refusal(&file(header, &[0; 16]), read).contains("column-major"));
    assert!(refusal(&array("<f4", "()", &[0; 4]), read).contains("without an axis"));
    let huge = u64::MAX;
    let text = refusal(&array("<f4", &format!("(2, {huge}, {huge})"), &[]), read);
    assert!(text.contains("do not fit in 64 bits"), "{text}");
    let text = refusal(&array("<f8", &format!("({huge}, 4)"), &[]), read);
    assert!(text.contains("do not fit in 64 bits"), "{text}");
    let text = refusal(&array("<f4", "(1000000000000, 4)", &[]), read);
    assert!(text.contains("promises 16000000000000 bytes"), "{text}");
}
