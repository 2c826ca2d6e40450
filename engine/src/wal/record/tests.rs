//! Tests of the frame around a record.

use super::{HEADER_BYTES, Header, lsn_of};

#[test]
fn a_header_comes_back() {
    for (salt, lsn, position, payload) in
        [(0, 1, 0, &b""[..]), (7, 300, 299, b"payload"), (u32::MAX, u64::MAX, 5, b"x")]
    {
        let header = Header::of(salt, lsn, position, payload).unwrap();
        let bytes = header.encode(salt);
        assert_eq!(Header::decode(salt, &bytes), Some(header));
        assert_eq!((lsn_of(&bytes), header.group()), (lsn, lsn - u64::from(position)));
        assert!(header.matches(salt, payload));
        assert_eq!(Header::decode(salt ^ 1, &bytes), None, "another file's salt");
    }
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let header = Header::of(0x0102_0304, 0x1122_3344_5566_7788, 9, b"123456789").unwrap();
    let bytes = header.encode(0x0102_0304);
    assert_eq!(bytes[..4], [9, 0, 0, 0]);
    assert_eq!(bytes[8..20], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 9, 0, 0, 0]);
    let payload_crc = [&0x1122_3344_5566_7788_u64.to_le_bytes()[..], b"123456789"].concat();
    assert_eq!(bytes[4..8], crc32c::crc32c_append(0x0102_0304, &payload_crc).to_le_bytes());
    assert_eq!(bytes[20..], crc32c::crc32c_append(0x0102_0304, &bytes[..20]).to_le_bytes());
}

#[test]
fn every_flipped_bit_shows() {
    let payload = b"some payload".to_vec();
    let header = Header::of(5, 42, 3, &payload).unwrap();
    let bytes = header.encode(5);
    for bit in 0..HEADER_BYTES * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(5, &flipped), None, "bit {bit}");
    }
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!header.matches(5, &flipped), "bit {bit}");
    }
    assert!(!header.matches(5, &payload[1..]));
}

#[test]
fn zeros_are_no_header() {
    for salt in [0, 1, 77] {
        assert_eq!(Header::decode(salt, &[0; HEADER_BYTES]), None);
    }
}
