//! Keys: lists, bytes, and broken bytes.

use super::*;
use crate::column::{Column, ColumnData};
use elanus_kernels::rng::Rng;

fn lists() -> [Keys; 4] {
    [
        Keys::Int(vec![]),
        Keys::Int(vec![i64::MIN, -1, 0, i64::MAX, -1]),
        Keys::Str(vec![]),
        Keys::Str(vec!["b".into(), "".into(), "\u{e9}t\u{e9}".into(), "b".into()]),
    ]
}

#[test]
fn lists_hold_one_type() {
    for keys in lists() {
        let mut copy = Keys::empty(keys.data_type()).unwrap();
        assert!(keys.iter().all(|key| copy.push(key)));
        assert_eq!(copy, keys);
        let other = if matches!(keys, Keys::Int(_)) { KeyRef::Str("1") } else { KeyRef::Int(1) };
        assert!(!copy.push(other));
        assert_eq!(copy.len(), keys.len());
        copy.sort_dedup();
        assert!(copy.iter().is_sorted_by(|a, b| a < b));
        assert_eq!(copy.len(), keys.len().saturating_sub(1));
    }
    assert_eq!(Keys::empty(DataType::Double), None);
}

#[test]
fn columns_become_lists() {
    let column = Column::full(ColumnData::Int64(vec![3, 1]));
    assert_eq!(Keys::from_column(column.view()), Some(Keys::Int(vec![3, 1])));
    let column = Column::full(ColumnData::VarChar(["x", "y"].into_iter().collect()));
    assert_eq!(Keys::from_column(column.view()), Some(Keys::Str(vec!["x".into(), "y".into()])));
    assert_eq!(Keys::from_column(Column::full(ColumnData::Int32(vec![1])).view()), None);
}

#[test]
fn bytes_come_back_and_broken_ones_do_not() {
    let mut rng = Rng::new(1);
    for keys in lists() {
        let mut bytes = Vec::new();
        keys.encode(&mut bytes);
        assert_eq!(Keys::decode(&bytes).as_ref(), Ok(&keys));
        for len in 0..bytes.len() {
            Keys::decode(&bytes[..len]).unwrap_err();
        }
        assert!(Keys::decode(&[&bytes[..], &[0]].concat()).unwrap_err().to_string().contains("1 bytes too many"));
        for _ in 0..2000 {
            let mut broken = bytes.clone();
            let place = rng.below(broken.len() as u64) as usize;
            broken[place] = rng.next_u64() as u8;
            if let Ok(other) = Keys::decode(&broken) {
                assert!(other.iter().count() == other.len());
            }
        }
    }
    let error = Keys::decode(&[5, 255, 255, 255, 255, 0]).unwrap_err();
    assert_eq!(error.to_string(), "keys, byte 5: 4294967295 items of 8 bytes are announced, 1 bytes are left");
    assert!(Keys::decode(&[11, 0, 0, 0, 0]).unwrap_err().to_string().contains("data type 11"));
    assert_eq!(Keys::decode(&[21, 1, 0, 0, 0, 1, 0, 0, 0, 0xff]).unwrap_err().fault, Fault::Utf8);
}
