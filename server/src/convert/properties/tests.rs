//! Properties are kept, honoured, or refused by name.

use super::properties;
use crate::proto::common::KeyValuePair;
use crate::status::{Code, Failure};

fn one(key: &str, value: &str) -> Result<Vec<(String, String)>, Failure> {
    properties(vec![KeyValuePair { key: key.into(), value: value.into() }])
}

#[test]
fn a_property_stands_once() {
    let pair = || KeyValuePair { key: "a".into(), value: "b".into() };
    assert!(properties(vec![pair(), pair()]).unwrap_err().reason().contains("\"a\""));
    assert!(one("", "1").is_err());
    assert_eq!(one("a", "b").unwrap(), [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn what_milvus_would_act_on_is_refused_by_name() {
    let given = [
        ("collection.ttl.seconds", "60"),
        ("partitionkey.isolation", "True"),
        ("database.force.deny.writing", "true"),
        ("collection.insertRate.max.mb", "10"),
        ("collection.replica.number", "2"),
    ];
    for (key, value) in given {
        let failure = one(key, value).unwrap_err();
        assert_eq!(failure.code(), Code::Unimplemented);
        assert!(failure.reason().contains(key), "{failure}");
    }
    for (key, value) in
        [("collection.ttl.seconds", "0"), ("partitionkey.isolation", "False"), ("database.replica.number", "1")]
    {
        one(key, value).unwrap();
    }
    for key in ["mmap.enabled", "timezone", "mark"] {
        one(key, "x").unwrap();
    }
    assert!(one("database.max.collections", "many").unwrap_err().reason().contains("many"));
    one("database.max.collections", "7").unwrap();
}
