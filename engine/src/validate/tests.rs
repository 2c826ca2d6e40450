//! Tests of what a write must satisfy.

use super::*;

#[test]
fn keys_that_the_database_makes_are_consecutive() {
    let field = Field::new("id", DataType::VarChar).primary().auto_id().max_length(32);
    let column = made_keys(&field, 7, 3);
    let Some(Keys::Str(keys)) = Keys::from_column(column.view()) else { panic!("text keys") };
    assert_eq!(keys, ["7", "8", "9"]);
}

#[test]
fn nesting_counts_brackets_outside_of_strings() {
    let cases =
        [("1", 0), ("[]", 1), (r#"{"a": [1, {"b": []}], "c": {}}"#, 4), (r#"["[[[", "\"[["]"#, 1), ("[[],[[]]]", 3)];
    for (text, want) in cases {
        assert_eq!(nesting(text), want, "{text}");
    }
}

#[test]
fn json_that_clients_could_not_read_again_is_refused() {
    let field = Field::new("j", DataType::Json);
    let schema = Schema { description: String::new(), fields: vec![field.clone()] };
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check_json(&schema, &field, &deep(JSON_DEPTH_MAX)), Ok(()));
    let error = check_json(&schema, &field, &deep(JSON_DEPTH_MAX + 1)).unwrap_err();
    assert_eq!(error, "the JSON is nested 129 deep, at most 128 are allowed");
}
