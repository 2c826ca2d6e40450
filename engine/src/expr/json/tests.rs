//! Tests of the path walker against a whole JSON tree.

use super::*;
use elanus_kernels::rng::Rng;
use serde_json::Value;

const KEYS: [&str; 6] = ["a", "b", "c d", "\u{e9}", "q\"uote", "back\\slash"];

fn random(rng: &mut Rng, depth: u32) -> Value {
    let below = |rng: &mut Rng, n: u64| rng.next_u64() % n;
    match below(rng, if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(below(rng, 2) == 1),
        2 => Value::from(below(rng, 1000) as i64 - 500),
        3 => Value::from(rng.next_u64()),
        4 => Value::from(below(rng, 1000) as f64 / 8.0),
        5 => Value::from(KEYS[below(rng, 6) as usize].repeat(2)),
        6 => (0..below(rng, 4)).map(|_| random(rng, depth - 1)).collect(),
        _ => {
            let entry = |rng: &mut Rng| (KEYS[below(rng, 6) as usize].to_owned(), random(rng, depth - 1));
            Value::Object((0..below(rng, 5)).map(|_| entry(rng)).collect())
        }
    }
}

/// Every path of a value, with the value there.
fn paths(value: &Value, path: &mut Vec<Step>, out: &mut Vec<(Vec<Step>, Value)>) {
    out.push((path.clone(), value.clone()));
    let parts: Vec<(Step, &Value)> = match value {
        Value::Array(parts) => parts.iter().enumerate().map(|(at, part)| (Step::At(at), part)).collect(),
        Value::Object(parts) => parts.iter().map(|(key, part)| (Step::Key(key.as_str().into()), part)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (step, part) in parts {
        path.push(step);
        paths(part, path, out);
        path.pop();
    }
}

fn same(found: &Json<'_>, want: &Value) -> bool {
    match (found, want) {
        (Json::Null, Value::Null) | (Json::Object, Value::Object(_)) => true,
        (Json::Bool(found), Value::Bool(want)) => found == want,
        (Json::Number(Number::Int(found)), Value::Number(want)) => want.as_i128() == Some(*found),
        (Json::Number(Number::Float(found)), Value::Number(want)) => want.as_f64() == Some(*found),
        (Json::Text(found), Value::String(want)) => found == want,
        (Json::Array(found), Value::Array(want)) => {
            let found: Result<Vec<_>, _> = Elements::new(found).collect();
            let found = found.expect("the array is well formed");
            found.len() == want.len() && found.iter().zip(want).all(|(found, want)| same(found, want))
        }
        _ => false,
    }
}

#[test]
fn every_path_finds_its_value_and_others_find_nothing() {
    let mut rng = Rng::new(3);
    for round in 0..400 {
        let value = random(&mut rng, 4);
        let text =
            if round % 2 == 0 { value.to_string() } else { serde_json::to_string_pretty(&value).expect("it prints") };
        let mut known = Vec::new();
        paths(&value, &mut Vec::new(), &mut known);
        for (path, want) in &known {
            let found = find(text.as_bytes(), path).expect("the text is JSON").expect("the path exists");
            assert!(same(&found, want), "{text} {path:?}: {found:?}");
            for step in [Step::Key("absent".into()), Step::At(9)] {
                let longer: Vec<Step> = path.iter().cloned().chain([step]).collect();
                assert_eq!(find(text.as_bytes(), &longer), Ok(None), "{text} {longer:?}");
            }
            if let Json::Array(array) = &found {
                assert_eq!(Elements::new(array).count(), Ok(want.as_array().map_or(0, Vec::len)));
            }
        }
    }
}

#[test]
fn escaped_keys_and_texts_are_understood() {
    let text = br#"{"\u0061": "x\ny", "e\u0301": {"k\"": 1}}"#;
    let key = |key: &str| Step::Key(key.into());
    assert_eq!(find(text, &[key("a")]), Ok(Some(Json::Text("x\ny".into()))));
    assert_eq!(find(text, &[key("e\u{301}"), key("k\"")]), Ok(Some(Json::Number(Number::Int(1)))));
}

#[test]
fn numbers_keep_their_value() {
    let cases = [
        ("-0", Number::Int(0)),
        ("9223372036854775808", Number::Int(1 << 63)),
        ("18446744073709551615", Number::Int(i128::from(u64::MAX))),
        ("1e2", Number::Float(100.0)),
        ("-1.5E-1", Number::Float(-0.15)),
        ("1e999", Number::Float(f64::INFINITY)),
    ];
    for (text, want) in cases {
        assert_eq!(find(text.as_bytes(), &[]), Ok(Some(Json::Number(want))), "{text}");
    }
    for text in ["inf", "NaN", "+1", "-", "-inf", "1_0", "0x1", "tru", "nulls", ".5"] {
        assert_eq!(find(text.as_bytes(), &[]), Err(0), "{text}");
    }
}

#[test]
fn the_first_of_two_equal_keys_counts() {
    assert_eq!(find(br#"{"a":1,"a":2}"#, &[Step::Key("a".into())]), Ok(Some(Json::Number(Number::Int(1)))));
}

#[test]
fn hostile_bytes_give_an_offset_and_never_a_panic() {
    let whole = br#" {"a" : [1, {"b":"x\"y"}, [true,null]], "c": {"d": -1.5e3}} "#;
    let every = [vec![], vec![Step::Key("a".into())], vec![Step::Key("c".into()), Step::Key("d".into())]];
    let deep = "[".repeat(1_000_000);
    let mut texts: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
    let mut rng = Rng::new(4);
    for _ in 0..20_000 {
        let mut text = whole.to_vec();
        for _ in 0..=rng.next_u64() % 3 {
            let at = (rng.next_u64() % text.len() as u64) as usize;
            text[at] = br#"{}[]",:\0a "#[(rng.next_u64() % 11) as usize];
        }
        texts.push(text);
    }
    texts.push(deep.into_bytes());
    let mut refused = 0;
    for text in &texts {
        for path in &every {
            match find(text, path) {
                Ok(Some(Json::Array(array))) => {
                    Elements::new(array).take_while(Result::is_ok).for_each(drop);
                    let _ = Elements::new(array).count();
                }
                Ok(_) => {}
                Err(offset) => {
                    assert!(offset <= text.len());
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}
