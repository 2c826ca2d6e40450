//! Tests of sets of constants.

use super::*;
use elanus_kernels::rng::Rng;

#[test]
fn integer_sets_of_every_kind_hold_their_values() {
    let mut rng = Rng::new(5);
    let few = vec![3, -1, 3, i64::MAX, i64::MIN];
    let dense: Vec<i64> = (0..1000).map(|at| at * 3 - 500).collect();
    let sparse: Vec<i64> = (0..1000).map(|_| rng.next_u64() as i64).chain([i64::MAX, i64::MIN]).collect();
    for values in [vec![], few, dense, sparse] {
        let set: IntSet = values.iter().copied().collect();
        assert!(set.values().is_sorted_by(|left, right| left < right));
        let near = values.iter().flat_map(|value| [*value, value.wrapping_add(1), value.wrapping_sub(1)]);
        for value in near.chain([0, i64::MAX, i64::MIN]) {
            assert_eq!(set.contains(value), values.contains(&value), "{value}");
        }
    }
}

#[test]
fn float_sets_go_by_value() {
    let set: FloatSet = [0.0, 1.5].into_iter().collect();
    assert!(set.contains(-0.0) && set.contains(1.5) && !set.contains(f64::NAN) && !set.contains(1.25));
}

#[test]
fn json_sets_find_every_equal_constant_once() {
    let one = || Const::Number(Number::Int(1));
    let list = |elements: &[Const]| Const::List(elements.to_vec());
    let constants = vec![
        one(),
        Const::Number(Number::Float(1.0)),
        Const::Text("1".into()),
        Const::Bool(true),
        list(&[one()]),
        list(&[Const::Number(Number::Float(1.0))]),
    ];
    let set: JsonSet = constants.into_iter().collect();
    assert_eq!(set.len(), 5);
    let found = |value: &Json<'_>| {
        let mut numbers = Vec::new();
        set.each(value, |number| numbers.push(number)).expect("the value is JSON");
        numbers
    };
    assert_eq!(found(&Json::Number(Number::Float(1.0))), [0]);
    assert_eq!(found(&Json::Text("1".into())), [1]);
    assert_eq!(found(&Json::Bool(true)), [2]);
    assert_eq!(found(&Json::Bool(false)), Vec::<usize>::new());
    assert_eq!(found(&Json::Array(b"[1]")), [3, 4]);
    assert!(set.has_type_of(&Json::Bool(false)) && !set.has_type_of(&Json::Object));
}

#[test]
fn lists_equal_lists_element_by_element() {
    let list = Const::List(vec![Const::Number(Number::Int(1)), Const::List(vec![Const::Text("a".into())])]);
    let cases = [
        (r#"[1.0, ["a"]]"#, Some(true)),
        (r#"[1, ["a"], 2]"#, Some(false)),
        (r#"[1]"#, Some(false)),
        (r#"["1", ["a"]]"#, Some(false)),
        (r#"[]"#, Some(false)),
    ];
    for (text, want) in cases {
        assert_eq!(list.equals(&Json::Array(text.as_bytes())), Ok(want), "{text}");
    }
    assert_eq!(list.equals(&Json::Object), Ok(None));
    assert_eq!(list.equals(&Json::Array(b"[1, oops]")), Err(4));
}
