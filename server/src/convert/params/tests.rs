//! Parameters are taken once, merged from both places, and never dropped.

use super::{Params, boolean};
use crate::proto::common::KeyValuePair;
use crate::status::{Code, Failure};

fn params(pairs: &[(&str, &str)]) -> Result<Params, Failure> {
    let pairs = pairs.iter().map(|(key, value)| KeyValuePair { key: (*key).into(), value: (*value).into() });
    Params::new("search", pairs.collect())
}

#[test]
fn nested_parameters_stand_beside_the_outer_ones() {
    let mut given = params(&[("topk", "10"), ("params", r#"{"ef": 64, "metric_type": "L2", "radius": 0.5}"#)]).unwrap();
    assert_eq!(given.number::<usize>("topk").unwrap(), Some(10));
    assert_eq!(given.text("metric_type").as_deref(), Some("L2"));
    assert_eq!(given.float("radius").unwrap(), Some(0.5));
    assert_eq!(given.rest(), [("ef".to_owned(), "64".to_owned())]);
}

#[test]
fn repeated_parameters_pass_if_they_say_the_same() {
    let mut given = params(&[("ignore_growing", "True"), ("params", r#"{"ignore_growing": true}"#)]).unwrap();
    assert!(given.flag("ignore_growing").unwrap());
    params(&[("ef", "64"), ("params", r#"{"ef": 64.0}"#)]).unwrap();
    let failure = params(&[("ef", "64"), ("params", r#"{"ef": 65}"#)]).unwrap_err();
    assert!(failure.reason().contains("ef is given twice"), "{failure}");
}

#[test]
fn nested_text_that_is_no_object_is_an_error() {
    for text in ["[1]", "{", "3", "\"x\"", "{\"a\":}"] {
        assert_eq!(params(&[("params", text)]).unwrap_err().code(), Code::ParameterInvalid, "{text}");
    }
    for text in ["", "  ", "null", "{}"] {
        params(&[("params", text)]).unwrap().finish().unwrap();
    }
}

#[test]
fn values_of_another_kind_are_errors_that_name_the_parameter() {
    let given = || params(&[("limit", "ten"), ("flag", "maybe"), ("radius", "NaN"), ("big", "1e60")]).unwrap();
    assert!(given().number::<usize>("limit").unwrap_err().reason().contains("limit"));
    assert!(given().flag("flag").unwrap_err().reason().contains("flag"));
    assert!(given().float("radius").unwrap_err().reason().contains("radius"));
    assert!(given().float("big").unwrap_err().reason().contains("big"));
}

#[test]
fn what_nobody_takes_is_refused() {
    let failure = params(&[("rigmarole", "1")]).unwrap().finish().unwrap_err();
    assert_eq!(failure.reason(), "search: unknown parameter rigmarole");
    let mut given = params(&[("strict_cast", "False"), ("json_path", "a")]).unwrap();
    given.refuse("strict_cast").unwrap();
    assert_eq!(given.refuse("json_path").unwrap_err().code(), Code::Unimplemented);
    given.finish().unwrap();
}

#[test]
fn booleans_of_several_languages() {
    assert_eq!(["True", "true", "TRUE", "1"].map(boolean), [Some(true); 4]);
    assert_eq!(["False", "false", "0"].map(boolean), [Some(false); 3]);
    assert_eq!(["", "yes", "2"].map(boolean), [None; 3]);
}
