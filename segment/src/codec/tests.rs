//! Batches to bytes and back, and broken bytes.

use super::*;
use crate::sample;
use elanus_kernels::rng::Rng;

#[test]
fn batches_come_back() {
    let mut rng = Rng::new(5);
    for key in [DataType::Int64, DataType::VarChar] {
        let schema = sample::schema(key);
        for rows in [0, 1, 63, 64, 65, 300] {
            let keys: Vec<i64> = (0..rows).collect();
            let batch = sample::batch(&schema, &keys, &mut rng);
            let mut bytes = vec![7];
            encode(&batch, &mut bytes);
            assert_eq!(decode(&bytes[1..], &schema).as_ref(), Ok(&batch), "{rows} rows");
        }
    }
}

#[test]
fn broken_bytes_are_errors_with_a_name() {
    let schema = sample::schema(DataType::VarChar);
    let mut bytes = Vec::new();
    encode(&sample::batch(&schema, &[1, 2, 3], &mut Rng::new(6)), &mut bytes);
    let mut named = std::collections::BTreeSet::new();
    for len in 0..bytes.len() {
        let error = decode(&bytes[..len], &schema).unwrap_err();
        assert!(error.offset <= len);
        named.insert(error.what);
    }
    let mut want: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).chain(["batch"]).collect();
    want.sort_unstable();
    assert!(named.iter().eq(&want), "{named:?}");
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[place] ^= 1 << bit;
            if let Ok(batch) = decode(&broken, &schema) {
                assert_eq!(batch.len(), 3);
            }
        }
    }
    let mut rng = Rng::new(7);
    for _ in 0..3000 {
        let noise: Vec<u8> = (0..rng.below(60)).map(|_| rng.next_u64() as u8).collect();
        decode(&noise, &schema).unwrap_err();
    }
}

#[test]
fn what_is_wrong_is_said() {
    let schema = sample::schema(DataType::Int64);
    let mut bytes = Vec::new();
    encode(&sample::batch(&schema, &[1, 2, 3], &mut Rng::new(6)), &mut bytes);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        decode(&bytes, &schema).unwrap_err().to_string()
    };
    assert!(with(&|bytes| bytes[0] = 2).contains("encoding version 2, this build reads 1"));
    assert!(with(&|bytes| bytes[1..5].fill(255)).contains("flag, byte"));
    assert!(with(&|bytes| bytes[5] = 3).contains("3 columns for 12 fields"));
    assert!(with(&|bytes| bytes[7] = 2).starts_with("flag, byte 8: data type 2"));
    assert!(with(&|bytes| bytes[8] = 9).contains("dim 9"));
    assert!(with(&|bytes| bytes[12] = 2).contains("flag 2 has no meaning"));
    assert!(with(&|bytes| bytes.push(0)).contains("batch, byte") && with(&|bytes| bytes.push(0)).contains("too many"));
}
