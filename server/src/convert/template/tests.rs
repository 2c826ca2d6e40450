//! Template values keep their types, and what cannot be one is named.

use super::{ArrayData, TemplateArrayValue, TemplateValue, Val, WireValue, templates};
use crate::proto::schema::{JsonArray, LongArray, TemplateArrayValueArray};
use std::collections::HashMap;

fn one(val: Option<Val>) -> Result<TemplateValue, String> {
    let from = HashMap::from([("t".to_owned(), WireValue { val })]);
    let converted = templates(from).map_err(|failure| failure.reason().to_owned())?;
    Ok(converted.get("t").unwrap().clone())
}

fn list(data: ArrayData) -> Option<Val> {
    Some(Val::ArrayVal(TemplateArrayValue { data: Some(data) }))
}

#[test]
fn scalars_and_arrays() {
    assert_eq!(one(Some(Val::Int64Val(7))), Ok(TemplateValue::Int(7)));
    assert_eq!(one(Some(Val::FloatVal(0.5))), Ok(TemplateValue::Float(0.5)));
    let numbers = list(ArrayData::LongData(LongArray { data: vec![1, i64::MAX] }));
    let want = TemplateValue::Array(vec![TemplateValue::Int(1), TemplateValue::Int(i64::MAX)]);
    assert_eq!(one(numbers), Ok(want));
}

#[test]
fn mixed_arrays_travel_as_json() {
    let mixed = [&b"1"[..], b"2.5", b"\"x\"", b"true", b"[1]"].map(<[u8]>::to_vec).to_vec();
    let want = vec![
        TemplateValue::Int(1),
        TemplateValue::Float(2.5),
        TemplateValue::String("x".into()),
        TemplateValue::Bool(true),
        TemplateValue::Array(vec![TemplateValue::Int(1)]),
    ];
    assert_eq!(one(list(ArrayData::JsonData(JsonArray { data: mixed }))), Ok(TemplateValue::Array(want)));
    for bad in [&b"null"[..], b"{}", b"[null]", b"\xff", b""] {
        let failure = one(list(ArrayData::JsonData(JsonArray { data: vec![bad.to_vec()] }))).unwrap_err();
        assert!(failure.contains("template t"), "{failure}");
    }
}

#[test]
fn absent_values_bytes_and_deep_nesting_are_errors() {
    assert!(one(None).unwrap_err().contains("t has no value"));
    assert!(one(Some(Val::BytesVal(vec![1]))).unwrap_err().contains("bytes"));
    let mut deep = TemplateArrayValue { data: Some(ArrayData::LongData(LongArray::default())) };
    for _ in 0..40 {
        deep = TemplateArrayValue { data: Some(ArrayData::ArrayData(TemplateArrayValueArray { data: vec![deep] })) };
    }
    assert!(one(Some(Val::ArrayVal(deep))).unwrap_err().contains("deeper"));
}
